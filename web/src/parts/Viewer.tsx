import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import {
  after,
  before,
  isBusy,
  parts,
  pieces,
  previewError,
  retryPreview,
  seenAs,
} from "../preview";
import { about, type Item } from "../state";
import { boxOf, moved, type Size, scaleOf, seen, split, type View, zoomed } from "../view";
import { number, t } from "../words";
import { Divider } from "./Divider";
import { useGestures } from "./gestures";
import { Icon } from "./Icon";

const FITTED: View = { scale: null, x: 0, y: 0 };
const SETTLED_MS = 120;
const ZOOM_STEP = 1.5;
const MOVE_STEP = 60;

/** The photo before and after, with the divider; it can be zoomed and moved. */
export function Viewer({ item }: { item: Item }) {
  const stage = useRef<HTMLDivElement>(null);
  const size = useSignal<Size>({ w: 0, h: 0 });
  const view = useSignal<View>(FITTED);
  const divider = useSignal(0.5);
  const source = item.source;
  const photo: Size = { w: source?.width ?? 1, h: source?.height ?? 1 };
  const photoSize = useSignal(photo);
  if (photoSize.value.w !== photo.w || photoSize.value.h !== photo.h) photoSize.value = photo;

  useEffect(() => {
    view.value = FITTED;
  }, [item.id]);

  useEffect(() => {
    const node = stage.current;
    if (!node) return;
    const observer = new ResizeObserver(() => {
      size.value = { w: node.clientWidth, h: node.clientHeight };
    });
    observer.observe(node);
    return () => observer.disconnect();
  }, [size]);

  // A photo that is seen whole needs no more pixels than the screen shows of it.
  useSignalEffect(() => {
    if (size.value.w === 0) return;
    const { width, height } = boxOf(view.value, size.value, photoSize.value);
    seenAs(width * devicePixelRatio, height * devicePixelRatio);
  });

  // What is seen larger than the preview has it is asked for at full size, once it stands still.
  useSignalEffect(() => {
    const [now, room, whole] = [view.value, size.value, photoSize.value];
    const most = about.value?.limits.preview_pixels ?? 1e6;
    const held = Math.sqrt(Math.min(1, most / (whole.w * whole.h)));
    const scale = scaleOf(now, room, whole);
    const isEnough = now.scale === null || held === 1 || scale <= held * 1.05;
    const timer = setTimeout(() => {
      parts.value = isEnough ? [] : split(seen(now, room, whole), most);
    }, SETTLED_MS);
    return () => clearTimeout(timer);
  });
  useEffect(
    () => () => {
      parts.value = [];
    },
    [],
  );

  const box = useComputed(() => boxOf(view.value, size.value, photoSize.value));
  const zoom = (
    to: { by: number } | { scale: number | null },
    point?: { x: number; y: number },
  ) => {
    view.value = zoomed(view.value, to, size.value, photoSize.value, point);
  };
  const move = (dx: number, dy: number) => {
    view.value = moved(view.value, dx, dy, size.value, photoSize.value);
  };
  /** The part of the stage that the photo covers, between which the divider moves. */
  const shown = useComputed(() => {
    const left = Math.max(0, box.value.left);
    const right = Math.min(size.value.w, box.value.left + box.value.width);
    return { left, width: Math.max(1, right - left) };
  });
  const divide = (x: number) => {
    divider.value = Math.min(1, Math.max(0, (x - shown.value.left) / shown.value.width));
  };
  useGestures(stage, {
    isZoomed: () => view.value.scale !== null,
    zoom,
    move,
    divide,
    doubled: (point) => zoom({ scale: view.value.scale === null ? 1 : null }, point),
  });

  const onKeyDown = (event: KeyboardEvent) => {
    // The divider takes its own keys first.
    if (event.target instanceof HTMLButtonElement) return;
    const acts: Record<string, () => void> = {
      "+": () => zoom({ by: ZOOM_STEP }),
      "=": () => zoom({ by: ZOOM_STEP }),
      "-": () => zoom({ by: 1 / ZOOM_STEP }),
      "0": () => zoom({ scale: null }),
      "1": () => zoom({ scale: 1 }),
      ArrowLeft: () => move(MOVE_STEP, 0),
      ArrowRight: () => move(-MOVE_STEP, 0),
      ArrowUp: () => move(0, MOVE_STEP),
      ArrowDown: () => move(0, -MOVE_STEP),
    };
    const act = acts[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  };

  const cut = shown.value.left + divider.value * shown.value.width;
  const scale = scaleOf(view.value, size.value, photo);
  const layer = (side: "before" | "after") => {
    const picture = side === "before" ? before.value : after.value;
    const { left, top, width, height } = box.value;
    return (
      <div
        class={`layer ${side}`}
        style={side === "before" ? { clipPath: `inset(0 ${size.value.w - cut}px 0 0)` } : {}}
      >
        <div
          class={`picture ${source?.alpha ? "checkered" : ""}`}
          style={{ left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` }}
        >
          {picture && <img src={picture.url} alt={`${t(side)}: ${item.name}`} draggable={false} />}
          {pieces.value
            .filter((piece) => piece.side === side)
            .map(({ url, part }) => (
              <img
                key={url}
                src={url}
                alt=""
                draggable={false}
                style={{
                  left: `${(100 * part.x) / photo.w}%`,
                  top: `${(100 * part.y) / photo.h}%`,
                  width: `${(100 * part.w) / photo.w}%`,
                  height: `${(100 * part.h) / photo.h}%`,
                }}
              />
            ))}
        </div>
      </div>
    );
  };

  return (
    <section class="viewer" aria-label={item.name} aria-busy={isBusy.value}>
      {/* biome-ignore lint/a11y/useSemanticElements: a group of what the keys move and zoom */}
      <div
        ref={stage}
        class={`stage ${view.value.scale === null ? "" : "zoomed"}`}
        role="group"
        aria-label={t("stage")}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: keys zoom and move it
        tabIndex={0}
        onKeyDown={onKeyDown}
      >
        {size.value.w > 0 && layer("after")}
        {size.value.w > 0 && layer("before")}
        {before.value && (
          <>
            <span class="side left" hidden={divider.value < 0.12} aria-hidden="true">
              {t("before")}
            </span>
            <span class="side right" hidden={divider.value > 0.88} aria-hidden="true">
              {t("after")}
            </span>
            <Divider at={divider} cut={cut} room={shown.value.width} />
          </>
        )}
        {isBusy.value && <output class="busy">{t("busy")}</output>}
        {previewError.value && (
          <div class="stage-error" role="alert">
            <Icon name="warn" />
            <span>
              {t("preview_failed")} {previewError.value}
            </span>
            <button type="button" onClick={retryPreview}>
              {t("retry")}
            </button>
          </div>
        )}
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: a toolbar is no form's group */}
      <div class="zoom" role="group" aria-label={t("zoom")}>
        <button
          type="button"
          aria-label={t("zoom_out")}
          onClick={() => zoom({ by: 1 / ZOOM_STEP })}
        >
          <Icon name="minus" />
        </button>
        <span class="percent">{number(Math.round(scale * 100))} %</span>
        <button type="button" aria-label={t("zoom_in")} onClick={() => zoom({ by: ZOOM_STEP })}>
          <Icon name="add" />
        </button>
        <button
          type="button"
          aria-pressed={view.value.scale === null}
          onClick={() => zoom({ scale: null })}
        >
          {t("fit")}
        </button>
        <button
          type="button"
          aria-pressed={view.value.scale === 1}
          onClick={() => zoom({ scale: 1 })}
        >
          {t("full_size")}
        </button>
      </div>
    </section>
  );
}
