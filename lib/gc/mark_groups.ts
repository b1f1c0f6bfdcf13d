/**
 * Blocks taken from the queue of marking, on their way to being followed (marker.ts): groups of up to 32.
 *
 * A group is up to 32 blocks of one span, whose marks are in one int32: 512 bytes of the heap if they are of 16. Two int32
 * say which of them were just marked:
 *
 * ```
 *   list   │ entry of the queue │ a bit a block │ entry │ bits │ ...
 *            the 32 blocks        to be followed
 *
 *   their types, from 4 int32 for blocks of 16 bytes:   │ 8 blocks │ 8 blocks │ 8 blocks │ 8 blocks │
 * ```
 *
 * There are two ways to follow them, for blocks of 2, 4, 8 or 16 words; blocks of other sizes are for the marker:
 *
 * - {@linkcode MarkGroups.follow} notes where pointers are and looks at none of them. The types of all blocks in an int32
 *   are looked at together. Nothing waits for the heap.
 * - {@linkcode MarkGroups.followWithin} loads the pointers at once. One that leads to a block of the same group makes that one
 *   more to be followed here: a subtraction, a shift and a bit, no look at a page and no way through the queue. Only what
 *   leads elsewhere is noted, to be loaded again. A block may have to wait for the one before it, so this is for blocks that lie
 *   in memory in the order in which they point to each other. In a tree that was built a left child and all below it
 *   first, others of the group lead to six blocks of seven.
 *
 * @module
 */

import type { Arena } from "../arena/arena.ts";
import * as bitmapPlanes from "../arena/bitmap.ts";
import * as platforms from "../platform/platform.ts";
import { popCount } from "../spans/bits.ts";
import * as sizeClasses from "../spans/size_classes.ts";
import * as markEntry from "./mark_entry.ts";
import type { MarkQueue } from "./mark_queue.ts";
import * as pointerBatch from "./pointer_batch.ts";
import type { PointerBatch } from "./pointer_batch.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { MARK_SHIFT, POINTER_BITS, WORDS_SHIFT } = bitmapPlanes;
const { PAGE_BYTES, PAGE_SHIFT } = platforms;
const { CLASS_TO_SIZE } = sizeClasses;
const {
  CHUNK_MASK,
  ENTRY_BLOCK_SHIFT,
  ENTRY_CLASS_MASK,
  ENTRY_FIRST_MASK,
  ENTRY_MORE_SHIFT,
  ENTRY_PAGE_SHIFT,
  ENTRY_WORD_MASK,
  ENTRY_WORD_SHIFT,
  GROUP_SHIFT,
  REGION_SHIFT,
} = markEntry;
const { SEGMENT_MASK, SLOTS } = pointerBatch;

const MOST_WORDS = 1 << WORDS_SHIFT;
/** The most pointers that a group can have. */
const GROUP_SLOTS = MOST_WORDS << GROUP_SHIFT;
/** log2 of the bytes in a word of 8. */
const LONG_SHIFT = 3;
/** int32 in a cache line. */
const LINE_INTS = 16;

/** log2 of the block size by class; for sizes that are not a power of two, more than any. */
const SIZE_SHIFT = new Int32Array(CLASS_TO_SIZE.length).fill(31);
CLASS_TO_SIZE.forEach((size, cls) => {
  if (size > 0 && (size & (size - 1)) === 0) SIZE_SHIFT[cls] = 31 - Math.clz32(size);
});

/** log2 of the entries for one block size in POINTERS_OF. */
const BLOCKS_SHIFT = 8;
/**
 * The bits of POINTER_BITS that belong to some of the blocks in an int32 of types, for blocks of 2, 4, 8 and 16
 * words: by log2 of the words, then by a bit for each block.
 */
const POINTERS_OF = new Int32Array((WORDS_SHIFT + 1) << BLOCKS_SHIFT);
for (let shift = 1; shift <= WORDS_SHIFT; shift++) {
  for (let word = 0; word < MOST_WORDS; word++) {
    for (let blocks = 0; blocks < 1 << (MOST_WORDS >> shift); blocks++) {
      if ((blocks & (1 << (word >> shift))) === 0) continue;
      POINTERS_OF[(shift << BLOCKS_SHIFT) + blocks] |= POINTER_BITS & (3 << (word << 1));
    }
  }
}

/**
 * Marks those of 32 blocks that are neither marked nor free, since what a free block's owner once pointed to it stays
 * free; adds them to `list`, if there are any, and returns how long that is then. No branch depends on the marks,
 * which have a long way.
 */
function markGroup(
  marks: Int32Array,
  first: number,
  list: Int32Array,
  length: number,
  entry: number,
  blocks: number,
): number {
  const at = first + ((entry >>> ENTRY_WORD_SHIFT) << 1);
  const marked = marks[at];
  const white = blocks & ~(marked | marks[at + 1]);
  marks[at] = marked | white;
  list[length] = entry;
  list[length + 1] = white;
  return length + (((white | -white) >>> 31) << 1);
}

/** The groups of one marker. See the head of the module. */
export class MarkGroups {
  /** Two int32 a group, as many groups as a chunk of the queue has entries. */
  readonly list: Int32Array = new Int32Array(2 * CHUNK_MASK);
  /** int32 of it that are in use. */
  length = 0;
  /** How many blocks were taken from the queue for them. */
  taken = 0;
  /** How many more of their blocks others of the same group led to. */
  within = 0;
  /** What was read last for nothing but to have it near; kept, so that reading it is not left out. */
  #prefetched = 0;
  readonly #arena: Arena;
  readonly #queue: MarkQueue;
  readonly #batch: PointerBatch;

  constructor(arena: Arena, queue: MarkQueue, batch: PointerBatch) {
    this.#arena = arena;
    this.#queue = queue;
    this.#batch = batch;
  }

  /** Marks the blocks that were taken from the queue, those of an int32 of marks at once; returns how often that was. */
  mark(): number {
    const { entries, from, end, region } = this.#queue;
    const { marks } = this.#arena.bitmap;
    const list = this.list;
    const first = region << (REGION_SHIFT + MARK_SHIFT);
    let last = entries[from] & ENTRY_FIRST_MASK;
    let bits = 0;
    let looks = 1;
    let length = 0;
    let taken = end - from;
    for (let i = from; i < end; i++) {
      const entry = entries[i];
      if (((entry ^ last) & ENTRY_WORD_MASK) !== 0) {
        length = markGroup(marks, first, list, length, last, bits);
        looks++;
        bits = 0;
        last = entry & ENTRY_FIRST_MASK;
      }
      const more = entry >>> ENTRY_MORE_SHIFT;
      bits |= ((2 << more) - 1) << (entry >>> ENTRY_BLOCK_SHIFT);
      taken += more;
    }
    this.taken = taken;
    this.within = 0;
    this.length = markGroup(marks, first, list, length, last, bits);
    return looks;
  }

  /** Reads a word of each cache line of the groups' blocks: all are on their way at once then. */
  prefetch(): void {
    const { memory: { i32 } } = this.#arena;
    const list = this.list;
    const end = this.length | 0;
    const firstPage = this.#queue.region << REGION_SHIFT;
    let words = 0;
    for (let i = 0; i < end; i += 2) {
      const entry = list[i];
      const sizeShift = SIZE_SHIFT[entry & ENTRY_CLASS_MASK];
      if (sizeShift > LONG_SHIFT + WORDS_SHIFT) continue;
      const firstByte = ((entry >>> ENTRY_WORD_SHIFT) & 31) << (GROUP_SHIFT + sizeShift);
      const page = firstPage + (entry >>> ENTRY_PAGE_SHIFT);
      let at = ((page << (PAGE_SHIFT - 2)) + (firstByte >>> 2)) | 0;
      const last = at + (1 << (GROUP_SHIFT + sizeShift - 2));
      for (; at < last; at = (at + LINE_INTS) | 0) words ^= i32[at];
    }
    this.#prefetched = words;
  }

  /** Whether the batch has no room for all that a group may have. */
  get needsRoom(): boolean {
    return this.#batch.count > SLOTS - GROUP_SLOTS;
  }

  // The two loops call nothing, so that V8 keeps what they need in registers. They end at what needs more.

  /**
   * Notes the pointers of groups from place `from` of the list on, up to one for which there may be no room, or whose blocks
   * may begin in the middle of an int32 of types; returns its place.
   */
  follow(from: number): number {
    const { types } = this.#arena.bitmap;
    const list = this.list;
    const end = this.length | 0;
    const slots = this.#batch.slots;
    const wordShift = this.#arena.wordShift | 0;
    const pageWordShift = PAGE_SHIFT - wordShift;
    const firstPage = this.#queue.region << REGION_SHIFT;
    const firstInSegment = firstPage & SEGMENT_MASK;
    let count = this.#batch.count | 0;
    let i = from | 0;
    for (; i < end; i += 2) {
      const entry = list[i];
      let bits = list[i + 1];
      const shift = SIZE_SHIFT[entry & ENTRY_CLASS_MASK] - wordShift;
      if ((shift - 1) >>> 0 >= WORDS_SHIFT || count > SLOTS - GROUP_SLOTS) break;
      const page = entry >>> ENTRY_PAGE_SHIFT;
      const of32 = (entry >>> ENTRY_WORD_SHIFT) & 31;
      const firstWord = ((firstInSegment + page) << pageWordShift) +
        (of32 << (GROUP_SHIFT + shift));
      const firstInt = ((firstPage + page) << (pageWordShift - WORDS_SHIFT)) +
        (of32 << (GROUP_SHIFT + shift - WORDS_SHIFT));
      const blocksShift = WORDS_SHIFT - shift;
      const allBlocks = ~(-1 << (1 << blocksShift));
      do {
        const int = (31 - Math.clz32(bits & -bits)) >>> blocksShift;
        const blocks = (bits >>> (int << blocksShift)) & allBlocks;
        bits ^= blocks << (int << blocksShift);
        let pointers = types[firstInt + int] & POINTERS_OF[(shift << BLOCKS_SHIFT) + blocks];
        const lastWord = firstWord + (int << WORDS_SHIFT) + MOST_WORDS - 1;
        while (pointers !== 0) {
          slots[count++] = lastWord - (Math.clz32(pointers & -pointers) >>> 1);
          pointers &= pointers - 1;
        }
      } while (bits !== 0);
    }
    this.#batch.count = count;
    return i;
  }

  /**
   * The same where {@linkcode PointerBatch.areNear}, with all blocks of the groups that these lead to, in the order of their
   * addresses.
   */
  followWithin(from: number): number {
    const { memory: { i32 }, bitmap: { types, marks } } = this.#arena;
    const list = this.list;
    const end = this.length | 0;
    const slots = this.#batch.slots;
    const basePage = this.#batch.basePage | 0;
    const baseHigh = this.#batch.baseHigh | 0;
    const firstPage = this.#queue.region << REGION_SHIFT;
    let count = this.#batch.count | 0;
    let within = this.within | 0;
    let i = from | 0;
    for (; i < end; i += 2) {
      const entry = list[i];
      const sizeShift = SIZE_SHIFT[entry & ENTRY_CLASS_MASK];
      const shift = (sizeShift - LONG_SHIFT) | 0;
      if ((shift - 1) >>> 0 >= WORDS_SHIFT || count > SLOTS - GROUP_SLOTS) break;
      const of32 = (entry >>> ENTRY_WORD_SHIFT) & 31;
      const firstByte = of32 << (GROUP_SHIFT + sizeShift);
      const page = firstPage + (entry >>> ENTRY_PAGE_SHIFT);
      const firstWord = (page << (PAGE_SHIFT - LONG_SHIFT)) + (firstByte >>> LONG_SHIFT);
      const firstInt = (firstWord >>> WORDS_SHIFT) | 0;
      const pageAbove = basePage + page + (firstByte >>> PAGE_SHIFT);
      const low = (pageAbove << PAGE_SHIFT) | (firstByte & (PAGE_BYTES - 1));
      const high = (baseHigh + (pageAbove >>> (32 - PAGE_SHIFT))) | 0;
      const blocksShift = WORDS_SHIFT - shift;
      const blockMask = (1 << blocksShift) - 1;
      const pointersOfFirst = POINTERS_OF[(shift << BLOCKS_SHIFT) + 1];
      const at = ((page << MARK_SHIFT) + (of32 << 1)) | 0;
      const marked = marks[at];
      const unmarked = ~(marked | marks[at + 1]);
      let white = unmarked;
      let grey = list[i + 1];
      let bit = 0;
      let block = 0;
      do {
        // Mostly it is the next one. Where the processor foresees that, it need not wait for what the last block leads to.
        const next = bit << 1;
        if ((grey & next) !== 0) {
          bit = next;
          block = (block + 1) | 0;
        } else {
          bit = grey & -grey;
          block = 31 - Math.clz32(bit);
        }
        grey ^= bit;
        const ofInt = types[(firstInt + (block >>> blocksShift)) | 0];
        let pointers = (ofInt >>> ((block & blockMask) << (shift + 1))) & pointersOfFirst;
        let word = (firstWord + (block << shift)) | 0;
        // Two words in a round: a block has no fewer, and a round costs as much as a word.
        do {
          if ((pointers & 2) !== 0) {
            const valueLow = i32[word << 1];
            const valueHigh = i32[word << 1 | 1];
            if ((valueLow | valueHigh) !== 0) {
              const offset = (valueLow - low) | 0;
              if (((offset >>> (GROUP_SHIFT + sizeShift)) | (valueHigh ^ high)) === 0) {
                const found = (1 << (offset >>> sizeShift)) & white;
                grey |= found;
                white ^= found;
              } else {
                slots[count] = word;
                count = (count + 1) | 0;
              }
            }
          }
          if ((pointers & 8) !== 0) {
            const valueLow = i32[(word << 1) + 2];
            const valueHigh = i32[(word << 1) + 3];
            if ((valueLow | valueHigh) !== 0) {
              const offset = (valueLow - low) | 0;
              if (((offset >>> (GROUP_SHIFT + sizeShift)) | (valueHigh ^ high)) === 0) {
                const found = (1 << (offset >>> sizeShift)) & white;
                grey |= found;
                white ^= found;
              } else {
                slots[count] = word + 1;
                count = (count + 1) | 0;
              }
            }
          }
          pointers >>>= 4;
          word = (word + 2) | 0;
        } while (pointers !== 0);
      } while (grey !== 0);
      const found = unmarked ^ white;
      marks[at] = marked | found;
      within = (within + popCount(found)) | 0;
    }
    this.within = within;
    this.#batch.count = count;
    return i;
  }
}
