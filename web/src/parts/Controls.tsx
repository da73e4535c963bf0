import { reset, setControl, setModel, useForAll } from "../actions/adjust";
import { controlsOf } from "../edit";
import type { ControlName } from "../engine";
import { about, type Item, items, modelNamed, models, output, scope } from "../state";
import { number, t, type Word } from "../words";
import { Icon } from "./Icon";

const STEP = { exposure: 0.05, local: 0.01, strength: 0.01, denoise: 0.01 };

function shownValue(name: ControlName, value: number): string {
  if (name !== "exposure") return `${number(value * 100)} %`;
  return `${value > 0 ? "+" : value < 0 ? "−" : ""}${number(Math.abs(value), 2)} EV`;
}

function Slider({ item, name }: { item: Item; name: ControlName }) {
  const control = about.value?.controls[name];
  const kind = item.source?.kind ?? "photo";
  if (!control || !item.edit || !about.value) return null;
  const value = item.edit.adjust[name];
  const usual = control.neutral;
  const label = t(`control_${name}` as Word);
  const hint = t(
    name === "denoise" && kind === "video"
      ? "control_denoise_video"
      : (`control_${name}_hint` as Word),
  );
  const share = (100 * (value - control.low)) / (control.high - control.low);
  const zero = (100 * (usual - control.low)) / (control.high - control.low);
  const [from, to] = [Math.min(share, zero), Math.max(share, zero)];
  return (
    <div class="control">
      <div class="control-head">
        <label for={`control-${name}`}>{label}</label>
        <button
          type="button"
          class="quiet small"
          aria-label={t("reset_control", { name: label })}
          disabled={value === usual}
          onClick={() => setControl(name, usual)}
        >
          <Icon name="reset" />
        </button>
        <span class="value">{shownValue(name, value)}</span>
      </div>
      <input
        id={`control-${name}`}
        type="range"
        min={control.low}
        max={control.high}
        step={STEP[name]}
        value={value}
        title={hint}
        aria-description={hint}
        aria-valuetext={shownValue(name, value)}
        style={{
          "--from": `${name === "exposure" ? from : 0}%`,
          "--to": `${name === "exposure" ? to : share}%`,
        }}
        onInput={(event) => setControl(name, event.currentTarget.valueAsNumber)}
        onDblClick={() => setControl(name, usual)}
      />
    </div>
  );
}

function Scope() {
  const choices = [
    ["one", t("this_photo")],
    ["all", t("all_photos")],
  ] as const;
  return (
    <fieldset class="scope">
      <legend>{t("scope")}</legend>
      <div class="segments">
        {choices.map(([value, label]) => (
          <label key={value}>
            <input
              type="radio"
              name="scope"
              checked={scope.value === value}
              onChange={() => {
                scope.value = value;
              }}
            />
            <span>{label}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** Model and sliders of the shown picture. */
export function Controls({ item }: { item: Item }) {
  const kind = item.source?.kind ?? "photo";
  const model = modelNamed(item.edit?.model);
  const offered = models.value?.models ?? [];
  const controls = controlsOf(model, kind, output.value);
  return (
    <section class="card" aria-label={t("light")}>
      {items.value.length > 1 && <Scope />}
      <div class="field">
        <label for="model">{t("model")}</label>
        <select
          id="model"
          value={item.edit?.model}
          aria-describedby="model-summary"
          onChange={(event) => setModel(event.currentTarget.value)}
        >
          {offered.map(({ name }) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </div>
      <p class="hint" id="model-summary" lang="en">
        {model?.summary}
      </p>
      {controls.map((name) => (
        <Slider key={name} item={item} name={name} />
      ))}
      {kind === "video" && controls.includes("denoise") && (
        <p class="hint">{t("control_denoise_video")}</p>
      )}
      <div class="row">
        <button type="button" class="quiet" onClick={reset}>
          <Icon name="reset" /> {t("reset")}
        </button>
        {items.value.length > 1 && scope.value === "one" && (
          <button type="button" class="quiet" onClick={useForAll}>
            {t("apply_all")}
          </button>
        )}
      </div>
    </section>
  );
}
