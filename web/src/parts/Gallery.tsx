import { useEffect, useRef } from "preact/hooks";
import { retrySending } from "../actions/add";
import { cancel, cancelAll, downloadAll, isMade, retryMaking } from "../actions/make";
import { remove } from "../actions/remove";
import { secondsLeft, standing } from "../progress";
import { type Item, isActive, items, selectedId } from "../state";
import { t, timeLeft } from "../words";
import { Icon } from "./Icon";

function statusOf(item: Item): string {
  if (item.phase === "failed") return item.error ?? t("failed");
  if (item.phase === "waiting") return t("waiting");
  if (item.phase === "sending") return t("sending", { percent: Math.round(item.sent * 100) });
  const job = item.job;
  if (item.error) return item.error;
  if (job?.status === "queued")
    return job.position ? t("place", { n: job.position }) : t("waiting");
  if (job?.status === "running") {
    const percent = Math.round(job.fraction * 100);
    return job.fps
      ? t("running_fps", { percent, fps: Math.round(job.fps) })
      : t("running", { percent });
  }
  if (job?.status === "cancelled") return t("cancelled");
  return isMade(item) ? t("done") : "";
}

const isFailed = (item: Item) => item.phase === "failed" || item.error !== null;

function Thumb({ item, isShown }: { item: Item; isShown: boolean }) {
  const node = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (isShown) node.current?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [isShown]);
  const status = statusOf(item);
  const fraction =
    item.phase === "sending" ? item.sent : isActive(item) ? (item.job?.fraction ?? 0) : null;
  const again = () => (item.phase === "failed" ? retrySending(item.id) : retryMaking(item.id));
  const canRetry = isFailed(item) && (item.phase !== "failed" || item.file !== null);
  const reach = isShown ? 0 : -1;
  return (
    <li ref={node} class={`thumb ${isFailed(item) ? "bad" : ""}`} aria-busy={fraction !== null}>
      <button
        type="button"
        class={`face ${item.source?.alpha ? "checkered" : ""}`}
        aria-label={`${t("select", { name: item.name })}${status ? `. ${status}` : ""}`}
        aria-current={isShown}
        title={`${item.name}${status ? ` – ${status}` : ""}`}
        tabIndex={reach}
        data-id={item.id}
        onClick={() => {
          selectedId.value = item.id;
        }}
      >
        {item.thumb ? <img src={item.thumb} alt="" draggable={false} /> : <span class="blank" />}
        {item.source?.kind === "video" && (
          <span class="badge film">
            <Icon name="film" />
          </span>
        )}
        {isMade(item) && (
          <span class="badge ok">
            <Icon name="check" />
          </span>
        )}
        {isFailed(item) && (
          <span class="badge warn">
            <Icon name="warn" />
          </span>
        )}
        {fraction !== null && (
          <span class="bar">
            <span style={{ width: `${Math.round(fraction * 100)}%` }} />
          </span>
        )}
      </button>
      <span class="name">{item.name}</span>
      <span class="status">{status}</span>
      <span class="acts">
        {isActive(item) && (
          <button
            type="button"
            tabIndex={reach}
            aria-label={`${t("cancel")}: ${item.name}`}
            title={t("cancel")}
            onClick={() => cancel([item.id])}
          >
            <Icon name="cancel" />
          </button>
        )}
        {canRetry && (
          <button
            type="button"
            tabIndex={reach}
            aria-label={`${t("retry")}: ${item.name}`}
            title={t("retry")}
            onClick={again}
          >
            <Icon name="retry" />
          </button>
        )}
        <button
          type="button"
          tabIndex={reach}
          aria-label={t("remove", { name: item.name })}
          title={t("remove_short")}
          onClick={() => remove([item.id])}
        >
          <Icon name="close" />
        </button>
      </span>
    </li>
  );
}

function Batch() {
  const now = standing.value;
  const left = secondsLeft.value;
  const count = items.value.filter((item) => item.phase !== "failed").length;
  return (
    <div class="batch">
      <span class="batch-text">
        {now
          ? `${t("progress", { n: now.done, total: now.total })}${left === null ? "" : ` · ${timeLeft(left)}`}`
          : t("at_hand", { n: items.value.length })}
      </span>
      {now && (
        <progress
          aria-label={t("progress", { n: now.done, total: now.total })}
          max={1}
          value={now.fraction}
        />
      )}
      <span class="grow" />
      {now && (
        <button type="button" onClick={cancelAll}>
          <Icon name="cancel" /> {t("cancel_all")}
        </button>
      )}
      {!now && (
        <button type="button" class="quiet" onClick={() => remove(items.value.map(({ id }) => id))}>
          {t("clear")}
        </button>
      )}
      {count > 1 && (
        <button type="button" onClick={() => void downloadAll()}>
          <Icon name="download" /> {t("download_all", { n: count })}
        </button>
      )}
    </div>
  );
}

/** All pictures of the batch, with how far each is. */
export function Gallery() {
  const list = useRef<HTMLUListElement>(null);
  const onKeyDown = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    if (!target.dataset.id) return;
    const all = items.value;
    const at = all.findIndex(({ id }) => id === target.dataset.id);
    const to: Record<string, number> = {
      ArrowLeft: at - 1,
      ArrowUp: at - 1,
      ArrowRight: at + 1,
      ArrowDown: at + 1,
      Home: 0,
      End: all.length - 1,
    };
    const focus = (id: string | undefined | null) =>
      requestAnimationFrame(() =>
        list.current?.querySelector<HTMLElement>(`[data-id="${id}"]`)?.focus(),
      );
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      remove([target.dataset.id]);
      focus(selectedId.value);
      return;
    }
    const next = all[to[event.key] ?? -1];
    if (!next) return;
    event.preventDefault();
    selectedId.value = next.id;
    focus(next.id);
  };
  return (
    <section class="gallery" aria-label={t("gallery")}>
      <Batch />
      <ul ref={list} class="strip" onKeyDown={onKeyDown}>
        {items.value.map((item) => (
          <Thumb key={item.id} item={item} isShown={item.id === selectedId.value} />
        ))}
      </ul>
    </section>
  );
}
