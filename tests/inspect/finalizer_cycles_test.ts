import { assertEquals } from "@std/assert";
import type { GoType, Pointer } from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";

/** A heap with nodes of three pointers. */
function setUp() {
  const heap = new GoHeap({ platform: "linux/amd64" });
  const { types } = heap;
  const node = (name: string) => types.struct(name, { links: types.array(types.unsafePointer, 3) });
  const named = node("main.Node");
  const make = () => heap.newobject(named);
  const link = (from: Pointer, ...to: Pointer[]) =>
    to.forEach((p, i) => heap.storePointer(from + 8 * i, p));
  const finalize = (p: Pointer, elem: GoType = named) => {
    const type = types.pointer(elem);
    heap.SetFinalizer({ type, data: p }, { type: types.func([type], []), data: () => {} });
  };
  const cycles = () =>
    heap.findFinalizerCycles().map((cycle) =>
      cycle.map(({ address, size, type }) => [address, size, type?.string ?? null])
    );
  return { heap, node, make, link, finalize, cycles };
}

Deno.test("cycles with a finalizer are reported, each with its objects and their types", () => {
  const { heap, node, make, link, finalize, cycles } = setUp();
  const [a, b, c, d, e] = [make(), make(), make(), make(), make()];
  link(a, b);
  link(b, c);
  link(c, a, d);
  link(e, e);
  finalize(a);
  finalize(c, node("main.Other"));
  finalize(e);
  assertEquals(cycles(), [
    [[a, 32, "main.Node"], [b, 32, null], [c, 32, "main.Other"]],
    [[e, 32, "main.Node"]],
  ]);
  heap.GC();
  heap.GC();
  assertEquals(heap.runFinalizers(), 0);
  assertEquals(heap.ReadMemStats().HeapObjects, 5);
  heap.SetFinalizer({ type: heap.types.pointer(node("main.Node")), data: e }, null);
  heap.GC();
  assertEquals(heap.ReadMemStats().HeapObjects, 4);
  assertEquals(cycles().length, 1);
  heap[Symbol.dispose]();
});

Deno.test("what the program can reach, what ends in a chain, and cycles without finalizers are not", () => {
  const { heap, make, link, finalize, cycles } = setUp();
  const [a, b] = [make(), make()];
  link(a, b);
  link(b, a);
  finalize(a);
  using _held = heap.ref(b);
  const [first, second] = [make(), make()];
  link(first, second);
  finalize(first);
  finalize(second);
  const [x, y] = [make(), make()];
  link(x, y);
  link(y, x);
  const waits = make();
  link(waits, x);
  finalize(waits);
  assertEquals(cycles(), []);
  heap[Symbol.dispose]();
});

Deno.test("a cycle that hangs from another one is one of its own", () => {
  const { heap, make, link, finalize, cycles } = setUp();
  const nodes = Array.from({ length: 6 }, make);
  const [a, b, c, d, e, f] = nodes;
  link(a, b);
  link(b, a, c);
  link(c, d);
  link(d, e);
  link(e, c, f);
  finalize(b);
  finalize(d);
  finalize(f);
  assertEquals(cycles().map((cycle) => cycle.map(([address]) => address)), [[a, b], [c, d, e]]);
  heap[Symbol.dispose]();
});

Deno.test("objects that the last collection found dead are not taken for a cycle", () => {
  const { heap, make, link, finalize, cycles } = setUp();
  const [a, b] = [make(), make()];
  link(a, b);
  finalize(a);
  heap.gogc(1);
  assertEquals(cycles(), []);
  assertEquals(heap.runFinalizers(), 1);
  heap[Symbol.dispose]();
});

Deno.test("a cycle of 100,000 objects is found without recursion", () => {
  const { heap, make, link, finalize, cycles } = setUp();
  const first = make();
  let last = first;
  for (let i = 1; i < 100_000; i++) {
    const next = make();
    link(last, next);
    last = next;
  }
  link(last, first);
  finalize(first);
  assertEquals(cycles().map(({ length }) => length), [100_000]);
  heap[Symbol.dispose]();
});
