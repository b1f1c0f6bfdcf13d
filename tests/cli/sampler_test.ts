import { assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import { HeapBlocks } from "../../lib/cli/heap_blocks.ts";
import { type HeapSample, SAMPLE_FIELDS, Sampler } from "../../lib/cli/sampler.ts";
import { GoHeap } from "../../lib/go_heap.ts";
import { replaySummary, runCommand } from "./run_command.ts";

const EXAMPLE = new URL("../../examples/bintree9.allocfreetrace.txt.gz", import.meta.url).pathname;
/** Allocations and frees in the example. */
const EVENTS = 18792;

async function samples(...args: string[]): Promise<HeapSample[]> {
  const { code, out, err } = await runCommand("replay", "--json", ...args, EXAMPLE);
  assertEquals([code, err], [0, ""]);
  return out.trimEnd().split("\n").map((line) => JSON.parse(line));
}

Deno.test("a sample is taken after every so many events, after each collection, and at the end", async () => {
  const taken = await samples("--sample-interval", "1000");
  const { memStats, live } = await replaySummary(EXAMPLE);
  const collections = taken.filter(({ cause }) => cause === "collection");
  assertEquals(
    collections.map(({ NumGC }) => NumGC),
    Array.from({ length: memStats.NumGC }, (_, i) => i + 1),
  );
  assertEquals(
    taken.filter(({ cause }) => cause === "interval").map(({ event }) => event),
    Array.from({ length: 18 }, (_, i) => 1000 * (i + 1)),
  );
  const { cause, event, ...last } = taken[taken.length - 1];
  assertEquals([cause, event], ["end", EVENTS]);
  assertEquals({ objects: last.liveObjects, bytes: last.liveBytes }, live);
  for (const name of ["HeapInuse", "HeapIdle", "HeapSys", "NumGC", "HeapAlloc", "Frees"] as const) {
    assertEquals([name, last[name]], [name, memStats[name]]);
  }
});

Deno.test("the events of samples rise, and their figures agree with each other", async () => {
  const taken = await samples("--sample-interval", "7");
  for (const [i, sample] of taken.entries()) {
    assertEquals(sample.HeapInuse + sample.HeapIdle, sample.HeapSys);
    assertLessOrEqual(sample.liveBytes, sample.HeapAlloc);
    assertLessOrEqual(sample.HeapAlloc, sample.HeapInuse);
    if (i > 0) assertGreater(sample.event, taken[i - 1].event);
  }
  assertEquals(taken.length > EVENTS / 7, true);
});

Deno.test("samples in CSV are those in JSON, under their names", async () => {
  const { code, out } = await runCommand("replay", "--sample-interval", "5000", EXAMPLE);
  assertEquals(code, 0);
  const [heading, ...lines] = out.trimEnd().split("\n");
  assertEquals(heading.split(","), [...SAMPLE_FIELDS]);
  const withoutPause = (sample: HeapSample) =>
    SAMPLE_FIELDS.slice(0, -1).map((name) => String(sample[name]));
  assertEquals(
    lines.map((line) => line.split(",").slice(0, -1)),
    (await samples("--sample-interval", "5000")).map(withoutPause),
  );
});

Deno.test("with --gctrace, samples have standard output for themselves", async () => {
  const { out, err } = await runCommand(
    "replay",
    "--gctrace",
    "--sample-interval",
    "1000",
    EXAMPLE,
  );
  const lines = out.trimEnd().split("\n").slice(1);
  const collections = lines.filter((line) => line.split(",")[1] === "collection");
  assertEquals(err.trimEnd().split("\n").length, collections.length);
});

Deno.test("looking changes nothing: a sampled heap does what another one does", () => {
  const snapshots = [false, true].map((isSampled) => {
    using heap = new GoHeap({
      platform: "linux/amd64",
      collect: "malloc",
      gcPercent: 30,
      minHeapBytes: 0,
    });
    const blocks = new HeapBlocks(heap);
    const live: number[] = [];
    const taken: HeapSample[] = [];
    const sampler = new Sampler(heap, {
      intervalEvents: 1,
      live: () => ({ objects: live.length, bytes: 0 }),
      take: (sample) => taken.push(sample),
    });
    for (let i = 0; i < 5000; i++) {
      live.push(blocks.allocate(8 + i * 37 % 2000));
      if (i % 3 !== 0) blocks.release(live.shift() ?? 0);
      if (isSampled) sampler.event();
    }
    heap.verify();
    assertEquals(taken.length, isSampled ? 5000 : 0);
    return heap.snapshot();
  });
  assertEquals(snapshots[0].stats.numgc > 3, true);
  // Where a sampled cache has added up what it holds, the sums are the same.
  const { heap_alloc: _, local_cachealloc: __, ...plain } = snapshots[0].stats;
  const { heap_alloc: ___, local_cachealloc: ____, ...sampled } = snapshots[1].stats;
  assertEquals(sampled, plain);
  assertEquals({ ...snapshots[1], stats: null }, { ...snapshots[0], stats: null });
});

Deno.test("the last event is not sampled twice", async () => {
  const taken = await samples("--sample-interval", String(EVENTS));
  assertEquals(taken[taken.length - 1].cause, "interval");
  assertEquals(taken.filter(({ cause }) => cause !== "collection").length, 1);
});
