/** Taking pictures out of the batch, and off the server. */

import { items, selectedId } from "../state";
import { engine } from "../undark";
import { stopSending } from "./add";
import { forgetJob } from "./make";

export function remove(ids: string[]) {
  const gone = new Set(ids);
  const before = items.value;
  items.value = before.filter((item) => !gone.has(item.id));
  for (const item of before.filter(({ id }) => gone.has(id))) {
    stopSending(item.id);
    forgetJob(item);
    if (item.thumb) URL.revokeObjectURL(item.thumb);
    if (item.source || item.phase === "sending") engine.forget(item.upload).catch(() => undefined);
  }
  if (selectedId.value && gone.has(selectedId.value)) {
    const at = before.findIndex((item) => item.id === selectedId.value);
    const rest = [...before.slice(at), ...before.slice(0, at).reverse()];
    selectedId.value = rest.find((item) => !gone.has(item.id))?.id ?? null;
  }
}
