import { assert, assertEquals, assertThrows } from "@std/assert";
import { FlagNoScan, FlagNoZero, GoHeap, GoThrow, type Pointer } from "../mod.ts";

const OPTIONS = { platform: "linux/amd64", debug: "efence=1" } as const;
const PAGE = 8192;

/** A fenced heap, and in it an object of `size` bytes that was freed. */
function heapWithFreed(size: number): { heap: GoHeap; p: Pointer } {
  const heap = new GoHeap(OPTIONS);
  const p = heap.rawmem(size);
  heap.GC();
  return { heap, p };
}

Deno.test("each object lies on pages of its own, however small, and is all zero", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const pair = types.struct("main.Pair", { a: types.unsafePointer, b: types.int });
  const objects: [p: Pointer, bytes: number][] = [
    [heap.newobject(types.int8), 1],
    [heap.newobject(types.unsafePointer), 8],
    [heap.newobject(pair), 16],
    [heap.newarray(pair, 10), 160],
    [heap.newarray(types.uint8, 7), 7],
    [heap.mallocgc(15, null, FlagNoScan), 15],
    [heap.mallocgc(100, null, FlagNoScan | FlagNoZero), 100],
    [heap.rawmem(3), 3],
    [heap.rawmem(8192), 8192],
    [heap.newarray(types.unsafePointer, 5000), 40000],
  ];
  for (const [i, [p, bytes]] of objects.entries()) {
    const pages = Math.ceil(bytes / PAGE);
    assertEquals([p % PAGE, heap.findObject(p)?.size], [0, pages * PAGE], `object ${i}`);
    assertEquals(heap.bytes(p, bytes).findIndex((byte) => byte !== 0), -1);
  }
  assertEquals(new Set(objects.map(([p]) => p)).size, objects.length);
  const empty = heap.rawmem(0);
  assertEquals(heap.newobject(types.struct("", {})), empty);
  const { HeapObjects, BySize } = heap.ReadMemStats();
  assertEquals(HeapObjects, objects.length);
  assert(BySize.every(({ Mallocs }) => Mallocs === 0), "a block of a size class was handed out");
  heap.verify();
});

Deno.test("what was freed is never used again, and its pages stay out of every list", () => {
  using heap = new GoHeap(OPTIONS);
  const seen = new Set<Pointer>();
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 40; i++) {
      const p = heap.rawmem(i % 8 === 0 ? 100000 : 10);
      assert(!seen.has(p), `0x${p.toString(16)} was handed out again`);
      seen.add(p);
    }
    heap.gogc(round % 2 === 0 ? 2 : 1);
    heap.verify();
  }
  heap.GC();
  heap.verify();
  const { spans } = heap.snapshot();
  assertEquals(spans.filter(({ state }) => state === "inuse"), []);
  assertEquals(spans.filter(({ state }) => state === "fenced").length, seen.size);
});

Deno.test("an object that is freed changes the statistics as any large one does", () => {
  using heap = new GoHeap(OPTIONS);
  using kept = heap.ref(heap.rawmem(10));
  for (let i = 0; i < 9; i++) heap.rawmem(10 + 10000 * (i % 2));
  heap.GC();
  const { HeapObjects, HeapAlloc, HeapInuse, HeapIdle, HeapSys, Frees, TotalAlloc, NextGC } = heap
    .ReadMemStats();
  assertEquals([HeapObjects, HeapAlloc, HeapInuse, Frees], [1, PAGE, PAGE, 9]);
  assertEquals(HeapIdle, HeapSys - PAGE);
  assertEquals(TotalAlloc, PAGE * (6 + 4 * 2));
  assertEquals(NextGC, 4 * 2 ** 20);
  const { nlargefree, largefree } = heap.snapshot().stats;
  assertEquals([nlargefree, largefree], [9, TotalAlloc - PAGE]);
  assertEquals(heap.findObject(kept.pointer)?.base, kept.pointer);
  heap.FreeOSMemory();
  assert(heap.ReadMemStats().HeapReleased < HeapIdle, "fenced pages were given to the host");
  heap.verify();
});

/** Every load and store, at the address of a freed object. */
const ACCESSES: Record<string, (heap: GoHeap, p: Pointer) => unknown> = {
  loadPointer: (heap, p) => heap.loadPointer(p),
  storePointer: (heap, p) => heap.storePointer(p, 0),
  loadUint8: (heap, p) => heap.loadUint8(p),
  loadInt8: (heap, p) => heap.loadInt8(p),
  loadUint16: (heap, p) => heap.loadUint16(p),
  loadInt16: (heap, p) => heap.loadInt16(p),
  loadUint32: (heap, p) => heap.loadUint32(p),
  loadInt32: (heap, p) => heap.loadInt32(p),
  loadFloat32: (heap, p) => heap.loadFloat32(p),
  loadFloat64: (heap, p) => heap.loadFloat64(p),
  loadBig64: (heap, p) => heap.loadBig64(p),
  storeUint8: (heap, p) => heap.storeUint8(p, 1),
  storeInt8: (heap, p) => heap.storeInt8(p, 1),
  storeUint16: (heap, p) => heap.storeUint16(p, 1),
  storeInt16: (heap, p) => heap.storeInt16(p, 1),
  storeUint32: (heap, p) => heap.storeUint32(p, 1),
  storeInt32: (heap, p) => heap.storeInt32(p, 1),
  storeFloat32: (heap, p) => heap.storeFloat32(p, 1),
  storeFloat64: (heap, p) => heap.storeFloat64(p, 1),
  storeBig64: (heap, p) => heap.storeBig64(p, 1n),
  bytes: (heap, p) => heap.bytes(p, 8),
};

Deno.test("every load and store is among those that are tried", () => {
  const methods = Object.getOwnPropertyNames(GoHeap.prototype)
    .filter((name) => /^(load|store|bytes)/.test(name));
  assertEquals(methods.toSorted(), Object.keys(ACCESSES).toSorted());
});

for (const [name, access] of Object.entries(ACCESSES)) {
  Deno.test(`${name} of a freed object is a fault that names the object`, () => {
    const { heap, p } = heapWithFreed(100);
    using _ = heap;
    const hex = (at: Pointer) => `0x${at.toString(16)}`;
    assertThrows(
      () => access(heap, p + 16),
      GoThrow,
      `unexpected fault address ${hex(p + 16)}: fault: access to `,
    );
    assertThrows(
      () => access(heap, p),
      GoThrow,
      `in the object of 100 bytes at ${hex(p)}, which was freed`,
    );
    // A live object, a global variable and a frame are accessed as ever; beyond their end is a fault.
    using live = heap.ref(heap.rawmem(40));
    using frame = heap.frame(1);
    access(heap, live.pointer + 32);
    access(heap, heap.global(heap.types.int));
    access(heap, frame.address(0));
    assertThrows(
      () => access(heap, live.pointer + 40),
      GoThrow,
      `beyond the end of the object of 40 bytes at ${hex(live.pointer)}`,
    );
    assertThrows(() => access(heap, live.pointer + PAGE), GoThrow, "in no object");
    heap.verify();
  });
}

Deno.test("an access that begins in an object and ends behind it is a fault", () => {
  using heap = new GoHeap(OPTIONS);
  const p = heap.rawmem(44);
  heap.loadInt32(p + 40);
  assertThrows(() => heap.loadFloat64(p + 40), GoThrow, "access to 8 bytes beyond the end");
  assertThrows(() => heap.bytes(p, 45), GoThrow, "access to 45 bytes beyond the end");
  assertEquals(heap.bytes(p, 44).length, 44);
  assertThrows(() => heap.loadInt32(p + 1), RangeError, "multiple of 4");
});

Deno.test("verify finds what was written to a freed object through a view from before", () => {
  using heap = new GoHeap(OPTIONS);
  const p = heap.rawmem(1000);
  const view = heap.bytes(p, 1000);
  heap.GC();
  heap.verify();
  view[123] = 7;
  assertThrows(
    () => heap.verify(),
    GoThrow,
    `nobody writes to an object that was freed: 0x7 at 0x${(p + 123).toString(16)}`,
  );
  view[123] = view[122];
  heap.verify();
});

Deno.test("a freed object's contents are gone, and a view from before shows so", () => {
  using heap = new GoHeap(OPTIONS);
  const view = heap.bytes(heap.rawmem(50000), 50000);
  view.fill(1);
  heap.GC();
  assertEquals(new Set(view).size, 1);
  assert(view[0] !== 1);
});

Deno.test("a pointer that is still stored to what was freed for lack of a root is found by the next collection", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const hidden = heap.global(types.uintptr);
  const p = heap.newobject(types.int);
  heap.storeBig64(hidden, BigInt(p));
  heap.GC();
  const root = heap.global(types.unsafePointer);
  heap.storePointer(root, Number(heap.loadBig64(hidden)));
  const { message } = assertThrows(() => heap.GC(), GoThrow);
  assert(message.includes("invalid heap pointer") && message.includes(p.toString(16)), message);
  heap.verify();
});

for (const collect of ["malloc", "safepoint"] as const) {
  Deno.test(`a program under efence and collect "${collect}" does what it does without`, () => {
    const run = (debug: string) => {
      using heap = new GoHeap({ ...OPTIONS, debug, collect, minHeapBytes: 0 });
      const { types } = heap;
      const node = types.struct("main.Node", (self) => ({
        next: types.pointer(self),
        key: types.int32,
      }));
      const list = heap.global(types.pointer(node));
      using frame = heap.frame(1);
      let finalized = 0;
      for (let i = 0; i < 300; i++) {
        const p = heap.newobject(node);
        frame.set(0, p);
        heap.storeInt32(p + 8, i);
        if (i % 3 === 0) {
          heap.storePointer(p, heap.loadPointer(list));
          heap.storePointer(list, p);
        } else if (i % 3 === 1) {
          heap.SetFinalizer({ type: types.pointer(node), data: p }, {
            type: types.func([types.pointer(node)], []),
            data: (q: Pointer) => finalized += heap.loadInt32(q + 8),
          });
        }
        heap.rawmem(i);
        heap.safepoint();
      }
      frame.set(0, 0);
      for (let i = 0; i < 2; i++) {
        heap.GC();
        heap.runFinalizers();
      }
      heap.GC();
      heap.verify();
      const keys: number[] = [];
      for (let p = heap.loadPointer(list); p !== 0; p = heap.loadPointer(p)) {
        keys.push(heap.loadInt32(p + 8));
      }
      return { keys, finalized, objects: heap.ReadMemStats().HeapObjects };
    };
    assertEquals(run("efence=1"), run(""));
    assertEquals(run("efence=1,gcstress=1"), run(""));
  });
}

Deno.test("bad arguments are refused under efence as they are without", () => {
  using heap = new GoHeap(OPTIONS);
  assertThrows(() => heap.mallocgc(8, null, 0), GoThrow, "malloc missing type");
  assertThrows(() => heap.mallocgc(8, null, 99), RangeError, "flags");
  assertThrows(() => heap.rawmem(-1), RangeError, "size");
  assertThrows(() => heap.newobject(null as never), RangeError, "type");
  assertThrows(() => heap.newarray(heap.types.int, NaN), RangeError, "n");
  using other = new GoHeap(OPTIONS);
  assertThrows(() => heap.newobject(other.types.unsafePointer), RangeError, "type");
  assertThrows(() => heap.loadInt32(16), RangeError, "an address with 4 bytes");
  heap.verify();
});
