import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { loadRecipe, saveRecipe } from "../actions/adjust";
import { commandLine, VIDEO_QUALITIES } from "../edit";
import type { Strip, VideoQuality } from "../engine";
import { about, type Item, modelNamed, notify, output } from "../state";
import { t } from "../words";

/** Where the clipboard is closed (a page without TLS), the older way is tried. */
async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const isDone = document.execCommand("copy");
    area.remove();
    return isDone;
  }
}

function Recipe({ item }: { item: Item }) {
  const chooser = useRef<HTMLInputElement>(null);
  const command = useSignal("");
  const copy = async () => {
    if (!about.value || !item.source || !item.edit) return;
    const model = modelNamed(item.edit.model);
    const text = commandLine(about.value, model, item.source, item.edit, output.value);
    command.value = "";
    if (await copied(text)) notify(t("command_copied"));
    else command.value = text;
  };
  return (
    <>
      <div class="row wrap">
        <button type="button" onClick={saveRecipe}>
          {t("save_recipe")}
        </button>
        <button type="button" onClick={() => chooser.current?.click()}>
          {t("load_recipe")}
        </button>
        <button type="button" onClick={() => void copy()}>
          {t("command")}
        </button>
      </div>
      <input
        ref={chooser}
        id="recipe-file"
        type="file"
        accept=".json,application/json"
        aria-label={t("load_recipe")}
        hidden
        onChange={(event) => {
          const [file] = event.currentTarget.files ?? [];
          if (file) void loadRecipe(file);
          event.currentTarget.value = "";
        }}
      />
      {command.value && (
        <p class="hint">
          {t("command_failed")} <code>{command.value}</code>
        </p>
      )}
    </>
  );
}

/** What the results are to be: format, quality, metadata; and the edit as a recipe. */
export function Output({ item }: { item: Item }) {
  const { format, quality, videoQuality, strip, record } = output.value;
  const set = (change: Partial<typeof output.value>) => {
    output.value = { ...output.value, ...change };
  };
  const formats = about.value?.formats.filter(({ writes }) => writes) ?? [];
  const written = formats.find(({ name }) => name === (format ?? item.source?.format));
  const isVideo = item.source?.kind === "video";
  return (
    <section class="card" aria-label={t("result")}>
      {isVideo && (
        <div class="field">
          <label for="video-quality">{t("quality")}</label>
          <select
            id="video-quality"
            value={videoQuality}
            aria-describedby="video-quality-hint"
            onChange={(event) => set({ videoQuality: event.currentTarget.value as VideoQuality })}
          >
            {VIDEO_QUALITIES.map((name) => (
              <option key={name} value={name}>
                {t(`quality_${name}`)}
              </option>
            ))}
          </select>
        </div>
      )}
      {isVideo && (
        <p class="hint" id="video-quality-hint">
          {t(`quality_${videoQuality}_hint`)}
        </p>
      )}
      {!isVideo && (
        <div class="field">
          <label for="format">{t("format")}</label>
          <select
            id="format"
            value={format ?? ""}
            onChange={(event) => set({ format: event.currentTarget.value || null })}
          >
            <option value="">{t("format_own")}</option>
            {formats.map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </div>
      )}
      {!isVideo && written?.quality && (
        <div class="field">
          <label for="quality">{t("quality")}</label>
          <input
            id="quality"
            type="number"
            min={1}
            max={100}
            step={1}
            placeholder={t("quality_own")}
            value={quality ?? ""}
            onChange={(event) => {
              const value = Math.round(event.currentTarget.valueAsNumber);
              set({ quality: value >= 1 && value <= 100 ? value : null });
            }}
          />
        </div>
      )}
      <div class="field">
        <label for="strip">{t("metadata")}</label>
        <select
          id="strip"
          value={strip ?? ""}
          onChange={(event) => set({ strip: (event.currentTarget.value || null) as Strip })}
        >
          <option value="">{t("metadata_keep")}</option>
          <option value="gps">{t("metadata_gps")}</option>
          <option value="all">{t("metadata_all")}</option>
        </select>
      </div>
      {!isVideo && (
        <label class="check">
          <input
            type="checkbox"
            checked={record}
            onChange={(event) => set({ record: event.currentTarget.checked })}
          />
          <span>{t("record")}</span>
        </label>
      )}
      <Recipe item={item} />
    </section>
  );
}
