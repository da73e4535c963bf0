/** The batch outlives a reload of the page: names and wishes are kept by the tab, files by the server. */

import { effect } from "@preact/signals";
import { DEFAULT_OUTPUT, type Edit, type Output } from "../edit";
import { isEnded, Refusal } from "../engine";
import { kept } from "../kept";
import { type Item, items, output, patch, scope, selectedId, unguessable } from "../state";
import { isCopy } from "../tab";
import { engine } from "../undark";
import { line, t } from "../words";
import { arrived, fail, newItem } from "./add";
import { follow } from "./make";

interface Kept {
  version: 1;
  items: (Pick<Item, "id" | "upload" | "name" | "bytes" | "at" | "made"> & {
    edit: Edit | null;
    job: string | null;
    /** Why it was refused, where it was. */
    failed: string | null;
  })[];
  selected: string | null;
  scope: "one" | "all";
  output: Output;
}

const store = kept("batch", "sessionStorage");
const SAVE_MS = 150;

function save() {
  const content: Kept = {
    version: 1,
    items: items.peek().map(({ id, upload, name, bytes, at, made, edit, job, phase, error }) => ({
      ...{ id, upload, name, bytes, at, made, edit },
      job: job?.id ?? null,
      failed: phase === "failed" ? error : null,
    })),
    selected: selectedId.peek(),
    scope: scope.peek(),
    output: output.peek(),
  };
  store.set(JSON.stringify(content));
}

/** Keeps the batch from now on. */
function keep() {
  let isDue = false;
  effect(() => {
    void [items.value, selectedId.value, scope.value, output.value];
    if (isDue) return;
    isDue = true;
    setTimeout(() => {
      isDue = false;
      save();
    }, SAVE_MS);
  });
  addEventListener("pagehide", save);
}

function read(): Kept | null {
  try {
    const content: Kept = JSON.parse(store.get() ?? "");
    return content.version === 1 ? content : null;
  } catch {
    return null;
  }
}

/** Brings back what the tab had before it was reloaded, and keeps what it has from then on. */
export async function restore() {
  const content = read();
  // A copy of a tab begins anew: what one removes would be missing in the other.
  if ((await isCopy(unguessable())) || !content) return keep();
  const before = content.items.map(({ job: _, failed, ...item }) =>
    newItem({ ...item, phase: failed ? "failed" : "sending", error: failed }),
  );
  items.value = [...before, ...items.value];
  selectedId.value = content.selected;
  scope.value = content.scope;
  output.value = { ...DEFAULT_OUTPUT, ...content.output };
  keep();
  for (const { id, upload, edit, job, failed } of content.items) {
    if (failed) continue;
    try {
      arrived(id, await engine.recall(upload));
    } catch (error) {
      const isGone = error instanceof Refusal && error.gone;
      const gone = t(edit ? "error_gone" : "error_interrupted");
      fail(id, isGone ? gone : line(error));
      continue;
    }
    if (!job) continue;
    try {
      const found = await engine.look(job);
      patch(id, { job: found });
      if (!isEnded(found)) follow(id);
    } catch {
      patch(id, { job: null, made: null });
    }
  }
}
