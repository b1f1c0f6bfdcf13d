import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import {
  lowestAndHighest,
  MAX_FRAMES,
  MAX_MARKS,
  MAX_SAMPLES,
  Timeline,
} from "../../../lib/cli/html/timeline.ts";
import { HeapBlocks } from "../../../lib/cli/heap_blocks.ts";
import { Replayer } from "../../../lib/cli/replayer.ts";
import type { HeapSample } from "../../../lib/cli/sampler.ts";
import { GoHeap } from "../../../mod.ts";
import { withFile } from "../run_command.ts";
import { repTrace, withHtml } from "./read_page.ts";

/** Samples with these values of HeapAlloc. */
function samplesOf(values: readonly number[]): HeapSample[] {
  return values.map((HeapAlloc, event): HeapSample => ({
    event,
    cause: "interval",
    liveObjects: 0,
    liveBytes: 0,
    HeapAlloc,
    HeapInuse: 0,
    HeapIdle: 0,
    HeapSys: 0,
    NextGC: 0,
    NumGC: 0,
    Frees: 0,
    PauseTotalNs: 0,
  }));
}

/** A timeline of a replay of `events` allocations and frees of 1 KiB each. */
function timelineOf(events: number, gcPercent: number): Timeline {
  using heap = new GoHeap({
    platform: "linux/amd64",
    collect: "malloc",
    minHeapBytes: 0,
    gcPercent,
  });
  const replayer = new Replayer(new HeapBlocks(heap), false);
  const timeline = new Timeline(heap, replayer);
  replayer.onEvent = () => timeline.event();
  for (let i = 0; i < events; i++) {
    if (i % 2 === 0) replayer.malloc(0, 1024);
    else replayer.release(0);
  }
  timeline.end();
  return timeline;
}

Deno.test("of many samples half are left, in their order, the lowest and the highest of each four among them", () => {
  fc.assert(fc.property(fc.array(fc.nat(50), { minLength: 1, maxLength: 60 }), (values) => {
    const samples = samplesOf(values);
    const kept = lowestAndHighest(samples);
    assertEquals(kept, kept.toSorted((a, b) => a.event - b.event));
    assertEquals(new Set(kept.map(({ event }) => event)).size, kept.length);
    assertLessOrEqual(kept.length, Math.ceil(values.length / 2) + 1);
    for (let first = 0; first < values.length; first += 4) {
      const four = values.slice(first, first + 4);
      const left = kept.filter(({ event }) => event >= first && event < first + 4)
        .map(({ HeapAlloc }) => HeapAlloc);
      assertEquals([Math.min(...left), Math.max(...left)], [
        Math.min(...four),
        Math.max(...four),
      ]);
    }
  }));
});

Deno.test("what is kept of a replay has a limit, and its end is always kept", () => {
  for (const events of [0, 1, 2, 63, 64, 65, 66, 127, 2047, 2048, 2049, 4097, 10_001]) {
    const { samples, frames } = timelineOf(events, -1);
    assertLessOrEqual(samples.length, MAX_SAMPLES);
    assertLessOrEqual(frames.length, MAX_FRAMES);
    assertEquals([samples.at(-1)?.event, frames.at(-1)?.event], [events, events]);
    const moments = frames.map(({ event }) => event);
    assertEquals(moments, [...new Set(moments)].toSorted((a, b) => a - b));
    if (events > 64) assertGreater(frames.length, MAX_FRAMES / 2 - 1);
    if (events > 2048) assertGreater(samples.length, MAX_SAMPLES / 2 - 1);
  }
});

Deno.test("frames are as far apart from each other as they can, but for the last few", () => {
  const moments = timelineOf(10_001, -1).frames.map(({ event }) => event);
  const steps = moments.slice(1).map((event, i) => event - moments[i]);
  assertEquals(new Set(steps.slice(0, -2)), new Set([256]));
});

Deno.test("where there are too many collections, each mark stands for several", () => {
  const { marks, collectionsPerMark } = timelineOf(30_000, 0);
  const collections = marks.at(-1)?.NumGC ?? 0;
  assertGreater(collections, MAX_MARKS);
  assertLessOrEqual(marks.length, MAX_MARKS);
  assert(collectionsPerMark > 1);
  assertEquals(marks.map(({ NumGC }) => NumGC), marks.map((_, i) => 1 + i * collectionsPerMark));
});

Deno.test("the page of a large trace stays small", async () => {
  const trace = repTrace(60_000, (random) => 1 + Math.floor(random ** 6 * 100_000));
  await withFile(trace, (path) =>
    withHtml([path], ({ html, data }) => {
      assertGreater(data.samples.event.length, 1000);
      assertGreater(data.frames.length, 30);
      assertLessOrEqual(html.length, 2_000_000);
    }));
});
