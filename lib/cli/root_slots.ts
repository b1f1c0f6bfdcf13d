/**
 * Roots for blocks that come and go in any order: pointer variables outside the arena, given out by
 * number.
 *
 * They lie in arrays of {@linkcode SLOTS_PER_CHUNK} pointers in the heap's data segments, 512 KiB each on
 * a 64-bit platform; an array is added when all slots are taken and none is ever given back. A slot that
 * is free holds nil, so that a collection reads it and goes on. Free slots form a list through a table
 * beside them, the one freed last on top, which keeps the slots in use close together.
 *
 * @module
 */

import type { GoHeap } from "../go_heap.ts";
import type { Pointer } from "../platform/platform.ts";

/** How many slots one array has. */
export const SLOTS_PER_CHUNK = 65536;
const CHUNK_SHIFT = 16;

/** A growing set of root variables in a heap. */
export class RootSlots {
  readonly #heap: GoHeap;
  readonly #chunks: Pointer[] = [];
  #nextFree = new Int32Array(0);
  #firstFree = -1;

  /** Makes an empty set. */
  constructor(heap: GoHeap) {
    this.#heap = heap;
  }

  /** Stores `pointer` in a free slot; returns the slot's number. */
  hold(pointer: Pointer): number {
    if (this.#firstFree < 0) this.#addChunk();
    const slot = this.#firstFree;
    this.#firstFree = this.#nextFree[slot];
    this.#heap.storePointer(this.#addressOf(slot), pointer);
    return slot;
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

  #addChunk(): void {
    const { types } = this.#heap;
    const first = this.#nextFree.length;
    this.#chunks.push(this.#heap.global(types.array(types.unsafePointer, SLOTS_PER_CHUNK)));
    const nextFree = new Int32Array(first + SLOTS_PER_CHUNK);
    nextFree.set(this.#nextFree);
    for (let slot = first; slot < nextFree.length; slot++) nextFree[slot] = slot + 1;
    nextFree[nextFree.length - 1] = -1;
    this.#nextFree = nextFree;
    this.#firstFree = first;
  }
}
