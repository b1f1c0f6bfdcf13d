/**
 * The page heap: hands out runs of pages as spans, and joins them again when they come back.
 *
 * Free spans are kept by length, 1 to 127 pages, and in one more list for all that are longer. A request
 * takes the span freed last among those of the smallest length that is enough, or, of the long ones, the
 * shortest, the one with the lowest address among equals. What is not needed of it is cut off at the end
 * and stays free. A span that comes back is joined with its free neighbours at once:
 *
 * ```
 *   │ in use │ free 3 │ coming back 2 │ free 7 │ in use │
 *   │ in use │             free 12             │ in use │     so two free spans are never neighbours
 * ```
 *
 * When nothing is long enough the heap grows, by at least 1 MiB. Before any pages are taken while a
 * collection is still being swept, as many are swept free as are asked for, so that the heap does not grow
 * as long as there is garbage to be found.
 *
 * What depends on time, the scavenger, is looked at here now and then; see scavenger.ts. With efence a large
 * object's pages are fenced when it is freed: overwritten, in no list, never handed out again.
 *
 * Conservation: HEAP_INUSE + HEAP_IDLE = HEAP_SYS, and all spans together are as long as the used arena.
 *
 * @module
 */

import * as arenaTables from "../arena/arena.ts";
import type { Arena } from "../arena/arena.ts";
import * as statistics from "../arena/stats.ts";
import { Lock } from "../platform/lock.ts";
import * as platforms from "../platform/platform.ts";
import * as counting from "./bits.ts";
import type { FreeLists } from "./free_list.ts";
import * as sizeClasses from "./size_classes.ts";
import * as spanRecord from "./span_record.ts";
import type { SpanTable } from "./span_table.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { lowestBit } = counting;
const { busyList, freeList } = spanRecord;
const { INFO_CLASS_SHIFT, NO_OBJECT } = arenaTables;
const { HEAP_ALLOC, HEAP_IDLE, HEAP_INUSE, HEAP_OBJECTS, HEAP_RELEASED, HEAP_SYS, TINY_ALLOCS } =
  statistics;
const { PAGE_BYTES } = platforms;
const { CLASS_TO_BLOCKS, CLASS_TO_SIZE } = sizeClasses;
const {
  BLOCKS,
  CHAIN_BLOCKS,
  CLASS,
  COMPRESSION,
  FENCED,
  FREE,
  FREE_BLOCKS,
  HEAP_SWEEPGEN,
  IN_CACHE,
  IN_USE,
  MAX_LIST_PAGES,
  NEED_ZERO,
  NEWEST_SPECIAL,
  NEXT,
  NO_SCAN,
  PAGES,
  PAGES_RELEASED,
  POISON,
  SPECIALS,
  START,
  STATE,
  SWEEP_DONE,
  SWEEPGEN,
  TYPES_EMPTY,
} = spanRecord;

/** What the floor above lends to the page heap and the central lists: sweeping. */
export interface Sweeper {
  /** Sweeps a span that this thread has claimed; true if the span went back to the page heap. */
  sweepSpan(span: number, preserve: boolean): boolean;
  /** Sweeps the next span in global order; returns the pages it gave back, -1 if all is swept. */
  sweepOne(): number;
}

/** The part of a thread's cache that the page heap adds up whenever pages change hands. */
export interface LocalCounts {
  /** Bytes allocated less bytes freed since this was last asked. */
  takeCacheAlloc(): number;
  /** Objects put into tiny blocks since this was last asked. */
  takeTinyAllocs(): number;
}

/** What the page heap is lent for what depends on time: a clock, and what looks at it. */
export interface Timekeeper {
  /** The time on the heap's clock, in ns. */
  now(): number;
  /** Called with the time whenever somebody has looked at the clock, with no lock held. */
  passed(nowNs: number): void;
}

/** The clock is looked at when so many spans have been handed out. */
const SPANS_A_LOOK = 64;

const GROWTH_PAGES = (1 << 20) / PAGE_BYTES;
const GROWTH_ROUND_PAGES = (64 << 10) / PAGE_BYTES;

/** The page heap of one heap. See the head of the module. */
export class PageHeap {
  /** Set when the heap is put together; see {@linkcode Sweeper}. */
  sweeper!: Sweeper;
  /** The calling thread's cache, set when the heap is put together. */
  local!: LocalCounts;
  /** Set when the heap is put together; see {@linkcode Timekeeper}. */
  time!: Timekeeper;
  /** The heap's clock as it stood when it was last looked at: the age of free spans. */
  nowNs = 0;
  /** Whether the pages of a freed object are fenced; see the head of the module. */
  isFenced = false;
  /** The heap grows by multiples of so many pages. */
  growthRoundPages: number = GROWTH_ROUND_PAGES;
  readonly lock: Lock = new Lock();
  /** A bit a length below MAX_LIST_PAGES: 0 if there surely is no free span of that length. */
  readonly #listed = new Int32Array(new SharedArrayBuffer(MAX_LIST_PAGES / 8));
  readonly #arena: Arena;
  readonly #spans: SpanTable;
  readonly #freeLists: FreeLists;
  readonly #stats: Float64Array;
  #spansToLook = SPANS_A_LOOK;

  constructor(arena: Arena, spans: SpanTable, freeLists: FreeLists, stats: Float64Array) {
    this.#arena = arena;
    this.#spans = spans;
    this.#freeLists = freeLists;
    this.#stats = stats;
  }

  /**
   * Returns a span of `pages` pages for class `cls` (0: a large object), cleared if `zero`; -1 if there is
   * no memory. Seeds' MHeap_Alloc.
   */
  alloc(pages: number, cls: number, zero: boolean): number {
    this.lock.lock();
    let span = -1;
    try {
      if (this.#spans.sweep[SWEEP_DONE] === 0) this.#reclaim(pages);
      this.#addUpLocal();
      span = this.#allocSpan(pages);
      if (span < 0) return -1;
      this.#freeLists.settleRemains(this.#spans.ints[span + START], pages, zero);
      this.#putInUse(span, cls);
      if (cls === 0) {
        this.#stats[HEAP_OBJECTS]++;
        this.#stats[HEAP_ALLOC] += pages * PAGE_BYTES;
        this.#spans.insertBack(busyList(pages), span);
      }
    } finally {
      this.lock.unlock();
    }
    const ints = this.#spans.ints;
    if (zero && ints[span + NEED_ZERO] !== 0) {
      const p = this.#arena.pageAddress(ints[span + START]);
      this.#arena.memoryAt(p).clear(p, pages * PAGE_BYTES);
    }
    ints[span + NEED_ZERO] = 0;
    if (--this.#spansToLook === 0) {
      this.#spansToLook = SPANS_A_LOOK;
      this.tick(this.time.now());
    }
    return span;
  }

  /** Takes note of the time on the heap's clock, and does what is due by then. */
  tick(nowNs: number): void {
    this.nowNs = nowNs;
    this.time.passed(nowNs);
  }

  /** Takes a span back; a large object is booked as freed here. Seeds' MHeap_Free. */
  free(span: number, isLarge: boolean): void {
    this.lock.lock();
    try {
      this.#checkFree(span);
      this.#addUpLocal();
      if (isLarge) {
        this.#stats[HEAP_ALLOC] -= this.#spans.ints[span + PAGES] * PAGE_BYTES;
        this.#stats[HEAP_OBJECTS]--;
      }
      this.#stats[HEAP_INUSE] -= this.#spans.ints[span + PAGES] * PAGE_BYTES;
      this.#forgetObjects(span);
      if (isLarge && this.isFenced) this.#fence(span);
      else this.#freeSpan(span);
    } finally {
      this.lock.unlock();
    }
  }

  /**
   * Gives the memory of free spans that were not used for longer than `limitNs` back to the host; returns
   * the bytes released. Seeds' MHeap_Scavenge.
   */
  scavenge(limitNs: number): number {
    this.lock.lock();
    try {
      let pages = 0;
      for (let length = 1; length <= MAX_LIST_PAGES; length++) {
        pages += this.#scavengeList(freeList(length), limitNs);
      }
      this.#stats[HEAP_RELEASED] += pages * PAGE_BYTES;
      return pages * PAGE_BYTES;
    } finally {
      this.lock.unlock();
    }
  }

  #checkFree(span: number): void {
    const ints = this.#spans.ints;
    const inUse = ints[span + CLASS] === 0 ? 0 : ints[span + BLOCKS] - ints[span + FREE_BLOCKS];
    const generation = this.#spans.sweep[HEAP_SWEEPGEN];
    if (ints[span + STATE] === IN_USE && inUse === 0 && ints[span + SWEEPGEN] === generation) {
      return;
    }
    this.#spans.corrupted(
      `MHeap_FreeSpanLocked - invalid free of span at page ${ints[span + START]}: state ` +
        `${ints[span + STATE]}, ${inUse} blocks in use, sweepgen ${
          ints[span + SWEEPGEN]
        }/${generation}`,
    );
  }

  #forgetObjects(span: number): void {
    const { ints } = this.#spans;
    const { pageInfo } = this.#arena;
    const end = ints[span + START] + ints[span + PAGES];
    for (let page = ints[span + START]; page < end; page++) pageInfo[page] = NO_OBJECT;
  }

  /** Puts up the fence around a span that no object is in any more. */
  #fence(span: number): void {
    const ints = this.#spans.ints;
    const first = this.#arena.pageAddress(ints[span + START]);
    const bytes = ints[span + PAGES] * PAGE_BYTES;
    this.#spans.remove(span);
    ints[span + STATE] = FENCED;
    this.#stats[HEAP_IDLE] += bytes;
    this.#arena.viewAt(first, bytes).fill(POISON);
  }

  #scavengeList(list: number, limitNs: number): number {
    const ints = this.#spans.ints;
    let pages = 0;
    for (let span = ints[list + NEXT]; span !== list; span = ints[span + NEXT]) {
      const released = ints[span + PAGES_RELEASED];
      if (
        this.nowNs - this.#spans.unusedSince(span) <= limitNs || released === ints[span + PAGES]
      ) continue;
      pages += ints[span + PAGES] - released;
      ints[span + PAGES_RELEASED] = ints[span + PAGES];
      this.#arena.unused(ints[span + START], ints[span + PAGES]);
    }
    return pages;
  }

  #addUpLocal(): void {
    this.#stats[HEAP_ALLOC] += this.local.takeCacheAlloc();
    this.#stats[TINY_ALLOCS] += this.local.takeTinyAllocs();
  }

  #putInUse(span: number, cls: number): void {
    const ints = this.#spans.ints;
    const pages = ints[span + PAGES];
    ints[span + SWEEPGEN] = this.#spans.sweep[HEAP_SWEEPGEN];
    ints[span + STATE] = IN_USE;
    ints[span + CLASS] = cls;
    ints[span + BLOCKS] = CLASS_TO_BLOCKS[cls];
    ints[span + FREE_BLOCKS] = 0;
    ints[span + CHAIN_BLOCKS] = 0;
    ints[span + IN_CACHE] = 0;
    ints[span + SPECIALS] = 0;
    ints[span + NEWEST_SPECIAL] = 0;
    ints[span + NO_SCAN] = 0;
    ints[span + COMPRESSION] = TYPES_EMPTY;
    const bytes = cls === 0 ? pages * PAGE_BYTES : CLASS_TO_BLOCKS[cls] * CLASS_TO_SIZE[cls];
    this.#spans.setLimitBytes(span, bytes);

    const { pageSpan, pageInfo } = this.#arena;
    const start = ints[span + START];
    const info = cls << INFO_CLASS_SHIFT;
    for (let i = 0; i < pages; i++) {
      pageSpan[start + i] = span;
      pageInfo[start + i] = info | i;
    }
  }

  /** Takes exactly `pages` pages out of the free lists, growing the heap if it must; -1 if it cannot. */
  #allocSpan(pages: number): number {
    let span = this.#findFree(pages);
    if (span < 0) {
      if (!this.#grow(pages)) return -1;
      // Not only among the long ones: the heap may have grown by less than it likes to.
      span = this.#findFree(pages);
      if (span < 0) {
        this.#spans.corrupted(`MHeap_AllocLocked - no span of ${pages} pages after growing`);
      }
    }
    const spans = this.#spans;
    // Before anything is taken apart: the rest of a span that is too long needs a record of its own.
    if (spans.ints[span + PAGES] > pages) spans.reserve();
    const ints = spans.ints;
    spans.remove(span);
    if (ints[span + PAGES_RELEASED] > 0) {
      this.#stats[HEAP_RELEASED] -= ints[span + PAGES_RELEASED] * PAGE_BYTES;
      ints[span + PAGES_RELEASED] = 0;
    }
    if (ints[span + PAGES] > pages) this.#trim(span, pages);
    this.#stats[HEAP_INUSE] += pages * PAGE_BYTES;
    this.#stats[HEAP_IDLE] -= pages * PAGE_BYTES;
    spans.setUnusedSince(span, 0);
    return span;
  }

  /** Cuts a span that is being taken down to its first `pages` pages; the rest becomes free again. */
  #trim(span: number, pages: number): void {
    const spans = this.#spans;
    const start = spans.ints[span + START];
    const rest = spans.alloc(start + pages, spans.ints[span + PAGES] - pages);
    const ints = spans.ints;
    ints[span + PAGES] = pages;
    ints[rest + NEED_ZERO] = ints[span + NEED_ZERO];
    this.#arena.pageSpan[start + pages - 1] = span;
    // Free spans are never neighbours, so there is nothing to join it with.
    spans.setUnusedSince(rest, spans.unusedSince(span));
    this.#list(rest);
  }

  #findFree(pages: number): number {
    const length = this.#shortestListed(pages);
    return length < MAX_LIST_PAGES
      ? this.#spans.ints[freeList(length) + NEXT]
      : this.#findBestFit(pages);
  }

  /** The length of the shortest free spans of `pages` pages or more, at most MAX_LIST_PAGES. */
  #shortestListed(pages: number): number {
    if (pages >= MAX_LIST_PAGES) return MAX_LIST_PAGES;
    const { ints } = this.#spans;
    let word = pages >> 5;
    let bits = this.#listed[word] & (-1 << (pages & 31));
    for (;;) {
      for (; bits !== 0; bits &= bits - 1) {
        const length = (word << 5) + lowestBit(bits);
        const list = freeList(length);
        if (ints[list + NEXT] !== list) return length;
        // The list ran empty since the bit was set.
        this.#listed[word] &= ~(1 << (length & 31));
      }
      if (++word === this.#listed.length) return MAX_LIST_PAGES;
      bits = this.#listed[word];
    }
  }

  #findBestFit(pages: number): number {
    const ints = this.#spans.ints;
    const list = freeList(MAX_LIST_PAGES);
    let best = -1;
    for (let span = ints[list + NEXT]; span !== list; span = ints[span + NEXT]) {
      if (ints[span + PAGES] < pages) continue;
      const closer = best < 0 || ints[span + PAGES] < ints[best + PAGES] ||
        (ints[span + PAGES] === ints[best + PAGES] && ints[span + START] < ints[best + START]);
      if (closer) best = span;
    }
    return best;
  }

  #grow(pages: number): boolean {
    const needed = Math.ceil(pages / this.growthRoundPages) * this.growthRoundPages;
    let taken = Math.max(needed, GROWTH_PAGES);
    // Pages that no record describes would be lost.
    this.#spans.reserve();
    let first = this.#arena.sysAlloc(taken);
    if (first < 0 && taken > needed) {
      taken = needed;
      first = this.#arena.sysAlloc(taken);
    }
    if (first < 0) return false;
    const span = this.#spans.alloc(first, taken);
    this.#arena.pageInfo.fill(NO_OBJECT, first, first + taken);
    this.#freeSpan(span);
    return true;
  }

  /** The message for a request of `pages` pages that could not be served. */
  outOfMemory(pages: number): string {
    const bytes = Math.ceil(pages / this.growthRoundPages) * this.growthRoundPages * PAGE_BYTES;
    const { refusal } = this.#arena;
    return `${refusal === "" ? "" : `${refusal}: `}runtime: out of memory: cannot allocate ` +
      `${bytes}-byte block (${this.#stats[HEAP_SYS]} in use)`;
  }

  /** Makes a span that is in no list free, joins it with its neighbours and puts it in its list. */
  #freeSpan(span: number): void {
    const spans = this.#spans;
    const ints = spans.ints;
    const { pageSpan } = this.#arena;
    let start = ints[span + START];
    let pages = ints[span + PAGES];
    if (ints[span + STATE] === IN_USE && ints[span + NEXT] !== 0) spans.remove(span);
    this.#stats[HEAP_IDLE] += pages * PAGE_BYTES;

    const before = start > 0 ? pageSpan[start - 1] : 0;
    if (before !== 0 && ints[before + STATE] === FREE) {
      start = ints[before + START];
      pages += ints[before + PAGES];
      this.#absorb(span, before);
    }
    const end = start + pages;
    const after = end < this.#arena.usedPages ? pageSpan[end] : 0;
    if (after !== 0 && ints[after + STATE] === FREE) {
      pages += ints[after + PAGES];
      this.#absorb(span, after);
    }
    ints[span + START] = start;
    ints[span + PAGES] = pages;
    spans.setUnusedSince(span, this.nowNs);
    this.#list(span);
  }

  /** Makes a span free that has its final length, and puts it in its list. */
  #list(span: number): void {
    const { ints } = this.#spans;
    const { pageSpan } = this.#arena;
    const start = ints[span + START];
    const pages = ints[span + PAGES];
    ints[span + STATE] = FREE;
    pageSpan[start] = span;
    pageSpan[start + pages - 1] = span;
    this.#spans.insert(freeList(pages), span);
    if (pages < MAX_LIST_PAGES) this.#listed[pages >> 5] |= 1 << (pages & 31);
  }

  #absorb(span: number, neighbour: number): void {
    const ints = this.#spans.ints;
    ints[span + PAGES_RELEASED] += ints[neighbour + PAGES_RELEASED];
    ints[span + NEED_ZERO] |= ints[neighbour + NEED_ZERO];
    this.#spans.remove(neighbour);
    this.#spans.free(neighbour);
  }

  /** Sweeps until `pages` pages came back, as far as there are any; called and left with the lock held. */
  #reclaim(pages: number): void {
    const spans = this.#spans;
    for (let length = pages; length < MAX_LIST_PAGES; length++) {
      if (spans.isEmpty(busyList(length))) continue;
      if (this.#reclaimList(busyList(length), pages) > 0) return;
    }
    if (this.#reclaimList(busyList(MAX_LIST_PAGES), pages) > 0) return;

    let reclaimed = 0;
    for (let length = 1; length < pages && length < MAX_LIST_PAGES; length++) {
      if (spans.isEmpty(busyList(length))) continue;
      reclaimed += this.#reclaimList(busyList(length), pages - reclaimed);
      if (reclaimed >= pages) return;
    }

    this.lock.unlock();
    try {
      while (reclaimed < pages) {
        const swept = this.sweeper.sweepOne();
        if (swept < 0) break;
        reclaimed += swept;
      }
    } finally {
      this.lock.lock();
    }
  }

  /**
   * Sweeps the large objects of one list, from the head, until `pages` of them came back, or one is found
   * that is swept already: the swept ones are at the tail. Counts spans where it is asked for pages, as the
   * seeds do.
   */
  #reclaimList(list: number, pages: number): number {
    const generation = this.#spans.sweep[HEAP_SWEEPGEN];
    let returned = 0;
    for (let span = this.#spans.ints[list + NEXT]; span !== list;) {
      const ints = this.#spans.ints;
      if (this.claim(span, generation)) {
        this.#spans.remove(span);
        this.#spans.insertBack(list, span);
        this.lock.unlock();
        try {
          if (this.sweeper.sweepSpan(span, false)) returned++;
        } finally {
          this.lock.lock();
        }
        if (returned >= pages) return returned;
        span = this.#spans.ints[list + NEXT];
      } else if (ints[span + SWEEPGEN] === generation - 1) {
        span = ints[span + NEXT];
      } else {
        break;
      }
    }
    return returned;
  }

  /** Claims a span that has to be swept in this generation; only one thread gets it. */
  claim(span: number, generation: number): boolean {
    const ints = this.#spans.ints;
    if (ints[span + SWEEPGEN] !== generation - 2) return false;
    if (this.lock.isShared) {
      return Atomics.compareExchange(ints, span + SWEEPGEN, generation - 2, generation - 1) ===
        generation - 2;
    }
    ints[span + SWEEPGEN] = generation - 1;
    return true;
  }
}
