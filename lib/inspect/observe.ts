/**
 * Statistics over time, for whoever wants to watch a heap.
 *
 * An observer is an async iterator that reads the statistics when it is asked for them, not sooner than
 * `everyMs` after the time before:
 *
 * ```
 *   next()  next()           next()                         next()     the program asks
 *     │       │················│                              │        · waits: the only time with a timer
 *     ▼       ▼                ▼                              ▼
 *   read ─ everyMs ─ read ─ everyMs ─ (missed) ─ everyMs ─  read       a late one gets what is true now
 * ```
 *
 * So it costs nothing where nobody listens: no timer runs while nobody waits, nothing is kept for a program that
 * comes late, and the heap knows only of the observers that wait right now, to end them when it is disposed
 * of. Like all that runs by itself (see gc/turn.ts), the timer does not keep the process alive, and an
 * observer that waits does not hold the heap.
 *
 * @module
 */

import { requireInteger } from "../errors.ts";
import { letProcessEnd } from "../gc/turn.ts";
import type { MemStats } from "./mem_stats.ts";

/** The longest time that a timer takes. */
const MAX_EVERY_MS = 2 ** 31 - 1;

/** How a heap is to be observed. */
export interface ObserveOptions {
  /** Milliseconds from one reading to the next, a whole number from 1 to 2^31 - 1. */
  everyMs: number;
}

/** What is read. */
export interface Observed {
  ReadMemStats(): MemStats;
}

/** The observers of one heap. See the head of the module. */
export class Observers {
  /** Wakes each observer that waits. */
  readonly waiting: Set<() => void> = new Set();
  #hasEnded = false;

  /** Whether the heap is gone. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Makes an observer of `heap`, which these are the observers of. */
  observe(heap: Observed, options: ObserveOptions): Observer {
    return new Observer(this, heap, requireInteger("everyMs", options?.everyMs, 1, MAX_EVERY_MS));
  }

  /** Ends all observers: the heap is gone. */
  end(): void {
    this.#hasEnded = true;
    for (const wake of this.waiting) wake();
  }
}

type Result = IteratorResult<MemStats, undefined>;

/** Statistics of a heap, read again and again. */
class Observer implements AsyncIterableIterator<MemStats, undefined, void> {
  readonly #observers: Observers;
  readonly #heap: WeakRef<Observed>;
  readonly #everyMs: number;
  /** When the next reading is due; the first is at once. */
  #dueAtMs = -Infinity;
  #wake: (() => void) | null = null;
  #hasReturned = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(observers: Observers, heap: Observed, everyMs: number) {
    this.#observers = observers;
    this.#heap = new WeakRef(heap);
    this.#everyMs = everyMs;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next reading; of several that are asked for at once, each waits for the one before. */
  next(): Promise<Result> {
    const result = this.#last.then(() => this.#next());
    this.#last = result.catch(() => {});
    return result;
  }

  /** Ends the observation, also for whoever is waiting. */
  return(): Promise<Result> {
    this.#hasReturned = true;
    this.#wake?.();
    return Promise.resolve({ done: true, value: undefined });
  }

  async #next(): Promise<Result> {
    const leftMs = this.#dueAtMs - performance.now();
    if (leftMs > 0 && !this.#isOver) await this.#wait(leftMs);
    const heap = this.#heap.deref();
    if (this.#isOver || heap === undefined) return { done: true, value: undefined };
    try {
      const value = heap.ReadMemStats();
      this.#dueAtMs = this.#dueAfter(performance.now());
      return { done: false, value };
    } catch (error) {
      this.#hasReturned = true;
      throw error;
    }
  }

  get #isOver(): boolean {
    return this.#hasReturned || this.#observers.hasEnded;
  }

  /** When a reading is due after one at `nowMs`: in step with those before, leaving out what was missed. */
  #dueAfter(nowMs: number): number {
    if (this.#dueAtMs === -Infinity) return nowMs + this.#everyMs;
    const missed = Math.floor(Math.max(0, nowMs - this.#dueAtMs) / this.#everyMs);
    return this.#dueAtMs + (missed + 1) * this.#everyMs;
  }

  /** Waits until the time is over or somebody wakes it. */
  async #wait(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    letProcessEnd(timer);
    this.#wake = resolve;
    this.#observers.waiting.add(resolve);
    await promise;
    this.#observers.waiting.delete(resolve);
    this.#wake = null;
    clearTimeout(timer);
  }
}
