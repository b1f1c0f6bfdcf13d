/**
 * What a replay has to tell at its end, as plain data: what `--json` prints and the report shows.
 *
 * @module
 */

import type { GoHeap } from "../go_heap.ts";
import { PAGE_BYTES } from "../platform/platform.ts";
import { CLASS_TO_BLOCKS, CLASS_TO_SIZE, NUM_SIZE_CLASSES } from "../spans/size_classes.ts";
import type { FaultCounts, Replayer, TraceFormat } from "./replayer.ts";
import type { Tally } from "./trace_totals.ts";

/** One size class after a replay. Class 0 stands for large objects, each in a span of its own. */
export interface ClassSummary {
  readonly class: number;
  /** Block size; 0 for large objects. */
  readonly sizeBytes: number;
  readonly allocatedObjects: number;
  readonly liveObjects: number;
  /** Spans in use at the end, and their bytes. */
  readonly spans: number;
  readonly spanBytes: number;
  /** What live objects leave unused of their blocks, by the sizes of the trace. */
  readonly slotWasteBytes: number;
  /** What is left behind the last block of each span. */
  readonly tailWasteBytes: number;
}

/** One type after a replay. */
export interface TypeSummary {
  /** The type's name; null for memory that was allocated without a type. */
  readonly name: string | null;
  readonly allocated: Tally;
  readonly live: Tally;
}

/** Where a replay's input came from and how its heap was set up. */
export interface ReplaySetting {
  readonly trace: string;
  readonly platform: string;
  /** GOGC in percent; negative if there was no automatic collection. */
  readonly gcPercent: number;
}

/** All that a replay tells. */
export interface ReplaySummary extends ReplaySetting {
  readonly format: TraceFormat;
  readonly lines: number;
  readonly allocated: Tally;
  readonly freed: Tally;
  readonly live: Tally;
  readonly peak: Tally;
  readonly faults: FaultCounts;
  /** The heap's own figures, by their names in runtime.MemStats. */
  readonly memStats: {
    readonly HeapAlloc: number;
    readonly HeapInuse: number;
    readonly HeapIdle: number;
    readonly HeapSys: number;
    readonly Mallocs: number;
    readonly Frees: number;
    readonly NumGC: number;
    readonly PauseTotalNs: number;
  };
  /** How often the traced program collected. */
  readonly traceCollections: number;
  /** The classes that had an object, in ascending order, large objects last. */
  readonly sizeClasses: readonly ClassSummary[];
  readonly slotWasteBytes: number;
  readonly tailWasteBytes: number;
  /** Every type, the one with most bytes first. */
  readonly types: readonly TypeSummary[];
}

/** Sums up a replay that has ended, of a trace of `lines` lines. */
export function summarize(
  heap: GoHeap,
  replayer: Replayer,
  setting: ReplaySetting,
  lines: number,
): ReplaySummary {
  const { totals, faults } = replayer;
  const sizeClasses = classSummaries(heap, replayer);
  return {
    ...setting,
    format: replayer.format,
    lines,
    allocated: totals.allocated,
    freed: totals.freed,
    live: totals.live,
    peak: totals.peak,
    faults,
    memStats: chosenStats(heap),
    traceCollections: totals.collections,
    sizeClasses,
    slotWasteBytes: sizeClasses.reduce((sum, c) => sum + c.slotWasteBytes, 0),
    tailWasteBytes: sizeClasses.reduce((sum, c) => sum + c.tailWasteBytes, 0),
    types: typeSummaries(replayer),
  };
}

function chosenStats(heap: GoHeap): ReplaySummary["memStats"] {
  const stats = heap.ReadMemStats();
  return {
    HeapAlloc: stats.HeapAlloc,
    HeapInuse: stats.HeapInuse,
    HeapIdle: stats.HeapIdle,
    HeapSys: stats.HeapSys,
    Mallocs: stats.Mallocs,
    Frees: stats.Frees,
    NumGC: stats.NumGC,
    PauseTotalNs: stats.PauseTotalNs,
  };
}

function classSummaries(heap: GoHeap, { totals }: Replayer): ClassSummary[] {
  const spans = new Int32Array(NUM_SIZE_CLASSES);
  const spanPages = new Float64Array(NUM_SIZE_CLASSES);
  for (const span of heap.snapshot().spans) {
    if (span.state !== "inuse") continue;
    spans[span.cls]++;
    spanPages[span.cls] += span.npages;
  }
  const summaries = Array.from(spans, (count, cls): ClassSummary => {
    const spanBytes = spanPages[cls] * PAGE_BYTES;
    return {
      class: cls,
      sizeBytes: CLASS_TO_SIZE[cls],
      allocatedObjects: totals.byClass.allocated(cls).objects,
      liveObjects: totals.byClass.live(cls).objects,
      spans: count,
      spanBytes,
      slotWasteBytes: totals.slotWasteBytes[cls],
      tailWasteBytes: cls === 0 ? 0 : spanBytes - count * CLASS_TO_BLOCKS[cls] * CLASS_TO_SIZE[cls],
    };
  });
  const [large, ...small] = summaries;
  return [...small, large].filter((c) => c.allocatedObjects > 0);
}

function typeSummaries({ totals, types }: Replayer): TypeSummary[] {
  return types.names
    .map((name, number) => ({
      name: number === 0 ? null : name,
      allocated: totals.byType.allocated(number),
      live: totals.byType.live(number),
    }))
    .filter((type) => type.allocated.objects > 0)
    .sort((a, b) => b.allocated.bytes - a.allocated.bytes || order(a.name ?? "", b.name ?? ""));
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
