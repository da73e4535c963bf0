/** How far the batch is, and how long it will take. */

import { computed, effect, signal } from "@preact/signals";
import { type Item, isActive, items } from "./state";

/** Work of a picture in pixels; a video counts each of its frames, at a usual rate. */
const FRAMES_A_SECOND = 25;
const workOf = ({ source }: Item) =>
  source ? source.width * source.height * Math.max(1, (source.seconds ?? 0) * FRAMES_A_SECOND) : 0;

const LEAST_MS = 1500;

interface Standing {
  done: number;
  total: number;
  /** Of all work that was ordered, 0 to 1. */
  fraction: number;
}

/** Of the jobs that are ordered; null where none is on its way. */
export const standing = computed<Standing | null>(() => {
  const ordered = items.value.filter(({ job }) => job);
  if (!ordered.some(isActive)) return null;
  const counted = ordered.filter((item) => isActive(item) || item.job?.status === "done");
  const work = counted.reduce((sum, item) => sum + workOf(item), 0);
  const made = counted.reduce(
    (sum, item) => sum + workOf(item) * (isActive(item) ? (item.job?.fraction ?? 0) : 1),
    0,
  );
  const done = counted.filter((item) => !isActive(item)).length;
  return { done, total: counted.length, fraction: work ? made / work : 0 };
});

/** Where measuring the speed began. */
const began = signal<{ time: number; fraction: number; total: number } | null>(null);

effect(() => {
  const now = standing.value;
  const start = began.peek();
  if (!now) began.value = null;
  else if (!start || start.total !== now.total || now.fraction < start.fraction) {
    began.value = { time: performance.now(), fraction: now.fraction, total: now.total };
  }
});

/** Seconds that the batch will take; null while that is unknown. */
export const secondsLeft = computed<number | null>(() => {
  const now = standing.value;
  const start = began.value;
  if (!now || !start) return null;
  const active = items.value.filter(isActive);
  const [only] = active;
  if (active.length === 1 && only?.job?.seconds_left != null) return only.job.seconds_left;
  const passed = performance.now() - start.time;
  const made = now.fraction - start.fraction;
  if (passed < LEAST_MS || made <= 0) return null;
  return ((passed / 1000) * (1 - now.fraction)) / made;
});
