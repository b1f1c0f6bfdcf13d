/**
 * The door of a heap: whether the public methods may go in, and what they say if they may not.
 *
 * It is shut in three cases:
 *
 * ```
 *   disposed     for good; memory is gone, so loads and stores fail as well
 *   corrupted    for good; the heap found its own tables broken. Memory can still be read and written, so that
 *                a program can save what it has there
 *   in a hook    while a function of the program's runs in the middle of the heap's work: `trace`, `clock`,
 *                the race hooks. There the seeds say "malloc deadlock"; only a collection that is asked for
 *                is not refused but left out, as it is in the seeds while a lock is held
 * ```
 *
 * Corrupted means one of these, which no caller can cause through the methods of a heap: a free list that links
 * to where no block is, or counts wrong; a span that is freed while in use, or swept in a wrong state; a span
 * without a free block where one was promised, or all of whose blocks are free in a cache; no span after the
 * heap has grown. (A pointer to where no object can be is not among them: the collection that met it is given
 * up, and the heap is as it was.)
 *
 * The fast path of an allocation looks at no door. It takes from what the thread's cache holds, so shutting
 * the door empties the cache, and the slow path looks. For a hook the cache is set aside, 5 KiB, and put back.
 *
 * @module
 */

import { GoThrow } from "./errors.ts";
import type { Cache } from "./spans/cache.ts";

/** The door of one heap. See the head of the module. */
export class Door {
  /** Whether the public methods may go in. */
  isOpen = true;
  readonly #cache: Cache;
  readonly #ints: Int32Array;
  readonly #floats: Float64Array;
  #shutFor = "";
  #hook = "";

  constructor(cache: Cache) {
    this.#cache = cache;
    this.#ints = new Int32Array(cache.ints.length);
    this.#floats = new Float64Array(cache.floats.length);
  }

  /** Whether a function of the program's runs in the middle of the heap's work. */
  get isInHook(): boolean {
    return this.#hook !== "";
  }

  /** Shuts the door for good; `why` completes "Cannot use heap: it ...". */
  shut(why: string): void {
    this.isOpen = false;
    this.#shutFor = why;
    this.#cache.clear();
  }

  /** Throws if the public methods may not go in. */
  requireOpen(): void {
    if (!this.isOpen) this.refuse();
  }

  /** Throws what is to be said in front of a shut door. */
  refuse(): never {
    if (this.isInHook) {
      throw new GoThrow(
        `malloc deadlock: Cannot use heap from inside its own hook: current hook is ${this.#hook}`,
      );
    }
    throw new GoThrow(`Cannot use heap: it ${this.#shutFor}`);
  }

  /**
   * Returns `hook`, the option `name`, such that the door is shut while it runs. What it throws is reported as an
   * uncaught error, since the heap cannot stop where it is; the call then returns what the one before did.
   */
  guard<Args extends unknown[], Result>(
    name: string,
    hook: (...args: Args) => Result,
    first: Result,
  ): (...args: Args) => Result {
    let last = first;
    return (...args) => {
      const cache = this.#cache;
      const wasOpen = this.isOpen;
      this.#ints.set(cache.ints);
      this.#floats.set(cache.floats);
      cache.hideRuns();
      this.isOpen = false;
      this.#hook = name;
      try {
        return last = hook(...args);
      } catch (error) {
        reportError(error);
        return last;
      } finally {
        this.#hook = "";
        this.isOpen = wasOpen;
        cache.ints.set(this.#ints);
        cache.floats.set(this.#floats);
      }
    };
  }
}
