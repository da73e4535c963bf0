"use strict";
document.documentElement.classList.add("live");
for (const frame of document.querySelectorAll(".frame")) {
  const divider = document.createElement("div");
  divider.className = "divider";
  divider.tabIndex = 0;
  const label = "Divider between before and after";
  for (const [name, value] of Object.entries({
    role: "slider", "aria-label": label, "aria-orientation": "horizontal",
    "aria-valuemin": 0, "aria-valuemax": 100,
  })) divider.setAttribute(name, value);
  frame.append(divider);
  let at = 50;
  const move = (to) => {
    at = Math.min(100, Math.max(0, to));
    frame.style.setProperty("--at", `${at}%`);
    divider.setAttribute("aria-valuenow", String(Math.round(at)));
    divider.setAttribute("aria-valuetext", `${Math.round(at)} % before, ${100 - Math.round(at)} % after`);
  };
  const follow = (event) => {
    const box = frame.getBoundingClientRect();
    move((100 * (event.clientX - box.left)) / box.width);
  };
  frame.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    frame.setPointerCapture(event.pointerId);
    divider.focus({ focusVisible: false, preventScroll: true });
    follow(event);
    event.preventDefault();
  });
  frame.addEventListener("pointermove", (event) => {
    if (frame.hasPointerCapture(event.pointerId)) follow(event);
  });
  divider.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const step = event.shiftKey ? 10 : 1;
    const to = {
      ArrowLeft: at - step, ArrowDown: at - step, ArrowRight: at + step, ArrowUp: at + step,
      PageDown: at - 10, PageUp: at + 10, Home: 0, End: 100,
    }[event.key];
    if (to === undefined) return;
    move(to);
    event.preventDefault();
  });
  move(50);
}
