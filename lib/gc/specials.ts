/**
 * Specials: what is attached to single blocks, finalizers and profile samples.
 *
 * Each span has a list of its specials, sorted by where in the span they are attached and, at one place, by
 * kind: a finalizer (1) before a profile sample (2). A record is four int32:
 *
 * ```
 *   +0 NEXT    record number + 1 of the next, 0 at the end
 *   +1 OFFSET  bytes from the span's start: of the exact address, which may be inside a tiny block
 *   +2 KIND
 *   +3 DATA    for a finalizer the number of its function, in a table of the finalizers'; for a sample the
 *              number of its bucket, in the profile's
 * ```
 *
 * There is at most one special of a kind at a place. A span must be swept before its list changes, since
 * sweeping decides from the list what is kept alive for its finalizer.
 *
 * Go's records of the two kinds differ in size, so they are counted apart: even record numbers are those of
 * finalizers, odd ones those of samples.
 *
 * @module
 */

import { GrowingInts } from "../arena/bitmap.ts";
import { FixAlloc } from "../arena/fix_alloc.ts";
import type { PersistentMemory } from "../arena/persistent.ts";
import * as statistics from "../arena/stats.ts";
import { goRecordBytes } from "../platform/go_records.ts";
import type { Platform } from "../platform/platform.ts";
import * as spanRecord from "../spans/span_record.ts";
import type { SpanTable } from "../spans/span_table.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { OTHER_SYS } = statistics;
const { NEWEST_SPECIAL, SPECIALS } = spanRecord;

export const KIND_FINALIZER = 1;
export const KIND_PROFILE = 2;

const NEXT = 0;
const OFFSET = 1;
const KIND = 2;
const DATA = 3;
const RECORD_SHIFT = 2;
const FIRST_RECORDS = 1024;
const MAX_RECORDS = 2 ** 27;

/** A special as it is read out of its record. */
export interface Special {
  readonly offset: number;
  readonly kind: number;
  readonly data: number;
}

/** The specials of one heap. See the head of the module. */
export class Specials {
  readonly #spans: SpanTable;
  readonly #records = new GrowingInts(MAX_RECORDS << RECORD_SHIFT);
  /** By kind, from KIND_FINALIZER on. */
  readonly #fix: readonly FixAlloc[];

  constructor(platform: Platform, spans: SpanTable, persistent: PersistentMemory) {
    this.#spans = spans;
    const { finalizerSpecial, profileSpecial } = goRecordBytes(platform);
    this.#fix = [finalizerSpecial, profileSpecial].map((bytes) =>
      new FixAlloc(bytes, persistent, OTHER_SYS)
    );
  }

  /** Attaches a special to a place in a swept span; false if there is one of that kind. */
  add(span: number, offset: number, kind: number, data: number): boolean {
    const before = this.#findBefore(span, offset, kind);
    const next = this.#next(span, before);
    if (next !== 0 && this.#is(next, offset, kind)) return false;
    const parity = kind - KIND_FINALIZER;
    const record = 2 * this.#fix[parity].alloc() + parity;
    if ((record + 1) << RECORD_SHIFT > this.#records.ints.length) {
      this.#records.cover(Math.max(FIRST_RECORDS << RECORD_SHIFT, 2 * this.#records.ints.length));
    }
    const { ints } = this.#records;
    const at = record << RECORD_SHIFT;
    ints[at + NEXT] = next;
    ints[at + OFFSET] = offset;
    ints[at + KIND] = kind;
    ints[at + DATA] = data;
    this.#setNext(span, before, record + 1);
    this.#spans.ints[span + NEWEST_SPECIAL] = record + 1;
    return true;
  }

  /** Takes a special off a place in a swept span and returns its data; -1 if there is none of that kind. */
  remove(span: number, offset: number, kind: number): number {
    const before = this.#findBefore(span, offset, kind);
    const found = this.#next(span, before);
    if (found === 0 || !this.#is(found, offset, kind)) return -1;
    const { ints } = this.#records;
    const at = (found - 1) << RECORD_SHIFT;
    this.#setNext(span, before, ints[at + NEXT]);
    if (this.#spans.ints[span + NEWEST_SPECIAL] === found) {
      this.#spans.ints[span + NEWEST_SPECIAL] = before;
    }
    this.#fix[kind - KIND_FINALIZER].free((found - 1) >> 1);
    return ints[at + DATA];
  }

  /** How many of a kind there are in the heap. */
  count(kind: number): number {
    return this.#fix[kind - KIND_FINALIZER].inuse;
  }

  /** Whether a span has any. */
  has(span: number): boolean {
    return this.#spans.ints[span + SPECIALS] !== 0;
  }

  /** The specials of a span, in order. */
  list(span: number): Special[] {
    const found: Special[] = [];
    const { ints } = this.#records;
    for (let record = this.#spans.ints[span + SPECIALS]; record !== 0;) {
      const at = (record - 1) << RECORD_SHIFT;
      found.push({ offset: ints[at + OFFSET], kind: ints[at + KIND], data: ints[at + DATA] });
      record = ints[at + NEXT];
    }
    return found;
  }

  /**
   * The last record before the place of (offset, kind), as record number + 1; 0 for the list's head. Objects
   * tend to get their finalizers in the order of their addresses, so the search begins at the span's newest.
   */
  #findBefore(span: number, offset: number, kind: number): number {
    const { ints } = this.#records;
    const newest = this.#spans.ints[span + NEWEST_SPECIAL];
    let before = newest !== 0 && this.#isBefore(newest, offset, kind) ? newest : 0;
    for (let record = this.#next(span, before); record !== 0;) {
      if (!this.#isBefore(record, offset, kind)) break;
      before = record;
      record = ints[((record - 1) << RECORD_SHIFT) + NEXT];
    }
    return before;
  }

  #isBefore(record: number, offset: number, kind: number): boolean {
    const { ints } = this.#records;
    const at = (record - 1) << RECORD_SHIFT;
    return ints[at + OFFSET] < offset || (ints[at + OFFSET] === offset && ints[at + KIND] < kind);
  }

  #is(record: number, offset: number, kind: number): boolean {
    const { ints } = this.#records;
    const at = (record - 1) << RECORD_SHIFT;
    return ints[at + OFFSET] === offset && ints[at + KIND] === kind;
  }

  #next(span: number, before: number): number {
    return before === 0
      ? this.#spans.ints[span + SPECIALS]
      : this.#records.ints[((before - 1) << RECORD_SHIFT) + NEXT];
  }

  #setNext(span: number, before: number, next: number): void {
    if (before === 0) this.#spans.ints[span + SPECIALS] = next;
    else this.#records.ints[((before - 1) << RECORD_SHIFT) + NEXT] = next;
  }
}
