/** Pictures that come and go: sending them to the engine, trying again, removing. */

import { firstEdit } from "../edit";
import { Refusal, type Source } from "../engine";
import {
  about,
  announce,
  find,
  type Item,
  items,
  models,
  notify,
  patch,
  scope,
  selected,
  selectedId,
  unguessable,
} from "../state";
import { engine } from "../undark";
import { aboutFile, bytes, line, t } from "../words";
import type { Found } from "./files";
import { wantThumb } from "./thumbs";

const AT_A_TIME = 2;

const sending = new Map<string, AbortController>();

export function newItem(change: Partial<Item> & Pick<Item, "name">): Item {
  return {
    id: unguessable(),
    upload: unguessable(),
    file: null,
    bytes: 0,
    phase: "waiting",
    sent: 0,
    source: null,
    error: null,
    edit: null,
    at: 0,
    thumb: null,
    job: null,
    made: null,
    ...change,
  };
}

export function add({ files, leftOut }: Found) {
  const added = files.map((file) => newItem({ file, name: file.name, bytes: file.size }));
  items.value = [...items.value, ...added];
  if (!selectedId.value && added[0]) selectedId.value = added[0].id;
  if (added.length) announce(t("added", { n: added.length }));
  if (leftOut) notify(t("left_out", { n: leftOut }));
  if (!added.length && !leftOut) notify(t("empty_folder"), true);
  pump();
}

function pump() {
  for (const item of items.value) {
    if (sending.size >= AT_A_TIME) return;
    if (item.phase === "waiting" && !sending.has(item.id)) void send(item);
  }
}

async function send({ id, file, upload }: Item) {
  if (!file) return;
  const controller = new AbortController();
  sending.set(id, controller);
  patch(id, { phase: "sending", sent: 0, error: null });
  try {
    const limit = about.value?.limits.body_bytes ?? Number.POSITIVE_INFINITY;
    if (file.size > limit) throw new Refusal(t("error_large", { limit: bytes(limit) }), 413);
    const progress = (sent: number) => patch(id, { sent });
    arrived(id, await engine.probe(file, upload, progress, controller.signal));
  } catch (error) {
    if (!controller.signal.aborted) fail(id, line(error));
  } finally {
    sending.delete(id);
    pump();
  }
}

/** The engine has the picture. */
export function arrived(id: string, source: Source) {
  const item = find(id);
  const { value: server } = about;
  if (!item || !server || !models.value) return;
  // While changes apply to all, a new picture gets what the shown one has.
  const shown = scope.value === "all" ? selected.value : null;
  const shared = shown?.source?.kind === source.kind ? shown.edit : null;
  patch(id, {
    source,
    phase: "ready",
    sent: 1,
    error: null,
    edit: item.edit ?? shared ?? firstEdit(server, models.value, source.kind),
    at: item.at || (source.seconds ?? 0) / 3,
  });
  wantThumb(id);
}

export function fail(id: string, error: string) {
  const item = find(id);
  if (!item) return;
  patch(id, { phase: "failed", error });
  notify(aboutFile(item.name, error), true);
}

/** The engine has it no more: it is sent again, or said where the page has no file. */
export function lost(id: string) {
  const item = find(id);
  if (item?.phase !== "ready") return;
  if (item.file) {
    patch(id, { phase: "waiting", upload: unguessable(), source: null });
    pump();
  } else fail(id, t("error_gone"));
}

export function retrySending(id: string) {
  const item = find(id);
  if (!item?.file) return;
  patch(id, { phase: "waiting", upload: unguessable(), error: null });
  pump();
}

export const stopSending = (id: string) => sending.get(id)?.abort();
