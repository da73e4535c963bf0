/** Changes of what is asked: of the shown picture, or of all of its kind. */

import { BadRecipe, CONTROL_NAMES, type Edit, firstEdit, readRecipe, recipeOf } from "../edit";
import type { ControlName, Recipe } from "../engine";
import { about, items, modelNamed, models, notify, output, scope, selected } from "../state";
import { t } from "../words";
import { saveText } from "./make";

/** Applies a change to the shown picture, or to all of the same kind. */
function change(act: (edit: Edit) => Edit, all = scope.value === "all") {
  const shown = selected.value;
  if (!shown) return;
  items.value = items.value.map((item) => {
    const isMeant = item.id === shown.id || (all && item.source?.kind === shown.source?.kind);
    return isMeant && item.edit ? { ...item, edit: act(item.edit) } : item;
  });
}

export const setModel = (model: string) => change((edit) => ({ ...edit, model }));

export const setControl = (name: ControlName, value: number) =>
  change((edit) => ({ ...edit, adjust: { ...edit.adjust, [name]: value } }));

export function reset() {
  const kind = selected.value?.source?.kind;
  if (!kind || !about.value || !models.value) return;
  const first = firstEdit(about.value, models.value, kind);
  change(() => first);
}

/** The shown picture's edit for all of its kind. */
export function useForAll() {
  const edit = selected.value?.edit;
  if (edit) change(() => edit, true);
}

export function saveRecipe() {
  const item = selected.value;
  const model = modelNamed(item?.edit?.model);
  if (!item?.edit || !model || !about.value) return;
  const recipe = recipeOf(about.value, model, item.edit, output.value);
  const stem = item.name.replace(/\.[^.]*$/, "");
  saveText(`${stem}.recipe.json`, `${JSON.stringify(recipe, null, 2)}\n`);
}

export function applyRecipe(content: Recipe | unknown) {
  if (!about.value || !models.value) return;
  try {
    const { edit, output: wanted } = readRecipe(about.value, models.value, content);
    const heeds = modelNamed(edit.model)?.controls ?? [];
    change((old) => ({
      model: edit.model,
      // What the model does not heed stays, for another model.
      adjust: Object.fromEntries(
        CONTROL_NAMES.map((name) => [
          name,
          heeds.includes(name) ? edit.adjust[name] : old.adjust[name],
        ]),
      ) as Edit["adjust"],
    }));
    output.value = { ...output.value, ...wanted };
    notify(t("recipe_loaded"));
  } catch (error) {
    if (!(error instanceof BadRecipe)) throw error;
    notify(t(error.word, { model: error.model }), true);
  }
}

export async function loadRecipe(file: File) {
  let content: unknown;
  try {
    content = JSON.parse(await file.text());
  } catch {
    content = null;
  }
  applyRecipe(content);
}
