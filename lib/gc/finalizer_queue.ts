/**
 * The finalizer queue: what sweeping found unreachable and is to be finalized, in the order in which it
 * will be.
 *
 * Entries lie in blocks of 4096 bytes of persistent memory, 101 to a block, on 4-byte words 204. A new block is
 * put in front of the list, and whoever runs the finalizers takes the whole list and begins at the front:
 * of 300 queued in one collection, those from 202 on run first, then 101 to 201, then 0 to 100. gccgo's entries
 * have four words where gc's have five, so that 127 fit, or 255.
 *
 * ```
 *   block, in words   │ NEXT │ ALL_NEXT │ COUNT │ entry 0 │ entry 1 │ ... │ entry 100 │
 *   entry             │ DATA + 1 │ ARGUMENT │ (types, size of the results: at the side, by DATA) │
 *
 *   queue ──▶ block ──▶ block          filled, waiting
 *   running ─▶ block ──▶ block         taken by the runner, who is at some entry of the first
 *   cache ──▶ block                    empty, used again
 * ```
 *
 * All blocks are roots: an object is alive until its finalizer has been called.
 *
 * @module
 */

import type { PersistentMemory } from "../arena/persistent.ts";
import { GC_SYS } from "../arena/stats.ts";
import { Lock } from "../platform/lock.ts";
import { goRecordBytes } from "../platform/go_records.ts";
import type { Memory } from "../platform/memory.ts";
import type { Platform, Pointer } from "../platform/platform.ts";

const BLOCK_BYTES = 4096;

const NEXT = 0;
const ALL_NEXT = 1;
const COUNT = 2;
const ENTRIES = 3;

/** Words of an entry in Go, which decide how many there are in a block. */
const ENTRY_WORDS = { gc: 5, gccgo: 4 } as const;

const DATA = 0;
const ARGUMENT = 1;

/** The number of no word: there is no block. */
const NONE = -1;

/** The queue of one heap. See the head of the module. */
export class FinalizerQueue {
  /** Called when something was queued. */
  onQueued: () => void = () => {};
  readonly #memory: Memory;
  readonly #persistent: PersistentMemory;
  readonly #wordBytes: 4 | 8;
  readonly #entryWords: number;
  readonly #capacity: number;
  readonly #lock = new Lock();
  // Blocks and entries are the numbers of their first words here; what links blocks in memory are addresses.
  #queue = NONE;
  /** Where the next one is queued, and how many have room there. */
  #end = NONE;
  #room = 0;
  #running = NONE;
  /** The next to be called, and how many of its block are left with it. */
  #next = NONE;
  #left = 0;
  #cache = NONE;
  #all = NONE;

  constructor(
    memory: Memory,
    persistent: PersistentMemory,
    platform: Platform,
    compiler: keyof typeof ENTRY_WORDS,
  ) {
    this.#memory = memory;
    this.#persistent = persistent;
    this.#wordBytes = platform.pointerBytes;
    this.#entryWords = ENTRY_WORDS[compiler];
    const bytes = BLOCK_BYTES - goRecordBytes(platform).queueHeader;
    this.#capacity = Math.floor(bytes / (this.#entryWords * this.#wordBytes));
  }

  /** Queues a finalizer; seeds' queuefinalizer. */
  add(data: number, argument: Pointer): void {
    this.#lock.lock();
    try {
      if (this.#room === 0) this.#addBlock();
      const words = this.#words();
      const entry = this.#end;
      words[entry + DATA] = data + 1;
      words[entry + ARGUMENT] = argument;
      this.#end = entry + this.#entryWords;
      this.#room--;
      words[this.#queue + COUNT] = this.#capacity - this.#room;
    } finally {
      this.#lock.unlock();
    }
    this.onQueued();
  }

  /** Forgets everything: the heap is gone. */
  clear(): void {
    this.#queue =
      this.#running =
      this.#cache =
      this.#all =
        NONE;
    this.#room = 0;
  }

  /**
   * Takes the next finalizer and returns the number of its function, -1 if there is none. It stays in the queue, and
   * its object alive, until it is released.
   */
  take(): number {
    if (this.#running === NONE && !this.#takeList()) return -1;
    return (this.#words()[this.#next + DATA] | 0) - 1;
  }

  /** The exact address that the finalizer which was taken was set on. */
  get argument(): Pointer {
    return this.#words()[this.#next + ARGUMENT];
  }

  /**
   * Forgets the finalizer that was taken last, as its function has returned; true if it was the last of those
   * that were queued together.
   */
  release(): boolean {
    // A finalizer may dispose of the heap.
    if (this.#running === NONE) return false;
    const words = this.#words();
    const entry = this.#next;
    words[entry + DATA] = 0;
    words[entry + ARGUMENT] = 0;
    this.#next = entry + this.#entryWords;
    if (--this.#left > 0) return false;
    this.#retire(this.#running);
    return this.#running === NONE;
  }

  /** Whether the next one to be taken is the first of those that were queued together. */
  get hasNewBatch(): boolean {
    return this.#running === NONE && this.#queue !== NONE;
  }

  /** Whether nothing waits to be called. */
  get isEmpty(): boolean {
    return this.#queue === NONE && this.#running === NONE;
  }

  /** Calls `visit` with each finalizer that waits. */
  forEachWaiting(visit: (argument: Pointer, data: number) => void): void {
    for (const _ of this.visitBlocks(visit));
  }

  /**
   * The same block by block, yielding how many each has. Whoever stops in between and goes on later sees all those
   * that are still waiting, but those queued since.
   */
  *visitBlocks(visit: (argument: Pointer, data: number) => void): Generator<number, void> {
    for (let block = this.#all; block !== NONE; block = this.#link(block, ALL_NEXT)) {
      const words = this.#words();
      const count = words[block + COUNT];
      for (let i = 0; i < count; i++) {
        const entry = block + ENTRIES + i * this.#entryWords;
        const data = words[entry + DATA] - 1;
        if (data >= 0) visit(words[entry + ARGUMENT], data);
      }
      yield count;
    }
  }

  /** How many blocks there are: of all that were ever made each is in one of three lists. */
  get blockCounts(): { all: number; queued: number; running: number; empty: number } {
    const count = (first: number, link: number) => {
      let blocks = 0;
      for (let block = first; block !== NONE; block = this.#link(block, link)) blocks++;
      return blocks;
    };
    return {
      all: count(this.#all, ALL_NEXT),
      queued: count(this.#queue, NEXT),
      running: count(this.#running, NEXT),
      empty: count(this.#cache, NEXT),
    };
  }

  /** Puts an empty block in front of the queue. */
  #addBlock(): void {
    let block = this.#cache;
    if (block === NONE) {
      const address = this.#persistent.alloc(BLOCK_BYTES, 0, GC_SYS);
      block = this.#wordOf(address);
      this.#setLink(block, ALL_NEXT, this.#all);
      this.#all = block;
    } else {
      this.#cache = this.#link(block, NEXT);
    }
    this.#setLink(block, NEXT, this.#queue);
    this.#queue = block;
    this.#end = block + ENTRIES;
    this.#room = this.#capacity;
  }

  /** Takes all that is queued, to be called; false if there is nothing. Who calls them has them for himself. */
  #takeList(): boolean {
    this.#lock.lock();
    try {
      this.#begin(this.#queue);
      this.#queue = NONE;
      this.#room = 0;
    } finally {
      this.#lock.unlock();
    }
    return this.#running !== NONE;
  }

  /** Begins with the first entry of `block`. */
  #begin(block: number): void {
    this.#running = block;
    if (block === NONE) return;
    this.#next = block + ENTRIES;
    this.#left = this.#words()[block + COUNT] | 0;
  }

  /** Moves a block whose entries were all taken to the cache, and begins with the next. */
  #retire(block: number): void {
    this.#lock.lock();
    try {
      this.#begin(this.#link(block, NEXT));
      this.#words()[block + COUNT] = 0;
      this.#setLink(block, NEXT, this.#cache);
      this.#cache = block;
    } finally {
      this.#lock.unlock();
    }
  }

  /** The words of memory. A method: V8 calls out for a getter that is private. */
  #words(): Float64Array | Uint32Array {
    return this.#wordBytes === 8 ? this.#memory.f64 : this.#memory.u32;
  }

  /** The number of the word at an address; an int32 if it can be, since V8 keeps those as they are. */
  #wordOf(address: Pointer): number {
    const word = (address - this.#memory.base) / this.#wordBytes;
    const short = word | 0;
    return short === word ? short : word;
  }

  #link(block: number, word: number): number {
    const address = this.#words()[block + word];
    return address === 0 ? NONE : this.#wordOf(address);
  }

  #setLink(block: number, word: number, to: number): void {
    this.#words()[block + word] = to === NONE ? 0 : this.#memory.base + to * this.#wordBytes;
  }
}
