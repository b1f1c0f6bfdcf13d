/**
 * Bad options of a heap.
 *
 * @module
 */

import { GoHeap, type GoHeapOptions } from "../../mod.ts";
import { type BadCall, each, OPTIONS } from "./bad_call.ts";

const BAD_OPTIONS: Record<string, readonly unknown[]> = {
  platform: ["plan9/vax", "", "linux", 8, null, {}],
  compiler: ["tinygo", "", null, 8],
  collect: ["never", "", null, 8],
  markBudgetMicros: [NaN, 1.5, 0, -1, 2 ** 53, "1", null, {}],
  gcPercent: [NaN, 1.5, Infinity, 2 ** 31, -(2 ** 31) - 1, "100", null, {}],
  minHeapBytes: [NaN, 1.5, -1, 2 ** 53, Infinity, "1", null, {}],
  limitBytes: [NaN, 1.5, 0, -1, 2 ** 53, "1", null, {}],
  memProfileRate: [NaN, 1.5, -1, 2 ** 53, Infinity, "1", null, {}],
  recordTypes: [null, {}, "true", 1],
  debug: ["gctrace", "gctrace=", "gctrace=x", 8, null, {}],
  clock: [null, {}, "f", 8],
  trace: [null, {}, "f", 8],
  race: [null, {}, "f", 8],
  addressSpace: [null, {}, "x", 8],
};

/** The constructor's options, one at a time. */
export const CONSTRUCTOR: BadCall[] = Object.entries(BAD_OPTIONS).flatMap(([option, values]) =>
  each(
    "constructor",
    option,
    values,
    (_, bad) => new GoHeap({ ...OPTIONS, [option]: bad } as GoHeapOptions),
  )
);
