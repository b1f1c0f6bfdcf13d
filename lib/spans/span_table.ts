/**
 * The span table: makes span records and links them into lists. See span_record.ts for what is in one.
 *
 * @module
 */

import { GrowingInts } from "../arena/bitmap.ts";
import { FixAlloc } from "../arena/fix_alloc.ts";
import type { PersistentMemory } from "../arena/persistent.ts";
import * as statistics from "../arena/stats.ts";
import { GoThrow } from "../errors.ts";
import { goRecordBytes } from "../platform/go_records.ts";
import * as platforms from "../platform/platform.ts";
import type { Platform } from "../platform/platform.ts";
import * as spanRecord from "./span_record.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { MSPAN_SYS } = statistics;
const { PAGE_BYTES } = platforms;
const {
  DEAD,
  LIMIT_BYTES,
  LIST_HEADS,
  NEXT,
  PAGES,
  PREV,
  RECORD_INTS,
  RECORD_SHIFT,
  START,
  STATE,
  TYPES_DATA,
  UNUSED_SINCE,
} = spanRecord;

/** All span records of one heap. See span_record.ts. */
export class SpanTable {
  /** The records, and the list heads before them. */
  ints: Int32Array = new Int32Array(0);
  /** The same memory as float64: field F of span s is at `(s + F) >> 1`. */
  floats: Float64Array = new Float64Array(0);
  /** Sweep generation and progress, see {@linkcode HEAP_SWEEPGEN}. */
  readonly sweep: Int32Array = new Int32Array(new SharedArrayBuffer(16));
  /** Called with the message of an error that shows the heap's tables to be broken, before it is thrown. */
  onCorrupted: (message: string) => void = () => {};
  readonly #records: GrowingInts;
  readonly #fix: FixAlloc;

  /** Makes a table for as many spans as the platform's arena has pages, and all lists, empty. */
  constructor(platform: Platform, persistent: PersistentMemory) {
    const maxSpans = Math.ceil(platform.maxMemBytes / PAGE_BYTES);
    this.#records = new GrowingInts((LIST_HEADS + maxSpans) << RECORD_SHIFT);
    this.#fix = new FixAlloc(goRecordBytes(platform).span, persistent, MSPAN_SYS);
    this.#cover(1024);
    for (let head = 0; head < LIST_HEADS; head++) {
      const list = head << RECORD_SHIFT;
      this.ints[list + NEXT] = list;
      this.ints[list + PREV] = list;
    }
  }

  /** Throws a GoThrow for what cannot be in a heap that is intact. */
  corrupted(message: string): never {
    this.onCorrupted(message);
    throw new GoThrow(message);
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

  /** The number of a record in the order in which they were made: {@linkcode handle} of it is `span`. */
  numberOf(span: number): number {
    return (span >> RECORD_SHIFT) - LIST_HEADS;
  }

  /** Makes sure that the next `alloc` cannot fail; throws if there is no memory for a record. */
  reserve(): void {
    this.#fix.reserve();
    if (LIST_HEADS + this.#fix.made >= this.ints.length >> RECORD_SHIFT) {
      this.#cover((this.ints.length >> RECORD_SHIFT) * 2);
    }
  }

  /** Takes a record for a span of `pages` pages from page `start` on; it is in no list. */
  alloc(start: number, pages: number): number {
    this.reserve();
    const record = this.#fix.alloc();
    const span = this.handle(record);
    const { ints, floats } = this;
    // As float64, since they are half as many.
    const first = span >> 1;
    for (let field = 0; field < RECORD_INTS / 2; field++) floats[first + field] = 0;
    ints[span + START] = start;
    ints[span + PAGES] = pages;
    ints[span + STATE] = DEAD;
    return span;
  }

  /** Gives a record back. */
  free(span: number): void {
    this.ints[span + STATE] = DEAD;
    this.#fix.free(this.numberOf(span));
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

  /** What COMPRESSION says it is: a type word, the address of a table, or nothing. */
  typesData(span: number): number {
    return this.floats[(span + TYPES_DATA) >> 1];
  }

  setTypesData(span: number, data: number): void {
    this.floats[(span + TYPES_DATA) >> 1] = data;
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
