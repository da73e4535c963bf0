/** The engine that is `undark serve`. All addresses are relative to the page's own. */

import {
  type About,
  type Engine,
  type Job,
  type JobOrder,
  type Models,
  type PreviewOrder,
  Refusal,
  type Source,
} from "../engine";
import { address, type Gate, refusal, request, send } from "./request";
import { Watcher } from "./watcher";

type Query = Record<string, string | number | undefined>;

function previewQuery({ look, maxPixels, at, part }: PreviewOrder): Query {
  const shown: Query = look
    ? { model: look.model, ...look.adjust, video_quality: look.videoQuality }
    : { before: "true" };
  return { ...shown, ...(part ?? { max_pixels: maxPixels }), at };
}

/** The engine; `gate` is called where the server asks for a token. */
export function server(gate: Gate): Engine {
  const json = async <T>(path: string, init: Parameters<typeof request>[2] = {}): Promise<T> =>
    (await request(gate, path, init)).json();
  const look = (id: string): Promise<Job | Refusal> =>
    json<Job>(`v1/jobs/${id}`).catch((error) =>
      error instanceof Refusal ? error : new Refusal("", 0),
    );
  const watcher = new Watcher({ look, events: (id) => address(`v1/jobs/${id}/events`) });

  /** Deletes what may be gone already. */
  const drop = (path: string) =>
    request(gate, path, { method: "DELETE", keepalive: true }).then(
      () => undefined,
      (error) => {
        if (!(error instanceof Refusal && error.gone)) throw error;
      },
    );

  return {
    about: () => json<About>("v1/about"),
    models: () => json<Models>("v1/models"),
    probe: async (file, id, progress, signal) =>
      JSON.parse(
        await send(gate, address(`v1/uploads/${id}`, { name: file.name }), file, progress, signal),
      ) as Source,
    recall: (id) => json<Source>(`v1/uploads/${id}`),
    forget: (id) => drop(`v1/uploads/${id}`),
    preview: async (id, order, signal) =>
      (
        await request(gate, `v1/uploads/${id}/preview`, { query: previewQuery(order), signal })
      ).blob(),
    enhance: ({ source, videoQuality, ...order }: JobOrder, signal) =>
      json<Job>("v1/jobs", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ upload: source, video_quality: videoQuality, ...order }),
        signal,
      }),
    look: (id) => json<Job>(`v1/jobs/${id}`),
    watch: (id, heard) => watcher.watch(id, heard),
    cancel: (id) => drop(`v1/jobs/${id}`),
    result: (id) => address(`v1/jobs/${id}/result`),
    archive: (ids) => `${address("v1/archive")}?${ids.map((id) => `job=${id}`).join("&")}`,
  };
}

/** Tells the server the token; a refusal where it is the wrong one. */
export async function enter(token: string): Promise<void> {
  const response = await fetch(address("v1/session"), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token }),
  });
  if (!response.ok) throw refusal(response.status, await response.text());
}
