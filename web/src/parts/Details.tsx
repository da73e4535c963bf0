import { applyRecipe } from "../actions/adjust";
import { type Item, patch } from "../state";
import { bytes, number, t } from "../words";

const clock = (seconds: number) => {
  const whole = Math.floor(seconds);
  const tenth = Math.floor((seconds - whole) * 10);
  const parts = [Math.floor(whole / 60), whole % 60].map((part) => String(part).padStart(2, "0"));
  return `${parts.join(":")}.${tenth}`;
};

/** What the picture is: size, depth, and what the engine noticed. */
export function Details({ item }: { item: Item }) {
  const { source } = item;
  if (!source) return null;
  const { width, height, record } = source;
  const mega = number((width * height) / 1e6, width * height < 1e7 ? 1 : 0);
  const facts = [
    t("pixels", { width: String(width), height: String(height), mega }),
    source.format,
    ...(source.kind === "photo" ? [t("bits", { n: source.bits })] : []),
    source.colours,
    ...(source.alpha ? [t("transparent")] : []),
    ...(source.seconds ? [clock(source.seconds)] : []),
    bytes(source.bytes),
  ];
  return (
    <section class="details" aria-label={t("details")}>
      <h2 title={item.name}>{item.name}</h2>
      <p>{facts.filter(Boolean).join(" · ")}</p>
      {[...new Set([...source.notices, ...(item.job?.notices ?? [])])].map((notice) => (
        <p key={notice} class="notice" lang="en">
          {notice}
        </p>
      ))}
      {record && (
        <p class="notice">
          {t("record_found", { model: record.model.name })}{" "}
          <button type="button" class="link" onClick={() => applyRecipe(record)}>
            {t("record_use")}
          </button>
        </p>
      )}
    </section>
  );
}

/** Which moment of a video the preview shows. */
export function Moment({ item }: { item: Item }) {
  const seconds = item.source?.seconds;
  if (!seconds) return null;
  return (
    <div class="moment">
      <label for="moment">{t("moment")}</label>
      <input
        id="moment"
        type="range"
        min={0}
        max={Math.max(0, seconds - 0.05)}
        step={0.05}
        value={item.at}
        aria-valuetext={clock(item.at)}
        style={{ "--from": "0%", "--to": `${(100 * item.at) / seconds}%` }}
        onInput={(event) => patch(item.id, { at: event.currentTarget.valueAsNumber })}
      />
      <span class="value">{clock(item.at)}</span>
    </div>
  );
}
