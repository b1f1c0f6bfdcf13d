import { assertEquals, assertThrows } from "@std/assert";
import { type DumpField, type DumpObject, GoHeap, HeapDump, HeapDumpError } from "../../mod.ts";
import { readDump, readJson } from "../data.ts";

/** What an independent parser found in a dump. */
interface DumpSummary {
  records: Record<string, number>;
  params: Record<string, number | string>;
  object_bytes: number;
  object_sizes: [number, number][];
  fields_by_kind: Record<string, number>;
  memstats: Record<string, number>;
  goroutines: [number, number, number, string][];
  objects_reachable_from_data_bss_frames: number;
}

const NAMES = ["bintree10.rate0", "bintree8.rate1", "json"];
const WORD = 8;

const summaries = await readJson("dump_summaries.json") as Record<string, DumpSummary>;

function objectsOf(dump: HeapDump): DumpObject[] {
  return Array.from({ length: dump.objectCount }, (_, i) => dump.object(i));
}

function countBy(values: Iterable<number | string>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

/** The pointers of a piece of memory, read in the plainest way. */
function pointersOf(piece: { contents: Uint8Array; fields: readonly DumpField[] }): number[] {
  const view = new DataView(piece.contents.slice().buffer);
  return piece.fields.map(({ kind, offset }) =>
    Number(view.getBigUint64(kind === 1 ? offset : offset + WORD, true))
  );
}

/** How many objects the given pointers lead to. */
function countReachable(objects: readonly DumpObject[], from: readonly number[]): number {
  const reached = new Set<DumpObject>();
  const pending = [...from];
  for (let p = pending.pop(); p !== undefined; p = pending.pop()) {
    const at = p;
    const object = objects.find(({ address, contents }) =>
      address <= at && at < address + contents.length
    );
    if (object === undefined || reached.has(object)) continue;
    reached.add(object);
    pending.push(...pointersOf(object));
  }
  return reached.size;
}

for (const name of NAMES) {
  const summary = summaries[`${name}.heapdump.gz`];
  const dump = HeapDump.from(await readDump(name));

  Deno.test(`the dump ${name} that Go wrote has as many records of each kind as another parser found`, () => {
    assertEquals(
      {
        Params: 1,
        Type: dump.types.length,
        Itab: dump.itabs.length,
        Object: dump.objectCount,
        GoRoutine: dump.goroutines.length,
        StackFrame: dump.goroutines.reduce((sum, { frames }) => sum + frames.length, 0),
        Defer: dump.defers.length,
        OSThread: dump.threads.length,
        Data: dump.segments.filter((segment) => segment.name === "data").length,
        Bss: dump.segments.filter((segment) => segment.name === "bss").length,
        Finalizer: dump.finalizers.length,
        MemStats: 1,
        MemProf: dump.buckets.length,
        AllocSample: dump.allocSamples.length,
        EOF: 1,
      },
      summary.records,
    );
  });

  Deno.test(`the dump ${name} that Go wrote reads as another parser read it`, () => {
    const { isBigEndian, pointerBytes, arenaStart, arenaUsed, thechar, experiment, cpus } =
      dump.params;
    assertEquals({
      big_endian: Number(isBigEndian),
      ptrsize: pointerBytes,
      arena_start: `0x${arenaStart.toString(16)}`,
      arena_used: `0x${arenaUsed.toString(16)}`,
      thechar: thechar.charCodeAt(0),
      experiment,
      ncpu: cpus,
    }, summary.params);
    const stats = dump.memStats;
    assertEquals({
      alloc: stats.Alloc,
      total_alloc: stats.TotalAlloc,
      nmalloc: stats.Mallocs,
      nfree: stats.Frees,
      heap_alloc: stats.HeapAlloc,
      heap_objects: stats.HeapObjects,
      next_gc: stats.NextGC,
      numgc: stats.NumGC,
    }, summary.memstats);
    assertEquals(
      dump.goroutines.map((g) => [g.id, g.status, Number(g.isSystem), g.waitReason]),
      summary.goroutines,
    );
    const objects = objectsOf(dump);
    assertEquals(
      countBy(objects.map(({ contents }) => contents.length)),
      Object.fromEntries(summary.object_sizes),
    );
    assertEquals(
      countBy(objects.flatMap(({ fields }) => fields.map(({ kind }) => kind))),
      summary.fields_by_kind,
    );
  });

  Deno.test(`in the dump ${name}, the graph reaches what a plain walk reaches`, () => {
    const objects = objectsOf(dump);
    const frames = dump.goroutines.flatMap((goroutine) => goroutine.frames);
    const roots = [...dump.segments, ...frames].flatMap(pointersOf);
    assertEquals(countReachable(objects, roots), summary.objects_reachable_from_data_bss_frames);

    const graph = dump.objectGraph();
    assertEquals([graph.objects, graph.bytes], [objects.length, summary.object_bytes]);
    const others = [...dump.finalizers, ...dump.queuedFinalizers].flatMap((finalizer) => [
      finalizer.functionValue,
      ...objects.filter(({ address }) => address === finalizer.object).flatMap(pointersOf),
    ]);
    const contexts = dump.goroutines.map(({ context }) => context);
    const all = countReachable(objects, [...roots, ...others, ...contexts]);
    assertEquals(graph.reachable.objects, all);
    const retained = graph.largestRoots(1).map(({ retainedBytes }) => retainedBytes);
    assertEquals(retained[0] > 0 && retained[0] <= graph.reachable.bytes, true);
  });

  Deno.test(`in the dump ${name}, the tallies add up to the memory statistics`, () => {
    const graph = dump.objectGraph();
    for (const tallies of [graph.masks(), graph.types()]) {
      const sum = (figure: (tally: { objects: number; bytes: number }) => number) =>
        tallies.reduce((total, tally) => total + figure(tally), 0);
      assertEquals(sum(({ objects }) => objects), dump.memStats.HeapObjects);
      assertEquals(sum(({ bytes }) => bytes), dump.memStats.HeapAlloc);
    }
  });
}

Deno.test("the tree of the bintree program is found with its root variable, its nodes and their sizes", async () => {
  const graph = HeapDump.from(await readDump("bintree10.rate0")).objectGraph();
  const [mask] = graph.masks();
  // A tree of depth 10 has 2^11 - 1 nodes of two pointers.
  assertEquals(mask, { size: 16, mask: "pp", objects: 2047, bytes: 32752 });
  const [top, ...halves] = graph.largest(3);
  assertEquals(top.retainedBytes, 32752);
  assertEquals(halves.map(({ retainedBytes }) => retainedBytes), [16368, 16368]);
  const path = graph.path(halves[1].address)!;
  assertEquals(path.root.kind, "bss");
  assertEquals(path.steps.map(({ object }) => object), [top, halves[1]]);
  assertEquals(graph.dominators(halves[0].address), { root: path.root, objects: [top] });
});

Deno.test("types are guessed from interfaces and finalizers", async () => {
  const types = HeapDump.from(await readDump("json")).objectGraph().types();
  const objectsOf = (type: string) => types.find((tally) => tally.type === type)?.objects;
  // 300 documents, each a map with a list and a string in it.
  assertEquals(objectsOf("map[string]interface {}"), 420);
  assertEquals(objectsOf("string"), 300);
  assertEquals(objectsOf("errors.errorString"), 35);
});

Deno.test("a heap dump may begin anywhere in its buffer, and come as a buffer", () => {
  using heap = new GoHeap();
  const bytes = heap.writeHeapDump();
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  const { params } = HeapDump.from(bytes);
  assertEquals(HeapDump.from(shifted.subarray(3)).params, params);
  assertEquals(HeapDump.from(bytes.buffer).params, params);
  const shared = new SharedArrayBuffer(bytes.length);
  new Uint8Array(shared).set(bytes);
  assertEquals(HeapDump.from(shared).params, params);
});

Deno.test("an object that a dump does not have is a RangeError that names it", () => {
  using heap = new GoHeap();
  const dump = HeapDump.from(heap.writeHeapDump());
  for (const i of [0, -1, 0.5, NaN]) {
    assertThrows(() => dump.object(i), RangeError, `Cannot use i: current value is ${i}`);
  }
  assertThrows(() => HeapDump.from(new Uint8Array(0)), HeapDumpError, "at offset 0: the dump ends");
});
