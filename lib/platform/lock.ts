/**
 * A lock: one int32 in shared memory, 0 free, 1 held, 2 held and waited for.
 *
 * The seeds take a lock around the central lists, the page heap, persistent memory and the finalizer
 * queue, never on the allocation fast path. An uncontended lock and unlock cost two atomic operations.
 *
 * @module
 */

import { GoThrow } from "../errors.ts";

const FREE = 0;
const HELD = 1;
const WAITED_FOR = 2;

/** A mutual exclusion lock between the threads that share a heap; not reentrant. */
export class Lock {
  readonly #word = new Int32Array(new SharedArrayBuffer(4));

  /** Waits until the lock is free, and takes it. */
  lock(): void {
    if (Atomics.compareExchange(this.#word, 0, FREE, HELD) === FREE) return;
    while (Atomics.exchange(this.#word, 0, WAITED_FOR) !== FREE) {
      Atomics.wait(this.#word, 0, WAITED_FOR);
    }
  }

  /** Gives the lock back; throws if it was not held. */
  unlock(): void {
    const before = Atomics.exchange(this.#word, 0, FREE);
    if (before === FREE) throw new GoThrow("unlock of unlocked lock");
    if (before === WAITED_FOR) Atomics.notify(this.#word, 0, 1);
  }
}
