/**
 * Blocks in a heap: what a replay allocates and lets go, each held by a root from the one to the other.
 *
 * A trace does not say what pointers a block holds, and its liveness is known anyway, so blocks are
 * noscan. But a noscan block below 16 bytes would share a block of the tiny allocator with others; each
 * such block is an array of nil pointers instead, which gets a block of its own as it did in the trace.
 *
 * @module
 */

import { FlagNoScan } from "../flags.ts";
import type { GoHeap } from "../go_heap.ts";
import type { Pointer } from "../platform/platform.ts";
import { TINY_BYTES } from "../spans/size_classes.ts";
import type { BlockTarget } from "./replayer.ts";
import { RootSlots } from "./root_slots.ts";

/** The blocks of a replay in a heap; a block's number is that of the root that holds it. */
export class HeapBlocks implements BlockTarget {
  readonly #heap: GoHeap;
  readonly #roots: RootSlots;

  /** Makes an empty set of blocks in `heap`. */
  constructor(heap: GoHeap) {
    this.#heap = heap;
    this.#roots = new RootSlots(heap);
  }

  /** The largest block, in bytes: what an arena of the heap's platform holds. */
  get maxBlockBytes(): number {
    return this.#heap.platform.maxMemBytes;
  }

  /** Allocates a block and holds it. */
  allocate(sizeBytes: number): number {
    return this.#roots.hold(this.#allocate(sizeBytes));
  }

  /** Allocates a block, copies into it what is in another one, and lets go of that. */
  reallocate(block: number, oldBytes: number, newBytes: number): number {
    const heap = this.#heap;
    const target = this.#allocate(newBytes);
    const copied = Math.min(oldBytes, newBytes);
    heap.bytes(target, copied).set(heap.bytes(this.addressOf(block), copied));
    const held = this.#roots.hold(target);
    this.#roots.release(block);
    return held;
  }

  /** Where a block lies. */
  addressOf(block: number): Pointer {
    return this.#roots.pointerIn(block);
  }

  /** Lets go of a block, which is garbage from now on. */
  release(block: number): void {
    this.#roots.release(block);
  }

  #allocate(sizeBytes: number): Pointer {
    if (sizeBytes >= TINY_BYTES) return this.#heap.mallocgc(sizeBytes, null, FlagNoScan);
    const { platform: { pointerBytes }, types: { unsafePointer } } = this.#heap;
    return this.#heap.newarray(unsafePointer, Math.ceil(sizeBytes / pointerBytes));
  }
}
