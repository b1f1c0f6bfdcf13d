/**
 * Heaps whose collections go on only when a test says so, a few units of work at a time.
 *
 * @module
 */

import { assert } from "@std/assert";
import { partsOf } from "../../lib/go_heap.ts";
import type { GoHeapOptions } from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";

/** A collection that takes more slices than this never ends. */
const MOST_SLICES = 100_000;

/** A heap for which a collection is always due, and whose slices are over after `units` of work. */
export function heapInSlices(units = 1, options: GoHeapOptions = {}): GoHeap {
  let now = 0;
  const heap = new GoHeap({
    platform: "linux/amd64",
    minHeapBytes: 0,
    gcPercent: 0,
    markBudgetMicros: 1,
    // Each look at the clock finds that a millisecond has gone by.
    clock: () => now += 1e6,
    ...options,
  });
  const { collector } = partsOf(heap);
  collector.unitsBeforeLook = collector.unitsBetweenLooks = units;
  return heap;
}

/** Whether a collection has begun and is not over. */
export function isUnderWay(heap: GoHeap): boolean {
  return partsOf(heap).collector.isUnderWay;
}

/** Does one slice and checks everything that must hold while the program runs. */
export function slice(heap: GoHeap): void {
  const { world, checkMark } = partsOf(heap);
  heap.safepoint();
  heap.verify();
  if (world.isMarking) checkMark.checkInvariant();
}

/** Does slices until `phase` is reached. */
export function slicesUntil(heap: GoHeap, phase: number): void {
  const { world } = partsOf(heap);
  for (let i = 0; world.phase !== phase; i++) {
    assert(i < MOST_SLICES, `phase ${world.phase} after ${i} slices, ${phase} expected`);
    slice(heap);
  }
}

/** Does slices until the collection that is going on, or is due, is over; returns how many. */
export function finishSlices(heap: GoHeap): number {
  let slices = 0;
  do {
    slice(heap);
    slices++;
    assert(slices < MOST_SLICES, `the collection is not over after ${slices} slices`);
  } while (isUnderWay(heap));
  partsOf(heap).collector.finishSweep();
  heap.verify();
  return slices;
}
