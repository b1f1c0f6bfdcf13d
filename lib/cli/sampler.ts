/**
 * A heap's figures over time: a sample after every so many events, and one after each collection.
 *
 * Time is counted in events, not in seconds, so that two replays of a trace can be laid over each other.
 * Nothing in the heap is changed by looking: ReadMemStats takes back what the thread's cache holds, from
 * where the next allocations then come, but a sample adds up what the cache has counted and leaves it there.
 *
 * ```
 * event    HeapAlloc
 *   1000      81,920   interval
 *   1337     131,072   collection    garbage is still counted: it is swept later, span by span
 *   2000      98,304   interval
 *   2048      99,000   end
 * ```
 *
 * One sample is made an event at most: a collection counts before an interval, an interval before the end.
 *
 * @module
 */

import * as statistics from "../arena/stats.ts";
import { type GoHeap, partsOf } from "../go_heap.ts";
import type { HeapParts } from "../inspect/heap_parts.ts";
import { NUM_SIZE_CLASSES } from "../spans/size_classes.ts";
import type { Tally } from "./trace_totals.ts";

const { NUM_GC } = statistics;

/** Why a sample was made: its time had come, a collection had run since the event before, or it is the last. */
export type SampleCause = "interval" | "collection" | "end";

/** A heap at one time; figures by their names in runtime.MemStats, bytes unless the name says otherwise. */
export interface HeapSample {
  /** How many events there had been. */
  readonly event: number;
  readonly cause: SampleCause;
  /** What the sampled program has allocated and not freed, by its own count. */
  readonly liveObjects: number;
  readonly liveBytes: number;
  readonly HeapAlloc: number;
  readonly HeapInuse: number;
  readonly HeapIdle: number;
  readonly HeapSys: number;
  readonly NextGC: number;
  readonly NumGC: number;
  readonly Frees: number;
  readonly PauseTotalNs: number;
}

/** The names of a sample's figures, in the order in which they are printed. */
export const SAMPLE_FIELDS = [
  "event",
  "cause",
  "liveObjects",
  "liveBytes",
  "HeapAlloc",
  "HeapInuse",
  "HeapIdle",
  "HeapSys",
  "NextGC",
  "NumGC",
  "Frees",
  "PauseTotalNs",
] as const satisfies readonly (keyof HeapSample)[];

/** What a {@linkcode Sampler} is told. */
export interface SamplerOptions {
  /** A sample is taken after every so many events, a whole number from 1 on. */
  readonly intervalEvents: number;
  /** What is live by the count of the program that uses the heap. */
  readonly live: () => Tally;
  /** Takes each sample, in the order of the events. */
  readonly take: (sample: HeapSample) => void;
}

/** Samples a heap as events are told to it. */
export class Sampler {
  /** A sample is taken after every so many events; it may be changed between any two. */
  intervalEvents: number;
  readonly #parts: HeapParts;
  readonly #options: SamplerOptions;
  #events = 0;
  #collections: number;
  #sampledAt = -1;

  /** Makes a sampler of `heap` that has been told of no event. */
  constructor(heap: GoHeap, options: SamplerOptions) {
    this.intervalEvents = options.intervalEvents;
    this.#parts = partsOf(heap);
    this.#options = options;
    this.#collections = this.#parts.stats[NUM_GC];
  }

  /** Counts an event, and takes a sample if it is time. */
  event(): void {
    this.#events++;
    const collections = this.#parts.stats[NUM_GC];
    if (collections !== this.#collections) {
      this.#collections = collections;
      this.#sample("collection");
    } else if (this.#events % this.intervalEvents === 0) {
      this.#sample("interval");
    }
  }

  /** Takes the last sample, unless the last event had one. */
  end(): void {
    if (this.#sampledAt !== this.#events) this.#sample("end");
  }

  #sample(cause: SampleCause): void {
    this.#sampledAt = this.#events;
    const { objects: liveObjects, bytes: liveBytes } = this.#options.live();
    const counts = { event: this.#events, cause, liveObjects, liveBytes };
    this.#options.take({ ...counts, ...figures(this.#parts) });
  }
}

/** What is printed above samples in CSV. */
export function csvHeading(): string {
  return SAMPLE_FIELDS.join(",");
}

/** A sample as a line of CSV. */
export function csvLine(sample: HeapSample): string {
  return SAMPLE_FIELDS.map((field) => sample[field]).join(",");
}

function figures({ cache, pacer, stats }: HeapParts) {
  let frees = stats[statistics.LARGE_FREES] + stats[statistics.TINY_ALLOCS] + cache.tinyAllocs;
  for (let cls = 1; cls < NUM_SIZE_CLASSES; cls++) frees += stats[statistics.SMALL_FREES + cls];
  return {
    HeapAlloc: stats[statistics.HEAP_ALLOC] + cache.cacheAlloc,
    HeapInuse: stats[statistics.HEAP_INUSE],
    HeapIdle: stats[statistics.HEAP_IDLE],
    HeapSys: stats[statistics.HEAP_SYS],
    NextGC: pacer.nextGC,
    NumGC: stats[NUM_GC],
    Frees: frees,
    PauseTotalNs: stats[statistics.PAUSE_TOTAL_NS],
  };
}
