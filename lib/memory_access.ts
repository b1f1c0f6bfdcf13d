/**
 * Loads and stores: how a program reads and writes its objects.
 *
 * An address is looked for in the used arena first, then in the system memory (global variables, frames,
 * persistent memory); anything else throws. On 32-bit, where both may be anywhere, the arena's pages behind its
 * first hole and the ranges of system memory are looked up one by one. Addresses must be aligned to what is
 * loaded. A pointer is a word of the platform, little-endian, and holds the full address.
 *
 * The quick ways turn an address into the number of its word, counted from the arena's start, and ask whether it is one: a
 * whole number, and below the number of words in use, of which they see at most 2^30 (8 GiB): their halves must have numbers
 * that are int32. They count from half a byte before the start, so that what they add and subtract is never whole:
 *
 * ```
 *   (p - (start - 1/2)) / 8   =   word + 1/16          if p is the address of a word
 * ```
 *
 * V8 remembers of each addition whether its operands were whole numbers below 2^51, and if so adds integers, with five
 * instructions to make one of each float64 and to check it. A half keeps it from doing so, for nothing.
 *
 * A pointer is loaded and stored as a float64: an address is below 2^52, so its word is a subnormal number. Adding the least
 * normal one changes none of its bits and makes it normal, which can be multiplied:
 *
 * ```
 *   the word of p                p x 2^-1074                 subnormal
 *   + 2^-1022                    (2^52 + p) x 2^-1074        normal, of the same bits and the one that float64 implies
 *   x 2^537 x 2^537 - 2^52       p
 * ```
 *
 * Nothing is rounded on the way, nor back. Only additions meet a subnormal number: what else is done with one may cost some
 * processors a hundred cycles and more. Two halves of the word, made float64 and put together, take more instructions. Where
 * subnormal numbers are taken for 0, as in threads that play sound, all take the last way.
 *
 * With efence the quick ways are given an arena of no bytes, so that every access takes the last way, where the
 * fence is asked. Other heaps have nothing to do with it.
 *
 * @module
 */

import type { Arena } from "./arena/arena.ts";
import type { ProgramImage } from "./arena/program_image.ts";
import { badArgument, requireInteger } from "./errors.ts";
import type { Fence } from "./fence.ts";
import type { WriteBarrier } from "./gc/write_barrier.ts";
import { Memory } from "./platform/memory.ts";
import type { Pointer } from "./platform/platform.ts";

/** What float64 is made of, as literals: see Fast in malloc.ts. */
const enum Double {
  LeastNormal = 2 ** -1022,
  /** The square root of 2^1074. */
  Scale = 2 ** 537,
  /** The bit before the mantissa, as an integer. */
  Implied = 2 ** 52,
}

/** Whether this thread calculates with subnormal numbers. */
const HAS_SUBNORMALS = new Float64Array([Number.MIN_VALUE])[0] + Double.LeastNormal !==
  Double.LeastNormal;

/** Memory as the program sees it. See the head of the module. Its fields are declared: see docs/performance.md. */
export class MemoryAccess {
  /** The objects' memory; an empty one if there is a fence. */
  declare private readonly objects: Memory;
  declare private readonly arena: Arena;
  declare private readonly fence: Fence | null;
  declare private readonly image: ProgramImage;
  declare private readonly barrier: WriteBarrier;
  declare private readonly arenaStart: Pointer;
  declare private readonly pointerBytes: number;
  declare private readonly isLong: boolean;
  /** Half a byte before the arena; NaN where pointers are never loaded the quick way, as on 4-byte words. */
  declare private readonly beforeStart: number;
  declare private readonly maxPointer: number;

  constructor(arena: Arena, image: ProgramImage, barrier: WriteBarrier, fence: Fence | null) {
    this.objects = fence === null ? arena.memory : new Memory(
      arena.start,
      { base: arena.start, bytes: 0, buffer: new SharedArrayBuffer(0) },
      0,
    );
    this.arena = arena;
    this.fence = fence;
    this.image = image;
    this.barrier = barrier;
    this.arenaStart = arena.start;
    this.pointerBytes = arena.platform.pointerBytes;
    this.isLong = this.pointerBytes === 8;
    this.beforeStart = this.isLong && HAS_SUBNORMALS ? arena.start - 0.5 : NaN;
    this.maxPointer = this.pointerBytes === 8 ? Number.MAX_SAFE_INTEGER : 2 ** 32 - 1;
  }

  /** The pointer stored at `p`. */
  loadPointer(p: Pointer): Pointer {
    if (typeof p === "number") {
      const { f64, usedWords } = this.objects;
      const place = (p - this.beforeStart) / 8;
      const word = place | 0;
      if (word + 1 / 16 === place && word >>> 0 < usedWords >>> 0) {
        const bits = f64[word];
        const pointer = (bits + Double.LeastNormal) * Double.Scale * Double.Scale - Double.Implied;
        // Null is not asked for: the program does that at once. The bits of -0 are no address, and no smaller than null here.
        if (pointer >= 0 && pointer < Double.Implied && !Object.is(bits, -0)) return pointer;
      }
    }
    // The plus sign tells V8 that this is a number, so that the result need not be an object.
    return +this.#loadPointerElsewhere(p);
  }

  /** Stores the pointer `value` at `p`. */
  storePointer(p: Pointer, value: Pointer): void {
    if (typeof p === "number" && typeof value === "number") {
      // While a write barrier is on, no word is a plain one.
      const { f64, plainWords } = this.objects;
      const place = (p - this.beforeStart) / 8;
      const word = place | 0;
      const mantissa = value + Double.Implied;
      if (
        word + 1 / 16 === place && word >>> 0 < plainWords >>> 0 &&
        value >= 0 && value < Double.Implied && mantissa - Double.Implied === value
      ) {
        f64[word] = mantissa / Double.Scale / Double.Scale - Double.LeastNormal;
        return;
      }
    }
    this.#otherMemory(p, this.pointerBytes, this.pointerBytes, true, value);
  }

  #loadPointerElsewhere(p: Pointer): Pointer {
    const memory = this.#otherMemory(p, this.pointerBytes, this.pointerBytes, false, 0);
    const at = memory.index(p, 4);
    const high = this.isLong ? memory.u32[at + 1] : 0;
    return memory.u32[at] + high * 2 ** 32;
  }

  loadUint8(p: Pointer): number {
    const memory = this.#memoryOf(p, 1);
    return memory.u8[memory.index(p, 1)];
  }

  loadInt8(p: Pointer): number {
    const memory = this.#memoryOf(p, 1);
    return memory.i8[memory.index(p, 1)];
  }

  storeUint8(p: Pointer, value: number): void {
    requireInteger("value", value, 0, 2 ** 8 - 1);
    const memory = this.#memoryOf(p, 1);
    memory.u8[memory.index(p, 1)] = value;
  }

  storeInt8(p: Pointer, value: number): void {
    requireInteger("value", value, -(2 ** 7), 2 ** 7 - 1);
    const memory = this.#memoryOf(p, 1);
    memory.i8[memory.index(p, 1)] = value;
  }

  loadUint16(p: Pointer): number {
    const memory = this.#memoryOf(p, 2);
    return memory.u16[memory.index(p, 2)];
  }

  loadInt16(p: Pointer): number {
    const memory = this.#memoryOf(p, 2);
    return memory.i16[memory.index(p, 2)];
  }

  storeUint16(p: Pointer, value: number): void {
    requireInteger("value", value, 0, 2 ** 16 - 1);
    const memory = this.#memoryOf(p, 2);
    memory.u16[memory.index(p, 2)] = value;
  }

  storeInt16(p: Pointer, value: number): void {
    requireInteger("value", value, -(2 ** 15), 2 ** 15 - 1);
    const memory = this.#memoryOf(p, 2);
    memory.i16[memory.index(p, 2)] = value;
  }

  loadUint32(p: Pointer): number {
    const memory = this.#memoryOf(p, 4);
    return memory.u32[memory.index(p, 4)];
  }

  loadInt32(p: Pointer): number {
    const memory = this.#memoryOf(p, 4);
    return memory.i32[memory.index(p, 4)];
  }

  storeUint32(p: Pointer, value: number): void {
    requireInteger("value", value, 0, 2 ** 32 - 1);
    const memory = this.#memoryOf(p, 4);
    memory.u32[memory.index(p, 4)] = value;
  }

  storeInt32(p: Pointer, value: number): void {
    requireInteger("value", value, -(2 ** 31), 2 ** 31 - 1);
    const memory = this.#memoryOf(p, 4);
    memory.i32[memory.index(p, 4)] = value;
  }

  loadFloat32(p: Pointer): number {
    const memory = this.#memoryOf(p, 4);
    return memory.f32[memory.index(p, 4)];
  }

  storeFloat32(p: Pointer, value: number): void {
    requireNumber(value);
    const memory = this.#memoryOf(p, 4);
    memory.f32[memory.index(p, 4)] = value;
  }

  loadFloat64(p: Pointer): number {
    const memory = this.#memoryOf(p, 8);
    return memory.f64[memory.index(p, 8)];
  }

  storeFloat64(p: Pointer, value: number): void {
    requireNumber(value);
    const memory = this.#memoryOf(p, 8);
    memory.f64[memory.index(p, 8)] = value;
  }

  loadBig64(p: Pointer): bigint {
    const memory = this.#memoryOf(p, 8);
    return memory.u64[memory.index(p, 8)];
  }

  storeBig64(p: Pointer, value: bigint): void {
    if (typeof value !== "bigint" || value < -(2n ** 63n) || value >= 2n ** 64n) {
      badArgument("value", value, "a bigint from -2n ** 63n to 2n ** 64n - 1n");
    }
    const memory = this.#memoryOf(p, 8);
    memory.u64[memory.index(p, 8)] = BigInt.asUintN(64, value);
  }

  /** A view of `n` bytes from `p` on. */
  bytes(p: Pointer, n: number): Uint8Array {
    requireInteger("n", n, 0);
    const memory = this.#memoryOf(p, 1, n);
    return memory.u8.subarray(p - memory.base, p - memory.base + n);
  }

  /** The memory that holds [p, p + bytes), where `p` must be aligned to `align`. */
  #memoryOf(p: Pointer, align: number, bytes: number = align): Memory {
    if (typeof p === "number") {
      const { objects } = this;
      const unit = objects.index(p, align);
      const isInside = unit >= 0 && p + (bytes + 0.5) <= objects.usedEnd;
      if (isInside && Math.floor(unit) === unit) return objects;
    }
    return this.#otherMemory(p, align, bytes, false, 0);
  }

  /**
   * The same for addresses anywhere, with what is wrong with others; a store puts `pointer` there, whatever
   * it is and with a barrier on.
   *
   * This is one function so as to have over 460 bytes of bytecode: then V8 never inlines it. Inlined for the sake of a
   * variable outside the arena, it would take the room of the short ways above, and a program that loads
   * and stores pointers more than once in a function would call them.
   */
  #otherMemory(
    p: Pointer,
    align: number,
    bytes: number,
    isStore: boolean,
    pointer: Pointer,
  ): Memory {
    const isAddress = typeof pointer === "number" && pointer >= 0 && pointer <= this.maxPointer &&
      Math.floor(pointer) === pointer;
    if (!isAddress) badArgument("value", pointer, `an address from 0 to ${this.maxPointer}`);
    if (typeof p !== "number" || !Number.isInteger(p / align)) {
      badArgument("p", p, `an address that is a multiple of ${align}`);
    }
    const isInArena = p >= this.arenaStart &&
      p + bytes <= this.arenaStart + this.objects.usedBytes;
    let memory = isInArena ? this.objects : (this.fence?.memoryAt(p, bytes) ?? null);
    if (memory === null && this.arena.hasHoles && this.arena.holds(p, bytes)) {
      memory = this.arena.memoryAt(p);
    }
    if (memory === null) {
      memory = this.image.memory;
      const isInside = p >= memory.base && p + bytes <= memory.base + memory.bytes;
      if (!isInside || !(this.isLong || this.image.holds(p, bytes))) {
        badArgument(
          "p",
          p,
          `an address with ${bytes} bytes of this heap's memory behind it, in the arena ` +
            `(0x${
              this.arenaStart.toString(16)
            }, ${this.arena.memory.usedBytes} bytes) or outside it`,
        );
      }
    }
    if (!isStore) return memory;
    const at = memory.index(p, 4);
    memory.u32[at] = pointer;
    if (this.isLong) memory.u32[at + 1] = pointer / 2 ** 32;
    this.barrier.shade(pointer);
    return memory;
  }
}

function requireNumber(value: number): void {
  if (typeof value !== "number") badArgument("value", value, "a number");
}
