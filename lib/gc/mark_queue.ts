/**
 * The queue of marking: grey blocks, those of one MiB of the arena beside each other.
 *
 * In a heap much larger than the processor's caches nearly everything that marking touches is far away: the
 * object, its types, its marks, and for each of them the entry that translates its page's address. A region
 * of 128 pages has 1 MiB of objects, 64 KiB of types and some KiB of marks, which stay near while one after
 * the other is followed. So a block is queued with its region, and whoever takes blocks gets them region by
 * region: at 10,000,000 objects in random order a queue of regions is four times as fast as a single one, and
 * a heap of one region or two has a single one.
 *
 * See mark_entry.ts for what an entry, a chunk and a region are. Regions with something queued have a bit each. They
 * are emptied in the order of their addresses, again and again; within a region the queue is first in, first out.
 *
 * The loops of marker.ts put and take entries themselves; here is what happens once a chunk.
 *
 * Conservation: every chunk but chunk 0 is linked in one region or in the list of free ones, or was never used.
 *
 * @module
 */

import { GrowingInts } from "../arena/bitmap.ts";
import * as statistics from "../arena/stats.ts";
import * as markEntry from "./mark_entry.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { GC_SYS } = statistics;
const { CHUNK, CHUNK_MASK, HEAD, REGION_INTS, REGION_SHIFT, TAIL } = markEntry;

const ENTRIES_A_CHUNK = CHUNK - 1;
/** Regions of the largest arena, 128 GiB and a page. */
const MAX_REGIONS = 2 ** 17 + 1;
const FIRST_CHUNKS = 16;
const MAX_CHUNKS = 2 ** 16;

/** The queue of one marker. See the head of the module. */
export class MarkQueue {
  /** All chunks. Replaced by {@linkcode MarkQueue.reserve} only. */
  entries: Int32Array;
  /** All regions. Replaced by {@linkcode MarkQueue.reserve} only. */
  regions: Int32Array;
  /** The region that {@linkcode MarkQueue.take} took from. */
  region = 0;
  /** Where what it took begins in `entries`, and where it ends. It stays there until something is put. */
  from = 0;
  end = 0;
  readonly #stats: Float64Array;
  readonly #maxChunks: number;
  readonly #entryTable: GrowingInts;
  readonly #regionTable: GrowingInts = new GrowingInts(MAX_REGIONS * REGION_INTS);
  /** A bit for each region with something queued. */
  readonly #filledTable: GrowingInts = new GrowingInts((MAX_REGIONS >>> 5) + 1);
  #filled: Int32Array;
  /** The first free chunk of those that were used before, 0 if there is none. */
  #free = 0;
  /** The first chunk that was never used; the chunk at 0 never is. */
  #unused = CHUNK;
  /** Chunks that can be had without growing. */
  #freeChunks = 0;

  /** Makes a queue of up to `maxEntries` entries, or fewer where regions leave their chunks unfilled. */
  constructor(stats: Float64Array, maxEntries: number = MAX_CHUNKS * ENTRIES_A_CHUNK) {
    this.#stats = stats;
    this.#maxChunks = Math.min(Math.ceil(maxEntries / ENTRIES_A_CHUNK), MAX_CHUNKS);
    this.#entryTable = new GrowingInts((this.#maxChunks + 1) * CHUNK);
    this.entries = this.#entryTable.ints;
    this.regions = this.#regionTable.ints;
    this.#filled = this.#filledTable.ints;
    this.#coverRegions(1);
    this.#growTo(Math.min(FIRST_CHUNKS, this.#maxChunks));
  }

  /**
   * Makes room for `count` entries of any regions of an arena of `pages` pages: {@linkcode MarkQueue.chunkFor} finds
   * a chunk for each of them, unless the queue can't be grown.
   */
  reserve(count: number, pages: number): void {
    const regions = (pages >>> REGION_SHIFT) + 1;
    if (regions * REGION_INTS > this.regions.length) this.#coverRegions(regions);
    const chunks = Math.min(count, regions) + ((count / ENTRIES_A_CHUNK) | 0) + 1;
    if (this.#freeChunks < chunks) this.#growBy(chunks - this.#freeChunks);
  }

  /**
   * A place for the next entry of `region`, whose TAIL is `tail`, where there is none in its last chunk; -1 if there
   * is no memory. The entry must be put there, and TAIL set behind it.
   */
  chunkFor(region: number, tail: number): number {
    const entries = this.entries;
    let chunk = this.#free;
    if (chunk !== 0) this.#free = entries[chunk];
    else if (this.#freeChunks > 0) this.#unused = (chunk = this.#unused) + CHUNK;
    else return -1;
    this.#freeChunks--;
    if (tail === 0) {
      this.regions[region * REGION_INTS + HEAD] = chunk + 1;
      this.#filled[region >>> 5] |= 1 << (region & 31);
    } else {
      entries[tail - CHUNK] = chunk;
    }
    return chunk + 1;
  }

  /** Queues `entry` in `region`; false if there is no memory. Room was made by {@linkcode MarkQueue.reserve}. */
  put(region: number, entry: number): boolean {
    const at = region * REGION_INTS + TAIL;
    let tail = this.regions[at];
    if ((tail & CHUNK_MASK) === 0) tail = this.chunkFor(region, tail);
    if (tail < 0) return false;
    this.entries[tail] = entry;
    this.regions[at] = tail + 1;
    return true;
  }

  /** Takes up to `most` entries, of one region and one chunk; false if nothing is queued. */
  take(most: number): boolean {
    if (!this.#findRegion()) return false;
    const regions = this.regions;
    const at = this.region * REGION_INTS;
    const head = regions[at + HEAD];
    const tail = regions[at + TAIL];
    const chunk = (head - 1) & ~CHUNK_MASK;
    const isLast = ((tail - 1) & ~CHUNK_MASK) === chunk;
    const chunkEnd = isLast ? tail : chunk + CHUNK;
    this.from = head;
    this.end = Math.min(chunkEnd, head + most);
    if (this.end < chunkEnd) {
      regions[at + HEAD] = this.end;
      return true;
    }
    if (isLast) {
      regions[at + HEAD] = regions[at + TAIL] = 0;
      this.#filled[this.region >>> 5] &= ~(1 << (this.region & 31));
    } else {
      regions[at + HEAD] = this.entries[chunk] + 1;
    }
    this.entries[chunk] = this.#free;
    this.#free = chunk;
    this.#freeChunks++;
    return true;
  }

  /** Forgets all entries, and the order in which chunks were freed. */
  clear(): void {
    this.#filled.fill(0);
    this.regions.fill(0);
    this.region = 0;
    this.#free = 0;
    this.#unused = CHUNK;
    this.#freeChunks = this.entries.length / CHUNK - 1;
  }

  /** Calls `visit` with the region of each entry, and the entry. */
  forEach(visit: (region: number, entry: number) => void): void {
    for (let region = 0; region * REGION_INTS < this.regions.length; region++) {
      let at = this.regions[region * REGION_INTS + HEAD];
      const tail = this.regions[region * REGION_INTS + TAIL];
      while (at !== tail) {
        visit(region, this.entries[at]);
        at++;
        if ((at & CHUNK_MASK) === 0 && at !== tail) at = this.entries[at - CHUNK] + 1;
      }
    }
  }

  /** Whether every chunk is in one place, as the head of the module says. */
  isValid(): boolean {
    let chunks = (this.entries.length - this.#unused) / CHUNK;
    for (let chunk = this.#free; chunk !== 0; chunk = this.entries[chunk]) chunks++;
    const free = chunks;
    let isFilledTrue = true;
    for (let region = 0; region * REGION_INTS < this.regions.length; region++) {
      const head = this.regions[region * REGION_INTS + HEAD];
      const tail = this.regions[region * REGION_INTS + TAIL];
      const isFilled = (this.#filled[region >>> 5] & (1 << (region & 31))) !== 0;
      if (isFilled !== (tail !== 0) || isFilled !== (head !== 0)) isFilledTrue = false;
      const last = (tail - 1) & ~CHUNK_MASK;
      let chunk = (head - 1) & ~CHUNK_MASK;
      for (; tail !== 0 && chunk !== last; chunk = this.entries[chunk]) chunks++;
      if (tail !== 0) chunks++;
    }
    return isFilledTrue && free === this.#freeChunks && chunks === this.entries.length / CHUNK - 1;
  }

  /** Goes on to a region with something queued, staying where there is something; false if there is none. */
  #findRegion(): boolean {
    if (this.regions[this.region * REGION_INTS + HEAD] !== 0) return true;
    const filled = this.#filled;
    const first = this.region >>> 5;
    // First those behind this region, in the end those before it in the same int32.
    let bits = filled[first] & ~(-1 >>> (31 - (this.region & 31)));
    for (let left = filled.length, word = first;; left--) {
      if (bits !== 0) {
        this.region = (word << 5) + 31 - Math.clz32(bits & -bits);
        return true;
      }
      if (left === 0) return false;
      word = word + 1 < filled.length ? word + 1 : 0;
      bits = filled[word];
    }
  }

  #coverRegions(regions: number): void {
    const before = this.regions.length + this.#filled.length;
    this.#regionTable.cover(regions * REGION_INTS);
    this.#filledTable.cover((regions >>> 5) + 1);
    this.regions = this.#regionTable.ints;
    this.#filled = this.#filledTable.ints;
    this.#stats[GC_SYS] += 4 * (this.regions.length + this.#filled.length - before);
  }

  /** Makes at least `chunks` more chunks, if they are to be had. */
  #growBy(chunks: number): void {
    const made = this.entries.length / CHUNK - 1;
    if (made < this.#maxChunks) {
      this.#growTo(Math.min(Math.max(2 * made, made + chunks), this.#maxChunks));
    }
  }

  #growTo(chunks: number): void {
    const before = this.entries.length;
    try {
      this.#entryTable.cover((chunks + 1) * CHUNK);
    } catch (error) {
      if (error instanceof RangeError) return;
      throw error;
    }
    this.entries = this.#entryTable.ints;
    this.#freeChunks += (this.entries.length - Math.max(before, CHUNK)) / CHUNK;
    this.#stats[GC_SYS] += 4 * (this.entries.length - before);
  }
}
