/** What the page knows: signals, and the few ways to change them. */

import { computed, effect, signal } from "@preact/signals";
import { DEFAULT_OUTPUT, type Edit, type Output } from "./edit";
import { type About, isEnded, type Job, type Model, type Models, type Source } from "./engine";

export type Phase = "waiting" | "sending" | "ready" | "failed";

export interface Item {
  /** The page's own name for it. */
  id: string;
  /** Under which the engine has it. */
  upload: string;
  /** Not there after a reload. */
  file: File | null;
  name: string;
  bytes: number;
  phase: Phase;
  /** Of the file, 0 to 1. */
  sent: number;
  source: Source | null;
  /** Why it cannot be shown or made, in a line. */
  error: string | null;
  edit: Edit | null;
  /** The moment of a video that the preview shows, in seconds. */
  at: number;
  /** Address of a small picture. */
  thumb: string | null;
  job: Job | null;
  /** What the job was asked for, to tell whether it is what is wanted now. */
  made: string | null;
}

export interface Notice {
  id: number;
  text: string;
  isError: boolean;
}

export const about = signal<About | null>(null);
export const models = signal<Models | null>(null);
export const startError = signal<string | null>(null);
export const items = signal<Item[]>([]);
export const selectedId = signal<string | null>(null);
export const scope = signal<"one" | "all">("one");
export const output = signal<Output>(DEFAULT_OUTPUT);
export const notices = signal<Notice[]>([]);
/** Resolves the wait for a token; null while none is asked for. */
export const tokenWanted = signal<(() => void) | null>(null);

export const selected = computed(
  () => items.value.find((item) => item.id === selectedId.value) ?? null,
);

export const find = (id: string) => items.peek().find((item) => item.id === id);

/** What the engine says of itself, once it has; nothing that a user does before is lost. */
export function ready(): Promise<About> {
  return new Promise((resolve) => {
    const dispose = effect(() => {
      if (!about.value || !models.value) return;
      resolve(about.value);
      queueMicrotask(() => dispose());
    });
  });
}

export const modelNamed = (name: string | undefined): Model | undefined =>
  models.value?.models.find((model) => model.name === name);

export function patch(id: string, change: Partial<Item>) {
  items.value = items.peek().map((item) => (item.id === id ? { ...item, ...change } : item));
}

/** What only screen readers are told. */
export const announced = signal("");

export function announce(text: string) {
  announced.value = text;
}

let counter = 0;

const NOTICE_MS = 6000;
const ERROR_MS = 15_000;

export function notify(text: string, isError = false) {
  const id = ++counter;
  notices.value = [...notices.peek().slice(-3), { id, text, isError }];
  setTimeout(() => dismiss(id), isError ? ERROR_MS : NOTICE_MS);
}

export function dismiss(id: number) {
  notices.value = notices.peek().filter((notice) => notice.id !== id);
}

/** A name that nobody guesses; works on pages that came without TLS, too. */
export function unguessable(): string {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(random, (value) => value.toString(16).padStart(2, "0")).join("");
}

export const isActive = (item: Item) => item.job !== null && !isEnded(item.job);
