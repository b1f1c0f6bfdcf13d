/**
 * The collector: one collection from beginning to end, and when one may begin.
 *
 * ```
 *   gogc ─▶ finish the last sweep ─▶ mark from the roots ─▶ count, aim ─▶ declare all unswept ─▶ (sweep all)
 *                                                           at the next trigger               if eager
 * ```
 *
 * The world is stopped throughout: nothing else runs while JavaScript is in here.
 *
 * When a collection that falls due may run is the heap's policy. Under "malloc" it runs inside the
 * allocation that noticed, as in the seeds: the object being returned is kept, everything else must be
 * rooted. Under "safepoint" it is only asked for, and runs when the program says `safepoint()`, or by itself
 * after the current event-loop turn, so that until then a pointer in a local variable is safe.
 *
 * @module
 */

import type { Arena } from "../arena/arena.ts";
import type { ProgramImage } from "../arena/program_image.ts";
import {
  LAST_GC_NS,
  NUM_GC,
  PAUSE_END_NS,
  PAUSE_NS,
  PAUSE_RING,
  PAUSE_TOTAL_NS,
} from "../arena/stats.ts";
import type { Pointer } from "../platform/platform.ts";
import type { Cache } from "../spans/cache.ts";
import { purgeCachedStats } from "../spans/cached_stats.ts";
import type { PageHeap } from "../spans/page_heap.ts";
import { CLASS_TO_SIZE } from "../spans/size_classes.ts";
import { CLASS, IN_USE, STATE } from "../spans/span_record.ts";
import type { SpanTable } from "../spans/span_table.ts";
import type { FinalizerQueue } from "./finalizer_queue.ts";
import type { Finalizers } from "./finalizers.ts";
import type { Marker } from "./marker.ts";
import { GC_DUE, type Pacer } from "./pacer.ts";
import type { Roots } from "./roots.ts";
import { KIND_FINALIZER, type Specials } from "./specials.ts";
import type { Sweep } from "./sweep.ts";
import { Turn, type TurnWork } from "./turn.ts";

/** When a collection that falls due may run. */
export type CollectPolicy = "safepoint" | "malloc";

/** The course of a collection, for the trace: times in ns on the heap's clock. */
export interface CollectionReport {
  readonly startNs: number;
  readonly sweepStartNs: number;
  readonly markStartNs: number;
  readonly markEndNs: number;
  readonly endNs: number;
  /** The trigger that was in force. */
  readonly triggerBytes: number;
}

/** The collector of one heap. See the head of the module. */
export class Collector implements TurnWork {
  /** Called when a collection begins. */
  onCollecting: () => void = () => {};
  /** Called after marking, before anything of this collection is swept. */
  onCollected: ((report: CollectionReport) => void) | null = null;
  /** Called before any root is looked at; it may mark and grey more. */
  onMark: (() => void) | null = null;
  /** Whether no collection can start now, where somebody has to say so. */
  isLocked: (() => boolean) | null = null;
  /** Spans swept inside pauses since the last report. */
  pauseSweeps = 0;
  readonly #arena: Arena;
  readonly #spans: SpanTable;
  readonly #image: ProgramImage;
  readonly #pageHeap: PageHeap;
  readonly #cache: Cache;
  readonly #roots: Roots;
  readonly #specials: Specials;
  readonly #queue: FinalizerQueue;
  readonly #finalizers: Finalizers;
  readonly #marker: Marker;
  readonly #sweep: Sweep;
  readonly #pacer: Pacer;
  readonly #stats: Float64Array;
  readonly #clock: () => number;
  readonly #policy: CollectPolicy;
  readonly #stress: boolean;
  readonly #turn: Turn;
  #isCollecting = false;
  #isRequested = false;
  /** Whether the collection that was asked for is to run though it may not be due. */
  #isForced = false;

  constructor(parts: {
    arena: Arena;
    spans: SpanTable;
    image: ProgramImage;
    pageHeap: PageHeap;
    cache: Cache;
    roots: Roots;
    specials: Specials;
    queue: FinalizerQueue;
    finalizers: Finalizers;
    marker: Marker;
    sweep: Sweep;
    pacer: Pacer;
    stats: Float64Array;
    clock: () => number;
    policy: CollectPolicy;
    stress: boolean;
  }) {
    this.#arena = parts.arena;
    this.#spans = parts.spans;
    this.#image = parts.image;
    this.#pageHeap = parts.pageHeap;
    this.#cache = parts.cache;
    this.#roots = parts.roots;
    this.#specials = parts.specials;
    this.#queue = parts.queue;
    this.#finalizers = parts.finalizers;
    this.#marker = parts.marker;
    this.#sweep = parts.sweep;
    this.#pacer = parts.pacer;
    this.#stats = parts.stats;
    this.#clock = parts.clock;
    this.#policy = parts.policy;
    this.#stress = parts.stress;
    this.#turn = new Turn(this);
    this.#queue.onQueued = () => this.#turn.request();
    if (this.#stress && this.#policy === "malloc") this.#cache.attend(GC_DUE);
  }

  /**
   * Collects: 0 if the trigger is reached, 1 in any case, 2 in any case and sweeping everything at once.
   * With GOGC off nothing happens, whatever `force` is. Seeds' gogc.
   */
  gogc(force: 0 | 1 | 2): void {
    if (this.#isCollecting || this.isLocked?.()) return;
    if (this.#pacer.gcPercent < 0) {
      this.#isRequested = false;
      return;
    }
    if (force === 0 && !this.#pacer.isDue) return;
    this.#isCollecting = true;
    const startNs = this.#clock();
    try {
      this.#collect(startNs, force === 2);
    } finally {
      this.#isCollecting = false;
    }
    this.#isRequested = false;
    this.#isForced = false;
    if (!(this.#stress && this.#policy === "malloc")) this.#pacer.lookAway();
    this.#pacer.look();
  }

  /** An allocation noticed that a collection is due; `p` is the object it returns. */
  collectionDue(p: Pointer): void {
    if (this.#policy === "malloc") {
      this.#roots.pinned = p;
      try {
        this.gogc(this.#stress ? 2 : 0);
      } finally {
        this.#roots.pinned = 0;
      }
      return;
    }
    this.#pacer.lookAway();
    this.#isRequested = true;
    this.#turn.request();
  }

  /** The program says that all it needs is rooted. */
  safepoint(): void {
    this.#pageHeap.tick(this.#clock());
    if (this.#stress) this.gogc(2);
    else if (this.#isRequested || this.#pacer.isDue) this.gogc(this.#isForced ? 1 : 0);
  }

  /** Asks for a collection, due or not, at the next safepoint. */
  request(): void {
    this.#isForced = true;
    this.#isRequested = true;
    this.#turn.request();
  }

  /** Whether a collection was asked for and did not run yet. */
  get isRequested(): boolean {
    return this.#isRequested;
  }

  /** After a turn: the collection that was asked for, else one finalizer. */
  runTurn(): boolean {
    if (this.#isRequested) this.safepoint();
    else this.#finalizers.runOne();
    return !this.#queue.isEmpty;
  }

  /** The heap is gone: nothing runs by itself any more. */
  stop(): void {
    this.#turn.cancel();
    this.#queue.clear();
  }

  #collect(startNs: number, eager: boolean): void {
    this.#pageHeap.tick(startNs);
    this.onCollecting();
    const sweepStartNs = this.#clock();
    this.pauseSweeps += this.#sweep.finish();
    this.#cache.clearTiny();
    this.#cache.releaseAll();
    const triggerBytes = this.#pacer.nextGC;
    const markStartNs = this.#clock();
    try {
      this.#mark();
    } catch (error) {
      this.#marker.abandon();
      throw error;
    }
    const markEndNs = this.#clock();

    purgeCachedStats(this.#cache, this.#stats);
    this.#pacer.aim();
    const endNs = this.#clock();
    this.#recordPause(endNs - startNs);
    this.onCollected?.({ startNs, sweepStartNs, markStartNs, markEndNs, endNs, triggerBytes });
    this.#sweep.begin();
    if (eager) this.pauseSweeps += this.#sweep.finish();
  }

  #mark(): void {
    this.onMark?.();
    const { memory } = this.#image;
    for (const { address, type } of this.#roots.globals) {
      this.#marker.greyVariable(memory, address, type);
    }
    this.#queue.forEach((argument) => this.#marker.grey(argument));
    this.#markFromSpecials();
    this.#markFrames();
    this.#roots.forEachReference((p) => this.#marker.grey(p));
    this.#marker.drain();
  }

  /** An object with a finalizer keeps alive what it refers to, though not itself. */
  #markFromSpecials(): void {
    if (this.#specials.count === 0) return;
    const { ints } = this.#spans;
    for (let i = 0; i < this.#spans.made; i++) {
      const span = this.#spans.handle(i);
      if (ints[span + STATE] !== IN_USE || !this.#specials.has(span)) continue;
      const size = CLASS_TO_SIZE[ints[span + CLASS]];
      for (const { offset, kind } of this.#specials.list(span)) {
        if (kind !== KIND_FINALIZER) continue;
        this.#marker.greyReferents(span, size === 0 ? 0 : Math.floor(offset / size));
      }
    }
  }

  #markFrames(): void {
    const slots = this.#roots.stackSlots;
    if (slots === 0) return;
    const { memory } = this.#image;
    const { pointerBytes } = this.#arena.platform;
    const first = (this.#roots.stackBase - memory.base) / 4;
    for (let slot = 0; slot < slots; slot++) {
      const at = first + (slot * pointerBytes) / 4;
      const high = pointerBytes === 8 ? memory.u32[at + 1] : 0;
      this.#marker.grey(memory.u32[at] + high * 2 ** 32);
    }
  }

  #recordPause(pauseNs: number): void {
    const stats = this.#stats;
    const nowNs = Date.now() * 1e6;
    const at = stats[NUM_GC] % PAUSE_RING;
    stats[LAST_GC_NS] = nowNs;
    stats[PAUSE_NS + at] = pauseNs;
    stats[PAUSE_END_NS + at] = nowNs;
    stats[PAUSE_TOTAL_NS] += pauseNs;
    stats[NUM_GC]++;
  }
}
