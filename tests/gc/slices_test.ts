import { assert, assertEquals, assertThrows } from "@std/assert";
import { partsOf } from "../../lib/go_heap.ts";
import { Slice } from "../../lib/gc/slice.ts";
import { Phase } from "../../lib/gc/world.ts";
import { FlagNoScan, FlagNoZero, GoThrow, type Pointer } from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";
import { finishSlices, heapInSlices, isUnderWay, slice, slicesUntil } from "./in_slices.ts";

const WORD = 8;

/** A list of `n` nodes of two pointers, `next` and one that is free; returns its first node. */
function makeList(heap: GoHeap, n: number): Pointer {
  const { types } = heap;
  const pair = types.array(types.unsafePointer, 2);
  let first = 0;
  for (let i = 0; i < n; i++) {
    const node = heap.newobject(pair);
    heap.storePointer(node, first);
    first = node;
  }
  return first;
}

function lengthOf(heap: GoHeap, list: Pointer): number {
  let length = 0;
  for (let node = list; node !== 0; node = heap.loadPointer(node)) length++;
  return length;
}

/** Objects that are not free, without changing anything. */
function objects(heap: GoHeap): number {
  const { spans } = heap.snapshot();
  return spans.reduce((n, span) => n + (span.state === "inuse" ? Math.max(1, span.ref) : 0), 0);
}

Deno.test("a collection is done in many slices, and frees what one in one piece does", () => {
  const run = (heap: GoHeap, collect: () => void) => {
    const root = heap.global(heap.types.unsafePointer);
    heap.storePointer(root, makeList(heap, 300));
    makeList(heap, 200);
    collect();
    const { stats, ...rest } = heap.snapshot();
    assertEquals(lengthOf(heap, heap.loadPointer(root)), 300);
    return { stats, ...rest };
  };
  using inSlices = heapInSlices();
  using atOnce = heapInSlices(Infinity);
  let slices = 0;
  const a = run(inSlices, () => slices = finishSlices(inSlices));
  const b = run(atOnce, () => assertEquals(finishSlices(atOnce), 1));
  assert(slices > 300, `${slices} slices`);
  assertEquals(a, b);
  assertEquals(inSlices.ReadMemStats().Frees, 200);
});

Deno.test("the phases follow each other, and the barrier is on from the first root to the last mark", () => {
  using heap = heapInSlices();
  heap.storePointer(heap.global(heap.types.unsafePointer), makeList(heap, 50));
  // Something to sweep before marking can begin.
  heap.gogc(1);
  const { world, barrier } = partsOf(heap);
  const seen: string[] = [];
  do {
    slice(heap);
    const now = `${world.phase} ${barrier.isOn}`;
    if (seen.at(-1) !== now) seen.push(now);
  } while (isUnderWay(heap));
  assertEquals(seen, [
    `${Phase.Quiesce} false`,
    `${Phase.Scan} true`,
    `${Phase.Mark} true`,
    `${Phase.Off} false`,
  ]);
});

Deno.test("the time of all slices makes the pause, and a collection in slices counts once", () => {
  using heap = heapInSlices();
  heap.storePointer(heap.global(heap.types.unsafePointer), makeList(heap, 100));
  const slices = finishSlices(heap);
  const { NumGC, PauseNs, PauseTotalNs } = heap.ReadMemStats();
  assertEquals(NumGC, 1);
  assertEquals(PauseNs[0], PauseTotalNs);
  // Each slice looks at the clock at least twice.
  assert(PauseTotalNs >= slices * 1e6, `${PauseTotalNs} ns in ${slices} slices`);
});

/** Ways to keep an object that the marker has not come to yet, where it will not look any more. */
const HIDING_PLACES: Record<string, (heap: GoHeap, white: Pointer, black: Pointer) => unknown> = {
  "a marked object": (heap, white, black) => heap.storePointer(black + WORD, white),
  "a global": (heap, white) => heap.storePointer(heap.global(heap.types.unsafePointer), white),
  "a slot of a frame": (heap, white) => {
    const frame = heap.frame(1);
    frame.set(0, white);
    return frame;
  },
  "a reference": (heap, white) => heap.ref(white),
  "a marked object, by typedmemmove": (heap, white, black) => {
    const from = heap.newobject(heap.types.unsafePointer);
    // Not a place of its own: this store is by bytes, which no barrier sees.
    heap.storeBig64(from, BigInt(white));
    heap.typedmemmove(heap.types.unsafePointer, black + WORD, from);
    heap.storeBig64(from, 0n);
  },
  "a marked object, by typedslicecopy": (heap, white, black) => {
    const { types } = heap;
    const mixed = types.struct("main.Mixed", {
      number: types.uint64,
      pointer: types.unsafePointer,
    });
    const from = heap.newarray(mixed, 3);
    const to = heap.newarray(mixed, 3);
    heap.storePointer(black + WORD, to);
    heap.storeBig64(from + 5 * WORD, BigInt(white));
    heap.typedslicecopy(mixed, to, from, 3);
    heap.storeBig64(from + 5 * WORD, 0n);
  },
  "an object with a finalizer": (heap, white) => {
    const { types } = heap;
    const object = heap.newobject(types.unsafePointer);
    heap.storeBig64(object, BigInt(white));
    const type = types.pointer(types.unsafePointer);
    heap.SetFinalizer({ type, data: object }, { type: types.func([type], []), data: () => {} });
  },
  "new memory that was not cleared": (heap, white, black) => {
    const { types } = heap;
    const size = 2 * WORD;
    const dirty = heap.mallocgc(size, types.array(types.unsafePointer, 2), FlagNoZero);
    heap.storePointer(black + WORD, dirty);
    // As if the last owner had left it there.
    heap.storeBig64(dirty + WORD, BigInt(white));
    heap.storeBig64(dirty, 0n);
  },
};

for (const [place, hide] of Object.entries(HIDING_PLACES)) {
  Deno.test(`an object that the program moves, unseen by the marker, to ${place} is kept`, () => {
    using heap = heapInSlices(1, { debug: "invalidptr=0" });
    const root = heap.global(heap.types.unsafePointer);
    const list = makeList(heap, 60);
    heap.storePointer(root, list);
    slicesUntil(heap, Phase.Mark);
    for (let i = 0; i < 5; i++) slice(heap);

    // The last but one node is white still; what it points to is taken out of its hand.
    let node = list;
    while (heap.loadPointer(heap.loadPointer(node)) !== 0) node = heap.loadPointer(node);
    const white = heap.loadPointer(node);
    heap.storeInt32(white + WORD, 13);
    const kept = hide(heap, white, list);
    heap.storeBig64(node, 0n);
    finishSlices(heap);
    const { base } = heap.findObject(white)!;
    const page = heap.snapshot().spans.find(({ page }) => page === heap.findObject(white)!.span)!;
    assertEquals(base, white);
    assert(page.state === "inuse" && !isFree(heap, white), "the object was freed");
    assertEquals(heap.loadInt32(white + WORD), 13);
    (kept as Partial<Disposable> | undefined)?.[Symbol.dispose]?.();
  });
}

/** Whether the block at `p` is on a free list. */
function isFree(heap: GoHeap, p: Pointer): boolean {
  const { base, size, span } = heap.findObject(p)!;
  const found = heap.snapshot().spans.find(({ page }) => page === span)!;
  const { arena } = partsOf(heap);
  const block = (base - arena.pageAddress(span)) / size;
  return found.state !== "inuse" ||
    (found.freelist ?? []).some((run) =>
      typeof run === "number"
        ? run === block
        : Math.min(...run) <= block && block <= Math.max(...run)
    );
}

Deno.test("what is allocated while a collection is marking lives through it, whatever its kind", () => {
  using heap = heapInSlices();
  const { types } = heap;
  heap.storePointer(heap.global(types.unsafePointer), makeList(heap, 1000));
  finishSlices(heap);
  const before = objects(heap);
  slicesUntil(heap, Phase.Mark);
  for (let i = 0; i < 20; i++) {
    heap.newobject(types.unsafePointer);
    heap.newarray(types.unsafePointer, 5000);
    heap.mallocgc(100, null, FlagNoScan);
    heap.rawmem(50000);
    heap.mallocgc(16, null, FlagNoScan);
    if (i % 5 === 0) slice(heap);
  }
  finishSlices(heap);
  assertEquals(objects(heap) - before, 100);
  finishSlices(heap);
  assertEquals(objects(heap), before);
});

Deno.test("a block of a dead object, given out again while a collection is marking, lives through it", () => {
  using heap = heapInSlices();
  const { types } = heap;
  heap.storePointer(heap.global(types.unsafePointer), makeList(heap, 100));
  const neighbour = heap.mallocgc(1024, null, FlagNoScan);
  using _ = heap.ref(neighbour);
  for (let i = 0; i < 7; i++) heap.mallocgc(1024, null, FlagNoScan);
  finishSlices(heap);
  slicesUntil(heap, Phase.Mark);
  const again = Array.from({ length: 7 }, () => heap.mallocgc(1024, null, FlagNoScan));
  for (const p of again) assert(Math.abs(p - neighbour) < 8192, "a page of 8 blocks");
  finishSlices(heap);
  for (const p of again) assert(!isFree(heap, p));
});

Deno.test("a tiny object made while a collection is marking does not share a block that is freed", () => {
  using heap = heapInSlices();
  const { types } = heap;
  heap.storePointer(heap.global(types.unsafePointer), makeList(heap, 100));
  heap.mallocgc(1, null, FlagNoScan);
  slicesUntil(heap, Phase.Mark);
  const tiny = heap.mallocgc(1, null, FlagNoScan);
  const next = heap.mallocgc(1, null, FlagNoScan);
  assertEquals(next, tiny + 1);
  finishSlices(heap);
  assert(!isFree(heap, tiny));
});

Deno.test("a table of 200,000 pointers, a global of 20,000 and as many references take many slices", () => {
  using heap = heapInSlices(1024);
  const { types } = heap;
  const table = heap.newarray(types.unsafePointer, 200_000);
  const global = heap.global(types.array(types.unsafePointer, 20_000));
  heap.storePointer(global, table);
  const refs = Array.from({ length: 20_000 }, () => heap.ref(heap.rawmem(32)));
  using frame = heap.frame(20_000);
  for (let i = 1; i < 20_000; i++) {
    heap.storePointer(global + i * WORD, heap.rawmem(32));
    heap.storePointer(table + (200_000 - i) * WORD, heap.rawmem(32));
    frame.set(i, heap.rawmem(32));
  }
  let slices = 0;
  do {
    heap.safepoint();
    slices++;
  } while (isUnderWay(heap));
  heap.verify();
  // A slice does 1024 units, or what one piece of work takes that begins within it.
  assert(slices > 150, `${slices} slices`);
  assertEquals(objects(heap), 1 + 20_000 + 3 * 19_999);
  for (const ref of refs) ref[Symbol.dispose]();
});

Deno.test("20,000 globals, and as many finalizers that are set, or due, take many slices, and so does their sweep", () => {
  using heap = heapInSlices(1024);
  const { types } = heap;
  const n = 20_000;
  const type = types.pointer(types.array(types.unsafePointer, 4));
  let ran = 0;
  const finalizer = { type: types.func([type], []), data: () => ran++ };
  const finalizable = () => {
    const data = heap.newobject(type.elem!);
    heap.storePointer(data + WORD, heap.rawmem(32));
    heap.SetFinalizer({ type, data }, finalizer);
    return data;
  };
  for (let i = 0; i < n; i++) finalizable();
  const slicesOfOne = () => {
    let slices = 0;
    do {
      heap.safepoint();
      slices++;
    } while (isUnderWay(heap));
    return slices;
  };
  // The first collection finds them, and leaves them to the sweep.
  const first = slicesOfOne();
  assert(first > 60, `${first} slices`);
  const { sweep } = partsOf(heap);
  let sweeps = 0;
  for (let now = 0; !sweep.isDone; sweeps++) sweep.advance(new Slice(() => now++, 0, 1024, 1024));
  assert(sweeps > 5, `${sweeps} slices of sweeping`);
  // Now they are due; as many have a finalizer, and a global each.
  for (let i = 0; i < n; i++) heap.storePointer(heap.global(types.unsafePointer), finalizable());
  const second = slicesOfOne();
  assert(second > 150, `${second} slices`);
  heap.verify();
  assertEquals([objects(heap), heap.runFinalizers(), ran], [4 * n, n, n]);
});

Deno.test("GC() finishes the collection that is going on, and then does a whole one", () => {
  using heap = heapInSlices();
  const root = heap.global(heap.types.unsafePointer);
  heap.storePointer(root, makeList(heap, 100));
  slicesUntil(heap, Phase.Mark);
  heap.storePointer(root, 0);
  heap.GC();
  assert(!isUnderWay(heap));
  assertEquals(heap.ReadMemStats().NumGC, 2);
  assertEquals(objects(heap), 0);

  heap.storePointer(root, makeList(heap, 100));
  slicesUntil(heap, Phase.Mark);
  // The collection that ends here has made another one needless.
  heap.SetGCPercent(1000);
  const { NumGC } = heap.ReadMemStats();
  heap.gogc(0);
  assertEquals(heap.ReadMemStats().NumGC, NumGC);
});

Deno.test("a collection that finds an invalid pointer half-way is given up, and the heap goes on", () => {
  using heap = heapInSlices();
  const list = makeList(heap, 100);
  const root = heap.global(heap.types.unsafePointer);
  heap.storePointer(root, list);
  let last = list;
  while (heap.loadPointer(last) !== 0) last = heap.loadPointer(last);
  heap.storePointer(last, 8);
  slicesUntil(heap, Phase.Mark);
  assertThrows(() => finishSlices(heap), GoThrow, "found invalid heap pointer");
  assert(!isUnderWay(heap));
  heap.verify();
  heap.storePointer(last, 0);
  finishSlices(heap);
  assertEquals(objects(heap), 100);
});

Deno.test("a number that is no address may be stored while a collection is marking", () => {
  using heap = heapInSlices();
  const root = heap.global(heap.types.array(heap.types.unsafePointer, 2));
  heap.storePointer(root, makeList(heap, 100));
  slicesUntil(heap, Phase.Mark);
  for (const number of [1, 4095, 2 ** 40, 0xc208000000 + 2 ** 36]) {
    heap.storePointer(root + WORD, number);
  }
  heap.storePointer(root + WORD, 0);
  finishSlices(heap);
  assertEquals(objects(heap), 100);
});

Deno.test("a heap that becomes twice as large while it is marked is collected to the end at once", () => {
  using heap = heapInSlices();
  const root = heap.global(heap.types.unsafePointer);
  heap.storePointer(root, makeList(heap, 1000));
  slicesUntil(heap, Phase.Mark);
  heap.rawmem(2 ** 20);
  slice(heap);
  assert(isUnderWay(heap));
  heap.rawmem(2 ** 23);
  slice(heap);
  assert(!isUnderWay(heap));
});

Deno.test("a heap smaller than the work between two looks at the clock is collected in one slice", () => {
  using heap = heapInSlices(4096);
  heap.storePointer(heap.global(heap.types.unsafePointer), makeList(heap, 100));
  assertEquals(finishSlices(heap), 1);
});

Deno.test("statistics may be read between two slices", () => {
  using heap = heapInSlices();
  heap.storePointer(heap.global(heap.types.unsafePointer), makeList(heap, 300));
  while (!isUnderWay(heap)) slice(heap);
  while (isUnderWay(heap)) {
    heap.newobject(heap.types.unsafePointer);
    heap.ReadMemStats();
    heap.verify();
    heap.mallocgc(3, null, FlagNoScan);
    slice(heap);
  }
  assertEquals(heap.ReadMemStats().NumGC, 1);
});

Deno.test("a queue too small for the grey blocks is searched for, a slice at a time", async (t) => {
  const { Marker } = await import("../../lib/gc/marker.ts");
  for (const maxQueueEntries of [255, 510]) {
    await t.step(`${maxQueueEntries} entries`, () => {
      using heap = new GoHeap({ platform: "linux/amd64" });
      const { types } = heap;
      const table = heap.newarray(types.unsafePointer, 20_000);
      for (let i = 0; i < 500; i++) heap.storePointer(table + 37 * i * WORD, makeList(heap, 3));
      heap.storePointer(heap.global(types.unsafePointer), table);
      heap.GC();
      const { arena, spans, stats, checkMark } = partsOf(heap);
      const marker = new Marker(arena, spans, stats, { maxQueueEntries });
      marker.grey(table);
      let slices = 1;
      while (!marker.advance(new Slice(() => 1, 0, 1, 1))) slices++;
      assert(slices > 30, `${slices} slices`);
      assert(!marker.isSearching);
      checkMark.check();
      marker.abandon();
      heap.verify();
    });
  }
});
