import { assert, assertEquals } from "@std/assert";
import { CheckedHeap as GoHeap } from "./checked_heap.ts";
import { runProgram } from "./run_program.ts";

const OPTIONS = { platform: "linux/amd64" } as const;
const PATIENCE_TURNS = 500;

/** Ends turns of the event loop until `done`; how many turns is up to the host. */
async function turns(done: () => boolean): Promise<void> {
  for (let i = 0; i < PATIENCE_TURNS && !done(); i++) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Allocates until the heap wants a collection. */
function makeGarbage(heap: GoHeap): void {
  for (let i = 0; i < 100; i++) heap.rawmem(100_000);
}

const GARBAGE = "for (let i = 0; i < 100; i++) heap.rawmem(100_000);";

Deno.test("a collection that was asked for runs by itself once the turn has ended", async () => {
  using heap = new GoHeap(OPTIONS);
  makeGarbage(heap);
  await Promise.resolve();
  assertEquals(heap.ReadMemStats().NumGC, 0, "collected within the turn");
  await turns(() => heap.ReadMemStats().NumGC > 0);
  assertEquals(heap.ReadMemStats().NumGC, 1);
  heap.verify();
});

Deno.test("nothing runs by itself in a heap that asked for nothing, or was disposed", async () => {
  using quiet = new GoHeap(OPTIONS);
  quiet.rawmem(100);
  const gone = new GoHeap(OPTIONS);
  makeGarbage(gone);
  gone[Symbol.dispose]();
  let turn = 0;
  await turns(() => ++turn === 20);
  assertEquals(quiet.ReadMemStats().NumGC, 0);
});

Deno.test("finalizers run by themselves after the collection, once the turn has ended", async () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const type = types.pointer(types.uint8);
  const ran: number[] = [];
  for (let i = 0; i < 3; i++) {
    heap.SetFinalizer({ type, data: heap.newarray(types.uint8, 32) }, {
      type: types.func([type], []),
      data: () => ran.push(i),
    });
  }
  heap.GC();
  assertEquals(ran, []);
  await turns(() => ran.length === 3);
  assertEquals(ran, [0, 1, 2]);
  assertEquals(heap.runFinalizers(), 0);
});

Deno.test("an error in a finalizer that ran by itself is reported, and the others still run", async () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const type = types.pointer(types.uint8);
  const [ran, reported]: [number[], unknown[]] = [[], []];
  const listener = (event: ErrorEvent) => {
    event.preventDefault();
    reported.push(event.error);
  };
  globalThis.addEventListener("error", listener);
  const failure = new Error("from a finalizer");
  for (let i = 0; i < 3; i++) {
    heap.SetFinalizer({ type, data: heap.newarray(types.uint8, 32) }, {
      type: types.func([type], []),
      data: () => {
        ran.push(i);
        if (i === 1) throw failure;
      },
    });
  }
  heap.GC();
  await turns(() => ran.length === 3 && reported.length > 0);
  globalThis.removeEventListener("error", listener);
  assertEquals(ran, [0, 1, 2]);
  const errors = reported.flatMap((each) => each instanceof AggregateError ? each.errors : [each]);
  assert(errors.length === 1 && errors[0] === failure, String(errors));
});

Deno.test("a heap with a collection and finalizers to come does not keep the process alive", async () => {
  const { code, stdout, stderr } = await runProgram(`
    const heap = new GoHeap();
    const type = heap.types.pointer(heap.types.uint8);
    heap.SetFinalizer({ type, data: heap.newarray(heap.types.uint8, 32) }, {
      type: heap.types.func([type], []),
      data: () => console.log("there was another turn"),
    });
    heap.GC();
    ${GARBAGE}
    console.log("end of the program");
  `);
  assertEquals([code, stdout, stderr], [0, "end of the program\n", ""]);
});

Deno.test("a heap that nobody uses any more is let go, though it had asked for a collection", async () => {
  const { code, stdout, stderr } = await runProgram(`
    const held = (() => {
      const heap = new GoHeap();
      ${GARBAGE}
      return new WeakRef(heap);
    })();
    for (let i = 0; i < 200 && held.deref(); i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      gc();
    }
    console.log(held.deref() === undefined ? "let go" : "held");
  `);
  assertEquals([code, stdout, stderr], [0, "let go\n", ""]);
});

Deno.test("a reference that V8 collected lets its object go", async () => {
  const { code, stdout, stderr } = await runProgram(`
    const heap = new GoHeap();
    (() => heap.ref(heap.newarray(heap.types.uint8, 100)))();
    const objects = () => (heap.GC(), heap.ReadMemStats().HeapObjects);
    const before = objects();
    for (let i = 0; i < 200 && objects() > 0; i++) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    console.log(before, objects());
  `);
  assertEquals([code, stdout, stderr], [0, "1 0\n", ""]);
});
