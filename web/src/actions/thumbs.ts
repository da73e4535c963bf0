/** The small pictures of the gallery: one request at a time, behind all else. */

import { find, patch } from "../state";
import { engine } from "../undark";

const PIXELS = 30_000;
const WIDTH = 240;

const wanted: string[] = [];
let isBusy = false;

export function wantThumb(id: string) {
  wanted.push(id);
  void work();
}

async function work() {
  if (isBusy) return;
  isBusy = true;
  for (let id = wanted.shift(); id; id = wanted.shift()) {
    const item = find(id);
    if (!item?.source || item.thumb) continue;
    const order = {
      look: null,
      maxPixels: PIXELS,
      ...(item.source.kind === "video" ? { at: item.at } : {}),
    };
    try {
      const blob = await engine.preview(item.upload, order, new AbortController().signal);
      show(id, blob);
    } catch {
      // The picture itself will tell what is wrong.
    }
  }
  isBusy = false;
}

function show(id: string, blob: Blob) {
  const old = find(id)?.thumb;
  patch(id, { thumb: URL.createObjectURL(blob) });
  if (old) URL.revokeObjectURL(old);
}

/** Makes the small picture out of a preview that is there. */
export async function thumbFrom(id: string, preview: Blob) {
  const bitmap = await createImageBitmap(preview, { resizeWidth: WIDTH, resizeQuality: "medium" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  bitmap.close();
  const small = await canvas.convertToBlob({ type: "image/webp", quality: 0.8 });
  if (find(id)) show(id, small);
}
