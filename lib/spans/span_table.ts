/**
 * Span records and the lists they are in.
 *
 * A span is a run of pages: cut into blocks of one size class, holding one large object, or free. Its
 * record is 32 int32 (128 bytes) in one shared table. A record is named by the offset of its first
 * field, its *handle*, so that a field is one addition away: `ints[span + START]`.
 *
 * ```
 *   +0  NEXT ─┐ the list it is in       +10 FREE_BLOCKS  on its free list
 *   +1  PREV ─┘                         +11 CHAIN_HEAD   block number + 1, see free_list.ts
 *   +2  START     page number           +12 CHAIN_BLOCKS
 *   +3  PAGES                           +13 SPECIALS     first special record, see gc/specials.ts
 *   +4  STATE     in use, stack, free   +14 PAGES_RELEASED
 *   +5  CLASS     0: one large object   +15 FRESH        its free blocks were never used
 *   +6  BLOCKS                          +16 NO_SCAN      a large object without pointers
 *   +7  SWEEPGEN                        +18 UNUSED_SINCE (float64, ns)
 *   +8  IN_CACHE                        +20 LIMIT_BYTES  (float64, usable bytes from the start on)
 *   +9  NEED_ZERO                       the rest is spare
 * ```
 *
 * The first records are not spans but the heads of all lists there are, so that a span unlinks itself
 * without asking which list it is in:
 *
 * ```
 *   0            the empty span: what a cache holds when it holds none; always empty, never a block free
 *   1 - 127      free spans of so many pages         128  free spans of 128 pages and more
 *   129 - 255    large objects of 1 - 127 pages      256  large objects of 128 pages and more
 *   257 - 323    central lists, with free blocks     324 - 390  central lists, without, by class
 *   391 ...      spans, in the order in which they were made; this is the order of sweeping
 * ```
 *
 * @module
 */

import { GrowingInts } from "../arena/bitmap.ts";
import { FixAlloc } from "../arena/fix_alloc.ts";
import type { PersistentMemory } from "../arena/persistent.ts";
import { MSPAN_SYS } from "../arena/stats.ts";
import { PAGE_BYTES, type Platform } from "../platform/platform.ts";
import { NUM_SIZE_CLASSES } from "./size_classes.ts";

export const NEXT = 0;
export const PREV = 1;
export const START = 2;
export const PAGES = 3;
export const STATE = 4;
export const CLASS = 5;
export const BLOCKS = 6;
export const SWEEPGEN = 7;
export const IN_CACHE = 8;
export const NEED_ZERO = 9;
export const FREE_BLOCKS = 10;
export const CHAIN_HEAD = 11;
export const CHAIN_BLOCKS = 12;
export const SPECIALS = 13;
export const PAGES_RELEASED = 14;
export const FRESH = 15;
export const NO_SCAN = 16;
/** Offsets of the float64 fields, in int32 units like the others; see {@linkcode SpanTable.floats}. */
const UNUSED_SINCE = 18;
const LIMIT_BYTES = 20;

const RECORD_SHIFT = 5;
const RECORD_INTS = 1 << RECORD_SHIFT;
/** What Go's own record takes, which is what statistics count. */
const GO_RECORD_BYTES = 104;

/** States of a span. */
export const IN_USE = 0;
export const STACK = 1;
export const FREE = 2;
export const DEAD = 4;

/** Lists of free and of large spans go by page count up to this; the last takes all that are longer. */
export const MAX_LIST_PAGES = 128;

/** The dummy span that a cache holds in place of none. */
export const EMPTY_SPAN = 0;
const FIRST_BUSY = MAX_LIST_PAGES;
const FIRST_NONEMPTY = FIRST_BUSY + MAX_LIST_PAGES + 1;
const FIRST_EMPTY = FIRST_NONEMPTY + NUM_SIZE_CLASSES;
const LIST_HEADS = FIRST_EMPTY + NUM_SIZE_CLASSES;

/** Head of the list of free spans of `pages` pages. */
export function freeList(pages: number): number {
  return Math.min(pages, MAX_LIST_PAGES) << RECORD_SHIFT;
}

/** Head of the list of large objects of `pages` pages. */
export function busyList(pages: number): number {
  return (FIRST_BUSY + Math.min(pages, MAX_LIST_PAGES)) << RECORD_SHIFT;
}

/** Head of the central list of spans of `cls` that have free blocks. */
export function nonemptyList(cls: number): number {
  return (FIRST_NONEMPTY + cls) << RECORD_SHIFT;
}

/** Head of the central list of spans of `cls` that have none, or whose free blocks a cache has. */
export function emptyList(cls: number): number {
  return (FIRST_EMPTY + cls) << RECORD_SHIFT;
}

/** What the spans have in common, in {@linkcode SpanTable.sweep}: */
/** the heap's sweep generation: a span at it is swept, at one less being swept, at two less to be swept; */
export const HEAP_SWEEPGEN = 0;
/** whether no span is left to be swept; */
export const SWEEP_DONE = 1;
/** the next record to be looked at by the sweep in global order, */
export const SWEEP_POSITION = 2;
/** and how many records there were when that sweep began. */
export const SWEEP_RECORDS = 3;

/** All span records of one heap. See the head of the module. */
export class SpanTable {
  /** The records, and the list heads before them. */
  ints: Int32Array = new Int32Array(0);
  /** The same memory as float64: field F of span s is at `(s + F) >> 1`. */
  floats: Float64Array = new Float64Array(0);
  /** Sweep generation and progress, see {@linkcode HEAP_SWEEPGEN}. */
  readonly sweep = new Int32Array(new SharedArrayBuffer(16));
  readonly #records: GrowingInts;
  readonly #fix: FixAlloc;

  /** Makes a table for as many spans as the platform's arena has pages, and all lists, empty. */
  constructor(platform: Platform, persistent: PersistentMemory) {
    const maxSpans = Math.ceil(platform.maxMemBytes / PAGE_BYTES);
    this.#records = new GrowingInts((LIST_HEADS + maxSpans) << RECORD_SHIFT);
    this.#fix = new FixAlloc(GO_RECORD_BYTES, persistent, MSPAN_SYS);
    this.#cover(1024);
    for (let head = 0; head < LIST_HEADS; head++) {
      const list = head << RECORD_SHIFT;
      this.ints[list + NEXT] = list;
      this.ints[list + PREV] = list;
    }
  }

  /** Span records ever made. */
  get made(): number {
    return this.#fix.made;
  }

  /** Bytes of the records in use, as Go counts them. */
  get inuseBytes(): number {
    return this.#fix.inuseBytes;
  }

  /** The `i`-th record ever made, as a handle. */
  handle(i: number): number {
    return (LIST_HEADS + i) << RECORD_SHIFT;
  }

  /** Takes a record for a span of `pages` pages from page `start` on; it is in no list. */
  alloc(start: number, pages: number): number {
    const record = this.#fix.alloc();
    if (LIST_HEADS + record >= this.ints.length >> RECORD_SHIFT) {
      this.#cover((this.ints.length >> RECORD_SHIFT) * 2);
    }
    const span = this.handle(record);
    const ints = this.ints;
    for (let field = 0; field < RECORD_INTS; field++) ints[span + field] = 0;
    ints[span + START] = start;
    ints[span + PAGES] = pages;
    ints[span + STATE] = DEAD;
    return span;
  }

  /** Gives a record back. */
  free(span: number): void {
    this.ints[span + STATE] = DEAD;
    this.#fix.free((span >> RECORD_SHIFT) - LIST_HEADS);
  }

  /** When the free span `span` was last used, in ns of the heap's clock. */
  unusedSince(span: number): number {
    return this.floats[(span + UNUSED_SINCE) >> 1];
  }

  setUnusedSince(span: number, ns: number): void {
    this.floats[(span + UNUSED_SINCE) >> 1] = ns;
  }

  /** Bytes of the span that objects may lie in; behind them is slack. */
  limitBytes(span: number): number {
    return this.floats[(span + LIMIT_BYTES) >> 1];
  }

  setLimitBytes(span: number, bytes: number): void {
    this.floats[(span + LIMIT_BYTES) >> 1] = bytes;
  }

  isEmpty(list: number): boolean {
    return this.ints[list + NEXT] === list;
  }

  /** Puts a span, which is in no list, behind the head of `list`. */
  insert(list: number, span: number): void {
    this.#link(list, span, this.ints[list + NEXT]);
  }

  /** Puts a span, which is in no list, at the tail of `list`. */
  insertBack(list: number, span: number): void {
    this.#link(this.ints[list + PREV], span, list);
  }

  /** Takes a span out of whichever list it is in. */
  remove(span: number): void {
    const ints = this.ints;
    const next = ints[span + NEXT];
    const prev = ints[span + PREV];
    ints[prev + NEXT] = next;
    ints[next + PREV] = prev;
    ints[span + NEXT] = 0;
    ints[span + PREV] = 0;
  }

  #link(prev: number, span: number, next: number): void {
    const ints = this.ints;
    ints[span + PREV] = prev;
    ints[span + NEXT] = next;
    ints[prev + NEXT] = span;
    ints[next + PREV] = span;
  }

  #cover(records: number): void {
    this.#records.cover(records << RECORD_SHIFT);
    this.ints = this.#records.ints;
    this.floats = new Float64Array(this.ints.buffer, 0, this.ints.length / 2);
  }
}
