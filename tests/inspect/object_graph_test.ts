import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { FlagNoGC, GoHeap, HeapDump, type ObjectGraph, type Pointer } from "../../mod.ts";
import { heapInSlices, isUnderWay, slice } from "../gc/in_slices.ts";
import { dumpedProgram } from "./heap_dump_program.ts";

Deno.test("the graph of a heap has its roots, and the shortest path from one of them to each object", () => {
  using program = dumpedProgram({ recordTypes: true });
  const { heap, list, boxed, framed, referred, queued, finalized, garbage } = program;
  const graph = heap.objectGraph();
  const kindOf = (p: Pointer) => graph.path(p)?.root.kind ?? null;
  assertEquals([...list, boxed].map(kindOf), new Array(6).fill("global"));
  assertEquals([framed, referred, queued].map(kindOf), ["frame", "reference", "queued finalizer"]);
  assertEquals(graph.path(list[2])!.steps.map(({ offset }) => offset), [0, 8, 8]);
  assertEquals(graph.path(boxed)!.root.name, "main.Vars");
  assertEquals(graph.path(boxed)!.steps[0].offset, 16);
  // Both lead from the same variable, at different places.
  assertEquals(graph.path(finalized)!.steps[0].offset, 8);
  const data = heap.loadPointer(referred + 32_000);
  assertEquals(graph.path(data + 50)!.steps.map(({ offset }) => offset), [0, 32_000]);
  assertEquals([kindOf(garbage), graph.object(garbage)?.isReachable], [null, false]);
  // A finalizer keeps what its object refers to, and not the object.
  assertEquals(graph.path(heap.loadPointer(garbage + 8))!.root, {
    kind: "finalizer",
    address: garbage,
    name: "",
  });
  assertEquals(graph.dominators(garbage), null);
  assertEquals(graph.path(1), null);
  assertEquals(graph.object(heap.loadPointer(garbage)), null);
});

Deno.test("the graph of a heap tallies objects by type and by mask", () => {
  using program = dumpedProgram({ recordTypes: true });
  const graph = program.heap.objectGraph();
  assertEquals(
    graph.types().map(({ type, objects, bytes }) => [type, objects, bytes]),
    [
      ["main.Large", 1, 40_960],
      ["main.Node", 10, 160],
      [null, 1, 112],
      ["[5]float64", 1, 48],
      ["[3]string", 1, 48],
      ["int8", 1, 16],
      ["main.Name", 1, 16],
    ].sort((a, b) =>
      Number(b[2]) - Number(a[2]) || (String(a[0] ?? "") < String(b[0] ?? "") ? -1 : 1)
    ),
  );
  const masks = graph.masks().map(({ size, mask, objects }) => `${objects} x ${size} ${mask}`);
  assertEquals(masks.slice(1), [
    "10 x 16 sp",
    "1 x 112 ",
    "1 x 48 ",
    "1 x 48 pspsp",
    "2 x 16 ",
  ]);
  assert(masks[0].startsWith("1 x 40960 ssss") && masks[0].endsWith("... (4001 words)"));
});

Deno.test("objects of a type retain what no other object of it does", () => {
  using heap = new GoHeap({ platform: "linux/amd64", recordTypes: true });
  const { types } = heap;
  const node = types.struct("main.Node", (self) => ({
    next: types.pointer(self),
    data: types.unsafePointer,
  }));
  const root = heap.global(types.pointer(node));
  const data = types.array(types.uint8, 100);
  let list = 0;
  for (let i = 0; i < 3; i++) {
    const p = heap.newobject(node);
    heap.storePointer(p, list);
    heap.storePointer(p + 8, heap.newobject(data));
    list = p;
  }
  heap.storePointer(root, list);
  const tallies = heap.objectGraph().types();
  assertEquals(tallies, [
    { type: "[100]uint8", objects: 3, bytes: 336, retainedBytes: 336 },
    { type: "main.Node", objects: 3, bytes: 48, retainedBytes: 384 },
  ]);
  const graph = heap.objectGraph();
  assertEquals(graph.largest(2, "main.Node").map((object) => object.retainedBytes), [384, 256]);
  assertEquals(graph.largest(5, "main.Other"), []);
  assertEquals(graph.largest(0), []);
  assertEquals(graph.largestRoots(3), [
    { kind: "global", address: root, name: "*main.Node", retainedBytes: 384 },
  ]);
});

Deno.test("an object that two roots keep is dominated by neither, and none of them is named", () => {
  using heap = new GoHeap({ platform: "linux/amd64" });
  const p = heap.newobject(heap.types.int64);
  const [a, b] = [0, 1].map(() => heap.global(heap.types.unsafePointer));
  heap.storePointer(a, p);
  assertEquals(heap.objectGraph().dominators(p)?.root?.address, a);
  heap.storePointer(b, p);
  assertEquals(heap.objectGraph().dominators(p), { root: null, objects: [] });
  assertEquals(heap.objectGraph().largestRoots(2).map((root) => root.retainedBytes), [0, 0]);
});

Deno.test("a pointer just behind an object does not keep it, and one to its last byte does", () => {
  using heap = new GoHeap({ platform: "linux/amd64", debug: "invalidptr=0" });
  const block = heap.types.array(heap.types.unsafePointer, 2);
  const p = heap.newobject(block);
  const root = heap.global(heap.types.unsafePointer);
  const reachable = () => [
    heap.objectGraph().reachable.objects,
    HeapDump.from(heap.writeHeapDump()).objectGraph().reachable.objects,
  ];
  heap.storePointer(root, p + 16);
  assertEquals(reachable(), [0, 0]);
  assertEquals(heap.objectGraph().object(p + 16), null);
  heap.storePointer(root, p + 15);
  assertEquals(reachable(), [1, 1]);
  assertEquals(heap.objectGraph().object(p + 15)?.address, p);
});

Deno.test("the type that is recorded goes before that of the finalizer", () => {
  using heap = new GoHeap({ platform: "linux/amd64", recordTypes: true });
  const { types } = heap;
  const [a, b] = ["main.A", "main.B"].map((name) => types.struct(name, { p: types.unsafePointer }));
  const p = heap.newobject(a);
  const type = types.pointer(b);
  heap.SetFinalizer({ type, data: p }, { type: types.func([type]), data: () => {} });
  for (const graph of [heap.objectGraph(), HeapDump.from(heap.writeHeapDump()).objectGraph()]) {
    assertEquals(graph.object(p)?.type, "main.A");
  }
});

Deno.test("a finalizer cycle is found in a heap and in its dump", () => {
  using heap = new GoHeap({ platform: "linux/amd64" });
  const { types } = heap;
  const node = types.struct(
    "main.Node",
    (self) => ({ a: types.pointer(self), b: types.pointer(self) }),
  );
  const type = types.pointer(node);
  const finalize = (p: Pointer) =>
    heap.SetFinalizer({ type, data: p }, { type: types.func([type]), data: () => {} });
  const [a, b, c, self, chain, kept] = Array.from({ length: 6 }, () => heap.newobject(node));
  // a ─▶ b ─▶ c ─▶ a, one of them with a finalizer; one that refers to itself; a chain; a cycle with a root.
  for (const [from, to] of [[a, b], [b, c], [c, a], [self, self], [chain, a], [kept, kept]]) {
    heap.storePointer(from, to);
  }
  for (const p of [b, self, chain, kept]) finalize(p);
  heap.storePointer(heap.global(type), kept);
  const graphs = [heap.objectGraph(), HeapDump.from(heap.writeHeapDump()).objectGraph()];
  for (const graph of graphs) {
    const cycles = graph.finalizerCycles();
    assertEquals(cycles.map((cycle) => cycle.map(({ address }) => address)), [[a, b, c], [self]]);
    assertEquals(cycles[0].map((object) => object.type), [null, "main.Node", null]);
  }
  for (let i = 0; i < 3; i++) {
    heap.GC();
    heap.runFinalizers();
  }
  // The collector leaves them where they are.
  assertEquals(heap.objectGraph().finalizerCycles().flat().length, 4);
});

Deno.test("a heap that follows gccgo knows types, and objects that are never freed are roots of their own", () => {
  using heap = new GoHeap({ platform: "linux/amd64", compiler: "gccgo" });
  const { types } = heap;
  const node = types.struct("main.Node", (self) => ({ next: types.pointer(self), n: types.int }));
  const [kept, next] = [heap.newobject(node), heap.newobject(node)];
  heap.storePointer(heap.global(types.pointer(node)), kept);
  heap.storePointer(kept, next);
  const forever = heap.mallocgc(48, null, FlagNoGC);
  heap.storePointer(forever, heap.newobject(node));
  const check = (graph: ObjectGraph, kind: (root: { kind: string; name: string }) => string) => {
    assertEquals(graph.types().find(({ type }) => type === "main.Node")?.objects, 3);
    assertEquals(graph.path(next)!.steps.map(({ object }) => object.address), [kept, next]);
    assertEquals(kind(graph.path(forever)!.root), "no-gc");
    // Nothing follows it.
    assertEquals(graph.path(heap.loadPointer(forever)), null);
    return graph.reachable;
  };
  const reachable = check(heap.objectGraph(), ({ kind }) => kind);
  const dump = heap.writeHeapDump();
  assertEquals(check(HeapDump.from(dump).objectGraph(), ({ name }) => name), reachable);
  heap.GC();
  heap.verify();
  assertEquals(heap.objectGraph().reachable, reachable);
  assertEquals(heap.ReadMemStats().HeapAlloc, reachable.bytes);
});

Deno.test("a heap can be dumped and looked at in the middle of a collection", () => {
  using heap = heapInSlices();
  const { types } = heap;
  const node = types.struct("main.Node", (self) => ({ next: types.pointer(self), n: types.int }));
  const root = heap.global(types.pointer(node));
  const objects = 100;
  const addNodes = () => {
    for (let i = 0; i < objects; i++) {
      const p = heap.newobject(node);
      heap.storePointer(p, heap.loadPointer(root));
      heap.storePointer(root, p);
    }
  };
  addNodes();
  let looks = 0;
  heap.newobject(node);
  do {
    slice(heap);
    assertEquals(heap.objectGraph().reachable.objects, objects);
    heap.verify();
    assertEquals(HeapDump.from(heap.writeHeapDump()).objectGraph().reachable.objects, objects);
    heap.verify();
    looks++;
  } while (isUnderWay(heap));
  assert(looks > 3, `${looks} slices`);
});

const NODES = 24;

/** Links between objects, and from variables to objects. */
const links = fc.record({
  edges: fc.array(
    fc.tuple(fc.nat({ max: NODES - 1 }), fc.nat({ max: 3 }), fc.nat({ max: NODES - 1 })),
    {
      maxLength: 60,
    },
  ),
  roots: fc.array(fc.nat({ max: NODES - 1 }), { minLength: 1, maxLength: 3 }),
  finalized: fc.array(fc.nat({ max: NODES - 1 }), { maxLength: 3 }),
});

/** Bytes that a collection frees after a variable was cleared, or an object cut off from everything. */
function bytesAfter(heap: GoHeap): number {
  heap.GC();
  heap.verify();
  return heap.ReadMemStats().HeapAlloc;
}

Deno.test("in random heaps, what a root retains is what a collection frees once it is cleared", () => {
  fc.assert(
    fc.property(links, ({ edges, roots }) => {
      using heap = new GoHeap({ platform: "linux/amd64", recordTypes: true });
      const { types } = heap;
      const node = types.array(types.unsafePointer, 4);
      const nodes = Array.from({ length: NODES }, () => heap.newobject(node));
      for (const [from, slot, to] of edges) heap.storePointer(nodes[from] + 8 * slot, nodes[to]);
      const variables = roots.map(() => heap.global(types.unsafePointer));
      variables.forEach((variable, i) => heap.storePointer(variable, nodes[roots[i]]));

      const before = bytesAfter(heap);
      const graph = heap.objectGraph();
      assertEquals([graph.bytes, graph.reachable.bytes], [before, before]);
      const dumped = HeapDump.from(heap.writeHeapDump()).objectGraph();
      assertEquals(retainedBytes(dumped), retainedBytes(graph));
      const retained = graph.largestRoots(variables.length);
      const { address, retainedBytes: expected } = retained[0];
      heap.storePointer(address, 0);
      assertEquals(before - bytesAfter(heap), expected);
    }),
    { numRuns: 60, seed: 20141211 },
  );
});

Deno.test("in random heaps, finalizer cycles are what remains when all that can be finalized is", () => {
  fc.assert(
    fc.property(links, ({ edges, finalized }) => {
      using heap = new GoHeap({ platform: "linux/amd64" });
      const { types } = heap;
      const node = types.array(types.unsafePointer, 4);
      const type = types.pointer(node);
      const nodes = Array.from({ length: NODES }, () => heap.newobject(node));
      for (const [from, slot, to] of edges) heap.storePointer(nodes[from] + 8 * slot, nodes[to]);
      for (const i of new Set(finalized)) {
        heap.SetFinalizer({ type, data: nodes[i] }, { type: types.func([type]), data: () => {} });
      }
      const cycles = heap.objectGraph().finalizerCycles();
      do heap.GC(); while (heap.runFinalizers() > 0);
      heap.GC();
      heap.verify();
      const left = heap.objectGraph();
      // What is left is kept by the cycles, each of which still is.
      assertEquals(left.finalizerCycles(), cycles);
      assertEquals(left.objects === 0, cycles.length === 0);
    }),
    { numRuns: 60, seed: 20141211 },
  );
});

function retainedBytes(graph: ObjectGraph): [Pointer, number][] {
  return graph.largest(graph.objects).map(({ address, retainedBytes }) => [address, retainedBytes]);
}
