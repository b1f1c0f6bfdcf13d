/**
 * A replay over time, in a bounded amount of memory: what the page of `goheap replay --html` draws.
 *
 * How many events a trace has is known at its end only. So everything is taken often in the beginning, and
 * whenever there is too much of it, it is thinned out and taken half as often from then on:
 *
 * ```
 *  samples     every event  ··········   every 2nd  · · · · ·   every 4th  ·   ·   ·      at most 2048
 *  frames      every event  |||||||||    every 2nd  | | | |                               at most 64
 *  marks       every collection          every 2nd ...                                    at most 1024
 * ```
 *
 * Samples are figures of the heap, and are thinned out such that the lowest and the highest of four stay; so a line
 * through those that are left still touches the peaks. Frames are the heap's spans, page by page. Marks are the
 * samples that followed a collection.
 *
 * @module
 */

import type { GoHeap } from "../../go_heap.ts";
import type { Replayer } from "../replayer.ts";
import { type HeapSample, Sampler } from "../sampler.ts";
import { type Frame, takeFrame } from "./frame.ts";

/** The most samples that are kept. */
export const MAX_SAMPLES = 2048;
/** The most frames that are kept. */
export const MAX_FRAMES = 64;
/** The most collections that are kept. */
export const MAX_MARKS = 1024;

/** Watches a replay. */
export class Timeline {
  /** Samples between collections and the last one, in the order of the events. */
  samples: HeapSample[] = [];
  /** Samples after collections, the first of each {@linkcode collectionsPerMark}. */
  marks: HeapSample[] = [];
  /** How many collections a mark stands for. */
  collectionsPerMark = 1;
  /** Frames in the order of the events; the last one is of the end. */
  frames: Frame[] = [];
  readonly #heap: GoHeap;
  readonly #replayer: Replayer;
  readonly #sampler: Sampler;
  #events = 0;
  #eventsPerFrame = 1;
  #collections = 0;

  /** Makes a timeline of what `replayer` does with `heap`, which has done nothing yet. */
  constructor(heap: GoHeap, replayer: Replayer) {
    this.#heap = heap;
    this.#replayer = replayer;
    this.#sampler = new Sampler(heap, {
      intervalEvents: 1,
      live: () => replayer.totals.live,
      take: (sample) => this.#take(sample),
    });
  }

  /** Counts an event. */
  event(): void {
    this.#events++;
    this.#sampler.event();
    if (this.#events % this.#eventsPerFrame === 0) this.#takeFrame();
  }

  /** Takes the end. */
  end(): void {
    this.#sampler.end();
    if (this.frames.at(-1)?.event !== this.#events) this.#takeFrame();
  }

  #take(sample: HeapSample): void {
    if (sample.cause === "collection") return this.#mark(sample);
    // Room is made before, so that the last one stays.
    if (this.samples.length === MAX_SAMPLES) {
      this.samples = lowestAndHighest(this.samples);
      this.#sampler.intervalEvents *= 2;
    }
    this.samples.push(sample);
  }

  #mark(sample: HeapSample): void {
    if (this.#collections++ % this.collectionsPerMark !== 0) return;
    if (this.marks.length === MAX_MARKS) {
      this.marks = this.marks.filter((_, i) => i % 2 === 0);
      this.collectionsPerMark *= 2;
    }
    this.marks.push(sample);
  }

  #takeFrame(): void {
    if (this.frames.length === MAX_FRAMES) {
      this.#eventsPerFrame *= 2;
      // Those that the doubled interval would have taken.
      this.frames = this.frames.filter(({ event }) => event % this.#eventsPerFrame === 0);
    }
    this.frames.push(takeFrame(this.#heap, this.#replayer.totals, this.#events));
  }
}

/** Of each four samples the one with the lowest and the one with the highest HeapAlloc, in their order. */
export function lowestAndHighest(samples: readonly HeapSample[]): HeapSample[] {
  const kept: HeapSample[] = [];
  for (let first = 0; first < samples.length; first += 4) {
    const four = samples.slice(first, first + 4).toSorted((a, b) => a.HeapAlloc - b.HeapAlloc);
    const ends = four.length === 1 ? four : [four[0], four[four.length - 1]];
    kept.push(...ends.toSorted((a, b) => a.event - b.event));
  }
  return kept;
}
