/**
 * A frame: what the spans of a heap are like after one event, and what size classes make of them.
 *
 * Each byte of a span in use is one of five things, so that they add up to HeapInuse:
 *
 * ```
 *   a span of 48-byte blocks, 170 of them in one page
 *  ┌──────────────────┬──────┬─────────┬──────────────────┬──────┐
 *  │ live objects     │ slot │ garbage │ free blocks      │ tail │   HeapInuse
 *  └──────────────────┴──────┴─────────┴──────────────────┴──────┘
 *  └──── blocks that are in use ───────┘                            HeapAlloc
 * ```
 *
 * Slot waste is what live objects leave of their blocks, by the sizes in the trace. Garbage are blocks whose object the
 * traced program has freed and this heap has not swept yet. The tail is what is behind the last block of each span.
 *
 * @module
 */

import type { GoHeap } from "../../go_heap.ts";
import type { HeapSnapshot } from "../../inspect/snapshot.ts";
import { PAGE_BYTES } from "../../platform/platform.ts";
import { CLASS_TO_BLOCKS, CLASS_TO_SIZE, NUM_SIZE_CLASSES } from "../../spans/size_classes.ts";
import type { TraceTotals } from "../trace_totals.ts";

/** A size class in a frame; class 0 stands for large objects. Bytes unless the name says otherwise. */
export interface ClassUse {
  readonly class: number;
  readonly spans: number;
  /** Blocks in use: live objects and garbage. */
  readonly objects: number;
  /** Objects that are live by the trace. */
  readonly liveObjects: number;
  readonly liveBytes: number;
  readonly slotWasteBytes: number;
  readonly garbageBytes: number;
  readonly freeBytes: number;
  readonly tailWasteBytes: number;
}

/** What a page is, apart from its class. */
export const PAGE_STATES = ["none", "fresh", "free", "swept", "unswept", "cached"] as const;

/** A span's numbers in `Frame.spans`: where it begins and how long it is, in pages, what it is, how full. */
export const SPAN_FIELDS = 5;

/** A heap after an event; figures by their names in runtime.MemStats, in bytes. */
export interface Frame {
  readonly event: number;
  readonly HeapAlloc: number;
  readonly HeapInuse: number;
  readonly HeapIdle: number;
  readonly HeapSys: number;
  /** Pages of the arena so far. */
  readonly pages: number;
  /** The classes that have a span, in ascending order, large objects last. */
  readonly classes: readonly ClassUse[];
  /** Each span's first page, pages, state (an index of PAGE_STATES), class, and permille of its blocks in use. */
  readonly spans: Int32Array;
}

type Span = HeapSnapshot["spans"][number];

/** Takes a frame of `heap` after `event` events of a trace with these totals. */
export function takeFrame(heap: GoHeap, totals: TraceTotals, event: number): Frame {
  const { stats, spans, arena_used: usedBytes } = heap.snapshot();
  return {
    event,
    HeapAlloc: stats.heap_alloc_total,
    HeapInuse: stats.heap_inuse,
    HeapIdle: stats.heap_idle,
    HeapSys: stats.sys_growth,
    pages: usedBytes / PAGE_BYTES,
    classes: classUses(spans, totals),
    spans: Int32Array.from(spans.flatMap(spanNumbers)),
  };
}

function spanNumbers(span: Span): number[] {
  const place = [span.page, span.npages];
  if (span.state !== "inuse") {
    return [...place, state(span.state === "free" && span.needzero === 0 ? "fresh" : "free"), 0, 0];
  }
  const kind = span.incache ? "cached" : span.sweepgen_delta === 0 ? "swept" : "unswept";
  const blocks = CLASS_TO_BLOCKS[span.cls];
  return [...place, state(kind), span.cls, span.cls === 0 ? 1000 : 1000 * span.ref / blocks];
}

function state(name: (typeof PAGE_STATES)[number]): number {
  return PAGE_STATES.indexOf(name);
}

function classUses(spans: readonly Span[], totals: TraceTotals): ClassUse[] {
  const counts = new Float64Array(NUM_SIZE_CLASSES);
  const pages = new Float64Array(NUM_SIZE_CLASSES);
  const objects = new Float64Array(NUM_SIZE_CLASSES);
  for (const span of spans) {
    if (span.state !== "inuse") continue;
    counts[span.cls]++;
    pages[span.cls] += span.npages;
    objects[span.cls] += span.cls === 0 ? 1 : span.ref;
  }
  const uses = Array.from(counts, (_, cls): ClassUse => {
    const live = totals.byClass.live(cls);
    const slotWasteBytes = totals.slotWasteBytes[cls];
    const spanBytes = pages[cls] * PAGE_BYTES;
    const size = CLASS_TO_SIZE[cls];
    const usedBytes = cls === 0 ? spanBytes : objects[cls] * size;
    const blockBytes = cls === 0 ? spanBytes : counts[cls] * CLASS_TO_BLOCKS[cls] * size;
    return {
      class: cls,
      spans: counts[cls],
      objects: objects[cls],
      liveObjects: live.objects,
      liveBytes: live.bytes,
      slotWasteBytes,
      garbageBytes: usedBytes - live.bytes - slotWasteBytes,
      freeBytes: blockBytes - usedBytes,
      tailWasteBytes: spanBytes - blockBytes,
    };
  });
  const [large, ...small] = uses;
  return [...small, large].filter(({ spans }) => spans > 0);
}
