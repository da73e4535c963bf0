/** Requests to the server: its problems become refusals, a wait that it asks for is kept. */

import { Refusal } from "../engine";

const WAIT_MS = 2000;
const MOST_WAIT_MS = 30_000;

/** Asks the user for a token; resolves once the server knows one. */
export type Gate = () => Promise<void>;

export function address(path: string, query: Record<string, string | number | undefined> = {}) {
  const url = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url.href;
}

/** A problem (RFC 9457) as a refusal; of another body, the status. */
export function refusal(status: number, body: string): Refusal {
  try {
    const problem = JSON.parse(body);
    const line = problem.detail || problem.title;
    if (typeof line === "string" && line) return new Refusal(line, status);
  } catch {
    // A proxy's page, or nothing.
  }
  return new Refusal("", status);
}

export function pause(ms: number, signal?: AbortSignal | null): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

export function retryAfter(seconds: string | null): number {
  const asked = Number.parseFloat(seconds ?? "") * 1000;
  return Number.isFinite(asked) ? Math.min(Math.max(asked, 100), MOST_WAIT_MS) : WAIT_MS;
}

/** A response that is not an error. 401 asks for the token, 429 waits; both then try again. */
export async function request(
  gate: Gate,
  path: string,
  init: RequestInit & { query?: Record<string, string | number | undefined> } = {},
): Promise<Response> {
  const { query, ...options } = init;
  for (;;) {
    let response: Response;
    try {
      response = await fetch(address(path, query), { credentials: "same-origin", ...options });
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw new Refusal("", 0);
    }
    if (response.ok) return response;
    if (response.status === 401) {
      await gate();
    } else if (response.status === 429) {
      await pause(retryAfter(response.headers.get("Retry-After")), options.signal);
    } else {
      throw refusal(response.status, await response.text());
    }
  }
}

/** Like `request`, for a body whose sending is to be seen, which `fetch` does not tell. */
export async function send(
  gate: Gate,
  url: string,
  body: Blob,
  progress: (fraction: number) => void,
  signal: AbortSignal,
): Promise<string> {
  for (;;) {
    const sent = await sendOnce(url, body, progress, signal);
    if (sent.status >= 200 && sent.status < 300) return sent.responseText;
    if (sent.status === 401) await gate();
    else if (sent.status === 429) {
      progress(0);
      await pause(retryAfter(sent.getResponseHeader("Retry-After")), signal);
    } else throw refusal(sent.status, sent.responseText);
  }
}

function sendOnce(
  url: string,
  body: Blob,
  progress: (fraction: number) => void,
  signal: AbortSignal,
): Promise<XMLHttpRequest> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const sending = new XMLHttpRequest();
    const stop = () => sending.abort();
    sending.open("PUT", url);
    sending.setRequestHeader("Content-Type", "application/octet-stream");
    sending.upload.onprogress = (event) => {
      if (event.lengthComputable) progress(event.loaded / event.total);
    };
    sending.onload = () => resolve(sending);
    sending.onerror = () => reject(new Refusal("", 0));
    sending.onabort = () => reject(signal.reason);
    sending.onloadend = () => signal.removeEventListener("abort", stop);
    signal.addEventListener("abort", stop, { once: true });
    sending.send(body);
  });
}
