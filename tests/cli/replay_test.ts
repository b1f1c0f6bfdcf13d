import { assertEquals, assertGreater, assertGreaterOrEqual, assertMatch } from "@std/assert";
import { HeapBlocks } from "../../lib/cli/heap_blocks.ts";
import { Replayer } from "../../lib/cli/replayer.ts";
import { reportText } from "../../lib/cli/report.ts";
import type { ReplaySummary } from "../../lib/cli/summary.ts";
import { GoHeap } from "../../lib/go_heap.ts";
import { readJson } from "../data.ts";
import { replaySummary, runCommand, withFile } from "./run_command.ts";

/** What an independent parser counted in a trace. */
interface ExpectedTrace {
  allocs: number;
  frees: number;
  gcs: number;
  alloc_bytes: number;
  free_bytes: number;
  live_objects_at_end: number;
  live_bytes_at_end: number;
  allocs_without_type: number;
  distinct_types: number;
  top_types: [name: string, objects: number][];
  by_size: [sizeBytes: number, objects: number][];
}

const EXAMPLE = new URL("../../examples/bintree9.allocfreetrace.txt.gz", import.meta.url).pathname;
const SHARED = new URL("../../../shared/traces/", import.meta.url).pathname;
const hasShared = await Deno.stat(SHARED).then(() => true, () => false);

async function expectedOf(path: string): Promise<ExpectedTrace> {
  const summaries = await readJson("trace_summaries.json") as Record<string, ExpectedTrace>;
  return summaries[path.slice(path.lastIndexOf("/") + 1)];
}

function assertCounts(summary: ReplaySummary, expected: ExpectedTrace): void {
  assertEquals(summary.allocated, { objects: expected.allocs, bytes: expected.alloc_bytes });
  assertEquals(summary.freed, { objects: expected.frees, bytes: expected.free_bytes });
  assertEquals(summary.live, {
    objects: expected.live_objects_at_end,
    bytes: expected.live_bytes_at_end,
  });
  assertEquals(summary.traceCollections, expected.gcs);
  const bySize = summary.sizeClasses.map((c) => [c.sizeBytes, c.allocatedObjects]);
  assertEquals(bySize, expected.by_size);
  const objects = new Map(summary.types.map(({ name, allocated }) => [name, allocated.objects]));
  assertEquals(objects.get(null), expected.allocs_without_type);
  assertEquals(objects.size - 1, expected.distinct_types);
  for (const [name, count] of expected.top_types) assertEquals(objects.get(name), count, name);
}

/** The heap did what the trace says: every block one object, and none gone before its free. */
function assertHeap({ memStats, live, ...summary }: ReplaySummary): void {
  assertEquals(memStats.Mallocs, summary.allocated.objects);
  assertGreaterOrEqual(memStats.Mallocs - memStats.Frees, live.objects);
  assertGreaterOrEqual(memStats.HeapAlloc, live.bytes);
  assertGreaterOrEqual(memStats.HeapInuse, memStats.HeapAlloc);
  assertEquals(memStats.HeapInuse + memStats.HeapIdle, memStats.HeapSys);
  const spanBytes = summary.sizeClasses.reduce((sum, c) => sum + c.spanBytes, 0);
  assertEquals(spanBytes, memStats.HeapInuse);
  assertGreater(memStats.NumGC, 0);
  assertGreater(memStats.Frees, 0);
}

async function assertReplays(path: string): Promise<void> {
  const summary = await replaySummary(path);
  assertCounts(summary, await expectedOf(path));
  assertHeap(summary);
}

Deno.test("the example trace replays to what an independent parser counted", async () => {
  await assertReplays(EXAMPLE);
});

for (const program of ["json", "gofmt"]) {
  Deno.test({
    name: `the large ${program} trace (in ../shared) replays to what an independent parser counted`,
    ignore: !hasShared,
    fn: () => assertReplays(`${SHARED}${program}.allocfreetrace.txt.gz`),
  });
}

Deno.test("with GOGC off nothing is collected and every block stays", async () => {
  const { memStats, allocated } = await replaySummary("--gogc", "off", EXAMPLE);
  assertEquals([memStats.NumGC, memStats.Frees], [0, 0]);
  assertEquals(memStats.HeapAlloc, allocated.bytes);
});

Deno.test("a smaller GOGC collects more often and needs less memory", async () => {
  const tight = (await replaySummary("--gogc", "20", EXAMPLE)).memStats;
  const loose = (await replaySummary("--gogc", "400", EXAMPLE)).memStats;
  assertGreater(tight.NumGC, loose.NumGC);
  assertGreater(loose.HeapInuse, tight.HeapInuse);
});

Deno.test("the report shows what the JSON says", async () => {
  const withoutPause = (text: string) => text.replace(/[\d.]+ ms paused/, "");
  const { code, out, err } = await runCommand("replay", EXAMPLE);
  assertEquals([code, err], [0, ""]);
  assertEquals(withoutPause(out), withoutPause(reportText(await replaySummary(EXAMPLE), false)));
  assertMatch(out, /^allocated +11,290 +219,144$/m);
  assertMatch(out, /^traced program +6$/m);
  assertMatch(out, /^178,016 +11,126 +58,880 +3,680 {2}main\.tree$/m);
});

Deno.test("--gctrace prints a line for each collection, beside JSON on standard error", async () => {
  const text = await runCommand("replay", "--gctrace", EXAMPLE);
  const json = await runCommand("replay", "--gctrace", "--json", EXAMPLE);
  const { memStats } = JSON.parse(json.out) as ReplaySummary;
  const expected = Array.from({ length: memStats.NumGC }, (_, i) => `gc${i + 1}(1): `);
  const lines = (printed: string) => printed.split("\n").slice(0, memStats.NumGC);
  const starts = (printed: string) => lines(printed).map((line) => line.replace(/(?<=: ).*/, ""));
  assertEquals(starts(text.out), expected);
  assertEquals(starts(json.err), expected);
  assertMatch(text.out, /yields\n\n.* GOGC=100/);
  assertMatch(lines(text.out)[0], /: \d+\+\d+\+\d+\+\d+ us, 0 -> 0 MB, \d+ \(\d+-\d+\) objects, /);
});

Deno.test("blocks below 16 bytes are objects of their own", async () => {
  const trace = Array.from(
    { length: 1000 },
    (_, i) => `tracealloc(0x${(i + 1).toString(16)}000, 0x8)`,
  );
  const { memStats } = await withFile(trace.join("\n"), (path) => replaySummary(path));
  assertEquals([memStats.Mallocs - memStats.Frees, memStats.HeapAlloc], [1000, 8000]);
});

Deno.test("sizes that are no class of this heap show as waste inside slots", async () => {
  // 17 -> 32, 4 -> 8, 32769 -> five pages of 8192; the freed one does not count.
  const trace = [
    "tracealloc(0x1000, 0x11, a)",
    "tracealloc(0x2000, 0x4, a)",
    "tracealloc(0x3000, 0x8001, b)",
    "tracealloc(0x4000, 0x9001, b)",
    "tracefree(0x4000, 0x9001)",
    "tracealloc(0x4000, 0x10, a)",
  ];
  const summary = await withFile(trace.join("\n"), (path) => replaySummary(path));
  assertEquals(
    summary.sizeClasses.map((c) => [c.class, c.allocatedObjects, c.liveObjects, c.slotWasteBytes]),
    [[1, 1, 1, 4], [2, 1, 1, 0], [3, 1, 1, 15], [0, 2, 1, 8191]],
  );
  assertEquals(summary.slotWasteBytes, 4 + 15 + 8191);
  assertEquals(summary.peak, { objects: 4, bytes: 17 + 4 + 32769 + 36865 });
});

Deno.test("a collection at the end of a replay leaves just what the trace has not freed", () => {
  // More blocks than one array of root slots has.
  const blocks = 150_000;
  const line = (what: string, i: number) =>
    `trace${what}(0x${(i + 1).toString(16)}000, 0x${i % 2 === 0 ? "8" : "30"})\n`;
  using heap = new GoHeap({ platform: "linux/amd64", collect: "malloc", minHeapBytes: 0 });
  const replayer = new Replayer(new HeapBlocks(heap), false);
  const push = (text: string) => replayer.push(new TextEncoder().encode(text));
  for (let i = 0; i < blocks; i++) push(line("alloc", i));
  for (let i = 0; i < blocks; i += 3) push(line("free", i));
  for (let i = 0; i < blocks; i += 6) push(line("alloc", i));
  heap.GC();
  heap.verify();
  assertEquals(replayer.totals.live, { objects: 125_000, bytes: 50_000 * 48 + 75_000 * 8 });
  const { HeapObjects, HeapAlloc } = heap.ReadMemStats();
  assertEquals({ objects: HeapObjects, bytes: HeapAlloc }, replayer.totals.live);
});

Deno.test("a lenient replay counts faulty records and replays the others", async () => {
  const trace = [
    "tracealloc(0x1000, 0x20, a)",
    "tracealloc(0x1000, 0x40, b)",
    "tracealloc(0x2000, oops",
    "tracealloc(0x3000, 0x1000000000001)",
    "tracefree(0x1000, 0x30)",
    "tracefree(0x9000, 0x30)",
    "tracefree(0x9010, 0x30)",
    "tracealloc(0x5000, 0x20, a)",
    "tracefree(0x1000, 0x20)",
  ];
  await withFile(trace.join("\n"), async (path) => {
    const summary = await replaySummary("--lenient", path);
    assertEquals(summary.faults, {
      malformed: 2,
      freeOfUnknown: 2,
      allocationOfLive: 1,
      sizeMismatch: 1,
    });
    assertEquals([summary.allocated.objects, summary.live.objects], [2, 1]);
    const { out } = await runCommand("replay", "--lenient", path);
    assertMatch(out, /^malformed +2$/m);
    assertMatch(out, /^allocation on a block +1$/m);
  });
});

Deno.test("a name from a trace cannot drive the terminal", async () => {
  const { out } = await withFile(
    "tracealloc(0x1000, 0x20, a\x1b[2Jb)\n",
    (path) => runCommand("replay", path),
  );
  assertMatch(out, / {2}a\\x1b\[2Jb$/m);
});
