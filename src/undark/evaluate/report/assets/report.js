"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const make = (tag, options = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), options);
  element.append(...children);
  return element;
};
const source = (row, place) => "data:image/jpeg;base64," + row.images[place];

// Tables: a click on a heading sorts by the cells' data-value, worst numbers last.
const value = (row, column) => {
  const text = row.cells[column].dataset.value;
  if (text === undefined) return row.cells[column].textContent;
  return text === "" ? NaN : Number(text);
};
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const start = heading.dataset.first || "ascending";
      const other = start === "ascending" ? "descending" : "ascending";
      const order = heading.getAttribute("aria-sort") === start ? other : start;
      headings.forEach((item) => item.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const rows = [...table.tBodies[0].rows];
      rows.sort((first, second) => {
        const [a, b] = [value(first, column), value(second, column)];
        if (typeof a === "string") return sign * a.localeCompare(b, undefined, { numeric: true });
        if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
        return a === b ? 0 : sign * (a < b ? -1 : 1);
      });
      table.tBodies[0].append(...rows);
    });
  });
}

// Images: two at a time under a slider; an image is decoded when it comes into view.
const choose = (chosen) => {
  const select = make("select");
  data.labels.forEach((label, place) => {
    select.append(make("option", { value: place, textContent: label, selected: place === chosen }));
  });
  return select;
};
const figures = new Map();
const gallery = byId("gallery");
const near = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      entry.target.dataset.seen = "yes";
      entry.target.dispatchEvent(new Event("show"));
      near.unobserve(entry.target);
    }
  },
  { rootMargin: "600px" },
);
for (const row of data.rows) {
  const left = choose(data.left);
  const right = choose(data.right);
  left.setAttribute("aria-label", "left image");
  right.setAttribute("aria-label", "right image");
  const over = make("img", { className: "over", draggable: false });
  const under = make("img", { className: "under", draggable: false });
  const ofLeft = make("span", { className: "of-left" });
  const ofRight = make("span", { className: "of-right" });
  const slider = make("input", { type: "range", min: 0, max: 100, step: 0.1, value: 50 });
  slider.setAttribute("aria-label", `how much of ${row.name} is the left image`);
  const compare = make("div", { className: "compare" }, under, over, ofLeft, ofRight, slider);
  compare.style.aspectRatio = `${row.width} / ${row.height}`;
  slider.addEventListener("input", () => compare.style.setProperty("--at", slider.value + "%"));
  const name = make("b", { textContent: row.name });
  const figure = make("figure", {}, compare, make("figcaption", {}, name, left, right));
  const side = (select, image, label) => {
    const place = Number(select.value);
    const score = row.scores[place];
    label.textContent = data.labels[place] + (score ? ` ${score}` : "");
    if (figure.dataset.seen) image.src = source(row, place);
    image.alt = `${row.name}, ${data.labels[place]}`;
  };
  const show = () => {
    side(left, over, ofLeft);
    side(right, under, ofRight);
  };
  for (const select of [left, right]) select.addEventListener("change", show);
  figure.addEventListener("show", show);
  show();
  figures.set(row.index, { figure, left, right, show });
  gallery.append(figure);
  near.observe(figure);
}
for (const id of ["left", "right"]) {
  const select = byId(id);
  select.append(...choose().children);
  select.value = data[id];
  select.addEventListener("change", () => {
    for (const figure of figures.values()) {
      figure[id].value = select.value;
      figure.show();
    }
  });
}
byId("sides").hidden = data.rows.length === 0;

// Worst and best: a card leads to its image.
const cards = (id, places, contender) => {
  byId(id).replaceChildren(
    ...places.map((index) => {
      const row = data.rows.find((item) => item.index === index);
      const place = data.labels.indexOf(contender);
      const image = make("img", { src: source(row, place), alt: "", loading: "lazy" });
      const card = make(
        "button",
        { className: "card", type: "button" },
        image,
        make("b", { textContent: row.name }),
        row.scores[place],
      );
      card.addEventListener("click", () => {
        const { figure, right, show } = figures.get(index);
        right.value = place;
        show();
        figure.scrollIntoView({ behavior: "smooth", block: "center" });
      });
      return card;
    }),
  );
};
const whose = byId("whose");
for (const contender of Object.keys(data.extremes)) {
  whose.append(make("option", { value: contender, textContent: contender }));
}
const extremes = () => {
  cards("worst", data.extremes[whose.value].worst, whose.value);
  cards("best", data.extremes[whose.value].best, whose.value);
};
whose.addEventListener("change", extremes);
if (whose.options.length && data.rows.length > 1) {
  extremes();
  byId("extremes").hidden = false;
}
