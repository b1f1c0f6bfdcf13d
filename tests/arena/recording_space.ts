/**
 * An address space that notes what it is asked for and what it gives, and may be told to answer otherwise.
 *
 * @module
 */

import type { Pointer } from "../../mod.ts";
import { SharedAddressSpace } from "../../mod.ts";

/** One call: its name, and what it was about; for "reserve" and "alloc" the answer comes last. */
export type Call = [name: "reserve" | "alloc" | "free", ...numbers: number[]];

/** The default address space, watched. */
export class RecordingSpace extends SharedAddressSpace {
  readonly calls: Call[] = [];
  /** Whether to answer a reservation of so many bytes with a refusal. */
  refuses: (bytes: number) => boolean = () => false;
  /** What to add to a reservation's address: the system's pages may be smaller than the heap's. */
  shiftBytes = 0;

  override reserve(hint: Pointer, bytes: number, end?: Pointer): Pointer {
    const base = this.refuses(bytes) ? 0 : super.reserve(hint + this.shiftBytes, bytes, end);
    this.calls.push(["reserve", hint, bytes, base]);
    return base;
  }

  override alloc(bytes: number, end?: Pointer): Pointer {
    const p = super.alloc(bytes, end);
    this.calls.push(["alloc", bytes, p]);
    return p;
  }

  override free(address: Pointer, bytes: number): void {
    this.calls.push(["free", address, bytes]);
    super.free(address, bytes);
  }

  /** The calls with one name since this was last asked, without the name. */
  take(name: Call[0]): number[][] {
    const taken = this.calls.filter((call) => call[0] === name);
    this.calls.splice(0, this.calls.length, ...this.calls.filter((call) => call[0] !== name));
    return taken.map(([, ...numbers]) => numbers as number[]);
  }
}
