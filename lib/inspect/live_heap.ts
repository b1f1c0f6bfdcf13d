/**
 * What a graph and a dump read of a live heap: objects, their pointers and types, roots, finalizers.
 *
 * Before anything is read, all spans are swept: then the blocks that are not on a free list are the objects.
 *
 * @module
 */

import { BITS_DEAD, BITS_POINTER } from "../arena/bitmap.ts";
import type { FinalizerTypes } from "../gc/finalizers.ts";
import { KIND_FINALIZER } from "../gc/special_record.ts";
import { PAGE_BYTES, type Pointer } from "../platform/platform.ts";
import { CLASS_TO_SIZE } from "../spans/size_classes.ts";
import { BLOCKS, CLASS, IN_USE, NO_SCAN, PAGES, START, STATE } from "../spans/span_record.ts";
import type { GoType } from "../types/go_type.ts";
import type { HeapParts } from "./heap_parts.ts";
import { freeBlocks, spansByAddress } from "./snapshot.ts";

/** A live heap, swept. See the head of the module. */
export class LiveHeap {
  readonly parts: HeapParts;
  readonly pointerBytes: 4 | 8;
  /** Block numbers that are on a free list, of the span that is being looked at. */
  readonly #isFree = new Uint8Array(PAGE_BYTES);

  /** Sweeps what is left to be swept. */
  constructor(parts: HeapParts) {
    parts.collector.finishSweep();
    this.parts = parts;
    this.pointerBytes = parts.arena.platform.pointerBytes;
  }

  /** Calls `visit` with each object, ascending by address. */
  forEachObject(visit: (address: Pointer, bytes: number, span: number) => void): void {
    for (const span of spansByAddress(this.parts)) this.#forEachBlock(span, visit);
  }

  /** Calls `visit` with each object, span by span in the order in which their records were made. */
  forEachObjectBySpan(visit: (address: Pointer, bytes: number, span: number) => void): void {
    const { spans } = this.parts;
    for (let i = 0; i < spans.made; i++) this.#forEachBlock(spans.handle(i), visit);
  }

  #forEachBlock(
    span: number,
    visit: (address: Pointer, bytes: number, span: number) => void,
  ): void {
    const { arena, spans: { ints } } = this.parts;
    if (ints[span + STATE] !== IN_USE) return;
    const start = arena.pageAddress(ints[span + START]);
    const cls = ints[span + CLASS];
    if (cls === 0) return visit(start, ints[span + PAGES] * PAGE_BYTES, span);
    const bytes = CLASS_TO_SIZE[cls];
    const isFree = this.#isFree.fill(0, 0, ints[span + BLOCKS]);
    for (const block of freeBlocks(this.parts, span)) isFree[block] = 1;
    for (let block = 0; block < ints[span + BLOCKS]; block++) {
      if (isFree[block] === 0) visit(start + block * bytes, bytes, span);
    }
  }

  /** Calls `visit` with the number of each word of an object that the collector follows, ascending. */
  forEachPointerWord(
    address: Pointer,
    bytes: number,
    span: number,
    visit: (word: number) => void,
  ): void {
    const { arena, spans } = this.parts;
    const { ints } = spans;
    const isLarge = ints[span + CLASS] === 0;
    if (isLarge && ints[span + NO_SCAN] !== 0) return;
    const { bitmap } = arena;
    const base = bitmap.typesOf(ints[span + START]);
    const first = (address - arena.pageAddress(ints[span + START])) / this.pointerBytes;
    const usedBytes = isLarge ? spans.limitBytes(span) : bytes;
    for (let word = 0; word * this.pointerBytes < usedBytes; word++) {
      const code = bitmap.typeOf(base, first + word);
      if (code === BITS_DEAD) return;
      if (code === BITS_POINTER) visit(word);
    }
  }

  /** The word of the arena at `address`. */
  word(address: Pointer): Pointer {
    const { arena } = this.parts;
    return arena.readWord((address - arena.start) / this.pointerBytes);
  }

  /** The word at `address` outside the arena: of a global variable, or of a frame. */
  systemWord(address: Pointer): Pointer {
    const { memory } = this.parts.image;
    const at = (address - memory.base) / 4;
    return memory.u32[at] + (this.pointerBytes === 8 ? memory.u32[at + 1] * 2 ** 32 : 0);
  }

  /** Bytes outside the arena. */
  systemBytes(address: Pointer, bytes: number): Uint8Array {
    const { memory } = this.parts.image;
    return memory.u8.subarray(address - memory.base, address - memory.base + bytes);
  }

  /** Whether the heap remembers with which types its objects were allocated; one that follows gccgo always does. */
  get knowsTypes(): boolean {
    return this.parts.typeRecords !== null || this.parts.gccgo !== null;
  }

  /** The type of the object that begins at `address`; null if it is not known. */
  typeOf(address: Pointer): GoType | null {
    const { typeRecords, gccgo } = this.parts;
    if (gccgo !== null) return gccgo.malloc.gettype(address)?.type ?? null;
    return typeRecords?.typeOf(address) ?? null;
  }

  /** Calls `visit` with what is kept alive from elsewhere than variables and frames, and from where that is. */
  forEachOtherRoot(visit: (kind: string, p: Pointer) => void): void {
    const { roots, gccgo, arena, spans: { ints } } = this.parts;
    for (let slot = 0; slot < roots.referencesMade; slot++) {
      if (roots.reference(slot) > 0) visit("reference", roots.reference(slot));
    }
    gccgo?.noGC.forEach((start, block) => {
      const bytes = CLASS_TO_SIZE[ints[arena.pageSpan[start] + CLASS]];
      visit("no-gc", arena.pageAddress(start) + block * bytes);
    });
    gccgo?.spanTypes.forEachTable((table) => visit("span types", table));
  }

  /** Calls `visit` with each finalizer that is set, by span and address. */
  forEachFinalizer(visit: (object: Pointer, types: FinalizerTypes) => void): void {
    const { arena, spans, specials, finalizers } = this.parts;
    for (let i = 0; i < spans.made; i++) {
      const span = spans.handle(i);
      if (spans.ints[span + STATE] !== IN_USE || !specials.has(span)) continue;
      const start = arena.pageAddress(spans.ints[span + START]);
      for (const { offset, kind, data } of specials.list(span)) {
        if (kind === KIND_FINALIZER) visit(start + offset, finalizers.typesOf(data));
      }
    }
  }

  /** Calls `visit` with each object that waits for its finalizer. */
  forEachQueued(visit: (object: Pointer, types: FinalizerTypes) => void): void {
    const { queue, finalizers } = this.parts;
    queue.forEachWaiting((object, data) => visit(object, finalizers.typesOf(data)));
  }
}
