import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import type { ClassUse } from "../../../lib/cli/html/frame.ts";
import {
  type Group,
  type PageData,
  pageData,
  type PageFrame,
} from "../../../lib/cli/html/page_data.ts";
import { Timeline } from "../../../lib/cli/html/timeline.ts";
import { HeapBlocks } from "../../../lib/cli/heap_blocks.ts";
import { Replayer } from "../../../lib/cli/replayer.ts";
import { StackTotals } from "../../../lib/cli/stack_totals.ts";
import { type ReplaySummary, summarize } from "../../../lib/cli/summary.ts";
import { GoHeap, type MemStats } from "../../../mod.ts";
import { withFile } from "../run_command.ts";
import { EXAMPLE, repTrace, withHtml } from "./read_page.ts";

const SIZES = ["HeapAlloc", "HeapInuse", "HeapIdle", "HeapSys"] as const;

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

/** The bytes of a class's spans, part by part. */
function spanBytes(use: ClassUse): number {
  return use.liveBytes + use.slotWasteBytes + use.garbageBytes + use.freeBytes + use.tailWasteBytes;
}

/** A frame's map as [state, class, fill in tenths, how many cells] in a row. */
function mapRuns({ map }: PageFrame, { pageStates, fillSteps }: PageData) {
  return map.flatMap((code, i) => {
    if (i % 2 === 1) return [];
    const kind = Math.floor(code / fillSteps);
    return [{
      state: pageStates[kind % pageStates.length],
      class: Math.floor(kind / pageStates.length),
      fill: code % fillSteps,
      cells: map[i + 1],
    }];
  });
}

function assertFrame(frame: PageFrame, data: PageData): void {
  const { classes } = frame;
  assertEquals(frame.HeapInuse + frame.HeapIdle, frame.HeapSys);
  assertEquals(sum(classes, spanBytes), frame.HeapInuse);
  const used = sum(classes, (use) => use.liveBytes + use.slotWasteBytes + use.garbageBytes);
  assertEquals(used, frame.HeapAlloc);
  for (const { spans, ...figures } of classes) {
    assertGreater(spans, 0);
    for (const [name, value] of Object.entries(figures)) assert(value >= 0, `${name} is ${value}`);
    assertLessOrEqual(figures.liveObjects, figures.objects);
  }
  const runs = mapRuns(frame, data);
  assertEquals(sum(runs, ({ cells }) => cells), Math.ceil(frame.pages / data.pagesPerCell));
  if (data.pagesPerCell > 1) return;
  const bytesOf = (...states: string[]) =>
    data.pageBytes * sum(runs, ({ state, cells }) => states.includes(state) ? cells : 0);
  assertEquals(bytesOf("swept", "unswept", "cached"), frame.HeapInuse);
  assertEquals(bytesOf("free", "fresh"), frame.HeapIdle);
  for (const use of classes) {
    const pages = runs.filter((run) => run.class === use.class && /swept|cached/.test(run.state));
    assertEquals(data.pageBytes * sum(pages, ({ cells }) => cells), spanBytes(use));
  }
}

function assertSamples({ samples, marks, collectionsPerMark, summary, frames }: PageData): void {
  const { event } = samples;
  for (const [i, at] of event.entries()) {
    if (i > 0) assertGreater(at, event[i - 1]);
    assertEquals(samples.HeapInuse[i] + samples.HeapIdle[i], samples.HeapSys[i]);
    assertLessOrEqual(samples.liveBytes[i], samples.HeapAlloc[i]);
    assertLessOrEqual(samples.HeapAlloc[i], samples.HeapInuse[i]);
    assertLessOrEqual(samples.liveBytes[i], summary.peak.bytes);
  }
  const last = event.length - 1;
  for (const name of [...SIZES, "NumGC", "Frees", "PauseTotalNs"] as const) {
    assertEquals([name, samples[name][last]], [name, summary.memStats[name]]);
  }
  assertEquals(samples.liveBytes[last], summary.live.bytes);
  assertEquals(samples.liveObjects[last], summary.live.objects);
  assertEquals(marks.filter((mark) => !event.includes(mark)), []);
  assertEquals(marks.length, Math.ceil(summary.memStats.NumGC / collectionsPerMark));
  for (const frame of frames) {
    const i = event.indexOf(frame.event);
    if (i < 0) continue;
    for (const name of SIZES) assertEquals([name, frame[name]], [name, samples[name][i]]);
  }
}

/** Every view of a page against every other. */
function assertAgrees(data: PageData): void {
  const { summary, frames, types, stacks } = data;
  const { memStats, live, allocated } = summary;
  assertSamples(data);
  for (const frame of frames) assertFrame(frame, data);
  const { event, classes, ...last } = frames[frames.length - 1];
  assertEquals(event, data.samples.event[data.samples.event.length - 1]);
  for (const name of SIZES) assertEquals([name, last[name]], [name, memStats[name]]);
  assertEquals(sum(classes, ({ objects }) => objects), memStats.Mallocs - memStats.Frees);
  assertEquals(sum(classes, ({ liveObjects }) => liveObjects), live.objects);
  assertEquals(sum(classes, ({ liveBytes }) => liveBytes), live.bytes);
  assertEquals(sum(classes, (use) => use.slotWasteBytes), summary.slotWasteBytes);
  assertEquals(sum(classes, (use) => use.tailWasteBytes), summary.tailWasteBytes);
  for (const groups of [types, stacks] as (readonly Group[])[]) {
    assertEquals(sum(groups, (group) => group.allocated.objects), allocated.objects);
    assertEquals(sum(groups, (group) => group.allocated.bytes), allocated.bytes);
    assertEquals(sum(groups, (group) => group.live.objects), live.objects);
    assertEquals(sum(groups, (group) => group.live.bytes), live.bytes);
  }
  assertEquals(allocated.objects, memStats.Mallocs);
}

for (const args of [[], ["--gogc", "20"], ["--gogc", "off"], ["--platform", "linux/386"]]) {
  const setting = args.join(" ") || "no option";
  Deno.test(`all numbers of a page agree with each other and with what replay prints: ${setting}`, async () => {
    await withHtml([...args, EXAMPLE], ({ data, summary }) => {
      const { types: _, sizeClasses: __, ...printed } = summary;
      assertEquals<unknown>(data.summary, printed);
      assertAgrees(data);
      assertEquals(data.summary.memStats.NumGC === 0, args.includes("off"));
      assertGreater(data.frames.length, 30);
      assertGreater(data.stacks.length, 20);
    });
  });
}

Deno.test("all numbers agree for sizes that leave waste in their blocks, and for blocks that move", async () => {
  const trace = repTrace(20_000, (random) => 1 + Math.floor(random ** 6 * 60_000));
  await withFile(trace, (path) =>
    withHtml(["--gogc", "50", path], ({ data }) => {
      assertAgrees(data);
      assertGreater(data.summary.slotWasteBytes, 0);
      assertEquals(data.stacks.length, 1);
      assertEquals(data.stacks[0].frames, []);
    }));
});

Deno.test("all numbers agree where a cell of the map is many pages", async () => {
  const trace = repTrace(3000, (random) => 1 + Math.floor(random * 400_000));
  await withFile(trace, (path) =>
    withHtml([path], ({ data }) => {
      assertAgrees(data);
      assertGreater(data.pagesPerCell, 1);
    }));
});

Deno.test("a trace without an event has a page", async () => {
  await withFile("tracegc()\n", (path) =>
    withHtml([path], ({ data }) => {
      assertAgrees(data);
      assertEquals([data.frames.length, data.samples.event], [1, [0]]);
    }));
});

/** The classes of a page against all that MemStats says by size. */
function assertBySize(data: PageData, stats: MemStats): void {
  const uses = new Map(data.frames.at(-1)?.classes.map((use) => [use.class, use]));
  for (const [cls, { Size, Mallocs, Frees }] of stats.BySize.entries()) {
    if (cls === 0) continue;
    assertEquals(data.classSizes[cls], Size);
    assertEquals([Size, uses.get(cls)?.objects ?? 0], [Size, Mallocs - Frees]);
  }
  assertEquals(sum([...uses.values()], ({ objects }) => objects), stats.HeapObjects);
}

Deno.test("the last frame of a page is what ReadMemStats says, class by class", () => {
  using heap = new GoHeap({ platform: "linux/amd64", collect: "malloc", minHeapBytes: 0 });
  const replayer = new Replayer(new HeapBlocks(heap), false);
  const timeline = new Timeline(heap, replayer);
  const stacks = replayer.stacks = new StackTotals();
  replayer.onEvent = () => timeline.event();
  const trace = repTrace(10_000, (random) => 1 + Math.floor(random ** 4 * 50_000));
  replayer.push(new TextEncoder().encode(trace));
  const lines = replayer.end();
  timeline.end();
  const setting = { trace: "made up", platform: "linux/amd64", gcPercent: 100 };
  const summary: ReplaySummary = summarize(heap, replayer, setting, lines);
  const data = pageData(heap, summary, timeline, stacks);
  assertAgrees(data);
  assertBySize(data, heap.ReadMemStats());
  heap.verify();
});
