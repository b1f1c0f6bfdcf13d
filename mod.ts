/**
 * goheap: Go's memory allocator and garbage collector, over linear memory that the program owns.
 *
 * @example An object, a root, a collection
 * ```ts
 * import { GoHeap } from "@goheap/goheap";
 * import { assertEquals } from "@std/assert";
 *
 * using heap = new GoHeap();
 * const { types } = heap;
 * const point = types.struct("main.Point", { x: types.float64, y: types.float64 });
 *
 * const root = heap.global(types.pointer(point));
 * heap.storePointer(root, heap.newobject(point));
 * heap.storeFloat64(heap.loadPointer(root), 1.5);
 * heap.GC();
 * assertEquals(heap.loadFloat64(heap.loadPointer(root)), 1.5);
 * ```
 *
 * @module
 */

export { type SysStat } from "./lib/arena/stats.ts";
export { GoPanic, GoThrow } from "./lib/errors.ts";
export { Frame, Ref } from "./lib/frame.ts";
export type { CollectPolicy } from "./lib/gc/collector.ts";
export type { FinalizerCycle, FinalizerCycleObject } from "./lib/inspect/finalizer_cycles.ts";
export type { Eface, ObjectPlace } from "./lib/gc/finalizer_rules.ts";
export type { RecordedType } from "./lib/gccgo/span_types.ts";
export { GccgoDoors } from "./lib/gccgo/doors.ts";
export { TypeInfo } from "./lib/gccgo/type_info.ts";
export { GoHeap } from "./lib/go_heap.ts";
export type { GraphRoot } from "./lib/inspect/graph_builder.ts";
export { HeapDump } from "./lib/inspect/heap_dump.ts";
export {
  type DumpAllocSample,
  type DumpBucket,
  type DumpDefer,
  type DumpField,
  type DumpFinalizer,
  type DumpFrame,
  type DumpGoroutine,
  type DumpItab,
  type DumpMemStats,
  type DumpObject,
  type DumpOtherRoot,
  type DumpPanic,
  type DumpParams,
  type DumpSegment,
  type DumpThread,
  type DumpType,
  HeapDumpError,
} from "./lib/inspect/heap_dump_format.ts";
export { heapProfileProto } from "./lib/inspect/heap_profile_proto.ts";
export { heapProfileText } from "./lib/inspect/heap_profile_text.ts";
export type { MemProfile, MemProfileRecord } from "./lib/inspect/mem_profile.ts";
export type { MemStats, SizeClassStats } from "./lib/inspect/mem_stats.ts";
export {
  type Dominators,
  type GraphObject,
  type GraphPath,
  type MaskTally,
  ObjectGraph,
  type ObjectTally,
  type PathStep,
  type RetainingRoot,
  type TypeTally,
} from "./lib/inspect/object_graph.ts";
export type { ObserveOptions } from "./lib/inspect/observe.ts";
export { ProfileDoors } from "./lib/inspect/profile_doors.ts";
export type { ProfileFrame } from "./lib/inspect/profile_stacks.ts";
export type {
  HeapSnapshot,
  Runs,
  SnapshotFencedSpan,
  SnapshotFreeSpan,
  SnapshotInUseSpan,
  SnapshotStats,
} from "./lib/inspect/snapshot.ts";
export { FlagNoGC, FlagNoInvokeGC, FlagNoProfiling, FlagNoScan, FlagNoZero } from "./lib/flags.ts";
export type { GoHeapOptions } from "./lib/options.ts";
export type { RaceHooks } from "./lib/race_hooks.ts";
export {
  type AddressSpace,
  type MemoryWindow,
  SharedAddressSpace,
} from "./lib/platform/address_space.ts";
export { Pool } from "./lib/pool.ts";
export { add } from "./lib/platform/pointer.ts";
export type { Platform, Pointer } from "./lib/platform/platform.ts";
export { type GoField, type GoMethod, GoType, Kind } from "./lib/types/go_type.ts";
export type { Itab } from "./lib/types/itab.ts";
export { PointerMap } from "./lib/types/pointer_map.ts";
export {
  type Fields,
  type Methods,
  type NamedTypeOptions,
  type OfItself,
  TypeTable,
} from "./lib/types/type_table.ts";
