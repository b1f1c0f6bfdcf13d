/**
 * The doors of a heap to its memory profile.
 *
 * @module
 */

import { requireInteger } from "../errors.ts";
import { GccgoDoors } from "../gccgo/doors.ts";
import type { HeapParts } from "./heap_parts.ts";
import type { MemProfile } from "./mem_profile.ts";
import { readMemStats } from "./read_mem_stats.ts";

/** Tells doors what is behind them; `open` throws if the heap is not to be used. */
export let openProfile: (doors: ProfileDoors, open: () => HeapParts) => void;

/** What a heap can do about its memory profile. */
export class ProfileDoors extends GccgoDoors {
  #open!: () => HeapParts;

  static {
    openProfile = (doors, open) => {
      doors.#open = open;
    };
  }

  /**
   * Bytes between two samples of the memory profile, on average: 0 for none, 1 for every block. Setting it begins
   * to count anew; samples that were taken stay. Seeds' MemProfileRate, the option `memProfileRate`.
   *
   * Throws a RangeError if it is set to anything but an integer from 0 on.
   *
   * @example What one part of a program allocates
   * ```ts
   * import { FlagNoScan, GoHeap } from "@goheap/goheap";
   * import { assertEquals } from "@std/assert";
   *
   * using heap = new GoHeap();
   * heap.rawmem(100);
   * heap.MemProfileRate = 1;
   * heap.mallocgc(1000, null, FlagNoScan);
   * heap.MemProfileRate = 0;
   * heap.rawmem(100);
   * assertEquals(heap.memProfile().records.map(({ allocBytes }) => allocBytes), [1024]);
   * ```
   */
  get MemProfileRate(): number {
    return this.#open().profiler.rate;
  }

  set MemProfileRate(rate: number) {
    this.#open().profiler.rate = requireInteger("MemProfileRate", rate, 0);
  }

  /**
   * The memory profile: the sampled blocks by the stacks that allocated them, as of the last collection but one, or
   * of the last one if that was `GC()`; before the first collection, as of now. Seeds' MemProfile.
   *
   * The stacks of samples taken since the last reading are told apart now, which takes some 50 us a sample.
   * `heapProfileText` and `heapProfileProto` write a profile for other tools.
   *
   * @example Who holds the memory
   * ```ts
   * import { GoHeap } from "@goheap/goheap";
   * import { assertEquals } from "@std/assert";
   *
   * using heap = new GoHeap({ memProfileRate: 1 });
   * const { types } = heap;
   * function makeTable() {
   *   return heap.ref(heap.newarray(types.int64, 100));
   * }
   * using table = makeTable();
   * heap.newobject(types.int64);
   * heap.GC();
   * const [{ inuseObjects, inuseBytes, stack }] = heap.memProfile().records;
   * assertEquals([inuseObjects, inuseBytes, stack[0].function], [1, 896, "makeTable"]);
   * ```
   */
  memProfile(): MemProfile {
    const parts = this.#open();
    return parts.profiler.read(() => readMemStats(parts));
  }
}
