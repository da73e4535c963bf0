/** Light or dark: as the system has it, until the user says otherwise. */

import { computed, effect, signal } from "@preact/signals";
import { kept } from "./kept";

export type Theme = "light" | "dark";

const store = kept("theme");
const query = matchMedia("(prefers-color-scheme: dark)");
const system = signal<Theme>(query.matches ? "dark" : "light");
query.addEventListener("change", (event) => {
  system.value = event.matches ? "dark" : "light";
});

const first = store.get();
const chosen = signal<Theme | null>(first === "light" || first === "dark" ? first : null);

export const theme = computed<Theme>(() => chosen.value ?? system.value);

effect(() => {
  document.documentElement.dataset.theme = theme.value;
});

export function switchTheme() {
  chosen.value = theme.value === "dark" ? "light" : "dark";
  store.set(chosen.value);
}
