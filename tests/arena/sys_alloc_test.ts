import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { partsOf } from "../../lib/go_heap.ts";
import { GoThrow, type Pointer } from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";
import { RecordingSpace } from "./recording_space.ts";

const MiB = 2 ** 20;
const PAGE = 8192;
/** Of linux/386. */
const ARENA_START = 0x1830_0000;
const FIRST_END = ARENA_START + 512 * MiB + PAGE;
const MAX_END = ARENA_START + 2048 * MiB;
const TOP = 0xffff_0000;
/** Room at the top for the system memory of a heap, too small for the least that the arena grows by. */
const SYSTEM: Pointer = TOP - MiB;
const NOT_IN_RANGE =
  /^runtime: memory allocated by OS \(0x([0-9a-f]+)\) not in usable range \[0x18300000,0x98300000\): /;

/** A heap on linux/386, and its address space, in which the ranges [from, to) are taken. */
function heapAmong(...taken: [Pointer, Pointer][]) {
  const space = new RecordingSpace({ taken: taken.map(([from, to]) => [from, to - from]) });
  const heap = new GoHeap({ platform: "linux/386", addressSpace: space, gcPercent: -1 });
  space.calls.length = 0;
  return { heap, space, [Symbol.dispose]: () => heap[Symbol.dispose]() };
}

/** Allocates so many MiB of one object and checks the heap. */
function take(heap: GoHeap, mebibytes: number): Pointer {
  const p = heap.rawmem(mebibytes * MiB);
  heap.verify();
  return p;
}

/** What an allocation that fails says; the heap must be sound after it, and go on. */
function refusalOf(heap: GoHeap, mebibytes: number): string {
  const { message } = assertThrows(() => heap.rawmem(mebibytes * MiB), GoThrow, "out of memory");
  heap.verify();
  heap.newobject(heap.types.int);
  heap.verify();
  return message;
}

function holesOf(heap: GoHeap): [Pointer, Pointer][] {
  const { arena } = partsOf(heap);
  const holes: [Pointer, Pointer][] = [];
  for (let page = 0; page < arena.usedPages; page++) {
    const p = arena.pageAddress(page);
    if (arena.holds(p, PAGE)) continue;
    if (holes.at(-1)?.[1] === p) holes.at(-1)![1] = p + PAGE;
    else holes.push([p, p + PAGE]);
  }
  return holes;
}

Deno.test("a reservation that is used up is extended by 256 MiB and more, contiguously", () => {
  using among = heapAmong();
  const { heap, space } = among;
  assertEquals(take(heap, 400), ARENA_START);
  assertEquals(take(heap, 112), ARENA_START + 400 * MiB);
  assertEquals(space.take("reserve"), []);
  assertEquals(take(heap, 1), ARENA_START + 512 * MiB);
  assertEquals(space.take("reserve"), [[FIRST_END, 256 * MiB, FIRST_END]]);
  assertEquals(take(heap, 256), ARENA_START + 513 * MiB);
  assertEquals(space.take("reserve"), [[FIRST_END + 256 * MiB, 512 * MiB, FIRST_END + 256 * MiB]]);
  assertEquals([holesOf(heap), heap.snapshot().arena_used], [[], 769 * MiB]);
});

Deno.test("the last extension that fits ends 2 GiB behind the start, and then memory elsewhere is no use", () => {
  using among = heapAmong();
  const { heap, space } = among;
  take(heap, 512);
  for (let i = 0; i < 5; i++) assertEquals(take(heap, 255), ARENA_START + (512 + i * 255) * MiB);
  assertEquals(partsOf(heap).arena.end, FIRST_END + 5 * 256 * MiB);
  space.calls.length = 0;
  const [, place] = NOT_IN_RANGE.exec(refusalOf(heap, 100))!;
  const p = parseInt(place, 16);
  assert(p > MAX_END);
  const size = 100 * MiB + PAGE;
  assertEquals(space.calls.slice(0, 2), [["alloc", size, p], ["free", p, size]]);
  heap.SetGCPercent(100);
  heap.verify();
  assertEquals(take(heap, 1000), ARENA_START);
});

Deno.test("an extension elsewhere within 2 GiB is used from its start, and a hole lies before it", () => {
  using among = heapAmong([FIRST_END + MiB, FIRST_END + 2 * MiB], [0x9000_0000, SYSTEM]);
  const { heap, space } = among;
  take(heap, 500);
  const p = take(heap, 100);
  assertEquals(p, 0x9000_0000 - 256 * MiB);
  assertEquals(space.take("reserve"), [[FIRST_END, 256 * MiB, p]]);
  assertEquals(space.take("free"), []);
  assertEquals(holesOf(heap), [[ARENA_START + 500 * MiB, p]]);
  assertEquals(heap.snapshot().arena_used, p + 100 * MiB - ARENA_START);
  assertEquals(heap.snapshot().spans.map(({ page }) => ARENA_START + page * PAGE), [
    ARENA_START,
    p,
  ]);
  // It goes on there.
  assertEquals(take(heap, 100), p + 100 * MiB);
  assertEquals(space.take("reserve"), []);
});

Deno.test("an extension that is not aligned to the heap's pages begins at the next page", () => {
  using among = heapAmong(
    [FIRST_END + MiB, FIRST_END + 2 * MiB],
    [0x9000_0000 + 4096, SYSTEM],
  );
  const { heap } = among;
  take(heap, 512);
  const base = 0x9000_0000 + 4096 - 256 * MiB;
  assertEquals(take(heap, 100), base + 4096);
  assertEquals(holesOf(heap), [[ARENA_START + 512 * MiB, base + 4096]]);
});

Deno.test("an extension beyond 2 GiB, or before what is used, is given back", () => {
  using beyond = heapAmong([FIRST_END + MiB, MAX_END]);
  take(beyond.heap, 500);
  assert(NOT_IN_RANGE.test(refusalOf(beyond.heap, 100)));
  const extension = TOP - 256 * MiB;
  const [, , given] = beyond.space.take("reserve")[0];
  assert(given > MAX_END && given <= extension);
  assertEquals(beyond.space.take("free")[0], [given, 256 * MiB]);

  // The arena begins above; there is room for an extension below it, and for nothing else.
  const start = 0x5000_0000 + 257 * MiB;
  using below = heapAmong([0x820_0000, 0x830_0000], [0x5000_0000 + 769 * MiB + PAGE, SYSTEM]);
  assertEquals(take(below.heap, 512), start);
  assertThrows(
    () => below.heap.rawmem(100 * MiB),
    GoThrow,
    "not in usable range [0x60100000,0xe0100000)",
  );
  below.heap.verify();
  const [hint, size, place] = below.space.take("reserve")[0];
  assertEquals([hint, size], [start + 512 * MiB + PAGE, 256 * MiB]);
  assert(place < 0x5000_0000);
  assertEquals(below.space.take("free")[0], [place, 256 * MiB]);
});

/** Only [0x50000000, gapEnd) is left beside the first reservation: too little to extend it. */
function heapWithGap(gapEnd: Pointer) {
  return heapAmong([1, 0x820_0000], [FIRST_END, 0x5000_0000], [gapEnd, SYSTEM]);
}

Deno.test("when nothing can be reserved, memory that the system has within 2 GiB is taken, from the top down", () => {
  using among = heapWithGap(0x5640_0000);
  const { heap, space } = among;
  take(heap, 512);
  const p = take(heap, 20);
  assertEquals(p, 0x5640_0000 - 20 * MiB - PAGE);
  assertEquals(space.take("reserve"), [[FIRST_END, 256 * MiB, 0]]);
  assertEquals(space.take("alloc").at(-1), [20 * MiB + PAGE, p]);
  assertEquals(holesOf(heap), [[ARENA_START + 512 * MiB, p]]);
  const { arena, stats } = partsOf(heap);
  assertEquals([arena.end, arena.slackBytes], [p + 20 * MiB + PAGE, PAGE]);
  assertEquals(stats[0], 532 * MiB + PAGE);

  // The next is placed in the hole: the addresses in use do not reach further.
  const used = arena.used;
  const q = take(heap, 30);
  assertEquals(q, p - 30 * MiB - PAGE);
  assertEquals(arena.used, used);
  // A page of the hole is left behind it: the one that was asked for in case of odd addresses.
  assertEquals(holesOf(heap), [[ARENA_START + 512 * MiB, q], [q + 30 * MiB, p]]);
});

Deno.test("memory from anywhere that is not aligned to the heap's pages begins at the next page", () => {
  using among = heapWithGap(0x5640_1000);
  const { heap } = among;
  take(heap, 512);
  assertEquals(take(heap, 20), 0x5640_1000 - 20 * MiB - 4096);
});

Deno.test("a gap that is used up ends in a plain refusal; what a collection frees is used again", () => {
  using among = heapWithGap(0x5640_0000);
  const { heap } = among;
  take(heap, 512);
  for (let i = 0; i < 4; i++) take(heap, 24);
  const message = refusalOf(heap, 24);
  assert(message.startsWith("runtime: out of memory: cannot allocate 25165824-byte block ("));
  heap.SetGCPercent(100);
  heap.GC();
  heap.verify();
  assertEquals(heap.ReadMemStats().HeapObjects, 0);
  assertEquals(take(heap, 24) > ARENA_START + 512 * MiB, true, "the smallest that is enough");
  assertEquals(take(heap, 500), ARENA_START);
});

Deno.test("objects above a hole live, die, are finalized and found as all others are", () => {
  using among = heapWithGap(0x5640_0000);
  const { heap } = among;
  const { types } = heap;
  const node = types.struct("main.Node", (self) => ({
    next: types.pointer(self),
    value: types.int,
  }));
  take(heap, 512);
  const head = heap.global(types.pointer(node));
  const gone: number[] = [];
  const finalizer = {
    type: types.func([types.pointer(node)], []),
    data: (p: Pointer) => gone.push(heap.loadInt32(p + 4)),
  };
  for (let i = 0; i < 5000; i++) {
    const p = heap.newobject(node);
    assert(p >= 0x5000_0000);
    heap.storeInt32(p + 4, i);
    heap.storePointer(p, heap.loadPointer(head));
    if (i % 2 === 0) heap.storePointer(head, p);
    else if (i % 1000 === 1) heap.SetFinalizer({ type: types.pointer(node), data: p }, finalizer);
  }
  heap.verify();
  heap.SetGCPercent(100);
  heap.verify();
  assertEquals(heap.runFinalizers(), 5);
  assertEquals(gone, [1, 1001, 2001, 3001, 4001]);
  heap.GC();
  heap.verify();
  let count = 0;
  for (let p = heap.loadPointer(head); p !== 0; p = heap.loadPointer(p)) {
    assertEquals([heap.loadInt32(p + 4), heap.findObject(p)?.base], [4998 - 2 * count++, p]);
  }
  assertEquals([count, heap.ReadMemStats().HeapObjects], [2500, 2500]);
  heap.storePointer(head, 0);
  heap.GC();
  heap.verify();
  assertEquals(heap.ReadMemStats().HeapObjects, 0);
});

Deno.test("in a hole there is nothing: no object, no memory, and a pointer there is not followed", () => {
  using among = heapWithGap(0x5640_0000);
  const { heap } = among;
  take(heap, 512);
  const above = take(heap, 20);
  const inHole = ARENA_START + 512 * MiB + 64;
  assertEquals([heap.findObject(inHole), heap.mlookup(inHole)], [null, null]);
  assertThrows(() => heap.loadUint32(inHole), RangeError, String(inHole));
  assertThrows(() => heap.storePointer(inHole, 0), RangeError, String(inHole));
  assertThrows(() => heap.bytes(ARENA_START + 511 * MiB, 2 * MiB), RangeError);
  heap.storeUint32(above, 7);
  assertEquals([heap.loadUint32(above), heap.bytes(above, 20 * MiB)[0]], [7, 7]);
  assertThrows(() => heap.bytes(above, 20 * MiB + 1), RangeError);

  const root = heap.global(heap.types.unsafePointer);
  heap.storePointer(root, inHole);
  heap.SetGCPercent(100);
  heap.verify();
  // A free page of the arena is no hole: what points there once was a pointer to something.
  heap.storePointer(root, above);
  assertThrows(() => heap.GC(), GoThrow, "found invalid heap pointer");
});

Deno.test("a 64-bit heap without a base grows the same way, above its first 512 MiB too", () => {
  const bases = Array.from(
    { length: 0x80 },
    (_, i): [number, number] => [i * 2 ** 40 + 0xc0 * 2 ** 32, PAGE],
  );
  const start = 0x60_0000 + 130 * MiB;
  const end = start + 512 * MiB + PAGE;
  using space = new RecordingSpace({ taken: bases });
  using heap = new GoHeap({ platform: "linux/amd64", addressSpace: space, gcPercent: -1 });
  space.calls.length = 0;
  assertEquals(take(heap, 512), start);
  const root = heap.global(heap.types.unsafePointer);
  heap.storePointer(root, heap.newobject(heap.types.pointer(heap.types.int)));
  heap.storePointer(heap.loadPointer(root), heap.newobject(heap.types.int));
  assertEquals(space.take("reserve"), [[end, 256 * MiB, end]]);
  assert(heap.loadPointer(heap.loadPointer(root)) > start + 512 * MiB);
  heap.SetGCPercent(100);
  heap.verify();
  assertEquals(heap.ReadMemStats().HeapObjects, 2);
});

Deno.test("an address space that answers with no address makes the heap throw, not break", () => {
  using among = heapWithGap(0x5640_0000);
  const { heap, space } = among;
  take(heap, 512);
  space.alloc = () => NaN;
  assertThrows(() => heap.rawmem(MiB), GoThrow, "misrounded allocation in MHeap_SysAlloc");
  heap.verify();
});

const place = fc.integer({ min: 0, max: 0xfff }).map((n) => n * MiB);
const range = fc.tuple(place, fc.integer({ min: 1, max: 700 }))
  .map(([from, mebibytes]): [Pointer, Pointer] => [from, Math.min(from + mebibytes * MiB, SYSTEM)])
  .filter(([from, to]) => from < to);
const limit = fc.oneof(fc.constant(Infinity), fc.integer({ min: 2, max: 400 }));
type Step = { do: "take"; mebibytes: number } | { do: "drop"; at: number } | { do: "collect" };
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("take" as const),
    mebibytes: fc.oneof(fc.integer({ min: 1, max: 400 }), fc.constantFrom(1 / 16, 1 / 8, 1 / 2)),
  }),
  fc.record({ do: fc.constant("drop" as const), at: fc.nat({ max: 20 }) }),
  fc.constant({ do: "collect" as const }),
);

Deno.test("whatever else lies in the address space, a heap is sound after each allocation and refusal", () => {
  const run = (taken: [Pointer, Pointer][], limitMebibytes: number, steps: Step[]) => {
    const space = new RecordingSpace({
      taken: taken.map(([from, to]) => [from, to - from]),
      limitBytes: limitMebibytes * MiB,
    });
    let heap: GoHeap;
    try {
      heap = new GoHeap({ platform: "linux/386", addressSpace: space, collect: "malloc" });
    } catch (error) {
      assert(error instanceof GoThrow && error.message.includes("cannot reserve arena"));
      return;
    }
    using _ = heap;
    const kept = new Map<Pointer, number>();
    const table = heap.global(heap.types.array(heap.types.unsafePointer, steps.length));
    steps.forEach((each, i) => {
      if (each.do === "collect") heap.GC();
      if (each.do === "drop") {
        const p = heap.loadPointer(table + 4 * (each.at % steps.length));
        heap.storePointer(table + 4 * (each.at % steps.length), 0);
        kept.delete(p);
      }
      if (each.do === "take") {
        const bytes = each.mebibytes * MiB;
        try {
          const p = heap.rawmem(bytes);
          for (const [q, size] of kept) assert(p + bytes <= q || q + size <= p, "no overlap");
          for (const [from, to] of taken) assert(p + bytes <= from || to <= p, "not what is taken");
          heap.storePointer(table + 4 * i, p);
          heap.storeUint32(p, i);
          heap.storeUint32(p + bytes - 4, i);
          kept.set(p, bytes);
        } catch (error) {
          assert(error instanceof GoThrow && error.message.includes("out of memory"), `${error}`);
        }
      }
      heap.verify();
    });
    steps.forEach((_, i) => {
      const p = heap.loadPointer(table + 4 * i);
      if (p === 0) return;
      assertEquals([heap.loadUint32(p), heap.loadUint32(p + kept.get(p)! - 4)], [i, i]);
    });
  };
  fc.assert(
    fc.property(fc.array(range, { maxLength: 6 }), limit, fc.array(step, { maxLength: 10 }), run),
    { seed: 386, numRuns: 80, interruptAfterTimeLimit: 9000 },
  );
});
