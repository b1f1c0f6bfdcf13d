/**
 * A heap that follows gccgo, its inside, and what tests ask of both.
 *
 * @module
 */

import type { Gccgo } from "../../lib/gccgo/gccgo.ts";
import { partsOf } from "../../lib/go_heap.ts";
import { PAGE_BYTES } from "../../lib/platform/platform.ts";
import { COMPRESSION } from "../../lib/spans/span_record.ts";
import { type GoHeapOptions, type Pointer, SharedAddressSpace } from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";

/** Makes a heap that follows gccgo, as a small program has it. */
export function gccgoHeap(options: GoHeapOptions = {}): GoHeap {
  return new GoHeap({ platform: "linux/amd64", compiler: "gccgo", ...options });
}

/** The inside of such a heap. */
export function gccgoOf(heap: GoHeap): Gccgo {
  return partsOf(heap).gccgo!;
}

/** The span record of the object at `p`. */
export function spanOf(heap: GoHeap, p: Pointer): number {
  const { arena } = partsOf(heap);
  return arena.pageSpan[Math.floor((p - arena.start) / PAGE_BYTES)];
}

/** How the span of the object at `p` keeps the types of its blocks. */
export function compressionOf(heap: GoHeap, p: Pointer): number {
  return partsOf(heap).spans.ints[spanOf(heap, p) + COMPRESSION];
}

/** The table, or the type word, that the span of the object at `p` has. */
export function typesDataOf(heap: GoHeap, p: Pointer): number {
  return partsOf(heap).spans.typesData(spanOf(heap, p));
}

/** Objects that the heap counts. */
export function objects(heap: GoHeap): number {
  return heap.ReadMemStats().HeapObjects;
}

/** Shared buffers that can be full, and that say when they are asked for more. */
export class WatchedSpace extends SharedAddressSpace {
  /** Refuses to map any more. */
  isFull = false;
  /** Called before anything is mapped. */
  onMap: () => void = () => {};

  override map(address: Pointer, bytes: number): boolean {
    this.onMap();
    return !this.isFull && super.map(address, bytes);
  }
}
