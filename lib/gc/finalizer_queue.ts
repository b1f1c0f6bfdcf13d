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
 *   running ─▶ block ──▶ block         taken by the runner, entry NEXT_ENTRY is next
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

/** A finalizer that is to be called. */
export interface QueuedFinalizer {
  /** The number of its function. */
  readonly data: number;
  /** The exact address it was set on. */
  readonly argument: Pointer;
}

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
  #queue: Pointer = 0;
  #running: Pointer = 0;
  #nextEntry = 0;
  #cache: Pointer = 0;
  #all: Pointer = 0;

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
      if (this.#queue === 0 || this.#get(this.#queue, COUNT) === this.#capacity) this.#addBlock();
      const count = this.#get(this.#queue, COUNT);
      const entry = ENTRIES + count * this.#entryWords;
      this.#set(this.#queue, entry + DATA, data + 1);
      this.#set(this.#queue, entry + ARGUMENT, argument);
      this.#set(this.#queue, COUNT, count + 1);
    } finally {
      this.#lock.unlock();
    }
    this.onQueued();
  }

  /** Forgets everything: the heap is gone. */
  clear(): void {
    this.#queue = 0;
    this.#running = 0;
    this.#cache = 0;
    this.#all = 0;
  }

  /**
   * Forgets the finalizer that was taken last, as its function has returned; true if it was the last of those
   * that were queued together.
   */
  release(): boolean {
    this.#lock.lock();
    try {
      const block = this.#running;
      // A finalizer may dispose of the heap.
      if (block === 0) return false;
      const entry = ENTRIES + this.#nextEntry * this.#entryWords;
      for (let word = 0; word < this.#entryWords; word++) this.#set(block, entry + word, 0);
      if (++this.#nextEntry === this.#get(block, COUNT)) this.#retire(block);
      return this.#running === 0;
    } finally {
      this.#lock.unlock();
    }
  }

  /**
   * Takes the next finalizer, which stays in the queue, and its object alive, until it is released; null if
   * there is none.
   */
  take(): QueuedFinalizer | null {
    this.#lock.lock();
    try {
      if (this.#running === 0) {
        this.#running = this.#queue;
        this.#queue = 0;
        this.#nextEntry = 0;
      }
      if (this.#running === 0) return null;
      const block = this.#running;
      const entry = ENTRIES + this.#nextEntry * this.#entryWords;
      return {
        data: this.#get(block, entry + DATA) - 1,
        argument: this.#get(block, entry + ARGUMENT),
      };
    } finally {
      this.#lock.unlock();
    }
  }

  /** Whether the next one to be taken is the first of those that were queued together. */
  get hasNewBatch(): boolean {
    return this.#running === 0 && this.#queue !== 0;
  }

  /** Whether nothing waits to be called. */
  get isEmpty(): boolean {
    return this.#queue === 0 && this.#running === 0;
  }

  /**
   * Every finalizer that waits. Whoever stops in between and goes on later sees all those that are
   * still waiting, but those queued since.
   */
  *waiting(): Generator<QueuedFinalizer, void> {
    for (let block = this.#all; block !== 0; block = this.#get(block, ALL_NEXT)) {
      for (let i = 0; i < this.#get(block, COUNT); i++) {
        const entry = ENTRIES + i * this.#entryWords;
        const data = this.#get(block, entry + DATA) - 1;
        if (data >= 0) yield { data, argument: this.#get(block, entry + ARGUMENT) };
      }
    }
  }

  /** Puts an empty block in front of the queue. */
  #addBlock(): void {
    let block = this.#cache;
    if (block === 0) {
      block = this.#persistent.alloc(BLOCK_BYTES, 0, GC_SYS);
      this.#set(block, ALL_NEXT, this.#all);
      this.#all = block;
    } else {
      this.#cache = this.#get(block, NEXT);
    }
    this.#set(block, NEXT, this.#queue);
    this.#queue = block;
  }

  /** Moves a block whose entries were all taken to the cache. */
  #retire(block: Pointer): void {
    this.#running = this.#get(block, NEXT);
    this.#nextEntry = 0;
    this.#set(block, COUNT, 0);
    this.#set(block, NEXT, this.#cache);
    this.#cache = block;
  }

  #get(block: Pointer, word: number): number {
    const { base, f64, u32 } = this.#memory;
    const words = this.#wordBytes === 8 ? f64 : u32;
    return words[(block - base) / this.#wordBytes + word];
  }

  #set(block: Pointer, word: number, value: number): void {
    const { base, f64, u32 } = this.#memory;
    const words = this.#wordBytes === 8 ? f64 : u32;
    words[(block - base) / this.#wordBytes + word] = value;
  }
}
