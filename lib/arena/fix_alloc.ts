/**
 * FixAlloc: records of one size, for the heap's own tables.
 *
 * A record is a number here, its fields lie in a typed array of the owner's. What this class decides is
 * which number comes next (the one given back last, else a new one) and what the records cost: they are
 * carved from 16 KiB chunks of persistent memory, 157 span records of 104 bytes to a chunk.
 *
 * @module
 */

import type { PersistentMemory } from "./persistent.ts";

const CHUNK_BYTES = 16 * 1024;

/** Hands out record numbers 0, 1, 2, ... and takes them back. */
export class FixAlloc {
  /** Records handed out and not taken back. */
  inuse = 0;
  /** Records ever made; one given back keeps its number. */
  made = 0;
  readonly #bytes: number;
  readonly #stat: number;
  readonly #persistent: PersistentMemory;
  readonly #free: number[] = [];
  #room = 0;

  /** Makes an allocator of records of `bytes` bytes, booked under the account at offset `stat`. */
  constructor(bytes: number, persistent: PersistentMemory, stat: number) {
    this.#bytes = bytes;
    this.#persistent = persistent;
    this.#stat = stat;
  }

  /** Bytes that the records in use take, as Go counts them. */
  get inuseBytes(): number {
    return this.inuse * this.#bytes;
  }

  /** The record given back last, or a new one; throws if there is no memory for one. */
  alloc(): number {
    this.reserve();
    this.inuse++;
    const again = this.#free.pop();
    if (again !== undefined) return again;
    this.#room--;
    return this.made++;
  }

  /** Makes sure that the next `alloc` finds a record; throws if there is no memory for one. */
  reserve(): void {
    if (this.#free.length > 0 || this.#room > 0) return;
    this.#persistent.alloc(CHUNK_BYTES, 0, this.#stat);
    this.#room = Math.floor(CHUNK_BYTES / this.#bytes);
  }

  /** Takes a record back. Its contents are not cleared. */
  free(record: number): void {
    this.#free.push(record);
    this.inuse--;
  }
}
