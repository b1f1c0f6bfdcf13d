/**
 * The arena: the one contiguous range of addresses that all objects come from, and the tables that
 * describe it page by page.
 *
 * ```
 *   heap base               arena_start                    arena_used            arena_end
 *      │  spans   │  bitmap      │ page 0 │ page 1 │  ...  │                        │
 *      │ 128 MiB  │   8 GiB      │     handed to the page heap     reserved only    │ 128 GiB + 8 KiB
 *   0xc000000000  0xc008000000   0xc208000000                              0xe208002000
 * ```
 *
 * The addresses are Go's. The span table and the bitmap are buffers of their own here, indexed upward by
 * page, and the range below the arena stays empty; what they hold is what counts.
 *
 * Two int32 describe each page:
 *
 * ```
 *   pageSpan   span record of the span that the page belongs to, 0 for none; of a free span
 *              only the first and the last page are kept true, as in Go
 *   pageInfo   negative where no object can be, else   ┌ 0 ┬── class ──┬──── page in span ────┐
 *                                                   │ 1 │     7     │         24           │ bits
 *                                                   └───┴───────────┴──────────────────────┘
 * ```
 *
 * pageInfo is all that marking needs to get from a pointer to the block it lies in.
 *
 * @module
 */

import { GoThrow } from "../errors.ts";
import type { AddressSpace, MemoryWindow } from "../platform/address_space.ts";
import { Memory } from "../platform/memory.ts";
import * as platforms from "../platform/platform.ts";
import type { Platform, Pointer } from "../platform/platform.ts";
import { Bitmap, GrowingInts } from "./bitmap.ts";
import * as statistics from "./stats.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { PAGE_BYTES } = platforms;
const { GC_SYS, HEAP_SYS, OTHER_SYS } = statistics;

/** pageInfo of a page where no object can be; less than that is a note of what was there. */
export const NO_OBJECT = -1;
/** Where the class begins in pageInfo. */
export const INFO_CLASS_SHIFT = 24;
/** The page's place in its span, in pageInfo. */
export const INFO_PAGE_MASK = (1 << INFO_CLASS_SHIFT) - 1;

/** Go maps the bitmap in steps of so many bytes. */
const BITMAP_CHUNK_BYTES = 8192;

/**
 * What memory is cleared with: copying zeroes into a shared buffer takes 1.3 us for 64 KiB, filling it
 * 2.2 us as doubles and 9 us as bytes, because a fill of shared memory stores one element at a time.
 */
const ZEROES = new Uint8Array(PAGE_BYTES);

function roundUp(n: number, to: number): number {
  return Math.ceil(n / to) * to;
}

/** The arena of one heap. See the head of the module. */
export class Arena {
  readonly platform: Platform;
  /** log2 of the bytes in a word. */
  readonly wordShift: number;
  /** The address of page 0. */
  readonly start: Pointer;
  /** The first address behind the reservation. */
  readonly end: Pointer;
  /** The objects' memory. */
  readonly memory: Memory;
  readonly bitmap: Bitmap;
  pageSpan: Int32Array = new Int32Array(0);
  pageInfo: Int32Array = new Int32Array(0);
  /** Pages handed to the page heap so far. */
  usedPages = 0;

  readonly #space: AddressSpace;
  readonly #stats: Float64Array;
  readonly #window: MemoryWindow;
  readonly #base: Pointer;
  readonly #reservedBytes: number;
  readonly #pageSpan: GrowingInts;
  readonly #pageInfo: GrowingInts;
  #maxPages: number;
  #bitmapMappedBytes = 0;
  #spansMappedBytes = 0;

  /** Reserves the arena; seeds' mallocinit. Throws if the address space has no place for it. */
  constructor(platform: Platform, space: AddressSpace, stats: Float64Array) {
    const { base, start, end } = reserveArena(platform, space);
    if (!space.map(start, 0)) {
      space.free(base, end - base);
      throw new GoThrow("runtime: cannot reserve arena virtual address space");
    }
    this.platform = platform;
    this.wordShift = platform.pointerBytes === 8 ? 3 : 2;
    this.start = start;
    this.end = end;
    this.#base = base;
    this.#reservedBytes = end - base;
    this.#space = space;
    this.#stats = stats;
    this.#window = space.window(start);
    this.memory = new Memory(start, this.#window.buffer, 0, 0);
    const maxPages = Math.floor((end - start) / PAGE_BYTES);
    this.#maxPages = maxPages;
    this.bitmap = new Bitmap(maxPages, PAGE_BYTES / platform.pointerBytes);
    this.#pageSpan = new GrowingInts(maxPages + 1);
    this.#pageInfo = new GrowingInts(maxPages + 1);
  }

  /** Gives the reservation back: from here on there is no page, and none to be had. */
  release(): void {
    this.#space.free(this.#base, this.#reservedBytes);
    this.usedPages = 0;
    this.memory.use(0);
    this.#maxPages = 0;
    this.memory.cover(0);
  }

  /** The first address that was not handed out yet. */
  get used(): Pointer {
    return this.start + this.memory.usedBytes;
  }

  /** The address of `page`. */
  pageAddress(page: number): Pointer {
    return this.start + page * PAGE_BYTES;
  }

  /**
   * Takes `pages` more pages from the reservation and returns the first, or -1 if there are none;
   * seeds' MHeap_SysAlloc.
   */
  sysAlloc(pages: number): number {
    const bytes = pages * PAGE_BYTES;
    if (this.usedPages + pages > this.#maxPages || !this.#space.map(this.used, bytes)) return -1;
    const first = this.usedPages;
    this.usedPages += pages;
    this.#stats[HEAP_SYS] += bytes;
    this.#cover();
    this.memory.use(this.memory.usedBytes + bytes);
    this.#mapBits();
    this.#mapSpans();
    return first;
  }

  /** The word with index `word`, counted from the arena's start, as an unsigned number. */
  readWord(word: number): number {
    const { u32 } = this.memory;
    if (this.platform.pointerBytes === 4) return u32[word];
    return u32[2 * word] + u32[2 * word + 1] * 2 ** 32;
  }

  /** Stores `value`, an unsigned integer, in the word with index `word`, counted from the arena's start. */
  writeWord(word: number, value: number): void {
    const { u32 } = this.memory;
    if (this.platform.pointerBytes === 4) {
      u32[word] = value;
    } else {
      u32[2 * word] = value;
      u32[2 * word + 1] = value / 2 ** 32;
    }
  }

  /** Clears `bytes` bytes (a multiple of 8) from byte `offset` on, counted from the arena's start. */
  clear(offset: number, bytes: number): void {
    const { u8 } = this.memory;
    let at = offset;
    const end = offset + bytes;
    for (; at + ZEROES.length <= end; at += ZEROES.length) u8.set(ZEROES, at);
    if (at < end) u8.set(ZEROES.subarray(0, end - at), at);
  }

  /** Says that a range of pages is not needed until it is used again. */
  unused(page: number, pages: number): void {
    this.#space.unused(this.pageAddress(page), pages * PAGE_BYTES);
  }

  /** Makes the views and tables reach as far as the buffer, which grows in larger steps than the arena. */
  #cover(): void {
    if (this.usedPages * PAGE_BYTES <= this.memory.bytes) return;
    const pages = Math.floor(this.#window.buffer.byteLength / PAGE_BYTES);
    this.memory.cover(pages * PAGE_BYTES);
    this.bitmap.cover(pages);
    this.#pageSpan.cover(pages + 1);
    this.#pageInfo.cover(pages + 1);
    this.pageSpan = this.#pageSpan.ints;
    this.pageInfo = this.#pageInfo.ints;
  }

  #mapBits(): void {
    const wordsPerBitmapByte = 2;
    const bitmapBytes = (this.used - this.start) /
      (wordsPerBitmapByte * this.platform.pointerBytes);
    const bytes = roundUp(roundUp(bitmapBytes, BITMAP_CHUNK_BYTES), this.platform.physPageBytes);
    this.#stats[GC_SYS] += Math.max(0, bytes - this.#bitmapMappedBytes);
    this.#bitmapMappedBytes = Math.max(bytes, this.#bitmapMappedBytes);
  }

  #mapSpans(): void {
    const bytes = roundUp(this.usedPages * this.platform.pointerBytes, this.platform.physPageBytes);
    this.#stats[OTHER_SYS] += Math.max(0, bytes - this.#spansMappedBytes);
    this.#spansMappedBytes = Math.max(bytes, this.#spansMappedBytes);
  }
}

/** Finds a place for spans, bitmap and arena at the first heap base that is free. */
function reserveArena(
  platform: Platform,
  space: AddressSpace,
): { base: Pointer; start: Pointer; end: Pointer } {
  const arenaBytes = platform.maxMemBytes;
  const bitmapBytes = arenaBytes / (platform.pointerBytes * 2);
  const spansBytes = roundUp((arenaBytes / PAGE_BYTES) * platform.pointerBytes, PAGE_BYTES);
  const bytes = bitmapBytes + spansBytes + arenaBytes + PAGE_BYTES;
  for (const hint of platform.heapBases) {
    const base = space.reserve(hint, bytes);
    if (base === 0) continue;
    const aligned = roundUp(base, PAGE_BYTES);
    return { base, start: aligned + spansBytes + bitmapBytes, end: base + bytes };
  }
  throw new GoThrow("runtime: cannot reserve arena virtual address space");
}
