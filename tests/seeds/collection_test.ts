import { assert, assertEquals, assertThrows } from "@std/assert";
import { partsOf } from "../../lib/go_heap.ts";
import { type Eface, GoThrow, type Pointer } from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";

const OPTIONS = { platform: "linux/amd64" } as const;

/** What every span in use still owes to the sweep. */
function sweepDebts(heap: GoHeap): number[] {
  return heap.snapshot().spans.flatMap((span) =>
    span.state === "inuse" ? [span.sweepgen_delta] : []
  );
}

Deno.test("GC sweeps everything at once, gogc(1) leaves it for later", () => {
  using heap = new GoHeap(OPTIONS);
  const kept = [100, 1000, 10000, 100000].map((size) => heap.ref(heap.rawmem(size)));
  heap.gogc(1);
  assertEquals(sweepDebts(heap), [-2, -2, -2, -2]);
  heap.GC();
  assertEquals(sweepDebts(heap), [0, 0, 0, 0]);
  heap.verify();
  assert(kept.every(({ pointer }) => heap.findObject(pointer)?.base === pointer));
});

Deno.test("who is in a collection cannot start another", () => {
  let depth = 0;
  let deepest = 0;
  using heap: GoHeap = new GoHeap({
    ...OPTIONS,
    debug: "gctrace=1",
    trace: () => {
      deepest = Math.max(deepest, ++depth);
      if (depth < 5) heap.GC();
      depth--;
    },
  });
  heap.rawmem(100);
  heap.GC();
  assertEquals([deepest, heap.ReadMemStats().NumGC], [1, 1]);
  heap.verify();
});

Deno.test("an unsafe.Pointer is not a pointer type: SetFinalizer refuses it", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  assertThrows(
    () => heap.SetFinalizer({ type: types.unsafePointer, data: heap.rawmem(64) }, null),
    GoThrow,
    "runtime.SetFinalizer: first argument is unsafe.Pointer, not pointer",
  );
});

Deno.test("an interface parameter gets the pointer with its type, if it has methods too", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const method = types.func([], []);
  const object = types.named("main.T", types.struct("", { p: types.unsafePointer }), {
    pointerMethods: { M: method },
  });
  const type = types.pointer(object);
  const seen: [unknown, unknown][] = [];
  const expected: Pointer[] = [];
  for (const parameter of [types.interface({}), types.interface({ M: method })]) {
    const p = heap.newobject(object);
    expected.push(p);
    heap.SetFinalizer({ type, data: p }, {
      type: types.func([parameter], []),
      data: (value: Eface) => seen.push([value.type, value.data]),
    });
  }
  heap.GC();
  assertEquals(heap.runFinalizers(), 2);
  assertEquals(seen, expected.map((p) => [type, p]));
});

Deno.test("the queue keeps an object while its finalizer is called, and forgets it then", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const holder = types.struct("", { text: types.pointer(types.uint8) });
  const type = types.pointer(holder);
  const OBJECTS = 5;
  const left: number[] = [];
  const read: number[] = [];
  for (let i = 0; i < OBJECTS; i++) {
    const object = heap.newobject(holder);
    const text = heap.newarray(types.uint8, 100);
    heap.storePointer(object, text);
    heap.storeUint8(text, i);
    heap.SetFinalizer({ type, data: object }, {
      type: types.func([type], []),
      data: (argument: Pointer) => {
        for (let round = 0; round < 2; round++) heap.GC();
        // What came before is gone; this object, and the text that it refers to, is not.
        left.push(heap.ReadMemStats().HeapObjects);
        for (let j = 0; j < 100; j++) heap.rawmem(100);
        read.push(heap.loadUint8(heap.loadPointer(argument)));
      },
    });
  }
  for (let round = 0; round < 2; round++) heap.GC();
  assertEquals(heap.ReadMemStats().HeapObjects, 2 * OBJECTS);
  assertEquals(heap.runFinalizers(), OBJECTS);
  assertEquals(left, [10, 8, 6, 4, 2]);
  assertEquals(read, [0, 1, 2, 3, 4]);
  heap.GC();
  assertEquals(heap.ReadMemStats().HeapObjects, 0);
  heap.verify();
});

Deno.test("emptied blocks of the finalizer queue are used again", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const type = types.pointer(types.uint64);
  const round = () => {
    for (let i = 0; i < 1000; i++) {
      heap.SetFinalizer({ type, data: heap.newarray(types.uint64, 4) }, {
        type: types.func([type], []),
        data: () => {},
      });
    }
    heap.GC();
    assertEquals(heap.runFinalizers(), 1000);
    return heap.ReadMemStats().GCSys;
  };
  round();
  const before = round();
  for (let i = 0; i < 5; i++) assertEquals(round(), before);
});

Deno.test("a finalizer of nil is called in vain, and the others are called all the same", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const type = types.pointer(types.uint64);
  let called = 0;
  for (const data of [0, () => called++]) {
    const object = { type, data: heap.newarray(types.uint64, 4) };
    heap.SetFinalizer(object, { type: types.func([type], []), data });
  }
  heap.GC();
  const { errors } = assertThrows(() => heap.runFinalizers(), AggregateError);
  assertEquals([called, errors.length], [1, 1]);
  assert(errors[0] instanceof GoThrow);
  heap.verify();
});

Deno.test("a finalizer may dispose of the heap: no other is called", () => {
  const heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const type = types.pointer(types.uint64);
  let called = 0;
  for (let i = 0; i < 3; i++) {
    heap.SetFinalizer({ type, data: heap.newarray(types.uint64, 4) }, {
      type: types.func([type], []),
      data: () => {
        called++;
        heap[Symbol.dispose]();
      },
    });
  }
  heap.GC();
  assertEquals([heap.runFinalizers(), called], [1, 1]);
});

Deno.test("a finalizer's frame has an interface, and its results at their alignments, up to whole words", () => {
  const frames: Record<string, number[]> = {
    "linux/amd64": [16, 24, 24, 32, 32, 48, 88],
    "linux/386": [8, 12, 12, 20, 16, 24, 44],
  };
  for (const [platform, expected] of Object.entries(frames)) {
    using heap = new GoHeap({ platform });
    const { types } = heap;
    const results = [
      [],
      [types.int8],
      [types.int8, types.int16],
      [types.int8, types.int64],
      [types.string],
      [types.int8, types.string, types.bool],
      [types.array(types.string, 4), types.bool, types.bool],
    ];
    const type = types.pointer(types.array(types.int, 4));
    const frameBytes = results.map((of) => {
      const data = heap.newobject(type.elem!);
      heap.SetFinalizer({ type, data }, { type: types.func([type], of), data: () => {} });
      const { arena, specials, finalizers } = partsOf(heap);
      const newest = specials.list(arena.pageSpan[heap.findObject(data)!.span]).at(-1)!;
      return finalizers.frameBytes(newest.data);
    });
    assertEquals(frameBytes, expected, platform);
    heap.GC();
    assertEquals(heap.runFinalizers(), results.length);
  }
});
