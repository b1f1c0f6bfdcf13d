/**
 * gctrace: one line a collection, and one or two a round of scavenging, as Go 1.4 prints them with
 * GODEBUG=gctrace=1.
 *
 * ```
 * gc4(1): 0+0+20+0 us, 0 -> 0 MB, 576 (1217-641) objects, 4 goroutines, 32/0/0 sweeps, 0(0) handoff, ...
 *   │  │   │ │ │ │      │    │       │    │    │            │               │  │ │
 *   │  │   │ │ │ bookkeeping │       │    │    frees        goroutines      │  │ spans swept in pauses
 *   │  │   │ │ marking  │    │       │    mallocs                           │  spans swept in the background
 *   │  │   │ last sweep │    │       alive, garbage that is not swept included
 *   │  │   waiting      │    heap now                                       span records
 *   │  marking threads  estimate of the live heap after the last collection
 *   number of this collection
 * ```
 *
 * ```
 * scvg2: 3 MB released                       if anything was, in this round
 * scvg2: inuse: 1, idle: 4, sys: 5, released: 4, consumed: 1 (MB)
 *     │                                                    └ sys less released
 *     number of the round, -1 if FreeOSMemory asked for it
 * ```
 *
 * @module
 */

import { HEAP_IDLE, HEAP_INUSE, HEAP_RELEASED, HEAP_SYS, NUM_GC } from "../arena/stats.ts";
import type { CollectionReport } from "../gc/cycle.ts";
import type { HeapParts } from "./heap_parts.ts";
import { readMemStats } from "./read_mem_stats.ts";

const BYTES_PER_MB = 2 ** 20;

function mb(bytes: number): number {
  return Math.floor(bytes / BYTES_PER_MB);
}

/** The lines for a round of scavenging that has released so many bytes. */
export function scavengeLines(
  stats: Float64Array,
  round: number,
  releasedBytes: number,
): string[] {
  const figures = {
    inuse: stats[HEAP_INUSE],
    idle: stats[HEAP_IDLE],
    sys: stats[HEAP_SYS],
    released: stats[HEAP_RELEASED],
    consumed: stats[HEAP_SYS] - stats[HEAP_RELEASED],
  };
  const shown = Object.entries(figures).map(([name, bytes]) => `${name}: ${mb(bytes)}`).join(", ");
  const released = releasedBytes > 0 ? [`scvg${round}: ${mb(releasedBytes)} MB released`] : [];
  return [...released, `scvg${round}: ${shown} (MB)`];
}

/** The line for a collection that has just marked; `goroutines` is how many there are. */
export function gctraceLine(
  parts: HeapParts,
  report: CollectionReport,
  goroutines: number,
  pauseSweeps: number,
): string {
  const memStats = readMemStats(parts);
  const us = (from: number, to: number) => Math.floor((to - from) / 1000);
  const before = Math.floor((report.triggerBytes * 100) / (parts.pacer.gcPercent + 100));
  const times = [
    us(report.startNs, report.sweepStartNs),
    us(report.sweepStartNs, report.markStartNs),
    us(report.markStartNs, report.markEndNs),
    us(report.markEndNs, report.endNs),
  ].join("+");
  return `gc${parts.stats[NUM_GC]}(1): ${times} us, ${mb(before)} -> ${
    mb(memStats.HeapAlloc)
  } MB, ` +
    `${memStats.HeapObjects} (${memStats.Mallocs}-${memStats.Frees}) objects, ` +
    `${goroutines} goroutines, ${parts.spans.made}/${report.backgroundSweeps}/${pauseSweeps} sweeps, ` +
    `0(0) handoff, 0(0) steal, 0/0/0 yields`;
}
