/**
 * Specials: what is attached to single blocks, finalizers and profile samples.
 *
 * Each span has a list of its specials (special_record.ts), sorted by where in the span they are attached and, at
 * one place, by kind: a finalizer before a profile sample. There is at most one special of a kind at a place. A span
 * must be swept before its list changes, since sweeping decides from the list what is kept alive for its finalizer.
 *
 * Objects tend to get their finalizers, and to lose them, in the order of their addresses. So a span knows which
 * of its specials is the newest: the search for a place begins there if it can, and takes one step.
 *
 * Go's records of the two kinds differ in size, so they are counted apart: even records are those of finalizers,
 * odd ones those of samples.
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
import * as specialRecord from "./special_record.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { OTHER_SYS } = statistics;
const { NEWEST_SPECIAL, SPECIALS } = spanRecord;
const { DATA, KIND, KIND_FINALIZER, NEXT, OFFSET, RECORD_SHIFT } = specialRecord;

const FIRST_RECORDS = 1024;
const MAX_RECORDS = 2 ** 27;

/** A special as it is read out of its record. */
export interface Special {
  readonly handle: number;
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

  /** The records: `ints[special + OFFSET]`. */
  get ints(): Int32Array {
    return this.#records.ints;
  }

  /**
   * Attaches a special to a place in a swept span and returns its handle; 0 if there is one of that kind. Its DATA is
   * the caller's to write.
   */
  add(span: number, offset: number, kind: number): number {
    const before = this.#findBefore(span, offset, kind);
    const next = this.#next(span, before);
    if (next !== 0 && this.#is(next, offset, kind)) return 0;
    const special = this.#make(kind);
    const { ints } = this.#records;
    ints[special + NEXT] = next;
    ints[special + OFFSET] = offset;
    ints[special + KIND] = kind;
    this.#setNext(span, before, special);
    this.#spans.ints[span + NEWEST_SPECIAL] = special;
    return special;
  }

  /** Takes a special off a place in a swept span and returns its data; -1 if there is none of that kind. */
  remove(span: number, offset: number, kind: number): number {
    const before = this.#findBefore(span, offset, kind);
    const special = this.#next(span, before);
    if (special === 0 || !this.#is(special, offset, kind)) return -1;
    this.unlink(span, before, special);
    return this.#records.ints[special + DATA];
  }

  /** Takes `special` out of the list of a span, where it comes behind `before`, 0 for none. */
  unlink(span: number, before: number, special: number): void {
    const { ints } = this.#records;
    const spans = this.#spans.ints;
    this.#setNext(span, before, ints[special + NEXT]);
    if (spans[span + NEWEST_SPECIAL] === special) spans[span + NEWEST_SPECIAL] = before;
    const parity = ints[special + KIND] - KIND_FINALIZER;
    this.#fix[parity].free((special >> (RECORD_SHIFT + 1)) - 1);
  }

  /** How many of a kind there are in the heap. */
  count(kind: number): number {
    return this.#fix[kind - KIND_FINALIZER].inuse;
  }

  /** Whether a span has any. */
  has(span: number): boolean {
    return this.#spans.ints[span + SPECIALS] !== 0;
  }

  /** The handle of a span's first special, 0 if it has none. */
  first(span: number): number {
    return this.#spans.ints[span + SPECIALS];
  }

  /** The specials of a span, in order. */
  list(span: number): Special[] {
    const found: Special[] = [];
    const { ints } = this.#records;
    for (let special = this.first(span); special !== 0; special = ints[special + NEXT]) {
      found.push({
        handle: special,
        offset: ints[special + OFFSET],
        kind: ints[special + KIND],
        data: ints[special + DATA],
      });
    }
    return found;
  }

  /** The handle of a record that nobody has; throws if there is no memory for one. */
  #make(kind: number): number {
    const parity = kind - KIND_FINALIZER;
    const special = (2 * (this.#fix[parity].alloc() + 1) + parity) << RECORD_SHIFT;
    if (special + DATA >= this.#records.ints.length) {
      this.#records.cover(Math.max(FIRST_RECORDS << RECORD_SHIFT, 2 * this.#records.ints.length));
    }
    return special;
  }

  /** The last special before the place of (offset, kind), 0 if there is none. */
  #findBefore(span: number, offset: number, kind: number): number {
    const { ints } = this.#records;
    const newest = this.#spans.ints[span + NEWEST_SPECIAL];
    let before = newest !== 0 && this.#isBefore(newest, offset, kind) ? newest : 0;
    for (let special = this.#next(span, before); special !== 0; special = ints[special + NEXT]) {
      if (!this.#isBefore(special, offset, kind)) break;
      before = special;
    }
    return before;
  }

  #isBefore(special: number, offset: number, kind: number): boolean {
    const { ints } = this.#records;
    const at = ints[special + OFFSET];
    return at < offset || (at === offset && ints[special + KIND] < kind);
  }

  #is(special: number, offset: number, kind: number): boolean {
    const { ints } = this.#records;
    return ints[special + OFFSET] === offset && ints[special + KIND] === kind;
  }

  #next(span: number, before: number): number {
    return before === 0 ? this.#spans.ints[span + SPECIALS] : this.#records.ints[before + NEXT];
  }

  #setNext(span: number, before: number, next: number): void {
    if (before === 0) this.#spans.ints[span + SPECIALS] = next;
    else this.#records.ints[before + NEXT] = next;
  }
}
