/** Results: jobs are ordered, followed, stopped, and their files downloaded. */

import { effect } from "@preact/signals";
import { asked, outputOf } from "../edit";
import { isEnded, type Job, type JobOrder, Refusal } from "../engine";
import {
  about,
  announce,
  find,
  type Item,
  isActive,
  items,
  modelNamed,
  notify,
  output,
  patch,
} from "../state";
import { engine } from "../undark";
import { aboutFile, line, t } from "../words";
import { lost } from "./add";

/** What is to be downloaded together, once all of it is made. */
let collected: Set<string> | null = null;
/** What is to be downloaded by itself. */
const single = new Set<string>();
const ordering = new Map<string, AbortController>();
const following = new Map<string, () => void>();

function orderOf(item: Item): JobOrder | null {
  if (!item.source || !item.edit || !about.value) return null;
  const { model } = item.edit;
  const wanted = outputOf(item.source, output.value);
  const adjust = asked(about.value, modelNamed(model), item.edit, item.source.kind, wanted);
  return { source: item.upload, model, adjust, ...wanted };
}

/** Whether the item's job makes, or made, what is wanted now. */
export function isCurrent(item: Item): boolean {
  return item.made !== null && item.made === JSON.stringify(orderOf(item));
}

export const isMade = (item: Item) => item.job?.status === "done" && isCurrent(item);

/** Sees to it that the item has a job for what is wanted now. */
async function make(id: string): Promise<void> {
  if (!(await arrival(id))) return unwant(id);
  const item = find(id);
  const order = item && orderOf(item);
  if (!item || !order || ordering.has(id)) return;
  if (isCurrent(item) && (isActive(item) || item.job?.status === "done")) return;
  const controller = new AbortController();
  forgetJob(item);
  ordering.set(id, controller);
  patch(id, { job: null, made: JSON.stringify(order), error: null });
  try {
    heard(id, await engine.enhance(order, controller.signal));
    follow(id);
  } catch (error) {
    if (!find(id)) return;
    patch(id, { made: null });
    if (controller.signal.aborted) return;
    if (error instanceof Refusal && error.gone && item.file) {
      lost(id);
      ordering.delete(id);
      return await make(id);
    }
    unwant(id);
    if (error instanceof Refusal && error.gone) lost(id);
    else failed(id, line(error));
  } finally {
    ordering.delete(id);
  }
}

/** Waits until the engine has the picture; false where it will not. */
function arrival(id: string): Promise<boolean> {
  return new Promise((resolve) => {
    const dispose = effect(() => {
      const item = items.value.find((one) => one.id === id);
      if (item && item.phase !== "ready" && item.phase !== "failed") return;
      resolve(item?.phase === "ready");
      queueMicrotask(() => dispose());
    });
  });
}

export function follow(id: string) {
  const job = find(id)?.job;
  if (!job || following.has(id)) return;
  const stop = engine.watch(job.id, (news) => {
    if (news instanceof Refusal) {
      stopFollowing(id);
      patch(id, { job: null, made: null });
      // The server was started anew: what it was to make is ordered again.
      if (news.gone && find(id)) return void make(id);
      unwant(id);
      failed(id, line(news));
    } else heard(id, news);
  });
  following.set(id, stop);
}

function stopFollowing(id: string) {
  following.get(id)?.();
  following.delete(id);
}

function heard(id: string, job: Job) {
  const before = find(id);
  if (!before) return;
  patch(id, { job });
  if (!isEnded(job)) return;
  stopFollowing(id);
  if (job.status === "failed") {
    unwant(id);
    failed(id, job.error?.detail || job.error?.title || t("failed"));
  } else if (job.status === "cancelled") unwant(id);
  else {
    announce(t("finished", { name: before.name }));
    if (single.delete(id)) save(engine.result(job.id));
  }
  saveCollected();
}

function failed(id: string, error: string) {
  const item = find(id);
  if (!item) return;
  patch(id, { error });
  notify(aboutFile(item.name, error), true);
}

function unwant(id: string) {
  single.delete(id);
  collected?.delete(id);
  saveCollected();
}

/** Downloads one result, made first where that is needed. */
export async function download(id: string) {
  const item = find(id);
  if (item?.job && isMade(item)) {
    try {
      await engine.look(item.job.id);
      save(engine.result(item.job.id));
      return;
    } catch (error) {
      if (!(error instanceof Refusal && error.gone)) return notify(line(error), true);
      patch(id, { job: null, made: null });
    }
  }
  single.add(id);
  await make(id);
}

/** Results that the server let go, for room or after a while, are to be made again. */
async function forgetLost(id: string) {
  const item = find(id);
  if (!item?.job || !isMade(item)) return;
  try {
    await engine.look(item.job.id);
  } catch (error) {
    if (error instanceof Refusal && error.gone) patch(id, { job: null, made: null });
  }
}

/** Downloads all results as one archive, made first where that is needed. */
export async function downloadAll() {
  const ready = items.value.filter((item) => item.phase !== "failed");
  const [only] = ready;
  if (ready.length === 1 && only) return download(only.id);
  collected = new Set(ready.map((item) => item.id));
  for (const { id } of ready) {
    await forgetLost(id);
    if (collected?.has(id)) await make(id);
  }
  saveCollected();
}

/** The archive, once nothing that belongs to it is on its way. */
function saveCollected() {
  if (!collected) return;
  const wanted = [...collected].map(find).filter((item) => item !== undefined);
  if (!wanted.every(isMade)) return;
  collected = null;
  const jobs = wanted.flatMap((item) => (item.job ? [item.job.id] : []));
  const [only] = jobs;
  if (jobs.length === 1 && only) save(engine.result(only));
  else if (jobs.length) save(engine.archive(jobs));
}

function save(address: string) {
  const link = document.createElement("a");
  link.href = address;
  link.download = "";
  link.click();
}

export function saveText(name: string, text: string) {
  const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Drops the item's job; a running one is stopped. */
export function forgetJob(item: Item) {
  ordering.get(item.id)?.abort();
  stopFollowing(item.id);
  if (item.job) engine.cancel(item.job.id).catch(() => undefined);
}

export function cancel(ids: string[]) {
  for (const id of ids) {
    const item = find(id);
    if (!item || !(isActive(item) || ordering.has(id))) continue;
    forgetJob(item);
    patch(id, { job: item.job && { ...item.job, status: "cancelled" }, made: null });
    single.delete(id);
    collected?.delete(id);
  }
  saveCollected();
}

export const cancelAll = () => {
  collected = null;
  cancel(items.value.map((item) => item.id));
};

export function retryMaking(id: string) {
  patch(id, { job: null, made: null, error: null });
  void download(id);
}
