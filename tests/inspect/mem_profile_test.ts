import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { TINY_ALLOCS } from "../../lib/arena/stats.ts";
import { partsOf } from "../../lib/go_heap.ts";
import {
  FlagNoScan,
  GoHeap,
  type GoHeapOptions,
  GoThrow,
  HeapDump,
  type MemProfileRecord,
  type Ref,
} from "../../mod.ts";
import { RefusingAddressSpace } from "../refusing_address_space.ts";

const ALL = { platform: "linux/amd64", collect: "malloc", memProfileRate: 1 } as const;

/** What is allocated and freed of blocks of `blockBytes` on stacks that `name` is the innermost call of. */
function figuresOf(heap: GoHeap, name: string, blockBytes: number): [number, number] {
  const records = heap.memProfile().records.filter((record) =>
    record.blockBytes === blockBytes && record.stack[0].function === name
  );
  return [sumOf(records, (r) => r.allocObjects), sumOf(records, (r) => r.freeObjects)];
}

function sumOf(records: readonly MemProfileRecord[], figure: (r: MemProfileRecord) => number) {
  return records.reduce((sum, record) => sum + figure(record), 0);
}

// tests.md 44
Deno.test("32 objects of 32 bytes that are kept are a record with their stack after a collection", () => {
  using heap = new GoHeap(ALL);
  const objects = heap.newarray(heap.types.unsafePointer, 32);
  using _ref = heap.ref(objects);
  function allocatePersistent(i: number) {
    heap.storePointer(objects + 8 * i, heap.mallocgc(32, null, FlagNoScan));
  }
  for (let i = 0; i < 32; i++) allocatePersistent(i);
  heap.GC();
  const [record] = heap.memProfile().records.filter(({ blockBytes }) => blockBytes === 32);
  assertEquals(
    [record.inuseObjects, record.inuseBytes, record.allocObjects, record.allocBytes],
    [32, 1024, 32, 1024],
  );
  assertEquals(record.stack[0].function, "allocatePersistent");
  assert(record.stack[0].file.endsWith("/tests/inspect/mem_profile_test.ts"));
});

Deno.test("what is reported is of one time: allocations wait for the collection that finds their garbage", () => {
  using heap = new GoHeap({ ...ALL, gcPercent: 1_000_000 });
  function kept() {
    return heap.ref(heap.rawmem(48));
  }
  function dropped() {
    heap.rawmem(64);
  }
  const collect = () => heap.gogc(1);
  using _ref = kept();
  dropped();
  assertEquals([figuresOf(heap, "kept", 48), figuresOf(heap, "dropped", 64)], [[1, 0], [1, 0]]);
  dropped();
  // The first two were turned by the reading: what is there came with two collections.
  collect();
  assertEquals(figuresOf(heap, "dropped", 64), [1, 0]);
  collect();
  // By now the first collection is swept.
  assertEquals(figuresOf(heap, "dropped", 64), [2, 2]);
  dropped();
  heap.GC();
  assertEquals([figuresOf(heap, "kept", 48), figuresOf(heap, "dropped", 64)], [[1, 0], [3, 3]]);
  heap.verify();
});

Deno.test("a profile before the first collection says what it would say after two", () => {
  using heap = new GoHeap({ ...ALL, gcPercent: -1 });
  heap.rawmem(100);
  assertEquals(heap.memProfile().records.map(({ inuseBytes }) => inuseBytes), [112]);
  assertEquals(heap.memProfile().records.map(({ inuseBytes }) => inuseBytes), [112]);
});

Deno.test("an object whose finalizer runs is counted as freed when it is gone", () => {
  using heap = new GoHeap(ALL);
  const { types } = heap;
  const pointer = types.pointer(types.string);
  const p = heap.newobject(types.string);
  const type = types.func([pointer], []);
  heap.SetFinalizer({ type: pointer, data: p }, { type, data: () => {} });
  const frees = () => sumOf(heap.memProfile().records, (record) => record.freeObjects);
  heap.GC();
  assertEquals([heap.runFinalizers(), frees()], [1, 0]);
  heap.GC();
  assertEquals(frees(), 1);
});

Deno.test("a tiny block counts as freed when a finalizer inside keeps it, as in Go 1.4", () => {
  using heap = new GoHeap(ALL);
  const { types } = heap;
  const pointer = types.pointer(types.int32);
  const first = heap.newobject(types.int32);
  const second = heap.newobject(types.int32);
  assertEquals(second, first + 4);
  const type = types.func([pointer], []);
  heap.SetFinalizer({ type: pointer, data: second }, { type, data: () => {} });
  heap.GC();
  assertEquals(heap.ReadMemStats().HeapAlloc, 16);
  assertEquals(sumOf(heap.memProfile().records, (record) => record.freeObjects), 1);
  heap.runFinalizers();
  heap.GC();
  assertEquals(sumOf(heap.memProfile().records, (record) => record.freeObjects), 1);
  heap.verify();
});

/** One step of a random program. */
type Step = { op: "malloc"; size: number; isKept: boolean } | {
  op: "object" | "drop" | "lazy" | "eager" | "read";
};

const programs: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        op: fc.constant("malloc" as const),
        size: fc.oneof(fc.integer({ min: 0, max: 64 }), fc.integer({ min: 0, max: 70000 })),
        isKept: fc.boolean(),
      }),
    },
    {
      weight: 12,
      arbitrary: fc.record({ op: fc.constantFrom("object", "drop", "lazy", "eager", "read") }),
    },
  ) as fc.Arbitrary<Step>,
  { minLength: 1, maxLength: 80 },
);

for (const options of [{}, { collect: "safepoint" }, { compiler: "gccgo" }] as GoHeapOptions[]) {
  Deno.test(`at rate 1 the profile adds up to MemStats: ${JSON.stringify(options)}`, () => {
    fc.assert(
      fc.property(programs, (program) => {
        using heap = new GoHeap({ ...ALL, minHeapBytes: 0, ...options });
        const kept: Ref[] = [];
        const isGccgo = options.compiler === "gccgo";
        const take = (step: Step) => {
          if (step.op === "malloc") {
            const p = heap.mallocgc(step.size, null, FlagNoScan);
            if (step.isKept) kept.push(heap.ref(p));
            // gccgo's tables of types are not sampled.
          } else if (step.op === "object") {
            kept.push(heap.ref(isGccgo ? heap.mal(24) : heap.newobject(heap.types.string)));
          } else if (step.op === "drop") kept.splice(kept.length >> 1, 1)[0]?.[Symbol.dispose]();
          else if (step.op === "lazy") heap.gogc(1);
          else if (step.op === "eager") heap.GC();
          else heap.memProfile();
        };
        for (const step of program) {
          take(step);
          heap.verify();
        }
        heap.GC();
        const { records, memStats } = heap.memProfile();
        const tiny = partsOf(heap).stats[TINY_ALLOCS];
        assertEquals(sumOf(records, (r) => r.inuseBytes), memStats.HeapAlloc);
        assertEquals(sumOf(records, (r) => r.inuseObjects), memStats.HeapObjects);
        assertEquals(sumOf(records, (r) => r.allocBytes), memStats.TotalAlloc);
        assertEquals(sumOf(records, (r) => r.allocObjects), memStats.Mallocs - tiny);
        assertEquals(sumOf(records, (r) => r.freeBytes), memStats.TotalAlloc - memStats.Alloc);
        assertEquals(sumOf(records, (r) => r.freeObjects), memStats.Frees - tiny);
        for (const { Size, Mallocs, Frees } of memStats.BySize.slice(1)) {
          const ofClass = records.filter(({ blockBytes }) => blockBytes === Size);
          assertEquals(sumOf(ofClass, (r) => r.allocObjects), Mallocs);
          assertEquals(sumOf(ofClass, (r) => r.freeObjects), Frees);
        }
        heap.verify();
      }),
      { numRuns: 25 },
    );
  });
}

Deno.test("equal stacks are one, and each size on them is a record", () => {
  using heap = new GoHeap(ALL);
  function inner(bytes: number) {
    heap.rawmem(bytes);
  }
  function left(bytes: number) {
    inner(bytes);
  }
  function right(bytes: number) {
    inner(bytes);
  }
  for (const bytes of [100, 100, 200]) {
    left(bytes);
    right(bytes);
  }
  const { records } = heap.memProfile();
  const told = records.map(({ blockBytes, allocObjects, stack: [first, second] }) =>
    `${second.function} ${first.function} ${blockBytes} ${allocObjects}`
  );
  assertEquals(told.sort(), [
    "left inner 112 2",
    "left inner 208 1",
    "right inner 112 2",
    "right inner 208 1",
  ]);
  // The same call has the same address, wherever it is called from.
  assertEquals(new Set(records.map(({ stack: [{ pc }] }) => pc)).size, 1);
});

Deno.test("a stack begins where the program calls the heap, whichever door it takes", () => {
  for (const compiler of ["gc", "gccgo"] as const) {
    using heap = new GoHeap({ ...ALL, compiler });
    const { types } = heap;
    const doors: Record<string, () => void> = {
      mallocgc: () => heap.mallocgc(100, null, FlagNoScan),
      tiny: () => heap.mallocgc(16, null, FlagNoScan),
      large: () => heap.rawmem(100000),
      newobject: () => heap.newobject(types.string),
      newarray: () => heap.newarray(types.string, 10),
      rawmem: () => heap.rawmem(300),
    };
    for (const door of Object.values(doors)) door();
    const names = heap.memProfile().records.map(({ stack: [{ function: name, file }] }) => {
      assert(file.endsWith("/mem_profile_test.ts"), file);
      return name.replace("Object.", "");
    });
    assertEquals(names.sort(), Object.keys(doors).sort());
  }
});

Deno.test("a stack has at most 32 frames, the innermost", () => {
  using heap = new GoHeap(ALL);
  const recurse = (depth: number): void => {
    if (depth === 0) heap.rawmem(100);
    else recurse(depth - 1);
  };
  recurse(100);
  const [{ stack }] = heap.memProfile().records;
  assertEquals(stack.length, 32);
  assert(stack.every(({ function: name }) => name === "recurse"));
});

Deno.test("a program's own way to print stacks does not matter, and is kept", () => {
  using heap = new GoHeap(ALL);
  const errors: { prepareStackTrace?: unknown; stackTraceLimit: number } = Error;
  const limit = errors.stackTraceLimit;
  errors.stackTraceLimit = 1;
  const prepare = errors.prepareStackTrace = () => "nothing";
  try {
    const outer = () => heap.rawmem(100);
    outer();
    const [{ stack }] = heap.memProfile().records;
    assertEquals(stack[0].function, "outer");
    assert(stack.length > 1);
    assertEquals([errors.prepareStackTrace, errors.stackTraceLimit], [prepare, 1]);
  } finally {
    errors.prepareStackTrace = undefined;
    errors.stackTraceLimit = limit;
  }
});

Deno.test("when too many stacks wait, the oldest is told, and nothing else changes", () => {
  using heap = new GoHeap(ALL);
  const { profiler } = partsOf(heap);
  let told = 0;
  const { take, framesOf } = profiler.source;
  profiler.source = {
    maxWaiting: 10,
    take,
    framesOf(stack) {
      told++;
      return framesOf(stack);
    },
  };
  const refs: Ref[] = [];
  for (let i = 0; i < 100; i++) {
    refs.push(heap.ref(heap.rawmem(100)));
    if (i % 7 === 0) refs.splice(0, 5).forEach((ref) => ref[Symbol.dispose]());
    if (i % 20 === 0) heap.GC();
    heap.verify();
  }
  assertEquals(told, 90);
  heap.GC();
  const [{ allocObjects, inuseObjects }] = heap.memProfile().records;
  assertEquals([allocObjects, inuseObjects, told], [100, refs.length, 100]);
  heap.verify();
});

Deno.test("samples outlive the rate, and the rate can change", () => {
  using heap = new GoHeap(ALL);
  using _ref = heap.ref(heap.rawmem(1000));
  heap.MemProfileRate = 0;
  heap.rawmem(1000);
  heap.GC();
  let profile = heap.memProfile();
  assertEquals([profile.rate, sumOf(profile.records, (r) => r.allocObjects)], [1, 1]);
  heap.MemProfileRate = 512;
  heap.rawmem(1000);
  heap.GC();
  profile = heap.memProfile();
  assertEquals([profile.rate, sumOf(profile.records, (r) => r.allocObjects)], [512, 2]);
  assertEquals(sumOf(profile.records, (r) => r.inuseObjects), 1);
  heap.verify();
});

Deno.test("BuckHashSys has Go's table and a bucket for each record", () => {
  for (const [platform, pointerBytes] of [["linux/amd64", 8], ["linux/386", 4]] as const) {
    using heap = new GoHeap({ ...ALL, platform });
    assertEquals(heap.ReadMemStats().BuckHashSys, 0);
    for (let i = 0; i < 5; i++) {
      heap.rawmem(100);
      heap.rawmem(i * 100);
    }
    const { records } = heap.memProfile();
    const words = sumOf(records, ({ stack }) => 18 + stack.length);
    assertEquals(heap.ReadMemStats().BuckHashSys, (179999 + words) * pointerBytes);
    const m = heap.ReadMemStats();
    const parts = m.HeapSys + m.StackSys + m.MSpanSys + m.MCacheSys + m.BuckHashSys + m.GCSys +
      m.OtherSys;
    assertEquals(m.Sys, parts);
  }
});

Deno.test("a heap dump has the buckets and the samples of the profile", () => {
  using heap = new GoHeap(ALL);
  const refs = Array.from({ length: 3 }, () => heap.ref(heap.rawmem(100)));
  heap.rawmem(200);
  heap.GC();
  const { records } = heap.memProfile();
  const { buckets, allocSamples, memStats } = HeapDump.from(heap.writeHeapDump());
  assertEquals(memStats.BuckHashSys, heap.ReadMemStats().BuckHashSys);
  const told = buckets.map(({ size, allocs, frees, stack }) => ({ size, allocs, frees, stack }));
  assertEquals(
    told.sort((a, b) => a.size - b.size),
    records.map(({ blockBytes, allocObjects, freeObjects, stack }) => ({
      size: blockBytes,
      allocs: allocObjects,
      frees: freeObjects,
      stack: stack.map(({ function: name, file, line }) => ({ function: name, file, line })),
    })),
  );
  const bucket = buckets.find(({ size }) => size === 112)!.address;
  assertEquals(allocSamples, refs.map(({ pointer }) => ({ object: pointer, bucket })));
});

Deno.test("what a profile finds no memory for is refused in the seeds' words, and comes later", () => {
  using space = new RefusingAddressSpace();
  using heap = new GoHeap({ ...ALL, addressSpace: space, gcPercent: -1 });
  const fillChunk = () => {
    const { persistent } = partsOf(heap);
    for (let room = 1; room > 0;) {
      const { pos, end } = persistent.position;
      room = end - pos;
      if (room > 0) heap.persistentalloc(Math.min(65535, room), 1, "other_sys");
    }
  };
  const refuse = (work: () => void) => {
    space.refusals = Infinity;
    assertThrows(work, GoThrow, "runtime: cannot allocate memory");
    space.refusals = 0;
    heap.verify();
  };
  heap.MemProfileRate = 0;
  heap.rawmem(100);
  heap.rawmem(200);
  heap.MemProfileRate = 1;
  fillChunk();
  // The table of buckets, then records of specials.
  refuse(() => heap.rawmem(100));
  assertEquals(heap.memProfile().records, []);
  heap.rawmem(100);
  fillChunk();
  refuse(() => {
    for (let i = 0; i < 10000; i++) heap.rawmem(8);
  });
  // And buckets, whose stacks are told at last.
  fillChunk();
  refuse(() => heap.memProfile());
  refuse(() => heap.memProfile());
  const { records } = heap.memProfile();
  heap.verify();
  assertEquals(sumOf(records, (r) => r.inuseObjects), partsOf(heap).profiler.liveBlocks.specials);
});

Deno.test("a disposed heap has no profile", () => {
  const heap = new GoHeap(ALL);
  heap[Symbol.dispose]();
  assertThrows(() => heap.memProfile(), GoThrow, "disposed");
  assertThrows(() => heap.MemProfileRate, GoThrow, "disposed");
  assertThrows(() => heap.MemProfileRate = 1, GoThrow, "disposed");
});
