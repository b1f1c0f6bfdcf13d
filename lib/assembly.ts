/**
 * How the parts of a heap are put together, floor by floor.
 *
 * ```
 *   doors        malloc ──────────────┐              collector ── marker ── roots
 *                  │                  │                  │            finalizers
 *   spans  cache ── central lists ── page heap ◀── sweep ─┘
 *   memory         └──────── arena (memory, bitmap, page tables) ── address space
 * ```
 *
 * Where a lower part has to call a higher one (an allocation starts a collection, the page heap wants spans
 * swept), it is given a function here. What a heap was not asked for (traces, hooks, a fence) is not put in. If the
 * address space refuses anything on the way, all that was taken goes back.
 *
 * @module
 */

import { Arena } from "./arena/arena.ts";
import { FixAlloc } from "./arena/fix_alloc.ts";
import { PersistentMemory } from "./arena/persistent.ts";
import { ProgramImage } from "./arena/program_image.ts";
import { makeStats, MCACHE_SYS } from "./arena/stats.ts";
import { SystemMemory } from "./arena/system_memory.ts";
import { DebugMalloc } from "./debug_malloc.ts";
import { Door } from "./door.ts";
import { Fence } from "./fence.ts";
import { CheckMark } from "./gc/check_mark.ts";
import { Collector } from "./gc/collector.ts";
import { FinalizerQueue } from "./gc/finalizer_queue.ts";
import { Finalizers } from "./gc/finalizers.ts";
import { HeapGraph } from "./gc/heap_graph.ts";
import { Marker } from "./gc/marker.ts";
import { Pacer } from "./gc/pacer.ts";
import { RootScan } from "./gc/root_scan.ts";
import { Roots } from "./gc/roots.ts";
import { Specials } from "./gc/specials.ts";
import { Sweep } from "./gc/sweep.ts";
import { World } from "./gc/world.ts";
import { WriteBarrier } from "./gc/write_barrier.ts";
import { centralLists } from "./gccgo/central.ts";
import { finalizerRules } from "./gccgo/finalizer_rules.ts";
import { makeGccgo } from "./gccgo/gccgo.ts";
import { AllocationTrace } from "./inspect/allocation_trace.ts";
import type { HeapParts } from "./inspect/heap_parts.ts";
import { MemProfiler } from "./inspect/mem_profile.ts";
import { TypeRecords } from "./inspect/type_records.ts";
import { freedHook, traceCollections, watchOf } from "./inspect/tracing.ts";
import { Lookup } from "./lookup.ts";
import { Malloc } from "./malloc.ts";
import { MemoryAccess } from "./memory_access.ts";
import { type CheckedOptions, monotonicNs } from "./options.ts";
import { type AddressSpace, SharedAddressSpace } from "./platform/address_space.ts";
import { goRecordBytes } from "./platform/go_records.ts";
import { Pools } from "./pool.ts";
import { ProfileSampler } from "./profile_sampler.ts";
import { Cache } from "./spans/cache.ts";
import { FreeLists } from "./spans/free_list.ts";
import { PageHeap } from "./spans/page_heap.ts";
import { FAST_TIMES, GCCGO_TIMES, GO_TIMES, Scavenger } from "./spans/scavenger.ts";
import { NUM_SIZE_CLASSES } from "./spans/size_classes.ts";
import { SpanTable } from "./spans/span_table.ts";
import { TypeTable } from "./types/type_table.ts";
import { TypedCopy } from "./typed_copy.ts";

/** All parts of a heap that its doors lead to. */
export interface Assembly extends HeapParts {
  readonly types: TypeTable;
  readonly door: Door;
  readonly scavenger: Scavenger;
  readonly roots: Roots;
  readonly finalizers: Finalizers;
  readonly malloc: Pick<Malloc, "mallocgc" | "newobject" | "newarray" | "rawmem" | "deferType">;
  readonly memory: MemoryAccess;
  readonly lookup: Lookup;
  readonly typedCopy: TypedCopy;
  readonly pools: Pools;
  /** Gives all memory back. */
  release(): void;
}

/** Puts a heap together; throws if the address space has no place for it. */
export function assemble(options: CheckedOptions): Assembly {
  using undo = new DisposableStack();
  const memory = takeMemory(options, undo);
  const spans = makeSpans(options, memory);
  const gc = makeCollector(options, memory, spans);
  const doors = makeDoors(options, memory, spans, gc);
  const taken = undo.move();
  return { ...memory, ...spans, ...gc, ...doors, release: () => taken.dispose() };
}

type MemoryParts = ReturnType<typeof takeMemory>;
type SpanParts = ReturnType<typeof makeSpans>;
type GCParts = ReturnType<typeof makeCollector>;

function isOn({ debug }: CheckedOptions, setting: string): boolean {
  return (debug.get(setting) ?? 0) > 0;
}

function takeMemory(options: CheckedOptions, undo: DisposableStack) {
  const { platform, limitBytes } = options;
  const space: AddressSpace = options.addressSpace ??
    undo.use(new SharedAddressSpace({ limitBytes }));
  const stats = makeStats(NUM_SIZE_CLASSES);
  const arena = new Arena(platform, space, stats, limitBytes);
  const system = new SystemMemory(platform, space);
  undo.defer(() => (system.release(), arena.release()));
  const image = new ProgramImage(system);
  const persistent = new PersistentMemory(system, stats);
  new FixAlloc(goRecordBytes(platform).cache, persistent, MCACHE_SYS).alloc();
  const maxGCMask = options.debug.get("maxgcmask");
  const types = new TypeTable(platform, (bytes) => image.typeAddress(bytes), maxGCMask);
  return { stats, arena, image, persistent, types };
}

function makeSpans(options: CheckedOptions, { arena, persistent, stats }: MemoryParts) {
  const spans = new SpanTable(options.platform, persistent);
  const freeLists = new FreeLists(arena, spans);
  const pageHeap = new PageHeap(arena, spans, freeLists, stats);
  const central = centralLists(options.compiler, spans, freeLists, pageHeap);
  const cache = new Cache(arena, spans, freeLists, central);
  pageHeap.local = cache;
  const door = new Door(cache);
  const clock = options.clock === monotonicNs ? monotonicNs : door.guard("clock", options.clock, 0);
  pageHeap.isFenced = isOn(options, "efence");
  const times = options.compiler === "gc" ? GO_TIMES : GCCGO_TIMES;
  const scavenger = new Scavenger(pageHeap, clock, isOn(options, "scavenge") ? FAST_TIMES : times);
  pageHeap.time = scavenger;
  return { spans, freeLists, pageHeap, central, cache, door, clock, scavenger };
}

function makeCollector(options: CheckedOptions, memory: MemoryParts, spanParts: SpanParts) {
  const { platform, compiler, gcPercent, minHeapBytes } = options;
  const { arena, image, persistent, stats, types } = memory;
  const { spans, pageHeap, cache, clock } = spanParts;
  const pacer = new Pacer({ gcPercent, minHeapBytes, stats, cache, clock });
  const specials = new Specials(platform, spans, persistent);
  const sweep = new Sweep({ ...memory, ...spanParts, specials, pacer });
  pageHeap.sweeper = sweep;

  const queue = new FinalizerQueue(image.memory, persistent, platform, compiler);
  const roots = new Roots(image, platform.pointerBytes);
  const marker = new Marker(arena, spans, stats, options);
  const barrier = new WriteBarrier(arena.memory, cache, marker);
  roots.barrier = barrier;
  const world = new World([pageHeap.lock, persistent.lock]);
  const rootParts = { arena, spans, image, cache, roots, specials, queue, marker };
  const graph = new HeapGraph(rootParts);
  const checkMark = new CheckMark(arena, spans, graph, marker);
  const rootScan = new RootScan(rootParts);

  const lookup = new Lookup(arena, spans, cache, stats, pacer, platform.pointerBytes);
  const typeOwner = types;
  const rules = finalizerRules(compiler, { arena, image, typeOwner, finder: lookup });
  const finalizerParts = { arena, spans, specials, queue, sweep, barrier, typeOwner, rules };
  const finalizers = new Finalizers({ ...finalizerParts, finder: lookup });
  const parts = { ...rootParts, finalizers, sweep, pacer, world, barrier, rootScan, checkMark };
  const collector = new Collector({
    ...parts,
    pageHeap,
    stats,
    clock,
    policy: options.collect,
    // gccgo's objects that are never freed, and its tables of types, are marked with the world stopped.
    maySlice: compiler === "gc",
    markBudgetMicros: options.markBudgetMicros,
    passes: (options.debug.get("gctrace") ?? 0) > 1 ? 2 : 1,
    stress: isOn(options, "gcstress"),
  });
  return { ...parts, lookup, collector };
}

function makeDoors(
  options: CheckedOptions,
  memory: MemoryParts,
  spanParts: SpanParts,
  gc: GCParts,
) {
  const { arena, image, types } = memory;
  const { spans, door, scavenger } = spanParts;
  const { collector, sweep, finalizers, barrier } = gc;
  spans.onCorrupted = (message) => {
    door.shut(`was found to be corrupted: ${message}`);
    collector.stop();
  };
  const pools = new Pools();
  collector.cycle.pools.push(() => pools.clear());

  const trace = door.guard("trace", options.trace, undefined);
  const allocationTrace = isOn(options, "allocfreetrace") ? new AllocationTrace(trace) : null;
  sweep.hooks = {
    queueFinalizer: (data, p) => finalizers.queue(data, p),
    freeSample: (data) => profiler.free(data),
    freed: freedHook(arena, allocationTrace, isOn(options, "gcstress")),
  };
  if (allocationTrace !== null) {
    collector.cycle.onCollecting = () => allocationTrace.collecting();
  }

  const isFenced = isOn(options, "efence");
  const zeroBase = image.zeroBase;
  const mallocParts = { ...memory, ...spanParts, ...gc, typeOwner: types, zeroBase };
  const recordsTypes = options.recordTypes && options.compiler === "gc";
  const typeRecords = recordsTypes ? new TypeRecords(arena) : null;
  const watch = watchOf(door, options.race, finalizers, [typeRecords, allocationTrace]);
  const malloc = watch !== null || isFenced
    ? new DebugMalloc(mallocParts, watch, isFenced)
    : new Malloc(mallocParts);
  malloc.hooks = {
    collectionDue: (p) => collector.collectionDue(p),
    bornBlack: (p, isDirty) => barrier.bornBlack(p, isDirty),
    requireOpen: () => door.requireOpen(),
    adviseOutOfMemory: () => adviseOutOfMemory(collector),
  };
  const sampler = new ProfileSampler(spanParts.cache, options.compiler);
  const profiler = new MemProfiler({ ...mallocParts, malloc, sampler });
  profiler.rate = options.memProfileRate;
  collector.cycle.onEnd = (isEager) => profiler.collected(isEager);
  const gccgo = makeGccgo(options, { ...mallocParts, malloc });
  const fence = isFenced ? new Fence(arena, spans) : null;
  if (isOn(options, "gctrace")) {
    const parts = { ...memory, ...spanParts, ...gc, typeRecords, gccgo, profiler };
    traceCollections(parts, collector, finalizers, scavenger, trace);
  }
  return {
    gccgo,
    profiler,
    typeRecords,
    pools,
    malloc: gccgo?.malloc ?? malloc,
    memory: new MemoryAccess(arena, image, barrier, fence),
    typedCopy: new TypedCopy(arena, image, barrier, fence),
  };
}

function adviseOutOfMemory(collector: Collector): string {
  return collector.isRequested
    ? " (a collection is due: call safepoint() in a loop that allocates, or await)"
    : "";
}
