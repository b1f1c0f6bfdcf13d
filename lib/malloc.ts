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
 * The three branches then meet in {@linkcode Malloc.finish} only if somebody asked to see allocations, or a
 * collection is due ({@linkcode Attention}); otherwise nothing is left to do.
 *
 * @module
 */

import type { Arena } from "./arena/arena.ts";
import { BITS_POINTER, MARK_SHIFT } from "./arena/bitmap.ts";
import { badArgument, GoPanic, GoThrow, requireInteger } from "./errors.ts";
import { type Attention, GC_DUE, type Pacer } from "./gc/pacer.ts";
import { PAGE_BYTES, type Pointer } from "./platform/platform.ts";
import {
  type Cache,
  CHAINED,
  CLASS_SHIFT,
  CLEAN,
  CONTENTS,
  CURSOR,
  END,
  LOCAL_TINY_ALLOCS,
  SPAN_ADDRESS,
  SPAN_WORD,
  TINY_ADDRESS,
  TINY_LEFT,
  TYPES,
  USED,
} from "./spans/cache.ts";
import type { FreeLists } from "./spans/free_list.ts";
import type { PageHeap } from "./spans/page_heap.ts";
import {
  CLASS_TO_PAGES,
  CLASS_TO_SIZE,
  MAX_SMALL_BYTES,
  SIZE_CLASSES,
  TINY_BYTES,
  TINY_SIZE_CLASS,
} from "./spans/size_classes.ts";
import { NO_SCAN, type SpanTable, START } from "./spans/span_table.ts";
import type { GoType } from "./types/go_type.ts";

/** The object has no pointers: the collector need not look into it. */
export const FlagNoScan = 1;
/** The allocation is not sampled for the memory profile. */
export const FlagNoProfiling = 2;
/** The object is neither scanned nor freed by the collector. */
export const FlagNoGC = 4;
/** The memory need not be zeroed. */
export const FlagNoZero = 8;
/** The allocation does not start a collection. */
export const FlagNoInvokeGC = 16;
const ALL_FLAGS = 31;

/** Above so many bytes, copying zeroes over a block beats storing them one by one. */
const CLEAR_BY_STORES_BYTES = 256;

const { sizeToClass8, sizeToClass128 } = SIZE_CLASSES;

/** What the floors above lend to the allocator. */
export interface MallocHooks {
  /** A collection is due; `p` was just allocated and nothing refers to it yet. */
  collectionDue(p: Pointer): void;
  /** Throws if the heap was disposed of; called before anything is taken from it. */
  requireOpen(): void;
  /** What to add to the message when memory has run out, or nothing. */
  adviseOutOfMemory(): string;
}

/** The allocator of one heap. See the head of the module. */
export class Malloc {
  /** Set when the heap is put together; see {@linkcode MallocHooks}. */
  hooks!: MallocHooks;
  readonly #arena: Arena;
  readonly #spans: SpanTable;
  readonly #freeLists: FreeLists;
  readonly #pageHeap: PageHeap;
  readonly #cache: Cache;
  readonly #pacer: Pacer;
  readonly #attention: Int32Array;
  readonly #typeOwner: object;
  readonly #zeroBase: Pointer;
  readonly #wordShift: number;

  /** `typeOwner` made the types that this heap takes; `zeroBase` is the address of all empty objects. */
  constructor(parts: {
    arena: Arena;
    spans: SpanTable;
    freeLists: FreeLists;
    pageHeap: PageHeap;
    cache: Cache;
    pacer: Pacer;
    attention: Attention;
    typeOwner: object;
    zeroBase: Pointer;
  }) {
    this.#arena = parts.arena;
    this.#spans = parts.spans;
    this.#freeLists = parts.freeLists;
    this.#pageHeap = parts.pageHeap;
    this.#cache = parts.cache;
    this.#pacer = parts.pacer;
    this.#attention = parts.attention.ints;
    this.#typeOwner = parts.typeOwner;
    this.#zeroBase = parts.zeroBase;
    this.#wordShift = parts.arena.platform.pointerBytes === 8 ? 3 : 2;
  }

  /** Returns the address of `size` new bytes, whose pointers are where `type` has them. */
  mallocgc(size: number, type: GoType | null, flags: number): Pointer {
    if ((flags & FlagNoScan) === 0) {
      if (type === null) throw new GoThrow("malloc missing type");
      if (type?.owner !== this.#typeOwner) foreignType(type);
    } else if (size < TINY_BYTES && size >>> 0 === size && size !== 0) {
      return this.#tiny(size, flags);
    }
    if (size >>> 0 !== size || size > MAX_SMALL_BYTES || size === 0) {
      return this.#large(size, type, flags);
    }

    const cls = size <= 1024 - 8
      ? sizeToClass8[(size + 7) >> 3]
      : sizeToClass128[(size - 1024 + 127) >> 7];
    const slot = cls << CLASS_SHIFT;
    const { ints, floats } = this.#cache;
    if (ints[slot + CURSOR] === ints[slot + END]) this.#refill(cls);
    const offset = ints[slot + CURSOR];
    const blockBytes = CLASS_TO_SIZE[cls];
    ints[slot + CURSOR] = offset + blockBytes;

    if ((flags & FlagNoZero) !== 0) {
      this.#expose(cls, offset);
    } else if (ints[slot + CONTENTS] !== CLEAN) {
      this.#clearBlock(floats[2 * cls + SPAN_WORD] + (offset >> 3), blockBytes);
    }

    if ((flags & FlagNoScan) === 0) {
      const word = offset >> this.#wordShift;
      if (type!.size === size && type!.typeBits !== 0) {
        this.#arena.bitmap.addTypes(ints[slot + TYPES], word, type!.typeBits);
      } else {
        this.#writeTypes(ints[slot + TYPES], word, size, type!, blockBytes);
      }
    }

    const p = floats[2 * cls + SPAN_ADDRESS] + offset;
    return this.#attention[0] === 0 ? p : this.finish(p, flags);
  }

  /** Up to 15 bytes without pointers: from the current tiny block, or the start of a new one. */
  #tiny(size: number, flags: number): Pointer {
    const { ints, floats } = this.#cache;
    const left = floats[TINY_LEFT];
    if (size <= left) {
      const from = TINY_BYTES - left;
      const align = (size & 7) === 0 ? 7 : (size & 3) === 0 ? 3 : (size & 1) === 0 ? 1 : 0;
      const offset = (from + align) & ~align;
      if (offset + size <= TINY_BYTES) {
        floats[TINY_LEFT] = TINY_BYTES - offset - size;
        floats[LOCAL_TINY_ALLOCS]++;
        return floats[TINY_ADDRESS] + offset;
      }
    }

    const slot = TINY_SIZE_CLASS << CLASS_SHIFT;
    if (ints[slot + CURSOR] === ints[slot + END]) this.#refill(TINY_SIZE_CLASS);
    const offset = ints[slot + CURSOR];
    ints[slot + CURSOR] = offset + TINY_BYTES;
    if (ints[slot + CONTENTS] !== CLEAN) {
      this.#clearBlock(floats[2 * TINY_SIZE_CLASS + SPAN_WORD] + (offset >> 3), TINY_BYTES);
    }
    const p = floats[2 * TINY_SIZE_CLASS + SPAN_ADDRESS] + offset;
    // The block with more room left is the one to go on with.
    if (TINY_BYTES - size > left) {
      floats[TINY_ADDRESS] = p;
      floats[TINY_LEFT] = TINY_BYTES - size;
    }
    return this.#attention[0] === 0 ? p : this.finish(p, flags);
  }

  /** Everything that is not a small object: large ones, empty ones, and sizes that are none. */
  #large(size: number, type: GoType | null, flags: number): Pointer {
    this.hooks.requireOpen();
    requireInteger("size", size, 0);
    if (size === 0) return this.#zeroBase;
    const pages = Math.ceil(size / PAGE_BYTES);
    const maxWord = 2 ** (8 * this.#arena.platform.pointerBytes) - 1;
    if (size + PAGE_BYTES > maxWord) throw new GoThrow("out of memory");
    const span = this.#pageHeap.alloc(pages, 0, (flags & FlagNoZero) === 0);
    if (span < 0) this.#outOfMemory(pages);

    const spans = this.#spans;
    const start = spans.ints[span + START];
    spans.setLimitBytes(span, size);
    const { bitmap } = this.#arena;
    bitmap.marks[start << MARK_SHIFT] = 0;
    bitmap.marks[(start << MARK_SHIFT) + 1] = 0;
    if ((flags & FlagNoScan) !== 0) {
      spans.ints[span + NO_SCAN] = 1;
    } else {
      const base = bitmap.typesOf(start);
      bitmap.types.fill(0, base, base + pages * bitmap.typeInts);
      this.#writeTypes(base, 0, size, type!, pages * PAGE_BYTES);
    }
    this.#pacer.look();
    const p = this.#arena.pageAddress(start);
    return this.#attention[0] === 0 ? p : this.finish(p, flags);
  }

  /** What an allocation owes to those who asked: see {@linkcode Attention}. */
  finish(p: Pointer, flags: number): Pointer {
    if ((this.#attention[0] & GC_DUE) !== 0 && (flags & FlagNoInvokeGC) === 0) {
      this.hooks.collectionDue(p);
    }
    return p;
  }

  /** The implementation of Go's `new`. */
  newobject(type: GoType): Pointer {
    if (type?.owner !== this.#typeOwner) foreignType(type);
    return this.mallocgc(type.size, type, type.pointerFree ? FlagNoScan : 0);
  }

  /** The implementation of Go's `make` for slices. */
  newarray(type: GoType, n: number): Pointer {
    if (type?.owner !== this.#typeOwner) foreignType(type);
    const { size } = type;
    if (!Number.isInteger(n) || n > Number.MAX_SAFE_INTEGER) {
      badArgument("n", n, `an integer up to ${Number.MAX_SAFE_INTEGER}`);
    }
    if (n < 0 || (size > 0 && n > this.#arena.platform.maxMemBytes / size)) {
      throw new GoPanic("runtime: allocation size out of range");
    }
    return this.mallocgc(size * n, type, type.pointerFree ? FlagNoScan : 0);
  }

  /** Memory without pointers that is not zeroed. */
  rawmem(size: number): Pointer {
    return this.mallocgc(size, null, FlagNoScan | FlagNoZero);
  }

  #refill(cls: number): void {
    this.hooks.requireOpen();
    if (!this.#cache.refill(cls)) this.#outOfMemory(CLASS_TO_PAGES[cls]);
    this.#pacer.look();
  }

  #outOfMemory(pages: number): never {
    throw new GoThrow(
      `${this.#pageHeap.outOfMemory(pages)}: out of memory${this.hooks.adviseOutOfMemory()}`,
    );
  }

  /** Leaves in a block that is not cleared what Go's free list would have left there. */
  #expose(cls: number, offset: number): void {
    const contents = this.#cache.ints[(cls << CLASS_SHIFT) + CONTENTS];
    if (contents === CHAINED) return;
    const next = this.#cache.blockAfter(cls, offset);
    this.#freeLists.expose(
      this.#cache.spanOf(cls),
      offset / CLASS_TO_SIZE[cls],
      next,
      contents === USED,
    );
  }

  /** Clears a block that begins at `word`, in units of 8 bytes from the arena's start. */
  #clearBlock(word: number, bytes: number): void {
    if (bytes > CLEAR_BY_STORES_BYTES) {
      this.#arena.clear(word * 8, bytes);
      return;
    }
    const { f64 } = this.#arena.memory;
    const end = word + (bytes >> 3);
    for (let at = word; at < end; at++) f64[at] = 0;
  }

  /** Writes the types of an object of `size` bytes, in a block whose types are dead. */
  #writeTypes(base: number, word: number, size: number, type: GoType, blockBytes: number): void {
    const { bitmap, platform: { pointerBytes } } = this.#arena;
    // One word that has pointers must be a pointer.
    if (blockBytes === pointerBytes) {
      bitmap.addTypes(base, word, BITS_POINTER);
      return;
    }
    if (type.pointerFree) return;
    // The seeds copy masks two words at a time, and take a word that is there in part for a pair.
    const words = size % pointerBytes === 0
      ? size / pointerBytes
      : 2 * Math.ceil(size / (2 * pointerBytes));
    bitmap.writeMask(base, word, words, type.mask, type.maskWords);
  }
}

function foreignType(type: GoType): never {
  return badArgument("type", type?.string ?? type, "a type of this heap's types");
}
