/**
 * The world: in which phase of a collection the heap is, and who may begin one.
 *
 * ```
 *   int32   │ PHASE │ ENABLED │ RUNNING │
 *
 *   off ─▶ quiesce ─▶ stw ─▶ scan ─▶ mark ─▶ mark termination ─▶ sweep ─▶ off
 *          sweep what the       roots   the rest    count, aim        eager collections,
 *          last one left                            at the trigger    and a second pass
 *          ├──── the program may run between slices ────┤
 *                               ├── write barrier on ───┤
 * ```
 *
 * Whoever collects has the semaphore, from quiesce to off, which may be many turns of the event loop.
 *
 * Nobody may begin a collection
 * - before the heap is put together, after it was disposed of, or once its tables were found broken (ENABLED);
 * - from within one (RUNNING: Go is on its system stack then);
 * - while a lock is held under which the heap calls a function of its user's: the address space's. What Go asks for
 *   with `mallocing` comes down to the same, where one thread runs: only there is anybody called in the middle
 *   of an allocation, hooks aside, before which the heap's door is shut (door.ts);
 * - while GOGC is off.
 *
 * As in Go they are turned away without a word, and the next allocation that notices tries again.
 *
 * @module
 */

import { Lock } from "../platform/lock.ts";

/** Phases of a collection, with Go's numbers. */
export const Phase = {
  /** Nothing is going on. */
  Off: 0,
  /** What the last collection left unswept is being swept. */
  Quiesce: 1,
  /** The program is stopped, and nothing is marked yet. */
  StopTheWorld: 2,
  /** Roots are being marked. */
  Scan: 3,
  /** What they lead to is being marked. */
  Mark: 4,
  /** All is marked: the collection is counted, and the next one aimed at. */
  MarkTermination: 5,
  /** Everything is being swept at once. */
  Sweep: 6,
} as const;

/** One of the numbers in {@linkcode Phase}. */
export type Phase = typeof Phase[keyof typeof Phase];

const PHASE = 0;
const ENABLED = 1;
const RUNNING = 2;
const LENGTH = 3;

/** The world of one heap. See the head of the module. */
export class World {
  /** Held from the beginning of a collection to its end; seeds' worldsema. */
  readonly semaphore: Lock = new Lock();
  readonly #ints = new Int32Array(new SharedArrayBuffer(4 * LENGTH));
  readonly #locks: readonly Lock[];

  /** The world of a heap with such locks, under which functions of the user's may be called. */
  constructor(locks: readonly Lock[]) {
    this.#locks = locks;
  }

  /** Seeds' gcphase. */
  get phase(): Phase {
    return this.#ints[PHASE] as Phase;
  }

  set phase(phase: Phase) {
    this.#ints[PHASE] = phase;
  }

  /** Whether marks are being set: from the first root to the beginning of the sweep. */
  get isMarking(): boolean {
    return this.phase >= Phase.Scan && this.phase <= Phase.MarkTermination;
  }

  /** Seeds' enablegc. */
  set isEnabled(isEnabled: boolean) {
    this.#ints[ENABLED] = isEnabled ? 1 : 0;
  }

  /** Whether a slice of a collection is at work. */
  set isRunning(isRunning: boolean) {
    this.#ints[RUNNING] = isRunning ? 1 : 0;
  }

  /** Whether whoever asks may begin a collection, GOGC permitting, or go on with one. */
  get mayCollect(): boolean {
    const ints = this.#ints;
    return ints[ENABLED] !== 0 && ints[RUNNING] === 0 &&
      !this.#locks.some((lock) => lock.isHeld);
  }
}
