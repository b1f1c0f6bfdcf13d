/**
 * One run of `goheap tune`: a recording, done over in a heap with one setting.
 *
 * The heap is looked at after every allocation, since that is when it grows. At its peak,
 *
 * ```
 *   ┌────────────────────────────── peak: spans of objects ──────────────────────────────┐
 *   │ live: what the program had      │ waste: garbage, free blocks, ends of spans, slots │
 *   └─────────────────────────────────┴───────────────────────────────────────────────────┘
 * ```
 *
 * slot waste being what live objects leave of their blocks, which no setting changes.
 *
 * @module
 */

import * as statistics from "../arena/stats.ts";
import { GoPanic, GoThrow } from "../errors.ts";
import { GoHeap, partsOf } from "../go_heap.ts";
import { oneLine } from "./command.ts";
import { HeapBlocks } from "./heap_blocks.ts";
import type { RecordedBlocks } from "./recording.ts";
import { blockBytes } from "./trace_totals.ts";

const { HEAP_INUSE, HEAP_SYS, NUM_GC, PAUSE_TOTAL_NS } = statistics;

/** How a heap is set up for a run. */
export interface TuneSetting {
  readonly platform: string;
  readonly minHeapBytes: number;
  /** GOGC in percent; negative for no collection. */
  readonly gcPercent: number;
}

/** What a run came to; bytes unless the name says otherwise. */
export interface TuneFigures {
  /** The most that spans of objects took at once: the largest HeapInuse. */
  readonly peakBytes: number;
  /** What was live then, by the sizes of the trace. */
  readonly peakLiveBytes: number;
  /** The rest of the peak. */
  readonly wasteBytes: number;
  /** Of the waste, what live objects left of their blocks. */
  readonly slotWasteBytes: number;
  /** The arena taken from the system: HeapSys, which never falls. */
  readonly sysBytes: number;
  readonly collections: number;
  readonly pauseTotalNs: number;
}

/** A run that has ended: its figures, or why there are none. */
export type TuneResult = TuneSetting & (TuneFigures | { readonly error: string });

/** Does one run; what the heap throws becomes the result's `error`. */
export function runTune(recorded: RecordedBlocks, setting: TuneSetting): TuneResult {
  try {
    using heap = new GoHeap({ ...setting, collect: "malloc" });
    return { ...setting, ...drive(recorded, heap) };
  } catch (error) {
    const isExpected = error instanceof GoThrow || error instanceof GoPanic ||
      error instanceof RangeError;
    if (!isExpected) throw error;
    return { ...setting, error: oneLine(error) };
  }
}

function drive({ events, blocks }: RecordedBlocks, heap: GoHeap): TuneFigures {
  const target = new HeapBlocks(heap);
  const { stats } = partsOf(heap);
  const numbers = new Int32Array(blocks);
  const sizes = new Float64Array(blocks);
  const now = { live: 0, slots: 0 };
  const peak = { inuse: 0, live: 0, slots: 0 };
  let made = 0;
  for (const event of events) {
    if (event < 0) {
      const block = -event - 1;
      target.release(numbers[block]);
      now.live -= sizes[block];
      now.slots -= blockBytes(sizes[block]) - sizes[block];
      continue;
    }
    numbers[made] = target.allocate(event);
    sizes[made++] = event;
    now.live += event;
    now.slots += blockBytes(event) - event;
    if (stats[HEAP_INUSE] > peak.inuse) {
      peak.inuse = stats[HEAP_INUSE];
      peak.live = now.live;
      peak.slots = now.slots;
    }
  }
  return {
    peakBytes: peak.inuse,
    peakLiveBytes: peak.live,
    wasteBytes: peak.inuse - peak.live,
    slotWasteBytes: peak.slots,
    sysBytes: stats[HEAP_SYS],
    collections: stats[NUM_GC],
    pauseTotalNs: stats[PAUSE_TOTAL_NS],
  };
}
