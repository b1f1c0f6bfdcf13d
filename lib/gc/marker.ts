/**
 * Marking: finds every block that can be reached from the roots.
 *
 * A block is white (neither marked nor queued), grey (in the queue, to be marked and followed) or black (marked, its
 * pointers followed). Whoever finds a pointer queues its target without a look at its mark, which is far away:
 * that is for whoever takes it from the queue, where all blocks of one region are dealt with one after another
 * (mark_queue.ts). So a block may be queued several times, and is followed once, when its mark is set. A large
 * object is marked at once, and queued if it has pointers.
 *
 * To find the block that a pointer points into takes two small tables and no division:
 *
 * ```
 *   pointer ──▶ page ──▶ pageInfo: class, page in span ──▶ offset in span ──▶ block number
 *                                                          (x reciprocal)       │
 *               marks of the span: ┌ marked ┬ free ┐ ◀── word = block / 32 ─────┘
 * ```
 *
 * What marking costs is waiting for memory: an object of a large heap is in no cache. A processor waits for
 * several objects at once if their addresses are known and little lies between the loads. So the work goes in short
 * loops over some hundred pointers:
 *
 * ```
 *   mark      takes entries of one region; sets the marks of 32 blocks at a time ──▶ groups: what was not marked
 *   follow    groups ──▶ slots: where their pointers are                                       (mark_groups.ts)
 *   load      slots ──▶ values: nothing but one load and one store each, so that many loads are under way
 *   grey      values ──▶ the queue                                                             (pointer_batch.ts)
 * ```
 *
 * Where objects lie in memory as they are reached, one load or store serves several of them, and some loops become one. So
 * after each round, what was in it says what is expected of the next:
 *
 * ```
 *   blocks a group      led to within their group
 *   few                                               follow, load, grey (#greyScattered), which expect nothing
 *   four and more       less than a quarter           follow; load and grey together (#greyNeighbours)
 *                       more, or nobody knows         load and follow together (followWithin); #greyNeighbours
 * ```
 *
 * All arithmetic is in int32, which holds for an arena of 128 GiB: a page, a word in its span, and for slots a word in
 * a segment of 16 GiB (8 on 4-byte words), of which only one is worked on at a time.
 *
 * Marking may be done in slices. Each round of the loops is short, whatever the heap looks like: it
 * takes so many objects at most, and of a large object only a few pages, whose rest is queued again.
 * Between two rounds nothing is under way but what stands in the queue: there a slice may end.
 *
 * The queue grows as it must. If it cannot, blocks are marked without being followed, and when the queue
 * is empty the heap is searched for them: every marked object is followed again, until nothing new turns
 * up. So marking ends correctly with any memory that it is given, only more slowly. That search, too, may
 * stop and go on, 32 blocks at a time.
 *
 * @module
 */

import * as arenaTables from "../arena/arena.ts";
import type { Arena } from "../arena/arena.ts";
import * as bitmapPlanes from "../arena/bitmap.ts";
import type { Memory } from "../platform/memory.ts";
import * as platforms from "../platform/platform.ts";
import type { Pointer } from "../platform/platform.ts";
import { lowestBit } from "../spans/bits.ts";
import * as sizeClasses from "../spans/size_classes.ts";
import * as spanRecord from "../spans/span_record.ts";
import type { SpanTable } from "../spans/span_table.ts";
import type { GoType } from "../types/go_type.ts";
import * as markEntry from "./mark_entry.ts";
import { MarkGroups } from "./mark_groups.ts";
import { MarkQueue } from "./mark_queue.ts";
import * as pointerBatch from "./pointer_batch.ts";
import { PointerBatch } from "./pointer_batch.ts";
import type { Slice } from "./slice.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { INFO_CLASS_SHIFT } = arenaTables;
const { MARK_SHIFT, POINTER_BITS, WORDS_SHIFT } = bitmapPlanes;
const { PAGE_BYTES, PAGE_SHIFT } = platforms;
const { CLASS_TO_SIZE } = sizeClasses;
const { BLOCKS, CLASS, IN_USE, NO_SCAN, START, STATE } = spanRecord;
const {
  ENTRY_BLOCK_SHIFT,
  ENTRY_CLASS_MASK,
  ENTRY_FIRST_MASK,
  ENTRY_MORE_SHIFT,
  ENTRY_PAGE_SHIFT,
  ENTRY_WORD_SHIFT,
  GROUP_SHIFT,
  LARGE_REST,
  REGION_SHIFT,
} = markEntry;
const { ROOT, SEGMENT_MASK, SLOTS, STORED } = pointerBatch;

const MOST_WORDS = 1 << WORDS_SHIFT;

/** Pointers that are enough to be loaded at a time. */
const ENOUGH_SLOTS = 512;
/** The blocks that a group can have: no fewer are followed within groups. */
const GROUP_BLOCKS = 1 << GROUP_SHIFT;
/** So many blocks a group on average, and what they point to is expected to lie together, too. */
const BLOCKS_OF_NEIGHBOURS = 4;
/** The same is expected of so few blocks that no time is lost. */
const FEW_BLOCKS = 8;
/** One of so many blocks led to by another of its group, and more of them are expected. */
const BLOCKS_OF_ONE_WITHIN = 4;
/** So many objects in one round, and no more are taken from the queue. The last chunk may have four times as many. */
const OBJECTS = 2048;
/** Pages of a large object that are followed in one round. */
const CHUNK_PAGES = 4;
/** What following them counts for in a slice. */
const UNITS_A_CHUNK = 1024;

/** The marker of one heap. See the head of the module. */
export class Marker {
  readonly #arena: Arena;
  readonly #spans: SpanTable;
  readonly #wordShift: number;
  /** log2 of the words in a page. */
  readonly #pageWordShift: number;
  readonly #queue: MarkQueue;
  readonly #batch: PointerBatch;
  readonly #groups: MarkGroups;
  /** Whether blocks are expected to lead to others of their group, where neighbours are expected. */
  #expectsWithin = true;
  /** Where the search for marked objects that were not followed goes on; -1 if there is none. */
  #searchSpan = -1;
  #searchWord = 0;

  constructor(
    arena: Arena,
    spans: SpanTable,
    stats: Float64Array,
    options: { invalidPointerThrows?: boolean; maxQueueEntries?: number } = {},
  ) {
    this.#arena = arena;
    this.#spans = spans;
    this.#wordShift = arena.wordShift;
    this.#pageWordShift = PAGE_SHIFT - this.#wordShift;
    this.#queue = new MarkQueue(stats, options.maxQueueEntries);
    this.#batch = new PointerBatch(arena, spans, this.#queue, options.invalidPointerThrows ?? true);
    this.#groups = new MarkGroups(arena, this.#queue, this.#batch);
  }

  /** Greys the block that `p` points into, if there is one. */
  grey(p: Pointer): void {
    this.#batch.greyOne(p, ROOT);
  }

  /** The same for a value that the program has stored, which may be any number. Seeds' shade. */
  shade(p: Pointer): void {
    this.#batch.greyOne(p, STORED);
  }

  /** Marks the new block at `p`, which has no pointers yet: it is black. Seeds' gcmarknewobject. */
  blacken(p: Pointer): void {
    const { pageInfo, pageSpan, bitmap: { marks }, start } = this.#arena;
    const page = Math.floor((p - start) / PAGE_BYTES);
    const first = this.#spans.ints[pageSpan[page] + START];
    const cls = pageInfo[page] >> INFO_CLASS_SHIFT;
    const block = cls === 0 ? 0 : (p - this.#arena.pageAddress(first)) / CLASS_TO_SIZE[cls];
    marks[(first << MARK_SHIFT) + ((block >>> 5) << 1)] |= 1 << (block & 31);
  }

  /** Greys what words `from` to `to` of the variable of `type` at `address`, in `memory`, point to. */
  greyVariable(memory: Memory, address: Pointer, type: GoType, from: number, to: number): void {
    const ints = this.#arena.platform.pointerBytes / 4;
    const first = (address - memory.base) / 4;
    type.pointers.forEach(
      (word) => {
        const low = memory.u32[first + word * ints];
        const high = ints === 2 ? memory.u32[first + word * 2 + 1] : 0;
        if (low + high !== 0) this.grey(low + high * 2 ** 32);
      },
      from,
      to,
    );
  }

  /** Greys what block `block` of a span points to, and not the block itself. */
  greyReferents(span: number, block: number): void {
    const ints = this.#spans.ints;
    const cls = ints[span + CLASS];
    const words = CLASS_TO_SIZE[cls] >> this.#wordShift;
    if (cls === 0) this.#queueLarge(span);
    else this.#follow(ints[span + START], block * words, words);
  }

  /** Follows grey blocks, and those they lead to, within `slice`; true if none is left. */
  advance(slice: Slice): boolean {
    const most = Math.min(OBJECTS, slice.unitsBetweenLooks);
    for (;;) {
      const followed = this.#followQueued(most);
      const found = this.#batch.count;
      if (found === 0 && followed === 0 && !this.#search()) {
        this.#queue.clear();
        return true;
      }
      this.flush();
      if (!slice.spend(followed + found + 1)) return false;
    }
  }

  /** Queues what was found so far: all that is grey stands in the queue then. */
  flush(): void {
    this.#batch.flush();
  }

  /**
   * Calls `visit` with the first page of the span of each block that is queued, its number and class; for what is left
   * of a large object, with the page to go on with, 1 and 0.
   */
  forEachQueued(visit: (page: number, block: number, cls: number) => void): void {
    this.#queue.forEach((region, entry) => {
      const first = entry & ENTRY_FIRST_MASK;
      const page = (region << REGION_SHIFT) + (first >>> ENTRY_PAGE_SHIFT);
      const block = (first >>> ENTRY_BLOCK_SHIFT) & 1023;
      for (let more = 0; more <= entry >>> ENTRY_MORE_SHIFT; more++) {
        visit(page, block + more, entry & ENTRY_CLASS_MASK);
      }
    });
  }

  /** Whether the queue is as its head says. */
  get isQueueValid(): boolean {
    return this.#queue.isValid();
  }

  /** Whether some marked blocks are neither followed nor queued, and have to be searched for. */
  get isSearching(): boolean {
    return this.#batch.overflowed || this.#searchSpan >= 0;
  }

  /** Forgets what is queued and clears all marks: the collection was given up. */
  abandon(): void {
    this.#queue.clear();
    this.#batch.count = 0;
    this.#batch.overflowed = false;
    this.#searchSpan = -1;
    const ints = this.#spans.ints;
    const { marks } = this.#arena.bitmap;
    for (let i = 0; i < this.#spans.made; i++) {
      const span = this.#spans.handle(i);
      if (ints[span + STATE] !== IN_USE) continue;
      const first = ints[span + START] << MARK_SHIFT;
      for (let word = 0; word << 5 < ints[span + BLOCKS]; word++) marks[first + (word << 1)] = 0;
    }
  }

  /**
   * Takes blocks from the queue and notes their pointers, until there are no more, no more room, or it was
   * `most` of them; returns how many. What has many words counts for more.
   */
  #followQueued(most: number): number {
    const queue = this.#queue;
    const groups = this.#groups;
    const isWithin = most >= GROUP_BLOCKS && this.#expectsWithin && this.#batch.areNear;
    let blocks = 0;
    let within = 0;
    let looks = 0;
    let units = 0;
    while (
      blocks + units < most && this.#batch.count <= ENOUGH_SLOTS &&
      queue.take(most - blocks - units)
    ) {
      looks += groups.mark();
      units += this.#followGroups(isWithin);
      blocks += groups.taken + groups.within;
      within += groups.within;
    }
    const areFew = blocks + units < FEW_BLOCKS;
    const areNeighbours = areFew || blocks > looks * BLOCKS_OF_NEIGHBOURS;
    this.#batch.areNeighbours = areNeighbours;
    if (areFew || !areNeighbours) this.#expectsWithin = true;
    else if (isWithin) this.#expectsWithin = within * BLOCKS_OF_ONE_WITHIN > blocks;
    return blocks + units;
  }

  /** Notes the pointers of the groups; returns what that counts for beside their blocks. */
  #followGroups(isWithin: boolean): number {
    const groups = this.#groups;
    this.#batch.enterSegment(this.#queue.region << REGION_SHIFT);
    if (isWithin) groups.prefetch();
    let units = 0;
    let i = 0;
    while ((i = isWithin ? groups.followWithin(i) : groups.follow(i)) < groups.length) {
      if (groups.needsRoom) {
        this.#batch.flush();
        continue;
      }
      units += this.#followOneByOne(groups.list[i], groups.list[i + 1]);
      i += 2;
    }
    return units;
  }

  /** Follows blocks of a group of which any may begin in the middle of an int32 of types, or a large object. */
  #followOneByOne(entry: number, bits: number): number {
    const page = (this.#queue.region << REGION_SHIFT) + (entry >>> ENTRY_PAGE_SHIFT);
    const cls = entry & ENTRY_CLASS_MASK;
    if (cls === 0) {
      // What stands for the rest of a large object is no block: its mark is taken back.
      this.#arena.bitmap.marks[page << MARK_SHIFT] &= ~(1 << LARGE_REST);
      return this.#followLarge(page);
    }
    const words = CLASS_TO_SIZE[cls] >> this.#wordShift;
    const first = ((entry >>> ENTRY_WORD_SHIFT) & 31) << 5;
    let units = 0;
    for (; bits !== 0; bits &= bits - 1) {
      units += this.#follow(page, (first + lowestBit(bits)) * words, words);
    }
    return units;
  }

  /**
   * Notes the pointers among the `words` words of an object, from word `word` of the span at `page` on; returns
   * what that counts for in a slice.
   */
  #follow(page: number, word: number, words: number): number {
    this.#batch.enterSegment(page);
    const { types } = this.#arena.bitmap;
    const slots = this.#batch.slots;
    let count = this.#batch.count;
    let at = (page << (this.#pageWordShift - WORDS_SHIFT)) + (word >>> WORDS_SHIFT);
    let first = word & (MOST_WORDS - 1);
    let left = words;
    let firstWord = ((page & SEGMENT_MASK) << this.#pageWordShift) + (word - first);
    for (;;) {
      let pointers = (types[at] >>> (first << 1)) & POINTER_BITS;
      const here = MOST_WORDS - first;
      if (left < here) pointers &= ~(-1 << (left << 1));
      while (pointers !== 0) {
        const bit = 31 - Math.clz32(pointers);
        pointers ^= 1 << bit;
        slots[count++] = firstWord + first + (bit >>> 1);
      }
      if (count > SLOTS - MOST_WORDS) {
        this.#batch.count = count;
        this.#batch.flush();
        count = 0;
      }
      if (left <= here) break;
      left -= here;
      firstWord += MOST_WORDS;
      first = 0;
      at++;
    }
    this.#batch.count = count;
    return words >> 2;
  }

  /** Queues a large object, to be followed chunk by chunk. */
  #queueLarge(span: number): void {
    const start = this.#spans.ints[span + START];
    if (this.#spans.ints[span + NO_SCAN] !== 0) return;
    this.#queue.reserve(1, this.#arena.usedPages);
    if (!this.#batch.queueRest(start)) {
      for (let page = start; page >= 0;) page = this.#followChunk(page);
    }
  }

  #followLarge(page: number): number {
    const rest = this.#followChunk(page);
    if (rest >= 0) {
      this.#queue.reserve(1, this.#arena.usedPages);
      if (!this.#batch.queueRest(rest)) this.#batch.overflowed = true;
    }
    return UNITS_A_CHUNK;
  }

  /** Notes the pointers in some pages of a large object; returns the page to go on with, -1 if there is none. */
  #followChunk(page: number): number {
    const span = this.#arena.pageSpan[page];
    const before = (page - this.#spans.ints[span + START]) * PAGE_BYTES;
    const bytes = this.#spans.limitBytes(span) - before;
    const chunk = Math.min(bytes, CHUNK_PAGES * PAGE_BYTES);
    this.#follow(page, 0, Math.ceil(chunk / (1 << this.#wordShift)));
    return bytes > chunk ? page + CHUNK_PAGES : -1;
  }

  /**
   * Goes on following every marked block of the heap again, if some of them did not fit in the queue, which is
   * empty now; false if there is nothing to search.
   */
  #search(): boolean {
    if (this.#searchSpan < 0) {
      if (!this.#batch.overflowed) return false;
      this.#batch.overflowed = false;
      this.#searchSpan = this.#searchWord = 0;
    }
    const ints = this.#spans.ints;
    const { marks } = this.#arena.bitmap;
    const span = this.#spans.handle(this.#searchSpan);
    const blocks = ints[span + STATE] === IN_USE ? ints[span + BLOCKS] : 0;
    const word = this.#searchWord++;
    if (this.#searchWord << 5 >= blocks) {
      this.#searchWord = 0;
      if (++this.#searchSpan >= this.#spans.made) this.#searchSpan = -1;
    }
    if (word << 5 >= blocks) return true;
    const at = (ints[span + START] << MARK_SHIFT) + (word << 1);
    for (let bits = marks[at]; bits !== 0; bits &= bits - 1) {
      this.greyReferents(span, (word << 5) + lowestBit(bits));
    }
    return true;
  }
}
