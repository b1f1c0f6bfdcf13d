/**
 * Lookup: which object an address lies in.
 *
 * Any number is a legal question. The answer is an object for the address of any byte of a block, whether
 * the block is in use or free, and null outside the used arena and in pages that are free.
 *
 * @module
 */

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
const { PAGE_BYTES } = platforms;
const { LOCAL_LOOKUPS } = cacheRecord;
const { CLASS_TO_SIZE } = sizeClasses;
const { CLASS, IN_USE, PAGES, START, STATE } = spanRecord;

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
    const span = this.#spanOf(p);
    if (span === 0) return null;
    const offset = p - this.#arena.pageAddress(this.#spans.ints[span + START]);
    return offset < this.#spans.limitBytes(span) ? this.#place(span, offset) : null;
  }

  /** The block that `p` lies in, or would if its span were cut to the end; seed A's mlookup. */
  mlookup(p: Pointer): ObjectPlace | null {
    const span = this.#spanOf(p);
    if (span === 0) return null;
    return this.#place(span, p - this.#arena.pageAddress(this.#spans.ints[span + START]));
  }

  #spanOf(p: Pointer): number {
    this.#cache.floats[LOCAL_LOOKUPS]++;
    const page = this.#arena.pageOf(p);
    if (page < 0) return 0;
    const { ints } = this.#spans;
    const span = this.#arena.pageSpan[page];
    // In a free span the entries between the first and the last page are stale.
    return span !== 0 && ints[span + STATE] === IN_USE &&
        page - ints[span + START] < ints[span + PAGES] &&
        page >= ints[span + START]
      ? span
      : 0;
  }

  #place(span: number, offset: number): ObjectPlace {
    const { ints } = this.#spans;
    const start = this.#arena.pageAddress(ints[span + START]);
    if (ints[span + CLASS] === 0) {
      return { span: ints[span + START], base: start, size: ints[span + PAGES] * PAGE_BYTES };
    }
    const size = CLASS_TO_SIZE[ints[span + CLASS]];
    return { span: ints[span + START], base: start + Math.floor(offset / size) * size, size };
  }
}
