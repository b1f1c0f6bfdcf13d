/**
 * The views of a heap's memory.
 *
 * A typed array of fixed length over a growable SharedArrayBuffer is as fast as one over plain memory
 * (0.6 ns an access); one that tracks the buffer's length is fifty times slower. So every view is made
 * here, with an explicit length, and made again when the buffer has grown. An old view stays valid for
 * the part it covers and silently reads `undefined` behind it: nobody keeps a view across a call that
 * may grow the heap.
 *
 * @module
 */

import type { MemoryWindow } from "./address_space.ts";
import { PAGE_BYTES, type Pointer } from "./platform.ts";

/** What memory is cleared with where there is no faster way: copying is faster than filling, see docs/performance.md. */
const ZEROES = new Uint8Array(PAGE_BYTES);

/**
 * All the typed views of one window: byte i of each of them is address `base + i`. They are declared, not defined: see
 * docs/performance.md.
 */
export class Memory {
  /** The address of the first byte. */
  readonly base: Pointer;
  /** How many bytes the views cover. */
  bytes = 0;
  /** How many of them a program may use, from the first on. */
  usedBytes = 0;
  /** Half a byte behind these. */
  usedEnd = 0.5;
  /** How many words of 8 bytes that are, as far as an int32 can count their halves: 8 GiB. */
  usedWords = 0;
  /** How many of those take a pointer with nothing else to be done: none while a write barrier is on. */
  plainWords = 0;
  declare u8: Uint8Array;
  declare i8: Int8Array;
  declare u16: Uint16Array;
  declare i16: Int16Array;
  declare u32: Uint32Array;
  declare i32: Int32Array;
  declare f32: Float32Array;
  declare f64: Float64Array;
  declare u64: BigUint64Array;
  declare private readonly window: MemoryWindow;
  /** The address of the first byte of the window's buffer. */
  declare private readonly windowBase: Pointer;
  /** Half a byte before the first one: see memory_access.ts. */
  declare private readonly beforeBase: number;
  #hasBarrier = false;

  /** Views `bytes` of a window, from the address `base` on. */
  constructor(base: Pointer, window: MemoryWindow, bytes: number) {
    this.base = base;
    this.window = window;
    this.windowBase = window.base;
    this.beforeBase = base - 0.5;
    this.cover(bytes);
  }

  /** The number of the element of `bytes` bytes at the address `p` in a view: not whole, if `p` is not aligned to that. */
  index(p: Pointer, bytes: number): number {
    return (p - this.beforeBase) / bytes - 0.5 / bytes;
  }

  /** Clears `bytes` bytes from the address `p` on, both multiples of 8. */
  clear(p: Pointer, bytes: number): void {
    const { clear } = this.window;
    if (clear !== undefined) {
      clear(((p - this.windowBase) / 8) | 0, (bytes / 8) | 0);
      return;
    }
    const { u8 } = this;
    const from = p - this.base;
    const end = from + bytes;
    let at = from;
    for (; at + ZEROES.length <= end; at += ZEROES.length) u8.set(ZEROES, at);
    if (at < end) u8.set(ZEROES.subarray(0, end - at), at);
  }

  /** Copies `bytes` bytes from the address `q` in `from` on to the address `p`; the two ranges may overlap. */
  copy(p: Pointer, from: Memory, q: Pointer, bytes: number): void {
    const { copy } = this.window;
    if (copy !== undefined && from.window === this.window) {
      copy(p - this.windowBase, q - from.windowBase, bytes);
    } else {
      this.u8.set(from.u8.subarray(q - from.base, q - from.base + bytes), p - this.base);
    }
  }

  /** Lets a program use the first `bytes` bytes. */
  use(bytes: number): void {
    this.usedBytes = bytes;
    this.usedEnd = this.base + bytes + 0.5;
    this.usedWords = Math.min(bytes / 8, 2 ** 30) | 0;
    this.plainWords = this.#hasBarrier ? 0 : this.usedWords;
  }

  /** Whether somebody has to hear of each pointer that is stored. */
  set hasBarrier(isOn: boolean) {
    this.#hasBarrier = isOn;
    this.use(this.usedBytes);
  }

  /** Makes the views again, so that they cover `bytes` (a multiple of 8). */
  cover(bytes: number): void {
    const { buffer } = this.window;
    const offset = this.base - this.windowBase;
    this.bytes = bytes;
    this.u8 = new Uint8Array(buffer, offset, bytes);
    this.i8 = new Int8Array(buffer, offset, bytes);
    this.u16 = new Uint16Array(buffer, offset, bytes / 2);
    this.i16 = new Int16Array(buffer, offset, bytes / 2);
    this.u32 = new Uint32Array(buffer, offset, bytes / 4);
    this.i32 = new Int32Array(buffer, offset, bytes / 4);
    this.f32 = new Float32Array(buffer, offset, bytes / 4);
    this.f64 = new Float64Array(buffer, offset, bytes / 8);
    this.u64 = new BigUint64Array(buffer, offset, bytes / 8);
  }
}
