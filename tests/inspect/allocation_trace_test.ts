import { assert, assertEquals, assertMatch } from "@std/assert";
import { HeapBlocks } from "../../lib/cli/heap_blocks.ts";
import { Replayer } from "../../lib/cli/replayer.ts";
import { FlagNoScan, GoHeap, type GoHeapOptions, type Pointer } from "../../mod.ts";
import { replaySummary, withFile } from "../cli/run_command.ts";

const OPTIONS = { platform: "linux/amd64", debug: "allocfreetrace=1" } as const;

/** A heap that writes its trace to an array. */
function tracedHeap(options: GoHeapOptions = {}): { heap: GoHeap; lines: string[] } {
  const lines: string[] = [];
  const heap = new GoHeap({ ...OPTIONS, trace: (line) => lines.push(line), ...options });
  return { heap, lines };
}

/** The first lines of the records. */
function records(lines: readonly string[]): string[] {
  return lines.filter((line) => /^trace(alloc|free|gc)\(/.test(line));
}

function hex(n: number): string {
  return `0x${n.toString(16)}`;
}

Deno.test("each block that is handed out is a record with its address, size and type", () => {
  const { heap, lines } = tracedHeap();
  using _ = heap;
  const { types } = heap;
  const expected: string[] = [];
  const note = (p: Pointer, bytes: number, type: string) => {
    expected.push(`tracealloc(${hex(p)}, ${hex(bytes)}${type})`);
  };
  const node = types.struct("main.Node", { next: types.unsafePointer, key: types.string });
  note(heap.newobject(node), 32, ", main.Node");
  note(heap.newobject(types.map(types.string, types.int)), 8, ", map[string]int");
  note(heap.newarray(node, 5), 128, ", main.Node");
  note(heap.newarray(types.func([types.int], []), 2000), 16384, ", func(int)");
  note(heap.newarray(node, 5000), 15 * 8192, ", main.Node");
  note(heap.mallocgc(100, null, FlagNoScan), 112, "");
  note(heap.mallocgc(100, types.uint8, FlagNoScan), 112, ", uint8");
  note(heap.rawmem(40000), 5 * 8192, "");
  note(
    heap.newobject(types.struct("", { a: types.int, b: types.complex128 })),
    32,
    ", struct { a int; b complex128 }",
  );
  assertEquals(records(lines), expected);
});

Deno.test("a tiny block is one record with its first value's type, and objects of no bytes are none", () => {
  const { heap, lines } = tracedHeap();
  using _ = heap;
  const { types } = heap;
  const first = heap.newobject(types.int32);
  assertEquals(heap.newobject(types.uint8), first + 4);
  assertEquals(heap.newobject(types.int64), first + 8);
  heap.newobject(types.struct("", {}));
  heap.rawmem(0);
  assertEquals(records(lines), [`tracealloc(${hex(first)}, 0x10, int32)`]);
  const second = heap.newobject(types.int8);
  assertEquals(records(lines)[1], `tracealloc(${hex(second)}, 0x10, int8)`);
});

Deno.test("a record has a goroutine, its frames in pairs of lines, and an empty line at its end", () => {
  const { heap, lines } = tracedHeap();
  using _ = heap;
  function build() {
    return heap.newobject(heap.types.unsafePointer);
  }
  const p = build();
  assertEquals(lines[0], `tracealloc(${hex(p)}, 0x8, unsafe.Pointer)`);
  assertEquals(lines[1], "goroutine 1 [running]:");
  assertEquals(lines.indexOf(""), lines.length - 1);
  const frames = lines.slice(2, -1);
  assertEquals(frames.length % 2, 0);
  for (let i = 0; i < frames.length; i += 2) {
    assertMatch(frames[i], /^js\..*\(\)$/);
    assertMatch(frames[i + 1], /^\t.+:\d+$/);
  }
  const at = frames.indexOf("js.build()");
  assert(at > 0 && frames[at + 1].includes("allocation_trace_test.ts"), frames.join("\n"));
  assertEquals(frames[at - 2], "js.GoHeap.newobject()");
});

Deno.test("of a deep stack a hundred frames are shown", () => {
  const { heap, lines } = tracedHeap();
  using _ = heap;
  const descend = (depth: number): Pointer => depth === 0 ? heap.rawmem(64) : descend(depth - 1);
  descend(200);
  assertEquals(lines.length, 2 + 2 * 100 + 2);
  assertEquals(lines.slice(-2), ["...additional frames elided...", ""]);
  heap.rawmem(64);
  assert(!lines.slice(204).includes("...additional frames elided..."));
});

Deno.test("a collection is a record, and then come the blocks that it frees, in the order of their addresses", () => {
  const { heap, lines } = tracedHeap();
  using _ = heap;
  const kept: Pointer[] = [];
  const root = heap.global(heap.types.array(heap.types.unsafePointer, 3));
  for (let i = 0; i < 6; i++) {
    const p = heap.mallocgc(48, null, FlagNoScan);
    kept.push(p);
    if (i % 2 === 1) heap.storePointer(root + 8 * (i >> 1), p);
  }
  const large = heap.rawmem(40000);
  lines.length = 0;
  heap.GC();
  assertEquals(lines.slice(0, 3), ["tracegc()", "", "goroutine 1 [garbage collection]:"]);
  const end = lines.indexOf("end tracegc");
  assertEquals(lines[end + 1], "");
  assert(lines.slice(3, end).includes("js.GoHeap.GC()"));
  const free = (p: Pointer, bytes: number) => [
    `tracefree(${hex(p)}, ${hex(bytes)})`,
    "goroutine 0 [idle]:",
    "",
  ];
  assertEquals(lines.slice(end + 2), [
    ...free(kept[0], 48),
    ...free(kept[2], 48),
    ...free(kept[4], 48),
    ...free(large, 5 * 8192),
  ]);
});

Deno.test("what a lazy sweep frees is written when it is swept, before the next collection's record or after", () => {
  const { heap, lines } = tracedHeap();
  using _ = heap;
  const [a, b] = [heap.rawmem(48), heap.rawmem(2048)];
  lines.length = 0;
  heap.gogc(1);
  assertEquals(records(lines), ["tracegc()"]);
  assertEquals(heap.rawmem(48), a);
  assertEquals(records(lines).slice(1), [
    `tracefree(${hex(a)}, 0x30)`,
    `tracealloc(${hex(a)}, 0x30)`,
  ]);
  lines.length = 0;
  heap.gogc(1);
  assertEquals(records(lines), ["tracegc()", `tracefree(${hex(b)}, 0x800)`]);
});

Deno.test("an object with a finalizer is freed in the trace when it is in the heap", () => {
  const { heap, lines } = tracedHeap();
  using _ = heap;
  const { types } = heap;
  const type = types.pointer(types.unsafePointer);
  const data = heap.newobject(types.unsafePointer);
  heap.SetFinalizer({ type, data }, { type: types.func([type], []), data: () => {} });
  lines.length = 0;
  heap.GC();
  heap.runFinalizers();
  assertEquals(records(lines), ["tracegc()"]);
  heap.GC();
  assertEquals(records(lines), ["tracegc()", "tracegc()", `tracefree(${hex(data)}, 0x8)`]);
});

/** Allocates objects of all sizes and kinds, keeps some, and collects by itself and when told to. */
function runProgram(heap: GoHeap): void {
  const { types } = heap;
  const table = heap.global(types.array(types.unsafePointer, 64));
  const kinds = [
    types.struct("main.Pair (of two)", { a: types.unsafePointer, b: types.unsafePointer }),
    types.array(types.unsafePointer, 3),
    types.struct("", { s: types.string, f: types.func([types.int, types.int], []) }),
  ];
  let state = 12345;
  const random = (n: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % n;
  };
  for (let i = 0; i < 2000; i++) {
    const pick = random(8);
    const p = pick < 3
      ? heap.newobject(kinds[pick])
      : pick === 3
      ? heap.newarray(kinds[random(3)], 1 + random(50))
      : pick === 4
      ? heap.newobject(types.int16)
      : pick === 5 && i % 50 === 0
      ? heap.rawmem(32769 + random(100000))
      : heap.rawmem(1 + random(300));
    if (random(3) === 0) heap.storePointer(table + 8 * random(64), p);
    if (i % 300 === 0) heap.GC();
  }
}

for (const efence of ["", ",efence=1"]) {
  Deno.test(`goheap replay of a heap's own trace ends with the statistics of that heap${efence && ", fenced"}`, async () => {
    const { heap, lines } = tracedHeap({
      collect: "malloc",
      minHeapBytes: 0,
      debug: `${OPTIONS.debug}${efence}`,
    });
    using _ = heap;
    runProgram(heap);
    heap.GC();
    heap.verify();
    const stats = heap.ReadMemStats();
    const tiny = heap.snapshot().stats.tinyallocs;
    assert(stats.NumGC > 6 && (tiny > 0 || efence !== ""), "the program is too small");
    assertEquals(lines.filter((line) => line === "tracegc()").length, stats.NumGC);

    const summary = await withFile(`${lines.join("\n")}\n`, (path) => replaySummary(path));
    const { allocated, freed, live, traceCollections, faults, types } = summary;
    assertEquals(faults, { malformed: 0, freeOfUnknown: 0, allocationOfLive: 0, sizeMismatch: 0 });
    assertEquals(allocated, { objects: stats.Mallocs - tiny, bytes: stats.TotalAlloc });
    assertEquals(freed, {
      objects: stats.Frees - tiny,
      bytes: stats.TotalAlloc - stats.Alloc,
    });
    assertEquals(live, { objects: stats.HeapObjects, bytes: stats.HeapAlloc });
    assertEquals(traceCollections, stats.NumGC);
    const names = types.map(({ name }) => name);
    for (
      const name of [
        null,
        "main.Pair (of two)",
        "[3]unsafe.Pointer",
        "struct { s string; f func(int, int) }",
      ]
    ) {
      assert(names.includes(name), `no ${name} among ${names.join(", ")}`);
    }
    // The heap that replays it agrees: it has had as many objects, and as many are alive at the end.
    assertEquals(summary.memStats.Mallocs, allocated.objects);
  });
}

Deno.test("a replay in a heap that writes a trace gives a trace that replays alike", () => {
  const first = tracedHeap({ collect: "malloc", minHeapBytes: 0 });
  using _ = first.heap;
  runProgram(first.heap);
  const second = tracedHeap({ collect: "malloc", minHeapBytes: 0 });
  using __ = second.heap;
  const replayer = new Replayer(new HeapBlocks(second.heap), false);
  replayer.push(new TextEncoder().encode(`${first.lines.join("\n")}\n`));
  replayer.end();
  const allocations = (lines: string[]) =>
    records(lines).filter((line) => line.startsWith("tracealloc"))
      .map((line) => /, (0x[0-9a-f]+)/.exec(line)![1]);
  // The roots of the replayer are no objects of the heap.
  assertEquals(allocations(second.lines), allocations(first.lines));
});

Deno.test("a type whose name has a line end cannot break a trace", () => {
  const { heap, lines } = tracedHeap();
  using _ = heap;
  const type = heap.types.struct("main.A\ntracefree(0x1, 0x1)", { p: heap.types.unsafePointer });
  const p = heap.newobject(type);
  assertEquals(lines[0], `tracealloc(${hex(p)}, 0x8, main.A\\x0atracefree(0x1, 0x1))`);
});
