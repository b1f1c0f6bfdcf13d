/**
 * gctrace: one line a collection, as Go 1.4 prints it with GODEBUG=gctrace=1.
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
 * @module
 */

import { NUM_GC } from "../arena/stats.ts";
import type { CollectionReport } from "../gc/collector.ts";
import type { HeapParts } from "./heap_parts.ts";
import { readMemStats } from "./mem_stats.ts";

const BYTES_PER_MB_SHIFT = 2 ** 20;

/** The line for a collection that has just marked; `goroutines` is how many there are. */
export function gctraceLine(
  parts: HeapParts,
  report: CollectionReport,
  goroutines: number,
  pauseSweeps: number,
): string {
  const memStats = readMemStats(parts);
  const us = (from: number, to: number) => Math.floor((to - from) / 1000);
  const mb = (bytes: number) => Math.floor(bytes / BYTES_PER_MB_SHIFT);
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
    `${goroutines} goroutines, ${parts.spans.made}/0/${pauseSweeps} sweeps, ` +
    `0(0) handoff, 0(0) steal, 0/0/0 yields`;
}
