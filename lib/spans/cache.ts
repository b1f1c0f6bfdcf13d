/**
 * A thread's cache: for each size class, the span that this thread allocates from, and in it the run of
 * free blocks that it is using up.
 *
 * A run is a stretch of neighbouring free blocks, so taking a block is moving an offset. Only when the run
 * is used up is the next one looked for in the span's free bits, then in its chain, then in another span.
 *
 * ```
 *   the span    │ used │ used │▒▒▒▒▒▒│▒▒▒▒▒▒│ used │ free │ free │ used │
 *                              CURSOR        END           next run
 * ```
 *
 * While a run is in the cache its free bits are 0 and its types are dead. What a cache holds goes back when
 * a collection begins and when statistics are read.
 *
 * @module
 */

import type { Arena } from "../arena/arena.ts";
import * as bitmapPlanes from "../arena/bitmap.ts";
import * as statistics from "../arena/stats.ts";
import * as platforms from "../platform/platform.ts";
import type { Pointer } from "../platform/platform.ts";
import type { CentralLists } from "./central.ts";
import { lowestBit } from "./bits.ts";
import type { FreeLists } from "./free_list.ts";
import type { LocalCounts } from "./page_heap.ts";
import * as cacheRecord from "./cache_record.ts";
import * as sizeClasses from "./size_classes.ts";
import * as spanRecord from "./span_record.ts";
import type { SpanTable } from "./span_table.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { MARK_SHIFT } = bitmapPlanes;
const { LOOKUPS } = statistics;
const { PAGE_BYTES } = platforms;
const {
  BLOCK_BYTES,
  CLASS_SHIFT,
  CLASS_WORDS,
  CHAINED,
  CLEAN,
  CONTENTS,
  COUNTED,
  CURSOR,
  END,
  FLOATS_LENGTH,
  LOCAL_CACHE_ALLOC,
  LOCAL_LOOKUPS,
  LOCAL_TINY_ALLOCS,
  SPAN,
  START_PAGE,
  TINY_ADDRESS,
  TINY_LEFT,
  TYPES,
  USED,
} = cacheRecord;
const { CLASS_TO_SIZE, NUM_SIZE_CLASSES, TINY_BYTES } = sizeClasses;
const { BLOCKS, EMPTY_SPAN, FREE_BLOCKS, FRESH, IN_CACHE, START } = spanRecord;

/**
 * Runs of blocks up to this class, of 16 bytes, are cleared all at once. In a larger block, somebody who wants
 * it as it is may find more than the free list's link and mark.
 */
const LAST_BULK_CLASS = 2;

/** The cache of one thread. See the head of the module. */
export class Cache implements LocalCounts {
  readonly ints: Int32Array = new Int32Array(
    new SharedArrayBuffer(4 * (NUM_SIZE_CLASSES << CLASS_SHIFT)),
  );
  readonly floats: Float64Array = new Float64Array(new SharedArrayBuffer(8 * FLOATS_LENGTH));
  /** A bit a class: whether a span is held for it. Pages change hands too often to look at all classes. */
  readonly #held = new Int32Array(new SharedArrayBuffer(4 * CLASS_WORDS));
  readonly #arena: Arena;
  readonly #spans: SpanTable;
  readonly #freeLists: FreeLists;
  readonly #central: CentralLists;

  constructor(arena: Arena, spans: SpanTable, freeLists: FreeLists, central: CentralLists) {
    this.#arena = arena;
    this.#spans = spans;
    this.#freeLists = freeLists;
    this.#central = central;
  }

  /** The span that the cache holds for `cls`; EMPTY_SPAN if none. */
  spanOf(cls: number): number {
    return this.ints[(cls << CLASS_SHIFT) + SPAN];
  }

  /** Blocks of the run that are not handed out yet: the head of that span's free list. */
  runBlocks(cls: number): { first: number; count: number } {
    const at = cls << CLASS_SHIFT;
    const size = CLASS_TO_SIZE[cls];
    const first = this.ints[at + CURSOR] / size;
    return { first, count: this.ints[at + END] / size - first };
  }

  /**
   * Finds the next run for `cls`, in this span or another; false if there is no memory. Called when the run
   * is used up. Seeds' MCache_Refill, where the span is used up as well.
   */
  refill(cls: number): boolean {
    const at = cls << CLASS_SHIFT;
    this.#count(at);
    const current = this.ints[at + SPAN];
    if (current !== EMPTY_SPAN) {
      if (this.#nextRun(cls, current)) return true;
      this.#spans.ints[current + IN_CACHE] = 0;
      this.#drop(at);
    }
    const span = this.#central.cacheSpan(cls);
    if (span < 0) return false;
    this.ints[at + SPAN] = span;
    this.#held[cls >> 5] |= 1 << (cls & 31);
    const start = this.#spans.ints[span + START];
    this.ints[at + TYPES] = start * this.#arena.bitmap.typeInts;
    this.ints[at + BLOCK_BYTES] = CLASS_TO_SIZE[cls];
    this.ints[at + START_PAGE] = start;
    this.floats[cls] = this.#arena.pageAddress(start);
    return this.#nextRun(cls, span);
  }

  /** The free block behind the one at `offset`, as block number + 1: what Go's link in it would say. */
  blockAfter(cls: number, offset: number): number {
    const at = cls << CLASS_SHIFT;
    const block = offset / CLASS_TO_SIZE[cls] + 1;
    if (this.ints[at + CURSOR] < this.ints[at + END]) return block + 1;
    return this.#freeLists.firstFrom(this.ints[at + SPAN], block);
  }

  /** Gives all spans back to the central lists, classes ascending. Seeds' MCache_ReleaseAll. */
  releaseAll(): void {
    for (let cls = 1; cls < NUM_SIZE_CLASSES; cls++) {
      const at = cls << CLASS_SHIFT;
      const span = this.ints[at + SPAN];
      if (span === EMPTY_SPAN) continue;
      this.#count(at);
      this.#giveBackRun(cls, span);
      this.#drop(at);
      this.#central.uncacheSpan(span);
    }
  }

  /** Forgets everything: the heap is gone. */
  clear(): void {
    this.ints.fill(0);
    this.floats.fill(0);
    this.#held.fill(0);
  }

  /** Forgets the tiny block, which every collection does. */
  clearTiny(): void {
    this.floats[TINY_ADDRESS] = 0;
    this.ints[TINY_LEFT] = 0;
  }

  /** The tiny block: the address that the next object may have, and the bytes from there on. */
  get tiny(): { pos: Pointer; left: number } | null {
    const block = this.floats[TINY_ADDRESS];
    const left = this.ints[TINY_LEFT];
    return block === 0 ? null : { pos: block + TINY_BYTES - left, left };
  }

  /** Bytes allocated here less bytes swept by this thread, not added up yet. */
  get cacheAlloc(): number {
    for (let word = 0; word < CLASS_WORDS; word++) {
      for (let bits = this.#held[word]; bits !== 0; bits &= bits - 1) {
        this.#count(((word << 5) + lowestBit(bits)) << CLASS_SHIFT);
      }
    }
    return this.floats[LOCAL_CACHE_ALLOC];
  }

  takeCacheAlloc(): number {
    const bytes = this.cacheAlloc;
    this.floats[LOCAL_CACHE_ALLOC] = 0;
    return bytes;
  }

  takeTinyAllocs(): number {
    const count = this.ints[LOCAL_TINY_ALLOCS];
    this.ints[LOCAL_TINY_ALLOCS] = 0;
    return count;
  }

  /** Adds the lookups of this thread to the heap's; the rest of seeds' purgecachedstats is in the callers. */
  purgeLookups(stats: Float64Array): void {
    stats[LOOKUPS] += this.floats[LOCAL_LOOKUPS];
    this.floats[LOCAL_LOOKUPS] = 0;
  }

  #count(at: number): void {
    const ints = this.ints;
    this.floats[LOCAL_CACHE_ALLOC] += ints[at + CURSOR] - ints[at + COUNTED];
    ints[at + COUNTED] = ints[at + CURSOR];
  }

  #drop(at: number): void {
    const cls = at >> CLASS_SHIFT;
    this.#held[cls >> 5] &= ~(1 << (cls & 31));
    for (let field = 0; field < 1 << CLASS_SHIFT; field++) this.ints[at + field] = 0;
  }

  #nextRun(cls: number, span: number): boolean {
    if (this.#nextBitmapRun(cls, span)) return true;
    const block = this.#freeLists.popChain(span);
    if (block < 0) return false;
    this.#setRun(cls, block, block + 1, CHAINED);
    return true;
  }

  /** Takes the first stretch of free bits, which may cross words. */
  #nextBitmapRun(cls: number, span: number): boolean {
    const ints = this.#spans.ints;
    const marks = this.#arena.bitmap.marks;
    const free = (ints[span + START] << MARK_SHIFT) + 1;
    const words = (ints[span + BLOCKS] + 31) >> 5;
    // Everything before the last run is taken already, so the search goes on where that ended.
    const at = cls << CLASS_SHIFT;
    let word = (this.ints[at + END] / CLASS_TO_SIZE[cls]) >> 5;
    while (word < words && marks[free + (word << 1)] === 0) word++;
    if (word >= words) return false;

    const bits = marks[free + (word << 1)];
    const low = lowestBit(bits);
    const zeroes = ~(bits >>> low);
    const length = zeroes === 0 ? 32 : Math.min(lowestBit(zeroes), 32 - low);
    const first = (word << 5) + low;
    let end = first + length;
    marks[free + (word << 1)] = length === 32 ? 0 : bits & ~((~(-1 << length)) << low);
    while ((end & 31) === 0 && ++word < words) {
      const more = marks[free + (word << 1)];
      const ones = more === -1 ? 32 : lowestBit(~more);
      if (ones === 0) break;
      marks[free + (word << 1)] = ones === 32 ? 0 : more & (-1 << ones);
      end += ones;
    }
    ints[span + FREE_BLOCKS] -= end - first;
    let contents = ints[span + FRESH] !== 0 ? CLEAN : USED;
    if (contents === USED && cls <= LAST_BULK_CLASS) {
      const size = CLASS_TO_SIZE[cls];
      this.#arena.clear(ints[span + START] * PAGE_BYTES + first * size, (end - first) * size);
      contents = CLEAN;
    }
    this.#setRun(cls, first, end, contents);
    return true;
  }

  #setRun(cls: number, first: number, end: number, contents: number): void {
    const at = cls << CLASS_SHIFT;
    const size = CLASS_TO_SIZE[cls];
    const cached = this.ints;
    cached[at + CURSOR] = first * size;
    cached[at + COUNTED] = first * size;
    cached[at + END] = end * size;
    cached[at + CONTENTS] = contents;
    const { pointerBytes } = this.#arena.platform;
    this.#arena.bitmap.clearTypes(
      cached[at + TYPES],
      (first * size) / pointerBytes,
      ((end - first) * size) / pointerBytes,
    );
  }

  #giveBackRun(cls: number, span: number): void {
    const { first, count } = this.runBlocks(cls);
    const free = (this.#spans.ints[span + START] << MARK_SHIFT) + 1;
    const marks = this.#arena.bitmap.marks;
    for (let block = first; block < first + count; block++) {
      marks[free + ((block >>> 5) << 1)] |= 1 << (block & 31);
    }
    this.#spans.ints[span + FREE_BLOCKS] += count;
  }
}
