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
 * While a run is in the cache its free bits are 0, and its types are those of its PATTERN all over: the blocks
 * that are not handed out yet look like objects, so a cache gives back what it holds before anything is marked.
 *
 * Of a class with 32 blocks a page or more, the blocks of a run are cleared at once. What they held is put aside, a
 * page for each class, as long as nobody has asked for a block that is not cleared: for such a request it is put back.
 *
 * @module
 */

import { type Arena, ASIDE_BYTES } from "../arena/arena.ts";
import * as bitmapPlanes from "../arena/bitmap.ts";
import * as statistics from "../arena/stats.ts";
import { GoThrow } from "../errors.ts";
import * as platforms from "../platform/platform.ts";
import type { Pointer } from "../platform/platform.ts";
import type { Central } from "./central.ts";
import * as counting from "./bits.ts";
import type { FreeLists } from "./free_list.ts";
import type { LocalCounts } from "./page_heap.ts";
import * as cacheRecord from "./cache_record.ts";
import * as sizeClasses from "./size_classes.ts";
import * as spanRecord from "./span_record.ts";
import type { SpanTable } from "./span_table.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { lowestBit } = counting;
const { MARK_SHIFT } = bitmapPlanes;
const { LOOKUPS } = statistics;
const { PAGE_BYTES } = platforms;
const {
  ATTENTION,
  BASE,
  BLOCK_BYTES,
  CLASS_SHIFT,
  CLASS_WORDS,
  CHAINED,
  CLEAN,
  CLEARED,
  CONTENTS,
  COUNTED,
  CURSOR,
  END,
  FLOATS_LENGTH,
  INTS_LENGTH,
  INTS_SHIFT,
  LIMIT,
  LOCAL_CACHE_ALLOC,
  LOCAL_LOOKUPS,
  LOCAL_TAKEN,
  PATTERN,
  SPAN,
  SPARE,
  START_PAGE,
  STOP,
  TINY_END,
  TINY_OBJECTS,
  TINY_LEFT,
  TYPES,
  USED,
} = cacheRecord;
const { CLASS_TO_PAGES, CLASS_TO_SIZE, NUM_SIZE_CLASSES, TINY_BYTES } = sizeClasses;
const { BLOCKS, CHAIN_BLOCKS, EMPTY_SPAN, FREE_BLOCKS, FRESH, IN_CACHE, NO_SCAN, START } =
  spanRecord;

/** A free block of up to so many words holds nothing but the free list's link and mark. */
const LINK_WORDS = 2;

/** From so many blocks on a run is cleared at once, if its span is of one page. */
const MIN_CLEARED_BLOCKS = 32;

if (NUM_SIZE_CLASSES * PAGE_BYTES > ASIDE_BYTES) {
  throw new GoThrow(`no room to put ${NUM_SIZE_CLASSES} pages aside`);
}

/** The cache of one thread. See the head of the module. */
export class Cache implements LocalCounts {
  readonly floats: Float64Array = new Float64Array(new SharedArrayBuffer(8 * FLOATS_LENGTH));
  readonly ints: Int32Array = new Int32Array(new SharedArrayBuffer(4 * INTS_LENGTH));
  /** A bit a class: whether a span is held for it. Pages change hands too often to look at all classes. */
  readonly #held = new Int32Array(new SharedArrayBuffer(4 * CLASS_WORDS));
  /** Whether somebody asked for blocks as they are: from then on none is cleared before it is handed out. */
  #isKeeping = true;
  readonly #arena: Arena;
  readonly #spans: SpanTable;
  readonly #freeLists: FreeLists;
  readonly #central: Central;

  constructor(arena: Arena, spans: SpanTable, freeLists: FreeLists, central: Central) {
    this.#arena = arena;
    this.#spans = spans;
    this.#freeLists = freeLists;
    this.#central = central;
    this.clear();
    this.floats[SPARE] = Infinity;
  }

  /** The span that the cache holds for `cls`; EMPTY_SPAN if none. */
  spanOf(cls: number): number {
    return this.ints[(cls << INTS_SHIFT) + SPAN];
  }

  /** Blocks of the run that are not handed out yet: the head of that span's free list. */
  runBlocks(cls: number): { first: number; count: number } {
    const at = cls << CLASS_SHIFT;
    const size = CLASS_TO_SIZE[cls];
    // Integers for good, and so whatever is made of them.
    const first = ((this.floats[at + CURSOR] - this.floats[at + BASE]) / size) | 0;
    return { first, count: ((this.floats[at + END] - this.floats[at + CURSOR]) / size) | 0 };
  }

  /** Sets `bits` in ATTENTION: from now on every allocation takes the slow path. */
  attend(bits: number): void {
    this.ints[ATTENTION] |= bits;
    this.#setStops();
  }

  /** Clears `bits` in ATTENTION. */
  ignore(bits: number): void {
    this.ints[ATTENTION] &= ~bits;
    this.#setStops();
  }

  /**
   * Finds the next run for `cls`, in this span or another, and writes `pattern` all over its types, the codes
   * of which are `codes`; false if there is no memory. If that is 0 they are dead, and the caller's to write unless
   * the pattern is. Called when the run is used up. Seeds' MCache_Refill, where the span is used up as well.
   */
  refill(cls: number, pattern: number, codes: number): boolean {
    const at = cls << CLASS_SHIFT;
    this.#count(at);
    const slot = cls << INTS_SHIFT;
    const current = this.ints[slot + SPAN];
    if (current !== EMPTY_SPAN) {
      const records = this.#spans.ints;
      const isLeft = records[current + FREE_BLOCKS] > 0;
      if (isLeft && this.#nextRun(cls, current, pattern, codes)) return true;
      records[current + IN_CACHE] = 0;
      this.#drop(cls);
    }
    const span = this.#central.cacheSpan(cls);
    if (span < 0) return false;
    this.#held[cls >> 5] |= 1 << (cls & 31);
    const start = this.#spans.ints[span + START];
    const base = this.#arena.pageAddress(start);
    this.ints[slot + SPAN] = span;
    this.ints[slot + START_PAGE] = start;
    this.ints[slot + TYPES] = this.#arena.bitmap.typesOf(start);
    this.floats[at + BASE] = base;
    this.floats[at + END] = base;
    return this.#nextRun(cls, span, pattern, codes);
  }

  /** Sets STOP after the cursor of `cls` moved in the slow path. */
  setStop(cls: number): void {
    const at = cls << CLASS_SHIFT;
    const isFast = this.ints[(cls << INTS_SHIFT) + CONTENTS] <= CLEARED &&
      this.ints[ATTENTION] === 0;
    const { floats } = this;
    const cursor = floats[at + CURSOR];
    floats[at + STOP] = isFast ? Math.max(cursor, floats[at + LIMIT]) : cursor;
  }

  /** Has blocks of `cls` that begin at `limit` or behind it take the slow path. */
  setLimit(cls: number, limit: Pointer): void {
    const at = cls << CLASS_SHIFT;
    this.floats[at + LIMIT] = Math.min(limit, this.floats[at + END]);
    this.setStop(cls);
  }

  /** The classes that a span is held for, ascending. */
  get heldClasses(): number[] {
    const classes: number[] = [];
    for (let word = 0; word < CLASS_WORDS; word++) {
      for (let bits = this.#held[word]; bits !== 0; bits &= bits - 1) {
        classes.push((word << 5) + lowestBit(bits));
      }
    }
    return classes;
  }

  #setStops(): void {
    for (let word = 0; word < CLASS_WORDS; word++) {
      for (let bits = this.#held[word]; bits !== 0; bits &= bits - 1) {
        this.setStop((word << 5) + lowestBit(bits));
      }
    }
  }

  /** The free block behind the one at `offset`, as block number + 1: what Go's link in it would say. */
  blockAfter(cls: number, offset: number): number {
    const at = cls << CLASS_SHIFT;
    const block = offset / CLASS_TO_SIZE[cls] + 1;
    if (this.floats[at + CURSOR] < this.floats[at + END]) return block + 1;
    return this.#freeLists.firstFrom(this.spanOf(cls), block);
  }

  /** Gives all spans back to the central lists, classes ascending. Seeds' MCache_ReleaseAll. */
  releaseAll(): void {
    for (let cls = 1; cls < NUM_SIZE_CLASSES; cls++) {
      const span = this.spanOf(cls);
      if (span === EMPTY_SPAN) continue;
      this.#count(cls << CLASS_SHIFT);
      this.#putBack(cls);
      this.#giveBackRun(cls, span);
      this.#drop(cls);
      this.#central.uncacheSpan(span);
    }
  }

  /** Forgets everything: the heap is gone. */
  clear(): void {
    this.#held.fill(0);
    this.hideRuns();
  }

  /**
   * Has every allocation take the slow path and find nothing there. Whoever has kept `ints` and `floats` from before
   * may put them back.
   */
  hideRuns(): void {
    this.ints.fill(0);
    this.floats.fill(0);
    this.clearTiny();
  }

  /** Forgets the tiny block, which every collection does. */
  clearTiny(): void {
    this.floats[TINY_END] = 0.5;
    this.ints[TINY_LEFT] = 0;
  }

  /** The block at `address`, of which `used` bytes are taken, is gone on with if it has more room left than the one there is. */
  offerTiny(address: Pointer, used: number): void {
    const { ints } = this;
    const left = TINY_BYTES - used;
    if (left <= ints[TINY_LEFT]) return;
    ints[TINY_LEFT] = left;
    this.floats[TINY_END] = address + (TINY_BYTES + 0.5);
  }

  /** The tiny block: the address that the next object may have, and the bytes from there on. */
  get tiny(): { pos: Pointer; left: number } | null {
    const end = this.floats[TINY_END];
    const left = this.ints[TINY_LEFT];
    return end < 1 ? null : { pos: end - left - 0.5, left };
  }

  /** Bytes allocated here less bytes swept by this thread, not added up yet. */
  get cacheAlloc(): number {
    this.#countAll();
    return this.floats[LOCAL_CACHE_ALLOC];
  }

  takeCacheAlloc(): number {
    const bytes = this.cacheAlloc;
    this.floats[LOCAL_CACHE_ALLOC] = 0;
    return bytes;
  }

  /** Bytes of the blocks that were taken from here since this was asked last. */
  takeTaken(): number {
    this.#countAll();
    const bytes = this.floats[LOCAL_TAKEN];
    this.floats[LOCAL_TAKEN] = 0;
    return bytes;
  }

  /** Objects added to tiny blocks here, not added up yet. */
  get tinyAllocs(): number {
    return this.ints[TINY_OBJECTS];
  }

  takeTinyAllocs(): number {
    const count = this.tinyAllocs;
    this.ints[TINY_OBJECTS] = 0;
    return count;
  }

  /** Adds the lookups of this thread to the heap's; the rest of seeds' purgecachedstats is in the callers. */
  purgeLookups(stats: Float64Array): void {
    stats[LOOKUPS] += this.floats[LOCAL_LOOKUPS];
    this.floats[LOCAL_LOOKUPS] = 0;
  }

  #countAll(): void {
    for (let word = 0; word < CLASS_WORDS; word++) {
      for (let bits = this.#held[word]; bits !== 0; bits &= bits - 1) {
        this.#count(((word << 5) + lowestBit(bits)) << CLASS_SHIFT);
      }
    }
  }

  #count(at: number): void {
    const { floats } = this;
    const bytes = floats[at + CURSOR] - floats[at + COUNTED];
    floats[LOCAL_CACHE_ALLOC] += bytes;
    floats[LOCAL_TAKEN] += bytes;
    floats[at + COUNTED] = floats[at + CURSOR];
  }

  #drop(cls: number): void {
    this.#held[cls >> 5] &= ~(1 << (cls & 31));
    this.ints[(cls << INTS_SHIFT) + SPAN] = EMPTY_SPAN;
    this.ints[(cls << INTS_SHIFT) + CONTENTS] = CLEAN;
    const at = cls << CLASS_SHIFT;
    const { floats } = this;
    floats[at + CURSOR] = 0;
    floats[at + STOP] = 0;
    floats[at + END] = 0;
    floats[at + LIMIT] = 0;
    floats[at + COUNTED] = 0;
  }

  #nextRun(cls: number, span: number, pattern: number, codes: number): boolean {
    if (this.#nextBitmapRun(cls, span, pattern, codes)) return true;
    const block = this.#freeLists.popChain(span);
    if (block < 0) return false;
    this.#setRun(cls, block, block + 1, CHAINED, pattern, codes);
    return true;
  }

  /** Takes the first stretch of free bits, which may cross words. */
  #nextBitmapRun(cls: number, span: number, pattern: number, codes: number): boolean {
    const ints = this.#spans.ints;
    const marks = this.#arena.bitmap.marks;
    const free = (ints[span + START] << MARK_SHIFT) + 1;
    const blocks = ints[span + BLOCKS];
    const words = (blocks + 31) >> 5;
    // Often all of them are dead: one stretch, which need not be searched for.
    if (ints[span + FREE_BLOCKS] === blocks && ints[span + CHAIN_BLOCKS] === 0) {
      for (let word = 0; word < words; word++) marks[free + (word << 1)] = 0;
      this.#startRun(cls, span, 0, blocks, pattern, codes);
      return true;
    }
    // Everything before the last run is taken already, so the search goes on where that ended.
    const at = cls << CLASS_SHIFT;
    let word = 0;
    if (words > 1) {
      word = ((this.floats[at + END] - this.floats[at + BASE]) / CLASS_TO_SIZE[cls]) >> 5;
    }
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
    this.#startRun(cls, span, first, end, pattern, codes);
    return true;
  }

  /** Blocks `first` to `end` of a span, whose free bits are 0 now, are the run. */
  #startRun(
    cls: number,
    span: number,
    first: number,
    end: number,
    pattern: number,
    codes: number,
  ): void {
    const ints = this.#spans.ints;
    ints[span + FREE_BLOCKS] -= end - first;
    const contents = ints[span + FRESH] !== 0 ? CLEAN : this.#clearRun(cls, span, first, end);
    this.#setRun(cls, first, end, contents, pattern, codes);
  }

  /** Clears the blocks of a run all at once, if that is worth it; returns what is in them then. */
  #clearRun(cls: number, span: number, first: number, end: number): number {
    const size = CLASS_TO_SIZE[cls];
    const isSmall = size <= LINK_WORDS << this.#arena.wordShift;
    const isMany = end - first >= MIN_CLEARED_BLOCKS && CLASS_TO_PAGES[cls] === 1;
    if (!isSmall && !(isMany && this.#isKeeping)) return USED;
    const from = first * size;
    const to = end * size;
    const start = this.#arena.pageAddress(this.#spans.ints[span + START]);
    const memory = this.#arena.memoryAt(start);
    if (isSmall) {
      memory.clear(start + from, to - from);
      return CLEAN;
    }
    const { aside } = this.#arena;
    aside.copy(aside.base + cls * PAGE_BYTES + from, memory, start + from, to - from);
    memory.clear(start + from, to - from);
    return CLEARED;
  }

  /**
   * Somebody wants blocks as they are. Puts back what was in those that were cleared early; from now on
   * every block is cleared when it is handed out.
   */
  clearNoMoreRuns(): void {
    if (!this.#isKeeping) return;
    this.#isKeeping = false;
    for (let cls = 1; cls < NUM_SIZE_CLASSES; cls++) this.#putBack(cls);
  }

  /** Makes the rest of a run that was cleared hold what it held before. */
  #putBack(cls: number): void {
    const slot = cls << INTS_SHIFT;
    if (this.ints[slot + CONTENTS] !== CLEARED) return;
    const { first, count } = this.runBlocks(cls);
    const size = CLASS_TO_SIZE[cls];
    const { aside } = this.#arena;
    const kept = aside.base + cls * PAGE_BYTES + first * size;
    const p = this.#arena.pageAddress(this.ints[slot + START_PAGE]) + first * size;
    this.#arena.memoryAt(p).copy(p, aside, kept, count * size);
    this.ints[slot + CONTENTS] = USED;
    this.setStop(cls);
  }

  #setRun(
    cls: number,
    first: number,
    end: number,
    contents: number,
    pattern: number,
    codes: number,
  ): void {
    const at = cls << CLASS_SHIFT;
    const slot = cls << INTS_SHIFT;
    const size = CLASS_TO_SIZE[cls];
    const { floats, ints } = this;
    const cursor = floats[at + BASE] + first * size;
    floats[at + CURSOR] = cursor;
    floats[at + COUNTED] = cursor;
    floats[at + END] = floats[at + BASE] + end * size;
    floats[at + LIMIT] = this.#promise(floats[at + END] - cursor) ? floats[at + END] : 0;
    floats[at + BLOCK_BYTES] = size;
    floats[at + PATTERN] = pattern;
    ints[slot + CONTENTS] = contents;
    const records = this.#spans.ints;
    const span = ints[slot + SPAN];
    if (codes !== 0) records[span + NO_SCAN] = 0;
    else if (records[span + NO_SCAN] !== 0) return;
    const { bitmap, wordShift } = this.#arena;
    bitmap.fillTypes(
      ints[slot + TYPES],
      (first * size) >> wordShift,
      (end * size) >> wordShift,
      codes,
      size >> wordShift,
    );
    if (codes === 0 && end - first === records[span + BLOCKS]) records[span + NO_SCAN] = 1;
  }

  /** Takes bytes off SPARE, if there are as many. */
  #promise(bytes: number): boolean {
    const { floats } = this;
    if (bytes > floats[SPARE]) return false;
    floats[SPARE] -= bytes;
    return true;
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
