/**
 * Which type each object was allocated with: a table beside the heap, for heaps that ask for it.
 *
 * The collector needs an object's pointers and not its type, so the heap itself keeps none. A heap with
 * `recordTypes` writes the type's number down with every allocation, at the place of the block:
 *
 * ```
 *   arena     │ block of 32 bytes             │ block of 16   │       │ 8 bytes of address
 *   numbers   │  7  │ ... │ ... │ ... │  1  │ ... │              │ an int32 to each of them
 *                └ that of the type               └ 1: no type was given
 * ```
 *
 * Nothing is written when a block is freed: the next allocation writes over it. That takes half as much memory again
 * as the objects do, and 20 ns or so an allocation. Conservation: every block in use has a number from 1 on.
 *
 * @module
 */

import type { Arena } from "../arena/arena.ts";
import { GrowingInts } from "../arena/bitmap.ts";
import type { AllocationWatch } from "../debug_malloc.ts";
import { PAGE_BYTES, type Pointer } from "../platform/platform.ts";
import type { GoType } from "../types/go_type.ts";

/** Addresses that share a place: no block is smaller. */
const PLACE_BYTES = 8;
const NO_TYPE = 1;

/** The table of one heap. See the head of the module. */
export class TypeRecords implements AllocationWatch {
  readonly #arena: Arena;
  readonly #numbers: GrowingInts;
  /** By number, the type; the first place is that of blocks which were never handed out. */
  readonly #types: (GoType | null)[] = [null, null];
  readonly #numberOf = new Map<GoType | null, number>([[null, NO_TYPE]]);

  constructor(arena: Arena) {
    this.#arena = arena;
    this.#numbers = new GrowingInts(Math.ceil(arena.platform.maxMemBytes / PLACE_BYTES));
  }

  /** The block at `p` was handed out, for values of `type`; null if no type was given. */
  allocated(p: Pointer, _bytes: number, type: GoType | null): void {
    let number = this.#numberOf.get(type);
    if (number === undefined) {
      number = this.#types.length;
      this.#types.push(type);
      this.#numberOf.set(type, number);
    }
    const place = (p - this.#arena.start) / PLACE_BYTES;
    if (place >= this.#numbers.ints.length) this.#grow();
    this.#numbers.ints[place] = number;
  }

  /** The type that the block at `p` was allocated with; null if none was given. */
  typeOf(p: Pointer): GoType | null {
    return this.#types[this.number(p)];
  }

  /** The number at the place of the block at `p`; 0 if it was never handed out. */
  number(p: Pointer): number {
    return this.#numbers.ints[(p - this.#arena.start) / PLACE_BYTES] ?? 0;
  }

  #grow(): void {
    const { memory, usedPages } = this.#arena;
    // As far as the views of the memory reach, which grow in large steps.
    this.#numbers.cover(Math.max(memory.bytes, usedPages * PAGE_BYTES) / PLACE_BYTES);
  }
}
