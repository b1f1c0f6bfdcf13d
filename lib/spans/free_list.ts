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
 * out to somebody who asked for memory that is not cleared ({@linkcode FreeLists.expose}). The pages of a span
 * that went back whole keep a note of its list, for the same purpose ({@linkcode FreeLists.remains}).
 *
 * Conservation: blocks in use + FREE_BLOCKS = BLOCKS, where FREE_BLOCKS counts both parts.
 *
 * @module
 */

import * as arenaTables from "../arena/arena.ts";
import type { Arena } from "../arena/arena.ts";
import * as bitmapPlanes from "../arena/bitmap.ts";
import * as platforms from "../platform/platform.ts";
import { lowestBit } from "./bits.ts";
import * as sizeClasses from "./size_classes.ts";
import * as spanRecord from "./span_record.ts";
import type { SpanTable } from "./span_table.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { NO_OBJECT } = arenaTables;
const { MARK_SHIFT } = bitmapPlanes;
const { PAGE_BYTES } = platforms;
const { CLASS_TO_BLOCKS, CLASS_TO_PAGES, CLASS_TO_SIZE } = sizeClasses;
const { BLOCKS, CHAIN_BLOCKS, CHAIN_HEAD, CLASS, FREE_BLOCKS, FRESH, START } = spanRecord;

/** Low and high half of the word that marks a block as used before, so that it is cleared on reuse. */
const DIRTY_HALF = 0xdeaddead | 0;

/** pageInfo of a free page where a span began that left its free list behind: this or less. */
const FIRST_REMAINS = NO_OBJECT - 1;
/** What is subtracted from it: class, one bit, head of the chain from bit 8 on. */
const CLASS_MASK = 0x7f;
const WAS_FRESH = 0x80;

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
    const start = ints[span + START];
    const cls = ints[span + CLASS];
    const blocks = this.bitmapBlocks(span);
    const isDirty = ints[span + FRESH] === 0;
    ints[span + CHAIN_HEAD] = this.#chain(start, cls, blocks, ints[span + CHAIN_HEAD], isDirty);
    ints[span + CHAIN_BLOCKS] += blocks.length;
    for (const block of blocks) this.#makeDead(start, cls, block);
  }

  /** Links `blocks` in order, the last one to `next`; returns the first, as block number + 1. */
  #chain(start: number, cls: number, blocks: number[], next: number, isDirty: boolean): number {
    let head = next;
    for (let i = blocks.length - 1; i >= 0; i--) {
      this.#writeLink(start, cls, blocks[i], head);
      if (isDirty) this.#writeDirtyMark(start, cls, blocks[i]);
      head = blocks[i] + 1;
    }
    return head;
  }

  /**
   * A note of the list of a span that goes back to the page heap with all blocks free: enough to write it into
   * memory, should somebody take the pages as they are. The free bits are those of the last sweep; FRESH says
   * whether the blocks that were free before it were never used.
   */
  remains(span: number): number {
    const ints = this.#spans.ints;
    const wasFresh = ints[span + FRESH] !== 0 ? WAS_FRESH : 0;
    return FIRST_REMAINS - (ints[span + CLASS] | wasFresh | (ints[span + CHAIN_HEAD] << 8));
  }

  /** Leaves such a note at the first page of the span, which is free now. */
  leaveRemains(start: number, remains: number): void {
    this.#arena.pageInfo[start] = remains;
  }

  /**
   * Settles what spans left in `pages` pages from `start` on, which are about to be used: where they are not
   * cleared, and where what is left reaches beyond them, memory gets to hold what it would in Go.
   */
  settleRemains(start: number, pages: number, areCleared: boolean): void {
    const { pageInfo } = this.#arena;
    for (let page = start; page < start + pages; page++) {
      if (pageInfo[page] > FIRST_REMAINS) continue;
      const cls = (FIRST_REMAINS - pageInfo[page]) & CLASS_MASK;
      if (!areCleared || page + CLASS_TO_PAGES[cls] > start + pages) this.#writeRemains(page);
    }
  }

  /** Writes the free list of the span that was at `start`: freed last, free before, chained, in this order. */
  #writeRemains(start: number): void {
    const code = FIRST_REMAINS - this.#arena.pageInfo[start];
    const cls = code & CLASS_MASK;
    const wasFresh = (code & WAS_FRESH) !== 0;
    const chainHead = code >> 8;
    const rest = new Set(Array.from({ length: CLASS_TO_BLOCKS[cls] }, (_, block) => block));
    const freedLast = this.#freeBits(start, CLASS_TO_BLOCKS[cls]);
    for (const block of freedLast) rest.delete(block);
    for (let head = chainHead; head !== 0; head = this.#readLink(start, cls, head - 1)) {
      rest.delete(head - 1);
    }
    const next = this.#chain(start, cls, [...rest], chainHead, !wasFresh);
    this.#chain(start, cls, freedLast, next, true);
  }

  /** Takes the head off the chain; returns its block number, or -1 if the chain is empty. */
  popChain(span: number): number {
    const ints = this.#spans.ints;
    const head = ints[span + CHAIN_HEAD];
    if (head === 0) return -1;
    ints[span + CHAIN_HEAD] = this.#readLink(ints[span + START], ints[span + CLASS], head - 1);
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
    return this.#freeBits(ints[span + START], ints[span + BLOCKS]);
  }

  #freeBits(start: number, blocks: number): number[] {
    const { marks } = this.#arena.bitmap;
    const first = (start << MARK_SHIFT) + 1;
    const found: number[] = [];
    for (let word = 0; word << 5 < blocks; word++) {
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
    for (let head = ints[span + CHAIN_HEAD]; head !== 0;) {
      found.push(head - 1);
      if (found.length > ints[span + CHAIN_BLOCKS]) break;
      head = this.#readLink(ints[span + START], ints[span + CLASS], head - 1);
    }
    if (found.length !== ints[span + CHAIN_BLOCKS]) {
      this.#spans.corrupted(
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
    const ints = this.#spans.ints;
    this.#writeLink(ints[span + START], ints[span + CLASS], block, next);
    if (dirty) this.#writeDirtyMark(ints[span + START], ints[span + CLASS], block);
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

  #wordIndex(start: number, cls: number, block: number): number {
    const { pointerBytes } = this.#arena.platform;
    return (start * PAGE_BYTES + block * CLASS_TO_SIZE[cls]) / pointerBytes;
  }

  #writeLink(start: number, cls: number, block: number, next: number): void {
    const address = next === 0
      ? 0
      : this.#arena.pageAddress(start) + (next - 1) * CLASS_TO_SIZE[cls];
    this.#arena.writeWord(this.#wordIndex(start, cls, block), address);
  }

  #readLink(start: number, cls: number, block: number): number {
    const address = this.#arena.readWord(this.#wordIndex(start, cls, block));
    if (address === 0) return 0;
    const next = (address - this.#arena.pageAddress(start)) / CLASS_TO_SIZE[cls];
    if (Number.isInteger(next) && next >= 0 && next < CLASS_TO_BLOCKS[cls]) return next + 1;
    return this.#spans.corrupted(
      `runtime: free list of span at page ${start} is corrupted: ` +
        `block ${block} links to 0x${address.toString(16)}`,
    );
  }

  /** A block of one word has no room for the mark, one of two words is clean once the link is gone. */
  #writeDirtyMark(start: number, cls: number, block: number): void {
    const size = CLASS_TO_SIZE[cls];
    const { pointerBytes } = this.#arena.platform;
    if (size < 2 * pointerBytes) return;
    const half = size === 2 * pointerBytes ? 0 : DIRTY_HALF;
    const p = this.#arena.pageAddress(start) + block * size + pointerBytes;
    const { base, i32 } = this.#arena.memoryAt(p);
    const at = (p - base) / 4;
    i32[at] = half;
    if (pointerBytes === 8) i32[at + 1] = half;
  }

  /** Marking must find no pointers in a free block; of one in the bitmap part its free bit tells. */
  #makeDead(start: number, cls: number, block: number): void {
    const { bitmap, platform } = this.#arena;
    const words = CLASS_TO_SIZE[cls] / platform.pointerBytes;
    bitmap.clearTypes(bitmap.typesOf(start), block * words, words);
  }
}
