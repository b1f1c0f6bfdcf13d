/**
 * The central lists under gccgo's rules.
 *
 * What differs from spans/central.ts is the search for a span. A span that is swept on the way is treated as any
 * other: with no block left in use it goes back to the page heap, even if the search was for just such a span,
 * and the search begins again. A span is taken from the *front* of nonempty, where whatever was swept last stands:
 *
 * ```
 *   nonempty   │ swept just now │ swept │ to be swept │ ...        found: the first that is swept
 *   empty      │ to be swept │ ... │ swept │                       swept ones at the tail
 * ```
 *
 * So after a collection a program that goes on allocating objects of one size may get other spans than gc's, and
 * pages that died come back to the page heap sooner. Giving a span back is the same for both compilers.
 *
 * @module
 */

import { PAGE_BYTES } from "../platform/platform.ts";
import { type Central, CentralLists } from "../spans/central.ts";
import type { FreeLists } from "../spans/free_list.ts";
import type { PageHeap } from "../spans/page_heap.ts";
import * as sizeClasses from "../spans/size_classes.ts";
import * as spanRecord from "../spans/span_record.ts";
import { emptyList, nonemptyList } from "../spans/span_record.ts";
import type { SpanTable } from "../spans/span_table.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { CLASS_TO_PAGES } = sizeClasses;
const { FREE_BLOCKS, HEAP_SWEEPGEN, IN_CACHE, NEXT, START, SWEEPGEN } = spanRecord;

/** gccgo's heap grows by multiples of 128 KiB, where gc's grows by multiples of 64. */
const GROWTH_PAGES = (128 << 10) / PAGE_BYTES;

/** The search has to begin again: the lock was free for a while. */
const RETRY = -2;

/** The central lists of a heap that follows gccgo. See the head of the module. */
export class GccgoCentralLists implements Central {
  readonly #spans: SpanTable;
  readonly #freeLists: FreeLists;
  readonly #pageHeap: PageHeap;
  readonly #lists: CentralLists;

  /** `lists` does what both compilers do alike, and has the lock. */
  constructor(spans: SpanTable, freeLists: FreeLists, pageHeap: PageHeap, lists: CentralLists) {
    this.#spans = spans;
    this.#freeLists = freeLists;
    this.#pageHeap = pageHeap;
    this.#lists = lists;
  }

  /** As {@linkcode CentralLists.cacheSpan}, by gccgo's order; seeds' MCentral_CacheSpan. */
  cacheSpan(cls: number): number {
    const { lock } = this.#lists;
    lock.lock();
    try {
      let span = this.#findSpan(cls);
      while (span < 0) {
        if (!this.#grow(cls)) return -1;
        span = this.#findSpan(cls);
      }
      const { ints } = this.#spans;
      if (ints[span + FREE_BLOCKS] === 0) {
        this.#spans.corrupted(`empty span: no free block in span at page ${ints[span + START]}`);
      }
      this.#spans.remove(span);
      this.#spans.insertBack(emptyList(cls), span);
      ints[span + IN_CACHE] = 1;
      return span;
    } finally {
      lock.unlock();
    }
  }

  /** As {@linkcode CentralLists.uncacheSpan}. */
  uncacheSpan(span: number): void {
    this.#lists.uncacheSpan(span);
  }

  /** As {@linkcode CentralLists.freeSpan}, and a span is never preserved. */
  freeSpan(span: number, freeBefore: number): boolean {
    return this.#lists.freeSpan(span, freeBefore, false);
  }

  /** The first swept span with room; -1 if there is none. Called and left with the lock held. */
  #findSpan(cls: number): number {
    // Each round sweeps a span, so there are as many rounds as spans at most.
    for (;;) {
      const found = this.#searchNonempty(cls);
      if (found === RETRY) continue;
      if (found >= 0 || this.#lists.sweepEmpty(cls, false) < 0) return found;
    }
  }

  /** The first swept span of nonempty; RETRY if one had to be swept first, -1 if there is none. */
  #searchNonempty(cls: number): number {
    const { ints, sweep } = this.#spans;
    const generation = sweep[HEAP_SWEEPGEN];
    const list = nonemptyList(cls);
    for (let span = ints[list + NEXT]; span !== list; span = ints[span + NEXT]) {
      if (this.#pageHeap.claim(span, generation)) {
        this.#lists.sweepUnlocked(span, false);
        return RETRY;
      }
      if (ints[span + SWEEPGEN] !== generation - 1) return span;
    }
    return -1;
  }

  /** Cuts a new span into blocks and puts it at the front of nonempty; seeds' MCentral_Grow. */
  #grow(cls: number): boolean {
    const { lock } = this.#lists;
    lock.unlock();
    let span: number;
    try {
      span = this.#pageHeap.alloc(CLASS_TO_PAGES[cls], cls, true);
      if (span >= 0) this.#freeLists.carve(span);
    } finally {
      lock.lock();
    }
    if (span < 0) return false;
    this.#spans.insert(nonemptyList(cls), span);
    return true;
  }
}

/** The central lists of a heap that follows `compiler`, and the growth that goes with them. */
export function centralLists(
  compiler: "gc" | "gccgo",
  spans: SpanTable,
  freeLists: FreeLists,
  pageHeap: PageHeap,
): Central {
  const lists = new CentralLists(spans, freeLists, pageHeap);
  if (compiler === "gc") return lists;
  pageHeap.growthRoundPages = GROWTH_PAGES;
  return new GccgoCentralLists(spans, freeLists, pageHeap, lists);
}
