/**
 * The pacer: when the next collection is due.
 *
 * After a collection, with everything that it found still counted as allocated,
 *
 *     next_gc = heap_alloc + heap_alloc * GOGC / 100
 *
 * and as sweeping finds garbage, every byte freed lowers next_gc by (GOGC + 100) / 100: once all is swept,
 * next_gc is what survived times (1 + GOGC / 100). `minHeapBytes` is a floor under it; the seeds have none,
 * so that their small programs collect every few hundred allocations.
 *
 * heap_alloc moves only when a thread's local count is added up, so a thread can allocate up to a span of
 * each class before anybody notices. The allocator therefore looks at the trigger only where it takes the
 * slow path, and everybody else who moves heap_alloc or next_gc calls {@linkcode Pacer.look}.
 *
 * A heap that has not been collected for two minutes is collected whatever its trigger says, which gives
 * finalizers a chance and free pages back. In Go the system monitor sees to that; here there is no timer that
 * would keep a process from sleeping, and nobody notices the time before the heap is used: by a safepoint, or every
 * so many slow paths of the allocator, since a look at the clock costs more than one of them.
 *
 * @module
 */

import * as statistics from "../arena/stats.ts";
import type { Cache } from "../spans/cache.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { HEAP_ALLOC, NEXT_GC } = statistics;

/** A bit of the cache's ATTENTION: a collection is due. */
export const GC_DUE = 1;

/** Seeds' forcegcperiod. */
const FORCED_AFTER_NS = 120e9;
/** Slow paths of the allocator between two looks at the clock. */
const LOOKS_BETWEEN_CLOCKS = 64;

/** `bytes * percent / 100`, truncated, where the product may be above 2^53. */
function percentOf(bytes: number, percent: number): number {
  if (bytes * percent <= Number.MAX_SAFE_INTEGER) return Math.floor((bytes * percent) / 100);
  const hundreds = Math.floor(bytes / 100);
  return hundreds * percent + Math.floor(((bytes - hundreds * 100) * percent) / 100);
}

/** The pacer of one heap. See the head of the module. */
export class Pacer {
  /** GOGC; -1 turns the collector off, for `GC()` too. */
  gcPercent: number;
  /** Bytes of the heap that are goroutine stacks, under gccgo's rules: they do not count as live. */
  stackBytes = 0;
  /** The trigger is never below this, in bytes. */
  readonly minHeapBytes: number;
  readonly #stats: Float64Array;
  readonly #cache: Cache;
  readonly #clock: () => number;
  #lastNs: number;
  #looks = 0;

  constructor(parts: {
    gcPercent: number;
    minHeapBytes: number;
    stats: Float64Array;
    cache: Cache;
    clock: () => number;
  }) {
    this.gcPercent = parts.gcPercent < 0 ? -1 : parts.gcPercent;
    this.minHeapBytes = parts.minHeapBytes;
    this.#stats = parts.stats;
    this.#cache = parts.cache;
    this.#clock = parts.clock;
    this.#lastNs = this.#clock();
  }

  /** The trigger as it is in force, in bytes. Go's is an unsigned word: what is below 0 is never reached. */
  get nextGC(): number {
    const nextGC = this.#stats[NEXT_GC];
    return Math.max(nextGC < 0 ? 2 ** 64 + nextGC : nextGC, this.minHeapBytes);
  }

  /** Whether a collection is due. */
  get isDue(): boolean {
    return this.#stats[HEAP_ALLOC] >= this.nextGC;
  }

  /** Whether two minutes went by without a collection. */
  isOverdue(nowNs: number): boolean {
    return nowNs - this.#lastNs > FORCED_AFTER_NS;
  }

  /** A collection ended now. */
  collected(nowNs: number): void {
    this.#lastNs = nowNs;
  }

  /** Has the next allocation ask for a collection if one is due. */
  look(): void {
    if (this.gcPercent < 0) return;
    const isTimeToLook = ++this.#looks % LOOKS_BETWEEN_CLOCKS === 0;
    if (this.isDue || (isTimeToLook && this.isOverdue(this.#clock()))) {
      this.#cache.attend(GC_DUE);
    }
  }

  /** Has allocations ask no more, until somebody looks again. */
  lookAway(): void {
    this.#cache.ignore(GC_DUE);
  }

  /** Sets the trigger after marking, when nothing is swept yet. */
  aim(): void {
    const heapAlloc = this.#stats[HEAP_ALLOC];
    this.#stats[NEXT_GC] = heapAlloc + percentOf(heapAlloc - this.stackBytes, this.gcPercent);
  }

  /** Lowers the trigger: sweeping found `bytes` of garbage. */
  swept(bytes: number): void {
    // GOGC is 100 mostly, and then no span costs a division.
    const isDouble = this.gcPercent === 100;
    this.#stats[NEXT_GC] -= isDouble ? 2 * bytes : percentOf(bytes, this.gcPercent + 100);
  }
}
