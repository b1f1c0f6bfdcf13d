import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { partsOf } from "../lib/go_heap.ts";
import { FlagNoScan, FlagNoZero, GoPanic, GoThrow, type Pointer, type Ref } from "../mod.ts";
import { CheckedHeap as GoHeap } from "./checked_heap.ts";
import { RefusingAddressSpace } from "./refusing_address_space.ts";

const PLATFORM = "linux/amd64";
const PAGE = 8192;
const MiB = 2 ** 20;
/** The words of the seeds for all that can be refused. */
const WORDS =
  /^runtime: (out of memory: cannot allocate \d+-byte block \(\d+ in use\): out of memory|cannot allocate memory)/;

/** Uses up the chunk of persistent memory, so that the next record of any kind asks the address space. */
function fillChunk(heap: GoHeap): void {
  const { persistent } = partsOf(heap);
  for (;;) {
    const { pos, end } = persistent.position;
    if (pos + 64 > end) return;
    heap.persistentalloc(Math.min(65535, end - pos), 1, "other_sys");
  }
}

/** Sets a finalizer on a new object, which nothing refers to. */
function finalizable(heap: GoHeap, ran: () => void = () => {}): void {
  const { types } = heap;
  const type = types.pointer(types.unsafePointer);
  const data = heap.newobject(types.unsafePointer);
  heap.SetFinalizer({ type, data }, { type: types.func([type], []), data: ran });
}

/** All that asks for memory, each done until it does so for the first time. */
const WORK: Record<string, (heap: GoHeap) => void> = {
  "a small object": (heap) => heap.mallocgc(48, null, FlagNoScan),
  "a tiny object": (heap) => heap.mallocgc(3, null, FlagNoScan),
  "an object with pointers": (heap) => heap.newobject(heap.types.unsafePointer),
  "an array": (heap) => heap.newarray(heap.types.string, 100),
  "a large object": (heap) => heap.rawmem(40000),
  "a large object with pointers": (heap) => heap.newarray(heap.types.unsafePointer, 10000),
  "an object larger than what the heap grows by": (heap) => heap.rawmem(3 * MiB),
  "a finalizer": (heap) => finalizable(heap),
  "a global variable": (heap) => heap.global(heap.types.array(heap.types.unsafePointer, 100)),
  "persistent memory": (heap) => heap.persistentalloc(100, 8, "gc_sys"),
};

for (const [what, work] of Object.entries(WORK)) {
  Deno.test(`memory that is refused for ${what} is missed in the seeds' words, and nothing else`, () => {
    using space = new RefusingAddressSpace();
    using heap = new GoHeap({ platform: PLATFORM, addressSpace: space });
    using kept = heap.ref(heap.newarray(heap.types.int, 10));
    heap.storeInt32(kept.pointer, 12345);
    for (let round = 0; round < 2; round++) {
      fillChunk(heap);
      space.refusals = Infinity;
      const { message } = assertThrows(() => {
        for (let i = 0; i < 1_000_000; i++) work(heap);
      }, GoThrow);
      assert(WORDS.test(message), message);
      space.refusals = 0;
      heap.verify();
      work(heap);
      heap.verify();
    }
    heap.GC();
    heap.verify();
    assertEquals(heap.loadInt32(kept.pointer), 12345);
  });
}

Deno.test("a span is not taken apart if there is no record for the rest of it", () => {
  using space = new RefusingAddressSpace();
  using heap = new GoHeap({ platform: PLATFORM, addressSpace: space, gcPercent: -1 });
  // This makes 157 records at once. A mebibyte needs 26 of them: the last is for the seventh as a whole.
  heap.rawmem(32769);
  fillChunk(heap);
  space.kinds = ["alloc"];
  space.refusals = Infinity;
  assertThrows(
    () => {
      for (;;) heap.rawmem(32769);
    },
    GoThrow,
    "runtime: cannot allocate memory",
  );
  // There are pages, what lacks is a record.
  assert(heap.snapshot().spans.some(({ state, npages }) => state === "free" && npages > 5));
  heap.verify();
  space.refusals = 0;
  heap.rawmem(32769);
  heap.verify();
});

Deno.test("a heap does not grow if there is no record for the pages", () => {
  using space = new RefusingAddressSpace();
  using heap = new GoHeap({ platform: PLATFORM, addressSpace: space, gcPercent: -1 });
  fillChunk(heap);
  space.kinds = ["alloc"];
  space.refusals = Infinity;
  // Spans as long as the heap grows by: no record but for growth.
  const { message } = assertThrows(() => {
    for (;;) heap.rawmem(MiB);
  }, GoThrow);
  assertEquals(message, "runtime: cannot allocate memory");
  heap.verify();
});

Deno.test("a heap that is refused a mebibyte takes what it needs", () => {
  using space = new RefusingAddressSpace();
  using heap = new GoHeap({ platform: PLATFORM, addressSpace: space });
  for (const [size, pages] of [[48, 8], [40000, 8], [100 * PAGE, 104]]) {
    const before = heap.ReadMemStats().HeapSys;
    // What is left of the growth before is used up first.
    for (;;) {
      const free = heap.snapshot().spans.filter(({ state }) => state === "free");
      if (free.length === 0) break;
      heap.rawmem(free[0].npages * PAGE);
    }
    space.refusals = 1;
    heap.mallocgc(size, null, FlagNoScan);
    assertEquals(heap.ReadMemStats().HeapSys - before, pages * PAGE, `${size} bytes`);
    heap.verify();
  }
});

Deno.test("a frame that finds no stack leaves none, and finds it later", () => {
  using space = new RefusingAddressSpace();
  using heap = new GoHeap({ platform: PLATFORM, addressSpace: space });
  space.refusals = 1;
  assertThrows(() => heap.frame(3), GoThrow, "runtime: cannot allocate memory");
  heap.verify();
  heap.GC();
  using frame = heap.frame(3);
  assertEquals(frame.get(2), 0);
});

Deno.test("finalizers that cannot be queued for lack of memory are queued by the next sweep", () => {
  using space = new RefusingAddressSpace();
  using heap = new GoHeap({ platform: PLATFORM, addressSpace: space });
  let ran = 0;
  const set = 450;
  for (let i = 0; i < set; i++) finalizable(heap, () => ran++);
  fillChunk(heap);
  space.refusals = Infinity;
  for (let round = 0; round < 3; round++) {
    assertThrows(() => heap.GC(), GoThrow, "runtime: cannot allocate memory");
    heap.verify();
  }
  // What needs no further span may be allocated meanwhile; what needs one sweeps, and meets the refusal again.
  assertThrows(
    () => {
      for (let i = 0; i < 5000; i++) heap.newobject(heap.types.unsafePointer);
    },
    GoThrow,
    "runtime: cannot allocate memory",
  );
  heap.verify();
  space.refusals = 0;
  heap.GC();
  heap.verify();
  heap.runFinalizers();
  assertEquals(ran, set);
  heap.GC();
  assertEquals(heap.ReadMemStats().HeapObjects, 0);
  heap.verify();
});

Deno.test("a collection that cannot queue finalizers fails in every place that sweeps, and can be done again", () => {
  const sweepers: Record<string, (heap: GoHeap) => void> = {
    "a refill": (heap) => heap.newobject(heap.types.unsafePointer),
    "pages for a large object": (heap) => heap.rawmem(40000),
    "pages for a very large object": (heap) => heap.rawmem(2 * MiB),
    "the next collection": (heap) => heap.GC(),
    "setting a finalizer": (heap) => finalizable(heap),
  };
  for (const [what, sweeper] of Object.entries(sweepers)) {
    using space = new RefusingAddressSpace();
    using heap = new GoHeap({ platform: PLATFORM, addressSpace: space });
    const { types } = heap;
    let ran = 0;
    for (let i = 0; i < 600; i++) finalizable(heap, () => ran++);
    const type = types.pointer(types.uint8);
    for (let i = 0; i < 5; i++) {
      heap.SetFinalizer({ type, data: heap.rawmem(40000) }, {
        type: types.func([type], []),
        data: () => ran++,
      });
    }
    fillChunk(heap);
    heap.gogc(1);
    space.refusals = Infinity;
    const { message } = assertThrows(() => {
      for (let i = 0; i < 2000; i++) sweeper(heap);
    }, GoThrow);
    assert(WORDS.test(message), `${what}: ${message}`);
    heap.verify();
    space.refusals = 0;
    heap.GC();
    heap.verify();
    heap.runFinalizers();
    assertEquals(ran, 605, what);
    heap.GC();
    heap.runFinalizers();
    heap.GC();
    heap.verify();
    assertEquals(heap.ReadMemStats().HeapObjects, 0, what);
  }
});

Deno.test("a heap that cannot be made leaves nothing behind", () => {
  using ample = new RefusingAddressSpace();
  using probe = new GoHeap({ platform: PLATFORM, addressSpace: ample });
  const requests = ample.requests;
  probe[Symbol.dispose]();
  ample[Symbol.dispose]();
  assert(requests > 3);
  for (let served = 0; served < requests; served++) {
    using space = new RefusingAddressSpace();
    space.onRequest = () => space.refusals = space.requests > served ? Infinity : 0;
    assertThrows(
      () => new GoHeap({ platform: PLATFORM, addressSpace: space }),
      GoThrow,
      "runtime: ",
    );
    space.onRequest = () => {};
    space.refusals = 0;
    using heap = new GoHeap({ platform: PLATFORM, addressSpace: space });
    assertEquals(heap.rawmem(100), 0xc208000000, `after ${served} requests`);
    heap.verify();
  }
  // The same with an address space of the heap's own.
  const addresses = () => {
    using heap = new GoHeap({ platform: PLATFORM });
    return [heap.rawmem(100), heap.global(heap.types.int)];
  };
  const before = addresses();
  assertThrows(() => new GoHeap({ platform: PLATFORM, limitBytes: 100 }), GoThrow, "runtime: ");
  assertThrows(() => new GoHeap({ platform: PLATFORM, limitBytes: 70000 }), GoThrow, "runtime: ");
  assertEquals(addresses(), before);
});

Deno.test("sizes that no arena holds get the seeds' words, and the heap goes on", () => {
  using heap = new GoHeap({ platform: PLATFORM });
  const { types } = heap;
  const half = types.array(types.uint8, 2 ** 36);
  // This takes the place of the last byte.
  const first = heap.rawmem(100);
  const cases: [work: () => unknown, error: new (text: string) => Error, words: string][] = [
    [() => heap.rawmem(Number.MAX_SAFE_INTEGER), GoThrow, "out of memory"],
    [() => heap.rawmem(2 ** 37), GoThrow, `cannot allocate ${2 ** 37}-byte block (1048576 in use)`],
    [() => heap.newarray(types.uint8, -1), GoPanic, "runtime: allocation size out of range"],
    [() => heap.newarray(types.uint8, 2 ** 37 + 1), GoPanic, "allocation size out of range"],
    [() => heap.newarray(half, 3), GoPanic, "runtime: allocation size out of range"],
    [
      () => heap.newarray(half, 2),
      GoThrow,
      `cannot allocate ${2 ** 37}-byte block (1048576 in use)`,
    ],
  ];
  for (const [work, error, words] of cases) {
    assertThrows(work, error, words);
    heap.verify();
  }
  assertEquals(heap.ReadMemStats().HeapSys, MiB);
  assertEquals(heap.rawmem(100), first + 112);
});

Deno.test("an arena that is full is full for what does not fit, and serves the rest", () => {
  using heap = new GoHeap({ platform: PLATFORM, limitBytes: 16 * MiB, gcPercent: -1 });
  const objects: Pointer[] = [];
  const { message } = assertThrows(() => {
    for (;;) objects.push(heap.mallocgc(100 * PAGE, null, FlagNoScan | FlagNoZero));
  }, GoThrow);
  assert(WORDS.test(message), message);
  heap.verify();
  const small = heap.rawmem(1000);
  assert(small > 0);
  heap.verify();
  heap.SetGCPercent(100);
  assertEquals(heap.mallocgc(100 * PAGE, null, FlagNoScan), objects[0]);
  heap.verify();
});

/** A step of a random program under an address space that refuses now and then. */
type Step =
  | { op: "allocate"; size: number; isFlat: boolean; isKept: boolean }
  | { op: "refuse"; requests: number }
  | { op: "finalizer" | "fill" | "gc" | "lazy" | "drop" | "global" | "frame" | "release" };

const STEP: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constant("allocate" as const),
      size: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 3 * MiB })),
      isFlat: fc.boolean(),
      isKept: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant("refuse" as const),
      requests: fc.integer({ min: 0, max: 5 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constantFrom(
        ...["finalizer", "fill", "gc", "lazy", "drop", "global", "frame", "release"] as const,
      ),
    }),
  },
);

function takeStep(heap: GoHeap, space: RefusingAddressSpace, kept: Ref[], step: Step): void {
  switch (step.op) {
    case "allocate": {
      const p = heap.mallocgc(
        step.size,
        step.isFlat ? null : heap.types.unsafePointer,
        step.isFlat ? FlagNoScan : 0,
      );
      if (step.isFlat) heap.bytes(p, step.size).fill(step.size & 0xff);
      if (step.isKept) kept.push(heap.ref(p));
      return;
    }
    case "refuse":
      space.refusals = step.requests;
      return;
    case "finalizer":
      for (let i = 0; i < 60; i++) finalizable(heap);
      return;
    case "fill":
      return fillChunk(heap);
    case "gc":
      return heap.GC();
    case "lazy":
      return heap.gogc(1);
    case "drop":
      return kept.shift()?.[Symbol.dispose]();
    case "global":
      heap.global(heap.types.array(heap.types.unsafePointer, 3000));
      return;
    case "frame": {
      using frame = heap.frame(3);
      frame.set(2, heap.rawmem(10));
      return;
    }
    case "release":
      return heap.FreeOSMemory();
  }
}

for (const platform of [PLATFORM, "linux/386"]) {
  Deno.test(`a random program under an address space that refuses now and then never breaks the heap (${platform})`, () => {
    let errors = 0;
    fc.assert(
      fc.property(fc.array(STEP, { minLength: 20, maxLength: 80, size: "max" }), (steps) => {
        using space = new RefusingAddressSpace();
        using heap = new GoHeap({
          platform,
          addressSpace: space,
          minHeapBytes: 0,
          collect: steps.length % 2 === 0 ? "malloc" : "safepoint",
          debug: steps.length % 3 === 0 ? "efence=1" : "",
        });
        const kept: Ref[] = [];
        for (const step of steps) {
          try {
            takeStep(heap, space, kept, step);
          } catch (error) {
            assert(error instanceof GoThrow && WORDS.test(error.message), String(error));
            errors++;
          }
          heap.verify();
        }
        space.refusals = 0;
        heap.GC();
        heap.runFinalizers();
        while (kept.length > 0) kept.pop()![Symbol.dispose]();
        heap.GC();
        heap.runFinalizers();
        heap.GC();
        heap.verify();
        assertEquals(heap.ReadMemStats().HeapObjects, 0);
      }),
      { numRuns: platform === PLATFORM ? 40 : 20, seed: 20141211 },
    );
    assert(errors > 10, `only ${errors} requests were missed`);
  });
}
