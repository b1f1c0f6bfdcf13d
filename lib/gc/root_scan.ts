/**
 * The scan of the roots: greys all that is reachable in one step from outside the heap.
 *
 * The order is that of the seeds: global variables, objects that wait for their finalizer, what objects with
 * a finalizer refer to, frames, references. There may be a million of each, so the scan can stop anywhere
 * between two small pieces and go on later.
 *
 * A root that was scanned is never looked at again, though the program goes on storing into it: the write
 * barrier has seen every store since the scan began, and a root made since then began as nil, or was shaded
 * (see write_barrier.ts).
 *
 * @module
 */

import type { Arena } from "../arena/arena.ts";
import type { ProgramImage } from "../arena/program_image.ts";
import * as sizeClasses from "../spans/size_classes.ts";
import * as spanRecord from "../spans/span_record.ts";
import type { SpanTable } from "../spans/span_table.ts";
import type { FinalizerQueue } from "./finalizer_queue.ts";
import type { Marker } from "./marker.ts";
import type { Roots } from "./roots.ts";
import type { Slice } from "./slice.ts";
import * as specialRecord from "./special_record.ts";
import type { Specials } from "./specials.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { RECIPROCAL, RECIPROCAL_SHIFT } = sizeClasses;
const { CLASS, IN_USE, NO_SCAN, STATE } = spanRecord;
const { KIND, KIND_FINALIZER, NEXT, OFFSET } = specialRecord;

/** Roots that are looked at in one piece. */
const PIECE = 512;

/** The scan of one heap's roots. See the head of the module. */
export class RootScan {
  /** Called before any root is looked at; it may mark and grey more. Only heaps that never collect in slices set it. */
  onBegin: (() => void) | null = null;
  readonly #arena: Arena;
  readonly #spans: SpanTable;
  readonly #image: ProgramImage;
  readonly #roots: Roots;
  readonly #specials: Specials;
  readonly #queue: FinalizerQueue;
  readonly #marker: Marker;
  #rest: Generator<number, void> | null = null;

  constructor(parts: {
    arena: Arena;
    spans: SpanTable;
    image: ProgramImage;
    roots: Roots;
    specials: Specials;
    queue: FinalizerQueue;
    marker: Marker;
  }) {
    this.#arena = parts.arena;
    this.#spans = parts.spans;
    this.#image = parts.image;
    this.#roots = parts.roots;
    this.#specials = parts.specials;
    this.#queue = parts.queue;
    this.#marker = parts.marker;
  }

  /** Begins with the first root. */
  begin(): void {
    this.onBegin?.();
    this.#rest = this.#scan();
  }

  /** Goes on within `slice`; true if there are no more roots. */
  advance(slice: Slice): boolean {
    for (;;) {
      const units = this.#rest?.next().value;
      this.#marker.flush();
      if (units === undefined) {
        this.#rest = null;
        return true;
      }
      if (!slice.spend(units)) return false;
    }
  }

  /** Greys the roots piece by piece; yields how many a piece had. */
  *#scan(): Generator<number, void> {
    yield* this.#globals();
    yield* this.#queued();
    yield* this.#finalizable();
    yield* this.#frames();
    yield* this.#references();
  }

  *#globals(): Generator<number, void> {
    const { memory } = this.#image;
    for (const { address, type } of this.#roots.globals) {
      const words = Math.floor(type.size / this.#arena.platform.pointerBytes);
      for (let from = 0; from < words; from += PIECE) {
        const to = Math.min(from + PIECE, words);
        this.#marker.greyVariable(memory, address, type, from, to);
        yield to - from;
      }
    }
  }

  *#queued(): Generator<number, void> {
    yield* this.#queue.visitBlocks((argument) => this.#marker.grey(argument));
  }

  /** An object with a finalizer keeps alive what it refers to, though not itself. */
  *#finalizable(): Generator<number, void> {
    if (this.#specials.count(KIND_FINALIZER) === 0) return;
    let units = 0;
    for (let i = 0; i < this.#spans.made; i++) {
      const span = this.#spans.handle(i);
      units++;
      if (this.#spans.ints[span + STATE] === IN_USE && this.#specials.has(span)) {
        units += 4 * this.#greyFinalizable(span);
      } else if (units < PIECE) {
        continue;
      }
      yield units;
      units = 0;
    }
  }

  /** Greys what the objects with a finalizer in a span refer to; returns how many specials it has. */
  #greyFinalizable(span: number): number {
    // An object without pointers keeps nothing alive.
    if (this.#spans.ints[span + NO_SCAN] !== 0) return 0;
    const { ints } = this.#specials;
    const cls = this.#spans.ints[span + CLASS];
    let count = 0;
    for (let special = this.#specials.first(span); special !== 0; special = ints[special + NEXT]) {
      count++;
      if (ints[special + KIND] !== KIND_FINALIZER) continue;
      // A large object is block 0: the reciprocal of its class is 0.
      const block = Math.imul(ints[special + OFFSET] >>> 3, RECIPROCAL[cls]) >>>
        RECIPROCAL_SHIFT[cls];
      this.#marker.greyReferents(span, block);
    }
    return count;
  }

  *#frames(): Generator<number, void> {
    const { pointerBytes } = this.#arena.platform;
    const { memory } = this.#image;
    for (let from = 0; from < this.#roots.stackSlots; from += PIECE) {
      const first = (this.#roots.stackBase - memory.base) / 4;
      const to = Math.min(from + PIECE, this.#roots.stackSlots);
      for (let slot = from; slot < to; slot++) {
        const at = first + (slot * pointerBytes) / 4;
        const high = pointerBytes === 8 ? memory.u32[at + 1] : 0;
        this.#marker.grey(memory.u32[at] + high * 2 ** 32);
      }
      yield to - from;
    }
  }

  *#references(): Generator<number, void> {
    if (this.#roots.pinned !== 0) this.#marker.grey(this.#roots.pinned);
    for (let from = 0; from < this.#roots.referencesMade; from += PIECE) {
      const to = Math.min(from + PIECE, this.#roots.referencesMade);
      for (let slot = from; slot < to; slot++) {
        const p = this.#roots.reference(slot);
        if (p > 0) this.#marker.grey(p);
      }
      yield to - from;
    }
  }
}
