/**
 * The fence: under `debug: "efence=1"` every load and store is looked at, and one that does not lie within a
 * live object is an error.
 *
 * ```
 *   │ object, 100 bytes │ rest of its page │   freed    │ object, 40000 bytes       │ rest │  not used yet
 *     fine                fault              fault        fine                        fault    fault
 * ```
 *
 * Objects lie on pages of their own there, and freed ones are never used again, so whatever an access goes to
 * is what its address stood for when the program got it. What the program does with a view that it made
 * before (`bytes`) passes by here; `verify()` finds what it wrote to freed pages.
 *
 * @module
 */

import { type Arena, HOLE } from "./arena/arena.ts";
import { GoThrow } from "./errors.ts";
import type { Memory } from "./platform/memory.ts";
import { PAGE_BYTES, type Pointer } from "./platform/platform.ts";
import { FENCED, START, STATE } from "./spans/span_record.ts";
import type { SpanTable } from "./spans/span_table.ts";

/** The fence of one heap. See the head of the module. */
export class Fence {
  readonly #arena: Arena;
  readonly #spans: SpanTable;

  constructor(arena: Arena, spans: SpanTable) {
    this.#arena = arena;
    this.#spans = spans;
  }

  /** The arena's memory if [p, p + bytes) is in a live object; null if `p` is not in the arena; else throws. */
  memoryAt(p: Pointer, bytes: number): Memory | null {
    const { start, used, pageInfo, pageSpan } = this.#arena;
    if (p < start || p >= used) return null;
    const page = Math.floor((p - start) / PAGE_BYTES);
    if (pageInfo[page] === HOLE) return null;
    const span = pageSpan[page];
    if (pageInfo[page] < 0) {
      const wasFreed = span !== 0 && this.#spans.ints[span + STATE] === FENCED;
      throw fault(
        p,
        bytes,
        wasFreed ? `in ${this.#object(span)}, which was freed` : "in no object",
      );
    }
    const base = this.#arena.pageAddress(this.#spans.ints[span + START]);
    if (p + bytes <= base + this.#spans.limitBytes(span)) return this.#arena.memoryAt(p);
    throw fault(p, bytes, `beyond the end of ${this.#object(span)}`);
  }

  #object(span: number): string {
    const base = this.#arena.pageAddress(this.#spans.ints[span + START]);
    return `the object of ${this.#spans.limitBytes(span)} bytes at 0x${base.toString(16)}`;
  }
}

function fault(p: Pointer, bytes: number, where: string): GoThrow {
  return new GoThrow(
    `unexpected fault address 0x${p.toString(16)}: fault: access to ${bytes} bytes ${where}`,
  );
}
