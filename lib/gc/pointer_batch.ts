/**
 * Pointers on their way from memory to the queue of marking: the loops that load some hundred words, and queue the blocks
 * that these point into (marker.ts).
 *
 * A slot says where a pointer is. It is an int32, so that the loop which loads has no more than two loads and a
 * store: the word is counted from the start of a *segment* of 16 GiB of the arena (8 on 4-byte words), and all
 * slots of a batch are of one segment.
 *
 * ```
 *   slots    │ word │ word │ ...            values   │ low half │ high half │ low half │ high half │ ...
 *            └ or where else a value comes from: ROOT, STORED
 * ```
 *
 * The block of a value is found as the head of marker.ts shows, and queued unseen: whether it is marked is not
 * asked. What a page holds is looked up for each value. Only where neighbours are expected to point to neighbours,
 * once for all values in a row that point into one page; those that point to one block after the other become one
 * entry, and no value is put aside, since what lies together arrives together. That is a third of the work there, and
 * would be twice the work elsewhere.
 *
 * A value that cannot be a pointer is an error. So it is found out here, where its place is still known.
 *
 * @module
 */

import * as arenaTables from "../arena/arena.ts";
import type { Arena } from "../arena/arena.ts";
import * as bitmapPlanes from "../arena/bitmap.ts";
import { GoThrow } from "../errors.ts";
import * as platforms from "../platform/platform.ts";
import type { Pointer } from "../platform/platform.ts";
import * as sizeClasses from "../spans/size_classes.ts";
import * as spanRecord from "../spans/span_record.ts";
import type { SpanTable } from "../spans/span_table.ts";
import * as markEntry from "./mark_entry.ts";
import type { MarkQueue } from "./mark_queue.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { HOLE, INFO_CLASS_SHIFT, INFO_PAGE_MASK } = arenaTables;
const { MARK_SHIFT } = bitmapPlanes;
const { PAGE_BYTES, PAGE_SHIFT } = platforms;
const { CLASS_TO_BLOCKS, CLASS_TO_SIZE, RECIPROCAL, RECIPROCAL_SHIFT } = sizeClasses;
const { NO_SCAN } = spanRecord;
const {
  CHUNK_MASK,
  ENTRY_BLOCK_SHIFT,
  ENTRY_MORE_SHIFT,
  ENTRY_PAGE_SHIFT,
  LARGE_REST,
  REGION_INTS,
  REGION_SHIFT,
  TAIL,
} = markEntry;

/** The most slots of a batch. */
export const SLOTS = 2048;
/** Stands in the place of a slot for a pointer that was not found in the heap. */
export const ROOT = -1;
/** The same for one that the program has just stored: whether it is valid is found out when it is loaded. */
export const STORED = -2;
/** The page in a segment: so many that their words have numbers which are int32. */
export const SEGMENT_MASK = 2 ** 21 - 1;

/** So many values are dealt with one by one where one of them needs more than the loop gives: it seldom comes alone. */
const FEW = 8;
/** So many pages of words have halves whose numbers are int32. */
const MOST_NEAR_PAGES = 2 ** 20;

/**
 * By the class in a pageInfo, of which all but those of small objects have no blocks here: the factor that turns an
 * offset into a block number, and how far to shift the product, below the number of blocks.
 */
const FACTOR = new Int32Array(256);
const LIMIT = new Int32Array(256);
const LIMIT_SHIFT = 5;
const BLOCK_BYTES = new Int32Array(256);
for (let cls = 1; cls < CLASS_TO_SIZE.length; cls++) {
  FACTOR[cls] = RECIPROCAL[cls];
  BLOCK_BYTES[cls] = CLASS_TO_SIZE[cls];
  LIMIT[cls] = (CLASS_TO_BLOCKS[cls] << LIMIT_SHIFT) | RECIPROCAL_SHIFT[cls];
}

/** The entry of a small block, or of the rest of a large object. */
function entryOf(page: number, block: number, cls: number): number {
  return ((page & ((1 << REGION_SHIFT) - 1)) << ENTRY_PAGE_SHIFT) | (block << ENTRY_BLOCK_SHIFT) |
    cls;
}

/** Where the TAIL of the region of `page` stands. */
function tailOf(page: number): number {
  return (page >>> REGION_SHIFT) * REGION_INTS + TAIL;
}

/** The page of a value, counted from the arena's start; one that the arena does not have, if that is far away. */
function pageOf(low: number, high: number, basePage: number, baseHigh: number): number {
  const above = (high - baseHigh) >>> 0;
  return above > 32 ? -1 : ((above << (32 - PAGE_SHIFT)) + (low >>> PAGE_SHIFT) - basePage) | 0;
}

/** The number of the block at the place `low` of a page with `info`; none that there is, if it is no block of a small object. */
function blockOf(info: number, low: number): number {
  const cls = info >>> INFO_CLASS_SHIFT;
  const unit = ((info & INFO_PAGE_MASK) << (PAGE_SHIFT - 3)) | ((low >>> 3) & (PAGE_BYTES / 8 - 1));
  return Math.imul(unit, FACTOR[cls]) >>> LIMIT[cls];
}

/** The batch of one marker. See the head of the module. */
export class PointerBatch {
  /** Words of the heap that are to be loaded, counted from the segment's start. */
  readonly slots: Int32Array = new Int32Array(SLOTS);
  /** How many there are. */
  count = 0;
  /** Whether the values are expected to point into one page for a while. */
  areNeighbours = false;
  /** Set when a block had to be marked without being queued. */
  overflowed = false;
  /** Whether a word that cannot be a pointer is an error; Go's invalidptr. */
  readonly #invalidPointerThrows: boolean;
  readonly #arena: Arena;
  readonly #spans: SpanTable;
  readonly #queue: MarkQueue;
  readonly #wordShift: number;
  /** Low half of the arena's start in pages, and its high half: pages are counted from them. */
  readonly basePage: number;
  readonly baseHigh: number;
  /** The first page of the segment. */
  #segment = 0;
  /** What was loaded: low and high half. */
  readonly #longValues = new Float64Array(SLOTS);
  readonly #values = new Int32Array(this.#longValues.buffer);

  constructor(arena: Arena, spans: SpanTable, queue: MarkQueue, invalidPointerThrows: boolean) {
    this.#arena = arena;
    this.#spans = spans;
    this.#queue = queue;
    this.#invalidPointerThrows = invalidPointerThrows;
    this.#wordShift = arena.wordShift;
    this.baseHigh = Math.floor(arena.start / 2 ** 32);
    this.basePage = (arena.start >>> 0) >>> PAGE_SHIFT;
  }

  /** Queues the block that `p` points into, if there is one; `place` is ROOT or STORED. */
  greyOne(p: Pointer, place: number): void {
    this.flush();
    this.slots[0] = place;
    this.#values[0] = p | 0;
    this.#values[1] = Math.floor(p / 2 ** 32);
    this.#queue.reserve(1, this.#arena.usedPages);
    this.#grey(0);
  }

  /** Has slots count from the segment of `page`: what was noted in another one is dealt with first. */
  enterSegment(page: number): void {
    const segment = page & ~SEGMENT_MASK;
    if (segment === this.#segment) return;
    this.flush();
    this.#segment = segment;
  }

  /** Loads what the slots say, and queues the blocks pointed into. */
  flush(): void {
    const { count } = this;
    if (count === 0) return;
    this.count = 0;
    this.#queue.reserve(count, this.#arena.usedPages);
    if (this.areNear) {
      for (let i = 0; (i = this.#greyNeighbours(i, count)) < count;) {
        const end = Math.min(i + FEW, count);
        this.#loadLong(i, end);
        for (; i < end; i++) this.#grey(i);
      }
      return;
    }
    if (this.#isPlain) this.#loadLong(0, count);
    else if (this.#wordShift === 3) this.#loadFromBoth(count);
    else this.#loadShort(count);
    for (let i = 0; (i = this.#greyScattered(i, count)) < count;) {
      for (const end = Math.min(i + FEW, count); i < end; i++) this.#grey(i);
    }
  }

  /** Loads what slots `from` to `count` say. A word is copied as a float64: any bits but those of a NaN arrive as they are. */
  #loadLong(from: number, count: number): void {
    const slots = this.slots;
    const values = this.#longValues;
    const { memory: { f64 } } = this.#arena;
    for (let i = from | 0, end = count | 0; i < end; i++) values[i] = f64[slots[i]];
  }

  /** The same for all slots, in an arena of two windows, or of more than one segment. */
  #loadFromBoth(count: number): void {
    const { memory, upperMemory, start } = this.#arena;
    const { f64, base } = upperMemory ?? memory;
    const upperWord = (base - start) / 8;
    const firstWord = this.#segmentWord;
    for (let i = 0; i < count; i++) {
      const word = firstWord + this.slots[i];
      this.#longValues[i] = word < upperWord ? memory.f64[word] : f64[word - upperWord];
    }
  }

  #loadShort(count: number): void {
    const slots = this.slots;
    const values = this.#values;
    const { i32 } = this.#arena.memory;
    for (let i = 0; i < count; i++) {
      values[2 * i] = i32[slots[i]];
      values[2 * i + 1] = 0;
    }
  }

  /** The first word of the segment, counted from the arena's start. */
  get #segmentWord(): number {
    return this.#segment * (PAGE_BYTES >> this.#wordShift);
  }

  /** Whether neighbours are expected, and slots are words of the arena's memory whose halves have numbers that are int32. */
  get areNear(): boolean {
    return this.areNeighbours && this.#isPlain && this.#arena.usedPages <= MOST_NEAR_PAGES;
  }

  /** Whether slots are words of the arena's memory, as they are. */
  get #isPlain(): boolean {
    return this.#wordShift === 3 && this.#arena.upperMemory === null && this.#segment === 0;
  }

  // The two loops call nothing, so that V8 keeps what they need in registers. They end at a value that needs more.

  /** Queues what the values from `from` on point to; returns the first that needs more than that, or `end`. */
  #greyScattered(from: number, end: number): number {
    const values = this.#values;
    const { pageInfo, usedPages } = this.#arena;
    const { entries, regions } = this.#queue;
    const baseHigh = this.baseHigh | 0;
    const basePage = this.basePage | 0;
    const last = end | 0;
    let i = from | 0;
    for (; i < last; i++) {
      const low = values[2 * i];
      const high = values[2 * i + 1];
      const page = pageOf(low, high, basePage, baseHigh);
      if (page >>> 0 >= usedPages) {
        if ((low | high) === 0) continue;
        break;
      }
      const info = pageInfo[page];
      const block = blockOf(info, low);
      const cls = info >>> INFO_CLASS_SHIFT;
      if (block >= LIMIT[cls] >> LIMIT_SHIFT) break;
      const start = page - (info & INFO_PAGE_MASK);
      const at = tailOf(start);
      const tail = regions[at];
      if ((tail & CHUNK_MASK) === 0) break;
      entries[tail] = entryOf(start, block, cls);
      regions[at] = tail + 1;
    }
    return i;
  }

  /**
   * Loads and queues what the slots from `from` on say, where one value and the next point into one page more often than not,
   * if not to the next block.
   */
  #greyNeighbours(from: number, count: number): number {
    const slots = this.slots;
    const { memory: { i32 }, pageInfo, usedPages } = this.#arena;
    const { entries, regions } = this.#queue;
    const baseHigh = this.baseHigh | 0;
    const basePage = this.basePage | 0;
    const end = count | 0;
    let i = from | 0;
    while (i < end) {
      let low = i32[slots[i] << 1];
      const high = i32[slots[i] << 1 | 1];
      if ((low | high) === 0) {
        do i++; while (i < end && (i32[slots[i] << 1] | i32[slots[i] << 1 | 1]) === 0);
        continue;
      }
      const page = pageOf(low, high, basePage, baseHigh);
      const info = page >>> 0 < usedPages ? pageInfo[page] : 0;
      const cls = info >>> INFO_CLASS_SHIFT;
      const limit = LIMIT[cls];
      const blocks = limit >> LIMIT_SHIFT;
      const factor = FACTOR[cls];
      const pageInSpan = info & INFO_PAGE_MASK;
      const firstUnit = pageInSpan << (PAGE_SHIFT - 3);
      let block = Math.imul(firstUnit | ((low >>> 3) & (PAGE_BYTES / 8 - 1)), factor) >>> limit;
      // Behind the last MiB before 4 GiB the upper halves of neighbours differ.
      if (block >= blocks || low >>> 20 === 0xfff) break;
      const start = page - pageInSpan;
      const at = tailOf(start);
      let tail = regions[at];
      if ((tail & CHUNK_MASK) === 0) break;
      const size = BLOCK_BYTES[cls];
      const entry = entryOf(start, 0, cls);
      const pageLow = low & -PAGE_BYTES;
      const chunkEnd = tail | CHUNK_MASK;
      do {
        const first = block;
        const most = Math.min(31 - (block & 31), blocks - 1 - block);
        let more = 0;
        i++;
        while (i < end && more < most) {
          low = (low + size) | 0;
          if (i32[slots[i] << 1] !== low || i32[slots[i] << 1 | 1] !== high) break;
          more++;
          i++;
        }
        entries[tail++] = entry | (first << ENTRY_BLOCK_SHIFT) | (more << ENTRY_MORE_SHIFT);
        if (i >= end || tail > chunkEnd) break;
        low = i32[slots[i] << 1];
        const offset = low ^ pageLow;
        if (offset >>> PAGE_SHIFT !== 0 || i32[slots[i] << 1 | 1] !== high) break;
        block = Math.imul(firstUnit | (offset >>> 3), factor) >>> limit;
      } while (block < blocks);
      regions[at] = tail;
    }
    return i;
  }

  /** Queues what value `i` points to, or marks it, or checks that it is a pointer that may be anywhere but in a block. */
  #grey(i: number): void {
    const low = this.#values[2 * i];
    const high = this.#values[2 * i + 1];
    const page = pageOf(low, high, this.basePage, this.baseHigh);
    if (page >>> 0 >= this.#arena.usedPages) {
      // A small integer in a pointer word was never an address.
      const isSmall = high === 0 && low >>> 0 < this.#arena.platform.physPageBytes;
      if (isSmall && low !== 0) this.#invalid(i);
      return;
    }
    const info = this.#arena.pageInfo[page];
    const cls = info >> INFO_CLASS_SHIFT;
    if (cls <= 0) {
      const start = this.#markLarge(page, low, i);
      if (start >= 0 && !this.queueRest(start)) this.overflowed = true;
      return;
    }
    const pageInSpan = info & INFO_PAGE_MASK;
    const block = blockOf(info, low);
    if (block >= LIMIT[cls] >> LIMIT_SHIFT) {
      const offset = (pageInSpan << PAGE_SHIFT) | (low & (PAGE_BYTES - 1));
      this.#checkSlack(offset % CLASS_TO_SIZE[cls], i);
      return;
    }
    const start = page - pageInSpan;
    if (!this.#queue.put(start >>> REGION_SHIFT, entryOf(start, block, cls))) {
      this.#markUnqueued(start, block);
    }
  }

  /** Marks a block that cannot be queued. */
  #markUnqueued(start: number, block: number): void {
    const { marks } = this.#arena.bitmap;
    const at = (start << MARK_SHIFT) + ((block >>> 5) << 1);
    const bit = 1 << (block & 31);
    if (((marks[at] | marks[at + 1]) & bit) !== 0) return;
    marks[at] |= bit;
    this.overflowed = true;
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
    // Only its own bit: that of LARGE_REST may be set while other blocks that were taken with it are followed.
    if ((marks[start << MARK_SHIFT] & 1) !== 0) return -1;
    marks[start << MARK_SHIFT] |= 1;
    return this.#spans.ints[span + NO_SCAN] === 0 ? start : -1;
  }

  /** Queues the rest of a large object, from `page` on; false if there is no memory. */
  queueRest(page: number): boolean {
    // The page may be the first of a span that is no more: what is left of its bits would hide the entry.
    const { marks } = this.#arena.bitmap;
    marks[page << MARK_SHIFT] &= ~(1 << LARGE_REST);
    marks[(page << MARK_SHIFT) + 1] &= ~(1 << LARGE_REST);
    return this.#queue.put(page >>> REGION_SHIFT, entryOf(page, LARGE_REST, 0));
  }

  /** Go's bitmap has a block boundary behind the last block, so its first word may be pointed to. */
  #checkSlack(offset: number, i: number): void {
    if (offset >= 1 << this.#wordShift) this.#invalid(i);
  }

  /** Value `i` points where no object can be. */
  #invalid(i: number): void {
    if (!this.#invalidPointerThrows || this.slots[i] === STORED) return;
    const value = (this.#values[2 * i] >>> 0) + (this.#values[2 * i + 1] >>> 0) * 2 ** 32;
    const slot = this.slots[i];
    const word = this.#segmentWord + slot;
    const where = slot === ROOT
      ? "a root"
      : `0x${(this.#arena.start + word * (1 << this.#wordShift)).toString(16)}`;
    throw new GoThrow(
      `runtime: garbage collector found invalid heap pointer *(${where})=0x${value.toString(16)}`,
    );
  }
}
