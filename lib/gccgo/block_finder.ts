/**
 * From an address to the block it lies in, under gccgo's rules.
 *
 * The steps are those of marking (see gc/marker.ts), and the answer is left in fields, so that asking makes no
 * object: it is read at once and never kept.
 *
 * @module
 */

import * as arenaTables from "../arena/arena.ts";
import type { Arena } from "../arena/arena.ts";
import * as platforms from "../platform/platform.ts";
import type { Pointer } from "../platform/platform.ts";
import type { Cache } from "../spans/cache.ts";
import type { FreeLists } from "../spans/free_list.ts";
import * as sizeClasses from "../spans/size_classes.ts";
import * as spanRecord from "../spans/span_record.ts";
import type { SpanTable } from "../spans/span_table.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { INFO_CLASS_SHIFT, INFO_PAGE_MASK } = arenaTables;
const { PAGE_BYTES } = platforms;
const { CLASS_TO_SIZE, RECIPROCAL, RECIPROCAL_SHIFT } = sizeClasses;
const { PAGES } = spanRecord;

/** Finds blocks. See the head of the module. */
export class BlockFinder {
  /** The span of the block that was found last. */
  span = 0;
  /** The span's first page. */
  start = 0;
  /** The span's class, 0 for a large object. */
  cls = 0;
  /** The number of the block in its span. */
  block = 0;
  /** The bytes of the block. */
  bytes = 0;
  /** How many of them objects may lie in: of a large one what was asked for. */
  usableBytes = 0;
  /** Bytes from the block's start to the address that was asked for. */
  offset = 0;
  readonly #arena: Arena;
  readonly #spans: SpanTable;

  constructor(arena: Arena, spans: SpanTable) {
    this.#arena = arena;
    this.#spans = spans;
  }

  /** Finds the block at `p`; false if `p` lies in no span in use, or at or above its limit. */
  find(p: Pointer): boolean {
    const arena = this.#arena;
    const offset = p - arena.start;
    const page = Math.floor(offset / PAGE_BYTES);
    if (!(page >= 0 && page < arena.usedPages)) return false;
    const info = arena.pageInfo[page];
    if (info < 0) return false;
    const pageInSpan = info & INFO_PAGE_MASK;
    const span = arena.pageSpan[page];
    const inSpan = pageInSpan * PAGE_BYTES + (offset & (PAGE_BYTES - 1));
    const limit = this.#spans.limitBytes(span);
    if (inSpan >= limit) return false;
    this.span = span;
    this.start = page - pageInSpan;
    this.cls = info >> INFO_CLASS_SHIFT;
    if (this.cls === 0) {
      this.block = 0;
      this.bytes = this.#spans.ints[span + PAGES] * PAGE_BYTES;
      this.usableBytes = limit;
      this.offset = inSpan;
    } else {
      this.block = Math.imul(inSpan >>> 3, RECIPROCAL[this.cls]) >>> RECIPROCAL_SHIFT[this.cls];
      this.bytes = CLASS_TO_SIZE[this.cls];
      this.usableBytes = this.bytes;
      this.offset = inSpan - this.block * this.bytes;
    }
    return true;
  }

  /** Whether the block that was found last is handed out: on no free list, nor in the cache's run. */
  isAllocated(freeLists: FreeLists, cache: Cache): boolean {
    if (this.cls === 0) return true;
    if (cache.spanOf(this.cls) === this.span) {
      const { first, count } = cache.runBlocks(this.cls);
      if (this.block >= first && this.block < first + count) return false;
    }
    return freeLists.firstFrom(this.span, this.block) !== this.block + 1 &&
      !freeLists.chainBlocks(this.span).includes(this.block);
  }
}
