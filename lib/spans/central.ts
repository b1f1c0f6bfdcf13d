/**
 * The central lists: for each size class, the spans that no thread's cache holds at the moment.
 *
 * ```
 *   nonempty   spans with free blocks. The cache takes them from the head.
 *   empty      spans without, and spans that a cache holds. Swept ones are at the tail.
 * ```
 *
 * After a collection neither list has been swept. A thread that needs a span sweeps as it looks for one:
 * first through nonempty, whose spans surely have room, then through empty, whose spans have some if the
 * collection freed any of their blocks. Only then is a new span cut from the page heap.
 *
 * @module
 */

import { Lock } from "../platform/lock.ts";
import type { FreeLists } from "./free_list.ts";
import type { PageHeap } from "./page_heap.ts";
import * as sizeClasses from "./size_classes.ts";
import * as spanRecord from "./span_record.ts";
import type { SpanTable } from "./span_table.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { emptyList, nonemptyList } = spanRecord;
const { CLASS_TO_PAGES } = sizeClasses;
const { BLOCKS, CLASS, FREE_BLOCKS, HEAP_SWEEPGEN, IN_CACHE, NEED_ZERO, NEXT, START, SWEEPGEN } =
  spanRecord;

/** What caches and the sweep want of the central lists; they differ by compiler. */
export type Central = Pick<CentralLists, "cacheSpan" | "uncacheSpan" | "freeSpan">;

/** The central lists of one heap. See the head of the module. */
export class CentralLists {
  readonly #spans: SpanTable;
  readonly #freeLists: FreeLists;
  readonly #pageHeap: PageHeap;
  readonly #lock = new Lock();

  constructor(spans: SpanTable, freeLists: FreeLists, pageHeap: PageHeap) {
    this.#spans = spans;
    this.#freeLists = freeLists;
    this.#pageHeap = pageHeap;
  }

  /** The lock of all lists. */
  get lock(): Lock {
    return this.#lock;
  }

  /**
   * Returns a span of class `cls` that has free blocks, for a cache to hold; -1 if there is no memory.
   * Seeds' MCentral_CacheSpan.
   */
  cacheSpan(cls: number): number {
    this.#lock.lock();
    let span: number;
    try {
      span = this.#findSpan(cls);
    } finally {
      this.#lock.unlock();
    }
    if (span < 0) {
      span = this.#carve(cls);
      if (span < 0) return -1;
    }
    const ints = this.#spans.ints;
    if (ints[span + FREE_BLOCKS] === 0) {
      this.#spans.corrupted(
        `MCentral_CacheSpan - no free block in span at page ${ints[span + START]}`,
      );
    }
    ints[span + IN_CACHE] = 1;
    return span;
  }

  /** Takes a span back from a cache. Seeds' MCentral_UncacheSpan. */
  uncacheSpan(span: number): void {
    const spans = this.#spans;
    const ints = spans.ints;
    this.#lock.lock();
    ints[span + IN_CACHE] = 0;
    if (ints[span + FREE_BLOCKS] > 0) {
      spans.remove(span);
      spans.insert(nonemptyList(ints[span + CLASS]), span);
    }
    this.#lock.unlock();
    if (ints[span + FREE_BLOCKS] === ints[span + BLOCKS]) {
      spans.corrupted(`refcount of cached span at page ${ints[span + START]} is 0`);
    }
  }

  /**
   * Takes note that sweeping freed blocks of a span, which had `freeBefore` free blocks until then; true if
   * the span, being all free, went back to the page heap. With `preserve` it is about to be cached and stays
   * where it is. Seeds' MCentral_FreeSpan.
   */
  freeSpan(span: number, freeBefore: number, preserve: boolean): boolean {
    const spans = this.#spans;
    const ints = spans.ints;
    const generation = spans.sweep[HEAP_SWEEPGEN];
    if (preserve) {
      ints[span + SWEEPGEN] = generation;
      return false;
    }
    this.#lock.lock();
    if (freeBefore === 0) {
      spans.remove(span);
      spans.insert(nonemptyList(ints[span + CLASS]), span);
    }
    // Only now may another thread take the span: it must not find it in the wrong list.
    ints[span + SWEEPGEN] = generation;
    const allFree = ints[span + FREE_BLOCKS] === ints[span + BLOCKS];
    if (allFree) spans.remove(span);
    this.#lock.unlock();
    if (!allFree) return false;

    ints[span + NEED_ZERO] = 1;
    const start = ints[span + START];
    const remains = this.#freeLists.remains(span);
    this.#pageHeap.free(span, false);
    this.#freeLists.leaveRemains(start, remains);
    return true;
  }

  /** Looks through both lists, sweeping; called and left with the lock held; -1 if no span has room. */
  #findSpan(cls: number): number {
    for (;;) {
      const withRoom = this.#findNonempty(cls);
      if (withRoom >= 0) return withRoom;
      const swept = this.sweepEmpty(cls, true);
      if (swept < 0) return -1;
      if (this.#spans.ints[swept + FREE_BLOCKS] > 0) return swept;
      // The lock was free while that span was swept: begin again.
    }
  }

  #findNonempty(cls: number): number {
    const spans = this.#spans;
    const ints = spans.ints;
    const generation = spans.sweep[HEAP_SWEEPGEN];
    const list = nonemptyList(cls);
    for (let span = ints[list + NEXT]; span !== list; span = ints[span + NEXT]) {
      const claimed = this.#pageHeap.claim(span, generation);
      if (!claimed && ints[span + SWEEPGEN] === generation - 1) continue;
      spans.remove(span);
      spans.insertBack(emptyList(cls), span);
      if (claimed) this.#sweepOrPutBack(span);
      return span;
    }
    return -1;
  }

  /**
   * Sweeps one span of the empty list and returns it, still a span of `cls` if it is preserved; -1 if there is none
   * left to sweep. Called and left with the lock held.
   */
  sweepEmpty(cls: number, preserve: boolean): number {
    const spans = this.#spans;
    const ints = spans.ints;
    const generation = spans.sweep[HEAP_SWEEPGEN];
    const list = emptyList(cls);
    for (let span = ints[list + NEXT]; span !== list; span = ints[span + NEXT]) {
      if (this.#pageHeap.claim(span, generation)) {
        spans.remove(span);
        // Swept spans are at the tail, so that the next search stops early.
        spans.insertBack(list, span);
        this.sweepUnlocked(span, preserve);
        return span;
      }
      if (ints[span + SWEEPGEN] !== generation - 1) break;
    }
    return -1;
  }

  /** Sweeps a span with free blocks, which is in the empty list; if that fails, it was not to be there. */
  #sweepOrPutBack(span: number): void {
    const spans = this.#spans;
    try {
      this.sweepUnlocked(span, true);
    } catch (error) {
      spans.remove(span);
      spans.insert(nonemptyList(spans.ints[span + CLASS]), span);
      throw error;
    }
  }

  /** Sweeps a claimed span without the lock, which is held before and after. */
  sweepUnlocked(span: number, preserve: boolean): void {
    this.#lock.unlock();
    try {
      this.#pageHeap.sweeper.sweepSpan(span, preserve);
    } finally {
      this.#lock.lock();
    }
  }

  /** Cuts a new span of class `cls` into blocks, all free. Seeds' MCentral_Grow. */
  #carve(cls: number): number {
    const span = this.#pageHeap.alloc(CLASS_TO_PAGES[cls], cls, true);
    if (span < 0) return -1;
    this.#freeLists.carve(span);
    this.#lock.lock();
    this.#spans.insertBack(emptyList(cls), span);
    this.#lock.unlock();
    return span;
  }
}
