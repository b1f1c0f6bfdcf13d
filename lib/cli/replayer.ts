/**
 * Drives a heap with the records of a trace.
 *
 * Each block that the traced program allocated is allocated here, in a block of the same size, and is
 * held by a root until its `tracefree`. What is freed then becomes garbage; this heap finds it when its
 * own pacer says so, not when the other program did.
 *
 * ```
 *  tracealloc(0xc208010000, 0x70, T)     root 17 ──▶ 0xc000002070      0xc208010000 ──▶ slot 17, 112 bytes, T
 *  tracefree(0xc208010000, 0x70)         root 17 = nil                 (gone)
 * ```
 *
 * A trace is either what Go prints or one of the malloc lab, whose blocks have ids in place of addresses:
 * its first byte tells. Blocks go to a {@linkcode BlockTarget}, which is a heap, or a
 * recording from which several heaps are driven later.
 *
 * Four kinds of record make no sense: see {@linkcode Fault}. Either the first of them ends the replay,
 * or (lenient) they are counted and left out.
 *
 * @module
 */

import { type StackHandler, type TraceHandler, TraceReader } from "../inspect/allocfreetrace.ts";
import { BlockTable } from "./block_table.ts";
import { NameTable } from "./name_table.ts";
import { beginsRepTrace, type RepHandler, RepReader } from "./rep_trace.ts";
import type { StackTotals } from "./stack_totals.ts";
import { printable } from "./text_table.ts";
import type { TraceStacks } from "./trace_stacks.ts";
import { TraceTotals } from "./trace_totals.ts";

/**
 * What can be wrong with a record: its line does not parse; it frees a block that is not allocated; it
 * allocates a block that already is; it frees a block with another size than it was allocated with.
 */
export type Fault = "malformed" | "freeOfUnknown" | "allocationOfLive" | "sizeMismatch";

/** How many records had each fault. */
export type FaultCounts = Record<Fault, number>;

/** The kinds of traces, as messages call them. */
export type TraceFormat = "allocfreetrace" | "malloc lab trace";

/** A record with a {@linkcode Fault}, in a replay that is not lenient. */
export class TraceFault extends Error {
  override readonly name = "TraceFault";
}

/** Where the blocks of a replay are allocated; it numbers them as it likes, below 2^31. */
export interface BlockTarget {
  /** The largest block it can have, in bytes. */
  readonly maxBlockBytes: number;
  /** Allocates a block and keeps it alive; returns its number. */
  allocate(sizeBytes: number): number;
  /** Allocates a block, copies another one's bytes into it and lets go of that; returns its number. */
  reallocate(block: number, oldBytes: number, newBytes: number): number;
  /** Lets go of a block. */
  release(block: number): void;
}

/** A replay in progress: takes a trace's bytes, drives the heap, keeps the totals. */
export class Replayer implements TraceHandler, StackHandler, RepHandler {
  /** Objects and bytes so far. */
  readonly totals: TraceTotals = new TraceTotals();
  /** Names of the types so far. */
  readonly types: NameTable = new NameTable();
  /** Records that were left out so far. */
  readonly faults: FaultCounts = {
    malformed: 0,
    freeOfUnknown: 0,
    allocationOfLive: 0,
    sizeMismatch: 0,
  };
  /** Records that were understood so far, faulty ones too. */
  records = 0;
  /** Called after each event: a block was allocated, allocated anew or freed. */
  onEvent: (() => void) | null = null;
  /** Takes the stacks of allocations; set before the first bytes, null leaves stacks unread. */
  stacks: StackTotals | null = null;
  /** The same for the memory profile of the heap. */
  stackSource: TraceStacks | null = null;
  readonly #target: BlockTarget;
  readonly #isLenient: boolean;
  #reader: TraceReader | RepReader | null = null;
  readonly #blocks: BlockTable = new BlockTable();

  /** Makes a replay into `target`; a lenient one counts faulty records where another one throws. */
  constructor(target: BlockTarget, isLenient: boolean) {
    this.#target = target;
    this.#isLenient = isLenient;
  }

  /** The line of the trace that is being read. */
  get line(): number {
    return this.#reader?.line ?? 1;
  }

  /** What kind of trace it is, as far as its beginning has been read. */
  get format(): TraceFormat {
    return this.#reader instanceof RepReader ? "malloc lab trace" : "allocfreetrace";
  }

  /** Replays the next bytes of the trace; throws a {@linkcode TraceFault} for a faulty record. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#reader ??= beginsRepTrace(chunk[0])
      ? new RepReader(this)
      : new TraceReader(this, this.stacks === null && this.stackSource === null ? null : this);
    this.#reader.push(chunk);
  }

  /** Replays what is left at the end of the trace; returns the number of its lines. */
  end(): number {
    const lines = this.#reader?.end() ?? 0;
    this.stacks?.settle();
    return lines;
  }

  /** Takes a block for one that the traced program allocated. */
  allocation(
    address: number,
    sizeBytes: number,
    bytes: Uint8Array,
    typeStart: number,
    typeEnd: number,
  ): void {
    this.records++;
    // The lines that follow are the stack of this record, be it faulty or not.
    this.stacks?.settle();
    this.stackSource?.settle();
    if (this.#isTooLarge(sizeBytes)) return;
    const place = this.#blocks.find(address);
    if (place >= 0) {
      const there = `a live block of ${this.#blocks.sizeBytesAt(place)} bytes`;
      return this.#fault("allocationOfLive", `allocation at ${hex(address)}, where ${there} lies`);
    }
    this.#add(address, sizeBytes, this.types.numberOf(bytes, typeStart, typeEnd));
  }

  /** Takes a line of the stack of the last allocation. */
  stackLine(bytes: Uint8Array, start: number, end: number): void {
    this.stacks?.stackLine(bytes, start, end);
    this.stackSource?.stackLine(bytes, start, end);
  }

  /** Lets go of the block that stands for one that the traced program freed. */
  free(address: number, sizeBytes: number): void {
    this.records++;
    const place = this.#blocks.find(address);
    if (place < 0) {
      return this.#fault("freeOfUnknown", `free of ${hex(address)}, which is not allocated`);
    }
    const allocatedBytes = this.#blocks.sizeBytesAt(place);
    if (sizeBytes !== allocatedBytes) {
      const sizes = `${sizeBytes} bytes, allocated with ${allocatedBytes}`;
      return this.#fault("sizeMismatch", `free of ${hex(address)} with ${sizes}`);
    }
    this.#remove(place);
  }

  /** Counts a collection of the traced program. */
  collection(): void {
    this.records++;
    this.totals.collections++;
  }

  /** Takes a block for the one with this id in a trace of the malloc lab. */
  malloc(id: number, sizeBytes: number): void {
    this.records++;
    if (this.#isTooLarge(sizeBytes)) return;
    const place = this.#blocks.find(keyOf(id));
    if (place >= 0) {
      const there = `a live block of ${this.#blocks.sizeBytesAt(place)} bytes`;
      return this.#fault("allocationOfLive", `allocation of block ${id}, which is ${there}`);
    }
    this.#add(keyOf(id), sizeBytes, UNTYPED);
  }

  /** Puts a block of another size in the place of the one with this id. */
  realloc(id: number, sizeBytes: number): void {
    this.records++;
    if (this.#isTooLarge(sizeBytes)) return;
    const place = this.#blocks.find(keyOf(id));
    if (place < 0) {
      const what = `reallocation of block ${id}, which is not allocated`;
      return this.#fault("freeOfUnknown", what);
    }
    const oldBytes = this.#blocks.sizeBytesAt(place);
    const oldBlock = this.#blocks.slotAt(place);
    const block = this.#target.reallocate(oldBlock, oldBytes, sizeBytes);
    // While it is copied, both blocks are there.
    this.totals.add(sizeBytes, UNTYPED);
    this.totals.remove(oldBytes, UNTYPED);
    this.stacks?.released(oldBlock, oldBytes);
    this.stacks?.allocated(block, sizeBytes);
    this.#blocks.remove(place);
    this.#blocks.add(keyOf(id), sizeBytes, block, UNTYPED);
    this.onEvent?.();
  }

  /** Lets go of the block with this id. */
  release(id: number): void {
    this.records++;
    const place = this.#blocks.find(keyOf(id));
    if (place < 0) {
      return this.#fault("freeOfUnknown", `free of block ${id}, which is not allocated`);
    }
    this.#remove(place);
  }

  /** Takes note of a line that is no record. */
  malformed(what: string): void {
    this.#fault("malformed", printable(what));
  }

  #isTooLarge(sizeBytes: number): boolean {
    if (sizeBytes <= this.#target.maxBlockBytes) return false;
    this.#fault("malformed", `allocation of ${sizeBytes} bytes, more than an arena holds`);
    return true;
  }

  #add(key: number, sizeBytes: number, type: number): void {
    const block = this.#target.allocate(sizeBytes);
    this.#blocks.add(key, sizeBytes, block, type);
    this.totals.add(sizeBytes, type);
    this.stacks?.allocated(block, sizeBytes);
    this.onEvent?.();
  }

  #remove(place: number): void {
    const block = this.#blocks.slotAt(place);
    const sizeBytes = this.#blocks.sizeBytesAt(place);
    this.#target.release(block);
    this.totals.remove(sizeBytes, this.#blocks.typeAt(place));
    this.stacks?.released(block, sizeBytes);
    this.#blocks.remove(place);
    this.onEvent?.();
  }

  #fault(fault: Fault, what: string): void {
    if (!this.#isLenient) throw new TraceFault(what);
    this.faults[fault]++;
  }
}

/** The number of the type of blocks that have none. */
const UNTYPED = 0;

/** What an id is called in the table of blocks, where 0 is no key. */
function keyOf(id: number): number {
  return id + 1;
}

function hex(address: number): string {
  return `0x${address.toString(16)}`;
}
