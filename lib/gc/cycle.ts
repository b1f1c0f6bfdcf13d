/**
 * One collection, from its beginning to its end, phase by phase. See world.ts for the phases.
 *
 * ```
 *   quiesce           what the last collection left unswept is swept
 *   stw               the caches give back their blocks, pools are cleared, the write barrier goes on
 *   scan              roots ─▶ grey                          may stop between any two pieces of work
 *   mark              grey ─▶ black, until nothing is grey   and go on in another slice
 *   mark termination  caches, pools; the collection is counted, the next one aimed at; the barrier goes off
 *   sweep             every span is declared unswept; an eager collection sweeps them all
 * ```
 *
 * With gctrace=2 all this is done twice. With check marks on, a second marking follows mark termination, and the
 * collection counts for two, as in the seeds.
 *
 * A collection in one piece takes the same way as one in slices: between its slices no program runs, that is all.
 * Its pause is the time that the program was stopped for it, over all slices.
 *
 * If marking finds a pointer that cannot be one, or if a function of the user's throws, the collection is given up:
 * all marks are taken back, and nothing is swept.
 *
 * @module
 */

import {
  LAST_GC_NS,
  NUM_GC,
  PAUSE_END_NS,
  PAUSE_NS,
  PAUSE_RING,
  PAUSE_TOTAL_NS,
} from "../arena/stats.ts";
import type { Cache } from "../spans/cache.ts";
import { purgeCachedStats } from "../spans/cached_stats.ts";
import type { PageHeap } from "../spans/page_heap.ts";
import type { CheckMark } from "./check_mark.ts";
import type { Marker } from "./marker.ts";
import type { Pacer } from "./pacer.ts";
import type { RootScan } from "./root_scan.ts";
import { Slice } from "./slice.ts";
import type { Sweep } from "./sweep.ts";
import { Phase, type World } from "./world.ts";
import type { WriteBarrier } from "./write_barrier.ts";

/** The course of a collection, for the trace: times in ns, as if the program had stopped from end to end. */
export interface CollectionReport {
  readonly startNs: number;
  readonly sweepStartNs: number;
  readonly markStartNs: number;
  readonly markEndNs: number;
  readonly endNs: number;
  /** The trigger that was in force. */
  readonly triggerBytes: number;
  /** Spans swept between turns of the event loop since the last report. */
  readonly backgroundSweeps: number;
}

/** What a cycle works on. */
export interface CycleParts {
  readonly world: World;
  readonly pageHeap: PageHeap;
  readonly cache: Cache;
  readonly rootScan: RootScan;
  readonly marker: Marker;
  readonly barrier: WriteBarrier;
  readonly checkMark: CheckMark;
  readonly sweep: Sweep;
  readonly pacer: Pacer;
  readonly stats: Float64Array;
  readonly clock: () => number;
  /** How often each collection is done: 2 with gctrace=2. */
  readonly passes: number;
}

/** The collections of one heap, one after another. See the head of the module. */
export class Cycle {
  /** Called when a collection begins. */
  onCollecting: () => void = () => {};
  /** Called after marking, before anything of this collection is swept. */
  onCollected: ((report: CollectionReport) => void) | null = null;
  /** Called at the very end; everything is swept then if it was an eager one. */
  onEnd: (isEager: boolean) => void = () => {};
  /** Spans swept inside pauses since the last report. */
  pauseSweeps = 0;
  /** Spans swept between turns since then. */
  backgroundSweeps = 0;
  /** Called whenever a collection begins: caches drop what they hold. Seeds' clearpools. */
  readonly pools: (() => void)[] = [];
  readonly #parts: CycleParts;
  /** Time spent in each phase of this pass. */
  readonly #phaseNs = new Float64Array(Phase.Sweep + 1);
  #startNs = 0;
  /** When the clock was last looked at. */
  #nowNs = 0;
  #slices = 0;
  #isEager = false;
  #passesLeft = 0;

  constructor(parts: CycleParts) {
    this.#parts = parts;
  }

  /** Begins a collection, which sweeps everything if it is to be `eager`. */
  begin(isEager: boolean): void {
    this.#isEager = isEager;
    this.#passesLeft = this.#parts.passes;
    this.#parts.world.phase = Phase.Quiesce;
    this.#beginPass();
  }

  /** Goes on within `slice`, or until the collection is over and the phase is off again. */
  advance(slice: Slice): void {
    this.#slices++;
    this.#nowNs = this.#parts.clock();
    this.#parts.pageHeap.tick(this.#nowNs);
    if (this.#slices === 1) {
      this.#startNs = this.#nowNs;
      this.onCollecting();
    }
    try {
      while (this.#step(slice));
    } catch (error) {
      this.#giveUp();
      throw error;
    }
    this.#noteTime();
  }

  #beginPass(): void {
    this.#phaseNs.fill(0);
    this.#slices = 0;
  }

  /** Does what is to be done in this phase; false if the slice or the collection is over. */
  #step(slice: Slice): boolean {
    const { world, sweep, rootScan, marker } = this.#parts;
    switch (world.phase) {
      case Phase.Quiesce:
        this.pauseSweeps += sweep.advance(slice);
        if (!sweep.isDone) return false;
        this.#enter(Phase.StopTheWorld);
        return true;
      case Phase.StopTheWorld:
        this.#stopTheWorld();
        this.#enter(Phase.Scan);
        return true;
      case Phase.Scan:
        if (!rootScan.advance(slice)) return false;
        this.#enter(Phase.Mark);
        return true;
      case Phase.Mark:
        if (!marker.advance(slice)) return false;
        this.#enter(Phase.MarkTermination);
        return true;
      case Phase.MarkTermination:
        this.#terminateMark();
        this.#enter(Phase.Sweep);
        return true;
      case Phase.Sweep:
        if (this.#isEager) this.pauseSweeps += sweep.advance(Slice.whole);
        this.onEnd(this.#isEager);
        this.#passesLeft--;
        this.#enter(this.#passesLeft > 0 ? Phase.Quiesce : Phase.Off);
        if (this.#passesLeft > 0) this.#beginSecondPass();
        return this.#passesLeft > 0;
      default:
        return false;
    }
  }

  #beginSecondPass(): void {
    this.#beginPass();
    this.#slices = 1;
    this.#startNs = this.#nowNs;
    this.onCollecting();
  }

  #stopTheWorld(): void {
    const { cache, barrier, rootScan } = this.#parts;
    cache.clearTiny();
    cache.releaseAll();
    for (const clear of this.pools) clear();
    barrier.install();
    rootScan.begin();
  }

  #terminateMark(): void {
    const { cache, barrier, marker, checkMark, sweep } = this.#parts;
    if (this.#slices > 1) {
      // The tiny block stays: it was taken since marking began, and is marked.
      cache.releaseAll();
      for (const clear of this.pools) clear();
    }
    // The pools may have stored something.
    marker.advance(Slice.whole);
    this.#count();
    if (checkMark.isEnabled) {
      checkMark.check();
      this.#count();
    }
    barrier.remove();
    sweep.begin();
  }

  /** Adds up what the threads counted, aims at the next collection, and records this one. */
  #count(): void {
    const { cache, pacer, stats } = this.#parts;
    const triggerBytes = pacer.nextGC;
    purgeCachedStats(cache, stats);
    pacer.aim();
    this.#noteTime();
    this.#recordPause();
    this.onCollected?.(this.#report(triggerBytes));
    this.pauseSweeps = this.backgroundSweeps = 0;
  }

  #recordPause(): void {
    const { stats } = this.#parts;
    const pauseNs = this.#phaseNs.reduce((sum, ns) => sum + ns);
    const nowNs = Date.now() * 1e6;
    const at = stats[NUM_GC] % PAUSE_RING;
    stats[LAST_GC_NS] = nowNs;
    stats[PAUSE_NS + at] = pauseNs;
    stats[PAUSE_END_NS + at] = nowNs;
    stats[PAUSE_TOTAL_NS] += pauseNs;
    stats[NUM_GC]++;
  }

  #report(triggerBytes: number): CollectionReport {
    const ns = this.#phaseNs;
    const sweepStartNs = this.#startNs;
    const markStartNs = sweepStartNs + ns[Phase.Quiesce] + ns[Phase.StopTheWorld];
    const markEndNs = markStartNs + ns[Phase.Scan] + ns[Phase.Mark];
    const endNs = markEndNs + ns[Phase.MarkTermination];
    const { backgroundSweeps } = this;
    return {
      startNs: this.#startNs,
      sweepStartNs,
      markStartNs,
      markEndNs,
      endNs,
      triggerBytes,
      backgroundSweeps,
    };
  }

  /** How long each phase took is for those who want a report; the sum is the same. A look at the clock takes 0.3 us. */
  #enter(phase: Phase): void {
    if (this.onCollected !== null) this.#noteTime();
    this.#parts.world.phase = phase;
  }

  /** Books the time since the last look at the clock under the phase that is about to end or to pause. */
  #noteTime(): void {
    const { world, clock } = this.#parts;
    const nowNs = clock();
    this.#phaseNs[world.phase] += nowNs - this.#nowNs;
    this.#nowNs = nowNs;
  }

  /** Ends the collection as if it had not begun. What was swept of the last one stays swept. */
  #giveUp(): void {
    const { world, marker, barrier } = this.#parts;
    if (world.isMarking || world.phase === Phase.StopTheWorld) {
      marker.abandon();
      barrier.remove();
    }
    world.phase = Phase.Off;
  }
}
