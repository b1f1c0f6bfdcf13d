/**
 * MemStats: what a heap tells of itself, field by field as Go 1.4's runtime.MemStats.
 *
 * @module
 */

/** Statistics of one size class. */
export interface SizeClassStats {
  /** Block size, in bytes. */
  readonly Size: number;
  /** Blocks ever allocated. */
  readonly Mallocs: number;
  /** Blocks ever freed. */
  readonly Frees: number;
}

/**
 * The statistics of a heap, as Go 1.4's `runtime.MemStats` has them; sizes in bytes, times in ns.
 *
 * @example Sys is the sum of its parts
 * ```ts
 * import { GoHeap } from "@goheap/goheap";
 * import { assertEquals } from "@std/assert";
 *
 * using heap = new GoHeap();
 * heap.newobject(heap.types.int64);
 * const m = heap.ReadMemStats();
 * assertEquals(
 *   m.Sys,
 *   m.HeapSys + m.StackSys + m.MSpanSys + m.MCacheSys + m.BuckHashSys + m.GCSys + m.OtherSys,
 * );
 * ```
 */
export interface MemStats {
  /** Bytes allocated and not yet freed. */
  readonly Alloc: number;
  /** Bytes ever allocated. */
  readonly TotalAlloc: number;
  /** Bytes obtained from the system: the sum of the Sys figures. */
  readonly Sys: number;
  /** Pointer lookups. */
  readonly Lookups: number;
  /** Objects ever allocated. */
  readonly Mallocs: number;
  /** Objects ever freed. */
  readonly Frees: number;
  /** The same as Alloc. */
  readonly HeapAlloc: number;
  /** Bytes of the arena in use or free. */
  readonly HeapSys: number;
  /** Bytes in free spans. */
  readonly HeapIdle: number;
  /** Bytes in spans that are in use. */
  readonly HeapInuse: number;
  /** Bytes of free spans given back to the host; growable buffers keep them, so this is accounting only. */
  readonly HeapReleased: number;
  /** Objects allocated and not yet freed. */
  readonly HeapObjects: number;
  /** Bytes of stacks taken from the heap: none here. */
  readonly StackInuse: number;
  /** Bytes obtained for stacks: none here. */
  readonly StackSys: number;
  /** Bytes of span records in use, as Go's are large. */
  readonly MSpanInuse: number;
  /** Bytes obtained for span records. */
  readonly MSpanSys: number;
  /** Bytes of threads' caches in use, as Go's are large. */
  readonly MCacheInuse: number;
  /** Bytes obtained for caches. */
  readonly MCacheSys: number;
  /** Bytes of the memory profile's buckets. */
  readonly BuckHashSys: number;
  /** Bytes of the collector: bitmap, queues. */
  readonly GCSys: number;
  /** Everything else. */
  readonly OtherSys: number;
  /** HeapAlloc at which the next collection starts. */
  readonly NextGC: number;
  /** When the last collection ended, in ns since 1970 (exact to some 256 ns). */
  readonly LastGC: number;
  /** Time spent in pauses. */
  readonly PauseTotalNs: number;
  /** Ring of the last 256 pauses; the newest is at [(NumGC + 255) % 256]. */
  readonly PauseNs: readonly number[];
  /** When they ended, in ns since 1970. */
  readonly PauseEnd: readonly number[];
  /** Collections so far. */
  readonly NumGC: number;
  /** Always true. */
  readonly EnableGC: boolean;
  /** Always false. */
  readonly DebugGC: boolean;
  /** By size class; entry 0 is empty, and there are 61, as in Go 1.4. */
  readonly BySize: readonly SizeClassStats[];
}
