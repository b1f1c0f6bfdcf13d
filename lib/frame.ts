/**
 * Frames and references: how JavaScript code keeps objects alive.
 *
 * @module
 */

import { badArgument, GoThrow, requireInteger } from "./errors.ts";
import type { Roots } from "./gc/roots.ts";
import type { MemoryAccess } from "./memory_access.ts";
import type { Pointer } from "./platform/platform.ts";

/**
 * A frame of the shadow stack: a few pointer slots that keep what they point to alive until the frame is
 * disposed of. For synchronous code: frames end in the reverse order of their beginning.
 *
 * @example A local variable that survives a collection
 * ```ts
 * import { GoHeap } from "@goheap/goheap";
 * import { assertEquals } from "@std/assert";
 *
 * using heap = new GoHeap();
 * using frame = heap.frame(1);
 * frame.set(0, heap.newobject(heap.types.int64));
 * heap.GC();
 * assertEquals(heap.ReadMemStats().HeapObjects, 1);
 * ```
 */
export class Frame {
  /** How many slots there are. */
  readonly slots: number;
  readonly #address: Pointer;
  readonly #roots: Roots;
  readonly #memory: MemoryAccess;
  readonly #pointerBytes: number;
  #isOpen = true;

  /** Made by `heap.frame`. */
  constructor(roots: Roots, memory: MemoryAccess, slots: number, pointerBytes: number) {
    this.slots = requireInteger("slots", slots, 0);
    this.#roots = roots;
    this.#memory = memory;
    this.#pointerBytes = pointerBytes;
    this.#address = roots.pushFrame(slots);
  }

  /** The pointer in slot `i`. */
  get(i: number): Pointer {
    return this.#memory.loadPointer(this.address(i));
  }

  /** Puts the pointer `p` into slot `i`. */
  set(i: number, p: Pointer): void {
    this.#memory.storePointer(this.address(i), p);
  }

  /** The address of slot `i`. */
  address(i: number): Pointer {
    if (!this.#isOpen) throw new GoThrow("Cannot use frame: it was disposed of");
    if (!(i >= 0 && i < this.slots && Math.floor(i) === i)) {
      badArgument("i", i, `a slot from 0 to ${this.slots - 1}`);
    }
    return this.#address + i * this.#pointerBytes;
  }

  /** Ends the frame; throws if a frame made later is still there. */
  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#roots.popFrame(this.#address, this.slots);
    this.#isOpen = false;
  }
}

/** Ends references whose JavaScript objects V8 has collected; it holds the heap's roots only weakly. */
const abandoned = new FinalizationRegistry<{ roots: WeakRef<Roots>; slot: number }>(
  ({ roots, slot }) => roots.deref()?.dropReference(slot),
);

/**
 * A reference keeps one object alive until it is disposed of, or until V8 has collected it (some time
 * later, and never within a synchronous turn).
 *
 * @example Across an await
 * ```ts
 * import { GoHeap } from "@goheap/goheap";
 * import { assertEquals } from "@std/assert";
 *
 * using heap = new GoHeap();
 * using ref = heap.ref(heap.newobject(heap.types.int64));
 * await Promise.resolve();
 * heap.GC();
 * assertEquals(heap.loadInt32(ref.pointer), 0);
 * ```
 */
export class Ref {
  readonly #roots: Roots;
  #slot: number;

  /** Made by `heap.ref`. */
  constructor(roots: Roots, p: Pointer) {
    this.#roots = roots;
    this.#slot = roots.addReference(requireInteger("p", p, 0));
    abandoned.register(this, { roots: new WeakRef(roots), slot: this.#slot }, this);
  }

  /** What it refers to; 0 once it was disposed of. */
  get pointer(): Pointer {
    return this.#slot < 0 ? 0 : this.#roots.reference(this.#slot);
  }

  /** Ends the reference. */
  [Symbol.dispose](): void {
    if (this.#slot < 0) return;
    abandoned.unregister(this);
    this.#roots.dropReference(this.#slot);
    this.#slot = -1;
  }
}
