import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { HEAP_ALLOC, NEXT_GC, NUM_GC } from "../../lib/arena/stats.ts";
import { partsOf } from "../../lib/go_heap.ts";
import { type Eface, GoThrow, type GoType, type Pointer } from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";

const OPTIONS = { platform: "linux/amd64" } as const;
const VALUE = 97531n;

function setFinalizer(
  heap: GoHeap,
  data: Pointer,
  type: GoType,
  finalizer: (x: never) => unknown,
  parameter = type,
  results: GoType[] = [],
): void {
  heap.SetFinalizer({ type, data }, {
    type: heap.types.func([parameter], results),
    data: finalizer,
  });
}

// tests.md 13
Deno.test("each way in which a pointer can be assigned to a finalizer's parameter reaches the object", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const int = types.pointer(types.int);
  const tint = types.named("main.Tint", types.int, { methods: { m: types.func([], []) } });
  const tintPointer = types.pointer(tint);
  const pint = types.named("main.Pint", int);
  const tinter = types.named("main.Tinter", types.interface({ m: types.func([], []) }));
  const pairs: [type: GoType, parameter: GoType][] = [
    [int, int],
    [pint, pint],
    [pint, int],
    [tintPointer, tintPointer],
    [tintPointer, tinter],
  ];
  // A pointer beside the int keeps the object out of the tiny allocator.
  const holder = types.struct("", { value: types.int, p: int });
  const seen: bigint[] = [];
  for (const [type, parameter] of pairs) {
    const object = heap.newobject(holder);
    heap.storeBig64(object, VALUE);
    const read = (argument: Pointer | Eface) => {
      if (typeof argument !== "number") assertEquals(argument.type, type);
      const pointer = typeof argument === "number" ? argument : argument.data as Pointer;
      assertEquals(pointer, object);
      seen.push(heap.loadBig64(pointer));
    };
    setFinalizer(heap, object, type, read, parameter);
  }
  heap.GC();
  assertEquals(heap.runFinalizers(), 5);
  assertEquals(seen, new Array(5).fill(VALUE));
});

// tests.md 14
Deno.test("a finalizer that takes any value gets the pointer with its type, and all fields are intact", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const big = types.struct("main.bigValue", {
    fill: types.uint64,
    it: types.bool,
    up: types.string,
  });
  const [fill, it, up] = big.fields.map((field) => field.offset);
  const type = types.pointer(big);
  const object = heap.newobject(big);
  const text = heap.newarray(types.uint8, 3);
  heap.bytes(text, 3).set([1, 2, 3]);
  heap.storeBig64(object + fill, 0xdeadbeefdeadbeefn);
  heap.storeUint8(object + it, 1);
  heap.storePointer(object + up, text);
  heap.storeBig64(object + up + 8, 3n);
  const seen: unknown[] = [];
  setFinalizer(heap, object, type, (value: Eface) => {
    const data = value.data as Pointer;
    const bytes = heap.bytes(heap.loadPointer(data + up), 3);
    seen.push(value.type, data, BigInt.asUintN(64, heap.loadBig64(data + fill)));
    seen.push(heap.loadUint8(data + it), [...bytes], heap.loadBig64(data + up + 8));
  }, types.interface({}));
  heap.GC();
  heap.GC();
  assertEquals(heap.runFinalizers(), 1);
  assertEquals(seen, [type, object, 0xdeadbeefdeadbeefn, 1, [1, 2, 3], 3n]);
});

// tests.md 15
Deno.test("a finalizer on an object of no bytes is accepted and never runs", () => {
  using heap = new GoHeap(OPTIONS);
  const empty = heap.types.struct("", {});
  setFinalizer(heap, heap.newobject(empty), heap.types.pointer(empty), () => assert(false));
  heap.GC();
  assertEquals(heap.runFinalizers(), 0);
});

// tests.md 17
Deno.test("setting and clearing finalizers over and over takes no more memory than once", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const type = types.pointer(types.uint64);
  const table = heap.global(types.array(type, 1000));
  for (let i = 0; i < 1000; i++) heap.storePointer(table + 8 * i, heap.newarray(types.uint64, 4));
  const round = () => {
    for (const finalizer of [() => {}, null]) {
      for (let i = 0; i < 1000; i++) {
        const object = { type, data: heap.loadPointer(table + 8 * i) };
        const value = finalizer && { type: types.func([type], []), data: finalizer };
        heap.SetFinalizer(object, value);
      }
    }
  };
  round();
  const { Sys, OtherSys } = heap.ReadMemStats();
  for (let i = 0; i < 10; i++) round();
  heap.verify();
  const after = heap.ReadMemStats();
  assertEquals([after.Sys, after.OtherSys], [Sys, OtherSys]);
});

// tests.md 19
Deno.test("the finalizer of what points runs before that of what is pointed to, each once", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const PAIRS = 250;
  const b = types.struct("main.B", { n: types.int, p: types.unsafePointer });
  const a = types.struct("main.A", { b: types.pointer(b), n: types.int });
  const [typeA, typeB] = [types.pointer(a), types.pointer(b)];
  const order: string[] = [];
  for (let i = 0; i < PAIRS; i++) {
    const [objectA, objectB, cleared] = [heap.newobject(a), heap.newobject(b), heap.newobject(b)];
    heap.storePointer(objectA, objectB);
    const results = [types.array(types.uint8, 6000)];
    setFinalizer(heap, objectB, typeB, () => order.push(`B${i}`));
    setFinalizer(heap, objectA, typeA, () => order.push(`A${i}`), typeA, results);
    setFinalizer(heap, cleared, typeB, () => order.push(`cleared ${i}`));
    heap.SetFinalizer({ type: typeB, data: cleared }, null);
  }
  heap.GC();
  assertEquals(heap.runFinalizers(), PAIRS);
  heap.GC();
  assertEquals(heap.runFinalizers(), PAIRS);
  heap.GC();
  assertEquals(heap.runFinalizers(), 0);
  const expected = ["A", "B"].map((name) => Array.from({ length: PAIRS }, (_, i) => `${name}${i}`));
  assertEquals(order.slice(0, PAIRS).sort(), expected[0].sort());
  assertEquals(order.slice(PAIRS).sort(), expected[1].sort());
  heap.verify();
});

// tests.md 21
Deno.test("tiny objects of one block are finalized one a collection, each with its own address", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const type = types.pointer(types.int32);
  const COUNT = 100;
  const seen: number[] = [];
  for (let i = 0; i < COUNT; i++) {
    const object = heap.newobject(types.int32);
    heap.storeInt32(object, i);
    setFinalizer(heap, object, type, (x: Pointer) => seen.push(heap.loadInt32(x)));
  }
  const ran: number[] = [];
  for (let round = 0; round < 5; round++) {
    heap.GC();
    heap.verify();
    ran.push(heap.runFinalizers());
  }
  assertEquals(ran, [COUNT / 4, COUNT / 4, COUNT / 4, COUNT / 4, 0]);
  assertEquals(seen.sort((x, y) => x - y), Array.from({ length: COUNT }, (_, i) => i));
});

Deno.test("of 300 finalizers due at once, the last block of the queue runs first (ALGORITHMS 9.5)", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const order: number[] = [];
  for (let i = 0; i < 300; i++) {
    const object = heap.newarray(types.uint8, 32);
    setFinalizer(heap, object, types.pointer(types.uint8), () => order.push(i));
  }
  heap.GC();
  heap.runFinalizers();
  const run = (first: number, last: number) =>
    Array.from({ length: last - first + 1 }, (_, i) => first + i);
  assertEquals(order, [...run(202, 299), ...run(101, 201), ...run(0, 100)]);
});

Deno.test("an object that its finalizer saves lives on without a finalizer, and can be given one again", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const type = types.pointer(types.unsafePointer);
  const saved = heap.global(type);
  let runs = 0;
  const save = (x: Pointer) => {
    runs++;
    heap.storePointer(saved, x);
  };
  const object = heap.newarray(types.unsafePointer, 4);
  setFinalizer(heap, object, type, save);
  heap.GC();
  assertEquals([heap.runFinalizers(), heap.loadPointer(saved)], [1, object]);
  setFinalizer(heap, object, type, save);
  heap.storePointer(saved, 0);
  heap.GC();
  assertEquals([heap.runFinalizers(), runs], [1, 2]);
  heap.storePointer(saved, 0);
  heap.GC();
  assertEquals([heap.runFinalizers(), heap.ReadMemStats().HeapObjects], [0, 0]);
});

Deno.test("a cycle with a finalizer is never collected, one without is", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const node = types.struct("main.Node", (self) => ({
    next: types.pointer(self),
    value: types.int,
  }));
  const ring = () => {
    const [first, second] = [heap.newobject(node), heap.newobject(node)];
    heap.storePointer(first, second);
    heap.storePointer(second, first);
    return first;
  };
  ring();
  setFinalizer(heap, ring(), types.pointer(node), () => assert(false));
  for (let round = 0; round < 3; round++) {
    heap.GC();
    assertEquals([heap.runFinalizers(), heap.ReadMemStats().HeapObjects], [0, 2]);
  }
});

for (const root of ["a frame", "a reference", "a global"]) {
  Deno.test(`what an object with a finalizer refers to is kept, beside what ${root} keeps`, () => {
    using heap = new GoHeap(OPTIONS);
    const { types } = heap;
    const WORDS = 4;
    using frame = heap.frame(1);
    const rooted = heap.rawmem(200);
    if (root === "a frame") frame.set(0, rooted);
    using _ref = heap.ref(root === "a reference" ? rooted : 0);
    if (root === "a global") heap.storePointer(heap.global(types.unsafePointer), rooted);
    const object = heap.newarray(types.unsafePointer, WORDS);
    setFinalizer(heap, object, types.pointer(types.unsafePointer), () => {});
    for (let word = 0; word < WORDS; word++) heap.storePointer(object + 8 * word, heap.rawmem(100));
    heap.GC();
    assertEquals(heap.ReadMemStats().HeapObjects, 2 + WORDS);
  });
}

Deno.test("a finalizer that throws does not stop the others, and all errors come out together", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const ran: number[] = [];
  for (let i = 0; i < 5; i++) {
    setFinalizer(heap, heap.newarray(types.uint8, 16), types.pointer(types.uint8), () => {
      ran.push(i);
      if (i % 2 === 1) throw new Error(`number ${i}`);
    });
  }
  heap.GC();
  const error = assertThrows(() => heap.runFinalizers(), AggregateError);
  assertEquals(error.errors.map((each: Error) => each.message), ["number 1", "number 3"]);
  assertEquals(ran, [0, 1, 2, 3, 4]);
  heap.verify();
  assertEquals(heap.runFinalizers(), 0);
});

Deno.test("a finalizer may allocate, collect, and set finalizers", () => {
  using heap = new GoHeap({ ...OPTIONS, collect: "malloc" });
  const { types } = heap;
  const type = types.pointer(types.uint64);
  let left = 20;
  const again = () => {
    if (left-- === 0) return;
    for (let i = 0; i < 100; i++) heap.newarray(types.uint64, 8);
    setFinalizer(heap, heap.newarray(types.uint64, 4), type, again);
    heap.GC();
    heap.verify();
  };
  again();
  let ran = 0;
  for (let round = 0; round < 30; round++) ran += heap.runFinalizers();
  assertEquals([ran, left], [20, -1]);
});

Deno.test("a span that is swept for a finalizer comes off the trigger, and a collection that is due then runs", () => {
  using heap = new GoHeap({ ...OPTIONS, collect: "malloc", minHeapBytes: 0 });
  const { types } = heap;
  const object = types.array(types.unsafePointer, 4);
  using _ballast = heap.ref(heap.rawmem(2 ** 20));
  using kept = heap.ref(heap.newobject(object));
  for (let i = 0; i < 100; i++) heap.newobject(object);
  // What is allocated later finds a span of its own, and need not sweep others for pages.
  using _other = heap.ref(heap.newarray(types.uint8, 100));
  heap.gogc(1);
  heap.newarray(types.uint8, 100);
  const { stats } = partsOf(heap);
  const collections = stats[NUM_GC];
  stats[NEXT_GC] = stats[HEAP_ALLOC] + 32;
  heap.newarray(types.uint8, 100);
  assertEquals(stats[NUM_GC], collections);
  setFinalizer(heap, kept.pointer, types.pointer(object), () => {});
  assert(stats[NEXT_GC] < stats[HEAP_ALLOC]);
  heap.newarray(types.uint8, 100);
  assertEquals(stats[NUM_GC], collections + 1);
});

Deno.test("finalizers of several functions, types and sizes, set and removed in any order, reach their objects", () => {
  const OBJECTS = 40;
  const object = { index: fc.nat(OBJECTS - 1), kind: fc.nat(3), fn: fc.nat(2) };
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ op: fc.constant("set"), ...object }) },
    { weight: 4, arbitrary: fc.record({ op: fc.constant("clear"), ...object }) },
    { weight: 4, arbitrary: fc.record({ op: fc.constant("drop"), ...object }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("collect"), ...object }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), fc.boolean(), (steps, isEager) => {
      using heap = new GoHeap(OPTIONS);
      const { types } = heap;
      const elems = [
        types.array(types.unsafePointer, 2),
        types.array(types.uint8, 16),
        types.array(types.uint8, 48),
        types.array(types.unsafePointer, 5000),
      ];
      const ran: [fn: number, argument: Pointer][] = [];
      const expected: [fn: number, argument: Pointer][] = [];
      const functions = [0, 1].map((fn) => (p: Pointer) => void ran.push([fn, p]));
      const any = (value: Eface) => void ran.push([2, value.data as Pointer]);
      const table = heap.global(types.array(types.unsafePointer, OBJECTS));
      const objects = Array.from({ length: OBJECTS }, (_, i) => {
        const elem = elems[i % elems.length];
        const p = heap.newobject(elem);
        heap.storePointer(table + 8 * i, p);
        return { p, type: types.pointer(elem), fn: -1 };
      });
      const collect = () => {
        if (isEager) heap.GC();
        else heap.gogc(1);
        if (!isEager) heap.GC();
        heap.verify();
        heap.runFinalizers();
        heap.verify();
        const byAddress = (list: typeof ran) => list.toSorted((x, y) => x[1] - y[1]);
        assertEquals(byAddress(ran), byAddress(expected));
      };
      for (const { op, index, fn } of steps) {
        const target = objects[index];
        if (op === "collect") {
          collect();
        } else if (target.p === 0) {
          continue;
        } else if (op === "set" && target.fn < 0) {
          target.fn = fn;
          const isAny = fn === 2;
          setFinalizer(
            heap,
            target.p,
            target.type,
            isAny ? any : functions[fn],
            isAny ? types.interface({}) : target.type,
          );
        } else if (op === "set") {
          assertThrows(
            () => setFinalizer(heap, target.p, target.type, functions[0]),
            GoThrow,
            "runtime.SetFinalizer: finalizer already set",
          );
        } else if (op === "clear") {
          heap.SetFinalizer({ type: target.type, data: target.p }, null);
          target.fn = -1;
        } else {
          heap.storePointer(table + 8 * index, 0);
          if (target.fn >= 0) expected.push([target.fn, target.p]);
          target.p = 0;
        }
        heap.verify();
      }
      collect();
    }),
    { numRuns: 60 },
  );
});

Deno.test("setting and removing a finalizer sweeps the object's span, and only that (ALGORITHMS 7.3)", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const type = types.pointer(types.unsafePointer);
  const objects = [4, 8, 16].map((words) => heap.ref(heap.newarray(types.unsafePointer, words)));
  const unswept = () =>
    heap.snapshot().spans.flatMap((span) =>
      span.state === "inuse" && span.sweepgen_delta === -2 ? [span.page] : []
    );
  heap.gogc(1);
  assertEquals(unswept(), [0, 1, 2]);
  setFinalizer(heap, objects[1].pointer, type, () => {});
  assertEquals(unswept(), [0, 2]);
  heap.gogc(1);
  heap.SetFinalizer({ type, data: objects[1].pointer }, null);
  assertEquals(unswept(), [0, 2]);
  heap.SetFinalizer({ type, data: objects[2].pointer }, null);
  assertEquals(unswept(), [0]);
  heap.verify();
});
