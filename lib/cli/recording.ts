/**
 * The blocks of a trace as numbers, from which heaps can be driven again and again, by several threads at
 * once: the text of a trace, which is a thousand times as long, is read only once.
 *
 * An event is one number in a shared Float64Array. A positive one is the size of a new block, and blocks
 * are numbered in their order; a negative one is a block that is let go, block b being -b - 1:
 *
 * ```
 *  ┌──────┬──────┬──────┬──────┬──────┐
 *  │  512 │  128 │   -1 │  640 │   -3 │     blocks 0, 1 and 2; 0 and 2 are let go
 *  └──────┴──────┴──────┴──────┴──────┘
 * ```
 *
 * @module
 */

import type { BlockTarget } from "./replayer.ts";

const FIRST_EVENTS = 4096;

/** A recording that has ended: what can be sent to another thread. */
export interface RecordedBlocks {
  /** The events, as at the head of the module. */
  readonly events: Float64Array;
  /** How many of them allocate a block. */
  readonly blocks: number;
}

/** Records what a replay does with its blocks. */
export class Recording implements BlockTarget {
  /** The largest block it takes, in bytes. */
  readonly maxBlockBytes: number;
  #events = sharedDoubles(FIRST_EVENTS);
  #length = 0;
  #blocks = 0;

  /** Makes an empty recording. */
  constructor(maxBlockBytes: number) {
    this.maxBlockBytes = maxBlockBytes;
  }

  /** Records that a block is allocated. */
  allocate(sizeBytes: number): number {
    this.#push(sizeBytes);
    return this.#blocks++;
  }

  /** Records that a block takes the place of another one; what is copied does not matter. */
  reallocate(block: number, _oldBytes: number, newBytes: number): number {
    const added = this.allocate(newBytes);
    this.release(block);
    return added;
  }

  /** Records that a block is let go. */
  release(block: number): void {
    this.#push(-block - 1);
  }

  /** All that was recorded so far. */
  end(): RecordedBlocks {
    return { events: this.#events.subarray(0, this.#length), blocks: this.#blocks };
  }

  #push(event: number): void {
    if (this.#length === this.#events.length) {
      const grown = sharedDoubles(this.#length * 2);
      grown.set(this.#events);
      this.#events = grown;
    }
    this.#events[this.#length++] = event;
  }
}

function sharedDoubles(length: number): Float64Array {
  return new Float64Array(new SharedArrayBuffer(length * Float64Array.BYTES_PER_ELEMENT));
}
