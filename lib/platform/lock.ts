/**
 * A lock: one int32 in shared memory, 0 free, 1 held, 2 held and waited for.
 *
 * The seeds take a lock around the central lists, the page heap, persistent memory and the finalizer
 * queue, never on the allocation fast path. V8 calls out for every atomic operation, which takes 12 ns; the life
 * of a span has thirteen of them, a third of what it costs. So a lock begins as one thread's own and is a plain
 * number; before a second thread attaches, {@linkcode Lock.share} makes it one that threads wait for.
 *
 * @module
 */

import { GoThrow } from "../errors.ts";

const FREE = 0;
const HELD = 1;
const WAITED_FOR = 2;

/** A mutual exclusion lock between the threads that share a heap; not reentrant. */
export class Lock {
  /** The lock's word, for another thread's Lock. */
  readonly word: Int32Array;
  #isShared: boolean;

  /** Makes a lock of this thread's own, or, of another lock's `word`, one that is shared with its thread. */
  constructor(word?: Int32Array) {
    this.word = word ?? new Int32Array(new SharedArrayBuffer(4));
    this.#isShared = word !== undefined;
  }

  /** Whether other threads may take it too. */
  get isShared(): boolean {
    return this.#isShared;
  }

  /** From now on other threads take it too. */
  share(): void {
    this.#isShared = true;
  }

  /** Whether somebody has it. */
  get isHeld(): boolean {
    return Atomics.load(this.word, 0) !== FREE;
  }

  /** Waits until the lock is free, and takes it. */
  lock(): void {
    if (this.#isShared) this.#lockShared();
    else if (this.word[0] !== FREE) throw new GoThrow("deadlock: lock held by this thread");
    else this.word[0] = HELD;
  }

  #lockShared(): void {
    if (Atomics.compareExchange(this.word, 0, FREE, HELD) === FREE) return;
    while (Atomics.exchange(this.word, 0, WAITED_FOR) !== FREE) {
      Atomics.wait(this.word, 0, WAITED_FOR);
    }
  }

  /** Gives the lock back; throws if it was not held. */
  unlock(): void {
    let before = this.word[0];
    if (this.#isShared) before = Atomics.exchange(this.word, 0, FREE);
    else this.word[0] = FREE;
    if (before === FREE) throw new GoThrow("unlock of unlocked lock");
    if (before === WAITED_FOR) Atomics.notify(this.word, 0, 1);
  }
}
