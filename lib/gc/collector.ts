/**
 * The collector: when a collection begins, and how much of it is done at a time.
 *
 * ```
 *   mallocgc ── due? ──▶ "malloc": at once                    ┌───────── cycle ──────────┐
 *                        "safepoint": asked for ─▶ turn ends ─▶ slice   slice ...  slice │
 *   safepoint() ─────────────────────────────────────────────▶└──────────────────────────┘
 *   gogc, GC() ──▶ the cycle that is running, to its end, then a whole one
 * ```
 *
 * Under "malloc" a collection that falls due runs inside the allocation that noticed, in one piece, as in the
 * seeds: the object being returned is kept, everything else must be rooted.
 *
 * Under "safepoint" it is only asked for. It runs after the current turn of the event loop, or when the program
 * says `safepoint()`, so that until then a pointer in a local variable is safe; and it runs in slices, each as
 * long as `markBudgetMicros`, with the program going on in between. When it is over, what it found is swept in
 * slices too, once the finalizers had their turns.
 *
 * A program that allocates much between two slices could leave the collection behind for ever. So a slice is
 * longer the more was allocated since the one before, up to some times its budget; and when the heap has
 * become twice as large as it was in the beginning, the collection is finished at once.
 *
 * @module
 */

import { HEAP_ALLOC } from "../arena/stats.ts";
import type { Pointer } from "../platform/platform.ts";
import { Cycle, type CycleParts } from "./cycle.ts";
import type { FinalizerQueue } from "./finalizer_queue.ts";
import type { Finalizers } from "./finalizers.ts";
import { GC_DUE } from "./pacer.ts";
import type { Roots } from "./roots.ts";
import { Slice, UNITS_BEFORE_LOOK, UNITS_BETWEEN_LOOKS } from "./slice.ts";
import { Turn, type TurnWork } from "./turn.ts";
import { Phase } from "./world.ts";

/** When a collection that falls due may run. */
export type CollectPolicy = "safepoint" | "malloc";

/** Allocating so much makes the next slice longer by one budget. */
const ASSIST_BYTES = 2 ** 20;
/** How many budgets a slice may last at most. */
const MAX_BUDGETS = 3;
/** When the heap has become so many times as large as it was, and more, the collection is finished at once. */
const OVERTAKEN = 2;
const OVERTAKEN_BYTES = 4 * 2 ** 20;

/** The collector of one heap. See the head of the module. */
export class Collector implements TurnWork {
  /** Units of work between two looks at the clock; see {@linkcode Slice}. */
  unitsBetweenLooks: number = UNITS_BETWEEN_LOOKS;
  /** The same before the first. */
  unitsBeforeLook: number = UNITS_BEFORE_LOOK;
  /** Whether no collection can start now, where somebody has to say so. */
  isLocked: (() => boolean) | null = null;
  readonly cycle: Cycle;
  readonly #parts: CycleParts;
  readonly #roots: Roots;
  readonly #queue: FinalizerQueue;
  readonly #finalizers: Finalizers;
  /** Whether collections wait for a safepoint, and sweeping goes on between turns. */
  readonly #waits: boolean;
  readonly #inSlices: boolean;
  readonly #budgetNs: number;
  readonly #stress: boolean;
  readonly #turn: Turn;
  #isRequested = false;
  /** Whether the collection that was asked for is to run though it may not be due. */
  #isForced = false;
  /** How large the heap may become before the collection is finished at once. */
  #overtakenAt = 0;
  #heapAtLastSlice = 0;

  constructor(
    parts: CycleParts & {
      roots: Roots;
      queue: FinalizerQueue;
      finalizers: Finalizers;
      policy: CollectPolicy;
      /** Whether a collection that waits for safepoints is done in slices. */
      maySlice: boolean;
      markBudgetMicros: number;
      stress: boolean;
    },
  ) {
    this.#parts = parts;
    this.#roots = parts.roots;
    this.#queue = parts.queue;
    this.#finalizers = parts.finalizers;
    this.#waits = parts.policy === "safepoint";
    this.#inSlices = this.#waits && parts.maySlice;
    this.#budgetNs = parts.markBudgetMicros * 1000;
    this.#stress = parts.stress;
    this.cycle = new Cycle(parts);
    this.#turn = new Turn(this);
    this.#queue.onQueued = () => this.#turn.request();
    if (this.#stress && !this.#waits) parts.cache.attend(GC_DUE);
    parts.world.isEnabled = true;
  }

  /**
   * Collects: 0 if the trigger is reached, 1 in any case, 2 in any case and sweeping everything at once. A
   * collection that is going on in slices is finished first. With GOGC off nothing happens, whatever `force` is,
   * nor for those who may not collect (see world.ts). Seeds' gogc.
   */
  gogc(force: 0 | 1 | 2): void {
    const { pacer } = this.#parts;
    if (!this.#mayCollect) return;
    if (pacer.gcPercent < 0) {
      this.#isRequested = false;
      return;
    }
    if (this.isUnderWay) this.#advance(Slice.whole);
    if (this.#begin(force)) this.#advance(Slice.whole);
  }

  /** An allocation noticed that a collection is due; `p` is the object it returns. */
  collectionDue(p: Pointer): void {
    // It stays due for the one who holds the lock.
    if (this.isLocked?.()) return;
    if (!(this.#stress && !this.#waits)) this.#parts.pacer.lookAway();
    if (this.#waits) {
      if (this.isUnderWay) return;
      this.#isRequested = true;
      this.#turn.request();
      return;
    }
    this.#roots.pinned = p;
    try {
      this.gogc(this.#stress ? 2 : this.#forceNow());
    } finally {
      this.#roots.pinned = 0;
    }
  }

  /** The program says that all it needs is rooted. */
  safepoint(): void {
    const { pageHeap, pacer, clock } = this.#parts;
    if (!this.#mayCollect) return;
    if (this.#stress) {
      this.gogc(2);
      return;
    }
    pageHeap.tick(clock());
    if (!this.isUnderWay) {
      const force = this.#forceNow();
      this.#isRequested = false;
      if (pacer.gcPercent < 0 || (force === 0 && !pacer.isDue) || !this.#begin(force)) return;
    }
    this.#advance(this.#inSlices ? this.#nextSlice() : Slice.whole);
  }

  /** Asks for a collection, due or not, at the next safepoint. */
  request(): void {
    this.#isForced = true;
    this.#isRequested = true;
    this.#turn.request();
  }

  /** Whether a collection was asked for or begun, and is not over yet. */
  get isRequested(): boolean {
    return this.#isRequested || this.isUnderWay;
  }

  /** Whether a collection has begun and is not over yet. */
  get isUnderWay(): boolean {
    return this.#parts.world.phase !== Phase.Off;
  }

  /** After a turn: a slice of the collection that was asked for, else one finalizer, else a slice of sweeping. */
  runTurn(): boolean {
    if (this.isRequested) this.safepoint();
    else if (!this.#queue.isEmpty) this.#finalizers.runOne();
    else if (this.#hasSweeping) this.#sweepInBackground();
    return this.isUnderWay || !this.#queue.isEmpty || this.#hasSweeping;
  }

  /** Sweeps all that the last collection left unswept. */
  finishSweep(): void {
    this.#parts.sweep.advance(Slice.whole);
  }

  /** The heap is gone: nothing runs by itself any more. */
  stop(): void {
    this.#parts.world.isEnabled = false;
    this.#turn.cancel();
    this.#queue.clear();
  }

  get #mayCollect(): boolean {
    return this.#parts.world.mayCollect && !this.isLocked?.();
  }

  /** 1 if there is to be a collection in any case: it was asked for, or it is time. */
  #forceNow(): 0 | 1 {
    const { pacer, clock } = this.#parts;
    return this.#isForced || !pacer.isDue && pacer.isOverdue(clock()) ? 1 : 0;
  }

  /** Begins a collection; false if somebody else's has made it needless. */
  #begin(force: 0 | 1 | 2): boolean {
    const { world, pacer, stats } = this.#parts;
    world.semaphore.lock();
    // Whoever had to wait for the semaphore finds the heap collected.
    if (force === 0 && !pacer.isDue) {
      world.semaphore.unlock();
      return false;
    }
    const heapAtStart = Math.max(stats[HEAP_ALLOC], pacer.nextGC);
    this.#overtakenAt = OVERTAKEN * heapAtStart + OVERTAKEN_BYTES;
    this.#heapAtLastSlice = stats[HEAP_ALLOC];
    this.cycle.begin(force === 2);
    return true;
  }

  #advance(slice: Slice): void {
    const { world, pacer } = this.#parts;
    world.isRunning = true;
    try {
      this.cycle.advance(slice);
    } finally {
      world.isRunning = false;
      if (!this.isUnderWay) world.semaphore.unlock();
    }
    if (this.isUnderWay) {
      this.#turn.request();
      return;
    }
    this.#isRequested = false;
    this.#isForced = false;
    pacer.collected(this.#parts.clock());
    if (!(this.#stress && !this.#waits)) pacer.lookAway();
    pacer.look();
    if (this.#hasSweeping) this.#turn.request();
  }

  #nextSlice(): Slice {
    const { stats } = this.#parts;
    const heapAlloc = stats[HEAP_ALLOC];
    if (heapAlloc >= this.#overtakenAt) return Slice.whole;
    const allocated = Math.max(0, heapAlloc - this.#heapAtLastSlice);
    this.#heapAtLastSlice = heapAlloc;
    const budgets = Math.min(1 + allocated / ASSIST_BYTES, MAX_BUDGETS);
    return this.#sliceOf(budgets * this.#budgetNs);
  }

  #sliceOf(ns: number): Slice {
    const { clock } = this.#parts;
    return new Slice(clock, clock() + ns, this.unitsBeforeLook, this.unitsBetweenLooks);
  }

  /** Whether spans are to be swept between turns. Under "malloc" everything happens inside of calls. */
  get #hasSweeping(): boolean {
    return this.#waits && !this.#parts.sweep.isDone;
  }

  #sweepInBackground(): void {
    this.cycle.backgroundSweeps += this.#parts.sweep.advance(this.#sliceOf(this.#budgetNs));
    this.#parts.pacer.look();
  }
}
