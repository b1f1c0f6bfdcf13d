/**
 * persistentalloc: small pieces of memory that are never freed.
 *
 * The heap's own records need memory that outlives every collection. Asking the system for each of them
 * would waste a page, so they are cut from chunks of 256 KiB, in order; what is left of a chunk when the
 * next piece does not fit is dropped. A piece of 64 KiB or more is the system's, and nil if the system has none;
 * a chunk that cannot be had is a throw.
 *
 * ```
 *   chunk  ├── used ──┤pad├── piece ──┤        free         │
 *                     pos └ aligned   └ new pos         end ┘
 * ```
 *
 * A chunk is booked under other_sys; a piece is rebooked from there to the account of whoever asked.
 *
 * @module
 */

import { GoThrow, requireInteger } from "../errors.ts";
import { Lock } from "../platform/lock.ts";
import { PAGE_BYTES, type Pointer } from "../platform/platform.ts";
import { OTHER_SYS } from "./stats.ts";
import type { SystemMemory } from "./system_memory.ts";

const CHUNK_BYTES = 256 * 1024;
/** The granularity in which Windows reserves addresses. */
const MAX_BLOCK_BYTES = 64 * 1024;
const DEFAULT_ALIGN = 8;

const POS = 0;
const END = 1;

/** The persistent memory of one heap. */
export class PersistentMemory {
  readonly #system: Pick<SystemMemory, "alloc">;
  readonly #stats: Float64Array;
  readonly #chunk = new Float64Array(new SharedArrayBuffer(16));
  readonly lock: Lock = new Lock();

  /** Takes chunks from `system` and books them in `stats`. */
  constructor(system: Pick<SystemMemory, "alloc">, stats: Float64Array) {
    this.#system = system;
    this.#stats = stats;
  }

  /** Where the next piece would lie if it needed no alignment, and where the chunk ends. */
  get position(): { pos: Pointer; end: Pointer } {
    return { pos: this.#chunk[POS], end: this.#chunk[END] };
  }

  /**
   * Returns the address of `size` bytes, aligned to `align` (a power of two up to 8192; 0 stands for 8),
   * booked under the account at offset `stat`; 0 if there is no memory for 64 KiB or more. Throws if there is none
   * for less. Seeds' persistentalloc.
   */
  alloc(size: number, align: number, stat: number): Pointer {
    requireInteger("size", size, 0);
    requireInteger("align", align, 0);
    const alignment = align === 0 ? DEFAULT_ALIGN : align;
    if (!isPowerOfTwo(alignment)) throw new GoThrow("persistentalloc: align is not a power of 2");
    if (alignment > PAGE_BYTES) throw new GoThrow("persistentalloc: align is too large");
    if (size >= MAX_BLOCK_BYTES) return this.#fromSystem(size, stat);

    this.lock.lock();
    try {
      const chunk = this.#chunk;
      chunk[POS] = Math.ceil(chunk[POS] / alignment) * alignment;
      if (chunk[POS] + size > chunk[END] || chunk[POS] === 0) {
        const start = this.#fromSystem(CHUNK_BYTES, OTHER_SYS);
        if (start === 0) throw new GoThrow("runtime: cannot allocate memory");
        chunk[POS] = start;
        chunk[END] = start + CHUNK_BYTES;
      }
      const p = chunk[POS];
      chunk[POS] += size;
      this.#stats[stat] += size;
      this.#stats[OTHER_SYS] -= size;
      return p;
    } finally {
      this.lock.unlock();
    }
  }

  #fromSystem(bytes: number, stat: number): Pointer {
    const p = this.#system.alloc(bytes);
    if (p !== 0) this.#stats[stat] += bytes;
    return p;
  }
}

function isPowerOfTwo(n: number): boolean {
  return n < 2 ** 31 ? (n & (n - 1)) === 0 : Number.isInteger(Math.log2(n));
}
