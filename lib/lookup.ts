/**
 * Lookup: which object an address lies in.
 *
 * Any number is a legal question. The answer is an object for the address of any byte of a block, whether
 * the block is in use or free, and null outside the used arena and in pages that are free. It takes the same
 * steps as marking does.
 *
 * @module
 */

import * as arenaTables from "./arena/arena.ts";
import type { Arena } from "./arena/arena.ts";
import type { ObjectPlace } from "./gc/finalizers.ts";
import * as platforms from "./platform/platform.ts";
import type { Pointer } from "./platform/platform.ts";
import * as cacheRecord from "./spans/cache_record.ts";
import type { Cache } from "./spans/cache.ts";
import * as sizeClasses from "./spans/size_classes.ts";
import * as spanRecord from "./spans/span_record.ts";
import type { SpanTable } from "./spans/span_table.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { INFO_CLASS_SHIFT, INFO_PAGE_MASK } = arenaTables;
const { PAGE_BYTES, PAGE_SHIFT } = platforms;
const { LOCAL_LOOKUPS } = cacheRecord;
const { CLASS_TO_BLOCKS, CLASS_TO_SIZE, RECIPROCAL, RECIPROCAL_SHIFT } = sizeClasses;
const { PAGES } = spanRecord;

/** The lookup of one heap. See the head of the module. */
export class Lookup {
  readonly #arena: Arena;
  readonly #spans: SpanTable;
  readonly #cache: Cache;

  constructor(arena: Arena, spans: SpanTable, cache: Cache) {
    this.#arena = arena;
    this.#spans = spans;
    this.#cache = cache;
  }

  /** The object that `p` lies in, as long as it lies below its span's limit; seed B's findObject. */
  findObject(p: Pointer): ObjectPlace | null {
    return this.#find(p, true);
  }

  /** The block that `p` lies in, or would if its span were cut to the end; seed A's mlookup. */
  mlookup(p: Pointer): ObjectPlace | null {
    return this.#find(p, false);
  }

  #find(p: Pointer, belowLimit: boolean): ObjectPlace | null {
    this.#cache.floats[LOCAL_LOOKUPS]++;
    const arena = this.#arena;
    const offset = p - arena.start;
    if (!(offset >= 0 && offset < arena.memory.usedBytes)) return null;
    const page = Math.floor(offset / PAGE_BYTES);
    const info = arena.pageInfo[page];
    if (info < 0) return null;

    const pageInSpan = info & INFO_PAGE_MASK;
    const cls = info >> INFO_CLASS_SHIFT;
    if (cls === 0) return this.#findLarge(page - pageInSpan, offset, belowLimit);
    const inSpan = (pageInSpan << PAGE_SHIFT) + (offset & (PAGE_BYTES - 1));
    const block = Math.imul(inSpan >>> 3, RECIPROCAL[cls]) >>> RECIPROCAL_SHIFT[cls];
    if (belowLimit && block >= CLASS_TO_BLOCKS[cls]) return null;
    const size = CLASS_TO_SIZE[cls];
    return { span: page - pageInSpan, base: p - (inSpan - block * size), size };
  }

  #findLarge(start: number, offset: number, belowLimit: boolean): ObjectPlace | null {
    const span = this.#arena.pageSpan[start];
    const inSpan = offset - start * PAGE_BYTES;
    if (belowLimit && inSpan >= this.#spans.limitBytes(span)) return null;
    const size = this.#spans.ints[span + PAGES] * PAGE_BYTES;
    return { span: start, base: this.#arena.pageAddress(start), size };
  }
}
