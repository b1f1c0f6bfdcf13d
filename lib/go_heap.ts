/**
 * GoHeap: the public face. Each method is a door to one of the parts, which assembly.ts puts together.
 *
 * @module
 */

import type { SysStat } from "./arena/stats.ts";
import { sysStat } from "./arena/stats.ts";
import { assemble, type Assembly } from "./assembly.ts";
import { badArgument, requireInteger } from "./errors.ts";
import { Frame, Ref } from "./frame.ts";
import type { Eface, ObjectPlace } from "./gc/finalizer_rules.ts";
import { openGccgo } from "./gccgo/doors.ts";
import { type FinalizerCycle, findFinalizerCycles } from "./inspect/finalizer_cycles.ts";
import { heapDump } from "./inspect/heap_dump_writer.ts";
import type { HeapParts } from "./inspect/heap_parts.ts";
import { liveGraph } from "./inspect/live_graph.ts";
import { LiveHeap } from "./inspect/live_heap.ts";
import type { MemStats } from "./inspect/mem_stats.ts";
import { readMemStats } from "./inspect/read_mem_stats.ts";
import type { ObjectGraph } from "./inspect/object_graph.ts";
import { type ObserveOptions, Observers } from "./inspect/observe.ts";
import { openProfile, ProfileDoors } from "./inspect/profile_doors.ts";
import { type HeapSnapshot, snapshot } from "./inspect/snapshot.ts";
import { verify } from "./inspect/verify.ts";
import { checkGCPercent, checkOptions, type GoHeapOptions } from "./options.ts";
import type { Platform, Pointer } from "./platform/platform.ts";
import type { Pool } from "./pool.ts";
import { roundupsize } from "./spans/size_classes.ts";
import type { GoType } from "./types/go_type.ts";
import type { TypeTable } from "./types/type_table.ts";

/** The inside of a heap, for tests and tools of this project; nothing of it is public. */
export let partsOf: (heap: GoHeap) => HeapParts;

/** What the constructor has put together, while the fields of the new heap begin with it. */
let assembled: Assembly | null = null;

/**
 * A heap with Go's allocator and garbage collector, in memory that the program owns.
 *
 * @example A linked list that survives, and garbage that does not
 * ```ts
 * import { GoHeap } from "@goheap/goheap";
 * import { assertEquals } from "@std/assert";
 *
 * using heap = new GoHeap();
 * const { types } = heap;
 * const node = types.struct("main.Node", (self) => ({ next: types.pointer(self), value: types.int64 }));
 *
 * const list = heap.global(types.pointer(node)); // a root
 * for (let i = 0; i < 1000; i++) {
 *   const p = heap.newobject(node);
 *   heap.storePointer(p, heap.loadPointer(list));
 *   heap.storePointer(list, p);
 *   heap.newobject(node); // nobody keeps this one
 * }
 * heap.GC();
 * assertEquals(heap.ReadMemStats().HeapObjects, 1000);
 * ```
 */
export class GoHeap extends ProfileDoors {
  /** The platform whose addresses and layouts the heap has. */
  readonly platform: Platform;
  /** Makes type descriptors for this heap. */
  readonly types: TypeTable;

  readonly #parts = assembled!;
  // These three are on every path that has to be fast, so they are never undefined: see docs/performance.md.
  readonly #malloc = assembled!.malloc;
  readonly #memory = assembled!.memory;
  readonly #finalizers = assembled!.finalizers;
  readonly #observers = new Observers();
  #isDisposed = false;

  static {
    partsOf = (heap) => heap.#parts;
  }

  /** Makes an empty heap; throws if an option is bad or the address space has no place for it. */
  constructor(options: GoHeapOptions = {}) {
    const checked = checkOptions(options);
    const parts = assemble(checked);
    assembled = parts;
    super();
    assembled = null;
    this.platform = checked.platform;
    this.types = parts.types;
    openGccgo(this, () => (this.#requireOpen(), parts.gccgo));
    openProfile(this, () => (this.#requireOpen(), parts));
  }

  /**
   * Returns the address of a new object of `size` bytes, zeroed unless FlagNoZero is given, whose pointers
   * are where `type` has them, repeated over the size. Seeds' mallocgc. The flags are those of `FlagNoScan` and its
   * neighbours, added up; 0 if they are left out.
   *
   * Throws a GoThrow if memory has run out, or if there is neither a type nor FlagNoScan.
   *
   * @example Bytes without pointers
   * ```ts
   * import { FlagNoScan, GoHeap } from "@goheap/goheap";
   * import { assertEquals } from "@std/assert";
   *
   * using heap = new GoHeap();
   * const p = heap.mallocgc(100, null, FlagNoScan);
   * assertEquals(heap.findObject(p)?.size, 112);
   * ```
   */
  mallocgc(size: number, type: GoType | null, flags?: number): Pointer {
    // No default here: without one this has 26 bytes of bytecode, and up to 27 V8 always inlines.
    return this.#malloc.mallocgc(size, type, flags);
  }

  /**
   * The type of the record that Go makes for a deferred call, `runtime._defer`; seeds' deferType. In an allocation
   * of more bytes than it has, what lies behind the record, the call's arguments, is not scanned.
   *
   * @example A record with room for three arguments
   * ```ts
   * import { GoHeap } from "@goheap/goheap";
   * import { assertEquals } from "@std/assert";
   *
   * using heap = new GoHeap({ platform: "linux/amd64" });
   * const type = heap.deferType();
   * using record = heap.ref(heap.mallocgc(type.size + 24, type));
   * heap.storePointer(record.pointer + type.size, heap.newobject(heap.types.string));
   * heap.GC();
   * assertEquals(heap.ReadMemStats().HeapObjects, 1);
   * ```
   */
  deferType(): GoType {
    this.#requireOpen();
    const { types } = this;
    return this.#malloc.deferType ??= types.struct("runtime._defer", (self) => ({
      siz: types.int32,
      started: types.bool,
      argp: types.uintptr,
      pc: types.uintptr,
      fn: types.unsafePointer,
      _panic: types.unsafePointer,
      link: types.pointer(self),
    }));
  }

  /** A new, zeroed value of `type`; seeds' newobject. */
  newobject(type: GoType): Pointer {
    return this.#malloc.newobject(type);
  }

  /** `n` new, zeroed values of `type` next to each other; seeds' newarray. */
  newarray(type: GoType, n: number): Pointer {
    return this.#malloc.newarray(type, n);
  }

  /** `size` bytes that hold no pointers and are not zeroed; seeds' rawmem. */
  rawmem(size: number): Pointer {
    return this.#malloc.rawmem(size);
  }

  /** What an allocation of `size` bytes would take, in bytes; seeds' roundupsize. */
  roundupsize(size: number): number {
    requireInteger("size", size, 0);
    return roundupsize(size, 2 ** (8 * this.platform.pointerBytes) - 1);
  }

  /**
   * Returns the address of `size` bytes outside the arena that are never freed, aligned to `align` (a power
   * of two up to 8192; 0 for 8), counted under `stat`; seeds' persistentalloc.
   *
   * If there is no memory, that is nil for 64 KiB or more, and a GoThrow for less.
   */
  persistentalloc(size: number, align: number, stat: SysStat): Pointer {
    this.#requireOpen();
    return this.#parts.persistent.alloc(size, align, sysStat(stat));
  }

  /**
   * The object that the address `p` lies in: the number of its span's first page, where it begins, and its
   * size in bytes; null if there is none. Seed B's findObject.
   */
  findObject(p: Pointer): ObjectPlace | null {
    this.#requireOpen();
    return this.#parts.lookup.findObject(requireInteger("p", p, 0));
  }

  /** The same by its name in seed A, mlookup. */
  mlookup(p: Pointer): ObjectPlace | null {
    return this.findObject(p);
  }

  /** Collects, and sweeps everything; seeds' GC. In a hook of the heap's own it does nothing, as gogc. */
  GC(): void {
    this.gogc(2);
  }

  /**
   * Collects: 0 if it is due, 1 in any case, 2 in any case and sweeping everything; seeds' gogc. It does nothing while
   * GOGC is off, and in a function that the heap itself has called in the middle of its work.
   */
  gogc(force: 0 | 1 | 2): void {
    if (this.#parts.door.isInHook) return;
    this.#requireOpen();
    requireInteger("force", force, 0, 2);
    this.#parts.collector.gogc(force);
  }

  /** Sets GOGC (negative: no automatic collection), collects, and returns the setting before. */
  SetGCPercent(percent: number): number {
    this.#requireOpen();
    const { pacer } = this.#parts;
    const before = pacer.gcPercent;
    pacer.gcPercent = checkGCPercent("percent", percent);
    this.GC();
    return before;
  }

  /**
   * Collects and gives all free pages back to the host; debug.FreeOSMemory. By themselves they go back when they
   * have lain unused for five minutes. Growable buffers keep them all the same: then it is accounting only.
   */
  FreeOSMemory(): void {
    this.#requireOpen();
    this.GC();
    this.#parts.scavenger.force();
  }

  /** Says that all pointers the program still needs are rooted: a collection that is due runs now. */
  safepoint(): void {
    if (this.#parts.door.isInHook) return;
    this.#requireOpen();
    this.#parts.collector.safepoint();
  }

  /**
   * Has `finalizer` called with `obj` some time after nothing refers to it any more; null removes it.
   * Seeds' SetFinalizer, with their conditions and messages.
   *
   * @example An object that says goodbye
   * ```ts
   * import { GoHeap } from "@goheap/goheap";
   * import { assertEquals } from "@std/assert";
   *
   * using heap = new GoHeap();
   * const { types } = heap;
   * const intPointer = types.pointer(types.int64);
   * const p = heap.newobject(types.int64);
   * const gone: number[] = [];
   * heap.SetFinalizer(
   *   { type: intPointer, data: p },
   *   { type: types.func([intPointer], []), data: (q: number) => gone.push(q) },
   * );
   * heap.GC();
   * assertEquals(heap.runFinalizers(), 1);
   * assertEquals(gone, [p]);
   * ```
   */
  SetFinalizer(obj: Eface | null, finalizer: Eface | null): void {
    this.#requireOpen();
    this.#finalizers.setFinalizer(obj, finalizer);
  }

  /**
   * Calls the finalizers that are queued, in order; returns how many. What they throw is thrown at the end,
   * as one AggregateError.
   */
  runFinalizers(): number {
    this.#requireOpen();
    return this.#parts.finalizers.runAll();
  }

  /**
   * Cycles of objects with a finalizer: unreachable, and never finalized or freed, since each keeps the others
   * alive for its finalizer. Sweeps what is left to be swept first.
   *
   * @example Two objects that wait for each other
   * ```ts
   * import { GoHeap } from "@goheap/goheap";
   * import { assertEquals } from "@std/assert";
   *
   * using heap = new GoHeap();
   * const { types } = heap;
   * const node = types.struct("main.Node", (self) => ({ other: types.pointer(self) }));
   * const type = types.pointer(node);
   * const [a, b] = [heap.newobject(node), heap.newobject(node)];
   * heap.storePointer(a, b);
   * heap.storePointer(b, a);
   * heap.SetFinalizer({ type, data: a }, { type: types.func([type], []), data: () => {} });
   * const [cycle] = heap.findFinalizerCycles();
   * assertEquals(cycle.map(({ address }) => address), [a, b]);
   * assertEquals(cycle[0].type?.string, "main.Node");
   * ```
   */
  findFinalizerCycles(): FinalizerCycle[] {
    this.#requireOpen();
    return findFinalizerCycles(new LiveHeap(this.#parts));
  }

  /** A pool of objects, emptied by every collection; `make` makes one when it is empty. See {@linkcode Pool}. */
  pool(make: () => Pointer = () => 0): Pool {
    this.#requireOpen();
    if (typeof make !== "function") badArgument("make", make, "a function");
    return this.#parts.pools.make(make);
  }

  /**
   * Has `clear` called when a collection begins, and again when one that was done in slices has marked
   * everything: to drop what a cache of the program's holds. Seeds' clearpools.
   */
  registerPoolCleanup(clear: () => void): void {
    this.#requireOpen();
    if (typeof clear !== "function") badArgument("clear", clear, "a function");
    this.#parts.collector.cycle.pools.push(clear);
  }

  /**
   * Has every collection followed by a second marking, which throws if it reaches an object that the first one
   * has not. It is slow, and counts as a collection of its own.
   */
  GCcheckmarkenable(): void {
    this.#requireOpen();
    this.#parts.checkMark.isEnabled = true;
  }

  /** Takes that back. */
  GCcheckmarkdisable(): void {
    this.#requireOpen();
    this.#parts.checkMark.isEnabled = false;
  }

  /** Does nothing with its argument, which is what it is for; seeds' KeepAlive. */
  KeepAlive(_x: unknown): void {}

  /** A new global variable of `type`, zeroed: outside the arena, a root for as long as the heap lives. */
  global(type: GoType): Pointer {
    this.#requireOpen();
    if (type?.owner !== this.types) {
      badArgument("type", type?.string ?? type, "a type of this heap's types");
    }
    return this.#parts.roots.global(type, this.#parts.gccgo?.variableType(type));
  }

  /** A frame of `slots` pointer slots: see {@linkcode Frame}. */
  frame(slots: number): Frame {
    this.#requireOpen();
    return new Frame(this.#parts.roots, this.#memory, slots, this.platform.pointerBytes);
  }

  /** A reference that keeps the object at `p` alive: see {@linkcode Ref}. */
  ref(p: Pointer): Ref {
    this.#requireOpen();
    return new Ref(this.#parts.roots, p);
  }

  /** The pointer stored at `p`. */
  loadPointer(p: Pointer): Pointer {
    return this.#memory.loadPointer(p);
  }

  /** Stores a pointer; the only way to do so. */
  storePointer(p: Pointer, value: Pointer): void {
    this.#memory.storePointer(p, value);
  }

  /** Copies a value of `type`, whose pointers may be copied in no other way but one by one. */
  typedmemmove(type: GoType, dst: Pointer, src: Pointer): void {
    this.typedslicecopy(type, dst, src, 1);
  }

  /** The same for `n` values that follow each other; the two places may overlap. */
  typedslicecopy(type: GoType, dst: Pointer, src: Pointer, n: number): void {
    this.#requireOpen();
    if (type?.owner !== this.types) {
      badArgument("type", type?.string ?? type, "a type of this heap's types");
    }
    this.#parts.typedCopy.copy(type, dst, src, n);
  }

  /** The unsigned 8-bit integer at `p`. */
  loadUint8(p: Pointer): number {
    return this.#memory.loadUint8(p);
  }

  /** The signed 8-bit integer at `p`. */
  loadInt8(p: Pointer): number {
    return this.#memory.loadInt8(p);
  }

  /** The unsigned 16-bit integer at `p`. */
  loadUint16(p: Pointer): number {
    return this.#memory.loadUint16(p);
  }

  /** The signed 16-bit integer at `p`. */
  loadInt16(p: Pointer): number {
    return this.#memory.loadInt16(p);
  }

  /** The unsigned 32-bit integer at `p`. */
  loadUint32(p: Pointer): number {
    return this.#memory.loadUint32(p);
  }

  /** The signed 32-bit integer at `p`. */
  loadInt32(p: Pointer): number {
    return this.#memory.loadInt32(p);
  }

  /** The 32-bit float at `p`. */
  loadFloat32(p: Pointer): number {
    return this.#memory.loadFloat32(p);
  }

  /** The 64-bit float at `p`. */
  loadFloat64(p: Pointer): number {
    return this.#memory.loadFloat64(p);
  }

  /** The 64-bit integer at `p`, unsigned. */
  loadBig64(p: Pointer): bigint {
    return this.#memory.loadBig64(p);
  }

  /** Stores an unsigned 8-bit integer at `p`; throws a RangeError if `value` is none. */
  storeUint8(p: Pointer, value: number): void {
    this.#memory.storeUint8(p, value);
  }

  /** Stores a signed 8-bit integer at `p`; throws a RangeError if `value` is none. */
  storeInt8(p: Pointer, value: number): void {
    this.#memory.storeInt8(p, value);
  }

  /** Stores an unsigned 16-bit integer at `p`; throws a RangeError if `value` is none. */
  storeUint16(p: Pointer, value: number): void {
    this.#memory.storeUint16(p, value);
  }

  /** Stores a signed 16-bit integer at `p`; throws a RangeError if `value` is none. */
  storeInt16(p: Pointer, value: number): void {
    this.#memory.storeInt16(p, value);
  }

  /** Stores an unsigned 32-bit integer at `p`; throws a RangeError if `value` is none. */
  storeUint32(p: Pointer, value: number): void {
    this.#memory.storeUint32(p, value);
  }

  /** Stores a signed 32-bit integer at `p`; throws a RangeError if `value` is none. */
  storeInt32(p: Pointer, value: number): void {
    this.#memory.storeInt32(p, value);
  }

  /** Stores a 32-bit float at `p`. */
  storeFloat32(p: Pointer, value: number): void {
    this.#memory.storeFloat32(p, value);
  }

  /** Stores a 64-bit float at `p`. */
  storeFloat64(p: Pointer, value: number): void {
    this.#memory.storeFloat64(p, value);
  }

  /** Stores a 64-bit integer, signed or unsigned. */
  storeBig64(p: Pointer, value: bigint): void {
    this.#memory.storeBig64(p, value);
  }

  /**
   * A view of `n` bytes of live memory: valid as long as the object is. Kept longer, it shows whatever comes
   * to lie there.
   */
  bytes(p: Pointer, n: number): Uint8Array {
    return this.#memory.bytes(p, n);
  }

  /** The heap's statistics; seeds' ReadMemStats. */
  ReadMemStats(): MemStats {
    this.#requireOpen();
    return readMemStats(this.#parts);
  }

  /**
   * The heap's statistics every `everyMs` milliseconds, for a dashboard: the first at once, each read when it is
   * asked for. It costs nothing while nobody waits for the next. It ends when the loop over it is left
   * and when the heap is disposed of; waiting keeps neither the process alive nor the heap.
   *
   * Throws a RangeError if `everyMs` is no whole number from 1 to 2^31 - 1.
   *
   * @example Watching a program until it has allocated something
   * ```ts
   * import { GoHeap } from "@goheap/goheap";
   * import { assertEquals } from "@std/assert";
   *
   * using heap = new GoHeap();
   * const program = setInterval(() => heap.newobject(heap.types.string), 10);
   * const objects: number[] = [];
   * for await (const { HeapObjects } of heap.observe({ everyMs: 1 })) {
   *   objects.push(HeapObjects);
   *   if (HeapObjects > 0) break;
   * }
   * clearInterval(program);
   * assertEquals(objects[0], 0);
   * ```
   */
  observe(options: ObserveOptions): AsyncIterableIterator<MemStats, undefined, void> {
    this.#requireOpen();
    return this.#observers.observe(this, options);
  }

  /** Walks everything; throws a GoThrow with the first invariant that does not hold, values included. */
  verify(): void {
    this.#requireOpen();
    verify(this.#parts);
  }

  /** The allocator's whole state as plain data; nothing is changed by looking. */
  snapshot(): HeapSnapshot {
    this.#requireOpen();
    return snapshot(this.#parts);
  }

  /**
   * A heap dump as Go 1.4's debug.WriteHeapDump writes it, for {@linkcode HeapDump} and other tools. Sweeps what
   * is left to be swept; garbage that no collection has found yet is dumped too.
   *
   * @example The objects of a dump
   * ```ts
   * import { GoHeap, HeapDump } from "@goheap/goheap";
   * import { assertEquals } from "@std/assert";
   *
   * using heap = new GoHeap();
   * heap.newobject(heap.types.string);
   * assertEquals(HeapDump.from(heap.writeHeapDump()).objectCount, 1);
   * ```
   */
  writeHeapDump(): Uint8Array<ArrayBuffer> {
    this.#requireOpen();
    return heapDump(new LiveHeap(this.#parts));
  }

  /**
   * Who keeps what alive: see {@linkcode ObjectGraph}. It has all that a dump has. Types are known to heaps with
   * `recordTypes`, of other heaps those of objects with a finalizer.
   */
  objectGraph(): ObjectGraph {
    this.#requireOpen();
    return liveGraph(new LiveHeap(this.#parts));
  }

  /** Frees the heap: its addresses at once, its memory when V8 collects the buffers. */
  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    if (this.#parts.door.isInHook) this.#parts.door.refuse();
    this.#isDisposed = true;
    this.#parts.collector.stop();
    this.#observers.end();
    this.#parts.door.shut("was disposed of");
    this.#parts.release();
  }

  #requireOpen(): void {
    this.#parts.door.requireOpen();
  }
}
