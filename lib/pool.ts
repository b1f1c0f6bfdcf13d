/**
 * Pools: objects that are put aside to be used again, and that a collection may have all the same. Go's
 * `sync.Pool`.
 *
 * What is in a pool is not alive because of that: a pool is no root. It need not be, since every pool is emptied
 * when a collection begins, before anything is marked, and once more when all is marked and the collection
 * was done in slices. So nothing in a pool can have been freed.
 *
 * @module
 */

import { requireInteger } from "./errors.ts";
import type { Pointer } from "./platform/platform.ts";

/**
 * A pool of objects, emptied by every collection.
 *
 * @example Buffers that are used again until the next collection
 * ```ts
 * import { GoHeap } from "@goheap/goheap";
 * import { assertEquals } from "@std/assert";
 *
 * using heap = new GoHeap();
 * const buffers = heap.pool(() => heap.newarray(heap.types.uint8, 4096));
 * const buffer = buffers.get(); // made
 * buffers.put(buffer);
 * assertEquals(buffers.get(), buffer); // the same one
 * ```
 */
export class Pool {
  readonly #make: () => Pointer;
  readonly #used: (pool: Pool) => void;
  /** The first object that was put into the empty pool: the first one to go, too. */
  #first: Pointer = 0;
  readonly #rest: Pointer[] = [];

  /** Made by `heap.pool`. `used` hears when something is put into the empty pool. */
  constructor(make: () => Pointer, used: (pool: Pool) => void) {
    this.#make = make;
    this.#used = used;
  }

  /** Puts the object at `p` aside; nil is ignored. */
  put(p: Pointer): void {
    if (requireInteger("p", p, 0) === 0) return;
    if (this.#first === 0 && this.#rest.length === 0) this.#used(this);
    if (this.#first === 0) this.#first = p;
    else this.#rest.push(p);
  }

  /** An object that was put aside, which it is no longer; if there is none, a new one, or nil. */
  get(): Pointer {
    const first = this.#first;
    this.#first = 0;
    return first !== 0 ? first : this.#rest.pop() ?? this.#make();
  }

  /** Forgets all objects: a collection begins. */
  clear(): void {
    this.#first = 0;
    this.#rest.length = 0;
  }
}

/** The pools of a heap that have something in them. */
export class Pools {
  readonly #filled = new Set<Pool>();

  /** Makes a pool. */
  make(make: () => Pointer): Pool {
    return new Pool(make, (pool) => this.#filled.add(pool));
  }

  /** Empties all pools. */
  clear(): void {
    for (const pool of this.#filled) pool.clear();
    this.#filled.clear();
  }
}
