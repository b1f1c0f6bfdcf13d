/**
 * Tells which objects a collection took, by finalizers that note the number of their object.
 *
 * @module
 */

import type { GoHeap, GoType, Pointer } from "../../mod.ts";

/** Objects under watch, by number. */
export class Watch {
  readonly #heap: GoHeap;
  readonly #gone: number[] = [];

  /** Watches objects of `heap`. */
  constructor(heap: GoHeap) {
    this.#heap = heap;
  }

  /** Watches a new object of `type`, by default a word-sized pointer-free block, and returns it. */
  object(
    number: number,
    type: GoType = this.#heap.types.array(this.#heap.types.uint8, 32),
  ): Pointer {
    const pointer = this.#heap.newobject(type);
    this.on(pointer, type, number);
    return pointer;
  }

  /** Watches an object that is there. */
  on(pointer: Pointer, type: GoType, number: number): void {
    const { types } = this.#heap;
    const pointerType = types.pointer(type);
    this.#heap.SetFinalizer({ type: pointerType, data: pointer }, {
      type: types.func([pointerType], []),
      data: () => this.#gone.push(number),
    });
  }

  /** Collects, and returns the numbers of the objects that were found to be unreachable, ascending. */
  collect(): number[] {
    this.#heap.GC();
    this.#heap.verify();
    this.#heap.runFinalizers();
    return this.#gone.splice(0).sort((a, b) => a - b);
  }
}
