/**
 * The scavenger: pages that nobody has used for five minutes go back to the host.
 *
 * In Go a thread of the system's wakes up every two and a half minutes (in gccgo a goroutine, every minute).
 * Here there is no thread, and a timer would keep the process busy; so the heap looks at its clock when it
 * comes by: at safepoints, at collections, and now and then where pages change hands. If the time has come, a
 * round of scavenging looks through the free spans.
 *
 * ```
 *   0 min      the heap is made
 *   1          a span becomes free
 *   2.5        round 0: it has been free for 1.5 minutes
 *   5          round 1: for 4 minutes
 *   7.5        round 2: for more than 5, so it is released, as far as it was not before; it stays free, and its
 *              pages count in HEAP_RELEASED until they are used again
 * ```
 *
 * FreeOSMemory is a round out of turn, number -1, that releases everything.
 *
 * @module
 */

import type { PageHeap, Timekeeper } from "./page_heap.ts";

const MINUTE_NS = 60e9;

/** How long pages lie unused before they are released, and how often that is looked at. */
export interface ScavengeTimes {
  readonly limitNs: number;
  readonly periodNs: number;
}

/** What Go does. */
export const GO_TIMES: ScavengeTimes = { limitNs: 5 * MINUTE_NS, periodNs: 2.5 * MINUTE_NS };
/** What gccgo does. */
export const GCCGO_TIMES: ScavengeTimes = { limitNs: 5 * MINUTE_NS, periodNs: MINUTE_NS };
/** What Go does with GODEBUG=scavenge=1. */
export const FAST_TIMES: ScavengeTimes = { limitNs: 20e6, periodNs: 10e6 };

/** The number of a round that FreeOSMemory asked for. */
const FORCED_ROUND = -1;

/** The scavenger of one heap. See the head of the module. */
export class Scavenger implements Timekeeper {
  /** Called after each round, with its number and the bytes it released. */
  onRound: ((round: number, releasedBytes: number) => void) | null = null;
  readonly #pageHeap: PageHeap;
  readonly #clock: () => number;
  readonly #times: ScavengeTimes;
  #lastNs: number;
  #rounds = 0;

  constructor(pageHeap: PageHeap, clock: () => number, times: ScavengeTimes) {
    this.#pageHeap = pageHeap;
    this.#clock = clock;
    this.#times = times;
    this.#lastNs = pageHeap.nowNs = clock();
  }

  /** The time on the heap's clock. */
  now(): number {
    return this.#clock();
  }

  /** Time has come to `nowNs`: runs a round if one is due. */
  passed(nowNs: number): void {
    if (nowNs - this.#lastNs <= this.#times.periodNs) return;
    this.#lastNs = nowNs;
    this.#run(this.#rounds++, this.#times.limitNs);
  }

  /** Releases all free pages, however young. */
  force(): void {
    this.#run(FORCED_ROUND, -Infinity);
  }

  #run(round: number, limitNs: number): void {
    const releasedBytes = this.#pageHeap.scavenge(limitNs);
    this.onRound?.(round, releasedBytes);
  }
}
