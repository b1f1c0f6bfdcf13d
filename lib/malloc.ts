/**
 * mallocgc: where every object comes from.
 *
 * Requests go three ways, by size and by whether the object has pointers:
 *
 * ```
 *   1 - 15 bytes, no pointers   tiny: several share a block of 16 bytes, 3 ns when one fits
 *   1 - 32768 bytes             small: a block of its size class, from the run in the thread's cache
 *   above                       large: a span of whole pages of its own
 * ```
 *
 * The tiny block lives as long as any of its parts is reachable. With 16 bytes that wastes twice the memory
 * at worst; 8 would waste nothing and combine less; 32 would combine more and waste four times at worst.
 * The best that combining can win is eightfold either way.
 *
 * An object's types are written before it is returned, and it is zero unless FlagNoZero says otherwise.
 * All ways meet in {@linkcode Malloc.finish} only if somebody asked to see allocations, or a collection is due
 * ({@linkcode ATTENTION}); otherwise nothing is left to do.
 *
 * The fast path is three small functions (`mallocgc`, `small`, `newobject`), so that V8 inlines those that a program uses
 * wherever it allocates, and what comes from a function that is not inlined is made a number with a plus sign, or left in
 * the cache: else V8 cannot know that it is one, and puts every address, a float64, into an object of its own.
 *
 * @module
 */

import type { Arena } from "./arena/arena.ts";
import * as bitmapPlanes from "./arena/bitmap.ts";
import { badArgument, GoPanic, GoThrow, requireInteger } from "./errors.ts";
import * as mallocFlags from "./flags.ts";
import * as pacing from "./gc/pacer.ts";
import type { Pacer } from "./gc/pacer.ts";
import * as writeBarriers from "./gc/write_barrier.ts";
import * as platforms from "./platform/platform.ts";
import type { Pointer } from "./platform/platform.ts";
import * as cacheRecord from "./spans/cache_record.ts";
import type { Cache } from "./spans/cache.ts";
import type { FreeLists } from "./spans/free_list.ts";
import type { PageHeap } from "./spans/page_heap.ts";
import * as sizeClasses from "./spans/size_classes.ts";
import { sizeToClass } from "./spans/size_classes.ts";
import * as spanRecord from "./spans/span_record.ts";
import type { SpanTable } from "./spans/span_table.ts";
import * as typeCodes from "./types/codes.ts";
import type { GoType } from "./types/go_type.ts";
import * as patterns from "./types/patterns.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { BITS_POINTER, MARK_SHIFT } = bitmapPlanes;
const { GC_DUE } = pacing;
const { ALLOCATE_BLACK } = writeBarriers;
const { PAGE_BYTES } = platforms;
const {
  ATTENTION,
  BASE,
  BLOCK_BYTES,
  CHAINED,
  CLASS_SHIFT,
  CLEARED,
  CONTENTS,
  CURSOR,
  DEAD_PATTERN,
  END,
  INTS_SHIFT,
  LIMIT,
  TAKEN,
  PATTERN,
  STOP,
  TINY_END,
  TINY_OBJECTS,
  TINY_LEFT,
  TYPES,
  USED,
} = cacheRecord;
const {
  CLASS_TO_PAGES,
  CLASS_TO_SIZE,
  MAX_SMALL_BYTES,
  NUM_SIZE_CLASSES,
  TINY_BYTES,
  TINY_SIZE_CLASS,
} = sizeClasses;
const { NO_SCAN, START } = spanRecord;
const { firstCodes, repeatCodes, repeatedCodes, WORDS_PER_INT32 } = typeCodes;
const { NO_PATTERN } = patterns;

const { FlagNoInvokeGC, FlagNoProfiling, FlagNoScan, FlagNoZero } = mallocFlags;
const ALL_FLAGS = 2 * FlagNoInvokeGC - 1;

/** Above so many bytes, copying zeroes over a block beats storing them one by one. */
const CLEAR_BY_STORES_BYTES = 256;

/**
 * By the size of a tiny object, the mask that makes room for it of the bytes that are left in a block: rounded down to a multiple
 * of 8, 4, 2 or 1, whichever the size is one of. Blocks end at multiples of 16, so what begins with that room is aligned.
 */
const TINY_ROOM: Int32Array = Int32Array.from(
  { length: TINY_BYTES },
  (_, size) => -Math.min(8, size & -size),
);

/** Where in the cache the run for small objects is, by size; 0 for an empty object. */
const RUN_OF = Uint16Array.from(
  { length: MAX_SMALL_BYTES + 1 },
  (_, size) => size === 0 ? 0 : sizeToClass(size) << CLASS_SHIFT,
);

/** The same for objects without pointers: a tiny one is given a block for several. */
const RUN_OF_BYTES: Uint16Array = RUN_OF.map((run, size) =>
  size === 0 ? run : Math.max(run, TINY_SIZE_CLASS << CLASS_SHIFT)
);

/**
 * What the quickest functions need of these constants, as literals. V8 inlines by counting bytes of bytecode: a constant
 * of the module takes four, a literal two or none.
 */
const enum Fast {
  // Of the cache's floats, in a class's line and in that of class 0.
  Stop = 1,
  BlockBytes = 2,
  Pattern = 3,
  TinyEnd = 4,
  Taken = 7,
  ClassShift = 3,
  /** All classes are in these bits: what V8 knows that much of, it adds to without a look. */
  Classes = 127,
  // Of its ints.
  TinyLeft = 1,
  TinyObjects = 2,
  DeadPattern = 0,
  TinyBytes = 16,
  /** A size is below TinyBytes if these are all the bits that it has. */
  TinyMask = 15,
  NoScan = 1,
}

const LITERALS: readonly (readonly [Fast, number])[] = [
  [Fast.Stop, STOP],
  [Fast.BlockBytes, BLOCK_BYTES],
  [Fast.Pattern, PATTERN],
  [Fast.TinyEnd, TINY_END],
  [Fast.Taken, TAKEN],
  [Fast.ClassShift, CLASS_SHIFT],
  [Fast.TinyLeft, TINY_LEFT],
  [Fast.TinyObjects, TINY_OBJECTS],
  [Fast.DeadPattern, DEAD_PATTERN],
  [Fast.TinyBytes, TINY_BYTES],
  [Fast.TinyMask, TINY_BYTES - 1],
  [Fast.NoScan, FlagNoScan],
];
const isTrue = LITERALS.every(([literal, constant]) => literal === constant) &&
  NUM_SIZE_CLASSES <= Fast.Classes + 1;
if (!isTrue) {
  throw new GoThrow("a literal of the fast path is not what it stands for");
}

/** What the floors above lend to the allocator. */
export interface MallocHooks {
  /** A collection is due; `p` was just allocated and nothing refers to it yet. */
  collectionDue(p: Pointer): void;
  /** A collection is marking; `isDirty` if the new block at `p` may hold the pointers of its last owner. */
  bornBlack(p: Pointer, isDirty: boolean): void;
  /** Throws if the heap was disposed of; called before anything is taken from it. */
  requireOpen(): void;
  /** What to add to the message when memory has run out, or nothing. */
  adviseOutOfMemory(): string;
}

/** Picks the blocks that the memory profile is made from. */
export interface AllocationSampler {
  /** The block at `p`, the last one before the cursor of `cls`, was taken from behind LIMIT, or is not to be sampled. */
  took(cls: number, p: Pointer, flags: number): void;
  /** The large object of `bytes` at `p` was allocated. */
  tookLarge(p: Pointer, bytes: number, flags: number): void;
  /** Has the next tiny block be taken by somebody who looks. */
  closeTiny(): void;
}

/** The allocator of one heap. See the head of the module. Its fields are declared: see docs/performance.md. */
export class Malloc {
  /** Set when the heap is put together; see {@linkcode MallocHooks}. */
  declare hooks: MallocHooks;
  /** Looks at allocations for the memory profile, if one is made. */
  sampler: AllocationSampler | null = null;
  /** The type of deferred calls' records, if somebody has asked for it; seeds' deferType. */
  deferType: GoType | null = null;
  declare private readonly arena: Arena;
  declare private readonly spans: SpanTable;
  declare private readonly freeLists: FreeLists;
  declare private readonly pageHeap: PageHeap;
  declare private readonly cache: Cache;
  declare private readonly pacer: Pacer;
  declare private readonly runs: Float64Array;
  declare private readonly ints: Int32Array;
  declare private readonly typeOwner: object;
  declare private readonly zeroBase: Pointer;
  /** The largest number that is a word of the platform. */
  declare private readonly maxWord: number;

  /** `typeOwner` made the types that this heap takes; `zeroBase` is the address of all empty objects. */
  constructor(parts: {
    arena: Arena;
    spans: SpanTable;
    freeLists: FreeLists;
    pageHeap: PageHeap;
    cache: Cache;
    pacer: Pacer;
    typeOwner: object;
    zeroBase: Pointer;
  }) {
    this.arena = parts.arena;
    this.spans = parts.spans;
    this.freeLists = parts.freeLists;
    this.pageHeap = parts.pageHeap;
    this.cache = parts.cache;
    this.pacer = parts.pacer;
    this.runs = parts.cache.floats;
    this.ints = parts.cache.ints;
    this.typeOwner = parts.typeOwner;
    this.zeroBase = parts.zeroBase;
    this.maxWord = 2 ** (8 * parts.arena.platform.pointerBytes) - 1;
  }

  /**
   * Returns the address of `size` new bytes, whose pointers are where `type` has them. Up to 15 bytes without pointers come
   * from the current tiny block, if they fit into it. Without flags it is as with 0.
   */
  mallocgc(size: number, type: GoType | null, flags?: number): Pointer {
    if (flags === Fast.NoScan && (size & Fast.TinyMask) === size && size !== 0) {
      const ints = this.ints;
      const room = ints[Fast.TinyLeft] & TINY_ROOM[size];
      const left = room - size;
      if (left >= 0) {
        ints[Fast.TinyLeft] = left;
        ints[Fast.TinyObjects]++;
        // The half keeps V8 from adding integers: see docs/performance.md.
        return this.runs[Fast.TinyEnd] - room - 0.5;
      }
    }
    return +this.small(size, type, flags);
  }

  /** A block of its own, if the next one of its class is ready to be taken; it may be a new tiny block. */
  private small(size: number, type: GoType | null, flags?: number): Pointer {
    const runs = this.runs;
    let at = 0;
    let pattern: number = Fast.DeadPattern;
    if (flags === Fast.NoScan) {
      // A text of digits would be found in the table, too.
      if (typeof size === "number") at = RUN_OF_BYTES[size] | 0;
    } else if ((flags === 0 || flags === undefined) && type != null && type.size === size) {
      at = (type.sizeClass & Fast.Classes) << Fast.ClassShift;
      pattern = type.pattern;
    }
    const p = runs[at];
    if (p !== runs[at + Fast.Stop] && runs[at + Fast.Pattern] === pattern) {
      runs[at] = p + runs[at + Fast.BlockBytes];
      if (size < Fast.TinyBytes && flags === Fast.NoScan) this.cache.offerTiny(p, size);
      return p;
    }
    this.slowly(size, type, flags, at, pattern);
    return runs[Fast.Taken];
  }

  /** The implementation of Go's `new`. */
  newobject(type: GoType): Pointer {
    if (type != null) {
      const at = (type.sizeClass & Fast.Classes) << Fast.ClassShift;
      const runs = this.runs;
      const p = runs[at];
      if (p !== runs[at + Fast.Stop] && runs[at + Fast.Pattern] === type.pattern) {
        runs[at] = p + runs[at + Fast.BlockBytes];
        return p;
      }
    }
    return +this.newSlowly(type);
  }

  private newSlowly(type: GoType): Pointer {
    if (type?.owner !== this.typeOwner) return foreignType(type);
    return this.mallocgc(type.size, type, type.pointerFree ? FlagNoScan : 0);
  }

  /**
   * Whatever is not there to be taken at once: used up runs, other types, other flags, what is no size. `place` is the run that
   * was looked at, 0 if there is none to look at, and `wanted` the pattern that it was to have.
   * Leaves the address in the cache (TAKEN): to return it, V8 would make an object.
   *
   * This is one function so as to have over 460 bytes of bytecode: then V8 never inlines it. Inlined where it happens to
   * be called a lot, it would take the room of the quick functions, for good.
   */
  private slowly(
    size: number,
    type: GoType | null,
    flags = 0,
    place: number,
    wanted: number,
  ): void {
    const runs = this.runs;
    const ints = this.ints;
    // Little may be missing: the pattern of an array, or that a block is cleared by itself.
    if (place === 0 && flags === 0 && type?.owner === this.typeOwner && typeof size === "number") {
      place = RUN_OF[size] | 0;
      wanted = this.#patternOf(type, size);
    }
    const isTinyObject = flags === FlagNoScan && size < TINY_BYTES;
    if (place !== 0 && !isTinyObject && ints[ATTENTION] === 0) {
      const p = runs[place + CURSOR];
      if (p < runs[place + LIMIT] && runs[place + PATTERN] === wanted) {
        const bytes = runs[place + BLOCK_BYTES];
        runs[place + CURSOR] = p + bytes;
        runs[TAKEN] = p;
        if (ints[(place >> (CLASS_SHIFT - INTS_SHIFT)) + CONTENTS] > CLEARED) {
          runs[place + STOP] = p + bytes;
          // As in #clearBlock, which V8 does not always inline: then it would make an object of the address.
          if (bytes > CLEAR_BY_STORES_BYTES) this.arena.memoryAt(p).clear(p, bytes);
          else this.#clearBlock(place >> CLASS_SHIFT, p);
        }
        return;
      }
    }
    this.checkRequest(size, type, flags);
    const isInteger = typeof size === "number" && size >>> 0 === size;
    if (!isInteger || size > MAX_SMALL_BYTES || size === 0) {
      runs[TAKEN] = this.large(size, type, flags);
      return;
    }
    const isNoScan = (flags & FlagNoScan) !== 0;
    const isTiny = isNoScan && size < TINY_BYTES;
    if (isTiny) {
      if ((flags & FlagNoProfiling) !== 0) this.sampler?.closeTiny();
      const room = ints[TINY_LEFT] & TINY_ROOM[size];
      if (room >= size) {
        ints[TINY_LEFT] = room - size;
        ints[TINY_OBJECTS]++;
        runs[TAKEN] = runs[TINY_END] - room - 0.5;
        return;
      }
    }
    const p = isTiny
      ? +this.#take(TINY_SIZE_CLASS, TINY_BYTES, null, flags & FlagNoProfiling)
      : +this.#take(RUN_OF[size] >> CLASS_SHIFT, size, isNoScan ? null : type, flags);
    if (isTiny) this.cache.offerTiny(p, size);
    if (ints[ATTENTION] !== 0) this.finish(p, flags);
    // Only now: whoever was called in between may have allocated.
    runs[TAKEN] = p;
  }

  /** Throws for flags that are none, and for a missing or foreign type of an object with pointers. */
  protected checkRequest(size: number, type: GoType | null, flags: number): void {
    if ((flags & ALL_FLAGS) !== flags) {
      badArgument("flags", flags, `a combination of flags, from 0 to ${ALL_FLAGS}`);
    }
    if ((flags & FlagNoScan) !== 0 || size === 0 || type?.owner === this.typeOwner) return;
    if (type === null) throw new GoThrow("malloc missing type");
    foreignType(type);
  }

  /** Takes the next block of class `cls`, cleared unless `flags` say otherwise, and writes its types. */
  #take(cls: number, size: number, type: GoType | null, flags: number): Pointer {
    const at = cls << CLASS_SHIFT;
    const runs = this.runs;
    if ((flags & FlagNoZero) !== 0) this.cache.clearNoMoreRuns();
    if (runs[at + CURSOR] === runs[at + END]) this.#refill(cls, size, type);
    const p = runs[at + CURSOR];
    const offset = p - runs[at + BASE];
    runs[at + CURSOR] = p + runs[at + BLOCK_BYTES];
    const isUsed = this.ints[(cls << INTS_SHIFT) + CONTENTS] > CLEARED;
    // What has to be cleared block by block is never taken at once.
    if (isUsed) runs[at + STOP] = runs[at + CURSOR];
    else this.cache.setStop(cls);
    if ((flags & FlagNoZero) !== 0) this.#expose(cls, offset);
    else if (isUsed) this.#clearBlock(cls, p);
    this.#setTypes(cls, offset, size, type);
    const isPromised = runs[at + CURSOR] <= runs[at + LIMIT] && (flags & FlagNoProfiling) === 0;
    if (!isPromised) this.sampler?.took(cls, p, flags);
    return p;
  }

  /** Makes the block at `offset`, which is handed out as it is, look as Go's free list would have left it. */
  #expose(cls: number, offset: number): void {
    const contents = this.ints[(cls << INTS_SHIFT) + CONTENTS];
    if (contents === CHAINED) return;
    const next = this.cache.blockAfter(cls, offset);
    const block = offset / CLASS_TO_SIZE[cls];
    this.freeLists.expose(this.cache.spanOf(cls), block, next, contents === USED);
  }

  /**
   * Everything that is not a small object: large ones, empty ones, and sizes that are none. A small object may be
   * allocated in this way as well.
   */
  protected large(size: number, type: GoType | null, flags: number): Pointer {
    this.hooks.requireOpen();
    requireInteger("size", size, 0);
    if (size === 0) return this.zeroBase;
    const pages = Math.ceil(size / PAGE_BYTES);
    if (size + PAGE_BYTES > this.maxWord) throw new GoThrow("out of memory");
    const span = this.pageHeap.alloc(pages, 0, (flags & FlagNoZero) === 0);
    if (span < 0) this.#outOfMemory(pages);

    const spans = this.spans;
    const start = spans.ints[span + START];
    spans.setLimitBytes(span, size);
    const { bitmap } = this.arena;
    bitmap.marks[start << MARK_SHIFT] = 0;
    bitmap.marks[(start << MARK_SHIFT) + 1] = 0;
    if ((flags & FlagNoScan) !== 0) {
      spans.ints[span + NO_SCAN] = 1;
    } else {
      const base = bitmap.typesOf(start);
      bitmap.types.fill(0, base, base + pages * bitmap.typeInts);
      this.#writeTypes(base, 0, size, type!, pages * PAGE_BYTES);
    }
    this.pacer.look();
    const p = this.arena.pageAddress(start);
    this.sampler?.tookLarge(p, pages * PAGE_BYTES, flags);
    if (this.ints[ATTENTION] !== 0) this.finish(p, flags);
    return p;
  }

  /** What an allocation owes to those who asked: see {@linkcode ATTENTION}. */
  finish(p: Pointer, flags: number): void {
    if ((this.ints[ATTENTION] & ALLOCATE_BLACK) !== 0) {
      this.hooks.bornBlack(p, (flags & (FlagNoScan | FlagNoZero)) === FlagNoZero);
    }
    if ((this.ints[ATTENTION] & GC_DUE) !== 0 && (flags & FlagNoInvokeGC) === 0) {
      this.hooks.collectionDue(p);
    }
  }

  /** The implementation of Go's `make` for slices. */
  newarray(type: GoType, n: number): Pointer {
    if (type?.owner !== this.typeOwner) return foreignType(type);
    const { size } = type;
    if (!Number.isInteger(n) || n > Number.MAX_SAFE_INTEGER) {
      badArgument("n", n, `an integer up to ${Number.MAX_SAFE_INTEGER}`);
    }
    if (n < 0 || (size > 0 && n > this.arena.platform.maxMemBytes / size)) {
      throw new GoPanic("runtime: allocation size out of range");
    }
    return this.mallocgc(size * n, type, type.pointerFree ? FlagNoScan : 0);
  }

  /** Memory without pointers that is not zeroed. */
  rawmem(size: number): Pointer {
    return this.mallocgc(size, null, FlagNoScan | FlagNoZero);
  }

  /**
   * Gives the cache a new run, with the types of whoever asks for it in all its blocks. While somebody looks at
   * allocations it may be a marking in slices, to which a block that is not handed out must not look like an
   * object: such a run is dead.
   */
  #refill(cls: number, size: number, type: GoType | null): void {
    this.hooks.requireOpen();
    const wanted = this.ints[ATTENTION] === 0 && type !== null
      ? this.#patternOf(type, size)
      : NO_PATTERN;
    const pattern = wanted === NO_PATTERN ? DEAD_PATTERN : wanted;
    const codes = pattern === DEAD_PATTERN ? 0 : this.#blockCodes(cls, size, type!);
    if (!this.cache.refill(cls, pattern, codes)) this.#outOfMemory(CLASS_TO_PAGES[cls]);
    if (pattern !== DEAD_PATTERN && codes === 0) this.#writeRun(cls, size, type!);
    this.pacer.look();
  }

  /** Writes the types of a run of blocks, each for `size` bytes of `type`: more words than an int32 has codes of. */
  #writeRun(cls: number, size: number, type: GoType): void {
    const { bitmap, wordShift } = this.arena;
    const { first, count } = this.cache.runBlocks(cls);
    const base = this.ints[(cls << INTS_SHIFT) + TYPES];
    const words = CLASS_TO_SIZE[cls] >> wordShift;
    this.spans.ints[this.cache.spanOf(cls) + NO_SCAN] = 0;
    this.#writeTypes(base, first * words, size, type, CLASS_TO_SIZE[cls]);
    if (count > 1) repeatCodes(bitmap.types, base, first * words, words, count * words);
  }

  #outOfMemory(pages: number): never {
    throw new GoThrow(
      `${this.pageHeap.outOfMemory(pages)}: out of memory${this.hooks.adviseOutOfMemory()}`,
    );
  }

  /** Clears the block at `p`. */
  #clearBlock(cls: number, p: Pointer): void {
    const memory = this.arena.memoryAt(p);
    const bytes = CLASS_TO_SIZE[cls];
    if (bytes > CLEAR_BY_STORES_BYTES) {
      memory.clear(p, bytes);
      return;
    }
    const { f64 } = memory;
    const first = (p - memory.base) / 8;
    for (let at = 0; at < bytes >> 3; at++) f64[first + at] = 0;
  }

  /** Writes the types of the object at `offset` of the span in the cache, unless the run has them already. */
  #setTypes(cls: number, offset: number, size: number, type: GoType | null): void {
    const written = this.runs[(cls << CLASS_SHIFT) + PATTERN];
    const pattern = type === null ? DEAD_PATTERN : this.#patternOf(type, size);
    if (written === pattern) return;
    const { bitmap, wordShift } = this.arena;
    const base = this.ints[(cls << INTS_SHIFT) + TYPES];
    const word = offset >> wordShift;
    this.spans.ints[this.cache.spanOf(cls) + NO_SCAN] = 0;
    if (written !== DEAD_PATTERN) {
      bitmap.clearTypes(base, word, CLASS_TO_SIZE[cls] >> wordShift);
    }
    if (type === null) return;
    const codes = pattern === NO_PATTERN ? 0 : this.#blockCodes(cls, size, type);
    if (codes !== 0) bitmap.addTypes(base, word, codes);
    else this.#writeTypes(base, word, size, type, CLASS_TO_SIZE[cls]);
  }

  /** The pattern of an object of `size` bytes, one value of `type` or several; NO_PATTERN if its types are written by themselves. */
  #patternOf(type: GoType, size: number): number {
    if (type.size === size) return type.pattern;
    const n = (size / type.size) | 0;
    return n > 1 && n * type.size === size && type !== this.deferType
      ? type.arrayPattern(n)
      : NO_PATTERN;
  }

  /**
   * The codes of a block for `size` bytes of `type`, which have a pattern; 0 if that is over 16 words. A block of two words
   * takes two of one word.
   */
  #blockCodes(cls: number, size: number, type: GoType): number {
    const { pointerBytes } = this.arena.platform;
    const { typeBits, words } = type;
    if (CLASS_TO_SIZE[cls] === 2 * pointerBytes && words === 1) return typeBits | typeBits << 2;
    const all = Math.ceil(size / pointerBytes);
    return all > WORDS_PER_INT32 ? 0 : firstCodes(repeatedCodes(typeBits, words), all);
  }

  /** Writes the types of an object of `size` bytes, in a block whose types are dead. */
  #writeTypes(base: number, word: number, size: number, type: GoType, blockBytes: number): void {
    const { bitmap, platform: { pointerBytes } } = this.arena;
    // One word that has pointers must be a pointer.
    if (blockBytes === pointerBytes) {
      bitmap.addTypes(base, word, BITS_POINTER);
      return;
    }
    if (type.pointerFree) return;
    // What a deferred call is given lies behind its record, and is found by those who know the call.
    const typed = type === this.deferType ? type.size : size;
    // The seeds copy masks two words at a time, and take a word that is there in part for a pair; a block of two
    // words gets two codes, whatever was asked for.
    const words = typed % pointerBytes === 0 && blockBytes !== 2 * pointerBytes
      ? typed / pointerBytes
      : 2 * Math.ceil(typed / (2 * pointerBytes));
    type.pointers.write(bitmap.types, base, word, words);
  }
}

function foreignType(type: GoType): never {
  return badArgument("type", type?.string ?? type, "a type of this heap's types");
}
