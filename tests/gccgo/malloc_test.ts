import { assert, assertEquals, assertThrows } from "@std/assert";
import { NUM_GC } from "../../lib/arena/stats.ts";
import { partsOf } from "../../lib/go_heap.ts";
import {
  FlagNoGC,
  FlagNoInvokeGC,
  FlagNoProfiling,
  FlagNoScan,
  FlagNoZero,
  GoPanic,
  GoThrow,
  type GoType,
  type Pointer,
  TypeInfo,
} from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";
import { gccgoHeap, gccgoOf, objects, WatchedSpace } from "./helpers.ts";

/** Whether the object at `p` is to be scanned. */
function isScannable(heap: GoHeap, p: Pointer): boolean {
  const { arena } = partsOf(heap);
  const { span, base, size } = heap.findObject(p)!;
  const block = (base - arena.pageAddress(span)) / size;
  return gccgoOf(heap).scanBits.isScannable(arena.pageSpan[span], block);
}

/** Collects, and tells how many objects are left, tables of types aside. */
function aliveAfterGC(heap: GoHeap): number {
  heap.GC();
  heap.verify();
  // The tables of spans that went back now.
  heap.GC();
  let tables = 0;
  gccgoOf(heap).spanTypes.forEachTable(() => tables++);
  return objects(heap) - tables;
}

Deno.test("an object without a type is legal, and every word of its block may be a pointer", () => {
  using heap = gccgoHeap();
  for (const size of [8, 10, 16, 48, 1000, 40000]) {
    const p = heap.mal(size);
    using _ref = heap.ref(p);
    assertEquals([isScannable(heap, p), heap.gettype(p)], [true, null]);
    const { size: bytes } = heap.findObject(p)!;
    const words = Math.floor(Math.min(bytes, size > 32768 ? size : bytes) / 8);
    heap.storePointer(p, heap.rawmem(64));
    heap.storePointer(p + 8 * (words - 1), heap.rawmem(64) + 3);
    assertEquals(aliveAfterGC(heap), words === 1 ? 2 : 3, `${size} bytes`);
  }
});

Deno.test("what looks like a pointer and is none does no harm in an object without a type", () => {
  using heap = gccgoHeap();
  const { arena } = partsOf(heap);
  using ref = heap.ref(heap.mal(1024));
  const free = heap.rawmem(100000);
  const slack = heap.mal(5000);
  assertEquals(aliveAfterGC(heap), 1);
  const values = [
    1,
    4095,
    2 ** 40,
    2 ** 53 - 1,
    arena.start - 8,
    arena.used,
    arena.end,
    free,
    slack,
  ];
  values.forEach((value, i) => heap.storePointer(ref.pointer + 8 * i, value));
  // No pointer at all, but all bits of one set.
  heap.storeBig64(ref.pointer + 8 * values.length, 2n ** 64n - 1n);
  assertEquals(aliveAfterGC(heap), 1);
});

Deno.test("a typed object is followed where its type has pointers, and nowhere else", () => {
  using heap = gccgoHeap();
  const { types } = heap;
  const [p, s] = [types.unsafePointer, types.uintptr];
  const cases: [type: GoType, count: number, followed: number][] = [
    [p, 1, 1],
    [types.struct("", { s, p }), 1, 1],
    [types.struct("", { s, p, t: s }), 1, 1],
    [types.struct("", { s, p, t: s }), 3, 3],
    [types.slice(p), 2, 2],
    [types.interface({}), 1, 2],
    [types.array(types.struct("", { s, p }), 20), 1, 20],
    [types.array(types.struct("", { s, p }), 3000), 1, 3000],
  ];
  for (const [type, count, followed] of cases) {
    const object = heap.cnewarray(type, count);
    using _ref = heap.ref(object);
    for (let word = 0; word < (type.size * count) / 8; word++) {
      heap.storePointer(object + 8 * word, heap.rawmem(32));
    }
    assertEquals(aliveAfterGC(heap), 1 + followed, `${count} of ${type.string}`);
  }
});

Deno.test("one value is followed once, an array of them to the end of what was asked for", () => {
  using heap = gccgoHeap();
  const { types } = heap;
  const fill = (p: Pointer) => {
    for (let word = 0; word < 6; word++) heap.storePointer(p + 8 * word, heap.rawmem(64));
  };
  const single = () => {
    const p = heap.mal(48);
    heap.settype(p, types.string);
    return p;
  };
  const array = () => heap.mallocgc(48, types.string, 0);
  for (const [make, followed] of [[single, 1], [array, 3]] as const) {
    using ref = heap.ref(make());
    fill(ref.pointer);
    assertEquals(aliveAfterGC(heap), 1 + followed);
  }
});

Deno.test("a typed object without pointers that is to be scanned is told from one that is not", () => {
  using heap = gccgoHeap();
  const { types } = heap;
  for (const size of [8, 16, 48, 40000]) {
    const scan = heap.mallocgc(size, types.int, 0);
    using _scan = heap.ref(scan);
    const noscan = heap.mallocgc(size, types.int, FlagNoScan);
    using _noscan = heap.ref(noscan);
    assertEquals([scan, noscan].map((p) => isScannable(heap, p)), [true, false]);
    assertEquals([heap.gettype(scan)?.type, heap.gettype(noscan)], [types.int, null]);
    heap.storePointer(scan, heap.rawmem(64));
    heap.storePointer(noscan, heap.rawmem(64));
    assertEquals(aliveAfterGC(heap), 2, `${size} bytes`);
  }
});

Deno.test("new and make leave types without pointers unscanned, as their flags say", () => {
  using heap = gccgoHeap();
  const { types } = heap;
  assertEquals(
    [
      heap.newobject(types.array(types.int, 4)),
      heap.newarray(types.int, 4),
      heap.cnew(types.array(types.int, 4)),
      heap.cnewarray(types.int, 4),
      heap.cnew(types.string),
      heap.cnewarray(types.string, 2),
    ].map((p) => isScannable(heap, p)),
    [false, false, false, false, true, true],
  );
});

Deno.test("cnew records one value, cnewarray an array, and both refuse what does not fit", () => {
  using heap = gccgoHeap();
  const { types } = heap;
  assertEquals(heap.gettype(heap.cnew(types.string))?.info, TypeInfo.SingleObject);
  assertEquals(heap.gettype(heap.cnewarray(types.string, 1))?.info, TypeInfo.Array);
  const message = "runtime: allocation size out of range";
  assertThrows(() => heap.cnewarray(types.string, -1), GoPanic, message);
  assertThrows(() => heap.cnewarray(types.string, 2 ** 33 + 1), GoPanic, message);
  assertThrows(() => heap.cnewarray(types.string, 2 ** 33), GoThrow, "out of memory");
  assertEquals(heap.cnewarray(types.struct("", {}), 2 ** 40), heap.cnewarray(types.int, 0));
  heap.verify();
});

Deno.test("small objects without pointers share blocks, those that are scanned or never freed do not", () => {
  using heap = gccgoHeap();
  const noscan = Array.from({ length: 3 }, () => heap.mallocgc(4, null, FlagNoScan));
  assertEquals(noscan, [0, 4, 8].map((offset) => noscan[0] + offset));
  const alone = [FlagNoScan | FlagNoGC, FlagNoGC, 0].map((flags) => heap.mallocgc(4, null, flags));
  assertEquals(
    alone.map((p) => heap.findObject(p)),
    [0, 8, 16].map((offset) => ({
      span: heap.findObject(alone[0])!.span,
      base: alone[0] + offset,
      size: 8,
    })),
  );
  assertEquals(heap.mallocgc(12, null, FlagNoScan | FlagNoGC) % 16, 0);
  heap.verify();
});

Deno.test("an object that fits in the tiny block starts no collection, the next block does", () => {
  using heap = gccgoHeap({ collect: "malloc", minHeapBytes: 10000 });
  heap.mallocgc(1, null, FlagNoScan);
  heap.mallocgc(100000, null, FlagNoScan | FlagNoInvokeGC);
  const numGC = () => heap.ReadMemStats().NumGC;
  const collections = [1, 2, 4, 9].map((size) => {
    heap.mallocgc(size, null, FlagNoScan);
    return numGC();
  });
  assertEquals(collections, [0, 0, 0, 1]);
});

Deno.test("an object that is never freed survives without roots, and keeps nothing alive", () => {
  for (const size of [8, 12, 64, 3000, 40000]) {
    for (const flags of [FlagNoGC, FlagNoGC | FlagNoScan]) {
      using heap = gccgoHeap();
      const p = heap.mallocgc(size, null, flags);
      const root = heap.global(heap.types.unsafePointer);
      heap.storePointer(p, heap.rawmem(64));
      assertEquals(isScannable(heap, p), false);
      assertEquals(aliveAfterGC(heap), 1);
      // Marking stops at it, whichever way it comes.
      heap.storePointer(p, heap.rawmem(64));
      heap.storePointer(root, p + 4);
      assertEquals(aliveAfterGC(heap), 1);
      heap.gogc(1);
      heap.storePointer(root, 0);
      assertEquals([aliveAfterGC(heap), gccgoOf(heap).noGC.count], [1, 1]);
    }
  }
});

Deno.test("an object that is never freed is never finalized", () => {
  using heap = gccgoHeap();
  const { types } = heap;
  const p = heap.mallocgc(64, null, FlagNoGC);
  const type = types.pointer(types.uintptr);
  heap.SetFinalizer({ type, data: p }, { type: types.func([type], []), data: () => {} });
  heap.storePointer(p, heap.rawmem(64));
  // With a finalizer it is a root like any other that has one.
  assertEquals([aliveAfterGC(heap), heap.runFinalizers()], [2, 0]);
});

Deno.test("verify finds an object that is never freed on a free list, and one listed twice", () => {
  using heap = gccgoHeap();
  const { noGC } = gccgoOf(heap);
  heap.mallocgc(64, null, FlagNoGC);
  heap.verify();
  noGC.add(0, 0);
  assertThrows(() => heap.verify(), GoThrow, "is listed once");
  using other = gccgoHeap();
  other.mallocgc(64, null, FlagNoGC);
  gccgoOf(other).noGC.add(0, 1);
  assertThrows(() => other.verify(), GoThrow, "is on no free list");
});

Deno.test("stacks do not count as live when the next collection is set", () => {
  const nextGC = (flags: number) => {
    using heap = gccgoHeap({ minHeapBytes: 0, collect: "safepoint" });
    heap.mallocgc(81920, null, flags);
    using _ref = heap.ref(heap.mallocgc(40960, null, FlagNoScan));
    heap.GC();
    return heap.ReadMemStats().NextGC;
  };
  assertEquals(nextGC(FlagNoGC), 2 * (81920 + 40960));
  assertEquals(nextGC(FlagNoGC | FlagNoProfiling), 81920 + 2 * 40960);
});

Deno.test("a collection starts when the heap reaches next_gc, at the end of the allocation", () => {
  using heap = gccgoHeap({ collect: "malloc", minHeapBytes: 0 });
  using _ref = heap.ref(heap.mallocgc(400000, null, FlagNoScan));
  heap.GC();
  const start = heap.ReadMemStats().NumGC;
  const { NextGC } = heap.ReadMemStats();
  assertEquals(NextGC, 2 * 401408);
  let p = 0;
  while (heap.ReadMemStats().NumGC === start) {
    assert(heap.ReadMemStats().HeapAlloc < NextGC);
    p = heap.mallocgc(40000, null, FlagNoScan);
  }
  // What is being returned is kept.
  heap.verify();
  assert(heap.findObject(p) !== null);
});

Deno.test("FlagNoInvokeGC puts a collection off, FlagNoZero leaves what was there", () => {
  using heap = gccgoHeap({ collect: "malloc", minHeapBytes: 1 });
  const numGC = () => heap.ReadMemStats().NumGC;
  heap.mallocgc(100000, null, FlagNoScan | FlagNoInvokeGC);
  assertEquals(numGC(), 0);
  heap.mallocgc(100000, null, FlagNoScan);
  assertEquals(numGC(), 1);

  using other = gccgoHeap();
  const fill = (p: Pointer) => other.bytes(p, 96).fill(7);
  fill(other.mal(96));
  using _ref = other.ref(other.mal(96));
  other.GC();
  const zeroed = other.mal(96);
  assertEquals(other.bytes(zeroed, 96).every((byte) => byte === 0), true);
  fill(zeroed);
  other.GC();
  const asItWas = other.mallocgc(96, null, FlagNoZero);
  assertEquals([asItWas, other.loadUint8(asItWas + 95)], [zeroed, 7]);
});

Deno.test("all objects of no bytes are one, whatever is asked of them", () => {
  using heap = gccgoHeap();
  const { types } = heap;
  const empty = types.struct("main.Empty", {});
  const all = [
    heap.mal(0),
    heap.newobject(empty),
    heap.newarray(types.string, 0),
    heap.mallocgc(0, null, FlagNoGC),
    heap.mallocgc(0, types.string, 0),
    heap.rawmem(0),
  ];
  assertEquals(new Set(all).size, 1);
  assertEquals([objects(heap), heap.gettype(all[0]), heap.findObject(all[0])], [0, null, null]);
});

Deno.test("a global variable is scanned word by word, unless it has no pointers", () => {
  using heap = gccgoHeap();
  const { types } = heap;
  const sp = heap.global(types.struct("", { s: types.uintptr, p: types.unsafePointer }));
  const ss = heap.global(types.array(types.uintptr, 2));
  heap.storePointer(sp, heap.rawmem(64));
  heap.storePointer(sp + 8, heap.rawmem(64));
  heap.storePointer(ss, heap.rawmem(64));
  assertEquals(aliveAfterGC(heap), 2);
});

Deno.test("an allocation from inside an allocation is a deadlock, and no collection starts there", () => {
  using addressSpace = new WatchedSpace();
  using heap = gccgoHeap({ addressSpace });
  const errors: Error[] = [];
  let numGC = -1;
  addressSpace.onMap = () => {
    for (const allocate of [() => heap.mal(8), () => heap.rawmem(8), () => heap.mal(50000)]) {
      errors.push(assertThrows(allocate, GoThrow));
    }
    heap.GC();
    numGC = partsOf(heap).stats[NUM_GC];
    throw new RangeError("mapping failed");
  };
  assertThrows(() => heap.mal(100), RangeError, "mapping failed");
  assertEquals(errors.map(({ message }) => message), new Array(3).fill("malloc/free - deadlock"));
  assertEquals(numGC, 0);
  addressSpace.onMap = () => {};
  heap.verify();
  using _ref = heap.ref(heap.mal(100));
  assertEquals(aliveAfterGC(heap), 1);
});

Deno.test("with typeatblockend every block ends with what its object is", () => {
  using heap = gccgoHeap({ debug: "typeatblockend=1" });
  const { types } = heap;
  const last = (p: Pointer) => {
    const { base, size } = heap.findObject(p)!;
    return heap.loadPointer(base + size - 8);
  };
  const pair = types.array(types.string, 2);
  const cases: [p: Pointer, size: number, typeWord: number][] = [
    [heap.newobject(types.string), 32, types.string.address],
    [heap.newobject(pair), 48, pair.address],
    [heap.newarray(types.string, 2), 48, types.string.address + TypeInfo.Array],
    [heap.newarray(types.int, 8), 80, types.int.address + TypeInfo.Array],
    [heap.mal(64), 80, 0],
    [heap.newarray(types.int, 5000), 40960, types.int.address + TypeInfo.Array],
    [heap.newarray(types.int, 4096), 40960, types.int.address + TypeInfo.Array],
    [heap.mallocgc(8, null, FlagNoGC), 16, 0],
    [heap.newobject(types.int), 16, types.int.address],
  ];
  for (const [p, size, typeWord] of cases) {
    assertEquals([heap.findObject(p)?.size, last(p)], [size, typeWord]);
  }
  const tiny = [heap.newobject(types.int8), heap.newobject(types.int8)];
  assertEquals([tiny[1] - tiny[0], last(tiny[0]), last(tiny[1])], [
    16,
    types.int8.address,
    types.int8.address,
  ]);
  heap.verify();
  assertEquals(aliveAfterGC(heap), 1);
});

Deno.test("a heap that follows gc has none of this", () => {
  using heap = new GoHeap({ platform: "linux/amd64", debug: "typeatblockend=1" });
  assertEquals(partsOf(heap).gccgo, null);
  assertThrows(() => heap.mallocgc(8, null), GoThrow, "malloc missing type");
  assertEquals(heap.findObject(heap.newobject(heap.types.string))?.size, 16);
});

Deno.test("efence holds for objects with and without types, and for the tables there are", () => {
  using heap = gccgoHeap({ debug: "efence=1" });
  const { types } = heap;
  using kept = heap.ref(heap.newobject(types.string));
  const untyped = heap.mal(8);
  const tiny = heap.mallocgc(1, null, FlagNoScan);
  assertEquals([kept.pointer, untyped, tiny].map((p) => heap.findObject(p)?.size), [
    8192,
    8192,
    8192,
  ]);
  heap.storePointer(kept.pointer, heap.mallocgc(3, null, FlagNoScan));
  assertEquals(heap.gettype(kept.pointer)?.type, types.string);
  assertEquals(aliveAfterGC(heap), 2);
  assertThrows(() => heap.loadUint8(untyped), GoThrow, "which was freed");
});

Deno.test("allocfreetrace names the types of objects", () => {
  const lines: string[] = [];
  using heap = gccgoHeap({ debug: "allocfreetrace=1", trace: (line) => lines.push(line) });
  const p = heap.newobject(heap.types.string);
  const shown = `tracealloc(0x${p.toString(16)}, 0x10, string)`;
  assertEquals(lines.filter((line) => line.startsWith("tracealloc(")).at(0), shown);
  heap.verify();
});

Deno.test("of a value that is there in part, the part is followed", () => {
  using heap = gccgoHeap();
  const { types } = heap;
  const sp = types.struct("", { s: types.uintptr, p: types.unsafePointer });
  for (const [size, followed] of [[8, 0], [12, 1], [16, 1], [24, 1], [32, 2]]) {
    using object = heap.ref(heap.mallocgc(size, sp, 0));
    for (let at = 0; at + 8 <= heap.findObject(object.pointer)!.size; at += 8) {
      heap.storePointer(object.pointer + at, heap.rawmem(64));
    }
    assertEquals(aliveAfterGC(heap), 1 + followed, `${size} bytes`);
  }
});
