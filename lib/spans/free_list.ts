/**
 * The free list of a span.
 *
 * In Go a free list is a chain through the blocks: word 0 of a free block is the address of the next.
 * Building it touches every dead block, and walking it misses the cache once per allocation. Most free
 * lists are runs of blocks in address order, though: those of fresh spans, and those of spans that were
 * full when the collection freed some of their blocks. So a list has two parts here:
 *
 * ```
 *     bitmap part: one bit a block, in address order        chain: through the blocks, as in Go
 *     ┌───────────────────────────────────────────┐         ┌──────┐   ┌──────┐   ┌──────┐
 *     │ 0 0 1 1 1 0 1 0 1 1 1 1 ... (free bits)   │  ──────▶│ b 40 │──▶│ b 12 │──▶│ b 57 │──▶ nil
 *     └───────────────────────────────────────────┘         └──────┘   └──────┘   └──────┘
 *     head of the list                                                            tail
 * ```
 *
 * The order is Go's: a sweep puts the blocks it frees, in address order, before those that were free
 * already. If the bitmap part is in use then, it is written out as a chain first. What Go would show in
 * a free block, the link in word 0 and the dirty mark in word 1, is put there when the block is handed
 * out to somebody who asked for memory that is not cleared ({@linkcode FreeLists.expose}).
 *
 * Conservation: blocks in use + FREE_BLOCKS = BLOCKS, where FREE_BLOCKS counts both parts.
 *
 * @module
 */

import type { Arena } from "../arena/arena.ts";
import * as bitmapPlanes from "../arena/bitmap.ts";
import { GoThrow } from "../errors.ts";
import * as platforms from "../platform/platform.ts";
import { lowestBit } from "./bits.ts";
import * as sizeClasses from "./size_classes.ts";
import * as spanRecord from "./span_record.ts";
import type { SpanTable } from "./span_table.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { MARK_SHIFT } = bitmapPlanes;
const { PAGE_BYTES } = platforms;
const { CLASS_TO_SIZE } = sizeClasses;
const { BLOCKS, CHAIN_BLOCKS, CHAIN_HEAD, CLASS, FREE_BLOCKS, FRESH, START } = spanRecord;

/** Low and high half of the word that marks a block as used before, so that it is cleared on reuse. */
const DIRTY_HALF = 0xdeaddead | 0;

/** The bits of `word`'s 32 blocks that exist in a span of `blocks` blocks. */
export function blockBits(word: number, blocks: number): number {
  const left = blocks - (word << 5);
  return left >= 32 ? -1 : ~(-1 << left);
}

/** Free lists of all spans of a heap. See the head of the module. */
export class FreeLists {
  readonly #arena: Arena;
  readonly #spans: SpanTable;

  constructor(arena: Arena, spans: SpanTable) {
    this.#arena = arena;
    this.#spans = spans;
  }

  /** Puts all blocks of a span, whose memory is all zero, on its list. */
  carve(span: number): void {
    const ints = this.#spans.ints;
    const marks = this.#arena.bitmap.marks;
    const blocks = ints[span + BLOCKS];
    const first = ints[span + START] << MARK_SHIFT;
    for (let word = 0; word << 5 < blocks; word++) {
      marks[first + (word << 1)] = 0;
      marks[first + (word << 1) + 1] = blockBits(word, blocks);
    }
    ints[span + FREE_BLOCKS] = blocks;
    ints[span + CHAIN_HEAD] = 0;
    ints[span + CHAIN_BLOCKS] = 0;
    ints[span + FRESH] = 1;
  }

  /** Writes the bitmap part out as the front of the chain. Free bits are left as they are. */
  chainBitmapPart(span: number): void {
    const ints = this.#spans.ints;
    const blocks = this.bitmapBlocks(span);
    let next = ints[span + CHAIN_HEAD];
    for (let i = blocks.length - 1; i >= 0; i--) {
      this.#writeLink(span, blocks[i], next);
      if (ints[span + FRESH] === 0) this.#writeDirtyMark(span, blocks[i]);
      this.#makeDead(span, blocks[i]);
      next = blocks[i] + 1;
    }
    ints[span + CHAIN_HEAD] = next;
    ints[span + CHAIN_BLOCKS] += blocks.length;
  }

  /** Takes the head off the chain; returns its block number, or -1 if the chain is empty. */
  popChain(span: number): number {
    const ints = this.#spans.ints;
    const head = ints[span + CHAIN_HEAD];
    if (head === 0) return -1;
    ints[span + CHAIN_HEAD] = this.#readLink(span, head - 1);
    ints[span + CHAIN_BLOCKS]--;
    ints[span + FREE_BLOCKS]--;
    return head - 1;
  }

  /** Marks every block of the chain, so that a sweep takes none of them for dead. */
  markChain(span: number): void {
    const ints = this.#spans.ints;
    if (ints[span + CHAIN_BLOCKS] === 0) return;
    const marks = this.#arena.bitmap.marks;
    const first = ints[span + START] << MARK_SHIFT;
    for (const block of this.chainBlocks(span)) {
      marks[first + ((block >>> 5) << 1)] |= 1 << (block & 31);
    }
  }

  /** Block numbers in the bitmap part, in list order. */
  bitmapBlocks(span: number): number[] {
    const ints = this.#spans.ints;
    const marks = this.#arena.bitmap.marks;
    const first = (ints[span + START] << MARK_SHIFT) + 1;
    const found: number[] = [];
    for (let word = 0; word << 5 < ints[span + BLOCKS]; word++) {
      for (let bits = marks[first + (word << 1)]; bits !== 0; bits &= bits - 1) {
        found.push((word << 5) + lowestBit(bits));
      }
    }
    return found;
  }

  /** Block numbers in the chain, in list order. */
  chainBlocks(span: number): number[] {
    const ints = this.#spans.ints;
    const found: number[] = [];
    for (let head = ints[span + CHAIN_HEAD]; head !== 0; head = this.#readLink(span, head - 1)) {
      found.push(head - 1);
      if (found.length > ints[span + CHAIN_BLOCKS]) break;
    }
    if (found.length !== ints[span + CHAIN_BLOCKS]) {
      throw new GoThrow(
        `runtime: free list of span at page ${ints[span + START]} is corrupted: ` +
          `${found.length} blocks linked, not ${ints[span + CHAIN_BLOCKS]}`,
      );
    }
    return found;
  }

  /**
   * Makes a block that is being handed out look as a free block does in Go: word 0 links to `next` (block
   * number + 1, 0 for none), word 1 has the dirty mark if the block was used before.
   */
  expose(span: number, block: number, next: number, dirty: boolean): void {
    this.#writeLink(span, block, next);
    if (dirty) this.#writeDirtyMark(span, block);
  }

  /** First block of the bitmap part at or behind `block`, as block number + 1, else head of the chain. */
  firstFrom(span: number, block: number): number {
    const ints = this.#spans.ints;
    const marks = this.#arena.bitmap.marks;
    const first = (ints[span + START] << MARK_SHIFT) + 1;
    let below = -1 << (block & 31);
    for (let word = block >>> 5; word << 5 < ints[span + BLOCKS]; word++) {
      const bits = marks[first + (word << 1)] & below;
      if (bits !== 0) return (word << 5) + lowestBit(bits) + 1;
      below = -1;
    }
    return ints[span + CHAIN_HEAD];
  }

  #wordIndex(span: number, block: number): number {
    const ints = this.#spans.ints;
    const { pointerBytes } = this.#arena.platform;
    return (ints[span + START] * PAGE_BYTES + block * CLASS_TO_SIZE[ints[span + CLASS]]) /
      pointerBytes;
  }

  #writeLink(span: number, block: number, next: number): void {
    const ints = this.#spans.ints;
    const size = CLASS_TO_SIZE[ints[span + CLASS]];
    const address = next === 0
      ? 0
      : this.#arena.pageAddress(ints[span + START]) + (next - 1) * size;
    this.#arena.writeWord(this.#wordIndex(span, block), address);
  }

  #readLink(span: number, block: number): number {
    const ints = this.#spans.ints;
    const address = this.#arena.readWord(this.#wordIndex(span, block));
    if (address === 0) return 0;
    const size = CLASS_TO_SIZE[ints[span + CLASS]];
    const next = (address - this.#arena.pageAddress(ints[span + START])) / size;
    if (Number.isInteger(next) && next >= 0 && next < ints[span + BLOCKS]) return next + 1;
    throw new GoThrow(
      `runtime: free list of span at page ${ints[span + START]} is corrupted: ` +
        `block ${block} links to 0x${address.toString(16)}`,
    );
  }

  /** A block of one word has no room for the mark, one of two words is clean once the link is gone. */
  #writeDirtyMark(span: number, block: number): void {
    const size = CLASS_TO_SIZE[this.#spans.ints[span + CLASS]];
    const { memory, platform: { pointerBytes } } = this.#arena;
    if (size < 2 * pointerBytes) return;
    const half = size === 2 * pointerBytes ? 0 : DIRTY_HALF;
    const at = ((this.#wordIndex(span, block) + 1) * pointerBytes) / 4;
    memory.i32[at] = half;
    if (pointerBytes === 8) memory.i32[at + 1] = half;
  }

  /** Marking must find no pointers in a free block; of one in the bitmap part its free bit tells. */
  #makeDead(span: number, block: number): void {
    const ints = this.#spans.ints;
    const { bitmap, platform } = this.#arena;
    const words = CLASS_TO_SIZE[ints[span + CLASS]] / platform.pointerBytes;
    bitmap.clearTypes(bitmap.typesOf(ints[span + START]), block * words, words);
  }
}
