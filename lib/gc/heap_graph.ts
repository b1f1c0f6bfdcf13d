/**
 * The heap as a graph: which block an address lies in, what a block points to, and where the roots point.
 *
 * This is what marking computes, once more and in the plainest way: span by span, word by word, with a
 * division where a division is meant, and no queue, batch or mark. It is slow, and shares nothing with the
 * marker but the tables that both read, so that one can be held against the other.
 *
 * @module
 */

import type { Arena } from "../arena/arena.ts";
import { BITS_POINTER, MARK_SHIFT } from "../arena/bitmap.ts";
import type { ProgramImage } from "../arena/program_image.ts";
import type { Memory } from "../platform/memory.ts";
import { PAGE_BYTES, type Pointer } from "../platform/platform.ts";
import type { Cache } from "../spans/cache.ts";
import { CLASS_TO_SIZE } from "../spans/size_classes.ts";
import { BLOCKS, CLASS, IN_USE, NO_SCAN, PAGES, START, STATE } from "../spans/span_record.ts";
import type { SpanTable } from "../spans/span_table.ts";
import type { FinalizerQueue } from "./finalizer_queue.ts";
import type { Roots } from "./roots.ts";
import { KIND_FINALIZER } from "./special_record.ts";
import type { Specials } from "./specials.ts";

/** A block of the heap. */
export interface Block {
  /** Its address. */
  readonly base: Pointer;
  /** Its bytes. */
  readonly bytes: number;
  readonly span: number;
  /** Its number in the span. */
  readonly index: number;
}

/** Where a pointer was found, for messages: the address `base + offset`. */
export interface Edge {
  readonly base: Pointer;
  readonly offset: number;
  readonly target: Pointer;
}

/** The graph of one heap. See the head of the module. */
export class HeapGraph {
  readonly #arena: Arena;
  readonly #spans: SpanTable;
  readonly #image: ProgramImage;
  readonly #cache: Cache;
  readonly #roots: Roots;
  readonly #specials: Specials;
  readonly #queue: FinalizerQueue;

  constructor(parts: {
    arena: Arena;
    spans: SpanTable;
    image: ProgramImage;
    cache: Cache;
    roots: Roots;
    specials: Specials;
    queue: FinalizerQueue;
  }) {
    this.#arena = parts.arena;
    this.#spans = parts.spans;
    this.#image = parts.image;
    this.#cache = parts.cache;
    this.#roots = parts.roots;
    this.#specials = parts.specials;
    this.#queue = parts.queue;
  }

  /** The block in use that `p` lies in; null if there is none. */
  blockAt(p: Pointer): Block | null {
    const arena = this.#arena;
    const { ints } = this.#spans;
    if (!(p >= arena.start && p < arena.used)) return null;
    const span = arena.pageSpan[Math.floor((p - arena.start) / PAGE_BYTES)];
    if (span === 0 || ints[span + STATE] !== IN_USE) return null;
    const start = arena.pageAddress(ints[span + START]);
    if (p < start || p >= start + this.#spans.limitBytes(span)) return null;
    const bytes = this.#blockBytes(span);
    const index = Math.floor((p - start) / bytes);
    return this.#isFree(span, index) ? null : { base: start + index * bytes, bytes, span, index };
  }

  /** Calls `visit` with each block in use; those on the chain of a free list count as in use, as for marking. */
  forEachBlock(visit: (block: Block) => void): void {
    const { ints } = this.#spans;
    for (let i = 0; i < this.#spans.made; i++) {
      const span = this.#spans.handle(i);
      if (ints[span + STATE] !== IN_USE) continue;
      const start = this.#arena.pageAddress(ints[span + START]);
      const bytes = this.#blockBytes(span);
      for (let index = 0; index < ints[span + BLOCKS]; index++) {
        if (!this.#isFree(span, index)) visit({ base: start + index * bytes, bytes, span, index });
      }
    }
  }

  /** Whether marking has marked `block`. */
  isMarked({ span, index }: Block): boolean {
    const at = (this.#spans.ints[span + START] << MARK_SHIFT) + ((index >>> 5) << 1);
    return (this.#arena.bitmap.marks[at] & (1 << (index & 31))) !== 0;
  }

  /** Calls `visit` with what each pointer word of `block` holds, nil aside. */
  forEachPointer({ base, bytes, span, index }: Block, visit: (edge: Edge) => void): void {
    const { ints } = this.#spans;
    const isLarge = ints[span + CLASS] === 0;
    if (isLarge && ints[span + NO_SCAN] !== 0) return;
    const { bitmap, platform: { pointerBytes } } = this.#arena;
    const types = bitmap.typesOf(ints[span + START]);
    const words = Math.ceil((isLarge ? this.#spans.limitBytes(span) : bytes) / pointerBytes);
    for (let word = 0; word < words; word++) {
      if (bitmap.typeOf(types, (index * bytes) / pointerBytes + word) !== BITS_POINTER) continue;
      const offset = word * pointerBytes;
      const target = this.word(this.#arena.memoryAt(base), base + offset);
      if (target !== 0) visit({ base, offset, target });
    }
  }

  /** Calls `visit` with each pointer outside the heap that keeps its target alive. */
  forEachRoot(visit: (edge: Edge) => void): void {
    const { memory } = this.#image;
    const { pointerBytes } = this.#arena.platform;
    const visitWord = (base: Pointer, offset: number) => {
      const target = this.word(memory, base + offset);
      if (target !== 0) visit({ base, offset, target });
    };
    for (const { address, type } of this.#roots.globals) {
      type.pointers.forEach((word) => visitWord(address, word * pointerBytes));
    }
    this.#queue.forEachWaiting((target) => visit({ base: 0, offset: 0, target }));
    for (let slot = 0; slot < this.#roots.stackSlots; slot++) {
      visitWord(this.#roots.stackBase, slot * pointerBytes);
    }
    for (let slot = 0; slot < this.#roots.referencesMade; slot++) {
      const target = this.#roots.reference(slot);
      if (target > 0) visit({ base: 0, offset: 0, target });
    }
    if (this.#roots.pinned !== 0) visit({ base: 0, offset: 0, target: this.#roots.pinned });
  }

  /** Every block with a finalizer, and the number of the finalizer. */
  finalizable(): { block: Block; data: number }[] {
    const found: { block: Block; data: number }[] = [];
    const { ints } = this.#spans;
    for (let i = 0; i < this.#spans.made; i++) {
      const span = this.#spans.handle(i);
      if (ints[span + STATE] !== IN_USE || !this.#specials.has(span)) continue;
      const start = this.#arena.pageAddress(ints[span + START]);
      for (const { offset, kind, data } of this.#specials.list(span)) {
        const block = kind === KIND_FINALIZER ? this.blockAt(start + offset) : null;
        if (block !== null) found.push({ block, data });
      }
    }
    return found;
  }

  /** The word at `p` in `memory`. */
  word(memory: Memory, p: Pointer): Pointer {
    const at = (p - memory.base) / 4;
    const high = this.#arena.platform.pointerBytes === 8 ? memory.u32[at + 1] : 0;
    return memory.u32[at] + high * 2 ** 32;
  }

  #blockBytes(span: number): number {
    const { ints } = this.#spans;
    const cls = ints[span + CLASS];
    return cls === 0 ? ints[span + PAGES] * PAGE_BYTES : CLASS_TO_SIZE[cls];
  }

  /** Whether the block is in the bitmap part of a free list, or in a cache: those of the chain count as in use. */
  #isFree(span: number, index: number): boolean {
    const cls = this.#spans.ints[span + CLASS];
    if (cls === 0) return false;
    if (this.#cache.spanOf(cls) === span) {
      const { first, count } = this.#cache.runBlocks(cls);
      if (index >= first && index < first + count) return true;
    }
    const at = (this.#spans.ints[span + START] << MARK_SHIFT) + ((index >>> 5) << 1) + 1;
    return (this.#arena.bitmap.marks[at] & (1 << (index & 31))) !== 0;
  }
}
