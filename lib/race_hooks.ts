/**
 * Race hooks: what a race detector is told of a heap.
 *
 * @module
 */

import type { Pointer } from "./platform/platform.ts";

/**
 * What a tool that watches accesses to memory has to know of the heap: where a block begins its life, so that
 * what it knows of the addresses is out of date, and when finalizers, which are ordered with nothing else,
 * begin to run. The names are the seeds'.
 *
 * The functions are called in the middle of the heap's work: they may read and write memory, but not allocate.
 *
 * @example A detector that knows who wrote where, and forgets it when the memory is handed out anew
 * ```ts
 * import { FlagNoScan, GoHeap } from "@goheap/goheap";
 * import { assertEquals } from "@std/assert";
 *
 * const writers = new Map<number, string>();
 * using heap = new GoHeap({
 *   race: {
 *     racemalloc(p, bytes) {
 *       for (let at = p; at < p + bytes; at++) writers.delete(at);
 *     },
 *     racefingo() {},
 *   },
 * });
 * const p = heap.mallocgc(100, null, FlagNoScan);
 * writers.set(p, "worker 1");
 * heap.GC();
 * assertEquals(heap.mallocgc(100, null, FlagNoScan), p);
 * assertEquals(writers.size, 0);
 * ```
 */
export interface RaceHooks {
  /** A block of `bytes` was handed out at `p`; seeds' racemalloc. Parts of a tiny block are not told one by one. */
  racemalloc(p: Pointer, bytes: number): void;
  /** Finalizers that were queued together are about to run; seeds' racefingo. */
  racefingo(): void;
}
