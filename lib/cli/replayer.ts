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
 * A trace does not say what pointers a block holds, and its liveness is known anyway, so blocks are
 * noscan. But a noscan block below 16 bytes would share a block of the tiny allocator with others; each
 * such block is an array of nil pointers instead, which gets a block of its own as it did in the trace.
 *
 * Four kinds of record make no sense: see {@linkcode Fault}. Either the first of them ends the replay,
 * or (lenient) they are counted and left out.
 *
 * @module
 */

import type { GoHeap } from "../go_heap.ts";
import { type TraceHandler, TraceReader } from "../inspect/allocfreetrace.ts";
import { FlagNoScan } from "../flags.ts";
import type { Pointer } from "../platform/platform.ts";
import { TINY_BYTES } from "../spans/size_classes.ts";
import { BlockTable } from "./block_table.ts";
import { NameTable } from "./name_table.ts";
import { RootSlots } from "./root_slots.ts";
import { printable } from "./text_table.ts";
import { TraceTotals } from "./trace_totals.ts";

/**
 * What can be wrong with a record: its line does not parse; it frees a block that is not allocated; it
 * allocates a block that already is; it frees a block with another size than it was allocated with.
 */
export type Fault = "malformed" | "freeOfUnknown" | "allocationOfLive" | "sizeMismatch";

/** How many records had each fault. */
export type FaultCounts = Record<Fault, number>;

/** A record with a {@linkcode Fault}, in a replay that is not lenient. */
export class TraceFault extends Error {
  override readonly name = "TraceFault";
}

/** A replay in progress: takes a trace's bytes, drives the heap, keeps the totals. */
export class Replayer implements TraceHandler {
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
  readonly #heap: GoHeap;
  readonly #isLenient: boolean;
  readonly #reader: TraceReader = new TraceReader(this);
  readonly #blocks: BlockTable = new BlockTable();
  readonly #roots: RootSlots;

  /** Makes a replay into `heap`; a lenient one counts faulty records where another one throws. */
  constructor(heap: GoHeap, isLenient: boolean) {
    this.#heap = heap;
    this.#isLenient = isLenient;
    this.#roots = new RootSlots(heap);
  }

  /** The line of the trace that is being read. */
  get line(): number {
    return this.#reader.line;
  }

  /** Replays the next bytes of the trace; throws a {@linkcode TraceFault} for a faulty record. */
  push(chunk: Uint8Array): void {
    this.#reader.push(chunk);
  }

  /** Replays what is left at the end of the trace; returns the number of its lines. */
  end(): number {
    return this.#reader.end();
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
    if (sizeBytes > this.#heap.platform.maxMemBytes) {
      return this.#fault("malformed", `allocation of ${sizeBytes} bytes, more than an arena holds`);
    }
    const place = this.#blocks.find(address);
    if (place >= 0) {
      const there = `a live block of ${this.#blocks.sizeBytesAt(place)} bytes`;
      return this.#fault("allocationOfLive", `allocation at ${hex(address)}, where ${there} lies`);
    }
    const type = this.types.numberOf(bytes, typeStart, typeEnd);
    this.#blocks.add(address, sizeBytes, this.#roots.hold(this.#allocate(sizeBytes)), type);
    this.totals.add(sizeBytes, type);
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
    this.#roots.release(this.#blocks.slotAt(place));
    this.totals.remove(sizeBytes, this.#blocks.typeAt(place));
    this.#blocks.remove(place);
  }

  /** Counts a collection of the traced program. */
  collection(): void {
    this.records++;
    this.totals.collections++;
  }

  /** Takes note of a line that is no record. */
  malformed(what: string): void {
    this.#fault("malformed", printable(what));
  }

  #allocate(sizeBytes: number): Pointer {
    if (sizeBytes >= TINY_BYTES) return this.#heap.mallocgc(sizeBytes, null, FlagNoScan);
    const { platform: { pointerBytes }, types: { unsafePointer } } = this.#heap;
    return this.#heap.newarray(unsafePointer, Math.ceil(sizeBytes / pointerBytes));
  }

  #fault(fault: Fault, what: string): void {
    if (!this.#isLenient) throw new TraceFault(what);
    this.faults[fault]++;
  }
}

function hex(address: number): string {
  return `0x${address.toString(16)}`;
}
