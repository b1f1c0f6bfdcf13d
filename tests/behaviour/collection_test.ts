import { assert, assertEquals } from "@std/assert";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";
import { Watch } from "./watch.ts";

const OPTIONS = { platform: "linux/amd64" } as const;

// tests.md 22
Deno.test("a large object in a frame is collected once the frame is gone, ten times over", () => {
  using heap = new GoHeap(OPTIONS);
  const watch = new Watch(heap);
  const type = heap.types.array(heap.types.int, 10000);
  for (let i = 0; i < 10; i++) {
    {
      using frame = heap.frame(1);
      frame.set(0, watch.object(i, type));
      assertEquals(watch.collect(), []);
    }
    assertEquals(watch.collect(), [i]);
  }
});

// tests.md 23
Deno.test("100000 dropped objects of 100 bytes are collected inside mallocgc, and reused", () => {
  using heap = new GoHeap({ ...OPTIONS, collect: "malloc" });
  for (let i = 0; i < 100000; i++) heap.newarray(heap.types.uint8, 100);
  heap.verify();
  const { NumGC, Mallocs, HeapSys } = heap.ReadMemStats();
  assert(NumGC > 0, "no collection");
  assertEquals(Mallocs, 100000);
  assert(HeapSys <= 16 * 2 ** 20, `HeapSys is ${HeapSys}`);
});

Deno.test("mallocgc only asks for a collection unless it may collect, and safepoint() does it", () => {
  using heap = new GoHeap({ ...OPTIONS, collect: "safepoint" });
  const numGC = () => heap.ReadMemStats().NumGC;
  heap.safepoint();
  assertEquals(numGC(), 0);
  for (let i = 0; i < 100; i++) heap.rawmem(100000);
  assertEquals(numGC(), 0);
  heap.safepoint();
  assertEquals(numGC(), 1);
  heap.safepoint();
  assertEquals(numGC(), 1);
});

Deno.test("the object that mallocgc returns survives the collection that it caused", () => {
  using heap = new GoHeap({ ...OPTIONS, collect: "malloc", minHeapBytes: 0 });
  let checked = 0;
  for (let i = 0, numGC = 0; checked < 20; i++) {
    assert(i < 10000, `only ${checked} collections`);
    const object = heap.newarray(heap.types.unsafePointer, 1 + i % 100);
    const before = numGC;
    numGC = heap.ReadMemStats().NumGC;
    if (numGC === before) continue;
    using _kept = heap.ref(object);
    // This completes the sweep of the first collection: had it found the object dead, none were left.
    heap.GC();
    numGC++;
    assertEquals(heap.ReadMemStats().HeapObjects, 1);
    checked++;
  }
});

Deno.test("the heap is collected when it has doubled, and no earlier than the minimum", () => {
  const MiB = 2 ** 20;
  using heap = new GoHeap({ ...OPTIONS, collect: "malloc", minHeapBytes: 4 * MiB });
  const table = heap.global(heap.types.array(heap.types.unsafePointer, 200));
  const atCollections: number[] = [];
  let numGC = 0;
  for (let i = 0; i < 200; i++) {
    heap.storePointer(table + 8 * i, heap.rawmem(MiB));
    const stats = heap.ReadMemStats();
    if (stats.NumGC > numGC) atCollections.push(i + 1);
    numGC = stats.NumGC;
  }
  assertEquals(atCollections, [4, 8, 16, 32, 64, 128]);
});

Deno.test("frames are roots while they last, in order, and a slot that is overwritten lets go", () => {
  using heap = new GoHeap(OPTIONS);
  const watch = new Watch(heap);
  using outer = heap.frame(2);
  outer.set(0, watch.object(1));
  {
    using inner = heap.frame(1);
    inner.set(0, watch.object(2));
    outer.set(1, watch.object(3));
    assertEquals(watch.collect(), []);
  }
  assertEquals(watch.collect(), [2]);
  outer.set(0, 0);
  assertEquals(watch.collect(), [1]);
  assertEquals(outer.get(0), 0);
});

Deno.test("a new frame's slots are nil, whatever an older frame left there", () => {
  using heap = new GoHeap(OPTIONS);
  {
    using old = heap.frame(3);
    for (const i of [0, 1, 2]) old.set(i, heap.rawmem(64));
  }
  using fresh = heap.frame(3);
  assertEquals([0, 1, 2].map((i) => fresh.get(i)), [0, 0, 0]);
});

Deno.test("references are roots until they are disposed, each for itself", () => {
  using heap = new GoHeap(OPTIONS);
  const watch = new Watch(heap);
  const object = watch.object(1);
  const first = heap.ref(object);
  const second = heap.ref(object);
  first[Symbol.dispose]();
  assertEquals(watch.collect(), []);
  second[Symbol.dispose]();
  second[Symbol.dispose]();
  assertEquals(watch.collect(), [1]);
});

Deno.test("KeepAlive does nothing, after what needed the object was done", () => {
  using heap = new GoHeap(OPTIONS);
  using frame = heap.frame(1);
  frame.set(0, heap.newobject(heap.types.int));
  assertEquals(heap.KeepAlive(frame.get(0)), undefined);
});

Deno.test("FreeOSMemory collects and counts every idle page as released", () => {
  using heap = new GoHeap(OPTIONS);
  for (let i = 0; i < 10; i++) heap.rawmem(2 ** 20);
  heap.FreeOSMemory();
  const { NumGC, HeapIdle, HeapReleased, HeapInuse } = heap.ReadMemStats();
  assertEquals([NumGC, HeapInuse, HeapReleased], [1, 0, HeapIdle]);
  heap.rawmem(2 ** 20);
  heap.verify();
  const after = heap.ReadMemStats();
  assert(after.HeapReleased < HeapReleased, "pages in use are not released any more");
});

Deno.test("a lazy collection frees at the latest with the next one", () => {
  using heap = new GoHeap(OPTIONS);
  for (let i = 0; i < 1000; i++) heap.newarray(heap.types.uint8, 64);
  heap.gogc(1);
  heap.verify();
  heap.gogc(1);
  heap.verify();
  assertEquals(heap.ReadMemStats().HeapObjects, 0);
});

Deno.test("gogc(0) collects only when the trigger has been reached", () => {
  using heap = new GoHeap({ ...OPTIONS, minHeapBytes: 2 ** 20 });
  heap.gogc(0);
  assertEquals(heap.ReadMemStats().NumGC, 0);
  for (let i = 0; i < 12; i++) heap.rawmem(100000);
  heap.gogc(0);
  assertEquals(heap.ReadMemStats().NumGC, 1);
  heap.gogc(0);
  assertEquals(heap.ReadMemStats().NumGC, 1);
});
