import { assert, assertEquals } from "@std/assert";
import type { GoHeapOptions } from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";
import { RefusingAddressSpace } from "../refusing_address_space.ts";

const OPTIONS = { platform: "linux/amd64" } as const;
const PAGE = 8192;
const MiB = 2 ** 20;
const MINUTE = 60e9;

/** A heap whose clock is `time.ns`, and what it writes to its trace. */
function makeHeap(
  options: GoHeapOptions = {},
): { heap: GoHeap; time: { ns: number }; lines: string[] } {
  const time = { ns: 1e12 };
  const lines: string[] = [];
  const heap = new GoHeap({
    ...OPTIONS,
    clock: () => time.ns,
    trace: (line) => lines.push(line),
    ...options,
  });
  return { heap, time, lines };
}

/** Lets so much time pass, minute by minute, with a look at the clock in each. */
function wait(heap: GoHeap, time: { ns: number }, minutes: number): void {
  for (let i = 0; i < minutes; i++) {
    time.ns += MINUTE;
    heap.safepoint();
  }
}

function released(heap: GoHeap): number {
  return heap.snapshot().stats.heap_released;
}

Deno.test("pages go back to the host when they have lain unused for five minutes, and not before", () => {
  const { heap, time } = makeHeap();
  using _ = heap;
  heap.rawmem(3 * MiB);
  heap.GC();
  wait(heap, time, 5);
  assertEquals(released(heap), 0);
  wait(heap, time, 3);
  const { HeapReleased, HeapIdle, HeapInuse } = heap.ReadMemStats();
  assertEquals([HeapReleased, HeapInuse], [HeapIdle, 0]);
  heap.verify();
});

Deno.test("a heap that was made long after its clock began keeps its pages as long", () => {
  const { heap, time } = makeHeap();
  using _ = heap;
  using _kept = heap.ref(heap.rawmem(100));
  wait(heap, time, 5);
  assertEquals(released(heap), 0);
});

Deno.test("pages in use are not given back, nor those that were free for less than five minutes in all", () => {
  const { heap, time } = makeHeap();
  using _ = heap;
  using kept = heap.ref(heap.rawmem(MiB));
  heap.rawmem(MiB);
  heap.GC();
  const young = heap.ref(heap.rawmem(MiB));
  wait(heap, time, 8);
  assertEquals(released(heap), 0);
  young[Symbol.dispose]();
  heap.GC();
  wait(heap, time, 4);
  assertEquals(released(heap), 0);
  wait(heap, time, 4);
  assertEquals(released(heap), MiB);
  assertEquals(heap.findObject(kept.pointer)?.base, kept.pointer);
  heap.verify();
});

Deno.test("a span that is joined or cut takes over what was released of it, and its age", () => {
  const { heap, time } = makeHeap();
  using _ = heap;
  const first = heap.ref(heap.rawmem(MiB));
  heap.rawmem(MiB);
  heap.GC();
  wait(heap, time, 8);
  assertEquals(released(heap), MiB);
  // Joined with the free span behind it, it counts as not released in part.
  first[Symbol.dispose]();
  heap.GC();
  assertEquals(released(heap), MiB);
  heap.verify();
  // Whoever takes a part of it has the host give back all of it.
  using part = heap.ref(heap.rawmem(5 * PAGE));
  assertEquals(released(heap), 0);
  heap.verify();
  // The rest is as old as the whole was, 8 minutes less than it takes.
  wait(heap, time, 8);
  assertEquals(released(heap), 2 * MiB - 5 * PAGE);
  assert(part.pointer > 0);
  heap.verify();
});

Deno.test("the address space is told just the ranges that are released, each once", () => {
  using space = new RefusingAddressSpace();
  const { heap, time } = makeHeap({ addressSpace: space });
  using _ = heap;
  const p = heap.rawmem(MiB);
  using _kept = heap.ref(heap.rawmem(MiB));
  const q = heap.rawmem(MiB);
  heap.GC();
  wait(heap, time, 20);
  assertEquals(space.unusedRanges.toSorted((a, b) => a[0] - b[0]), [[p, MiB], [q, MiB]]);
  heap.FreeOSMemory();
  assertEquals(space.unusedRanges.length, 2);
});

Deno.test("without safepoints the clock is looked at now and then where spans are handed out", () => {
  const { heap, time } = makeHeap();
  using _ = heap;
  heap.rawmem(10 * MiB);
  heap.GC();
  heap.SetGCPercent(-1);
  time.ns += 8 * MINUTE;
  const after: number[] = [];
  for (let i = 0; i < 200; i++) {
    // All are cut from the 10 MiB, and what is left of those is as old as they were.
    heap.rawmem(PAGE);
    if (released(heap) > 0) after.push(i);
  }
  assertEquals(after.length, 1, `pages were released after the objects ${after}`);
  assert(after[0] < 64);
});

Deno.test("a collection looks at the clock as well", () => {
  const { heap, time } = makeHeap();
  using _ = heap;
  heap.rawmem(MiB);
  heap.GC();
  time.ns += 6 * MINUTE;
  heap.GC();
  assertEquals(released(heap), MiB);
});

Deno.test("FreeOSMemory releases everything at once, also with the collector off and a clock that goes back", () => {
  const { heap, time, lines } = makeHeap({ debug: "gctrace=1" });
  using _ = heap;
  const gone = heap.ref(heap.rawmem(5 * MiB));
  using _kept = heap.ref(heap.rawmem(MiB));
  gone[Symbol.dispose]();
  heap.FreeOSMemory();
  assertEquals(released(heap), 5 * MiB);
  assertEquals(lines.slice(1), [
    "scvg-1: 5 MB released",
    "scvg-1: inuse: 1, idle: 5, sys: 6, released: 5, consumed: 1 (MB)",
  ]);
  time.ns -= 100 * MINUTE;
  heap.FreeOSMemory();
  assertEquals(lines.slice(-1), [
    "scvg-1: inuse: 1, idle: 5, sys: 6, released: 5, consumed: 1 (MB)",
  ]);
  assertEquals(lines.length, 5, "a line says that something was released, though nothing was");
  heap.rawmem(PAGE);
  assertEquals(released(heap), 0);
  heap.SetGCPercent(-1);
  heap.FreeOSMemory();
  assertEquals(released(heap), 5 * MiB - PAGE);
  heap.verify();
});

Deno.test("each round writes its lines, numbered from 0, every two and a half minutes", () => {
  const { heap, time, lines } = makeHeap({ debug: "gctrace=1" });
  using _ = heap;
  heap.rawmem(3 * MiB - PAGE);
  heap.GC();
  lines.length = 0;
  // A look a second: a round begins when more than two and a half minutes have passed since the last.
  const rounds: [second: number, line: string][] = [];
  for (let second = 1; second <= 500; second++) {
    time.ns += 1e9;
    heap.safepoint();
    // In between the heap is collected, since two minutes went by without.
    const scavenged = lines.splice(0).filter((line) => line.startsWith("scvg"));
    rounds.push(...scavenged.map((line): [number, string] => [second, line]));
  }
  const rest = "inuse: 0, idle: 3, sys: 3,";
  assertEquals(rounds, [
    [151, `scvg0: ${rest} released: 0, consumed: 3 (MB)`],
    [302, "scvg1: 3 MB released"],
    [302, `scvg1: ${rest} released: 3, consumed: 0 (MB)`],
    [453, `scvg2: ${rest} released: 3, consumed: 0 (MB)`],
  ]);
});

Deno.test("gccgo looks every minute, and so gives back sooner what has lain unused for five", () => {
  const releasedAfter = (compiler: "gc" | "gccgo") => {
    const { heap, time } = makeHeap({ compiler });
    using _ = heap;
    // What is free two minutes after the heap began.
    using object = heap.ref(heap.rawmem(3 * MiB));
    time.ns += 2 * MINUTE;
    object[Symbol.dispose]();
    heap.GC();
    let seconds = 120;
    for (; seconds < 1000 && released(heap) === 0; seconds++) {
      time.ns += 1e9;
      heap.safepoint();
    }
    heap.verify();
    return seconds;
  };
  // Five minutes later it is second 420: gc's rounds are at 151, 302 and 453, gccgo's at 120, 181, ... 425.
  assertEquals([releasedAfter("gc"), releasedAfter("gccgo")], [453, 425]);
});

Deno.test("what is released in a round is truncated to megabytes, and may be 0", () => {
  const { heap, lines } = makeHeap({ debug: "gctrace=1" });
  using _ = heap;
  using _kept = heap.ref(heap.rawmem(MiB - 2 * PAGE));
  heap.FreeOSMemory();
  assertEquals(lines.slice(1), [
    "scvg-1: 0 MB released",
    "scvg-1: inuse: 0, idle: 0, sys: 1, released: 0, consumed: 0 (MB)",
  ]);
});

Deno.test("with scavenge=1 pages go back after 20 ms, and a round is every 10 ms", () => {
  const { heap, time, lines } = makeHeap({ debug: "scavenge=1,gctrace=1" });
  using _ = heap;
  heap.rawmem(MiB);
  heap.GC();
  lines.length = 0;
  const rounds: [number, number][] = [];
  for (let ms = 1; ms <= 40; ms++) {
    time.ns += 1e6;
    heap.safepoint();
    if (lines.splice(0).length > 0) rounds.push([ms, released(heap)]);
  }
  assertEquals(rounds, [[11, 0], [22, MiB], [33, MiB]]);
});

Deno.test("scavenging leaves no timer behind, and heaps that are left alone write nothing", async () => {
  const { heap, lines } = makeHeap({ debug: "scavenge=1,gctrace=1" });
  using _ = heap;
  heap.rawmem(MiB);
  await new Promise((resolve) => setTimeout(resolve, 30));
  assertEquals(lines, []);
});
