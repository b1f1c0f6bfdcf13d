/**
 * What a heap should hold, as a plain Map of blocks: which are reachable by the rules of the mask, which
 * finalizers become due, and what every word and byte must read. It knows nothing of spans or bitmaps.
 *
 * ```
 *   roots ──────────────► block ──(words the mask calls pointers)──► block ...
 *   finalizers to run ──► block
 *   blocks with a finalizer: their contents are roots, they themselves are not
 * ```
 *
 * A pointer keeps the block that its address lies in: also into the middle, also unaligned. One just past
 * the end of a block keeps the neighbour.
 *
 * @module
 */

import type { Pointer } from "../../mod.ts";

/** A part of a block that was asked for and filled with one byte value. */
export interface Filled {
  readonly address: Pointer;
  readonly bytes: number;
  readonly value: number;
}

/** What a finalizer does beside being counted: nothing, or put its object into a root again. */
export type FinalizerMode = "count" | "resurrect";

/** A finalizer that is set, or that is due. */
export interface ModelFinalizer {
  readonly address: Pointer;
  readonly mode: FinalizerMode;
}

/** A block of the heap. */
export interface ModelBlock {
  readonly base: Pointer;
  /** Bytes of the slot. */
  readonly bytes: number;
  /** Where the span ends for pointers: behind the slot, or behind what was asked for if it is large. */
  readonly limit: Pointer;
  /** Bytes that the program may use: what it asked for. */
  readonly usable: number;
  /** Which words marking follows. */
  readonly pointers: readonly boolean[];
  /** Whether all words are followed if it has a finalizer, under gccgo's rules. */
  readonly isUnknown: boolean;
  /** Words that a pointer was stored to, by number; all others of a zeroed block are 0. */
  readonly words: Map<number, Pointer>;
  readonly filled: Filled[];
  /** By address: a tiny block may have several. */
  readonly finalizers: Map<Pointer, ModelFinalizer>;
}

/**
 * Which words of a block marking looks at, by the rule of mallocgc: the type's mask is copied two words
 * at a time; the word behind an odd number of words is dead, and so is everything behind the request.
 * Blocks of one or two words take the mask as it is.
 */
export function pointerWords(
  mask: readonly boolean[],
  size: number,
  slotBytes: number,
  wordBytes: number,
): boolean[] {
  if (mask.length === 0) return [];
  if (slotBytes <= 2 * wordBytes) {
    return Array.from(
      { length: slotBytes / wordBytes },
      (_, i) => slotBytes === wordBytes || mask[i % mask.length],
    );
  }
  return Array.from({ length: size / wordBytes }, (_, i) => mask[i % mask.length]);
}

/** The blocks that should be there, and the finalizers that are due. */
export class HeapModel {
  readonly blocks = new Map<Pointer, ModelBlock>();
  /** Due in a sweep that is known to be complete. */
  readonly due: ModelFinalizer[] = [];
  /** Due in a sweep that may still be going on. */
  readonly maybeDue: ModelFinalizer[] = [];

  /** The block that `address` lies in. */
  blockAt(address: Pointer): ModelBlock | undefined {
    const exact = this.blocks.get(address);
    if (exact !== undefined || address === 0) return exact;
    for (const block of this.blocks.values()) {
      if (address >= block.base && address < block.limit) return block;
    }
    return undefined;
  }

  /** Adds a block; throws if it overlaps one that should be there. */
  add(block: ModelBlock): void {
    for (const other of this.blocks.values()) {
      if (block.base < other.base + other.bytes && other.base < block.base + block.bytes) {
        throw new Error(`the block at ${block.base} overlaps the live one at ${other.base}`);
      }
    }
    this.blocks.set(block.base, block);
  }

  /** Marks from `roots` and forgets what is dead. Every collection completes the sweep of the last one. */
  collect(roots: readonly Pointer[]): void {
    this.completeSweep();
    const marked = this.#mark([...roots, ...this.due.map((each) => each.address)]);
    for (const block of this.blocks.values()) {
      if (marked.has(block)) continue;
      const first = [...block.finalizers.values()].sort((a, b) => a.address - b.address).at(0);
      if (first === undefined) {
        this.blocks.delete(block.base);
      } else {
        block.finalizers.delete(first.address);
        this.maybeDue.push(first);
      }
    }
  }

  /** Takes note that all that is due in a sweep is known to be due now. */
  completeSweep(): void {
    this.due.push(...this.maybeDue.splice(0));
  }

  #mark(roots: Pointer[]): Set<ModelBlock> {
    const marked = new Set<ModelBlock>();
    const pending = [...roots];
    for (const block of this.blocks.values()) {
      if (block.finalizers.size === 0) continue;
      pending.push(...(block.isUnknown ? block.words.values() : pointersIn(block)));
    }
    for (let address = pending.pop(); address !== undefined; address = pending.pop()) {
      const block = this.blockAt(address);
      if (block === undefined || marked.has(block)) continue;
      marked.add(block);
      pending.push(...pointersIn(block));
    }
    return marked;
  }
}

function pointersIn(block: ModelBlock): Pointer[] {
  return [...block.words].filter(([word]) => block.pointers[word]).map(([, value]) => value);
}
