import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { chosen, dropped } from "../actions/files";
import { cancel, download, isMade } from "../actions/make";
import {
  announced,
  dismiss,
  type Item,
  isActive,
  items,
  notices,
  selected,
  startError,
} from "../state";
import { number, t, timeLeft } from "../words";
import { Empty, take } from "./Adding";
import { Controls } from "./Controls";
import { Details, Moment } from "./Details";
import { Gallery } from "./Gallery";
import { Header } from "./Header";
import { Histogram } from "./Histogram";
import { Icon } from "./Icon";
import { Output } from "./Output";
import { TokenForm } from "./TokenForm";
import { Viewer } from "./Viewer";

/** Files that are dropped or pasted anywhere on the page. */
function useDrops() {
  const isOver = useSignal(false);
  useEffect(() => {
    let depth = 0;
    const holdsFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const acts: Record<string, (event: DragEvent) => void> = {
      dragenter: () => {
        depth += 1;
        isOver.value = true;
      },
      dragleave: () => {
        depth = Math.max(0, depth - 1);
        isOver.value = depth > 0;
      },
      dragover: () => undefined,
      drop: (event) => {
        depth = 0;
        isOver.value = false;
        if (event.dataTransfer) void dropped(event.dataTransfer).then(take);
      },
    };
    const onDrag = (event: Event) => {
      if (!holdsFiles(event as DragEvent)) return;
      event.preventDefault();
      acts[event.type]?.(event as DragEvent);
    };
    const onPaste = (event: ClipboardEvent) => {
      const files = event.clipboardData?.files;
      if (files?.length) void chosen(files).then(take);
    };
    for (const name of Object.keys(acts)) addEventListener(name, onDrag);
    addEventListener("paste", onPaste);
    return () => {
      for (const name of Object.keys(acts)) removeEventListener(name, onDrag);
      removeEventListener("paste", onPaste);
    };
  }, [isOver]);
  return isOver;
}

function Download({ item }: { item: Item }) {
  const { job } = item;
  if (!isActive(item)) {
    return (
      <button
        type="button"
        class="primary large"
        disabled={item.phase !== "ready"}
        onClick={() => void download(item.id)}
      >
        <Icon name={isMade(item) ? "check" : "download"} /> {t("download")}
      </button>
    );
  }
  const left = job?.seconds_left;
  return (
    <div class="making">
      <progress aria-label={t("making")} max={1} value={job?.fraction ?? 0} />
      <span>
        {number(Math.round((job?.fraction ?? 0) * 100))} %{left != null && ` · ${timeLeft(left)}`}
      </span>
      <button type="button" onClick={() => cancel([item.id])}>
        <Icon name="cancel" /> {t("cancel")}
      </button>
    </div>
  );
}

function Notices() {
  return (
    <div class="notices" role="log" aria-live="polite" aria-label={t("notices")}>
      {notices.value.map(({ id, text, isError }) => (
        <div key={id} class={`toast ${isError ? "bad" : ""}`}>
          <span>{text}</span>
          <button type="button" aria-label={t("close")} onClick={() => dismiss(id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}

function Work({ item }: { item: Item | null }) {
  return (
    <main class="work">
      <div class="photo">
        {item?.source ? <Viewer item={item} /> : <Pending item={item} />}
        {item && <Moment item={item} />}
      </div>
      {item?.edit && (
        <aside aria-label={t("light")}>
          <Details item={item} />
          <Histogram />
          <Controls item={item} />
          <Output item={item} />
          <div class="final">
            <Download item={item} />
          </div>
        </aside>
      )}
      <Gallery />
    </main>
  );
}

/** A picture that is on its way, or that cannot be shown. */
function Pending({ item }: { item: Item | null }) {
  return (
    <div class="pending">
      {item && (
        <>
          <Icon name={item.error ? "warn" : "download"} />
          <p class="name">{item.name}</p>
          <p role={item.error ? "alert" : "status"}>
            {item.error ?? t("sending", { percent: Math.round(item.sent * 100) })}
          </p>
        </>
      )}
    </div>
  );
}

export function App() {
  const isOver = useDrops();
  const isEmpty = items.value.length === 0;
  return (
    <>
      <Header canAdd={!isEmpty} />
      {startError.value ? (
        <main class="empty">
          <p role="alert">
            {t("start_failed")} {startError.value}
          </p>
          <button type="button" onClick={() => location.reload()}>
            {t("retry")}
          </button>
        </main>
      ) : isEmpty ? (
        <Empty />
      ) : (
        <Work item={selected.value} />
      )}
      {isOver.value && <div class="drop-now">{t("drop_now")}</div>}
      <Notices />
      <p class="unseen" role="status">
        {announced.value}
      </p>
      <TokenForm />
    </>
  );
}
