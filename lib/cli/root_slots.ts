/**
 * Roots for blocks that come and go in any order: pointer variables outside the arena, given out by
 * number.
 *
 * They lie in arrays of {@linkcode SLOTS_PER_CHUNK} pointers in the heap's data segments, 32 KiB each on
 * a 64-bit platform; an array is added when all slots are taken and none is ever given back. A slot that
 * is free holds nil, so that a collection reads it and goes on. Free slots form a list through a table
 * beside them, the one freed last on top, which keeps the slots in use close together.
 *
 * @module
 */

import type { GoHeap } from "../go_heap.ts";
import type { Pointer } from "../platform/platform.ts";

/** How many slots one array has. */
export const SLOTS_PER_CHUNK = 4096;
const CHUNK_SHIFT = 12;

/** A growing set of root variables in a heap. */
export class RootSlots {
  readonly #heap: GoHeap;
  readonly #chunks: Pointer[] = [];
  /** Slots that were ever in use; the ones above have not been touched. */
  #made = 0;
  /** By slot, the free slot after it in the list, if it is free; -1 ends the list. */
  #nextFree = new Int32Array(SLOTS_PER_CHUNK);
  #firstFree = -1;

  /** Makes an empty set. */
  constructor(heap: GoHeap) {
    this.#heap = heap;
  }

  /** Stores `pointer` in a free slot; returns the slot's number. */
  hold(pointer: Pointer): number {
    let slot = this.#firstFree;
    if (slot >= 0) this.#firstFree = this.#nextFree[slot];
    else slot = this.#make();
    this.#heap.storePointer(this.#addressOf(slot), pointer);
    return slot;
  }

  /** The pointer that a slot holds. */
  pointerIn(slot: number): Pointer {
    return this.#heap.loadPointer(this.#addressOf(slot));
  }

  /** Clears a slot and frees it. */
  release(slot: number): void {
    this.#heap.storePointer(this.#addressOf(slot), 0);
    this.#nextFree[slot] = this.#firstFree;
    this.#firstFree = slot;
  }

  #addressOf(slot: number): Pointer {
    const index = slot & (SLOTS_PER_CHUNK - 1);
    return this.#chunks[slot >> CHUNK_SHIFT] + index * this.#heap.platform.pointerBytes;
  }

  #make(): number {
    // There is nothing to copy: a slot is made only when none is free.
    if (this.#made === this.#nextFree.length) this.#nextFree = new Int32Array(this.#made * 2);
    if (this.#made === this.#chunks.length * SLOTS_PER_CHUNK) {
      const { types } = this.#heap;
      this.#chunks.push(this.#heap.global(types.array(types.unsafePointer, SLOTS_PER_CHUNK)));
    }
    return this.#made++;
  }
}
