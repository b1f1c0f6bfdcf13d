import { assertEquals } from "@std/assert";
import { FlagNoScan, type Pointer } from "../mod.ts";
import { CheckedHeap as GoHeap } from "./checked_heap.ts";

const OPTIONS = { platform: "linux/amd64" } as const;

Deno.test("racemalloc is told each block that is handed out, with the block's size", () => {
  const told: [Pointer, number][] = [];
  using heap = new GoHeap({
    ...OPTIONS,
    race: { racemalloc: (p, bytes) => void told.push([p, bytes]), racefingo() {} },
  });
  const { types } = heap;
  const expected: [Pointer, number][] = [
    [heap.newobject(types.unsafePointer), 8],
    [heap.mallocgc(100, null, FlagNoScan), 112],
    [heap.newarray(types.string, 10), 160],
    [heap.rawmem(40000), 40960],
    [heap.newobject(types.int32), 16],
  ];
  heap.newobject(types.int32);
  heap.rawmem(0);
  assertEquals(told, expected);
});

Deno.test("racefingo is called before each batch of finalizers, not before each finalizer", () => {
  const events: string[] = [];
  using heap = new GoHeap({
    ...OPTIONS,
    race: { racemalloc() {}, racefingo: () => void events.push("racefingo") },
  });
  const { types } = heap;
  const type = types.pointer(types.unsafePointer);
  const batch = (n: number) => {
    for (let i = 0; i < n; i++) {
      heap.SetFinalizer({ type, data: heap.newobject(types.unsafePointer) }, {
        type: types.func([type], []),
        data: () => void events.push("finalizer"),
      });
    }
    heap.GC();
  };
  batch(3);
  heap.runFinalizers();
  assertEquals(events, ["racefingo", "finalizer", "finalizer", "finalizer"]);
  heap.runFinalizers();
  assertEquals(events.length, 4, "there was nothing to run");
  events.length = 0;
  // Queued in two collections, run as one batch.
  batch(1);
  batch(1);
  heap.runFinalizers();
  assertEquals(events, ["racefingo", "finalizer", "finalizer"]);
});

Deno.test("a race detector comes before the trace, and both before the collection that is due", () => {
  const events: string[] = [];
  using heap = new GoHeap({
    ...OPTIONS,
    collect: "malloc",
    minHeapBytes: 0,
    debug: "allocfreetrace=1",
    trace: (line) => {
      const what = /^trace[a-z]+/.exec(line);
      if (what !== null) events.push(what[0]);
    },
    race: { racemalloc: () => void events.push("racemalloc"), racefingo() {} },
  });
  heap.newobject(heap.types.unsafePointer);
  assertEquals(events, ["racemalloc", "tracealloc", "tracegc"]);
});

Deno.test("the hooks are called as methods of the object that was given", () => {
  class Detector {
    mallocs = 0;
    batches = 0;
    racemalloc() {
      this.mallocs++;
    }
    racefingo() {
      this.batches++;
    }
  }
  const race = new Detector();
  using heap = new GoHeap({ ...OPTIONS, race });
  const { types } = heap;
  const type = types.pointer(types.unsafePointer);
  heap.SetFinalizer({ type, data: heap.newobject(types.unsafePointer) }, {
    type: types.func([type], []),
    data: () => {},
  });
  heap.GC();
  heap.runFinalizers();
  assertEquals([race.mallocs, race.batches], [1, 1]);
});
