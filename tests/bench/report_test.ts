import { assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { makeReport, type Times, timeText, toMarkdown } from "../../bench/peers/report.ts";
import { type Workload, workloads } from "../../bench/workloads.ts";

const facts = { machine: "a machine", versions: { go: "go1.19" }, rounds: 3, leftOut: [] };

function find(name: string): Workload {
  const found = workloads.find((workload) => workload.name === name);
  if (found === undefined) throw new Error(`no workload ${name}`);
  return found;
}

function reportOf(times: Record<string, Times>) {
  return makeReport(facts, workloads, new Map(Object.entries(times)));
}

Deno.test("a ratio is the median of the rounds' ratios, not the ratio of the medians", () => {
  // The machine was slow in the first round, for everyone.
  const times = { go: [40, 10, 10], goheap: [20, 5, 9] };
  const { rows: [row] } = reportOf({ "malloc 16 B noscan": times });
  assertEquals(row.ns, { go: 10, goheap: 9 });
  assertEquals(row.ratioTo, { go: 0.5 });
});

Deno.test("a target is met at the target's ratio and missed above it", () => {
  const { rows } = reportOf({
    "malloc 16 B noscan": { go: [10], goheap: [6] },
    "malloc 16 B with pointers": { go: [10], goheap: [6] },
    "malloc 32 B with pointers": { goheap: [6] },
  });
  assertEquals(rows.map(({ target, isMet }) => [target, isMet]), [
    [0.6, true],
    [0.55, false],
    [0.45, undefined],
  ]);
});

Deno.test("the mean of the malloc rows leaves out other rows and rows without Go", () => {
  const { mallocMean } = reportOf({
    "malloc 8 B noscan": { go: [10], goheap: [2] },
    "malloc 16 B noscan": { go: [10], goheap: [8] },
    "malloc 1 B noscan": { v8: [10], goheap: [1] },
    "binary trees, depth 16": { go: [10], goheap: [1] },
  });
  assertAlmostEquals(mallocMean?.ratio ?? 0, 0.4);
});

Deno.test("growth holds 10,000,000 live objects against 1,000,000", () => {
  const { growth } = reportOf({
    "collection per object, 1 M live, tree": { go: [10], goheap: [20] },
    "collection per object, 10 M live, tree": { go: [15], goheap: [50] },
  });
  assertEquals(growth.length, 1);
  assertEquals(growth[0].ratio, { go: 1.5, goheap: 2.5 });
  assertEquals(growth[0].name, "collection per object, 10 M / 1 M live, tree");
});

Deno.test("a workload that nobody ran has no row", () => {
  assertEquals(reportOf({}).rows, []);
  assertEquals(reportOf({}).mallocMean, undefined);
});

Deno.test("times are shown in the row's unit", () => {
  assertEquals(timeText(4.256, "ns"), "4.26 ns");
  assertEquals(timeText(42.56, "ns"), "42.6 ns");
  assertEquals(timeText(6283.4, "ns"), "6283 ns");
  assertEquals(timeText(151_300_000, "ms"), "151 ms");
  assertEquals(timeText(500, "events/s"), "2,000 k/s");
  assertEquals(timeText(undefined, "ns"), "");
});

Deno.test("the table has a line a workload, the verdict on its target, and what was left out", () => {
  const workload = find("malloc 16 B noscan");
  const times = new Map([[workload.name, { go: [10], v8: [4], goheap: [7] }]]);
  const markdown = toMarkdown(
    makeReport({ ...facts, leftOut: ["AssemblyScript: not there"] }, [workload], times),
  );
  const [head, rule, row] = markdown.split("\n").filter((line) => line.startsWith("|"));
  assertEquals(new Set([head, rule, row].map((line) => line.length)).size, 1);
  assertEquals(row.split("|").map((cell) => cell.trim()), [
    "",
    "malloc 16 B noscan",
    "10.0 ns",
    "4.00 ns",
    "",
    "7.00 ns",
    "0.70",
    "0.6 **missed**",
    "1.75",
    "",
    "",
  ]);
  assertStringIncludes(markdown, "to Go: 0.70, target 0.55 **missed**.");
  assertStringIncludes(markdown, "Left out: AssemblyScript: not there");
});
