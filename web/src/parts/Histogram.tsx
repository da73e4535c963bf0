import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { BINS, type Levels, levels } from "../histogram";
import { after, before, type Picture } from "../preview";
import { theme } from "../theme";
import { t } from "../words";

const WIDTH = 2 * BINS;
const HEIGHT = 64;

function useLevels(picture: () => Picture | null) {
  const found = useSignal<Levels | null>(null);
  useSignalEffect(() => {
    const shown = picture();
    if (!shown) {
      found.value = null;
      return;
    }
    let isOutdated = false;
    levels(shown.blob).then(
      (counted) => {
        if (!isOutdated) found.value = counted;
      },
      () => undefined,
    );
    return () => {
      isOutdated = true;
    };
  });
  return found;
}

function trace(context: CanvasRenderingContext2D, bins: Float32Array, peak: number) {
  context.beginPath();
  context.moveTo(0, HEIGHT);
  bins.forEach((value, bin) => {
    // The root shows what is rare beside what is frequent.
    const y = HEIGHT - (HEIGHT - 2) * Math.sqrt(Math.min(1, value / peak));
    context.lineTo((bin / (BINS - 1)) * WIDTH, y);
  });
  context.lineTo(WIDTH, HEIGHT);
  context.closePath();
}

/** The levels of the result, in colours, and of the source as a line. */
export function Histogram() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const was = useLevels(() => before.value);
  const is = useLevels(() => after.value);
  const [old, now, isDark] = [was.value, is.value, theme.value === "dark"];

  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    context.clearRect(0, 0, WIDTH, HEIGHT);
    // The ends of the scale often hold much; the inner levels set the height.
    const inner = (bins: Float32Array) => Math.max(...bins.subarray(1, BINS - 1), 1);
    if (now) {
      const peak = Math.max(inner(now.red), inner(now.green), inner(now.blue));
      context.globalCompositeOperation = isDark ? "lighter" : "multiply";
      const colours = isDark
        ? ["#7a332d", "#2e6638", "#2d4d8f"]
        : ["#f5a79f", "#a5dcae", "#a9c3f7"];
      [now.red, now.green, now.blue].forEach((bins, index) => {
        context.fillStyle = colours[index] ?? "#888";
        trace(context, bins, peak);
        context.fill();
      });
      context.globalCompositeOperation = "source-over";
    }
    if (old) {
      context.strokeStyle = isDark ? "#ffffff99" : "#00000088";
      trace(context, old.luma, inner(old.luma));
      context.stroke();
    }
  }, [old, now, isDark]);

  const percent = (found: Levels | null) => (found ? Math.round(found.mean * 100) : "–");
  const text = t("histogram_text", { before: percent(old), after: percent(now) });
  return (
    <figure class="histogram">
      <canvas ref={canvas} width={WIDTH} height={HEIGHT} role="img" aria-label={t("histogram")} />
      <figcaption>{text}</figcaption>
    </figure>
  );
}
