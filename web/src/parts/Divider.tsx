import type { Signal } from "@preact/signals";
import { t } from "../words";
import { Icon } from "./Icon";

const STEP = 0.02;
const LARGE = 0.1;

/** The line between before and after. `at` is its place, 0 to 1, in a `room` of pixels; `cut` its place
 * on the stage. */
export function Divider({ at, cut, room }: { at: Signal<number>; cut: number; room: number }) {
  const set = (value: number) => {
    at.value = Math.min(1, Math.max(0, value));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const to: Record<string, number> = {
      ArrowLeft: at.value - STEP,
      ArrowDown: at.value - STEP,
      ArrowRight: at.value + STEP,
      ArrowUp: at.value + STEP,
      PageDown: at.value - LARGE,
      PageUp: at.value + LARGE,
      Home: 0,
      End: 1,
    };
    const value = to[event.key];
    if (value === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    set(value);
  };
  const onPointerDown = (event: PointerEvent) => {
    const handle = event.currentTarget as HTMLElement;
    if (event.button !== 0) return;
    handle.setPointerCapture(event.pointerId);
    // From where it was taken, in fractions of what is moved through.
    const [from, start] = [event.clientX, at.value];
    const drag = (moved: PointerEvent) => set(start + (moved.clientX - from) / room);
    handle.addEventListener("pointermove", drag);
    const end = () => handle.removeEventListener("pointermove", drag);
    handle.addEventListener("pointerup", end, { once: true });
    handle.addEventListener("pointercancel", end, { once: true });
  };
  const percent = Math.round(at.value * 100);
  return (
    <div
      class="divider"
      role="slider"
      tabIndex={0}
      aria-label={t("divider")}
      aria-orientation="horizontal"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
      aria-valuetext={`${percent} %`}
      style={{ left: `${cut}px` }}
      onKeyDown={onKeyDown}
      onPointerDown={onPointerDown}
    >
      <span class="knob">
        <Icon name="split" />
      </span>
    </div>
  );
}
