/**
 * Reading MemStats: seeds' updatememstats.
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
import type { MemStats } from "./mem_stats.ts";

/** Go 1.4 reports as many classes, an older table's number, though there are 67. */
const REPORTED_CLASSES = 61;

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
