import { assert, assertEquals, assertThrows } from "@std/assert";
import { GccgoDoors, GoHeap, GoThrow } from "../mod.ts";
import { ALLOCATION, COLLECTION, LOOKUPS } from "./bad_input/allocation.ts";
import { OPTIONS } from "./bad_input/bad_call.ts";
import { BYTES, COPIES, MEMORY } from "./bad_input/memory.ts";
import { CONSTRUCTOR } from "./bad_input/options.ts";
import { OBSERVERS } from "./bad_input/observers.ts";
import { FINALIZERS, POOLS, ROOTS } from "./bad_input/roots.ts";
import { GCCGO, GCCGO_OF_GC } from "./bad_input/gccgo.ts";

const TABLES = {
  allocation: ALLOCATION,
  lookups: LOOKUPS,
  collection: COLLECTION,
  roots: ROOTS,
  memory: MEMORY,
  views: BYTES,
  copies: COPIES,
  finalizers: FINALIZERS,
  pools: POOLS,
  observers: OBSERVERS,
  constructor: CONSTRUCTOR,
  "what only gccgo has, of gc": GCCGO_OF_GC,
};

/** Calls of a heap that follows gccgo. */
const GCCGO_TABLES = {
  "gccgo's allocation": GCCGO,
};

/** Methods that take no argument which could be bad. */
const WITHOUT_ARGUMENTS = [
  "findFinalizerCycles",
  "FreeOSMemory",
  "GC",
  "GCcheckmarkdisable",
  "GCcheckmarkenable",
  "KeepAlive",
  "ReadMemStats",
  "deferType",
  "objectGraph",
  "runFinalizers",
  "safepoint",
  "snapshot",
  "verify",
  "writeHeapDump",
];

const METHODS = [GoHeap, GccgoDoors].flatMap(({ prototype }) =>
  Object.getOwnPropertyNames(prototype)
);

/** Makes sure that a heap still does all it should. */
function assertWorks(heap: GoHeap): void {
  heap.verify();
  using kept = heap.ref(heap.newarray(heap.types.unsafePointer, 5));
  heap.storePointer(kept.pointer, heap.rawmem(100));
  heap.GC();
  heap.verify();
  assert(heap.loadPointer(kept.pointer) !== 0);
}

Deno.test("every public method has its bad calls", () => {
  const tables = [...Object.values(TABLES), ...Object.values(GCCGO_TABLES)];
  const tried = new Set(tables.flat().map((call) => call.method));
  const missing = METHODS.filter((name) => !tried.has(name) && !WITHOUT_ARGUMENTS.includes(name));
  assertEquals(missing, []);
});

const ALL_TABLES = [
  ...Object.entries(TABLES).map(([table, calls]) => ({ table, calls, options: OPTIONS })),
  ...Object.entries(GCCGO_TABLES).map(([table, calls]) => ({
    table,
    calls,
    options: { ...OPTIONS, compiler: "gccgo" } as const,
  })),
];

for (const { table, calls, options } of ALL_TABLES) {
  Deno.test(`bad input (${table}) is refused in clear words, and the heap goes on working`, async (t) => {
    using heap = new GoHeap(options);
    heap.rawmem(64);
    for (const { title, call, says, throws } of calls) {
      await t.step(title, () => {
        const error = assertThrows(() => call(heap), Error);
        const shown = `${error.name}: ${error.message}`;
        assert(throws.some((each) => error instanceof each), `threw a ${shown}`);
        assertEquals(says.filter((part) => !error.message.includes(part)), [], shown);
        assertWorks(heap);
      });
    }
  });
}

Deno.test("every method of a disposed heap throws, and those that reach no memory say why", () => {
  const heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const type = types.pointer(types.int);
  const object = heap.newobject(types.int);
  const global = heap.global(type);
  heap[Symbol.dispose]();
  heap[Symbol.dispose]();
  const call: Record<string, () => unknown> = {
    mallocgc: () => heap.mallocgc(100, null, 1),
    newobject: () => heap.newobject(types.int),
    newarray: () => heap.newarray(type, 5000),
    rawmem: () => heap.rawmem(3),
    persistentalloc: () => heap.persistentalloc(8, 8, "other_sys"),
    gogc: () => heap.gogc(0),
    SetGCPercent: () => heap.SetGCPercent(50),
    SetFinalizer: () => heap.SetFinalizer({ type, data: object }, null),
    global: () => heap.global(type),
    frame: () => heap.frame(1),
    storeBig64: () => heap.storeBig64(object, 1n),
  };
  const stillWorks = ["constructor", "KeepAlive", "roundupsize"];
  for (const name of METHODS.filter((each) => !stillWorks.includes(each))) {
    const method = heap[name as keyof GoHeap] as (...args: number[]) => unknown;
    const { message } = assertThrows(
      call[name] ?? (() => method.call(heap, object, 1)),
      Error,
      "",
      name,
    );
    const expected = /^(load|store|bytes)/.test(name)
      ? `Cannot use p: current value is ${object}`
      : "Cannot use heap: it was disposed of";
    assertEquals([name, message.slice(0, expected.length)], [name, expected]);
  }
  assertThrows(
    () => heap.loadPointer(global),
    RangeError,
    `Cannot use p: current value is ${global}`,
  );
  for (const size of [8, 16, 100, 1000, 32768, 32769]) {
    assertThrows(() => heap.rawmem(size), GoThrow, "disposed", `${size} bytes`);
  }
});

Deno.test("frames and references outlive their heap without harm", () => {
  const heap = new GoHeap(OPTIONS);
  const frame = heap.frame(2);
  const ref = heap.ref(heap.newobject(heap.types.int));
  heap[Symbol.dispose]();
  assertThrows(() => frame.set(0, 0), RangeError, "Cannot use p");
  assertThrows(() => frame.get(0), RangeError, "Cannot use p");
  frame[Symbol.dispose]();
  ref[Symbol.dispose]();
  assertEquals(ref.pointer, 0);
});
