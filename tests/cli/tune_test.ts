import { assertEquals, assertGreater, assertMatch, assertStringIncludes } from "@std/assert";
import { Recording } from "../../lib/cli/recording.ts";
import type { TuneReport } from "../../lib/cli/tune.ts";
import { runTune, type TuneResult } from "../../lib/cli/tune_run.ts";
import { replaySummary, runCommand, withFile } from "./run_command.ts";

const EXAMPLE = new URL("../../examples/bintree9.allocfreetrace.txt.gz", import.meta.url).pathname;

async function tuneReport(...args: string[]): Promise<TuneReport> {
  const { code, out, err } = await runCommand("tune", "--json", ...args);
  assertEquals([code, err], [0, ""]);
  return JSON.parse(out);
}

/** The figures of a run, which must have some, without those that are times. */
function figures(run: TuneResult) {
  if ("error" in run) throw new Error(run.error);
  const { pauseTotalNs: _, ...rest } = run;
  return rest;
}

Deno.test("each run comes to what a replay with the same setting comes to", async () => {
  const { runs } = await tuneReport("--gogc", "20,100,off", "--min-heap", "0", EXAMPLE);
  assertEquals(runs.length, 3);
  for (const run of runs.map(figures)) {
    const gogc = run.gcPercent < 0 ? "off" : String(run.gcPercent);
    const { memStats } = await replaySummary("--gogc", gogc, EXAMPLE);
    assertEquals([run.collections, run.sysBytes], [memStats.NumGC, memStats.HeapSys]);
  }
});

Deno.test("workers come to what this thread comes to, in the order of the settings", async () => {
  const args = ["--gogc", "400,25,100", "--min-heap", "1MiB,0", EXAMPLE];
  const alone = await tuneReport("--jobs", "1", ...args);
  const together = await tuneReport("--jobs", "3", ...args);
  assertEquals([alone.workers, together.workers], [0, 3]);
  assertEquals(together.runs.map(figures), alone.runs.map(figures));
  assertEquals(
    alone.runs.map(({ minHeapBytes, gcPercent }) => [minHeapBytes, gcPercent]),
    [[2 ** 20, 400], [2 ** 20, 25], [2 ** 20, 100], [0, 400], [0, 25], [0, 100]],
  );
});

Deno.test("a peak is what was live and what was waste", () => {
  const recording = new Recording(Infinity);
  // 3 blocks of 48 bytes for 33 each in one page, 2 of them let go, and a large one of 5 pages.
  const blocks = [33, 33, 33].map((bytes) => recording.allocate(bytes));
  recording.release(blocks[0]);
  recording.release(blocks[2]);
  recording.release(recording.reallocate(recording.allocate(32769), 32769, 40000));
  const setting = { platform: "linux/amd64", minHeapBytes: 0, gcPercent: -1 };
  assertEquals(figures(runTune(recording.end(), setting)), {
    ...setting,
    peakBytes: (1 + 5 + 5) * 8192,
    peakLiveBytes: 33 + 32769 + 40000,
    wasteBytes: 11 * 8192 - (33 + 32769 + 40000),
    slotWasteBytes: 15 + (5 * 8192 - 32769) + (5 * 8192 - 40000),
    sysBytes: 2 ** 20,
    collections: 0,
  });
});

Deno.test("a recording of many blocks is driven as it was made", () => {
  const recording = new Recording(Infinity);
  const live: number[] = [];
  let bytes = 0;
  for (let i = 0; i < 20_000; i++) {
    live.push(recording.allocate(16 + i % 3000));
    if (i % 2 === 1) recording.release(live.splice(i * 7 % live.length, 1)[0]);
    bytes += 16 + i % 3000;
  }
  const { events, blocks } = recording.end();
  assertEquals([events.length, blocks], [30_000, 20_000]);
  assertEquals(events.reduce((sum, event) => sum + Math.max(event, 0), 0), bytes);
  const run = figures(
    runTune({ events, blocks }, { platform: "linux/amd64", minHeapBytes: 0, gcPercent: 50 }),
  );
  assertGreater(run.collections, 3);
  assertEquals(run.peakBytes, run.peakLiveBytes + run.wasteBytes);
  assertGreater(run.wasteBytes, run.slotWasteBytes);
});

Deno.test("without lists, five values of GOGC and two minimum heaps are tried on this machine's platform", async () => {
  const { runs, allocated, peakLive } = await tuneReport(EXAMPLE);
  const summary = await replaySummary(EXAMPLE);
  assertEquals([allocated, peakLive], [summary.allocated, summary.peak]);
  assertEquals(
    runs.map(({ platform, minHeapBytes, gcPercent }) => [platform, minHeapBytes, gcPercent]),
    [0, 4 * 2 ** 20].flatMap((minHeap) =>
      [25, 50, 100, 200, 400].map((gogc) => [summary.platform, minHeap, gogc])
    ),
  );
  // A quarter of a megabyte never reaches the larger minimum.
  assertEquals(runs.slice(5).map((run) => figures(run).collections), [0, 0, 0, 0, 0]);
  assertGreater(figures(runs[0]).collections, figures(runs[4]).collections);
});

Deno.test("the table shows what the JSON says, and a value given twice is tried once", async () => {
  const args = [
    "--gogc=100,off,100",
    "--min-heap=64KiB",
    "--platform=linux/amd64,windows/amd64",
    EXAMPLE,
  ];
  const { code, out, err } = await runCommand("tune", ...args);
  assertEquals([code, err], [0, ""]);
  const { runs } = await tuneReport(...args);
  const lines = out.trimEnd().split("\n");
  assertMatch(lines[0], /: 11,290 objects of 219,144 bytes, at most 98,832 bytes live at once$/);
  assertMatch(lines[2], /^platform +min heap +GOGC +peak +waste +of peak +HeapSys +collections/);
  assertEquals(lines.length, 3 + 4);
  const grouped = (value: number) => value.toLocaleString("en-US");
  for (const [i, run] of runs.map(figures).entries()) {
    assertEquals(lines[3 + i].split(/ {2,}/).slice(0, 8), [
      run.platform,
      "65,536",
      run.gcPercent < 0 ? "off" : "100",
      grouped(run.peakBytes),
      grouped(run.wasteBytes),
      `${Math.round(100 * run.wasteBytes / run.peakBytes)} %`,
      grouped(run.sysBytes),
      grouped(run.collections),
    ]);
  }
});

/** Two blocks that no heap of Windows, whose arena has 32 GiB, can have. */
const LARGE = `0\n2\n2\n1\na 0 ${20 * 2 ** 30}\na 1 ${20 * 2 ** 30}\n`;

Deno.test("a setting with which the trace can't be replayed has its reason below the table", async () => {
  const { code, out } = await withFile(
    LARGE,
    (path) => runCommand("tune", "--platform=linux/amd64,windows/amd64", "--gogc=off", path),
  );
  assertEquals(code, 0);
  assertMatch(out, /^linux\/amd64 +0 +off +42,949,672,960 +0 +0 % /m);
  assertMatch(out, /^windows\/amd64 +0 +off +failed$/m);
  assertMatch(out, /^windows\/amd64, minimum heap 0, GOGC=off: runtime: .*out of memory/m);
});

Deno.test("a trace that no setting can replay is a failure in one line", async () => {
  await withFile(LARGE, async (path) => {
    const { code, out, err } = await runCommand("tune", "--platform=windows/amd64", path);
    assertEquals([code, out], [1, ""]);
    assertMatch(err, /^goheap: .*: windows\/amd64, minimum heap 0, GOGC=25: .*\n$/);
  });
  await withFile("0\n1\n1\n1\nf 0\n", async (path) => {
    const { code, err } = await runCommand("tune", path);
    assertEquals(code, 1);
    assertStringIncludes(err, ":5: free of block 0, which is not allocated");
  });
});

Deno.test("a lenient comparison says how much was left out", async () => {
  const trace = "0\n2\n3\n1\na 0 8\nf 1\nf 0\n";
  await withFile(trace, async (path) => {
    const { out } = await runCommand("tune", "--lenient", "--gogc=50", path);
    assertStringIncludes(out, "\n1 faulty records were left out\n");
    assertEquals((await tuneReport("--lenient", "--gogc=50", path)).faults.freeOfUnknown, 1);
  });
});
