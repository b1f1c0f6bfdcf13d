/**
 * The parts of a heap that statistics, snapshots and checks are read from.
 *
 * @module
 */

import type { Arena } from "../arena/arena.ts";
import type { PersistentMemory } from "../arena/persistent.ts";
import type { CheckMark } from "../gc/check_mark.ts";
import type { Collector } from "../gc/collector.ts";
import type { FinalizerQueue } from "../gc/finalizer_queue.ts";
import type { Finalizers } from "../gc/finalizers.ts";
import type { Gccgo } from "../gccgo/gccgo.ts";
import type { Marker } from "../gc/marker.ts";
import type { Pacer } from "../gc/pacer.ts";
import type { ProgramImage } from "../arena/program_image.ts";
import type { Roots } from "../gc/roots.ts";
import type { Specials } from "../gc/specials.ts";
import type { Sweep } from "../gc/sweep.ts";
import type { World } from "../gc/world.ts";
import type { WriteBarrier } from "../gc/write_barrier.ts";
import type { Cache } from "../spans/cache.ts";
import type { FreeLists } from "../spans/free_list.ts";
import type { SpanTable } from "../spans/span_table.ts";
import type { TypeTable } from "../types/type_table.ts";
import type { MemProfiler } from "./mem_profile.ts";
import type { TypeRecords } from "./type_records.ts";

/** What a heap is put together from, as far as it is looked at from outside. */
export interface HeapParts {
  readonly arena: Arena;
  readonly spans: SpanTable;
  readonly freeLists: FreeLists;
  readonly cache: Cache;
  readonly specials: Specials;
  readonly pacer: Pacer;
  readonly world: World;
  readonly barrier: WriteBarrier;
  readonly marker: Marker;
  readonly checkMark: CheckMark;
  readonly collector: Collector;
  readonly persistent: PersistentMemory;
  readonly profiler: MemProfiler;
  readonly stats: Float64Array;
  /** What only a heap that follows gccgo has. */
  readonly gccgo: Gccgo | null;
  readonly image: ProgramImage;
  readonly types: TypeTable;
  readonly roots: Roots;
  readonly queue: FinalizerQueue;
  readonly finalizers: Finalizers;
  readonly sweep: Sweep;
  /** Null if the heap does not record types. */
  readonly typeRecords: TypeRecords | null;
}
