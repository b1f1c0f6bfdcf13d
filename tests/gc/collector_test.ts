import { assert, assertEquals, assertThrows } from "@std/assert";
import { MARK_SHIFT } from "../../lib/arena/bitmap.ts";
import { NUM_GC } from "../../lib/arena/stats.ts";
import { partsOf } from "../../lib/go_heap.ts";
import { FlagNoScan, GoHeap as UncheckedHeap, GoThrow, SharedAddressSpace } from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";
import { heapInSlices, isUnderWay, slicesUntil } from "./in_slices.ts";
import { Phase } from "../../lib/gc/world.ts";

const OPTIONS = { platform: "linux/amd64" } as const;
const TWO_MINUTES_NS = 120e9;
const PATIENCE_TURNS = 2000;

function numGC(heap: GoHeap): number {
  return heap.snapshot().stats.numgc;
}

async function turns(done: () => boolean): Promise<void> {
  for (let i = 0; i < PATIENCE_TURNS && !done(); i++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

Deno.test("nobody collects from within a collection", () => {
  using heap = new GoHeap(OPTIONS);
  let calls = 0;
  heap.registerPoolCleanup(() => {
    calls++;
    heap.GC();
    heap.safepoint();
  });
  heap.GC();
  assertEquals([calls, numGC(heap)], [1, 1]);
  heap.verify();
});

Deno.test("nobody collects from a trace or a clock that the heap calls", () => {
  const lines: string[] = [];
  let now = 0;
  const heap: GoHeap = new GoHeap({
    ...OPTIONS,
    debug: "gctrace=1",
    trace: (line) => {
      lines.push(line);
      heap.GC();
    },
    clock: () => {
      now += 1000;
      if (now > 1e6) heap.GC();
      return now;
    },
  });
  now = 2e6;
  heap.GC();
  heap.safepoint();
  assertEquals([lines.length, numGC(heap)], [1, 1]);
  heap[Symbol.dispose]();
});

Deno.test("nobody collects while the page heap asks the address space for memory", () => {
  class Collecting extends SharedAddressSpace {
    heap: GoHeap | null = null;
    asked = 0;
    override map(address: number, bytes: number): boolean {
      if (this.heap !== null) {
        this.asked++;
        this.heap.GC();
      }
      return super.map(address, bytes);
    }
  }
  const addressSpace = new Collecting();
  using heap = new GoHeap({ ...OPTIONS, addressSpace });
  addressSpace.heap = heap;
  for (let i = 0; i < 10; i++) heap.rawmem(2 ** 20);
  assert(addressSpace.asked > 0);
  assertEquals(numGC(heap), 0);
  heap.GC();
  assertEquals(numGC(heap), 1);
  heap.verify();
});

Deno.test("nobody collects before the heap is put together", () => {
  using heap = new GoHeap(OPTIONS);
  const { world } = partsOf(heap);
  world.isEnabled = false;
  heap.GC();
  heap.safepoint();
  assertEquals(numGC(heap), 0);
  world.isEnabled = true;
  heap.GC();
  assertEquals(numGC(heap), 1);
});

Deno.test("a heap whose structures were found broken is not collected any more", () => {
  using heap = new GoHeap(OPTIONS);
  heap.mallocgc(64, null, FlagNoScan);
  heap.gogc(1);
  const { arena, spans } = partsOf(heap);
  // The span that waits to be swept claims to link one block more than it does.
  const chainBlocks = arena.pageSpan[0] + 12;
  spans.ints[chainBlocks]++;
  assertThrows(() => heap.GC(), GoThrow, "free list of span at page 0 is corrupted");
  spans.ints[chainBlocks]--;
  assertThrows(() => heap.GC(), GoThrow, "Cannot use heap: it was found to be corrupted");
  const { world, collector, stats } = partsOf(heap);
  assert(!world.mayCollect);
  collector.gogc(2);
  collector.safepoint();
  assertEquals(stats[NUM_GC], 1);
});

Deno.test("a collection that was under way is finished though GOGC was switched off", () => {
  using heap = heapInSlices();
  const { types } = heap;
  const root = heap.global(types.unsafePointer);
  heap.storePointer(root, heap.newobject(types.unsafePointer));
  slicesUntil(heap, Phase.Mark);
  heap.SetGCPercent(-1);
  assert(isUnderWay(heap));
  for (let i = 0; i < 100 && isUnderWay(heap); i++) heap.safepoint();
  assertEquals(numGC(heap), 1);
  heap.safepoint();
  assert(!isUnderWay(heap));
});

for (const collect of ["safepoint", "malloc"] as const) {
  Deno.test(`with collect "${collect}", a heap is collected when two minutes went by without`, () => {
    let now = 0;
    using heap = new GoHeap({ ...OPTIONS, collect, clock: () => now });
    heap.rawmem(100);
    now = TWO_MINUTES_NS;
    heap.safepoint();
    assertEquals(numGC(heap), 0, "two minutes, and not more");
    now++;
    heap.safepoint();
    assertEquals(numGC(heap), 1);
    now += TWO_MINUTES_NS;
    heap.GC();
    now++;
    heap.safepoint();
    assertEquals(numGC(heap), 2, "counted from the last collection");

    // The allocator notices it on its slow path, now and then.
    now += 2 * TWO_MINUTES_NS;
    for (let i = 0; i < 100; i++) heap.rawmem(5000);
    heap.safepoint();
    assertEquals(numGC(heap), 3);
    heap.verify();

    heap.SetGCPercent(-1);
    now += 2 * TWO_MINUTES_NS;
    for (let i = 0; i < 100; i++) heap.rawmem(5000);
    heap.safepoint();
    assertEquals(numGC(heap), 3);
  });
}

Deno.test("an allocation that notices that two minutes went by keeps its object", () => {
  let now = 0;
  using heap = new GoHeap({ ...OPTIONS, collect: "malloc", clock: () => now });
  now = 2 * TWO_MINUTES_NS;
  let kept = 0;
  while (numGC(heap) === 0) {
    assert(++kept < 1000, "no collection");
    heap.newarray(heap.types.unsafePointer, 500);
  }
  // The lazy collection is swept by the next one, which counts the object that was kept.
  const { spans } = heap.snapshot();
  assert(spans.some(({ state }) => state === "inuse"));
  heap.verify();
});

Deno.test("with gctrace=2 every collection is done twice, and each time has its line", () => {
  const lines: string[] = [];
  using heap = new GoHeap({ ...OPTIONS, debug: "gctrace=2", trace: (line) => lines.push(line) });
  heap.storePointer(heap.global(heap.types.unsafePointer), heap.rawmem(100));
  heap.rawmem(100);
  heap.GC();
  heap.gogc(1);
  assertEquals(lines.map((line) => line.split("(")[0]), ["gc1", "gc2", "gc3", "gc4"]);
  const { NumGC, HeapObjects } = heap.ReadMemStats();
  assertEquals([NumGC, HeapObjects], [4, 1]);
  heap.verify();
});

Deno.test("a collection that nobody called for goes on turn by turn, and so does its sweep", async () => {
  using heap = heapInSlices(64, { gcPercent: 100, minHeapBytes: 2 ** 17 });
  const { types } = heap;
  const root = heap.global(types.unsafePointer);
  for (let i = 0; i < 4000; i++) {
    const node = heap.newobject(types.array(types.unsafePointer, 8));
    if (i % 2 === 0) continue;
    heap.storePointer(node, heap.loadPointer(root));
    heap.storePointer(root, node);
  }
  assertEquals(numGC(heap), 0, "collected within the turn");
  const phases = new Set<number>();
  const unswept: number[] = [];
  await turns(() => {
    phases.add(partsOf(heap).world.phase);
    const { spans, stats } = heap.snapshot();
    if (stats.numgc === 1) {
      unswept.push(
        spans.filter((span) => span.state === "inuse" && span.sweepgen_delta < 0).length,
      );
    }
    return stats.numgc === 1 && stats.sweepdone === 1;
  });
  assert(phases.has(Phase.Mark), "marking took one turn");
  assert(new Set(unswept).size > 2, `spans left to sweep, turn by turn: ${unswept}`);
  assertEquals(unswept.at(-1), 0);
  heap.verify();
  assertEquals(heap.ReadMemStats().Frees, 2000);
  assertEquals(numGC(heap), 1);
});

Deno.test("finalizers run before the heap is swept in the background", async () => {
  using heap = heapInSlices(1, { gcPercent: 100 });
  const { types } = heap;
  const pair = types.array(types.uint64, 2);
  const type = types.pointer(pair);
  const ran: number[] = [];
  for (let i = 0; i < 3; i++) {
    heap.SetFinalizer({ type, data: heap.newobject(pair) }, {
      type: types.func([type], []),
      data: () => ran.push(i),
    });
  }
  for (let i = 0; i < 50; i++) heap.rawmem(8000);
  await turns(() => ran.length === 3 && heap.snapshot().stats.sweepdone === 1);
  assertEquals(ran, [0, 1, 2]);
});

Deno.test('under "malloc" nothing is swept by itself', async () => {
  using heap = new GoHeap({ ...OPTIONS, collect: "malloc" });
  for (let i = 0; i < 100; i++) heap.rawmem(8000);
  heap.gogc(1);
  let turn = 0;
  await turns(() => ++turn === 10);
  assertEquals(heap.snapshot().stats.sweepdone, 0);
});

Deno.test("a check mark finds the block that marking missed, and says where and what it is", () => {
  using heap = new UncheckedHeap(OPTIONS);
  const { types } = heap;
  const node = types.struct("main.Node", { number: types.uint64, next: types.unsafePointer });
  const [a, b] = [heap.newobject(node), heap.newobject(node)];
  heap.storePointer(heap.global(types.unsafePointer), a);
  heap.storePointer(a + 8, b);
  heap.storeBig64(b, 0x1234n);
  heap.GCcheckmarkenable();
  heap.GC();
  assertEquals(numGC(heap), 2, "the check counts as a collection, as in the seeds");

  const { arena, world } = partsOf(heap);
  // What is found marked before marking has begun is not followed: as if marking had forgotten to.
  heap.registerPoolCleanup(() => arena.bitmap.marks[(0 << MARK_SHIFT) + 0] |= 1);
  const hex = (n: number) => `0x${n.toString(16)}`;
  const { message } = assertThrows(() => heap.GC(), GoThrow, "checkmark found unmarked object");
  assertEquals(message.split("\n"), [
    "checkmark found unmarked object",
    `runtime:greyobject: checkmarks finds unexpected unmarked object obj=${hex(b)}`,
    `runtime: found obj at *(${hex(a)}+0x8)`,
    `base=${hex(a)} k=0x6104000 s.start*_PageSize=0xc208000000 s.limit=0xc208002000` +
    " s.sizeclass=2 s.elemsize=16",
    " *(base+0) = 0x0",
    ` *(base+8) = ${hex(b)} <==`,
    `obj=${hex(b)} k=0x6104000 s.start*_PageSize=0xc208000000 s.limit=0xc208002000` +
    " s.sizeclass=2 s.elemsize=16",
    " *(obj+0) = 0x1234",
    " *(obj+8) = 0x0",
  ]);
  assertEquals(world.phase, Phase.Off);
  heap.verify();
  heap.GCcheckmarkdisable();
  heap.GC();
  assertEquals(heap.loadBig64(b), 0x1234n);
});

// tests.md 45
Deno.test("a pool gives back what was put first, then the last, and nothing after a collection", () => {
  using heap = new GoHeap(OPTIONS);
  const pool = heap.pool();
  const [a, b, c] = [1, 2, 3].map(() => heap.rawmem(32));
  for (const p of [a, b, c]) pool.put(p);
  assertEquals([pool.get(), pool.get(), pool.get(), pool.get()], [a, c, b, 0]);
  pool.put(0);
  pool.put(c);
  heap.GC();
  assertEquals(pool.get(), 0);
  assertEquals(heap.ReadMemStats().HeapObjects, 0);
});

Deno.test("what is put into a pool while the heap is marked is gone before it is swept", () => {
  using heap = heapInSlices();
  const { types } = heap;
  const root = heap.global(types.array(types.unsafePointer, 2));
  heap.storePointer(root, heap.newobject(types.unsafePointer));
  heap.storePointer(heap.loadPointer(root), heap.newobject(types.unsafePointer));
  const pool = heap.pool();
  slicesUntil(heap, Phase.Scan);
  pool.put(heap.newobject(types.uint64));
  while (isUnderWay(heap)) heap.safepoint();
  assertEquals(pool.get(), 0);
});

Deno.test("an error in a hook that clears a pool gives the collection up", () => {
  using heap = new GoHeap(OPTIONS);
  let isBroken = true;
  heap.registerPoolCleanup(() => {
    if (isBroken) throw new Error("from a hook");
  });
  heap.rawmem(100);
  assertThrows(() => heap.GC(), Error, "from a hook");
  heap.verify();
  isBroken = false;
  heap.GC();
  assertEquals(heap.ReadMemStats().HeapObjects, 0);
});

// tests.md 34
Deno.test("a cache of wait records is dropped at a collection, so that no record holds the rest", () => {
  using heap = new GoHeap({ ...OPTIONS, gcPercent: 1_000_000 });
  const { types } = heap;
  const record = types.struct("main.Sudog", (self) => ({ next: types.pointer(self) }));
  const free = heap.global(types.pointer(record));
  heap.registerPoolCleanup(() => {
    for (let p = heap.loadPointer(free); p !== 0;) {
      const next = heap.loadPointer(p);
      heap.storePointer(p, 0);
      p = next;
    }
    heap.storePointer(free, 0);
  });
  const held = heap.global(types.pointer(record));
  const objects: number[] = [];
  for (let round = 0; round < 20; round++) {
    const taken = Array.from({ length: 50 }, () => {
      const first = heap.loadPointer(free);
      if (first === 0) return heap.newobject(record);
      heap.storePointer(free, heap.loadPointer(first));
      return first;
    });
    for (const p of taken) {
      heap.storePointer(p, heap.loadPointer(free));
      heap.storePointer(free, p);
    }
    // One of them is still in somebody's hands.
    heap.storePointer(held, taken[25]);
    heap.GC();
    objects.push(heap.ReadMemStats().HeapObjects);
  }
  assertEquals(objects, new Array(20).fill(1));
});

Deno.test("the heap that tests are made of finds what a collection missed, and counts as any other", () => {
  using heap = new GoHeap(OPTIONS);
  const [a, b] = [1, 2].map(() => heap.newobject(heap.types.unsafePointer));
  heap.storePointer(heap.global(heap.types.unsafePointer), a);
  heap.storePointer(a, b);
  heap.GC();
  assertEquals(numGC(heap), 1);
  // As if marking had forgotten to follow it.
  heap.registerPoolCleanup(() => partsOf(heap).arena.bitmap.marks[0] |= 1);
  assertThrows(() => heap.GC(), GoThrow, "checkmark found unmarked object");
});
