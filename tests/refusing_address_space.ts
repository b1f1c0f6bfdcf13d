/**
 * An address space that can be told to refuse.
 *
 * @module
 */

import { type AddressSpace, type MemoryWindow, type Pointer, SharedAddressSpace } from "../mod.ts";

/** What can be asked of an address space, and refused. */
export type Request = "reserve" | "map" | "alloc";

/** The default address space, but requests for memory can be refused. */
export class RefusingAddressSpace implements AddressSpace {
  /** How many of the next requests for memory are refused, if they are of these kinds. */
  refusals = 0;
  kinds: readonly Request[] = ["reserve", "map", "alloc"];
  /** Requests for memory so far, refused ones too. */
  requests = 0;
  /** Ranges that `unused` was called with. */
  readonly unusedRanges: [Pointer, number][] = [];
  /** Called with each request, before it is served. */
  onRequest: () => void = () => {};
  readonly #space = new SharedAddressSpace();

  reserve(hint: Pointer, bytes: number, end?: Pointer): Pointer {
    return this.#isRefused("reserve") ? 0 : this.#space.reserve(hint, bytes, end);
  }

  map(address: Pointer, bytes: number): boolean {
    return !this.#isRefused("map") && this.#space.map(address, bytes);
  }

  alloc(bytes: number, end?: Pointer): Pointer {
    return this.#isRefused("alloc") ? 0 : this.#space.alloc(bytes, end);
  }

  free(address: Pointer, bytes: number): void {
    this.#space.free(address, bytes);
  }

  unused(address: Pointer, bytes: number): void {
    this.unusedRanges.push([address, bytes]);
  }

  window(address: Pointer): MemoryWindow {
    return this.#space.window(address);
  }

  [Symbol.dispose](): void {
    this.#space[Symbol.dispose]();
  }

  #isRefused(request: Request): boolean {
    this.requests++;
    this.onRequest();
    if (this.refusals === 0 || !this.kinds.includes(request)) return false;
    this.refusals--;
    return true;
  }
}
