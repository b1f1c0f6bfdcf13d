import { assert, assertEquals, assertThrows } from "@std/assert";
import { GoHeap, type GoHeapOptions, GoPanic, GoThrow } from "../mod.ts";

type ErrorClass = typeof RangeError | typeof GoThrow | typeof GoPanic;

/** A call that must throw, and what the message must contain: the argument and its value, say. */
interface BadCall {
  readonly title: string;
  readonly call: (heap: GoHeap) => unknown;
  readonly says: readonly string[];
  readonly throws: ErrorClass;
}

const OPTIONS = { platform: "linux/amd64" } as const;

/** Neither whole numbers that JavaScript holds exactly, nor, some of them, numbers at all. */
const NOT_INTEGERS = [NaN, 1.5, 2 ** 53, Infinity, -Infinity, "64", null, {}, [8], true, 8n];
const NOT_SIZES = [...NOT_INTEGERS, -1, undefined];
const NOT_TYPES = [null, undefined, {}, "int", 8];
const NOT_FUNCTIONS = [null, {}, "f", 8];

function shown(value: unknown): string {
  if (typeof value === "object" && value !== null) return Object.prototype.toString.call(value);
  return String(value);
}

/** A bad call for each of the values, which throws a RangeError that names argument and value. */
function each(
  method: string,
  argument: string,
  values: readonly unknown[],
  call: (heap: GoHeap, bad: never) => unknown,
): BadCall[] {
  return values.map((bad) => ({
    title: `${method} with ${argument} ${shown(bad)}`,
    call: (heap) => call(heap, bad as never),
    says: [argument, shown(bad)],
    throws: RangeError,
  }));
}

/** A bad call that throws the words of the seeds, or otherwise something of its own. */
function one(
  title: string,
  throws: ErrorClass,
  says: readonly string[],
  call: (heap: GoHeap) => unknown,
): BadCall {
  return { title, call, says, throws };
}

const noop = () => {};

/** A type that no other heap takes. */
function foreignType() {
  using other = new GoHeap(OPTIONS);
  return other.types.struct("main.Foreign", { x: other.types.int });
}

const FOREIGN = foreignType();

const SIZES: BadCall[] = [
  ...each("mallocgc", "size", NOT_SIZES, (heap, bad) => heap.mallocgc(bad, null, 1)),
  ...each(
    "mallocgc with pointers",
    "size",
    NOT_SIZES,
    (heap, bad) => heap.mallocgc(bad, heap.types.unsafePointer, 0),
  ),
  ...each(
    "mallocgc",
    "flags",
    [NaN, 1.5, -1, 32, 2 ** 53, "1", null],
    (heap, bad) => heap.mallocgc(8, null, bad),
  ),
  ...each("mallocgc", "type", [undefined, {}, "int", 8], (heap, bad) => heap.mallocgc(8, bad, 0)),
  one(
    "mallocgc without a type",
    GoThrow,
    ["malloc missing type"],
    (heap) => heap.mallocgc(8, null),
  ),
  one(
    "mallocgc with another heap's type",
    RangeError,
    ["type", "main.Foreign"],
    (heap) => heap.mallocgc(8, FOREIGN),
  ),
  one(
    "mallocgc of 2^53 - 1 bytes",
    GoThrow,
    ["out of memory"],
    (heap) => heap.rawmem(Number.MAX_SAFE_INTEGER),
  ),
  ...each("newobject", "type", NOT_TYPES, (heap, bad) => heap.newobject(bad)),
  one(
    "newobject of another heap's type",
    RangeError,
    ["type", "main.Foreign"],
    (heap) => heap.newobject(FOREIGN),
  ),
  ...each("newarray", "type", NOT_TYPES, (heap, bad) => heap.newarray(bad, 1)),
  ...each(
    "newarray",
    "n",
    [...NOT_INTEGERS, undefined],
    (heap, bad) => heap.newarray(heap.types.int, bad),
  ),
  ...[-1, 2 ** 34 + 1, 2 ** 52].map((n) =>
    one(
      `newarray of ${n}`,
      GoPanic,
      ["runtime: allocation size out of range"],
      (heap) => heap.newarray(heap.types.int, n),
    )
  ),
  ...each("rawmem", "size", NOT_SIZES, (heap, bad) => heap.rawmem(bad)),
  ...each("roundupsize", "size", NOT_SIZES, (heap, bad) => heap.roundupsize(bad)),
  ...each(
    "persistentalloc",
    "size",
    NOT_SIZES,
    (heap, bad) => heap.persistentalloc(bad, 8, "other_sys"),
  ),
  ...each(
    "persistentalloc",
    "align",
    [...NOT_SIZES.filter((bad) => bad !== undefined)],
    (heap, bad) => heap.persistentalloc(8, bad, "other_sys"),
  ),
  ...each(
    "persistentalloc",
    "stat",
    ["nonsense", "", null, 3, {}, "toString"],
    (heap, bad) => heap.persistentalloc(8, 8, bad),
  ),
  one(
    "persistentalloc aligned to 3",
    GoThrow,
    ["align is not a power of 2"],
    (heap) => heap.persistentalloc(8, 3, "other_sys"),
  ),
  one(
    "persistentalloc aligned to 16384",
    GoThrow,
    ["align is too large"],
    (heap) => heap.persistentalloc(8, 16384, "other_sys"),
  ),
];

const LOOKUPS: BadCall[] = [
  ...each("findObject", "p", NOT_SIZES, (heap, bad) => heap.findObject(bad)),
  ...each("mlookup", "p", NOT_SIZES, (heap, bad) => heap.mlookup(bad)),
];

const COLLECTION: BadCall[] = [
  ...each("gogc", "force", [-1, 3, ...NOT_INTEGERS, undefined], (heap, bad) => heap.gogc(bad)),
  ...each(
    "SetGCPercent",
    "percent",
    [...NOT_INTEGERS, 2 ** 31, -(2 ** 31) - 1, undefined],
    (heap, bad) => heap.SetGCPercent(bad),
  ),
];

const ROOTS: BadCall[] = [
  ...each("global", "type", NOT_TYPES, (heap, bad) => heap.global(bad)),
  one(
    "global of another heap's type",
    RangeError,
    ["type", "main.Foreign"],
    (heap) => heap.global(FOREIGN),
  ),
  ...each("frame", "slots", NOT_SIZES, (heap, bad) => heap.frame(bad)),
  one(
    "frame with more slots than the stack has",
    GoThrow,
    ["stack overflow", "1099511627776"],
    (heap) => heap.frame(2 ** 40),
  ),
  ...each("ref", "p", NOT_SIZES, (heap, bad) => heap.ref(bad)),
  ...each("frame.set", "i", [-1, 2, ...NOT_INTEGERS, undefined], (heap, bad) => {
    using frame = heap.frame(2);
    frame.set(bad, 0);
  }),
  ...each("frame.get", "i", [-1, 2, ...NOT_INTEGERS, undefined], (heap, bad) => {
    using frame = heap.frame(2);
    return frame.get(bad);
  }),
  ...each("frame.set", "value", NOT_SIZES, (heap, bad) => {
    using frame = heap.frame(2);
    frame.set(0, bad);
  }),
  one("frame.get after its end", GoThrow, ["frame", "dispose"], (heap) => {
    const frame = heap.frame(1);
    frame[Symbol.dispose]();
    return frame.get(0);
  }),
  one("frame.set after its end", GoThrow, ["frame", "dispose"], (heap) => {
    const frame = heap.frame(1);
    frame[Symbol.dispose]();
    frame.set(0, 0);
  }),
  one("frames that end out of order", GoThrow, ["reverse order"], (heap) => {
    const outer = heap.frame(1);
    using _inner = heap.frame(1);
    outer[Symbol.dispose]();
  }),
];

type AccessName = Extract<keyof GoHeap, `load${string}` | `store${string}`>;

/** Loads and stores with the bytes they take and a value that is right. */
const ACCESS: {
  name: AccessName;
  bytes: number;
  value?: number | bigint;
  badValues?: unknown[];
}[] = [
  { name: "loadPointer", bytes: 8 },
  { name: "loadUint8", bytes: 1 },
  { name: "loadInt8", bytes: 1 },
  { name: "loadUint16", bytes: 2 },
  { name: "loadInt16", bytes: 2 },
  { name: "loadUint32", bytes: 4 },
  { name: "loadInt32", bytes: 4 },
  { name: "loadFloat32", bytes: 4 },
  { name: "loadFloat64", bytes: 8 },
  { name: "loadBig64", bytes: 8 },
  { name: "storePointer", bytes: 8, value: 0, badValues: NOT_SIZES },
  { name: "storeUint8", bytes: 1, value: 1, badValues: [256, -1, ...NOT_INTEGERS] },
  { name: "storeInt8", bytes: 1, value: 1, badValues: [128, -129, ...NOT_INTEGERS] },
  { name: "storeUint16", bytes: 2, value: 1, badValues: [65536, -1, ...NOT_INTEGERS] },
  { name: "storeInt16", bytes: 2, value: 1, badValues: [32768, -32769, ...NOT_INTEGERS] },
  { name: "storeUint32", bytes: 4, value: 1, badValues: [2 ** 32, -1, ...NOT_INTEGERS] },
  { name: "storeInt32", bytes: 4, value: 1, badValues: [2 ** 31, -(2 ** 31) - 1, ...NOT_INTEGERS] },
  { name: "storeFloat32", bytes: 4, value: 1, badValues: ["1", null, undefined, 1n, {}] },
  { name: "storeFloat64", bytes: 8, value: 1, badValues: ["1", null, undefined, 1n, {}] },
  {
    name: "storeBig64",
    bytes: 8,
    value: 1n,
    badValues: [2n ** 64n, -(2n ** 63n) - 1n, 1, "1", null, undefined, {}],
  },
];

/** An address just past the last mapped page of the arena. */
function arenaEnd(heap: GoHeap): number {
  const { arena_used } = heap.snapshot();
  return 0xc208000000 + arena_used;
}

const MEMORY: BadCall[] = ACCESS.flatMap(({ name, bytes, value, badValues = [] }) => {
  const access = (heap: GoHeap, p: number, v: unknown = value) =>
    (heap[name] as (p: number, value: unknown) => unknown).call(heap, p, v);
  return [
    ...each(
      name,
      "p",
      [0, 1, 0x5000, 0xc000000000, ...NOT_SIZES],
      (heap, bad) => access(heap, bad),
    ),
    ...each(
      name,
      "value",
      badValues,
      (heap, bad) => access(heap, heap.rawmem(64), bad as unknown ?? null),
    ),
    one(
      `${name} behind the arena`,
      RangeError,
      ["p", "0x"],
      (heap) => access(heap, arenaEnd(heap)),
    ),
    ...bytes === 1 ? [] : [
      one(
        `${name} at an odd address`,
        RangeError,
        ["p", `multiple of ${bytes}`],
        (heap) => access(heap, heap.rawmem(64) + 1),
      ),
      one(
        `${name} across the arena's end`,
        RangeError,
        ["p"],
        (heap) => access(heap, arenaEnd(heap) - bytes / 2),
      ),
    ],
  ];
});

const BYTES: BadCall[] = [
  ...each("bytes", "p", [0, 0x5000, ...NOT_SIZES], (heap, bad) => heap.bytes(bad, 8)),
  ...each("bytes", "n", NOT_SIZES, (heap, bad) => heap.bytes(heap.rawmem(64), bad)),
  one(
    "bytes across the arena's end",
    RangeError,
    ["p"],
    (heap) => heap.bytes(heap.rawmem(64), 2 ** 30),
  ),
];

const FINALIZERS: BadCall[] = [
  one(
    "SetFinalizer of nil",
    GoThrow,
    ["runtime.SetFinalizer: first argument is nil"],
    (heap) => heap.SetFinalizer(null, null),
  ),
  ...each(
    "SetFinalizer",
    "obj",
    [undefined, 8, "x", true],
    (heap, bad) => heap.SetFinalizer(bad, null),
  ),
  ...each(
    "SetFinalizer",
    "obj.type",
    NOT_TYPES,
    (heap, bad) => heap.SetFinalizer({ type: bad, data: heap.rawmem(16) }, null),
  ),
  ...each(
    "SetFinalizer",
    "obj.data",
    [...NOT_SIZES, noop],
    (heap, bad) => heap.SetFinalizer({ type: heap.types.pointer(heap.types.int), data: bad }, null),
  ),
  ...each(
    "SetFinalizer",
    "finalizer",
    [undefined, 8, "x", noop],
    (heap, bad) =>
      heap.SetFinalizer({ type: heap.types.pointer(heap.types.int), data: heap.rawmem(16) }, bad),
  ),
  ...each(
    "SetFinalizer",
    "finalizer.type",
    NOT_TYPES,
    (heap, bad) =>
      heap.SetFinalizer({ type: heap.types.pointer(heap.types.int), data: heap.rawmem(16) }, {
        type: bad,
        data: noop,
      }),
  ),
  ...each("SetFinalizer", "finalizer.data", [8, ...NOT_FUNCTIONS, undefined, NaN], (heap, bad) => {
    const type = heap.types.pointer(heap.types.int);
    heap.SetFinalizer({ type, data: heap.rawmem(16) }, {
      type: heap.types.func([type], []),
      data: bad,
    });
  }),
];

const BAD_OPTIONS: Record<string, readonly unknown[]> = {
  platform: ["plan9/vax", "", "linux", 8, null, {}],
  compiler: ["tinygo", "", null, 8],
  collect: ["never", "", null, 8],
  gcPercent: [NaN, 1.5, Infinity, 2 ** 31, -(2 ** 31) - 1, "100", null, {}],
  minHeapBytes: [NaN, 1.5, -1, 2 ** 53, Infinity, "1", null, {}],
  limitBytes: [NaN, 1.5, 0, -1, 2 ** 53, "1", null, {}],
  memProfileRate: [NaN, 1.5, -1, 2 ** 53, Infinity, "1", null, {}],
  debug: ["gctrace", "gctrace=", "gctrace=x", 8, null, {}],
  clock: NOT_FUNCTIONS,
  trace: NOT_FUNCTIONS,
  addressSpace: [null, {}, "x", 8],
};

const CONSTRUCTOR: BadCall[] = Object.entries(BAD_OPTIONS).flatMap(([option, values]) =>
  each(
    "new GoHeap",
    option,
    values,
    (_, bad) => new GoHeap({ ...OPTIONS, [option]: bad } as GoHeapOptions),
  )
);

const TABLES = { SIZES, LOOKUPS, COLLECTION, ROOTS, MEMORY, BYTES, FINALIZERS, CONSTRUCTOR };

/** Makes sure that a heap still does all it should. */
function assertWorks(heap: GoHeap): void {
  heap.verify();
  using kept = heap.ref(heap.newarray(heap.types.unsafePointer, 5));
  heap.storePointer(kept.pointer, heap.rawmem(100));
  heap.GC();
  heap.verify();
  assert(heap.loadPointer(kept.pointer) !== 0);
}

for (const [table, calls] of Object.entries(TABLES)) {
  Deno.test(`bad input (${table.toLowerCase()}) is refused by name and value, and the heap goes on`, async (t) => {
    using heap = new GoHeap(OPTIONS);
    heap.rawmem(64);
    for (const { title, call, says, throws } of calls) {
      await t.step(title, () => {
        const error = assertThrows(() => call(heap), throws);
        const missing = says.filter((part) => !error.message.includes(part));
        assertEquals(missing, [], `the message is: ${error.message}`);
        assertWorks(heap);
      });
    }
  });
}
