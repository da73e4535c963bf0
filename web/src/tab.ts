/** Whether this tab is a copy of another: a browser that duplicates a tab copies what it keeps. */

import { kept } from "./kept";

const ANSWER_MS = 200;

const channel = new BroadcastChannel("undark");
const mark = kept("tab", "sessionStorage");

/** Resolves to true where another tab that is open bears this one's mark; then it gets a new one. */
export async function isCopy(fresh: string): Promise<boolean> {
  const old = mark.get();
  const taken = old !== null && (await isTaken(old));
  const own = old === null || taken ? fresh : old;
  mark.set(own);
  channel.addEventListener("message", ({ data }) => {
    if (data?.asked === own) channel.postMessage({ taken: own });
  });
  return taken;
}

function isTaken(name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const hear = ({ data }: MessageEvent) => {
      if (data?.taken === name) end(true);
    };
    const timer = setTimeout(() => end(false), ANSWER_MS);
    const end = (answer: boolean) => {
      clearTimeout(timer);
      channel.removeEventListener("message", hear);
      resolve(answer);
    };
    channel.addEventListener("message", hear);
    channel.postMessage({ asked: name });
  });
}
