/**
 * MemStats: what Go's `runtime.ReadMemStats` reports.
 *
 * Only frees are counted as they happen. What was allocated follows from what is there now: each block in
 * use was allocated once and not freed, so
 *
 *     Mallocs = blocks in use + Frees        TotalAlloc = bytes in use + bytes freed
 *
 * Objects in tiny blocks are counted apart and added to both Mallocs and Frees, since they are never freed
 * one by one.
 *
 * @module
 */

import {
  BUCKHASH_SYS,
  GC_SYS,
  HEAP_ALLOC,
  HEAP_IDLE,
  HEAP_INUSE,
  HEAP_RELEASED,
  HEAP_SYS,
  LARGE_FREE_BYTES,
  LARGE_FREES,
  LAST_GC_NS,
  LOOKUPS,
  MCACHE_SYS,
  MSPAN_SYS,
  NUM_GC,
  OTHER_SYS,
  PAUSE_END_NS,
  PAUSE_NS,
  PAUSE_RING,
  PAUSE_TOTAL_NS,
  SMALL_FREES,
  STACKS_SYS,
  sysBytes,
  TINY_ALLOCS,
} from "../arena/stats.ts";
import { goRecordBytes } from "../platform/go_records.ts";
import { PAGE_BYTES } from "../platform/platform.ts";
import { purgeCachedStats } from "../spans/cached_stats.ts";
import { CLASS_TO_SIZE, NUM_SIZE_CLASSES } from "../spans/size_classes.ts";
import { BLOCKS, CLASS, FREE_BLOCKS, IN_USE, PAGES, STATE } from "../spans/span_record.ts";
import type { HeapParts } from "./heap_parts.ts";

/** Go 1.4 reports as many classes, an older table's number, though there are 67. */
const REPORTED_CLASSES = 61;

/** Statistics of one size class. */
export interface SizeClassStats {
  /** Block size, in bytes. */
  readonly Size: number;
  /** Blocks ever allocated. */
  readonly Mallocs: number;
  /** Blocks ever freed. */
  readonly Frees: number;
}

/**
 * The statistics of a heap, as Go 1.4's `runtime.MemStats` has them; sizes in bytes, times in ns.
 *
 * @example Sys is the sum of its parts
 * ```ts
 * import { GoHeap } from "@goheap/goheap";
 * import { assertEquals } from "@std/assert";
 *
 * using heap = new GoHeap();
 * heap.newobject(heap.types.int64);
 * const m = heap.ReadMemStats();
 * assertEquals(
 *   m.Sys,
 *   m.HeapSys + m.StackSys + m.MSpanSys + m.MCacheSys + m.BuckHashSys + m.GCSys + m.OtherSys,
 * );
 * ```
 */
export interface MemStats {
  /** Bytes allocated and not yet freed. */
  readonly Alloc: number;
  /** Bytes ever allocated. */
  readonly TotalAlloc: number;
  /** Bytes obtained from the system: the sum of the Sys figures. */
  readonly Sys: number;
  /** Pointer lookups. */
  readonly Lookups: number;
  /** Objects ever allocated. */
  readonly Mallocs: number;
  /** Objects ever freed. */
  readonly Frees: number;
  /** The same as Alloc. */
  readonly HeapAlloc: number;
  /** Bytes of the arena in use or free. */
  readonly HeapSys: number;
  /** Bytes in free spans. */
  readonly HeapIdle: number;
  /** Bytes in spans that are in use. */
  readonly HeapInuse: number;
  /** Bytes of free spans given back to the host; growable buffers keep them, so this is accounting only. */
  readonly HeapReleased: number;
  /** Objects allocated and not yet freed. */
  readonly HeapObjects: number;
  /** Bytes of stacks taken from the heap: none here. */
  readonly StackInuse: number;
  /** Bytes obtained for stacks: none here. */
  readonly StackSys: number;
  /** Bytes of span records in use, as Go's are large. */
  readonly MSpanInuse: number;
  /** Bytes obtained for span records. */
  readonly MSpanSys: number;
  /** Bytes of threads' caches in use, as Go's are large. */
  readonly MCacheInuse: number;
  /** Bytes obtained for caches. */
  readonly MCacheSys: number;
  /** Bytes of the memory profile's buckets. */
  readonly BuckHashSys: number;
  /** Bytes of the collector: bitmap, queues. */
  readonly GCSys: number;
  /** Everything else. */
  readonly OtherSys: number;
  /** HeapAlloc at which the next collection starts. */
  readonly NextGC: number;
  /** When the last collection ended, in ns since 1970 (exact to some 256 ns). */
  readonly LastGC: number;
  /** Time spent in pauses. */
  readonly PauseTotalNs: number;
  /** Ring of the last 256 pauses; the newest is at [(NumGC + 255) % 256]. */
  readonly PauseNs: readonly number[];
  /** When they ended, in ns since 1970. */
  readonly PauseEnd: readonly number[];
  /** Collections so far. */
  readonly NumGC: number;
  /** Always true. */
  readonly EnableGC: boolean;
  /** Always false. */
  readonly DebugGC: boolean;
  /** By size class; entry 0 is empty, and there are 61, as in Go 1.4. */
  readonly BySize: readonly SizeClassStats[];
}

/** What is in use, counted span by span; the caches must have been given back. */
interface InUse {
  /** Bytes in use. */
  readonly bytes: number;
  /** Blocks in use by class, class 0 for large objects. */
  readonly blocks: readonly number[];
}

/** Counts what is in use. */
function countInUse({ spans }: HeapParts): InUse {
  const { ints } = spans;
  const blocks = new Array<number>(NUM_SIZE_CLASSES).fill(0);
  let bytes = 0;
  for (let i = 0; i < spans.made; i++) {
    const span = spans.handle(i);
    if (ints[span + STATE] !== IN_USE) continue;
    const cls = ints[span + CLASS];
    const count = cls === 0 ? 1 : ints[span + BLOCKS] - ints[span + FREE_BLOCKS];
    blocks[cls] += count;
    bytes += cls === 0 ? ints[span + PAGES] * PAGE_BYTES : count * CLASS_TO_SIZE[cls];
  }
  return { bytes, blocks };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}

/** Flushes the thread's cache and reads the statistics; seeds' updatememstats. */
export function readMemStats(parts: HeapParts): MemStats {
  const { arena, stats, spans, pacer } = parts;
  flushCache(parts);
  const inUse = countInUse(parts);
  stats[HEAP_ALLOC] = inUse.bytes;

  const smallFrees = Array.from(stats.subarray(SMALL_FREES, SMALL_FREES + NUM_SIZE_CLASSES));
  const frees = stats[LARGE_FREES] + sum(smallFrees) + stats[TINY_ALLOCS];
  const mallocs = sum(inUse.blocks) + frees;
  const freedBytes = stats[LARGE_FREE_BYTES] +
    sum(smallFrees.map((count, cls) => count * CLASS_TO_SIZE[cls]));
  pacer.look();
  return {
    Alloc: inUse.bytes,
    TotalAlloc: inUse.bytes + freedBytes,
    Sys: sysBytes(stats),
    Lookups: stats[LOOKUPS],
    Mallocs: mallocs,
    Frees: frees,
    HeapAlloc: inUse.bytes,
    HeapSys: stats[HEAP_SYS],
    HeapIdle: stats[HEAP_IDLE],
    HeapInuse: stats[HEAP_INUSE],
    HeapReleased: stats[HEAP_RELEASED],
    HeapObjects: mallocs - frees,
    StackInuse: 0,
    StackSys: stats[STACKS_SYS],
    MSpanInuse: spans.inuseBytes,
    MSpanSys: stats[MSPAN_SYS],
    // There is one thread.
    MCacheInuse: goRecordBytes(arena.platform).cache,
    MCacheSys: stats[MCACHE_SYS],
    BuckHashSys: stats[BUCKHASH_SYS],
    GCSys: stats[GC_SYS],
    OtherSys: stats[OTHER_SYS],
    NextGC: pacer.nextGC,
    LastGC: stats[LAST_GC_NS],
    PauseTotalNs: stats[PAUSE_TOTAL_NS],
    PauseNs: Array.from(stats.subarray(PAUSE_NS, PAUSE_NS + PAUSE_RING)),
    PauseEnd: Array.from(stats.subarray(PAUSE_END_NS, PAUSE_END_NS + PAUSE_RING)),
    NumGC: stats[NUM_GC],
    EnableGC: true,
    DebugGC: false,
    BySize: Array.from({ length: REPORTED_CLASSES }, (_, cls) => ({
      Size: CLASS_TO_SIZE[cls],
      Mallocs: cls === 0 ? 0 : inUse.blocks[cls] + smallFrees[cls],
      Frees: cls === 0 ? 0 : smallFrees[cls],
    })),
  };
}

/** Gives what the thread's cache holds back to the central lists and adds up its counts. */
function flushCache({ cache, stats }: HeapParts): void {
  cache.releaseAll();
  purgeCachedStats(cache, stats);
}
