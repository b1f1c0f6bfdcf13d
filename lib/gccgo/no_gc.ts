/**
 * Objects that the collector leaves alone: gccgo's FlagNoGC.
 *
 * gccgo allocates goroutine stacks this way where it has to. Such an object is never freed, nothing in it is
 * followed, and marking stops where it meets one. gccgo clears the block's "allocated" bit for that; here the
 * objects are few, so they are listed in a table, and are marked before anything else is: what is marked
 * already is neither followed nor swept.
 *
 * ```
 *   an entry, two int32:   │ first page of the span │ block in the span │
 * ```
 *
 * @module
 */

import type { Arena } from "../arena/arena.ts";
import { GrowingInts } from "../arena/bitmap.ts";
import * as bitmapPlanes from "../arena/bitmap.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { MARK_SHIFT } = bitmapPlanes;

const MAX_ENTRIES = 2 ** 27;
const FIRST_ENTRIES = 64;

/** The objects of a heap that are never freed. See the head of the module. */
export class NoGC {
  readonly #arena: Arena;
  readonly #entries = new GrowingInts(2 * MAX_ENTRIES);
  #count = 0;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** Lists block `block` of the span that begins at page `start`; seeds' marknogc. */
  add(start: number, block: number): void {
    const at = 2 * this.#count;
    if (at >= this.#entries.ints.length) this.#entries.cover(Math.max(2 * FIRST_ENTRIES, 2 * at));
    this.#entries.ints[at] = start;
    this.#entries.ints[at + 1] = block;
    this.#count++;
  }

  /** Calls `visit` with the first page of its span and the block number of each. */
  forEach(visit: (start: number, block: number) => void): void {
    const { ints } = this.#entries;
    for (let at = 0; at < 2 * this.#count; at += 2) visit(ints[at], ints[at + 1]);
  }

  /** Marks all of them, before anything else is. */
  mark(): void {
    const { marks } = this.#arena.bitmap;
    this.forEach((start, block) => {
      marks[(start << MARK_SHIFT) + ((block >>> 5) << 1)] |= 1 << (block & 31);
    });
  }
}
