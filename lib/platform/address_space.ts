/**
 * The address space: where a heap's memory comes from and at which virtual addresses it lies.
 *
 * The seeds call six functions of the operating system. Here they are an interface, and the default
 * implementation is made of growable SharedArrayBuffers: reserving 128 GiB makes a buffer that may grow
 * so far and costs nothing, mapping grows it, and pages that were never touched are not resident.
 *
 * ```
 *   0x00c0_0000_0000   spans | bitmap | arena ...        one buffer a reservation; the second heap of a
 *   0x01c0_0000_0000   (the next heap)                   process finds 0x00c0 taken and asks for 0x01c0
 *   ...
 *   0x7f00_0000_0000   system memory of the first heap   4 GiB a heap: persistent memory, segments, stack
 *   0x7f01_0000_0000   system memory of the second
 * ```
 *
 * Which ranges are taken is known for the whole process, as it would be by the operating system.
 * Nothing in a growable buffer can be given back while the heap lives, so `unused` is a promise without
 * effect: the heap counts the bytes as released, and the host keeps them.
 *
 * @module
 */

import { badArgument } from "../errors.ts";
import { PAGE_BYTES, type Pointer } from "./platform.ts";

/** A run of addresses and the buffer that holds their bytes: address `base + i` is byte i of it. */
export interface MemoryWindow {
  /** The address of the buffer's first byte. */
  readonly base: Pointer;
  /** Bytes of addresses from `base` on that belong to the window, whether they are mapped or not. */
  readonly bytes: number;
  /** The memory itself; it grows as ranges are mapped. */
  readonly buffer: SharedArrayBuffer;
}

/**
 * What a heap needs of its host: address ranges, and memory behind them. Addresses are numbers;
 * 0 stands for "refused", as nil does in the seeds.
 *
 * @example A heap that may have 64 MiB
 * ```ts
 * import { GoHeap, SharedAddressSpace } from "@goheap/goheap";
 * import { assert } from "@std/assert";
 *
 * using heap = new GoHeap({ addressSpace: new SharedAddressSpace({ taken: [[0xc000000000, 2 ** 38]] }) });
 * assert(heap.newobject(heap.types.int64) > 0x01c000000000); // the first base was taken
 * ```
 */
export interface AddressSpace {
  /** Claims `bytes` addresses at `hint` and nowhere else; returns `hint`, or 0 if any is taken. SysReserve. */
  reserve(hint: Pointer, bytes: number): Pointer;
  /**
   * Puts zeroed memory behind part of a reservation; false if there is none to be had. SysMap. The first
   * address ever mapped in a reservation is where its window begins.
   */
  map(address: Pointer, bytes: number): boolean;
  /** Returns the address of `bytes` of zeroed memory, page-aligned, anywhere; 0 if there is none. SysAlloc. */
  alloc(bytes: number): Pointer;
  /** Gives back what `reserve` or `alloc` returned. SysFree. */
  free(address: Pointer, bytes: number): void;
  /** Says that the contents of a range are not needed until it is used again. SysUnused. */
  unused(address: Pointer, bytes: number): void;
  /** The window that holds an address which this address space gave out. */
  window(address: Pointer): MemoryWindow;
  /** Gives everything back. */
  [Symbol.dispose](): void;
}

/** Half-open ranges of addresses, sorted, that do not overlap. */
class RangeSet {
  readonly #ranges: { base: Pointer; end: Pointer }[] = [];

  isFree(base: Pointer, bytes: number): boolean {
    return !this.#ranges.some((range) => base < range.end && range.base < base + bytes);
  }

  add(base: Pointer, bytes: number): void {
    this.#ranges.push({ base, end: base + bytes });
  }

  delete(base: Pointer, bytes: number): boolean {
    const at = this.#ranges.findIndex((r) => r.base === base && r.end === base + bytes);
    if (at >= 0) this.#ranges.splice(at, 1);
    return at >= 0;
  }
}

/** The addresses of this process that some heap has claimed. */
const takenByProcess = new RangeSet();

const SYSTEM_BASE = 0x7f00_0000_0000;
const SYSTEM_BYTES = 2 ** 32;
const SYSTEM_WINDOWS = 4096;

/** A claimed range; its window is opened by the first mapping. */
interface Reservation {
  readonly base: Pointer;
  readonly bytes: number;
  window: MemoryWindow | null;
}

/** Buffers grow by at least this much at a time: views must be made again each time. */
const GROWTH_BYTES = 2 ** 26;

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
  readonly #takenHere = new RangeSet();
  readonly #freed = new Map<number, Pointer[]>();
  readonly #limitBytes: number;
  #mappedBytes = 0;
  #system: MemoryWindow | null = null;
  #systemUsedBytes = 0;

  /**
   * Makes an address space. `taken` lists further ranges, as [address, bytes], that are not to be had;
   * `limitBytes` caps what may be mapped and allocated in all.
   */
  constructor(
    options: { taken?: readonly (readonly [Pointer, number])[]; limitBytes?: number } = {},
  ) {
    for (const [base, bytes] of options.taken ?? []) this.#takenHere.add(base, bytes);
    this.#limitBytes = options.limitBytes ?? Infinity;
  }

  /** Claims `bytes` addresses at `hint`; returns `hint`, or 0 if any of them is taken. */
  reserve(hint: Pointer, bytes: number): Pointer {
    if (!takenByProcess.isFree(hint, bytes) || !this.#takenHere.isFree(hint, bytes)) return 0;
    takenByProcess.add(hint, bytes);
    this.#reservations.push({ base: hint, bytes, window: null });
    return hint;
  }

  /** Grows the reservation's buffer so that it covers [address, address + bytes). */
  map(address: Pointer, bytes: number): boolean {
    if (this.#mappedBytes + bytes > this.#limitBytes) return false;
    const window = this.#open(address);
    if (window === null || !growTo(window, address + bytes - window.base)) return false;
    this.#mappedBytes += bytes;
    return true;
  }

  /** Returns the address of `bytes` of zeroed system memory; 0 if the window is full. */
  alloc(bytes: number): Pointer {
    if (this.#mappedBytes + bytes > this.#limitBytes) return 0;
    const system = this.#system ??= this.#reserveSystem();
    if (system === null) return 0;
    const rounded = roundToPages(bytes);
    const again = this.#freed.get(rounded)?.pop();
    if (again === undefined && this.#systemUsedBytes + rounded > system.bytes) return 0;
    this.#mappedBytes += bytes;
    if (again !== undefined) {
      new Float64Array(system.buffer, again - system.base, rounded / 8).fill(0);
      return again;
    }
    const address = system.base + this.#systemUsedBytes;
    this.#systemUsedBytes += rounded;
    return address;
  }

  /** Takes back a whole reservation, or memory that `alloc` gave out, which it will give out again. */
  free(address: Pointer, bytes: number): void {
    const at = this.#reservations.findIndex((r) => r.base === address && r.bytes === bytes);
    if (at >= 0) {
      takenByProcess.delete(address, bytes);
      this.#reservations.splice(at, 1);
      return;
    }
    const rounded = roundToPages(bytes);
    const freed = this.#freed.get(rounded);
    if (freed === undefined) this.#freed.set(rounded, [address]);
    else freed.push(address);
    this.#mappedBytes -= bytes;
  }

  /** Has no effect: a growable buffer keeps its pages. */
  unused(_address: Pointer, _bytes: number): void {}

  /** The mapped part of the reservation, or the system memory, that holds `address`. */
  window(address: Pointer): MemoryWindow {
    return this.#reservationOf(address)?.window ??
      badArgument("address", address, "an address that this address space has mapped");
  }

  /** Gives all addresses back to the process; the memory goes when V8 collects the buffers. */
  [Symbol.dispose](): void {
    for (const { base, bytes } of this.#reservations) takenByProcess.delete(base, bytes);
    this.#reservations.length = 0;
    this.#freed.clear();
    this.#system = null;
  }

  #reservationOf(address: Pointer): Reservation | undefined {
    return this.#reservations.find((r) => address >= r.base && address < r.base + r.bytes);
  }

  #open(address: Pointer): MemoryWindow | null {
    const reservation = this.#reservationOf(address);
    if (reservation === undefined) return null;
    if (reservation.window === null) {
      const bytes = reservation.base + reservation.bytes - address;
      const buffer = growableBuffer(bytes);
      if (buffer !== null) reservation.window = { base: address, bytes, buffer };
    }
    return reservation.window;
  }

  #reserveSystem(): MemoryWindow | null {
    for (let i = 0; i < SYSTEM_WINDOWS; i++) {
      const base = this.reserve(SYSTEM_BASE + i * SYSTEM_BYTES, SYSTEM_BYTES);
      if (base === 0) continue;
      const window = this.#open(base);
      // One growth to the full length: views over it then never need to be made again.
      return window !== null && grow(window.buffer, SYSTEM_BYTES) ? window : null;
    }
    return null;
  }
}

function roundToPages(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

/** Grows a window's buffer to `bytes` or somewhat more; false if that cannot be had. */
function growTo({ buffer, bytes: maxBytes }: MemoryWindow, bytes: number): boolean {
  if (bytes <= buffer.byteLength) return true;
  const generous = Math.min(maxBytes, Math.max(2 * buffer.byteLength, bytes + GROWTH_BYTES));
  return grow(buffer, generous) || grow(buffer, bytes);
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
