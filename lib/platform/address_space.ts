/**
 * The address space: where a heap's memory comes from and at which virtual addresses it lies.
 *
 * The seeds call six functions of the operating system. Here they are an interface, and the default
 * implementation is made of growable SharedArrayBuffers: reserving 128 GiB makes a buffer that may grow
 * so far and costs nothing, mapping grows it, and pages that were never touched are not resident.
 *
 * ```
 *   0x00c0_0000_0000   spans | bitmap | arena ...        two buffers a reservation; the second heap of a
 *   0x01c0_0000_0000   (the next heap)                   process finds 0x00c0 taken and asks for 0x01c0
 *   ...
 *   0x7f00_0000_0000   system memory of the first heap   4 GiB a heap: persistent memory, segments, stack
 *   0x7f01_0000_0000   system memory of the second
 * ```
 *
 * The first 16 GiB of a large reservation are a WebAssembly memory, which is cleared and copied two to three times as
 * fast; what lies behind them is a second buffer, opened when it is reached.
 *
 * A reservation of up to 4 GiB lies in a segment of 4 GiB, which is one buffer: byte i is address base + i.
 * A 32-bit heap has one segment, as if it were a process of its own, whatever other heaps there are:
 *
 * ```
 *   0        image  0x0820_0000                                                         0xffff_0000
 *   ├─ none ─┼──────┼─ spans │ bitmap │ arena ───▶ grows ...   free   ... ◀─── system memory ──┤
 * ```
 *
 * Above 4 GiB it is known for the whole process which ranges are taken, as it would be by the operating
 * system. Nothing in a growable buffer can be given back while the heap lives, so `unused` is a promise
 * without effect: the heap counts the bytes as released, and the host keeps them.
 *
 * @module
 */

import { badArgument } from "../errors.ts";
import { PAGE_BYTES, type Pointer } from "./platform.ts";
import { RangeSet } from "./ranges.ts";
import { MAX_WASM_BYTES, WASM_PAGE_BYTES, wasmMemory } from "./wasm_memory.ts";

/** A run of addresses and the buffer that holds their bytes: address `base + i` is byte i of it. */
export interface MemoryWindow {
  /** The address of the buffer's first byte. */
  readonly base: Pointer;
  /** Bytes of addresses from `base` on that belong to the window, whether they are mapped or not. */
  readonly bytes: number;
  /** The memory itself; it grows as ranges are mapped. */
  readonly buffer: SharedArrayBuffer;
  /** Clears `bytes` mapped bytes from byte `at` of the buffer on, if there is a faster way than to store zeroes. */
  readonly clear?: (at: number, bytes: number) => void;
  /** Copies `bytes` mapped bytes from byte `from` of the buffer on to byte `to`, if there is a faster way than `set`. */
  readonly copy?: (to: number, from: number, bytes: number) => void;
}

/**
 * What a heap needs of its host: address ranges, and memory behind them. Addresses are numbers;
 * 0 stands for "refused", as nil does in the seeds.
 *
 * An arena that was reserved with more than 4 GiB has windows of its own: one, or several that follow each other and
 * begin and end at multiples of 8 KiB from its start. Any other lies in one window with all that is given out in the
 * 2 GiB from its start on, since it may grow into all of them.
 *
 * @example The first heap base is taken
 * ```ts
 * import { GoHeap, SharedAddressSpace } from "@goheap/goheap";
 * import { assert } from "@std/assert";
 *
 * const addressSpace = new SharedAddressSpace({ taken: [[0xc000000000, 2 ** 38]] });
 * using heap = new GoHeap({ platform: "linux/amd64", addressSpace });
 * assert(heap.newobject(heap.types.int64) > 0x01c000000000);
 * ```
 */
export interface AddressSpace {
  /**
   * Claims `bytes` addresses, all below `end`, at `hint` if they are free there. Else those of another place, if
   * they are at most 4 GiB: more are wanted at `hint` or nowhere. Returns the first, or 0. SysReserve.
   */
  reserve(hint: Pointer, bytes: number, end: Pointer): Pointer;
  /**
   * Puts zeroed memory behind part of a reservation, all in one window; false if there is none to be had. SysMap. The
   * first address ever mapped in a reservation of more than 4 GiB is where its first window begins.
   */
  map(address: Pointer, bytes: number): boolean;
  /**
   * Returns the address of `bytes` of zeroed memory below `end`, aligned to a page of the processor; 0 if there
   * is none. SysAlloc.
   */
  alloc(bytes: number, end: Pointer): Pointer;
  /** Gives back what `reserve` or `alloc` returned. SysFree. */
  free(address: Pointer, bytes: number): void;
  /** Says that the contents of a range are not needed until it is used again. SysUnused. */
  unused(address: Pointer, bytes: number): void;
  /** The window that holds an address which this address space gave out. */
  window(address: Pointer): MemoryWindow;
  /** Gives everything back. */
  [Symbol.dispose](): void;
}

/** The addresses of this process, above 4 GiB, that some heap has claimed. */
const takenByProcess = new RangeSet();

/** Segments begin at multiples of this; the addresses of 32-bit heaps are all in the first. */
const SEGMENT_BYTES = 2 ** 32;
/** The end of what 64-bit heaps can address. */
const LONG_END = 2 ** 48;
/** Where 32-bit heaps find memory that they ask no address for: from the top down to the first 64 KiB. */
const SHORT_TOP = 0xffff_0000;
const SHORT_BOTTOM = 0x1_0000;
/** Memory of 64-bit heaps outside their arenas is in the first free segment from here on. */
const SYSTEM_BASE = 0x7f00_0000_0000;
/** What the processor has as a page: addresses are given out in multiples of it. */
const PHYS_PAGE_BYTES = 4096;
/** Buffers grow by at least this much at a time: views must be made again each time. */
const GROWTH_BYTES = 2 ** 26;

/** A claimed range; one of more than a segment has windows, each opened by the first mapping in it. */
interface Reservation {
  readonly base: Pointer;
  readonly bytes: number;
  readonly windows: MemoryWindow[];
}

/**
 * The default address space, on growable shared buffers. See the head of the module for its layout.
 *
 * @example A second heap in one process
 * ```ts
 * import { GoHeap } from "@goheap/goheap";
 * import { assertNotEquals } from "@std/assert";
 *
 * using first = new GoHeap();
 * using second = new GoHeap();
 * assertNotEquals(first.newobject(first.types.int64), second.newobject(second.types.int64));
 * ```
 */
export class SharedAddressSpace implements AddressSpace {
  readonly #reservations: Reservation[] = [];
  readonly #segments = new Map<Pointer, MemoryWindow>();
  /** What is not to be had here: what was so from the beginning, and what is given out. */
  readonly #taken = new RangeSet();
  readonly #mapped = new RangeSet();
  /** Parts of segments that were given back: they are cleared before they are used again. */
  readonly #usedBefore = new RangeSet();
  readonly #limitBytes: number;
  readonly #firstWindowBytes: number;
  #mappedBytes = 0;
  #system: Pointer = 0;
  #systemUsedBytes = 0;
  readonly #systemFreed = new Map<number, Pointer[]>();

  /**
   * Makes an address space. `taken` lists further ranges, as [address, bytes], that are not to be had;
   * `limitBytes` caps what may be mapped and allocated in all; the first window of a large reservation has
   * `firstWindowBytes`, a multiple of 8 KiB (default: 16 GiB).
   */
  constructor(
    options: {
      taken?: readonly (readonly [Pointer, number])[];
      limitBytes?: number;
      firstWindowBytes?: number;
    } = {},
  ) {
    for (const [base, bytes] of options.taken ?? []) this.#taken.add(base, bytes);
    this.#limitBytes = options.limitBytes ?? Infinity;
    this.#firstWindowBytes = options.firstWindowBytes ?? MAX_WASM_BYTES;
    if (!(this.#firstWindowBytes > 0 && this.#firstWindowBytes % PAGE_BYTES === 0)) {
      badArgument(
        "firstWindowBytes",
        this.#firstWindowBytes,
        `a positive multiple of ${PAGE_BYTES}`,
      );
    }
  }

  /**
   * Claims `bytes` addresses at `hint`, or, of at most 4 GiB, elsewhere: below 4 GiB as high as possible, else at
   * the same place in a later segment. Returns 0 if that is not possible.
   */
  reserve(hint: Pointer, bytes: number, end: Pointer = LONG_END): Pointer {
    const base = this.#isFree(hint, bytes, end) ? hint : this.#elsewhere(hint, bytes, end);
    if (base === 0) return 0;
    this.#taken.add(base, bytes);
    if (end > SEGMENT_BYTES) takenByProcess.add(base, bytes);
    this.#reservations.push({ base, bytes, windows: [] });
    return base;
  }

  /** Puts zeroed memory behind [address, address + bytes), which must be reserved. */
  map(address: Pointer, bytes: number): boolean {
    if (!this.#taken.has(address, bytes) || this.#isAboveLimit(address, bytes)) return false;
    const reservation = this.#reservationOf(address);
    if (reservation !== undefined && reservation.bytes > SEGMENT_BYTES) {
      const window = this.#openWindow(reservation, address);
      if (window === null || !growTo(window, address + bytes - window.base)) return false;
    } else {
      if (!this.#openSegment(address)) return false;
      this.#clear(address, bytes);
    }
    this.#setMapped(address, bytes);
    return true;
  }

  /** Returns the address of `bytes` of zeroed memory below `end`; 0 if there is no room. */
  alloc(bytes: number, end: Pointer = LONG_END): Pointer {
    const rounded = roundToPages(bytes);
    if (this.#isAboveLimit(0, rounded)) return 0;
    const address = end <= SEGMENT_BYTES
      ? this.#allocBelow(Math.min(end, SHORT_TOP), rounded)
      : this.#allocSystem(rounded);
    if (address === 0) return 0;
    this.#clear(address, rounded);
    this.#setMapped(address, rounded);
    return address;
  }

  /** Takes back a whole reservation, or memory that `alloc` gave out, which it will give out again. */
  free(address: Pointer, bytes: number): void {
    const at = this.#reservations.findIndex((r) => r.base === address && r.bytes === bytes);
    const rounded = at >= 0 ? bytes : roundToPages(bytes);
    this.#mappedBytes -= bytesWithin(this.#mapped, address, rounded);
    this.#mapped.delete(address, rounded);
    if (rounded <= SEGMENT_BYTES) this.#usedBefore.add(address, rounded);
    if (at >= 0) {
      this.#reservations.splice(at, 1);
      takenByProcess.delete(address, bytes);
    }
    if (at >= 0 || address < SEGMENT_BYTES) this.#taken.delete(address, rounded);
    else this.#giveBackSystem(address, rounded);
  }

  /** Has no effect: a growable buffer keeps its pages. */
  unused(_address: Pointer, _bytes: number): void {}

  /** The mapped part of a reservation, or the segment, that holds `address`. */
  window(address: Pointer): MemoryWindow {
    const reservation = this.#reservationOf(address);
    const isLong = reservation !== undefined && reservation.bytes > SEGMENT_BYTES;
    const isGiven = reservation !== undefined || this.#mapped.has(address, 1);
    const window = isLong
      ? windowAt(reservation, address)
      : isGiven
      ? this.#segments.get(segmentOf(address))
      : undefined;
    return window ??
      badArgument("address", address, "an address that this address space has mapped");
  }

  /** Gives all addresses back to the process; the memory goes when V8 collects the buffers. */
  [Symbol.dispose](): void {
    for (const { base, bytes } of this.#reservations) takenByProcess.delete(base, bytes);
    this.#reservations.length = 0;
    this.#segments.clear();
    this.#systemFreed.clear();
    this.#system = 0;
  }

  #reservationOf(address: Pointer): Reservation | undefined {
    return this.#reservations.find((r) => address >= r.base && address < r.base + r.bytes);
  }

  #isFree(base: Pointer, bytes: number, end: Pointer): boolean {
    const isInOneSegment = segmentOf(base) === segmentOf(base + bytes - 1);
    return base > 0 && base + bytes <= end && (isInOneSegment || bytes > SEGMENT_BYTES) &&
      this.#taken.isFree(base, bytes) &&
      (end <= SEGMENT_BYTES || takenByProcess.isFree(base, bytes));
  }

  #elsewhere(hint: Pointer, bytes: number, end: Pointer): Pointer {
    if (bytes > SEGMENT_BYTES) return 0;
    if (end <= SEGMENT_BYTES) return this.#highestBelow(Math.min(end, SHORT_TOP), bytes);
    for (let base = hint + SEGMENT_BYTES; base + bytes <= end; base += SEGMENT_BYTES) {
      if (this.#isFree(base, bytes, end)) return base;
    }
    return 0;
  }

  #highestBelow(top: Pointer, bytes: number): Pointer {
    return this.#taken.highestFree(SHORT_BOTTOM, top, bytes, PHYS_PAGE_BYTES);
  }

  #allocBelow(top: Pointer, bytes: number): Pointer {
    const address = this.#highestBelow(top, bytes);
    if (address === 0 || !this.#openSegment(address)) return 0;
    this.#taken.add(address, bytes);
    return address;
  }

  /** From this heap's segment of system memory, in order, if nothing of that size was given back. */
  #allocSystem(bytes: number): Pointer {
    if (this.#system === 0) {
      this.#system = this.reserve(SYSTEM_BASE, SEGMENT_BYTES);
      if (this.#system === 0 || !this.#openSegment(this.#system)) return 0;
    }
    const again = this.#systemFreed.get(bytes)?.pop();
    if (again !== undefined) return again;
    if (this.#systemUsedBytes + bytes > SEGMENT_BYTES) return 0;
    this.#systemUsedBytes += bytes;
    return this.#system + this.#systemUsedBytes - bytes;
  }

  #giveBackSystem(address: Pointer, bytes: number): void {
    const freed = this.#systemFreed.get(bytes);
    if (freed === undefined) this.#systemFreed.set(bytes, [address]);
    else freed.push(address);
  }

  #isAboveLimit(address: Pointer, bytes: number): boolean {
    const more = bytes - bytesWithin(this.#mapped, address, bytes);
    return this.#mappedBytes + more > this.#limitBytes;
  }

  #setMapped(address: Pointer, bytes: number): void {
    this.#mappedBytes += bytes - bytesWithin(this.#mapped, address, bytes);
    this.#mapped.add(address, bytes);
  }

  #clear(address: Pointer, bytes: number): void {
    const { base, buffer } = this.#segments.get(segmentOf(address))!;
    for (const part of this.#usedBefore.within(address, bytes)) {
      new Uint8Array(buffer, part.base - base, part.bytes).fill(0);
    }
  }

  /** The window of a large reservation that holds `address`, opened if need be; null if there can be none. */
  #openWindow(reservation: Reservation, address: Pointer): MemoryWindow | null {
    const open = windowAt(reservation, address);
    if (open !== undefined) return open;
    const { windows } = reservation;
    const isFirst = windows.length === 0;
    const base = isFirst ? address : windows[0].base + windows[0].bytes;
    const left = reservation.base + reservation.bytes - base;
    const bytes = isFirst ? Math.min(left, this.#firstWindowBytes) : left;
    const fast = isFirst ? wasmMemory(bytes) : null;
    const buffer = fast?.buffer ?? growableBuffer(bytes);
    if (buffer === null || address < base) return null;
    windows.push({ base, bytes, buffer, clear: fast?.clear, copy: fast?.copy });
    return windows[windows.length - 1];
  }

  /** Makes the segment that holds `address`; false if the process has no room for it. */
  #openSegment(address: Pointer): boolean {
    const base = segmentOf(address);
    if (this.#segments.has(base)) return true;
    const buffer = growableBuffer(SEGMENT_BYTES);
    // One growth to the full length: views over it then never need to be made again.
    if (buffer === null || !grow(buffer, SEGMENT_BYTES)) return false;
    this.#segments.set(base, { base, bytes: SEGMENT_BYTES, buffer });
    return true;
  }
}

function segmentOf(address: Pointer): Pointer {
  return Math.floor(address / SEGMENT_BYTES) * SEGMENT_BYTES;
}

function roundToPages(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

function bytesWithin(set: RangeSet, address: Pointer, bytes: number): number {
  return set.within(address, bytes).reduce((sum, part) => sum + part.bytes, 0);
}

/** The window of a reservation that holds `address`, if it is open. */
function windowAt({ windows }: Reservation, address: Pointer): MemoryWindow | undefined {
  return windows.find(({ base, bytes }) => address >= base && address < base + bytes);
}

/** Grows a window's buffer to `bytes` or somewhat more; false if that cannot be had. */
function growTo({ buffer, bytes: maxBytes }: MemoryWindow, bytes: number): boolean {
  if (bytes <= buffer.byteLength) return true;
  if (bytes > maxBytes) return false;
  const generous = Math.max(2 * buffer.byteLength, bytes + GROWTH_BYTES);
  return grow(buffer, roundToGrowth(generous, buffer)) ||
    grow(buffer, roundToGrowth(bytes, buffer));
}

/** What a buffer can grow to, from `bytes` on: a WebAssembly memory grows by multiples of 64 KiB. */
function roundToGrowth(bytes: number, buffer: SharedArrayBuffer): number {
  const rounded = Math.ceil(bytes / WASM_PAGE_BYTES) * WASM_PAGE_BYTES;
  return Math.min(rounded, buffer.maxByteLength);
}

/** A buffer that may grow to `maxBytes`; null if the process has no room for it. */
export function growableBuffer(maxBytes: number): SharedArrayBuffer | null {
  try {
    return new SharedArrayBuffer(0, { maxByteLength: maxBytes });
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** Grows a buffer; false if it cannot grow so far. */
export function grow(buffer: SharedArrayBuffer, bytes: number): boolean {
  try {
    buffer.grow(bytes);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
