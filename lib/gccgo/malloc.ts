/**
 * gccgo's mallocgc: the same blocks as gc's, under seed A's rules.
 *
 * Where blocks come from is no different: lib/malloc.ts hands them out. This class is what stands around that in
 * seed A, in its order:
 *
 * ```
 *   enter     a caller inside a C call gets its cache back for as long as this takes, and starts no collection
 *             a collection that somebody else asked for runs first
 *             a call from inside a call: "malloc/free - deadlock"
 *   allocate  ┌ take a block; write its bits (scan or no-gc); write its type behind it, if that is asked for
 *             └ settype: the span remembers the type of what is to be scanned; may allocate a table
 *   leave     a collection that has become due runs; the caller is inside its C call again
 * ```
 *
 * An object without a type that is not FlagNoScan is legal here: every word in it may be a pointer. What marking
 * makes of objects is told in scan_bits.ts. In seed A the caller says whether a type fills a block once or as an
 * array, in the low bits of the type; here mallocgc takes it for an array if there is room for more than one value.
 *
 * The thread's state is two int32:
 *
 * ```
 *   0 ENTRY      what has to be looked at on entry, a bit each: 0 in almost every call
 *   1 LOCKS      calls of mallocgc under way: no collection can start
 * ```
 *
 * @module
 */

import type { Arena } from "../arena/arena.ts";
import { badArgument, GoPanic, GoThrow, requireInteger } from "../errors.ts";
import * as mallocFlags from "../flags.ts";
import * as pacing from "../gc/pacer.ts";
import type { Pacer } from "../gc/pacer.ts";
import type { Malloc } from "../malloc.ts";
import type { Pointer } from "../platform/platform.ts";
import * as cacheRecord from "../spans/cache_record.ts";
import type { Cache } from "../spans/cache.ts";
import type { FreeLists } from "../spans/free_list.ts";
import * as sizeClasses from "../spans/size_classes.ts";
import { type GoType, Kind } from "../types/go_type.ts";
import type { TypeTable } from "../types/type_table.ts";
import type { BlockFinder } from "./block_finder.ts";
import type { NoGC } from "./no_gc.ts";
import type { ScanBits } from "./scan_bits.ts";
import type { RecordedType, SpanTypes } from "./span_types.ts";
import { checkTypeInfo, TypeInfo } from "./type_info.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { FlagNoGC, FlagNoInvokeGC, FlagNoProfiling, FlagNoScan } = mallocFlags;
const { GC_DUE } = pacing;
const { ATTENTION } = cacheRecord;
const { TINY_BYTES } = sizeClasses;

const ALL_FLAGS = 2 * FlagNoInvokeGC - 1;
/** What gccgo allocates goroutine stacks with. */
const STACK_FLAGS = FlagNoGC | FlagNoProfiling;
const TABLE_FLAGS = FlagNoProfiling | FlagNoScan | FlagNoInvokeGC;

const ENTRY = 0;
const LOCKS = 1;

/** ENTRY: a block is being taken. */
const MALLOCING = 1;
/** ENTRY: a collection was asked for by somebody else, and waits for this thread. */
const PREEMPT = 2;
/** ENTRY: the thread is inside a C call and has no cache. */
const NO_CACHE = 4;

/** What the floors above lend to the allocator. */
export interface GccgoMallocHooks {
  /** A collection is due; `p` was just allocated and nothing refers to it yet. */
  collectionDue(p: Pointer): void;
  /** Lets a collection that was asked for run. */
  yield(): void;
}

/** The allocator of a heap that follows gccgo. See the head of the module. */
export class GccgoMalloc {
  /** Set when the heap is put together; see {@linkcode GccgoMallocHooks}. */
  hooks!: GccgoMallocHooks;
  /** The type of the records of deferred calls, once it was asked for: nothing is different for them here. */
  deferType: GoType | null = null;
  readonly #blocks: Malloc;
  readonly #arena: Arena;
  readonly #freeLists: FreeLists;
  readonly #cache: Cache;
  readonly #pacer: Pacer;
  readonly #types: TypeTable;
  readonly #finder: BlockFinder;
  readonly #scanBits: ScanBits;
  readonly #spanTypes: SpanTypes;
  readonly #noGC: NoGC;
  readonly #pointerBytes: number;
  readonly #typeBytes: number;
  readonly #thread = new Int32Array(new SharedArrayBuffer(8));

  /**
   * `blocks` hands out blocks of memory. With `typeAtBlockEnd` every block ends with its object's type word, seeds'
   * DebugTypeAtBlockEnd.
   */
  constructor(parts: {
    blocks: Malloc;
    arena: Arena;
    freeLists: FreeLists;
    cache: Cache;
    pacer: Pacer;
    types: TypeTable;
    finder: BlockFinder;
    scanBits: ScanBits;
    spanTypes: SpanTypes;
    noGC: NoGC;
    typeAtBlockEnd: boolean;
  }) {
    this.#blocks = parts.blocks;
    this.#arena = parts.arena;
    this.#freeLists = parts.freeLists;
    this.#cache = parts.cache;
    this.#pacer = parts.pacer;
    this.#types = parts.types;
    this.#finder = parts.finder;
    this.#scanBits = parts.scanBits;
    this.#spanTypes = parts.spanTypes;
    this.#noGC = parts.noGC;
    this.#pointerBytes = parts.arena.platform.pointerBytes;
    this.#typeBytes = parts.typeAtBlockEnd ? this.#pointerBytes : 0;
    this.#spanTypes.allocTable = (bytes) => this.#enter(bytes, null, 0, TABLE_FLAGS);
  }

  /** Returns the address of `size` new bytes that hold a value, or values, of `type`; null if it is unknown. */
  mallocgc(size: number, type: GoType | null, flags: number): Pointer {
    if ((flags & ALL_FLAGS) !== flags) {
      badArgument("flags", flags, `a combination of flags, from 0 to ${ALL_FLAGS}`);
    }
    if (type !== null) this.#requireType(type);
    const isArray = type !== null && size > type.size;
    return this.#enter(size, type, isArray ? TypeInfo.Array : TypeInfo.SingleObject, flags);
  }

  /** The implementation of `new`. */
  newobject(type: GoType): Pointer {
    return this.#docnew(type, 1, TypeInfo.SingleObject);
  }

  /** The implementation of `make` for slices. */
  newarray(type: GoType, n: number): Pointer {
    return this.#docnew(type, n, TypeInfo.Array);
  }

  /** Memory without pointers that is not zeroed. */
  rawmem(size: number): Pointer {
    return this.#enter(size, null, 0, FlagNoScan | mallocFlags.FlagNoZero);
  }

  /** Memory of unknown contents: seeds' runtime_mal. */
  mal(size: number): Pointer {
    return this.#enter(size, null, 0, 0);
  }

  /** Records the type of the object at `p`, which is to be scanned, and has it marked by that type from now on. */
  settype(p: Pointer, type: GoType, info: number): void {
    this.#requireType(type);
    const checked = checkTypeInfo(info, this.#pointerBytes);
    if (checked === TypeInfo.Chan && type.kind !== Kind.Chan) {
      badArgument("type", type.string, "a channel type beside TypeInfo.Chan");
    }
    const at = this.#finder;
    const isObject = at.find(p) && at.offset === 0 &&
      at.isAllocated(this.#freeLists, this.#cache) &&
      this.#scanBits.isScannable(at.span, at.block);
    if (!isObject) badArgument("p", p, "the beginning of an object that is to be scanned");
    if (type.size > at.usableBytes && checked !== TypeInfo.Chan) {
      badArgument("type", type.string, `a type of at most ${at.usableBytes} bytes`);
    }
    const { span, block } = at;
    this.#record(span, block, type, checked);
    at.find(p);
    this.#scanBits.clear(at);
    this.#scanBits.markScan(at, at.usableBytes, type, checked);
  }

  /** The type that was recorded for the object that `p` lies in; null if nothing is known; seeds' gettype. */
  gettype(p: Pointer): RecordedType | null {
    const at = this.#finder;
    return at.find(p) ? this.#spanTypes.typeOf(this.#spanTypes.get(at.span, at.block)) : null;
  }

  /** Calls `fn` as Go calls a C function: until it returns, the thread has no cache of its own. */
  cgocall<T>(fn: () => T): T {
    if (typeof fn !== "function") badArgument("fn", fn, "a function");
    const thread = this.#thread;
    const hadCache = (thread[ENTRY] & NO_CACHE) === 0;
    thread[ENTRY] |= NO_CACHE;
    try {
      return fn();
    } finally {
      if (hadCache) thread[ENTRY] &= ~NO_CACHE;
    }
  }

  /** Asks the thread to let a collection run as soon as it allocates. */
  preempt(): void {
    this.#thread[ENTRY] |= PREEMPT;
  }

  /** Whether the thread is inside an allocation, so that no collection can start. */
  get isLocked(): boolean {
    return this.#thread[LOCKS] > 0;
  }

  #docnew(type: GoType, n: number, info: TypeInfo): Pointer {
    this.#requireType(type);
    if (!Number.isInteger(n) || n > Number.MAX_SAFE_INTEGER) {
      badArgument("n", n, `an integer up to ${Number.MAX_SAFE_INTEGER}`);
    }
    const { size } = type;
    if (n < 0 || (size > 0 && n > this.#arena.platform.maxMemBytes / size)) {
      throw new GoPanic("runtime: allocation size out of range");
    }
    return this.#enter(size * n, type, info, type.pointerFree ? FlagNoScan : 0);
  }

  /** Takes care of what the thread may be in the middle of, and allocates. */
  #enter(size: number, type: GoType | null, info: TypeInfo, flags: number): Pointer {
    requireInteger("size", size, 0);
    // All objects of no bytes are one.
    if (size === 0) return this.#blocks.mallocgc(0, null, FlagNoScan);
    const thread = this.#thread;
    if (thread[ENTRY] === 0) return this.#allocate(size, type, info, flags);

    if ((thread[ENTRY] & NO_CACHE) !== 0) return this.#callBack(size, type, info, flags);
    if (
      (thread[ENTRY] & PREEMPT) !== 0 && (flags & FlagNoInvokeGC) === 0 && thread[LOCKS] === 0
    ) {
      thread[ENTRY] &= ~PREEMPT;
      this.hooks.yield();
    }
    if ((thread[ENTRY] & MALLOCING) !== 0) throw new GoThrow("malloc/free - deadlock");
    return this.#allocate(size, type, info, flags);
  }

  /** Allocates for a caller inside a C call: with the cache, and without starting a collection. */
  #callBack(size: number, type: GoType | null, info: TypeInfo, flags: number): Pointer {
    this.#thread[ENTRY] &= ~NO_CACHE;
    try {
      return this.#enter(size, type, info, flags | FlagNoInvokeGC);
    } finally {
      this.#thread[ENTRY] |= NO_CACHE;
    }
  }

  #allocate(size: number, type: GoType | null, info: TypeInfo, flags: number): Pointer {
    const thread = this.#thread;
    const isPlain = (flags & (FlagNoScan | FlagNoGC)) === FlagNoScan;
    let p: Pointer;
    thread[LOCKS]++;
    thread[ENTRY] |= MALLOCING;
    try {
      const bytes = size + this.#typeBytes;
      // Should a collection fall due meanwhile, the locks keep it from starting until the object is complete.
      if (isPlain) {
        p = this.#blocks.mallocgc(bytes, type, flags);
      } else if (this.#isAsInGc(size, type, flags)) {
        p = this.#blocks.mallocgc(size, type, flags);
      } else {
        p = this.#takeBlock(bytes, flags);
        this.#writeBits(size, type, info, flags);
      }
      const isTiny = isPlain && bytes < TINY_BYTES;
      if (this.#typeBytes !== 0 && !(isTiny && this.#pointerBytes === 4)) {
        this.#writeTypeAtEnd(p, type, info);
      }
      thread[ENTRY] &= ~MALLOCING;
      if ((flags & FlagNoScan) === 0 && type !== null) this.#settype(p, type, info);
      // An object that fitted into the current tiny block costs nothing that a collection could be due for.
      if (isTiny && p % TINY_BYTES !== 0) return p;
    } finally {
      thread[ENTRY] &= ~MALLOCING;
      thread[LOCKS]--;
    }
    if ((flags & FlagNoInvokeGC) === 0 && (this.#cache.ints[ATTENTION] & GC_DUE) !== 0) {
      this.hooks.collectionDue(p);
    }
    return p;
  }

  /**
   * Whether gc's bits for such an object are gccgo's, too: it holds whole values with pointers, and is not one word in
   * a block of two, for which gc takes both for pointers.
   */
  #isAsInGc(size: number, type: GoType | null, flags: number): boolean {
    return (flags & FlagNoGC) === 0 && this.#typeBytes === 0 && type !== null &&
      !type.pointerFree && size >= type.size && size % this.#pointerBytes === 0 && size > 4;
  }

  /** Takes a block of its own, however small, that is not to be scanned yet. */
  #takeBlock(bytes: number, flags: number): Pointer {
    const kept = flags & ~(FlagNoScan | FlagNoGC);
    const p = this.#blocks.mallocgc(bytes, this.#types.uintptr, kept | FlagNoInvokeGC);
    this.#finder.find(p);
    // gc takes what has pointers and fits in one word for a pointer.
    if (this.#finder.bytes === this.#pointerBytes) this.#scanBits.clear(this.#finder);
    return p;
  }

  /** Writes the bits of the block that was found last. */
  #writeBits(size: number, type: GoType | null, info: TypeInfo, flags: number): void {
    const at = this.#finder;
    if ((flags & FlagNoGC) === 0) {
      this.#scanBits.markScan(at, size, type, info);
      return;
    }
    this.#noGC.add(at.start, at.block);
    if ((flags & STACK_FLAGS) === STACK_FLAGS) this.#pacer.stackBytes += size;
  }

  /** The last word of the block says what is in it. On 4-byte words objects may still share one, and it says nothing. */
  #writeTypeAtEnd(p: Pointer, type: GoType | null, info: TypeInfo): void {
    const at = this.#finder;
    at.find(p);
    const word = (p - this.#arena.start + at.bytes) / this.#pointerBytes - 1;
    this.#arena.writeWord(word, type === null ? 0 : type.address + info);
  }

  #settype(p: Pointer, type: GoType, info: TypeInfo): void {
    const at = this.#finder;
    at.find(p);
    const { span, block } = at;
    try {
      this.#spanTypes.set(span, block, type, info);
    } catch (error) {
      // There was no memory for a table: the object is one of unknown contents, until it is collected.
      at.find(p);
      if (this.#scanBits.isScannable(span, block)) {
        this.#scanBits.clear(at);
        this.#scanBits.markScan(at, at.usableBytes, null, TypeInfo.SingleObject);
      }
      throw error;
    }
  }

  /** As mallocgc does it, for an object that is there: no collection starts meanwhile. */
  #record(span: number, block: number, type: GoType, info: TypeInfo): void {
    this.#thread[LOCKS]++;
    try {
      this.#spanTypes.set(span, block, type, info);
    } finally {
      this.#thread[LOCKS]--;
    }
  }

  #requireType(type: GoType): void {
    if (type?.owner !== this.#types) {
      badArgument("type", type?.string ?? type, "a type of this heap's types");
    }
  }
}
