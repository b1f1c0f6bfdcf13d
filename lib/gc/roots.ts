/**
 * Roots: the places outside the heap from which objects are kept alive.
 *
 * JavaScript's stack cannot be scanned, so roots are explicit:
 *
 * ```
 *   globals      variables in the data segments, for as long as the heap lives
 *   frames       ┌ frame 1 ┬ frame 2 ┬ frame 3 ┐      pointer slots on a shadow stack, for synchronous code
 *                └ 2 slots ┴ 1 slot  ┴ 4 slots ┘ top  given back in reverse order
 *   references   a slot each, for as long as a JavaScript object wants
 * ```
 *
 * Finalizers that are queued or could be are roots too; see specials.ts and finalizer_queue.ts.
 *
 * @module
 */

import { GrowingInts } from "../arena/bitmap.ts";
import type { ProgramImage } from "../arena/program_image.ts";
import { GoThrow } from "../errors.ts";
import type { Pointer } from "../platform/platform.ts";
import type { GoType } from "../types/go_type.ts";
import type { WriteBarrier } from "./write_barrier.ts";

/** A global variable. */
export interface Global {
  readonly address: Pointer;
  readonly type: GoType;
}

const MAX_REFERENCES = 2 ** 28;

/** The roots of one heap. See the head of the module. */
export class Roots {
  /** Global variables that have pointers. */
  readonly globals: Global[] = [];
  /** The object that was just allocated, which nothing refers to yet; 0 if none. */
  pinned: Pointer = 0;
  /** Set when the heap is put together; hears of every new reference. */
  barrier!: WriteBarrier;
  readonly #image: ProgramImage;
  readonly #pointerBytes: number;
  #stackSlots = 0;
  readonly #references = new GrowingInts(2 * MAX_REFERENCES);
  #referenceSlots: Float64Array = new Float64Array(0);
  #referencesMade = 0;
  #freeReference = -1;

  constructor(image: ProgramImage, pointerBytes: number) {
    this.#image = image;
    this.#pointerBytes = pointerBytes;
  }

  /**
   * Makes a global variable of `type`, all zero, and returns its address. If it has pointers, they are where
   * `scannedAs` has them.
   */
  global(type: GoType, scannedAs: GoType = type): Pointer {
    const address = this.#image.variable(type.size, type.align, type.pointerFree);
    if (!type.pointerFree) this.globals.push({ address, type: scannedAs });
    return address;
  }

  /** Slots in use on the shadow stack, which begins at `stackBase`. */
  get stackSlots(): number {
    return this.#stackSlots;
  }

  get stackBase(): Pointer {
    return this.#image.stack.base;
  }

  /** Takes `slots` slots, all nil, from the top of the stack; returns the address of the first. */
  pushFrame(slots: number): Pointer {
    const { base, bytes } = this.#image.stack;
    const address = base + this.#stackSlots * this.#pointerBytes;
    if (address + slots * this.#pointerBytes > base + bytes) {
      throw new GoThrow(
        `stack overflow: ${this.#stackSlots} slots are in use, ${slots} more do not fit in ${bytes} bytes`,
      );
    }
    this.#stackSlots += slots;
    return address;
  }

  /** Gives back the frame that begins at `address`, which must be the last one. */
  popFrame(address: Pointer, slots: number): void {
    const top = this.stackBase + this.#stackSlots * this.#pointerBytes;
    if (address + slots * this.#pointerBytes !== top) {
      throw new GoThrow(
        `Cannot dispose frame: it has slots 0x${address.toString(16)} to ` +
          `0x${(address + slots * this.#pointerBytes).toString(16)}, the last frame ends at ` +
          `0x${top.toString(16)}: frames are disposed in reverse order`,
      );
    }
    this.#stackSlots -= slots;
    const { memory } = this.#image;
    const from = address - memory.base;
    memory.u8.fill(0, from, from + slots * this.#pointerBytes);
  }

  /** Makes a reference to `p`; returns its number. */
  addReference(p: Pointer): number {
    this.barrier.shade(p);
    let slot = this.#freeReference;
    if (slot >= 0) {
      // A free slot holds the next free one as -2 - next, so that -1 ends the list.
      this.#freeReference = -2 - this.#referenceSlots[slot];
    } else {
      slot = this.#referencesMade++;
      if (slot >= this.#referenceSlots.length) this.#growReferences();
    }
    this.#referenceSlots[slot] = p;
    return slot;
  }

  /** What reference `slot` refers to; negative if it has ended. */
  reference(slot: number): Pointer {
    return this.#referenceSlots[slot];
  }

  /** Ends reference `slot`. */
  dropReference(slot: number): void {
    this.#referenceSlots[slot] = -2 - this.#freeReference;
    this.#freeReference = slot;
  }

  /** References ever made at the same time: their slots are numbered from 0. A free one's is negative. */
  get referencesMade(): number {
    return this.#referencesMade;
  }

  #growReferences(): void {
    const slots = Math.max(256, 2 * this.#referenceSlots.length);
    this.#references.cover(2 * slots);
    this.#referenceSlots = new Float64Array(this.#references.ints.buffer, 0, slots);
  }
}
