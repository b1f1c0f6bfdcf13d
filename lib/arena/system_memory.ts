/**
 * System memory: what a heap has in its address space besides the arena.
 *
 * ```
 *   64-bit   a segment of 4 GiB of the heap's own, filled from its start
 *   32-bit   between the arena and the end of all addresses, filled from the top down, and in the end
 *            wherever there is room
 * ```
 *
 * All of it lies in one window, so one set of views is enough.
 *
 * @module
 */

import { badArgument } from "../errors.ts";
import type { AddressSpace } from "../platform/address_space.ts";
import { Memory } from "../platform/memory.ts";
import type { Platform, Pointer } from "../platform/platform.ts";
import { RangeSet } from "../platform/ranges.ts";

/** The system memory of one heap. See the head of the module. */
export class SystemMemory {
  readonly #platform: Platform;
  readonly #space: AddressSpace;
  readonly #handedOut = new RangeSet();
  readonly #blocks: { p: Pointer; bytes: number }[] = [];
  #memory: Memory | null = null;

  /** Takes memory from `space`, for a heap on `platform`. */
  constructor(platform: Platform, space: AddressSpace) {
    this.#platform = platform;
    this.#space = space;
  }

  /** The views of all that is handed out; there are some as soon as {@linkcode alloc} has handed out anything. */
  get memory(): Memory {
    return this.#memory ?? badArgument("memory", null, "system memory that was allocated");
  }

  /** Returns the address of `bytes` of zeroed memory, 0 if there is none; seeds' SysAlloc. */
  alloc(bytes: number): Pointer {
    const p = this.#space.alloc(bytes, this.#platform.addressEnd);
    if (p === 0) return 0;
    if (p + bytes > this.#platform.addressEnd) {
      this.#space.free(p, bytes);
      badArgument("addressSpace", p, `one that gives out addresses of ${this.#platform.name}`);
    }
    this.#handedOut.add(p, bytes);
    this.#blocks.push({ p, bytes });
    if (this.#memory === null) {
      const window = this.#space.window(p);
      this.#memory = new Memory(window.base, window, window.bytes);
    }
    return p;
  }

  /** Whether `bytes` bytes from the address `p` on were handed out. */
  has(p: Pointer, bytes: number): boolean {
    return this.#handedOut.has(p, bytes);
  }

  /** Gives everything back, what was taken last first: the heap is gone. */
  release(): void {
    for (const { p, bytes } of this.#blocks.splice(0).reverse()) this.#space.free(p, bytes);
    this.#handedOut.clear();
    this.#memory?.cover(0);
  }
}
