/**
 * Marking: finds every block that can be reached from the roots.
 *
 * A block is white (not marked), grey (marked, in the queue) or black (marked, its pointers followed). To
 * grey a pointer's target takes three small tables and no division:
 *
 * ```
 *   pointer ──▶ page ──▶ pageInfo: class, page in span ──▶ offset in span ──▶ block number
 *                                                          (x reciprocal)       │
 *               marks of the span: ┌ marked ┬ free ┐ ◀── word = block / 32 ─────┘
 * ```
 *
 * The queue is first in, first out. On a random graph of 1,000,000 objects that is twice as fast as a
 * stack: the objects at its head are independent of each other, so the processor fetches several at once,
 * where a stack has it wait for each in turn. All arithmetic is in int32 (a page, a word in its span),
 * which holds for an arena of 128 GiB.
 *
 * ```
 *   an entry of the queue, two int32:   │ first page of the span │ word in the span << 7 │ class │
 * ```
 *
 * The queue grows as it must. If it cannot, objects stay marked without being followed, and when the queue
 * is empty the heap is searched for them: every marked object is followed again, until nothing new turns
 * up. So marking ends correctly with any memory that it is given, only more slowly.
 *
 * @module
 */

import { type Arena, INFO_CLASS_SHIFT, INFO_PAGE_MASK } from "../arena/arena.ts";
import { BITS_POINTER, GrowingInts, MARK_SHIFT } from "../arena/bitmap.ts";
import { GC_SYS } from "../arena/stats.ts";
import { GoThrow } from "../errors.ts";
import type { Memory } from "../platform/memory.ts";
import { PAGE_BYTES, PAGE_SHIFT, type Pointer } from "../platform/platform.ts";
import { lowestBit } from "../spans/free_list.ts";
import {
  CLASS_TO_BLOCKS,
  CLASS_TO_SIZE,
  RECIPROCAL,
  RECIPROCAL_SHIFT,
} from "../spans/size_classes.ts";
import {
  BLOCKS,
  CLASS,
  IN_USE,
  NO_SCAN,
  type SpanTable,
  START,
  STATE,
} from "../spans/span_table.ts";
import type { GoType } from "../types/go_type.ts";
import { wordCode } from "../types/layout.ts";

/** The high bits of 16 type codes: set where a word is a pointer. */
const POINTER_BITS = 0xaaaaaaaa | 0;
const CLASS_BITS = 7;
const CLASS_MASK = (1 << CLASS_BITS) - 1;

const FIRST_QUEUE_ENTRIES = 2 ** 12;
const MAX_QUEUE_ENTRIES = 2 ** 24;

/** The marker of one heap. See the head of the module. */
export class Marker {
  /** Whether a word that cannot be a pointer is an error; Go's invalidptr. */
  readonly #invalidPointerThrows: boolean;
  readonly #arena: Arena;
  readonly #spans: SpanTable;
  readonly #stats: Float64Array;
  readonly #wordShift: number;
  /** Low half of the arena's start in pages, and its high half: pages are counted from them. */
  readonly #basePage: number;
  readonly #baseHigh: number;
  readonly #table: GrowingInts;
  readonly #maxEntries: number;
  #queue: Int32Array;
  #head = 0;
  #tail = 0;
  #overflowed = false;

  constructor(
    arena: Arena,
    spans: SpanTable,
    stats: Float64Array,
    options: { invalidPointerThrows?: boolean; maxQueueEntries?: number } = {},
  ) {
    this.#arena = arena;
    this.#spans = spans;
    this.#stats = stats;
    this.#invalidPointerThrows = options.invalidPointerThrows ?? true;
    this.#maxEntries = options.maxQueueEntries ?? MAX_QUEUE_ENTRIES;
    this.#wordShift = arena.platform.pointerBytes === 8 ? 3 : 2;
    this.#baseHigh = Math.floor(arena.start / 2 ** 32);
    this.#basePage = (arena.start >>> 0) >>> PAGE_SHIFT;
    this.#table = new GrowingInts(2 * this.#maxEntries);
    this.#queue = this.#table.ints;
    this.#growQueue(Math.min(FIRST_QUEUE_ENTRIES, this.#maxEntries));
  }

  /** Greys the block that `p` points into, if there is one. */
  grey(p: Pointer): void {
    this.#grey(p | 0, Math.floor(p / 2 ** 32), 0);
  }

  /** Greys what the variable of `type` at `address`, in `memory`, points to. */
  greyVariable(memory: Memory, address: Pointer, type: GoType): void {
    const { pointerBytes } = this.#arena.platform;
    const words = Math.floor(type.size / pointerBytes);
    const first = (address - memory.base) / 4;
    const step = pointerBytes / 4;
    for (let word = 0; word < words; word++) {
      if (type.maskWords !== 1 && wordCode(type, word) !== BITS_POINTER) continue;
      const at = first + word * step;
      this.#grey(memory.i32[at], step === 2 ? memory.i32[at + 1] : 0, 0);
    }
  }

  /** Greys what block `block` of a span points to, and not the block itself. */
  greyReferents(span: number, block: number): void {
    const ints = this.#spans.ints;
    const cls = ints[span + CLASS];
    if (cls === 0) this.#followLarge(ints[span + START]);
    else this.#follow(ints[span + START], block * this.#wordsOf(cls), this.#wordsOf(cls));
  }

  /** Follows all grey blocks, and those they lead to, until none is left. */
  drain(): void {
    this.#drainQueue();
    while (this.#overflowed) {
      this.#overflowed = false;
      this.#followAllMarked();
    }
  }

  /** Forgets what is queued and clears all marks: the collection was given up. */
  abandon(): void {
    this.#head = this.#tail = 0;
    this.#overflowed = false;
    const ints = this.#spans.ints;
    const { marks } = this.#arena.bitmap;
    for (let i = 0; i < this.#spans.made; i++) {
      const span = this.#spans.handle(i);
      if (ints[span + STATE] !== IN_USE) continue;
      const first = ints[span + START] << MARK_SHIFT;
      for (let word = 0; word << 5 < ints[span + BLOCKS]; word++) marks[first + (word << 1)] = 0;
    }
  }

  #drainQueue(): void {
    while (this.#head !== this.#tail) {
      const queue = this.#queue;
      const page = queue[this.#head];
      const entry = queue[this.#head + 1];
      this.#head = (this.#head + 2) & (queue.length - 1);
      const cls = entry & CLASS_MASK;
      if (cls === 0) this.#followLarge(page);
      else this.#follow(page, entry >>> CLASS_BITS, this.#wordsOf(cls));
    }
  }

  /** Greys the target of the pointer with these halves, found in the heap word `from`, or in a root (0). */
  #grey(low: number, high: number, from: number): void {
    const pages = (high - this.#baseHigh) >>> 0;
    const page = ((pages << (32 - PAGE_SHIFT)) + (low >>> PAGE_SHIFT) - this.#basePage) | 0;
    if (pages > 32 || page < 0 || page >= this.#arena.usedPages) {
      if (high === 0 && (low | 0) !== 0) this.#checkSmall(low >>> 0, from);
      return;
    }
    const info = this.#arena.pageInfo[page];
    const cls = info >>> INFO_CLASS_SHIFT;
    const pageInSpan = info & INFO_PAGE_MASK;
    if (cls === 0 || info < 0) {
      this.#greyLarge(page, info, low, high, from);
      return;
    }
    const offset = (pageInSpan << PAGE_SHIFT) | (low & (PAGE_BYTES - 1));
    const block = Math.imul(offset >>> 3, RECIPROCAL[cls]) >>> RECIPROCAL_SHIFT[cls];
    const start = page - pageInSpan;
    const { marks } = this.#arena.bitmap;
    const at = (start << MARK_SHIFT) + ((block >>> 5) << 1);
    const bit = 1 << (block & 31);
    // A free block may be pointed to by what once was its owner: it stays free.
    if (((marks[at] | marks[at + 1]) & bit) !== 0) return;
    if (block >= CLASS_TO_BLOCKS[cls]) {
      this.#pointsToSlack(offset - block * CLASS_TO_SIZE[cls], low, high, from);
      return;
    }
    marks[at] |= bit;
    this.#push(start, ((block * CLASS_TO_SIZE[cls]) >> this.#wordShift) << CLASS_BITS | cls);
  }

  #greyLarge(page: number, info: number, low: number, high: number, from: number): void {
    if (info < 0) {
      this.#invalid(low, high, from);
      return;
    }
    const start = page - info;
    const span = this.#arena.pageSpan[page];
    if (info * PAGE_BYTES + (low & (PAGE_BYTES - 1)) >= this.#spans.limitBytes(span)) {
      this.#invalid(low, high, from);
      return;
    }
    const { marks } = this.#arena.bitmap;
    if (marks[start << MARK_SHIFT] !== 0) return;
    marks[start << MARK_SHIFT] = 1;
    if (this.#spans.ints[span + NO_SCAN] === 0) this.#push(start, 0);
  }

  /** Greys the targets of the `words` words of an object, from word `word` of the span at `page` on. */
  #follow(page: number, word: number, words: number): void {
    const { types, typeInts } = this.#arena.bitmap;
    let at = page * typeInts + (word >>> 4);
    let first = word & 15;
    let left = words;
    let firstWord = page * (PAGE_BYTES >> this.#wordShift) + word;
    for (;;) {
      let pointers = (types[at] >>> (first << 1)) & POINTER_BITS;
      const here = 16 - first;
      if (left < here) pointers &= ~(-1 << (left << 1));
      if (pointers !== 0) this.#followWords(firstWord, pointers);
      if (left <= here) return;
      left -= here;
      firstWord += here;
      first = 0;
      at++;
    }
  }

  /** Greys the targets of those of 16 words, from `firstWord` on, whose bits are set in `pointers`. */
  #followWords(firstWord: number, pointers: number): void {
    const { i32 } = this.#arena.memory;
    for (let bits = pointers; bits !== 0;) {
      const bit = 31 - Math.clz32(bits);
      bits ^= 1 << bit;
      const word = firstWord + (bit >>> 1);
      if (this.#wordShift === 3) {
        const low = i32[2 * word];
        const high = i32[2 * word + 1];
        if ((low | high) !== 0) this.#grey(low, high, word);
      } else if (i32[word] !== 0) {
        this.#grey(i32[word], 0, word);
      }
    }
  }

  #followLarge(start: number): void {
    const span = this.#arena.pageSpan[start];
    if (this.#spans.ints[span + NO_SCAN] !== 0) return;
    this.#follow(start, 0, Math.ceil(this.#spans.limitBytes(span) / (1 << this.#wordShift)));
  }

  #wordsOf(cls: number): number {
    return CLASS_TO_SIZE[cls] >> this.#wordShift;
  }

  #push(page: number, entry: number): void {
    const queue = this.#queue;
    const tail = this.#tail;
    const next = (tail + 2) & (queue.length - 1);
    if (next === this.#head) {
      this.#pushFull(page, entry);
      return;
    }
    queue[tail] = page;
    queue[tail + 1] = entry;
    this.#tail = next;
  }

  #pushFull(page: number, entry: number): void {
    const entries = this.#queue.length / 2;
    if (2 * entries > this.#maxEntries || !this.#growQueue(2 * entries)) {
      this.#overflowed = true;
      return;
    }
    this.#push(page, entry);
  }

  /** Makes room for `entries` entries, keeping those there are; false if there is no memory. */
  #growQueue(entries: number): boolean {
    const before = this.#queue.length;
    try {
      this.#table.cover(2 * entries);
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
    this.#queue = this.#table.ints;
    this.#stats[GC_SYS] += 4 * (this.#queue.length - before);
    // What had wrapped around to the front goes behind the old end.
    if (this.#tail < this.#head) {
      this.#queue.copyWithin(before, 0, this.#tail);
      this.#tail += before;
    }
    return true;
  }

  /** Follows every marked block of the heap again: some of them did not fit in the queue. */
  #followAllMarked(): void {
    const ints = this.#spans.ints;
    const { marks } = this.#arena.bitmap;
    for (let i = 0; i < this.#spans.made; i++) {
      const span = this.#spans.handle(i);
      if (ints[span + STATE] !== IN_USE) continue;
      const first = ints[span + START] << MARK_SHIFT;
      for (let word = 0; word << 5 < ints[span + BLOCKS]; word++) {
        for (let bits = marks[first + (word << 1)]; bits !== 0; bits &= bits - 1) {
          this.greyReferents(span, (word << 5) + lowestBit(bits));
          this.#drainQueue();
        }
      }
    }
  }

  /** Go's bitmap has a block boundary behind the last block, so its first word may be pointed to. */
  #pointsToSlack(offset: number, low: number, high: number, from: number): void {
    if (offset >= 1 << this.#wordShift) this.#invalid(low, high, from);
  }

  /** A small integer in a pointer word was never an address. */
  #checkSmall(low: number, from: number): void {
    if (low < this.#arena.platform.physPageBytes) this.#invalid(low, 0, from);
  }

  #invalid(low: number, high: number, from: number): void {
    if (!this.#invalidPointerThrows) return;
    const value = (low >>> 0) + (high >>> 0) * 2 ** 32;
    const where = from === 0
      ? "a root"
      : `0x${(this.#arena.start + from * (1 << this.#wordShift)).toString(16)}`;
    throw new GoThrow(
      `runtime: garbage collector found invalid heap pointer *(${where})=0x${value.toString(16)}`,
    );
  }
}
