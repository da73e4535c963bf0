/** Where the photo lies on the stage: fitted, or zoomed and moved. Pure geometry. */

import type { Part } from "./engine";

export interface Size {
  w: number;
  h: number;
}

/** `scale` is screen pixels (CSS) for each of the photo; null fits it. `x`, `y` is the photo's
 * point in the middle of the stage, in its pixels. */
export interface View {
  scale: number | null;
  x: number;
  y: number;
}

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

const MOST_UPSCALED = 2;
const LARGEST = 4;

export const fitScale = (stage: Size, photo: Size) =>
  Math.min(stage.w / photo.w, stage.h / photo.h, MOST_UPSCALED);

export function scaleOf(view: View, stage: Size, photo: Size): number {
  return view.scale ?? fitScale(stage, photo);
}

export function boxOf(view: View, stage: Size, photo: Size): Box {
  const scale = scaleOf(view, stage, photo);
  const [x, y] = view.scale === null ? [photo.w / 2, photo.h / 2] : [view.x, view.y];
  return {
    left: stage.w / 2 - x * scale,
    top: stage.h / 2 - y * scale,
    width: photo.w * scale,
    height: photo.h * scale,
  };
}

/** The middle kept where the photo covers the stage, or centred where it does not. */
function held(view: View, stage: Size, photo: Size): View {
  const scale = scaleOf(view, stage, photo);
  const hold = (at: number, length: number, room: number) => {
    const half = room / scale / 2;
    return length <= 2 * half ? length / 2 : Math.min(Math.max(at, half), length - half);
  };
  return {
    scale: view.scale,
    x: hold(view.x, photo.w, stage.w),
    y: hold(view.y, photo.h, stage.h),
  };
}

/** Zooms by a factor, or to a scale; what lies under the point of the stage stays there. */
export function zoomed(
  view: View,
  to: { by: number } | { scale: number | null },
  stage: Size,
  photo: Size,
  point: { x: number; y: number } = { x: stage.w / 2, y: stage.h / 2 },
): View {
  const fit = fitScale(stage, photo);
  const old = scaleOf(view, stage, photo);
  const wanted = "by" in to ? old * to.by : to.scale;
  const isFit = wanted === null || wanted <= fit * 1.001;
  const scale = isFit ? fit : Math.min(wanted, Math.max(LARGEST, fit));
  const box = boxOf(view, stage, photo);
  const at = { x: (point.x - box.left) / old, y: (point.y - box.top) / old };
  const moved = {
    scale: isFit ? null : scale,
    x: at.x - (point.x - stage.w / 2) / scale,
    y: at.y - (point.y - stage.h / 2) / scale,
  };
  return held(moved, stage, photo);
}

/** Moved by so many pixels of the screen. */
export function moved(view: View, dx: number, dy: number, stage: Size, photo: Size): View {
  if (view.scale === null) return view;
  return held(
    { scale: view.scale, x: view.x - dx / view.scale, y: view.y - dy / view.scale },
    stage,
    photo,
  );
}

/** What of the photo is seen, in its whole pixels. */
export function seen(view: View, stage: Size, photo: Size): Part {
  const scale = scaleOf(view, stage, photo);
  const box = boxOf(view, stage, photo);
  const x = Math.max(0, Math.floor(-box.left / scale));
  const y = Math.max(0, Math.floor(-box.top / scale));
  const right = Math.min(photo.w, Math.ceil((stage.w - box.left) / scale));
  const bottom = Math.min(photo.h, Math.ceil((stage.h - box.top) / scale));
  return { x, y, w: Math.max(1, right - x), h: Math.max(1, bottom - y) };
}

/** A part in as few pieces as hold at most so many pixels each. */
export function split(part: Part, most: number): Part[] {
  if (part.w * part.h <= most) return [part];
  const isWide = part.w >= part.h;
  const length = isWide ? part.w : part.h;
  const half = Math.ceil(length / 2);
  const [first, second] = isWide
    ? [
        { ...part, w: half },
        { ...part, x: part.x + half, w: part.w - half },
      ]
    : [
        { ...part, h: half },
        { ...part, y: part.y + half, h: part.h - half },
      ];
  return [...split(first, most), ...split(second, most)];
}
