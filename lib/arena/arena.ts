/**
 * The arena: the range of addresses that all objects come from, and the tables that describe it page by
 * page. A 64-bit arena is reserved whole:
 *
 * ```
 *   heap base               arena_start                    arena_used            arena_end
 *      │  spans   │  bitmap      │ page 0 │ page 1 │  ...  │                        │
 *      │ 128 MiB  │   8 GiB      │     handed to the page heap     reserved only    │ 128 GiB + 8 KiB
 *   0xc000000000  0xc008000000   0xc208000000                              0xe208002000
 * ```
 *
 * A 32-bit arena may use any of the 2 GiB from its start on. It begins with a reservation of 512 MiB and
 * grows by what can be had, in this order:
 *
 * ```
 *   arena_start            used 1  end 1     used 2   end 2          used 3             start + 2 GiB
 *   │▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒│  left │  hole  │▒▒▒▒▒▒▒▒│ left │  hole  │▒▒▒│                 │
 *    1. from the reservation                  2. from another of 256 MiB  3. any memory that the system
 *       made first                               or more, next to the       has, while it lies in the
 *                                                first or further up        2 GiB
 * ```
 *
 * Pages are numbered from arena_start through all of this. A page that is not memory, because something else
 * lies there or the end of a reservation was left over, is a hole: it belongs to no span.
 *
 * The memory of a 64-bit arena may come in two windows, of which the first has its first 16 GiB. The last page of
 * that one, and whatever else is left when a request reaches beyond it, is a hole, so no span lies in both.
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
 * Conservation: all spans together have heldPages pages, HEAP_SYS = heldPages pages + slackBytes.
 *
 * @module
 */

import { GoThrow } from "../errors.ts";
import type { AddressSpace, MemoryWindow } from "../platform/address_space.ts";
import { Memory } from "../platform/memory.ts";
import * as platforms from "../platform/platform.ts";
import type { Platform, Pointer } from "../platform/platform.ts";
import { Bitmap, GrowingInts } from "./bitmap.ts";
import { mallocinit, MAX_ARENA_32_BYTES, roundUp } from "./mallocinit.ts";
import * as statistics from "./stats.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { PAGE_BYTES } = platforms;
const { GC_SYS, HEAP_SYS, OTHER_SYS } = statistics;

/** pageInfo of a page where no object can be; less than that is a note of what was there. */
export const NO_OBJECT = -1;
/** pageInfo of a page that is no memory of the heap's. */
export const HOLE = -(2 ** 31);
/** Where the class begins in pageInfo. */
export const INFO_CLASS_SHIFT = 24;
/** The page's place in its span, in pageInfo. */
export const INFO_PAGE_MASK = (1 << INFO_CLASS_SHIFT) - 1;

/** A 32-bit arena is extended by multiples of this. */
const EXTENSION_BYTES = 2 ** 28;
/** Go maps the bitmap in steps of so many bytes. */
const BITMAP_CHUNK_BYTES = 8192;

/** What there is of memory beside the arena, for those above to put aside what blocks hold: see {@linkcode Arena.aside}. */
export const ASIDE_BYTES = 2 ** 20;

/** The arena of one heap. See the head of the module. */
export class Arena {
  readonly platform: Platform;
  /** log2 of the bytes in a word. */
  readonly wordShift: number;
  /** The address of page 0. */
  readonly start: Pointer;
  /** The objects' memory, as far as the first window goes. */
  readonly memory: Memory;
  /** The memory behind it, as soon as something lies there. */
  upperMemory: Memory | null = null;
  /**
   * Memory that no program sees. It lies in the window of the objects, since memory is copied fastest within one, at the
   * end of the addresses where Go has its bitmap; if there are too few or there is no memory for them, elsewhere.
   */
  readonly aside: Memory;
  readonly bitmap: Bitmap;
  pageSpan: Int32Array = new Int32Array(0);
  pageInfo: Int32Array = new Int32Array(0);
  /** Pages up to arena_used: those handed to the page heap so far, and holes between them. */
  usedPages = 0;
  /** Pages handed to the page heap so far. */
  heldPages = 0;
  /** Bytes obtained for the heap that are too few for a page, at the ends of memory from anywhere. */
  slackBytes = 0;
  /** What the last {@linkcode sysAlloc} had to give back, in Go's words; empty if nothing. */
  refusal = "";

  readonly #space: AddressSpace;
  readonly #stats: Float64Array;
  readonly #window: MemoryWindow;
  /** The first address that is not in the first window. It begins as a number: see docs/performance.md. */
  readonly #windowEnd: Pointer = 0;
  #upperWindow: MemoryWindow | null = null;
  /** What was reserved or allocated for the arena. */
  readonly #claims: { base: Pointer; bytes: number }[] = [];
  readonly #pageSpan: GrowingInts;
  readonly #pageInfo: GrowingInts;
  #end: Pointer;
  #maxPages: number;
  #coveredPages = 0;
  #bitmapMappedBytes = 0;
  #spansMappedBytes = 0;

  /**
   * Reserves the arena, in an address space of which the heap may have `limitBytes` (Infinity: all of it). Throws if
   * there is no place for it.
   */
  constructor(platform: Platform, space: AddressSpace, stats: Float64Array, limitBytes = Infinity) {
    const { base, bytes, start } = mallocinit(platform, space, limitBytes);
    const hasAside = start - base >= ASIDE_BYTES && space.map(start - ASIDE_BYTES, ASIDE_BYTES);
    if (!space.map(start, 0)) {
      space.free(base, bytes);
      throw new GoThrow("runtime: cannot reserve arena virtual address space");
    }
    this.platform = platform;
    this.wordShift = platform.pointerBytes === 8 ? 3 : 2;
    this.start = start;
    this.#end = base + bytes;
    this.#claims.push({ base, bytes });
    this.#space = space;
    this.#stats = stats;
    this.#window = space.window(start);
    this.#windowEnd = this.#window.base + this.#window.bytes;
    this.memory = new Memory(start, this.#window, 0);
    this.aside = hasAside && this.#window.base <= start - ASIDE_BYTES
      ? new Memory(start - ASIDE_BYTES, this.#window, ASIDE_BYTES)
      : new Memory(0, ownWindow(ASIDE_BYTES), ASIDE_BYTES);
    const maxBytes = Math.max(this.#end - start, MAX_ARENA_32_BYTES);
    const maxPages = Math.floor(maxBytes / PAGE_BYTES);
    this.#maxPages = maxPages;
    this.bitmap = new Bitmap(maxPages, PAGE_BYTES / platform.pointerBytes);
    this.#pageSpan = new GrowingInts(maxPages + 1);
    this.#pageInfo = new GrowingInts(maxPages + 1);
  }

  /** Gives everything back: from here on there is no page, and none to be had. */
  release(): void {
    for (const { base, bytes } of this.#claims) this.#space.free(base, bytes);
    this.usedPages = 0;
    this.heldPages = 0;
    this.#maxPages = 0;
    this.#end = this.start;
    this.memory.use(0);
    this.memory.cover(0);
    this.upperMemory?.cover(0);
  }

  /** The first address behind all that was handed out; Go's arena_used. */
  get used(): Pointer {
    return this.pageAddress(this.usedPages);
  }

  /** The first address behind the reservation that memory is taken from; Go's arena_end. */
  get end(): Pointer {
    return this.#end;
  }

  /** Whether there are pages among the used ones that are not the heap's. */
  get hasHoles(): boolean {
    return this.heldPages < this.usedPages;
  }

  /** The address of `page`. */
  pageAddress(page: number): Pointer {
    return this.start + page * PAGE_BYTES;
  }

  /** Whether `bytes` bytes from the address `p` on are the heap's, holes considered. */
  holds(p: Pointer, bytes: number): boolean {
    if (!this.hasHoles) return p >= this.start && p + bytes <= this.used;
    const first = Math.floor((p - this.start) / PAGE_BYTES);
    const end = Math.ceil((p + bytes - this.start) / PAGE_BYTES);
    if (first < 0 || end > this.usedPages) return false;
    for (let page = first; page < end; page++) {
      if (this.pageInfo[page] === HOLE) return false;
    }
    return true;
  }

  /** The memory that holds the span at the address `p`. */
  memoryAt(p: Pointer): Memory {
    return p < this.#windowEnd ? this.memory : this.upperMemory!;
  }

  /** A view of `bytes` bytes of one span, from the address `p` on. */
  viewAt(p: Pointer, bytes: number): Uint8Array {
    const { u8, base } = this.memoryAt(p);
    return u8.subarray(p - base, p - base + bytes);
  }

  /**
   * Takes `pages` more pages from the system and returns the first, or -1 if there are none; seeds'
   * MHeap_SysAlloc.
   */
  sysAlloc(pages: number): number {
    this.refusal = "";
    if (this.#maxPages === 0) return -1;
    const bytes = pages * PAGE_BYTES;
    if (bytes > this.#end - this.used) this.#extend(bytes);
    if (this.#isAcrossWindows(bytes)) this.#skipTo((this.#windowEnd - this.start) / PAGE_BYTES);
    if (bytes <= this.#end - this.used) return this.#takeReserved(pages);
    // What was reserved whole is all there is.
    if (this.#end - this.start >= MAX_ARENA_32_BYTES) return -1;
    return this.#takeAnywhere(pages);
  }

  /** Reserves room for `bytes` more bytes, behind the end or further up, if the arena may reach so far. */
  #extend(bytes: number): void {
    const size = roundUp(bytes + PAGE_BYTES, EXTENSION_BYTES);
    const maxEnd = this.start + MAX_ARENA_32_BYTES;
    if (this.#end + size > maxEnd) return;
    const p = this.#space.reserve(this.#end, size, this.platform.addressEnd);
    if (p === 0) return;
    if (p === this.#end) {
      this.#end = p + size;
    } else if (p >= this.used && p + size <= maxEnd && this.#isInWindow(p)) {
      // What is left of the old reservation becomes part of the hole.
      this.#end = p + size;
      this.#skipTo(this.#pageBehind(p));
    } else {
      this.#space.free(p, size);
      return;
    }
    this.#claims.push({ base: p, bytes: size });
  }

  /** Whether the next `bytes` bytes do not fit in the first window, with a page of it left, but behind it. */
  #isAcrossWindows(bytes: number): boolean {
    const end = this.#windowEnd;
    return this.used < end && this.used + bytes > end - PAGE_BYTES && end + bytes <= this.#end;
  }

  #takeReserved(pages: number): number {
    const bytes = pages * PAGE_BYTES;
    const first = this.usedPages;
    if (!this.#space.map(this.used, bytes)) return -1;
    if (this.used >= this.#windowEnd && this.#upperWindow === null) {
      this.#upperWindow = this.#space.window(this.used);
      this.upperMemory = new Memory(this.#windowEnd, this.#upperWindow, 0);
    }
    this.#stats[HEAP_SYS] += bytes;
    this.#handOut(first, pages);
    return first;
  }

  /** Asks the system for memory, wherever it is, and takes it if the arena can reach it. */
  #takeAnywhere(pages: number): number {
    const size = (pages + 1) * PAGE_BYTES;
    const p = this.#space.alloc(size, this.platform.addressEnd);
    if (p === 0) return -1;
    const first = this.#pageBehind(p);
    if (first < 0 || p + size - this.start >= MAX_ARENA_32_BYTES || !this.#isInWindow(p)) {
      this.refusal = `runtime: memory allocated by OS (${hex(p)}) not in usable range ` +
        `[${hex(this.start)},${hex(this.start + MAX_ARENA_32_BYTES)})`;
      this.#space.free(p, size);
      return -1;
    }
    this.#claims.push({ base: p, bytes: size });
    this.#stats[HEAP_SYS] += size;
    this.slackBytes += PAGE_BYTES;
    this.#skipTo(first);
    this.#handOut(first, pages);
    this.#end = Math.max(this.#end, p + size);
    return first;
  }

  /** The first page that begins at `p` or behind it: the system's pages may be smaller than ours. */
  #pageBehind(p: Pointer): number {
    const page = Math.ceil((p - this.start) / PAGE_BYTES);
    if (!Number.isInteger(page)) throw new GoThrow("misrounded allocation in MHeap_SysAlloc");
    return page;
  }

  /** Whether the views, which have the window of the arena's start, reach `p`. */
  #isInWindow(p: Pointer): boolean {
    return this.#space.window(p).buffer === this.#window.buffer;
  }

  /** Makes the pages between the last one used and `page` a hole. */
  #skipTo(page: number): void {
    if (page <= this.usedPages) return;
    this.#cover(page);
    this.pageInfo.fill(HOLE, this.usedPages, page);
    this.usedPages = page;
  }

  #handOut(first: number, pages: number): void {
    const end = first + pages;
    this.#cover(end);
    if (end > this.usedPages) {
      this.usedPages = end;
      this.#mapBits();
      this.#mapSpans();
    }
    this.heldPages += pages;
    // Behind the first hole, memory is looked for page by page: see holds().
    if (first * PAGE_BYTES === this.memory.usedBytes) this.memory.use(end * PAGE_BYTES);
  }

  /** The word with index `word`, counted from the arena's start, as an unsigned number. */
  readWord(word: number): number {
    const p = this.start + word * this.platform.pointerBytes;
    const { base, u32 } = this.memoryAt(p);
    const at = (p - base) / 4;
    if (this.platform.pointerBytes === 4) return u32[at];
    return u32[at] + u32[at + 1] * 2 ** 32;
  }

  /** Stores `value`, an unsigned integer, in the word with index `word`, counted from the arena's start. */
  writeWord(word: number, value: number): void {
    const p = this.start + word * this.platform.pointerBytes;
    const { base, u32 } = this.memoryAt(p);
    const at = (p - base) / 4;
    u32[at] = value;
    if (this.platform.pointerBytes === 8) u32[at + 1] = value / 2 ** 32;
  }

  /** Says that a range of pages is not needed until it is used again. */
  unused(page: number, pages: number): void {
    this.#space.unused(this.pageAddress(page), pages * PAGE_BYTES);
  }

  /**
   * Makes the views and tables reach `pages` pages, and as far as the buffers do, which grow in larger steps
   * than the arena.
   */
  #cover(pages: number): void {
    if (pages <= this.#coveredPages) return;
    const { base, bytes, buffer } = this.#window;
    let mapped = pagesOf(Math.min(bytes, buffer.byteLength) - (this.start - base), this.#maxPages);
    this.memory.cover(mapped * PAGE_BYTES);
    if (this.#upperWindow !== null) {
      const below = pagesOf(this.#windowEnd - this.start, this.#maxPages);
      const above = pagesOf(this.#upperWindow.buffer.byteLength, this.#maxPages - below);
      this.upperMemory!.cover(above * PAGE_BYTES);
      mapped = below + above;
    }
    const covered = Math.max(pages, mapped);
    this.bitmap.cover(covered);
    this.#pageSpan.cover(covered + 1);
    this.#pageInfo.cover(covered + 1);
    this.pageSpan = this.#pageSpan.ints;
    this.pageInfo = this.#pageInfo.ints;
    this.#coveredPages = covered;
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

function ownWindow(bytes: number): MemoryWindow {
  return { base: 0, bytes, buffer: new SharedArrayBuffer(bytes) };
}

function pagesOf(bytes: number, maxPages: number): number {
  return Math.min(Math.floor(bytes / PAGE_BYTES), maxPages);
}

function hex(p: Pointer): string {
  return `0x${p.toString(16)}`;
}
