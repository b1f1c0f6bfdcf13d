/**
 * Bad calls of observers.
 *
 * @module
 */

import { type BadCall, each, NOT_SIZES } from "./bad_call.ts";

/** Observers, by their options and by the lack of them. */
export const OBSERVERS: BadCall[] = [
  ...each(
    "observe",
    "everyMs",
    [...NOT_SIZES, 0, 2 ** 31],
    (heap, bad) => heap.observe({ everyMs: bad }),
  ),
  ...[undefined, null, {}, 8].map((options): BadCall => ({
    method: "observe",
    title: `observe with options ${options}`,
    call: (heap) => heap.observe(options as never),
    says: ["everyMs", "undefined"],
    throws: [RangeError],
  })),
];
