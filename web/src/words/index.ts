/** All words of the page, in the user's language. */

import { computed, signal } from "@preact/signals";
import { Refusal } from "../engine";
import { kept } from "../kept";
import de from "./de.json";
import en from "./en.json";
import zh from "./zh.json";

type Entry = keyof typeof en;
type Plural = "_one" | "_other";
/** A key; of one that comes by number, what stands before `_one` and `_other`. */
export type Word = Entry extends infer K ? (K extends `${infer Stem}${Plural}` ? Stem : K) : never;

const TABLES: Record<string, Record<Entry, string>> = { en, de, zh };
export const LANGUAGES = { en: "English", de: "Deutsch", zh: "中文" };
export type Language = keyof typeof LANGUAGES;

const isLanguage = (name: string | undefined | null): name is Language =>
  !!name && name in LANGUAGES;

function preferred(): Language {
  const names = [kept("language").get(), ...navigator.languages].map((name) => name?.split("-")[0]);
  return names.find(isLanguage) ?? "en";
}

export const language = signal<Language>(preferred());

export function speak(name: string) {
  if (!isLanguage(name)) return;
  language.value = name;
  kept("language").set(name);
}

const plural = computed(() => new Intl.PluralRules(language.value));

/** The words of a key, its places filled in; a number `n` chooses between singular and plural. */
export function t(word: Word, values: Record<string, string | number> = {}): string {
  const table = TABLES[language.value] as Record<string, string>;
  const kind = plural.value.select(Number(values.n ?? 0)) === "one" ? "one" : "other";
  const text = table[word] ?? table[`${word}_${kind}`] ?? word;
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name] ?? "";
    return typeof value === "number" ? number(value) : value;
  });
}

export function number(value: number, digits = 0): string {
  return value.toLocaleString(language.value, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

export function bytes(count: number): string {
  const [size, unit] =
    count >= 1e9
      ? [count / 1e9, "gigabyte"]
      : count >= 1e6
        ? [count / 1e6, "megabyte"]
        : [count / 1e3, "kilobyte"];
  return size.toLocaleString(language.value, {
    style: "unit",
    unit,
    maximumFractionDigits: size < 10 ? 1 : 0,
  });
}

export function timeLeft(seconds: number): string {
  if (seconds < 90) return t("seconds_left", { n: Math.max(1, Math.round(seconds)) });
  if (seconds < 5400) return t("minutes_left", { n: Math.round(seconds / 60) });
  return t("hours_left", { n: Math.round(seconds / 3600) });
}

/** A line that says which file it is about. */
export const aboutFile = (name: string, text: string) =>
  text.startsWith(`${name}:`) ? text : t("file_failed", { name, line: text });

/** An error as a line for the user. */
export function line(error: unknown): string {
  if (!(error instanceof Refusal)) return String(error instanceof Error ? error.message : error);
  if (error.message) return error.message;
  if (error.status === 0) return t("error_offline");
  return error.gone ? t("error_gone") : t("error_status", { status: error.status });
}
