/**
 * Snapshots: the allocator's whole state as plain data, without changing any of it.
 *
 * Pages are counted from the arena's start, blocks from their span's. In a list of blocks three and more
 * that follow each other stand as [first, last].
 *
 * @module
 */

import {
  HEAP_ALLOC,
  HEAP_IDLE,
  HEAP_INUSE,
  HEAP_RELEASED,
  HEAP_SYS,
  LARGE_FREE_BYTES,
  LARGE_FREES,
  NUM_GC,
  SMALL_FREES,
  TINY_ALLOCS,
} from "../arena/stats.ts";
import { NUM_SIZE_CLASSES } from "../spans/size_classes.ts";
import {
  BLOCKS,
  busyList,
  CLASS,
  EMPTY_SPAN,
  emptyList,
  FENCED,
  FREE,
  freeList,
  HEAP_SWEEPGEN,
  IN_CACHE,
  IN_USE,
  MAX_LIST_PAGES,
  NEED_ZERO,
  NEXT,
  nonemptyList,
  PAGES,
  START,
  STATE,
  SWEEP_DONE,
  SWEEPGEN,
} from "../spans/span_record.ts";
import type { SpanTable } from "../spans/span_table.ts";
import type { HeapParts } from "./heap_parts.ts";

/** Numbers in list order; [a, b] stands for all from a to b. */
export type Runs = (number | [number, number])[];

/** Figures of the heap; bytes unless the name says otherwise. */
export interface SnapshotStats {
  /** Bytes allocated, as far as they have been added up. */
  heap_alloc: number;
  /** Bytes this thread allocated, less what it swept, not added up yet. */
  local_cachealloc: number;
  /** The sum of both. */
  heap_alloc_total: number;
  /** Bytes of the arena taken from the system: HeapSys. */
  sys_growth: number;
  /** Bytes in free spans. */
  heap_idle: number;
  /** Bytes in spans that are in use. */
  heap_inuse: number;
  /** Bytes of free spans given back to the host. */
  heap_released: number;
  /** The trigger of the next collection. */
  next_gc: number;
  /** Collections so far. */
  numgc: number;
  /** Objects put into tiny blocks, as far as they have been added up. */
  tinyallocs: number;
  /** Those that have not been. */
  local_tinyallocs: number;
  /** Large objects freed. */
  nlargefree: number;
  /** Bytes of the large objects freed. */
  largefree: number;
  /** Small blocks freed. */
  nsmallfree: number;
  /** 1 if no span is left to be swept. */
  sweepdone: number;
  /** Span records ever made. */
  nspan: number;
  /** Bytes of the records in use, as Go's are large. */
  spanalloc_inuse: number;
}

/** A span that is in use. */
export interface SnapshotInUseSpan {
  /** Its first page. */
  page: number;
  /** Its length. */
  npages: number;
  /** Tells it from a free span. */
  state: "inuse";
  /** Size class, 0 for a large object. */
  cls: number;
  /** Blocks in use; 0 for a large object. */
  ref: number;
  /** The span's sweep generation less the heap's. */
  sweepgen_delta: number;
  /** Whether a thread's cache holds it. */
  incache: boolean;
  /** Blocks on its free list. */
  nfree: number;
  /** Block numbers of the free list; not for large objects. */
  freelist?: Runs;
  /** [offset, kind] of what is attached to its blocks: 1 a finalizer, 2 a profile sample. */
  specials?: [number, number][];
}

/** A span that is free. */
export interface SnapshotFreeSpan {
  /** Its first page. */
  page: number;
  /** Its length. */
  npages: number;
  /** Tells it from a span in use. */
  state: "free";
  /** 1 if the memory was used before. */
  needzero: number;
}

/** A span that held an object of a heap with `debug: "efence=1"`, and is never used again. */
export interface SnapshotFencedSpan {
  /** Its first page. */
  page: number;
  /** Its length. */
  npages: number;
  /** Tells it from the others. */
  state: "fenced";
}

/**
 * The allocator's state: spans in address order, and all lists with the first span's page first.
 *
 * @example One object
 * ```ts
 * import { GoHeap } from "@goheap/goheap";
 * import { assertEquals } from "@std/assert";
 *
 * using heap = new GoHeap();
 * heap.newobject(heap.types.pointer(heap.types.int));
 * const { spans, central } = heap.snapshot();
 * assertEquals(spans.map(({ page, npages, state }) => [page, npages, state]), [
 *   [0, 1, "inuse"],
 *   [1, 127, "free"],
 * ]);
 * assertEquals(central["1"], { nonempty: [], empty: [0], cached: 0 });
 * ```
 */
export interface HeapSnapshot {
  /** Figures of the heap. */
  stats: SnapshotStats;
  /** Bytes of the arena handed to the page heap. */
  arena_used: number;
  /** The current tiny block: bytes from the arena's start to its free part, and how many those are. */
  tiny: { pos: number; left: number } | null;
  /** Spans in address order. */
  spans: (SnapshotInUseSpan | SnapshotFreeSpan | SnapshotFencedSpan)[];
  /** Free spans by length in pages, up to 127. */
  free: Record<string, number[]>;
  /** Free spans of 128 pages and more. */
  freelarge: number[];
  /** Large objects by length in pages, up to 127. */
  busy: Record<string, number[]>;
  /** Large objects of 128 pages and more. */
  busylarge: number[];
  /** By size class. */
  central: Record<string, { nonempty: number[]; empty: number[]; cached: number | null }>;
}

/** Takes a snapshot. */
export function snapshot(parts: HeapParts): HeapSnapshot {
  const { arena, spans, cache } = parts;
  const tiny = cache.tiny;
  return {
    stats: snapshotStats(parts),
    arena_used: arena.used - arena.start,
    tiny: tiny === null || tiny.left === 0
      ? null
      : { pos: tiny.pos - arena.start, left: tiny.left },
    spans: spansByAddress(parts).map((span) => snapshotSpan(parts, span)),
    free: listsByLength(spans, freeList),
    freelarge: startPages(spans, freeList(MAX_LIST_PAGES)),
    busy: listsByLength(spans, busyList),
    busylarge: startPages(spans, busyList(MAX_LIST_PAGES)),
    central: snapshotCentral(parts),
  };
}

/** Handles of the spans that have pages, in address order; what belongs to no span is left out. */
export function spansByAddress({ arena, spans }: HeapParts): number[] {
  const handles: number[] = [];
  for (let page = 0; page < arena.usedPages;) {
    const span = arena.pageSpan[page];
    if (span !== 0) handles.push(span);
    page += Math.max(1, spans.ints[span + PAGES]);
  }
  return handles;
}

/** The free list of a span, whether a cache holds its head or not: block numbers in list order. */
export function freeBlocks({ spans, freeLists, cache }: HeapParts, span: number): number[] {
  const cls = spans.ints[span + CLASS];
  const isCached = cache.spanOf(cls) === span;
  const run = isCached ? cache.runBlocks(cls) : { first: 0, count: 0 };
  return [
    ...Array.from({ length: run.count }, (_, i) => run.first + i),
    ...freeLists.bitmapBlocks(span),
    ...freeLists.chainBlocks(span),
  ];
}

function snapshotStats({ spans, cache, pacer, stats }: HeapParts): SnapshotStats {
  const localCacheAlloc = cache.cacheAlloc;
  let smallFrees = 0;
  for (let cls = 1; cls < NUM_SIZE_CLASSES; cls++) smallFrees += stats[SMALL_FREES + cls];
  return {
    heap_alloc: stats[HEAP_ALLOC],
    local_cachealloc: localCacheAlloc,
    heap_alloc_total: stats[HEAP_ALLOC] + localCacheAlloc,
    sys_growth: stats[HEAP_SYS],
    heap_idle: stats[HEAP_IDLE],
    heap_inuse: stats[HEAP_INUSE],
    heap_released: stats[HEAP_RELEASED],
    next_gc: pacer.nextGC,
    numgc: stats[NUM_GC],
    tinyallocs: stats[TINY_ALLOCS],
    local_tinyallocs: cache.tinyAllocs,
    nlargefree: stats[LARGE_FREES],
    largefree: stats[LARGE_FREE_BYTES],
    nsmallfree: smallFrees,
    sweepdone: spans.sweep[SWEEP_DONE],
    nspan: spans.made,
    spanalloc_inuse: spans.inuseBytes,
  };
}

function snapshotSpan(parts: HeapParts, span: number): HeapSnapshot["spans"][number] {
  const { spans, specials } = parts;
  const { ints } = spans;
  const place = { page: ints[span + START], npages: ints[span + PAGES] };
  if (ints[span + STATE] === FREE) {
    return { ...place, state: "free", needzero: ints[span + NEED_ZERO] };
  }
  if (ints[span + STATE] === FENCED) return { ...place, state: "fenced" };
  if (ints[span + STATE] !== IN_USE) {
    throw new Error(`span at page ${place.page} has state ${ints[span + STATE]}`);
  }

  const cls = ints[span + CLASS];
  const free = cls === 0 ? [] : freeBlocks(parts, span);
  const found: SnapshotInUseSpan = {
    ...place,
    state: "inuse",
    cls,
    ref: cls === 0 ? 0 : ints[span + BLOCKS] - free.length,
    sweepgen_delta: ints[span + SWEEPGEN] - spans.sweep[HEAP_SWEEPGEN],
    incache: ints[span + IN_CACHE] !== 0,
    nfree: free.length,
  };
  if (cls !== 0) found.freelist = toRuns(free);
  if (specials.has(span)) found.specials = specials.list(span).map((s) => [s.offset, s.kind]);
  return found;
}

/** Shortens three and more numbers that follow each other, up or down, to [first, last]. */
function toRuns(numbers: readonly number[]): Runs {
  const runs: Runs = [];
  for (let i = 0; i < numbers.length;) {
    const step = numbers[i + 1] - numbers[i];
    let end = i;
    if (Math.abs(step) === 1) { while (numbers[end + 1] - numbers[end] === step) end++; }
    if (end - i >= 2) {
      runs.push([numbers[i], numbers[end]]);
      i = end + 1;
    } else {
      runs.push(numbers[i++]);
    }
  }
  return runs;
}

function snapshotCentral({ spans, cache }: HeapParts): HeapSnapshot["central"] {
  const central: HeapSnapshot["central"] = {};
  for (let cls = 1; cls < NUM_SIZE_CLASSES; cls++) {
    const nonempty = startPages(spans, nonemptyList(cls));
    const empty = startPages(spans, emptyList(cls));
    if (nonempty.length + empty.length === 0) continue;
    const span = cache.spanOf(cls);
    central[cls] = {
      nonempty,
      empty,
      cached: span === EMPTY_SPAN ? null : spans.ints[span + START],
    };
  }
  return central;
}

function listsByLength(
  spans: SpanTable,
  list: (pages: number) => number,
): Record<string, number[]> {
  const lists: Record<string, number[]> = {};
  for (let pages = 1; pages < MAX_LIST_PAGES; pages++) {
    const found = startPages(spans, list(pages));
    if (found.length > 0) lists[pages] = found;
  }
  return lists;
}

/** First pages of the spans of a list, the head first. */
function startPages({ ints }: SpanTable, list: number): number[] {
  const pages: number[] = [];
  for (let span = ints[list + NEXT]; span !== list; span = ints[span + NEXT]) {
    pages.push(ints[span + START]);
  }
  return pages;
}
