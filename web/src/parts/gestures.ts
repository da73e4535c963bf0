/** Mouse, touch and wheel on the stage: zoom, move, and the divider. */

import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface Point {
  x: number;
  y: number;
}

export interface Gestures {
  isZoomed(): boolean;
  zoom(to: { by: number }, point: Point): void;
  move(dx: number, dy: number): void;
  divide(x: number): void;
  doubled(point: Point): void;
}

const WHEEL = 0.0018;
const LINE = 16;
const DOUBLE_MS = 320;
const NEAR = 24;

export function useGestures(stage: RefObject<HTMLElement | null>, given: Gestures) {
  const latest = useRef(given);
  latest.current = given;

  useEffect(() => {
    const node = stage.current;
    if (!node) return;
    const fingers = new Map<number, Point>();
    let tapped: (Point & { time: number }) | null = null;
    const pointOf = (event: MouseEvent): Point => {
      const { left, top } = node.getBoundingClientRect();
      return { x: event.clientX - left, y: event.clientY - top };
    };
    const spread = () => {
      const [a, b] = [...fingers.values()];
      if (!a || !b) return null;
      return {
        distance: Math.hypot(a.x - b.x, a.y - b.y),
        middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 },
      };
    };
    const isOwn = (event: Event) =>
      event.target instanceof Element && !event.target.closest("button, [role=slider]");

    const down = (event: PointerEvent) => {
      if (!isOwn(event) || event.button !== 0) return;
      node.setPointerCapture(event.pointerId);
      const point = pointOf(event);
      fingers.set(event.pointerId, point);
      const isSecond =
        tapped &&
        event.timeStamp - tapped.time < DOUBLE_MS &&
        Math.hypot(point.x - tapped.x, point.y - tapped.y) < NEAR;
      if (fingers.size === 1 && isSecond) {
        tapped = null;
        latest.current.doubled(point);
      } else tapped = { ...point, time: event.timeStamp };
    };
    const drag = (event: PointerEvent) => {
      const old = fingers.get(event.pointerId);
      if (!old) return;
      const point = pointOf(event);
      const { isZoomed, zoom, move, divide } = latest.current;
      if (fingers.size >= 2) {
        const first = spread();
        fingers.set(event.pointerId, point);
        const now = spread();
        if (!first || !now) return;
        zoom({ by: now.distance / Math.max(first.distance, 1) }, now.middle);
        move(now.middle.x - first.middle.x, now.middle.y - first.middle.y);
        return;
      }
      fingers.set(event.pointerId, point);
      if (isZoomed()) move(point.x - old.x, point.y - old.y);
      else divide(point.x);
    };
    const up = (event: PointerEvent) => fingers.delete(event.pointerId);
    const wheel = (event: WheelEvent) => {
      // A page that scrolls is not held up by a photo that is fitted.
      if (!event.ctrlKey && !event.metaKey && document.documentElement.scrollHeight > innerHeight) {
        if (!latest.current.isZoomed()) return;
      }
      event.preventDefault();
      const step = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE : 1);
      latest.current.zoom({ by: Math.exp(-step * WHEEL) }, pointOf(event));
    };

    node.addEventListener("pointerdown", down);
    node.addEventListener("pointermove", drag);
    node.addEventListener("pointerup", up);
    node.addEventListener("pointercancel", up);
    node.addEventListener("wheel", wheel, { passive: false });
    return () => {
      node.removeEventListener("pointerdown", down);
      node.removeEventListener("pointermove", drag);
      node.removeEventListener("pointerup", up);
      node.removeEventListener("pointercancel", up);
      node.removeEventListener("wheel", wheel);
    };
  }, [stage]);
}
