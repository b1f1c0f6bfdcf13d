import { assert, assertEquals } from "@std/assert";
import { type DumpType, GoHeap, HeapDump, type HeapSnapshot } from "../../mod.ts";
import { PAGE_BYTES } from "../../lib/platform/platform.ts";
import { CLASS_TO_SIZE } from "../../lib/spans/size_classes.ts";
import { expandRuns } from "../conformance/script.ts";
import { type DumpedProgram, dumpedProgram } from "./heap_dump_program.ts";

function dumpOf(heap: GoHeap): HeapDump {
  return HeapDump.from(heap.writeHeapDump());
}

function typesOf(dump: HeapDump): Map<number, DumpType> {
  return new Map(dump.types.map((type) => [type.address, type]));
}

/** [offset from the arena's start, size] of the blocks in use, by address, by what a snapshot says. */
function blocksInUse({ spans }: HeapSnapshot): [number, number][] {
  return spans.flatMap((span): [number, number][] => {
    if (span.state !== "inuse") return [];
    const bytes = span.npages * PAGE_BYTES;
    const size = span.cls === 0 ? bytes : CLASS_TO_SIZE[span.cls];
    const free = new Set(expandRuns(span.freelist ?? []));
    return Array.from({ length: Math.floor(bytes / size) }, (_, block) => block)
      .filter((block) => !free.has(block))
      .map((block) => [span.page * PAGE_BYTES + block * size, size]);
  });
}

Deno.test("a dump has the objects of the snapshot, with their contents", () => {
  using program = dumpedProgram();
  const { heap } = program;
  const dump = dumpOf(heap);
  const { arenaStart, arenaUsed } = dump.params;
  const objects = Array.from({ length: dump.objectCount }, (_, i) => dump.object(i));
  assertEquals(
    objects.map(({ address, contents }) => [address - arenaStart, contents.length])
      .sort((a, b) => a[0] - b[0]),
    blocksInUse(heap.snapshot()),
  );
  assertEquals(arenaUsed - arenaStart, heap.snapshot().arena_used);
  for (const { address, contents } of objects) {
    assertEquals(contents, heap.bytes(address, contents.length).slice());
  }
});

Deno.test("a dump has the memory statistics, and its objects add up to them", () => {
  using program = dumpedProgram();
  const { heap } = program;
  const dump = dumpOf(heap);
  const { PauseEnd: _e, EnableGC: _g, DebugGC: _d, BySize: _s, ...expected } = heap.ReadMemStats();
  assertEquals(dump.memStats, {
    ...expected,
    PauseTotalNs: Math.floor(expected.PauseTotalNs),
    PauseNs: expected.PauseNs.map(Math.floor),
  });
  assertEquals(dump.memStats.NumGC, 1);
  assert(dump.memStats.LastGC > 2 ** 53);
  const graph = dump.objectGraph();
  // Two tiny objects share a block, and count as two objects allocated and one freed.
  assertEquals([graph.objects, graph.bytes], [expected.HeapObjects, expected.HeapAlloc]);
});

Deno.test("a dump has the params of the heap's platform, and one goroutine that runs", () => {
  using program = dumpedProgram({ platform: "darwin/arm64" });
  const { params, goroutines, threads } = dumpOf(program.heap);
  assertEquals([params.thechar, params.pointerBytes, params.isBigEndian], ["7", 8, false]);
  assertEquals(goroutines.map(({ id, status }) => [id, status]), [[1, 2]]);
  assertEquals(threads.length, 1);
});

Deno.test("a dump has interfaces in global variables, their types, itabs and finalizers", () => {
  using program = dumpedProgram();
  const { heap, boxed, finalized, garbage, queued } = program;
  const dump = dumpOf(heap);
  const types = typesOf(dump);
  const [segment] = dump.segments;
  assertEquals(dump.segments.length, 1);
  assertEquals(segment.fields.map(({ kind }) => kind), [1, 1, 3, 2]);
  const view = new DataView(segment.contents.slice().buffer);
  const words = (offset: number) =>
    [0, 8].map((more) => Number(view.getBigUint64(offset + more, true)));
  const [any, name] = segment.fields.slice(2).map(({ offset }) => words(offset));
  assertEquals([types.get(any[0])?.name, any[1]], ["[5]float64", boxed]);
  assertEquals(dump.itabs.map(({ address }) => address), [name[0]]);
  const node = types.get(dump.finalizers[0].objectType)!;
  assertEquals([node.name, node.size, node.isPointerInInterface], ["*main.Node", 8, true]);
  assertEquals(dump.finalizers.map(({ object }) => object).sort(), [finalized, garbage].sort());
  assertEquals(dump.queuedFinalizers.map(({ object }) => object), [queued]);
  assertEquals(dump.finalizers[0].parameterType, dump.finalizers[0].objectType);
});

Deno.test("interfaces in arrays and structs of recorded types are fields of their own kinds", () => {
  using heap = new GoHeap({ platform: "linux/amd64", recordTypes: true });
  const { types } = heap;
  const error = types.interface({ Error: types.func([], [types.string]) });
  const row = types.struct("main.Row", {
    nothing: types.struct("", {}),
    id: types.int,
    any: types.interface({}),
    errors: types.array(types.struct("main.Two", { n: types.int, error }), 2),
    name: types.string,
  });
  const p = heap.newarray(row, 2);
  heap.storePointer(p + row.size + 8, types.float32.address);
  const dump = dumpOf(heap);
  const kinds = dump.object(0).fields.map(({ kind, offset }) => [kind, offset]);
  const inRow = [[3, 8], [2, 32], [2, 56], [1, 72]];
  assertEquals(kinds, [...inRow, ...inRow.map(([kind, offset]) => [kind, offset + row.size])]);
  assertEquals(dump.types.map(({ name }) => name), ["main.Row", "float32"]);
});

Deno.test("a dump's frame has the slots of all frames, its other roots are the references", () => {
  using program = dumpedProgram();
  const dump = dumpOf(program.heap);
  const [{ frames }] = dump.goroutines;
  assertEquals(frames.map(({ function: name, fields }) => [name, fields.length]), [
    ["goheap.frames", 2],
  ]);
  const view = new DataView(frames[0].contents.slice().buffer);
  assertEquals(Number(view.getBigUint64(8, true)), program.framed);
  assertEquals(dump.otherRoots, [{ description: "reference", pointer: program.referred }]);
});

/** What a graph says, in a form that does not depend on where the roots are. */
function essence({ list, garbage, boxed, framed, referred, queued, finalized }: DumpedProgram) {
  return (graph: ReturnType<GoHeap["objectGraph"]>) => ({
    objects: graph.objects,
    bytes: graph.bytes,
    reachable: graph.reachable,
    masks: graph.masks(),
    types: graph.types(),
    largest: graph.largest(graph.objects),
    cycles: graph.finalizerCycles(),
    paths: [...list, garbage, boxed, framed, referred, queued, finalized].map((p) => {
      const path = graph.path(p);
      if (path === null) return null;
      // A dump has a root for each word, a heap for each variable.
      const [first, ...rest] = path.steps;
      return [path.root.address + first.offset, first.object, ...rest];
    }),
    dominators: list.map((p) => graph.dominators(p)?.objects),
  });
}

for (const recordTypes of [false, true]) {
  for (const platform of ["linux/amd64", "darwin/arm64", "linux/386"]) {
    Deno.test(`a heap's graph is that of its dump on ${platform}, types recorded: ${recordTypes}`, () => {
      using program = dumpedProgram({ recordTypes, platform });
      const live = essence(program)(program.heap.objectGraph());
      const dumped = essence(program)(dumpOf(program.heap).objectGraph());
      const { types: liveTypes, largest: liveLargest, ...liveRest } = live;
      const { types: dumpedTypes, largest: dumpedLargest, ...dumpedRest } = dumped;
      if (recordTypes) {
        assertEquals(dumped, live);
        return;
      }
      // A dump tells more: the types in interfaces.
      const untyped = (text: unknown) =>
        JSON.stringify(text, (key, value) => key === "type" ? 0 : value);
      assertEquals(untyped(dumpedRest), untyped(liveRest));
      assertEquals(untyped(dumpedLargest), untyped(liveLargest));
      assertEquals(liveTypes.map(({ type }) => type), [null, "main.Node"]);
      assertEquals(dumpedTypes.map(({ type }) => type), [
        null,
        "[5]float64",
        "main.Node",
        "main.Name",
      ]);
    });
  }
}

Deno.test("a heap that was dumped and looked at goes on as before", () => {
  using program = dumpedProgram({ recordTypes: true });
  const { heap, list } = program;
  for (let i = 0; i < 3; i++) {
    heap.newobject(program.node);
    heap.gogc(1);
    heap.writeHeapDump();
    heap.verify();
    heap.objectGraph();
    heap.verify();
  }
  assertEquals(heap.runFinalizers(), 2);
  assertEquals(heap.loadPointer(list[0] + 8), list[1]);
});
