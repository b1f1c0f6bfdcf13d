/**
 * Lookup: which object an address lies in.
 *
 * Any number is a legal question. The answer is an object for the address of any byte of a block, whether
 * the block is in use or free, and null for all others:
 *
 * ```
 *   │ free pages │ block 0 │ block 1 │ ... │ block n - 1 │ slack │ large object      │ slack │ not used yet
 *     null         object    object          object        null    object              null    null
 *                                                          └ the span's limit          └ the limit: what was
 *                                                                                        asked for
 * ```
 *
 * So one past the end of a block is the next block, and one past the last is nothing. Both seeds look at the limit,
 * findObject itself and mlookup in what it calls; they differ in name only. The steps are those of marking.
 *
 * Lookups are counted by thread. Go counts in words, and on 32-bit platforms adds them up before they overflow.
 *
 * @module
 */

import * as arenaTables from "./arena/arena.ts";
import type { Arena } from "./arena/arena.ts";
import type { ObjectFinder, ObjectPlace } from "./gc/finalizer_rules.ts";
import type { Pacer } from "./gc/pacer.ts";
import * as platforms from "./platform/platform.ts";
import type { Pointer } from "./platform/platform.ts";
import * as cacheRecord from "./spans/cache_record.ts";
import type { Cache } from "./spans/cache.ts";
import { purgeCachedStats } from "./spans/cached_stats.ts";
import * as sizeClasses from "./spans/size_classes.ts";
import * as spanRecord from "./spans/span_record.ts";
import type { SpanTable } from "./spans/span_table.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { INFO_CLASS_SHIFT, INFO_PAGE_MASK } = arenaTables;
const { PAGE_BYTES, PAGE_SHIFT } = platforms;
const { LOCAL_LOOKUPS } = cacheRecord;
const { CLASS_TO_BLOCKS, CLASS_TO_SIZE, RECIPROCAL, RECIPROCAL_SHIFT } = sizeClasses;
const { CLASS, PAGES, START } = spanRecord;

/** After so many lookups a 32-bit platform adds up what its threads have counted. */
const MAX_SHORT_LOOKUPS = 2 ** 30;

/** The lookup of one heap. See the head of the module. */
export class Lookup implements ObjectFinder {
  inSpan = 0;
  inBlock = 0;
  readonly #arena: Arena;
  readonly #spans: SpanTable;
  readonly #cache: Cache;
  readonly #stats: Float64Array;
  readonly #pacer: Pacer;
  readonly #maxLocalLookups: number;

  constructor(
    arena: Arena,
    spans: SpanTable,
    cache: Cache,
    stats: Float64Array,
    pacer: Pacer,
    pointerBytes: number,
  ) {
    this.#arena = arena;
    this.#spans = spans;
    this.#cache = cache;
    this.#stats = stats;
    this.#pacer = pacer;
    this.#maxLocalLookups = pointerBytes === 4 ? MAX_SHORT_LOOKUPS : Infinity;
  }

  find(p: Pointer): number {
    const offset = p - this.#arena.start;
    const at = offset >>> 0;
    // In the first 4 GiB all is done in integers.
    return at === offset
      ? this.#findAt(at >>> PAGE_SHIFT, at & (PAGE_BYTES - 1))
      : this.#findFar(offset);
  }

  #findFar(offset: number): number {
    const page = Math.floor(offset / PAGE_BYTES);
    if (!(page >= 0 && page < this.#arena.usedPages) || !Number.isInteger(offset)) return 0;
    return this.#findAt(page, (offset % PAGE_BYTES) | 0);
  }

  #findAt(page: number, inPage: number): number {
    const arena = this.#arena;
    if (page >= arena.usedPages) return 0;
    const info = arena.pageInfo[page];
    const cls = info >> INFO_CLASS_SHIFT;
    if (cls <= 0) return 0;
    const inSpan = ((info & INFO_PAGE_MASK) << PAGE_SHIFT) + inPage;
    const block = Math.imul(inSpan >>> 3, RECIPROCAL[cls]) >>> RECIPROCAL_SHIFT[cls];
    if (block >= CLASS_TO_BLOCKS[cls]) return 0;
    this.inSpan = inSpan;
    this.inBlock = inSpan - Math.imul(block, CLASS_TO_SIZE[cls]);
    return arena.pageSpan[page];
  }

  count(): void {
    if (++this.#cache.floats[LOCAL_LOOKUPS] < this.#maxLocalLookups) return;
    purgeCachedStats(this.#cache, this.#stats);
    this.#pacer.look();
  }

  /** Seed B's findObject, seed A's mlookup. */
  findObject(p: Pointer): ObjectPlace | null {
    this.count();
    const span = this.find(p);
    if (span === 0) return this.#findLarge(p);
    const { ints } = this.#spans;
    return {
      span: ints[span + START],
      base: p - this.inBlock,
      size: CLASS_TO_SIZE[ints[span + CLASS]],
    };
  }

  #findLarge(p: Pointer): ObjectPlace | null {
    const arena = this.#arena;
    const page = Math.floor((p - arena.start) / PAGE_BYTES);
    if (!(page >= 0 && page < arena.usedPages)) return null;
    const info = arena.pageInfo[page];
    if (info >> INFO_CLASS_SHIFT !== 0) return null;
    const start = page - info;
    const span = arena.pageSpan[start];
    const base = arena.pageAddress(start);
    if (p - base >= this.#spans.limitBytes(span)) return null;
    return { span: start, base, size: this.#spans.ints[span + PAGES] * PAGE_BYTES };
  }
}
