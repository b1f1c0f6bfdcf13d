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
 * What marking costs is waiting for memory: an object of a large heap is in no cache. A processor waits for
 * several objects at once if their addresses are known and little lies between the loads. So the queue is
 * first in, first out, since what stands at its head is independent of each other, where a stack has each
 * object wait for the one before; and the work goes in three short loops over some hundred pointers:
 *
 * ```
 *   follow    takes objects from the queue; notes in `slots` where their pointers are
 *   load      slots ──▶ values: nothing but one load and one store each, so that many loads are under way
 *   grey      values ──▶ marks, and the queue
 * ```
 *
 * All arithmetic is in int32 (a page, a word in its span), which holds for an arena of 128 GiB.
 *
 * ```
 *   an entry of the queue, two int32:   │ first page of the span │ word in the span << 7 │ class │
 *   the rest of a large object:         │ page to go on with     │                     0 │     0 │
 * ```
 *
 * Marking may be done in slices. Each round of the three loops is short, whatever the heap looks like: it
 * takes so many objects at most, and of a large object only a few pages, whose rest goes to the end of the
 * queue. Between two rounds nothing is under way but what stands in the queue: there a slice may end.
 *
 * The queue grows as it must. If it cannot, objects stay marked without being followed, and when the queue
 * is empty the heap is searched for them: every marked object is followed again, until nothing new turns
 * up. So marking ends correctly with any memory that it is given, only more slowly. That search, too, may
 * stop and go on, 32 blocks at a time.
 *
 * @module
 */

import * as arenaTables from "../arena/arena.ts";
import type { Arena } from "../arena/arena.ts";
import * as bitmapPlanes from "../arena/bitmap.ts";
import { GrowingInts } from "../arena/bitmap.ts";
import * as statistics from "../arena/stats.ts";
import { GoThrow } from "../errors.ts";
import type { Memory } from "../platform/memory.ts";
import * as platforms from "../platform/platform.ts";
import type { Pointer } from "../platform/platform.ts";
import { lowestBit } from "../spans/bits.ts";
import * as sizeClasses from "../spans/size_classes.ts";
import * as spanRecord from "../spans/span_record.ts";
import type { SpanTable } from "../spans/span_table.ts";
import type { GoType } from "../types/go_type.ts";
import type { Slice } from "./slice.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { HOLE, INFO_CLASS_SHIFT, INFO_PAGE_MASK } = arenaTables;
const { MARK_SHIFT } = bitmapPlanes;
const { GC_SYS } = statistics;
const { PAGE_BYTES, PAGE_SHIFT } = platforms;
const { CLASS_TO_BLOCKS, CLASS_TO_SIZE, RECIPROCAL, RECIPROCAL_SHIFT } = sizeClasses;
const { BLOCKS, CLASS, IN_USE, NO_SCAN, START, STATE } = spanRecord;

/** The high bits of 16 type codes: set where a word is a pointer. */
const POINTER_BITS = 0xaaaaaaaa | 0;
const CLASS_BITS = 7;
const CLASS_MASK = (1 << CLASS_BITS) - 1;

/** Pointers that are noted before any of them is loaded. */
const SLOTS = 512;
/** Stands in the place of a slot for a pointer that was not found in the heap. */
const ROOT = -1;
/** The same for one that the program has just stored: whether it is valid is found out when it is loaded. */
const STORED = -2;

/** Objects that are taken from the queue in one round at most. */
const OBJECTS = 2048;
/** Pages of a large object that are followed in one round. */
const CHUNK_PAGES = 4;
/** What following them counts for in a slice. */
const UNITS_A_CHUNK = 1024;

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
  /** Words of the heap that are to be loaded, counted from the arena's start. */
  readonly #slots = new Float64Array(SLOTS);
  /** What was loaded from them: low and high half. */
  readonly #longValues = new Float64Array(SLOTS);
  readonly #values = new Int32Array(this.#longValues.buffer);
  #slotCount = 0;
  #queue: Int32Array;
  #head = 0;
  #tail = 0;
  #overflowed = false;
  /** Where the search for marked objects that were not followed goes on; -1 if there is none. */
  #searchSpan = -1;
  #searchWord = 0;

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
    this.#greyOne(p, ROOT);
  }

  /** The same for a value that the program has stored, which may be any number. Seeds' shade. */
  shade(p: Pointer): void {
    this.#greyOne(p, STORED);
  }

  #greyOne(p: Pointer, place: number): void {
    this.flush();
    this.#slots[0] = place;
    this.#values[0] = p | 0;
    this.#values[1] = Math.floor(p / 2 ** 32);
    this.#greyValues(1);
  }

  /** Marks the new block at `p`, which has no pointers yet: it is black. Seeds' gcmarknewobject. */
  blacken(p: Pointer): void {
    const { pageInfo, pageSpan, bitmap: { marks }, start } = this.#arena;
    const page = Math.floor((p - start) / PAGE_BYTES);
    const first = this.#spans.ints[pageSpan[page] + START];
    const cls = pageInfo[page] >> INFO_CLASS_SHIFT;
    const block = cls === 0 ? 0 : (p - this.#arena.pageAddress(first)) / CLASS_TO_SIZE[cls];
    marks[(first << MARK_SHIFT) + ((block >>> 5) << 1)] |= 1 << (block & 31);
  }

  /** Greys what words `from` to `to` of the variable of `type` at `address`, in `memory`, point to. */
  greyVariable(memory: Memory, address: Pointer, type: GoType, from: number, to: number): void {
    const ints = this.#arena.platform.pointerBytes / 4;
    const first = (address - memory.base) / 4;
    type.pointers.forEach(
      (word) => {
        const low = memory.u32[first + word * ints];
        const high = ints === 2 ? memory.u32[first + word * 2 + 1] : 0;
        if (low + high !== 0) this.grey(low + high * 2 ** 32);
      },
      from,
      to,
    );
  }

  /** Greys what block `block` of a span points to, and not the block itself. */
  greyReferents(span: number, block: number): void {
    const ints = this.#spans.ints;
    const cls = ints[span + CLASS];
    const words = CLASS_TO_SIZE[cls] >> this.#wordShift;
    if (cls === 0) this.#queueLarge(span);
    else this.#follow(ints[span + START], block * words, words);
  }

  /** Follows grey blocks, and those they lead to, within `slice`; true if none is left. */
  advance(slice: Slice): boolean {
    const most = Math.min(OBJECTS, slice.unitsBetweenLooks);
    for (;;) {
      const followed = this.#followQueued(most);
      const found = this.#slotCount;
      if (found === 0 && followed === 0 && !this.#search()) return true;
      this.flush();
      if (!slice.spend(followed + found + 1)) return false;
    }
  }

  /** Greys what was found so far: all that is grey stands in the queue then. */
  flush(): void {
    if (this.#slotCount > 0) this.#greySlots();
  }

  /** Calls `visit` with the page of each entry of the queue, the word in the span from there on, and the class. */
  forEachQueued(visit: (page: number, word: number, cls: number) => void): void {
    const queue = this.#queue;
    for (let at = this.#head; at !== this.#tail; at = (at + 2) & (queue.length - 1)) {
      visit(queue[at], queue[at + 1] >>> CLASS_BITS, queue[at + 1] & CLASS_MASK);
    }
  }

  /** Whether some marked blocks are neither followed nor queued, and have to be searched for. */
  get isSearching(): boolean {
    return this.#overflowed || this.#searchSpan >= 0;
  }

  /** Forgets what is queued and clears all marks: the collection was given up. */
  abandon(): void {
    this.#head = this.#tail = this.#slotCount = 0;
    this.#overflowed = false;
    this.#searchSpan = -1;
    const ints = this.#spans.ints;
    const { marks } = this.#arena.bitmap;
    for (let i = 0; i < this.#spans.made; i++) {
      const span = this.#spans.handle(i);
      if (ints[span + STATE] !== IN_USE) continue;
      const first = ints[span + START] << MARK_SHIFT;
      for (let word = 0; word << 5 < ints[span + BLOCKS]; word++) marks[first + (word << 1)] = 0;
    }
  }

  /**
   * Takes objects from the queue and notes their pointers, until there are no more, no more room, or it was
   * `most` of them; returns how many, what has many words counting for more.
   */
  #followQueued(most: number): number {
    const { types, typeInts } = this.#arena.bitmap;
    const wordShift = this.#wordShift;
    const wordsPerPage = PAGE_BYTES >> wordShift;
    const queue = this.#queue;
    const tail = this.#tail;
    const first = this.#head;
    const waiting = (tail - first) & (queue.length - 1);
    const end = (first + Math.min(waiting, 2 * most)) & (queue.length - 1);
    const slots = this.#slots;
    let followed = 0;
    let head = first;
    let count = this.#slotCount;
    while (head !== end && count <= SLOTS - 16) {
      const page = queue[head];
      const entry = queue[head + 1];
      head = (head + 2) & (queue.length - 1);
      const words = CLASS_TO_SIZE[entry & CLASS_MASK] >> wordShift;
      const word = entry >>> CLASS_BITS;
      const inInt = word & 15;
      if (words === 0 || inInt + words > 16) {
        this.#head = head;
        this.#slotCount = count;
        followed += words === 0 ? this.#followLarge(page) : this.#follow(page, word, words);
        count = this.#slotCount;
        // What it found may have been greyed, and the queue have been replaced.
        if (this.#tail !== tail) break;
        continue;
      }
      const firstWord = page * wordsPerPage + word;
      let pointers = (types[page * typeInts + (word >>> 4)] >>> (inInt << 1)) & POINTER_BITS;
      if (words < 16) pointers &= ~(-1 << (words << 1));
      while (pointers !== 0) {
        const bit = 31 - Math.clz32(pointers);
        pointers ^= 1 << bit;
        slots[count++] = firstWord + (bit >>> 1);
      }
    }
    this.#head = head;
    this.#slotCount = count;
    return followed + ((head - first) & (queue.length - 1)) / 2;
  }

  /**
   * Notes the pointers among the `words` words of an object, from word `word` of the span at `page` on; returns
   * what that counts for in a slice.
   */
  #follow(page: number, word: number, words: number): number {
    const { types, typeInts } = this.#arena.bitmap;
    const slots = this.#slots;
    let count = this.#slotCount;
    let at = page * typeInts + (word >>> 4);
    let first = word & 15;
    let left = words;
    let firstWord = page * (PAGE_BYTES >> this.#wordShift) + word;
    for (;;) {
      let pointers = (types[at] >>> (first << 1)) & POINTER_BITS;
      const here = 16 - first;
      if (left < here) pointers &= ~(-1 << (left << 1));
      while (pointers !== 0) {
        const bit = 31 - Math.clz32(pointers);
        pointers ^= 1 << bit;
        slots[count++] = firstWord + (bit >>> 1);
      }
      if (count > SLOTS - 16) {
        this.#slotCount = count;
        this.#greySlots();
        count = 0;
      }
      if (left <= here) break;
      left -= here;
      firstWord += here;
      first = 0;
      at++;
    }
    this.#slotCount = count;
    return words >> 2;
  }

  /** Greys what the words noted in `slots` point to. */
  #greySlots(): void {
    const count = this.#slotCount;
    this.#slotCount = 0;
    if (this.#wordShift === 3) this.#loadLong(count);
    else this.#loadShort(count);
    this.#greyValues(count);
  }

  /** A word is copied as a float64: no arithmetic, so any bits but those of a NaN arrive as they are. */
  #loadLong(count: number): void {
    const slots = this.#slots;
    const values = this.#longValues;
    const { memory: { f64 }, upperMemory } = this.#arena;
    if (upperMemory !== null) this.#loadFromBoth(count);
    else for (let i = 0; i < count; i++) values[i] = f64[slots[i]];
  }

  /** The same in an arena of two windows. */
  #loadFromBoth(count: number): void {
    const { memory: { f64 }, upperMemory, start } = this.#arena;
    const upper = upperMemory!.f64;
    const upperWord = (upperMemory!.base - start) / 8;
    for (let i = 0; i < count; i++) {
      const word = this.#slots[i];
      this.#longValues[i] = word < upperWord ? f64[word] : upper[word - upperWord];
    }
  }

  #loadShort(count: number): void {
    const slots = this.#slots;
    const values = this.#values;
    const { i32 } = this.#arena.memory;
    for (let i = 0; i < count; i++) {
      values[2 * i] = i32[slots[i]];
      values[2 * i + 1] = 0;
    }
  }

  #greyValues(count: number): void {
    this.#makeRoom(count);
    const values = this.#values;
    const { pageInfo, usedPages, bitmap: { marks } } = this.#arena;
    const baseHigh = this.#baseHigh;
    const basePage = this.#basePage;
    const wordShift = this.#wordShift;
    const queue = this.#queue;
    const head = this.#head;
    let tail = this.#tail;
    for (let i = 0; i < count; i++) {
      const low = values[2 * i];
      const high = values[2 * i + 1];
      if ((low | high) === 0) continue;
      const pages = (high - baseHigh) >>> 0;
      const page = ((pages << (32 - PAGE_SHIFT)) + (low >>> PAGE_SHIFT) - basePage) | 0;
      if (pages > 32 || page >>> 0 >= usedPages) {
        if (high === 0) this.#checkSmall(low >>> 0, i);
        continue;
      }
      const info = pageInfo[page];
      const cls = info >> INFO_CLASS_SHIFT;
      const pageInSpan = info & INFO_PAGE_MASK;
      let start = page - pageInSpan;
      let block = 0;
      if (cls <= 0) {
        start = this.#markLarge(page, low, i);
        if (start < 0) continue;
      } else {
        const offset = (pageInSpan << PAGE_SHIFT) | (low & (PAGE_BYTES - 1));
        block = Math.imul(offset >>> 3, RECIPROCAL[cls]) >>> RECIPROCAL_SHIFT[cls];
        const at = (start << MARK_SHIFT) + ((block >>> 5) << 1);
        const bit = 1 << (block & 31);
        const marked = marks[at];
        // A free block may be pointed to by what once was its owner: it stays free.
        if (((marked | marks[at + 1]) & bit) !== 0) continue;
        if (block >= CLASS_TO_BLOCKS[cls]) {
          this.#checkSlack(offset - block * CLASS_TO_SIZE[cls], i);
          continue;
        }
        marks[at] = marked | bit;
      }
      const next = (tail + 2) & (queue.length - 1);
      if (next === head) {
        this.#overflowed = true;
      } else {
        queue[tail] = start;
        queue[tail + 1] = (((block * CLASS_TO_SIZE[cls]) >> wordShift) << CLASS_BITS) | cls;
        tail = next;
      }
    }
    this.#tail = tail;
  }

  /** Marks a large object; returns its page if it has to be followed, else -1. */
  #markLarge(page: number, low: number, i: number): number {
    const info = this.#arena.pageInfo[page];
    const span = this.#arena.pageSpan[page];
    const offset = info * PAGE_BYTES + (low & (PAGE_BYTES - 1));
    if (info < 0 || offset >= this.#spans.limitBytes(span)) {
      // In a hole of a 32-bit arena may be what belongs to others.
      if (info !== HOLE) this.#invalid(i);
      return -1;
    }
    const start = page - info;
    const { marks } = this.#arena.bitmap;
    if (marks[start << MARK_SHIFT] !== 0) return -1;
    marks[start << MARK_SHIFT] = 1;
    return this.#spans.ints[span + NO_SCAN] === 0 ? start : -1;
  }

  /** Queues a large object, to be followed chunk by chunk. */
  #queueLarge(span: number): void {
    const start = this.#spans.ints[span + START];
    if (this.#spans.ints[span + NO_SCAN] !== 0) return;
    this.#makeRoom(1);
    if (!this.#queueRest(start)) {
      for (let page = start; page >= 0;) page = this.#followChunk(page);
    }
  }

  #followLarge(page: number): number {
    const rest = this.#followChunk(page);
    // There is room: this object's entry was just taken, and what its chunk led to has been counted in.
    if (rest >= 0) {
      this.#makeRoom(1);
      if (!this.#queueRest(rest)) this.#overflowed = true;
    }
    return UNITS_A_CHUNK;
  }

  #queueRest(page: number): boolean {
    const queue = this.#queue;
    const next = (this.#tail + 2) & (queue.length - 1);
    if (next === this.#head) return false;
    queue[this.#tail] = page;
    queue[this.#tail + 1] = 0;
    this.#tail = next;
    return true;
  }

  /** Notes the pointers in some pages of a large object; returns the page to go on with, -1 if there is none. */
  #followChunk(page: number): number {
    const span = this.#arena.pageSpan[page];
    const before = (page - this.#spans.ints[span + START]) * PAGE_BYTES;
    const bytes = this.#spans.limitBytes(span) - before;
    const chunk = Math.min(bytes, CHUNK_PAGES * PAGE_BYTES);
    this.#follow(page, 0, Math.ceil(chunk / (1 << this.#wordShift)));
    return bytes > chunk ? page + CHUNK_PAGES : -1;
  }

  /** Grows the queue until `count` more entries fit, or it can't be grown. */
  #makeRoom(count: number): void {
    for (;;) {
      const { length } = this.#queue;
      const free = ((this.#head - this.#tail - 2) & (length - 1)) / 2;
      if (free >= count || length > this.#maxEntries || !this.#growQueue(length)) return;
    }
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

  /**
   * Goes on following every marked block of the heap again, if some of them did not fit in the queue, which is
   * empty now; false if there is nothing to search.
   */
  #search(): boolean {
    if (this.#searchSpan < 0) {
      if (!this.#overflowed) return false;
      this.#overflowed = false;
      this.#searchSpan = this.#searchWord = 0;
    }
    const ints = this.#spans.ints;
    const { marks } = this.#arena.bitmap;
    const span = this.#spans.handle(this.#searchSpan);
    const blocks = ints[span + STATE] === IN_USE ? ints[span + BLOCKS] : 0;
    const word = this.#searchWord++;
    if (this.#searchWord << 5 >= blocks) {
      this.#searchWord = 0;
      if (++this.#searchSpan >= this.#spans.made) this.#searchSpan = -1;
    }
    if (word << 5 >= blocks) return true;
    const at = (ints[span + START] << MARK_SHIFT) + (word << 1);
    for (let bits = marks[at]; bits !== 0; bits &= bits - 1) {
      this.greyReferents(span, (word << 5) + lowestBit(bits));
    }
    return true;
  }

  /** Go's bitmap has a block boundary behind the last block, so its first word may be pointed to. */
  #checkSlack(offset: number, i: number): void {
    if (offset >= 1 << this.#wordShift) this.#invalid(i);
  }

  /** A small integer in a pointer word was never an address. */
  #checkSmall(low: number, i: number): void {
    if (low < this.#arena.platform.physPageBytes) this.#invalid(i);
  }

  /** Value `i` points where no object can be. */
  #invalid(i: number): void {
    if (!this.#invalidPointerThrows || this.#slots[i] === STORED) return;
    const value = (this.#values[2 * i] >>> 0) + (this.#values[2 * i + 1] >>> 0) * 2 ** 32;
    const word = this.#slots[i];
    const where = word === ROOT
      ? "a root"
      : `0x${(this.#arena.start + word * (1 << this.#wordShift)).toString(16)}`;
    throw new GoThrow(
      `runtime: garbage collector found invalid heap pointer *(${where})=0x${value.toString(16)}`,
    );
  }
}
