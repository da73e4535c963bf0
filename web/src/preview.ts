/** The shown previews: one request at a time, the latest wish wins, outdated ones are aborted. */

import { batch, effect, signal } from "@preact/signals";
import { lost } from "./actions/add";
import { thumbFrom } from "./actions/thumbs";
import { asked } from "./edit";
import { type Part, type PreviewOrder, Refusal } from "./engine";
import { about, find, type Item, modelNamed, output, selected } from "./state";
import { engine } from "./undark";
import { line } from "./words";

export interface Picture {
  url: string;
  blob: Blob;
}

export interface Piece extends Picture {
  part: Part;
  side: Side;
}

type Side = "before" | "after";

interface Wish {
  key: string;
  id: string;
  upload: string;
  side: Side;
  order: PreviewOrder;
  /** A smaller preview, to be replaced. */
  isDraft: boolean;
}

const MOST_PIXELS = 1_000_000;
/** Sizes of previews differ by at least this much: a window that is drawn larger asks seldom. */
const STEP_PIXELS = 125_000;
const KEPT = 48;
/** Where a preview takes longer than this, a smaller one is shown first. */
const QUICK_MS = 250;
const DRAFT_PIXELS = 250_000;
/** While a slider moves, a picture comes at least about this often. */
const STALE_MS = 400;

/** The pictures to show for the selected item; the last that came, while a better one is made. */
export const before = signal<(Picture & { id: string }) | null>(null);
export const after = signal<(Picture & { id: string }) | null>(null);
export const pieces = signal<Piece[]>([]);
export const isBusy = signal(false);
export const previewError = signal<string | null>(null);
/** Parts that are seen larger than the preview shows them; the viewer sets them. */
export const parts = signal<Part[]>([]);
/** Pixels of the screen that the whole photo takes; fewer are made more quickly. Set by the viewer. */
export const room = signal(MOST_PIXELS);

const cache = new Map<string, Picture>();
const refused = new Map<string, string>();
const changed = signal(0);
let flight: { wish: Wish; controller: AbortController } | null = null;
let lastShown = 0;
let isSlow = false;
/** Address of the picture that the gallery shows small. */
let thumbed = "";

function wishes(item: Item, shownParts: Part[]): Wish[] {
  if (!item.source || !item.edit || !about.value) return [];
  const { id, upload, source, edit } = item;
  const isVideo = source.kind === "video";
  const limit = Math.min(MOST_PIXELS, about.value.limits.preview_pixels, room.value);
  const adjust = asked(about.value, modelNamed(edit.model), edit, source.kind, output.value);
  const { videoQuality } = output.value;
  const look = { model: edit.model, adjust, ...(isVideo ? { videoQuality } : {}) };
  const looks = { before: null, after: look };
  const wish = (side: Side, part?: Part, isDraft = false): Wish => {
    const order: PreviewOrder = {
      look: looks[side],
      maxPixels: isDraft ? DRAFT_PIXELS : limit,
      ...(isVideo ? { at: Math.round(item.at * 1000) / 1000 } : {}),
      ...(part ? { part } : {}),
    };
    return { key: JSON.stringify([upload, order]), id, upload, side, order, isDraft };
  };
  const whole = wish("after");
  const isLarge = Math.min(source.width * source.height, limit) > 1.5 * DRAFT_PIXELS;
  const needsDraft = isSlow && isLarge && !cache.has(whole.key);
  return [
    wish("before"),
    ...(needsDraft ? [wish("after", undefined, true)] : []),
    whole,
    ...shownParts.flatMap((part) => [wish("after", part), wish("before", part)]),
  ];
}

/** Says how large the whole photo is seen, in pixels of the screen. */
export function seenAs(width: number, height: number) {
  const wanted = Math.ceil((width * height) / STEP_PIXELS) * STEP_PIXELS;
  room.value = Math.min(MOST_PIXELS, Math.max(DRAFT_PIXELS, wanted));
}

/** Starts following what is selected. */
export function followSelection() {
  effect(() => {
    const item = selected.value;
    void changed.value;
    batch(() => show(item ? wishes(item, parts.value) : [], item?.id ?? null));
  });
}

function show(wanted: Wish[], id: string | null) {
  for (const [side, shown] of [["before", before] as const, ["after", after] as const]) {
    const found = wanted
      .filter((one) => one.side === side && !one.order.part)
      .map((one) => ({ isDraft: one.isDraft, picture: touch(one.key) }))
      .filter(({ picture }) => picture)
      .at(-1);
    const picture = found?.picture;
    if (picture && id) {
      if (shown.peek()?.url !== picture.url) shown.value = { ...picture, id };
      if (side === "after" && !found?.isDraft && thumbed !== picture.url) {
        thumbed = picture.url;
        void thumbFrom(id, picture.blob).catch(() => undefined);
      }
    } else if (shown.peek()?.id !== id) shown.value = null;
  }
  pieces.value = wanted.flatMap(({ key, side, order }) => {
    const picture = order.part && touch(key);
    return picture && order.part ? [{ ...picture, part: order.part, side }] : [];
  });
  const error = wanted.map(({ key }) => refused.get(key)).find((text) => text !== undefined);
  previewError.value = error ?? null;
  const next = wanted.find(({ key }) => !cache.has(key) && !refused.has(key));
  isBusy.value = next !== undefined;
  launch(wanted, next);
}

function launch(wanted: Wish[], next: Wish | undefined) {
  if (flight) {
    const { wish, controller } = flight;
    if (wanted.some(({ key }) => key === wish.key)) return;
    const isForShown = wish.id === next?.id && !wish.order.part;
    if (isForShown && performance.now() - lastShown > STALE_MS) return;
    flight = null;
    controller.abort();
  }
  if (next) void fly(next);
}

async function fly(wish: Wish) {
  const controller = new AbortController();
  const mine = { wish, controller };
  const start = performance.now();
  flight = mine;
  try {
    const blob = await engine.preview(wish.upload, wish.order, controller.signal);
    if (flight !== mine) return;
    const picture = { url: URL.createObjectURL(blob), blob };
    remember(wish.key, picture);
    lastShown = performance.now();
    if (wish.side === "after" && !wish.order.part && !wish.isDraft) {
      isSlow = lastShown - start > QUICK_MS;
    }
    if (wish.side === "after" && !wish.order.part && selected.peek()?.id === wish.id) {
      after.value = { ...picture, id: wish.id };
    }
  } catch (error) {
    if (flight !== mine) return;
    const isGone = error instanceof Refusal && error.gone;
    if (isGone && find(wish.id)?.upload === wish.upload) lost(wish.id);
    refused.set(wish.key, line(error));
  }
  flight = null;
  changed.value++;
}

function touch(key: string): Picture | undefined {
  const picture = cache.get(key);
  if (picture) {
    cache.delete(key);
    cache.set(key, picture);
  }
  return picture;
}

function remember(key: string, picture: Picture) {
  cache.set(key, picture);
  const shown = new Set([before, after].map((side) => side.peek()?.url));
  for (const piece of pieces.peek()) shown.add(piece.url);
  for (const [old, { url }] of cache) {
    if (cache.size <= KEPT) break;
    if (shown.has(url) || old === key) continue;
    cache.delete(old);
    URL.revokeObjectURL(url);
  }
}

/** Asks again for what was refused. */
export function retryPreview() {
  refused.clear();
  changed.value++;
}
