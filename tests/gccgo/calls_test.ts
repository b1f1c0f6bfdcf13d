import { assertEquals, assertThrows } from "@std/assert";
import { FlagNoInvokeGC, FlagNoScan, type GoHeap } from "../../mod.ts";
import { gccgoHeap } from "./helpers.ts";

/** Allocates something large enough that a collection falls due. */
function allocate(heap: GoHeap): void {
  heap.mallocgc(200000, null, FlagNoScan);
}

function numGC(heap: GoHeap): number {
  return heap.ReadMemStats().NumGC;
}

/** Sets a finalizer on an object that nothing refers to. */
function addFinalized(heap: GoHeap, finalizer: () => void = () => {}): void {
  const { types } = heap;
  const type = types.pointer(types.string);
  const data = heap.newobject(types.string);
  heap.SetFinalizer({ type, data }, { type: types.func([type], []), data: finalizer });
}

Deno.test("an allocation inside a C call starts no collection, the next one outside does", () => {
  using heap = gccgoHeap({ collect: "malloc", minHeapBytes: 1 });
  const result = heap.cgocall(() => {
    for (let i = 0; i < 10; i++) allocate(heap);
    heap.newobject(heap.types.string);
    heap.mal(64);
    return numGC(heap);
  });
  assertEquals([result, numGC(heap)], [0, 0]);
  heap.verify();
  allocate(heap);
  assertEquals(numGC(heap), 1);
});

Deno.test("C calls nest, and a C call that throws is over", () => {
  using heap = gccgoHeap({ collect: "malloc", minHeapBytes: 1 });
  heap.cgocall(() => {
    heap.cgocall(() => allocate(heap));
    allocate(heap);
    assertThrows(
      () =>
        heap.cgocall(() => {
          throw new SyntaxError("in C");
        }),
      SyntaxError,
    );
    allocate(heap);
    assertThrows(() => heap.mallocgc(2 ** 50, null, FlagNoScan), Error, "out of memory");
    allocate(heap);
    assertEquals(numGC(heap), 0);
  });
  allocate(heap);
  assertEquals(numGC(heap), 1);
  heap.verify();
});

Deno.test("what ran its finalizers is collected once more, at the entry of the next allocation", () => {
  using heap = gccgoHeap({ collect: "malloc" });
  addFinalized(heap);
  heap.GC();
  assertEquals([heap.runFinalizers(), numGC(heap)], [1, 1]);
  // The table is all that is left when the object has gone.
  assertEquals(heap.ReadMemStats().HeapObjects, 2);
  heap.mallocgc(64, null, FlagNoScan | FlagNoInvokeGC);
  heap.cgocall(() => heap.rawmem(64));
  assertEquals(numGC(heap), 1);
  using ref = heap.ref(heap.rawmem(64));
  assertEquals(numGC(heap), 2);
  heap.rawmem(64);
  assertEquals(numGC(heap), 2);
  heap.GC();
  assertEquals(heap.ReadMemStats().HeapObjects, 1);
  assertEquals(heap.findObject(ref.pointer)?.size, 64);
  heap.verify();
});

Deno.test("under safepoint the collection after finalizers waits for the safepoint", () => {
  using heap = gccgoHeap();
  addFinalized(heap);
  heap.GC();
  heap.runFinalizers();
  heap.rawmem(64);
  assertEquals(numGC(heap), 1);
  heap.safepoint();
  assertEquals(numGC(heap), 2);
  heap.safepoint();
  assertEquals(numGC(heap), 2);
});

Deno.test("the collection after finalizers comes once a batch, and by itself after the turn", async () => {
  using heap = gccgoHeap();
  let ran = 0;
  for (let i = 0; i < 200; i++) addFinalized(heap, () => ran++);
  heap.GC();
  const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
  for (let i = 0; i < 1000 && (ran < 200 || numGC(heap) < 2); i++) await turn();
  assertEquals([ran, numGC(heap)], [200, 2]);
  for (let i = 0; i < 5; i++) await turn();
  assertEquals(numGC(heap), 2);
});

Deno.test("with the collector off nothing waits for a collection after finalizers", () => {
  using heap = gccgoHeap({ collect: "malloc" });
  addFinalized(heap);
  heap.GC();
  heap.SetGCPercent(-1);
  assertEquals(heap.runFinalizers(), 1);
  heap.rawmem(64);
  heap.safepoint();
  assertEquals(numGC(heap), 1);
  heap.verify();
});

Deno.test("without finalizers no collection is asked for", () => {
  using heap = gccgoHeap({ collect: "malloc" });
  heap.GC();
  assertEquals(heap.runFinalizers(), 0);
  heap.rawmem(64);
  assertEquals(numGC(heap), 1);
});

Deno.test("a collection that came some other way is not made up for on entry", () => {
  using heap = gccgoHeap({ collect: "malloc", minHeapBytes: 100000 });
  addFinalized(heap);
  heap.GC();
  heap.runFinalizers();
  heap.GC();
  heap.mallocgc(1, null, FlagNoScan | FlagNoInvokeGC);
  heap.mallocgc(200000, null, FlagNoScan | FlagNoInvokeGC);
  assertEquals(numGC(heap), 2);
  // It fits in the tiny block, and so is not where one begins that is due.
  heap.mallocgc(1, null, FlagNoScan);
  assertEquals(numGC(heap), 2);
  heap.mallocgc(64, null, FlagNoScan);
  assertEquals(numGC(heap), 3);
});
