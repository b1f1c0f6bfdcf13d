/**
 * Room for the next heap of a random test. A process has room for some 900 heaps, and V8 lets go of disposed
 * ones only when it collects, which it does not do within a turn of the event loop.
 *
 * @module
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const HEAPS_BETWEEN_COLLECTIONS = 300;

setFlagsFromString("--expose-gc");
const collectV8Garbage = runInNewContext("gc") as () => void;
let heaps = 0;

/** Lets V8 collect disposed heaps now and then. */
export async function makeRoom(): Promise<void> {
  if (++heaps % HEAPS_BETWEEN_COLLECTIONS !== 0) return;
  await new Promise((resolve) => setTimeout(resolve));
  collectV8Garbage();
}
