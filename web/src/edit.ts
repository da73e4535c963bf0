/** What is asked of a picture and of its result: pure values, as recipe and as command line. */

import type {
  About,
  Adjust,
  ControlName,
  Kind,
  Model,
  Models,
  Recipe,
  Source,
  Strip,
  VideoQuality,
} from "./engine";

export interface Edit {
  model: string;
  adjust: Adjust;
}

export interface Output {
  /** Name of a format; null for the source's own. */
  format: string | null;
  quality: number | null;
  /** How much is done to each frame of a video. */
  videoQuality: VideoQuality;
  strip: Strip;
  record: boolean;
}

/** The order in which controls are shown. */
export const CONTROL_NAMES: ControlName[] = ["exposure", "local", "strength", "denoise"];

export const VIDEO_QUALITIES: VideoQuality[] = ["fast", "balanced", "best"];

export const DEFAULT_OUTPUT: Output = {
  format: null,
  quality: null,
  videoQuality: "balanced",
  strip: null,
  record: true,
};

const SCHEMA = 1;

export function firstEdit(about: About, models: Models, kind: Kind): Edit {
  const adjust = Object.fromEntries(
    CONTROL_NAMES.map((name) => [name, about.controls[name].neutral]),
  ) as Adjust;
  return { model: kind === "video" ? models.default_video : models.default, adjust };
}

/** The controls that may be asked of a model for a photo or video; a fast video is not cleaned. */
export function controlsOf(
  model: Model | undefined,
  kind: Kind,
  { videoQuality }: Output,
): ControlName[] {
  return CONTROL_NAMES.filter((name) =>
    kind === "video" && name === "denoise"
      ? videoQuality !== "fast"
      : model?.controls.includes(name),
  );
}

/** The values that differ from the neutral ones and that the model heeds. */
export function asked(
  about: About,
  model: Model | undefined,
  edit: Edit,
  kind: Kind,
  output: Output,
): Partial<Adjust> {
  return Object.fromEntries(
    controlsOf(model, kind, output)
      .filter((name) => edit.adjust[name] !== about.controls[name].neutral)
      .map((name) => [name, edit.adjust[name]]),
  );
}

/** What of the output applies to a picture; videos keep their own format and carry no record. */
export function outputOf(source: Source, output: Output): Output {
  return source.kind === "video"
    ? { ...output, format: null, quality: null, record: true }
    : { ...output, videoQuality: "balanced" };
}

export function recipeOf(about: About, model: Model, edit: Edit, output: Output): Recipe {
  const kept = controlsOf(model, "photo", output);
  const adjust = Object.fromEntries(
    CONTROL_NAMES.map((name) => [
      name,
      kept.includes(name) ? edit.adjust[name] : about.controls[name].neutral,
    ]),
  ) as Adjust;
  return {
    schema: SCHEMA,
    undark: about.version,
    model: { name: model.name, sha256: model.sha256 },
    adjust,
    runtime: "",
    precision: "",
    quality: output.quality,
    strip: output.strip,
    source: "",
  };
}

/** What is wrong with a recipe, as a key of the words. */
export class BadRecipe extends Error {
  constructor(
    readonly word: "recipe_bad" | "recipe_schema" | "recipe_model" | "recipe_weights",
    readonly model = "",
  ) {
    super(word);
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The edit and the output of a recipe; what it leaves out is neutral. */
export function readRecipe(
  about: About,
  models: Models,
  content: unknown,
): { edit: Edit; output: Pick<Output, "quality" | "strip"> } {
  if (!isObject(content) || !isObject(content.model)) throw new BadRecipe("recipe_bad");
  if (content.schema !== SCHEMA) throw new BadRecipe("recipe_schema");
  const name = content.model.name;
  const model = models.models.find((item) => item.name === name);
  if (!model) throw new BadRecipe("recipe_model", String(name));
  const sha256 = content.model.sha256;
  if (sha256 && model.sha256 && String(sha256).toLowerCase() !== model.sha256.toLowerCase()) {
    throw new BadRecipe("recipe_weights", model.name);
  }
  const given = content.adjust ?? {};
  if (!isObject(given)) throw new BadRecipe("recipe_bad");
  const adjust = Object.fromEntries(
    CONTROL_NAMES.map((control) => {
      const { neutral: usual, low, high } = about.controls[control];
      const value = given[control] ?? usual;
      if (typeof value !== "number" || !(value >= low && value <= high)) {
        throw new BadRecipe("recipe_bad");
      }
      return [control, value];
    }),
  ) as Adjust;
  const quality = content.quality ?? null;
  const strip = content.strip ?? null;
  const isQuality =
    quality === null ||
    (Number.isInteger(quality) && Number(quality) >= 1 && Number(quality) <= 100);
  if (!isQuality || !(strip === null || strip === "gps" || strip === "all")) {
    throw new BadRecipe("recipe_bad");
  }
  return {
    edit: { model: model.name, adjust },
    output: { quality: quality as number | null, strip },
  };
}

/** A word as a POSIX shell takes it. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;
}

/** The same edit by the command line. */
export function commandLine(
  about: About,
  model: Model | undefined,
  source: Source,
  edit: Edit,
  output: Output,
): string {
  const { format, quality, videoQuality, strip, record } = outputOf(source, output);
  // A name that starts with a dash would be read as an option.
  const name = source.name.startsWith("-") ? `./${source.name}` : source.name;
  const words = ["undark", "enhance", name, "-m", edit.model];
  for (const [control, value] of Object.entries(asked(about, model, edit, source.kind, output))) {
    words.push(`--${control}`, String(value));
  }
  if (format) words.push("--format", format.toLowerCase());
  if (quality !== null) words.push("--quality", String(quality));
  if (videoQuality !== "balanced") words.push("--quality", videoQuality);
  if (strip) words.push(`--strip=${strip}`);
  if (!record) words.push("--no-record");
  return words.map(quoted).join(" ");
}
