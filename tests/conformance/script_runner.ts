/**
 * Runs an allocation script through a heap and compares everything the script records, operation by
 * operation: addresses, classes, counts of collections, what each collection freed, every statistic,
 * the order in which finalizers ran, and snapshots of the whole state, list orders included.
 *
 * Go recorded the scripts beside an older heap that was completely full. That heap's bytes are in two of
 * the counters, heap_alloc and next_gc, so both are set to the recorded baseline before the first
 * operation; for `verify()` and `ReadMemStats()`, which count what is really there, the baseline is taken
 * away and put back.
 *
 * @module
 */

import { AssertionError } from "@std/assert";
import { HEAP_ALLOC, NEXT_GC, NUM_GC } from "../../lib/arena/stats.ts";
import { partsOf } from "../../lib/go_heap.ts";
import { CLASS_TO_SIZE } from "../../lib/spans/size_classes.ts";
import { FlagNoScan, FlagNoZero, type GoType, type Pointer } from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";
import { assertSame } from "./differences.ts";
import {
  expandRuns,
  type Expectation,
  type Op,
  type Script,
  type ScriptSnapshot,
  type ScriptSpan,
} from "./script.ts";
import { ObjectTable, OUTSIDE } from "./script_objects.ts";

/** What every byte is filled with: on 4-byte words something else, since 0x11111111 may be an address there. */
const FILL = 0x11;
const SHORT_FILL = 0xee;
const RECORDED_ON = "linux/amd64";
/** Scripts were written for words of so many bytes. */
const SCRIPT_WORD = 8;

/** Where and how a script is run. */
export interface RunOptions {
  /** The platform; default: that of the recordings. */
  platform?: string;
  /** Whose rules hold; default: gc's. */
  compiler?: "gc" | "gccgo";
  /** Makes what is compared of a result on a platform; default: the result. */
  comparable?: (result: Expectation, platform: string) => object;
  /** Whether the heap is verified after every operation, not only when the script looks at it. */
  verifyAlways?: boolean;
}

/** Runs `script`; throws an `AssertionError` that names the first operation that showed something else. */
export function runScript(script: Script, options: RunOptions = {}): void {
  const { platform = RECORDED_ON, comparable = (result) => result, verifyAlways = false } = options;
  using heap = new GoHeap({
    platform,
    compiler: options.compiler,
    collect: "malloc",
    gcPercent: script.gogc,
    minHeapBytes: 0,
    memProfileRate: 0,
  });
  const run = new ScriptRun(heap, script);
  script.ops.forEach((op, i) => {
    const what = `${script.name}, operation ${i}: ${JSON.stringify(op)}`;
    let shown: object | null;
    try {
      shown = run.step(op);
      if (verifyAlways) run.verify();
    } catch (error) {
      throw new AssertionError(`${what} threw`, { cause: error });
    }
    const recorded = run.expected(script.expect[i]);
    assertSame(
      shown === null ? null : comparable(shown as Expectation, platform),
      recorded === null ? null : comparable(recorded as Expectation, RECORDED_ON),
      what,
    );
  });
}

class ScriptRun {
  readonly #heap: GoHeap;
  readonly #script: Script;
  readonly #counters: Float64Array;
  readonly #roots: Pointer;
  readonly #wordBytes: number;
  readonly #arenaStart: Pointer;
  readonly #types: Map<string, { type: GoType | null; flags: number }>;
  readonly #objects: ObjectTable;
  readonly #finalized: number[] = [];

  constructor(heap: GoHeap, script: Script) {
    this.#heap = heap;
    this.#script = script;
    this.#wordBytes = heap.platform.pointerBytes;
    this.#arenaStart = partsOf(heap).arena.start;
    const count = 1 + Math.max(...script.ops.map((op) => op[1]));
    const { types } = heap;
    this.#roots = heap.global(types.array(types.unsafePointer, count));
    this.#objects = new ObjectTable();
    const pointer = types.unsafePointer;
    const scalar = types.uintptr;
    this.#types = new Map([
      ["n", { type: null, flags: FlagNoScan }],
      ["w", { type: null, flags: FlagNoScan | FlagNoZero }],
      ["u", { type: null, flags: 0 }],
      ["p", { type: pointer, flags: 0 }],
      ["ps", { type: types.struct("ps", { a: pointer, b: scalar }), flags: 0 }],
      ["sp", { type: types.struct("sp", { a: scalar, b: pointer }), flags: 0 }],
      ["sps", { type: types.struct("sps", { a: scalar, b: pointer, c: scalar }), flags: 0 }],
    ]);
    this.#counters = partsOf(heap).stats;
    this.#counters[HEAP_ALLOC] = script.baseline.heap_alloc;
    this.#counters[NEXT_GC] = script.baseline.next_gc;
  }

  /** Does one operation and returns what it shows, in the form of {@linkcode expected}. */
  step(op: Op): object | null {
    const [name, id, ...rest] = op;
    switch (name) {
      case "a":
        return this.#allocate(id, Number(rest[0]), String(rest[1]));
      case "sf":
        return this.#setFinalizer(id, String(rest[0]));
      case "run":
        return this.#runFinalizers();
      case "fill":
        return this.#fill(id);
      case "zero?":
        return { nonzero_words: this.#words(id).filter((word) => word !== 0n).length };
      case "peek":
        return { value: this.#shownWord(id, Number(rest[0])) };
      case "trig":
        this.#counters[NEXT_GC] = this.#counters[HEAP_ALLOC] + Number(rest[0]);
        partsOf(this.#heap).pacer.look();
        return null;
      case "cf":
        this.#heap.SetFinalizer(this.#efaceOf(id, this.#heap.types.unsafePointer), null);
        return null;
      case "l":
      case "li":
      case "u":
      case "d":
      case "r":
      case "ri":
        return this.#store(name, id, rest.map(Number));
      default:
        return this.#look(name);
    }
  }

  /** Verifies the heap without the baseline. */
  verify(): void {
    this.#withoutBaseline(() => this.#heap.verify());
  }

  /** A recorded result in the form of what {@linkcode step} returns: runs written out. */
  expected(recorded: Expectation | null): object | null {
    if (recorded?.freed) return { ...recorded, freed: expandRuns(recorded.freed) };
    return recorded?.spans ? { ...recorded, spans: withFreelists(recorded.spans) } : recorded;
  }

  #allocate(id: number, size: number, kind: string): object {
    const { type, flags } = this.#types.get(kind)!;
    const address = this.#heap.mallocgc(size, type, flags);
    this.#heap.storePointer(this.#rootOf(id), address);
    const numgc = this.#counters[NUM_GC];
    const found = this.#heap.findObject(address);
    const elem = found?.size ?? 0;
    const cls = Math.max(0, CLASS_TO_SIZE.indexOf(elem));
    const off = found === null ? OUTSIDE : address - this.#arenaStart;
    this.#objects.add({ id, address, size, off, cls, elem });
    return found === null ? { zerobase: true, numgc } : { off, cls, elem, numgc };
  }

  #store(name: string, id: number, rest: number[]): null {
    const { address } = this.#objects.get(id);
    const slot = address + this.#slotOffset(id, rest[0]);
    const [at, value] = {
      l: () => [slot, this.#objects.get(rest[1]).address],
      li: () => [slot, this.#objects.get(rest[1]).address + rest[2]],
      u: () => [slot, 0],
      d: () => [this.#rootOf(id), 0],
      r: () => [this.#rootOf(id), address],
      ri: () => [this.#rootOf(id), address + rest[0]],
    }[name]!();
    this.#heap.storePointer(at, value);
    return null;
  }

  #setFinalizer(id: number, mode: string): null {
    const { types } = this.#heap;
    const object = this.#efaceOf(id, mode === "tiny" ? types.uint8 : types.unsafePointer);
    const finalizer = {
      type: types.func([object.type], []),
      data: (argument: Pointer) => {
        if (argument !== object.data) {
          throw new AssertionError(
            `the finalizer of ${id} got ${argument}, expected ${object.data}`,
          );
        }
        this.#finalized.push(id);
        if (mode === "res") this.#heap.storePointer(this.#rootOf(id), argument);
        if (mode === "refin") this.#heap.SetFinalizer(object, finalizer);
      },
    };
    this.#heap.SetFinalizer(object, finalizer);
    return null;
  }

  #runFinalizers(): object {
    const ran = this.#heap.runFinalizers();
    const finalized = this.#finalized.splice(0);
    if (ran !== finalized.length) {
      throw new AssertionError(`runFinalizers() returned ${ran}, but ${finalized.length} ran`);
    }
    return { finalized };
  }

  #fill(id: number): null {
    const { address, size } = this.#objects.get(id);
    const fill = this.#wordBytes === SCRIPT_WORD ? FILL : SHORT_FILL;
    this.#heap.bytes(address, size - size % this.#wordBytes).fill(fill);
    return null;
  }

  #look(name: string): object {
    if (name === "gc") this.#heap.GC();
    if (name === "gclazy") this.#heap.gogc(1);
    if (name === "ms") this.#withoutBaseline(() => this.#heap.ReadMemStats());
    this.verify();
    const snapshot = this.#heap.snapshot();
    const stats = this.#relative(snapshot.stats);
    if (name === "ms") return { stats };
    if (name !== "snap") return { freed: this.#objects.freedSince(snapshot.spans), stats };
    const recorded = this.#script.freelists_recorded;
    const spans = recorded ? withFreelists(snapshot.spans) : withoutFreelists(snapshot.spans);
    return { ...snapshot, stats, spans };
  }

  #relative(stats: ScriptSnapshot["stats"]): ScriptSnapshot["stats"] {
    const { heap_alloc } = this.#script.baseline;
    return {
      ...stats,
      heap_alloc: stats.heap_alloc - heap_alloc,
      heap_alloc_total: stats.heap_alloc_total - heap_alloc,
    };
  }

  #withoutBaseline(action: () => void): void {
    this.#counters[HEAP_ALLOC] -= this.#script.baseline.heap_alloc;
    action();
    this.#counters[HEAP_ALLOC] += this.#script.baseline.heap_alloc;
  }

  #efaceOf(id: number, elem: GoType): { type: GoType; data: Pointer } {
    return { type: this.#heap.types.pointer(elem), data: this.#objects.get(id).address };
  }

  /** A slot of an object is a word of the platform; one behind the object's last is as far behind it as in Go. */
  #slotOffset(id: number, slot: number): number {
    const slots = Math.floor(this.#objects.get(id).size / SCRIPT_WORD);
    return slot * (slot < slots ? this.#wordBytes : SCRIPT_WORD);
  }

  #rootOf(id: number): Pointer {
    return this.#roots + id * this.#wordBytes;
  }

  #words(id: number): bigint[] {
    const { address, size } = this.#objects.get(id);
    const load = this.#wordBytes === 8
      ? (p: Pointer) => BigInt.asUintN(64, this.#heap.loadBig64(p))
      : (p: Pointer) => BigInt(this.#heap.loadUint32(p));
    return Array.from(
      { length: Math.floor(size / this.#wordBytes) },
      (_, i) => load(address + i * this.#wordBytes),
    );
  }

  #shownWord(id: number, slot: number): string {
    const word = this.#words(id)[slot];
    const off = Number(word) - this.#arenaStart;
    const inZone = off >= 0 && off < this.#heap.snapshot().arena_used;
    return inZone ? `zone+${off}` : `0x${word.toString(16)}`;
  }
}

function withFreelists(spans: readonly ScriptSpan[]): ScriptSpan[] {
  return spans.map((span) =>
    span.freelist ? { ...span, freelist: expandRuns(span.freelist) } : span
  );
}

function withoutFreelists(spans: readonly ScriptSpan[]): ScriptSpan[] {
  return spans.map(({ freelist: _, ...span }) => span);
}
