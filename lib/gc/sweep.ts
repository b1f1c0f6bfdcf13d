/**
 * Sweeping: what was not marked becomes free.
 *
 * Nothing is swept when marking ends; only the heap's sweep generation goes up by two, and each span then
 * shows by its own what is to be done with it:
 *
 * ```
 *   span generation = heap generation - 2    to be swept
 *                     heap generation - 1    some thread is sweeping it
 *                     heap generation        swept
 * ```
 *
 * A span is swept when somebody needs what it may hold (a cache its free blocks, the page heap its pages, a
 * finalizer its place), or by a sweep in global order: all at once if the collection was an eager one, else
 * a slice at a time between the turns of the event loop, and before the next collection at the latest. When
 * that sweep comes to the end nothing is left, and SWEEP_DONE says so.
 *
 * Sweeping reads 32 blocks' marks at a time and touches no block: those that are neither marked nor free
 * become free, and that is two int32 to write. Only specials are looked at one by one.
 *
 * @module
 */

import type { Arena } from "../arena/arena.ts";
import * as bitmapPlanes from "../arena/bitmap.ts";
import * as statistics from "../arena/stats.ts";
import * as platforms from "../platform/platform.ts";
import type { Pointer } from "../platform/platform.ts";
import * as cacheRecord from "../spans/cache_record.ts";
import type { Cache } from "../spans/cache.ts";
import type { Central } from "../spans/central.ts";
import * as counting from "../spans/bits.ts";
import * as freeLists from "../spans/free_list.ts";
import type { FreeLists } from "../spans/free_list.ts";
import type { PageHeap, Sweeper } from "../spans/page_heap.ts";
import * as sizeClasses from "../spans/size_classes.ts";
import * as spanRecord from "../spans/span_record.ts";
import type { SpanTable } from "../spans/span_table.ts";
import type { Pacer } from "./pacer.ts";
import type { Slice } from "./slice.ts";
import * as specialRecord from "./special_record.ts";
import type { Specials } from "./specials.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { lowestBit, popCount } = counting;
const { blockBits } = freeLists;
const { MARK_SHIFT } = bitmapPlanes;
const { LARGE_FREE_BYTES, LARGE_FREES, SMALL_FREES } = statistics;
const { PAGE_BYTES } = platforms;
const { LOCAL_CACHE_ALLOC } = cacheRecord;
const { CLASS_TO_SIZE, RECIPROCAL, RECIPROCAL_SHIFT } = sizeClasses;
const { DATA, KIND, KIND_FINALIZER, NEXT, OFFSET } = specialRecord;
const {
  BLOCKS,
  CLASS,
  FREE_BLOCKS,
  FRESH,
  HEAP_SWEEPGEN,
  IN_USE,
  NEED_ZERO,
  PAGES,
  START,
  STATE,
  SWEEP_DONE,
  SWEEP_POSITION,
  SWEEP_RECORDS,
  SWEEPGEN,
} = spanRecord;

/** What sweeping a span counts for in a slice: some 1 to 5 us. */
const UNITS_A_SPAN = 64;

/** What the floor above lends to the sweep. */
export interface SweepHooks {
  /** Queues the finalizer `data` of the unreachable object at `p`. */
  queueFinalizer(data: number, p: Pointer): void;
  /** Counts a block as freed, which was sampled for the memory profile: `data` is its sample's. */
  freeSample(data: number): void;
  /** Called with each block that becomes free, if it is set. */
  freed: ((p: Pointer, bytes: number) => void) | null;
  /** Called with each small span that has dead blocks, before they become free, if it is set. */
  dying?: (span: number) => void;
}

/** The sweep of one heap. See the head of the module. */
export class Sweep implements Sweeper {
  /** Set when the heap is put together; see {@linkcode SweepHooks}. */
  hooks!: SweepHooks;
  readonly #arena: Arena;
  readonly #spans: SpanTable;
  readonly #freeLists: FreeLists;
  readonly #central: Central;
  readonly #pageHeap: PageHeap;
  readonly #cache: Cache;
  readonly #specials: Specials;
  readonly #pacer: Pacer;
  readonly #stats: Float64Array;

  constructor(parts: {
    arena: Arena;
    spans: SpanTable;
    freeLists: FreeLists;
    central: Central;
    pageHeap: PageHeap;
    cache: Cache;
    specials: Specials;
    pacer: Pacer;
    stats: Float64Array;
  }) {
    this.#arena = parts.arena;
    this.#spans = parts.spans;
    this.#freeLists = parts.freeLists;
    this.#central = parts.central;
    this.#pageHeap = parts.pageHeap;
    this.#cache = parts.cache;
    this.#specials = parts.specials;
    this.#pacer = parts.pacer;
    this.#stats = parts.stats;
  }

  /** Declares every span unswept: marking is done. */
  begin(): void {
    const { sweep } = this.#spans;
    sweep[HEAP_SWEEPGEN] += 2;
    sweep[SWEEP_DONE] = 0;
    sweep[SWEEP_POSITION] = 0;
    sweep[SWEEP_RECORDS] = this.#spans.made;
  }

  /** Whether no span is left that has to be swept. */
  get isDone(): boolean {
    return this.#spans.sweep[SWEEP_DONE] !== 0;
  }

  /** Sweeps what is left, within `slice`; returns how many spans that were. */
  advance(slice: Slice): number {
    let swept = 0;
    while (this.sweepOne() >= 0) {
      swept++;
      if (!slice.spend(UNITS_A_SPAN)) break;
    }
    return swept;
  }

  /** Sweeps the next span that needs it; returns the pages it gave back, -1 if none is left. */
  sweepOne(): number {
    const { ints, sweep } = this.#spans;
    const generation = sweep[HEAP_SWEEPGEN];
    for (;;) {
      const position = sweep[SWEEP_POSITION]++;
      if (position >= sweep[SWEEP_RECORDS]) {
        sweep[SWEEP_DONE] = 1;
        return -1;
      }
      const span = this.#spans.handle(position);
      if (ints[span + STATE] !== IN_USE) {
        ints[span + SWEEPGEN] = generation;
        continue;
      }
      if (!this.#pageHeap.claim(span, generation)) continue;
      const pages = ints[span + PAGES];
      return this.sweepSpan(span, false) ? pages : 0;
    }
  }

  /** Sweeps `span` now if it was not yet. Seeds' MSpan_EnsureSwept. */
  ensureSwept(span: number): void {
    const generation = this.#spans.sweep[HEAP_SWEEPGEN];
    if (this.#spans.ints[span + SWEEPGEN] !== generation) this.#sweepNow(span, generation);
  }

  /** What is swept comes off the trigger, so a collection may be due. */
  #sweepNow(span: number, generation: number): void {
    if (this.#pageHeap.claim(span, generation)) this.sweepSpan(span, false);
    this.#pacer.look();
  }

  /** Sweeps a span that this thread has claimed; true if the span went back to the page heap. */
  sweepSpan(span: number, preserve: boolean): boolean {
    const { ints, sweep } = this.#spans;
    if (ints[span + STATE] !== IN_USE || ints[span + SWEEPGEN] !== sweep[HEAP_SWEEPGEN] - 1) {
      this.#spans.corrupted(
        `MSpan_Sweep: bad span state: page ${ints[span + START]}, state ${ints[span + STATE]}, ` +
          `sweepgen ${ints[span + SWEEPGEN]}/${sweep[HEAP_SWEEPGEN]}`,
      );
    }
    this.#freeLists.markChain(span);
    if (this.#specials.has(span)) {
      try {
        this.#sweepSpecials(span);
      } catch (error) {
        this.#unclaim(span);
        throw error;
      }
    }
    return ints[span + CLASS] === 0 ? this.#sweepLarge(span) : this.#sweepSmall(span, preserve);
  }

  /**
   * Queues the finalizers of unmarked blocks and marks those blocks: they live on for the call. A tiny block's sample
   * comes before the finalizers of what is further inside, and is counted as freed though the block is kept: so the
   * seeds have it.
   */
  #sweepSpecials(span: number): void {
    const { ints } = this.#spans;
    const { marks } = this.#arena.bitmap;
    const specials = this.#specials;
    const records = specials.ints;
    const cls = ints[span + CLASS];
    const first = ints[span + START] << MARK_SHIFT;
    const address = this.#arena.pageAddress(ints[span + START]);
    let before = 0;
    for (let special = specials.first(span); special !== 0;) {
      const next = records[special + NEXT];
      const offset = records[special + OFFSET];
      // A large object is block 0: the reciprocal of its class is 0.
      const block = Math.imul(offset >>> 3, RECIPROCAL[cls]) >>> RECIPROCAL_SHIFT[cls];
      const at = first + ((block >>> 5) << 1);
      const mark = 1 << (block & 31);
      if ((marks[at] & mark) !== 0) {
        before = special;
      } else {
        // First what can fail: the queue may find no memory for another block.
        if (records[special + KIND] === KIND_FINALIZER) {
          this.hooks.queueFinalizer(records[special + DATA], address + offset);
          marks[at] |= mark;
        } else {
          this.hooks.freeSample(records[special + DATA]);
        }
        specials.unlink(span, before, special);
      }
      special = next;
    }
  }

  /**
   * Gives back a claimed span whose sweep failed before anything was freed: it is to be swept, as it was. The
   * blocks that are marked for their finalizers stay so until then.
   */
  #unclaim(span: number): void {
    const { ints, sweep } = this.#spans;
    ints[span + SWEEPGEN] = sweep[HEAP_SWEEPGEN] - 2;
    sweep[SWEEP_POSITION] = Math.min(sweep[SWEEP_POSITION], this.#spans.numberOf(span));
    sweep[SWEEP_DONE] = 0;
  }

  #sweepSmall(span: number, preserve: boolean): boolean {
    const { ints, sweep } = this.#spans;
    const { marks } = this.#arena.bitmap;
    const blocks = ints[span + BLOCKS];
    const first = ints[span + START] << MARK_SHIFT;
    const end = first + (((blocks + 31) >> 5) << 1);
    let freed = 0;
    let listed = 0;
    for (let at = first, word = 0; at < end; at += 2, word++) {
      const dead = ~(marks[at] | marks[at + 1]) & blockBits(word, blocks);
      if (dead !== 0) freed += popCount(dead);
      listed |= marks[at + 1];
    }
    if (freed === 0) {
      for (let at = first; at < end; at += 2) marks[at] = 0;
      ints[span + SWEEPGEN] = sweep[HEAP_SWEEPGEN];
      return false;
    }
    if (this.hooks.freed !== null) this.#traceDead(span, this.hooks.freed);
    this.hooks.dying?.(span);

    const freeBefore = ints[span + FREE_BLOCKS];
    // The blocks freed now go before those that were free. If all are, a note of the list is all that is left.
    const goesBack = !preserve && freeBefore + freed === blocks;
    if (listed !== 0 && !goesBack) this.#freeLists.chainBitmapPart(span);
    for (let at = first, word = 0; at < end; at += 2, word++) {
      marks[at + 1] = ~(marks[at] | marks[at + 1]) & blockBits(word, blocks);
      marks[at] = 0;
    }
    if (!goesBack) ints[span + FRESH] = 0;
    ints[span + FREE_BLOCKS] = freeBefore + freed;
    const cls = ints[span + CLASS];
    const bytes = freed * CLASS_TO_SIZE[cls];
    this.#stats[SMALL_FREES + cls] += freed;
    this.#cache.floats[LOCAL_CACHE_ALLOC] -= bytes;
    this.#pacer.swept(bytes);
    return this.#central.freeSpan(span, freeBefore, preserve);
  }

  #sweepLarge(span: number): boolean {
    const { ints, sweep } = this.#spans;
    const { marks } = this.#arena.bitmap;
    const at = ints[span + START] << MARK_SHIFT;
    const isMarked = marks[at] !== 0;
    marks[at] = 0;
    // Before the span goes back: whoever takes it next must not find it unswept.
    ints[span + SWEEPGEN] = sweep[HEAP_SWEEPGEN];
    if (isMarked) return false;

    const bytes = ints[span + PAGES] * PAGE_BYTES;
    this.hooks.freed?.(this.#arena.pageAddress(ints[span + START]), bytes);
    ints[span + NEED_ZERO] = 1;
    this.#pageHeap.free(span, true);
    this.#stats[LARGE_FREES]++;
    this.#stats[LARGE_FREE_BYTES] += bytes;
    this.#pacer.swept(bytes);
    return true;
  }

  #traceDead(span: number, freed: (p: Pointer, bytes: number) => void): void {
    const { ints } = this.#spans;
    const { marks } = this.#arena.bitmap;
    const size = this.#blockBytes(span);
    const first = ints[span + START] << MARK_SHIFT;
    const address = this.#arena.pageAddress(ints[span + START]);
    for (let word = 0; word << 5 < ints[span + BLOCKS]; word++) {
      const live = marks[first + (word << 1)] | marks[first + (word << 1) + 1];
      for (let dead = ~live & blockBits(word, ints[span + BLOCKS]); dead !== 0; dead &= dead - 1) {
        freed(address + ((word << 5) + lowestBit(dead)) * size, size);
      }
    }
  }

  #blockBytes(span: number): number {
    const { ints } = this.#spans;
    return ints[span + CLASS] === 0
      ? ints[span + PAGES] * PAGE_BYTES
      : CLASS_TO_SIZE[ints[span + CLASS]];
  }
}
