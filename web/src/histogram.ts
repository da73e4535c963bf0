/** How often each level comes in a picture: what the histogram draws. */

export const BINS = 96;
const SIDE = 256;

export interface Levels {
  red: Float32Array;
  green: Float32Array;
  blue: Float32Array;
  /** Of luma (BT.709, of the samples as they are). */
  luma: Float32Array;
  /** Mean luma, 0 to 1. */
  mean: number;
}

export async function levels(picture: Blob): Promise<Levels> {
  const bitmap = await createImageBitmap(picture, { resizeWidth: SIDE, resizeQuality: "low" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context?.drawImage(bitmap, 0, 0);
  const { data } = context?.getImageData(0, 0, bitmap.width, bitmap.height) ?? { data: [] };
  bitmap.close();
  return count(data);
}

export function count(data: ArrayLike<number>): Levels {
  const [red, green, blue, luma] = [0, 1, 2, 3].map(() => new Float32Array(BINS)) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  let sum = 0;
  let pixels = 0;
  const put = (bins: Float32Array, value: number) => {
    const bin = Math.min(BINS - 1, Math.floor((value * BINS) / 256));
    bins[bin] = (bins[bin] ?? 0) + 1;
  };
  for (let at = 0; at + 3 < data.length; at += 4) {
    const [r, g, b, alpha] = [data[at], data[at + 1], data[at + 2], data[at + 3]];
    // What is transparent shows nothing.
    if (r === undefined || g === undefined || b === undefined || !alpha) continue;
    const y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    put(red, r);
    put(green, g);
    put(blue, b);
    put(luma, y);
    sum += y;
    pixels += 1;
  }
  return { red, green, blue, luma, mean: pixels ? sum / pixels / 255 : 0 };
}
