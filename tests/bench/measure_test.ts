import { assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { geometricMean, measure, median, medianDeviation } from "../../bench/measure.ts";
import { type Measuring, workloads } from "../../bench/workloads.ts";

const measuring: Measuring = {
  warmBatches: 2,
  warmMs: 0,
  leastBatches: 3,
  mostBatches: 10,
  leastMs: 0,
};

Deno.test("the median is the middle value, or the mean of the two in the middle", () => {
  assertEquals(median([3]), 3);
  assertEquals(median([9, 1, 2]), 2);
  assertEquals(median([9, 1, 2, 4]), 3);
});

Deno.test("one bad run does not move the median deviation", () => {
  assertEquals(medianDeviation([10, 11, 12, 13, 1000]), 1);
});

Deno.test("halving one ratio and doubling another leaves the geometric mean where it was", () => {
  assertAlmostEquals(geometricMean([0.5, 2]), 1);
  assertAlmostEquals(geometricMean([0.9, 0.6, 0.9]), 0.486 ** (1 / 3));
});

Deno.test("batches to warm up and the least number of batches are run, each after what goes before it", async () => {
  const calls: string[] = [];
  const prepared = {
    before: () => void calls.push("before"),
    batch: () => calls.push("batch"),
    dispose(): void {},
  };
  await measure(workloads[0], prepared, measuring);
  assertEquals(calls, Array(5).fill(["before", "batch"]).flat());
});

Deno.test("no more than the most batches are run, however short they are", async () => {
  let batches = 0;
  const prepared = { batch: () => ++batches, dispose(): void {} };
  await measure(workloads[0], prepared, { ...measuring, leastMs: Infinity });
  assertEquals(batches, 12);
});

Deno.test("a workload is warmed up for as long as it is told, however short its batches", async () => {
  let batches = 0;
  const { now } = performance;
  // A clock on which each batch takes one millisecond.
  performance.now = () => batches;
  try {
    const batch = () => ++batches;
    await measure(workloads[0], { batch, dispose(): void {} }, { ...measuring, warmMs: 10 });
  } finally {
    performance.now = now;
  }
  assertEquals(batches, 10 + 3);
});

Deno.test("a batch that computed nothing is an error", async () => {
  const prepared = { batch: () => Promise.resolve(NaN), dispose(): void {} };
  await assertRejects(() => measure(workloads[0], prepared, measuring), Error, workloads[0].name);
});
