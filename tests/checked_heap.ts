/**
 * A heap that checks each of its collections: when everything is marked and nothing is swept yet, a second marking
 * goes from the same roots (gc/check_mark.ts), and throws if it reaches a block that the first one has not. Unlike
 * GCcheckmarkenable it counts for nothing, so that all figures are those of a heap without it.
 *
 * Tests take it under the heap's own name: `import { CheckedHeap as GoHeap } from "./checked_heap.ts"`.
 *
 * @module
 */

import { partsOf } from "../lib/go_heap.ts";
import { GoHeap, type GoHeapOptions } from "../mod.ts";

/** See the head of the module. */
export class CheckedHeap extends GoHeap {
  constructor(options?: GoHeapOptions) {
    super(options);
    const { checkMark, collector: { cycle } } = partsOf(this);
    const { onCollected } = cycle;
    cycle.onCollected = (report) => {
      checkMark.check();
      onCollected?.(report);
    };
  }
}
