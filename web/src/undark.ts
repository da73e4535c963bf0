/** The engine that the page runs on. */

import { server } from "./server";
import { tokenWanted } from "./state";

let waiting: Promise<void> | null = null;

/** All requests that were refused wait for the same form. */
function gate(): Promise<void> {
  waiting ??= new Promise<void>((resolve) => {
    tokenWanted.value = resolve;
  }).finally(() => {
    waiting = null;
    tokenWanted.value = null;
  });
  return waiting;
}

export const engine = server(gate);
