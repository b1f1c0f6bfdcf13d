import { assertEquals } from "@std/assert";
import { ProfileBuckets } from "../../lib/inspect/profile_buckets.ts";

Deno.test("a bucket whose stack has another one is used again when its block is freed, before or after", () => {
  const buckets = new ProfileBuckets();
  const first = buckets.add(64);
  buckets.tellStack(first, 0);
  const [before, after] = [buckets.add(64), buckets.add(64)];
  buckets.free(before);
  buckets.tellStack(before, 0);
  assertEquals(buckets.add(64), before);
  buckets.tellStack(after, 0);
  buckets.free(after);
  assertEquals(buckets.add(64), after);
  assertEquals([buckets.known, buckets.liveBlocks], [[first], 3]);
  buckets.turn();
  buckets.turn();
  assertEquals(buckets.final(first), { allocated: 3, freed: 2 });
});

Deno.test("a bucket that is freed before its stack is told counts for that stack", () => {
  const buckets = new ProfileBuckets();
  const only = buckets.add(64);
  buckets.free(only);
  assertEquals(buckets.has(only, 5), false);
  buckets.tellStack(only, 5);
  buckets.turn();
  buckets.turn();
  assertEquals(buckets.final(only), { allocated: 1, freed: 1 });
  const other = buckets.add(64);
  assertEquals([buckets.has(other, 5), buckets.has(other, 4)], [true, false]);
  buckets.tellStack(other, 5);
  assertEquals([buckets.countingFor(other), buckets.stackOf(only)], [only, 5]);
});

Deno.test("sizes on one stack are buckets of their own, and there is room for many", () => {
  const buckets = new ProfileBuckets();
  for (let i = 1; i <= 10000; i++) buckets.tellStack(buckets.add(8 * i), i & 1);
  assertEquals([buckets.known.length, buckets.liveBlocks], [10000, 10000]);
  const sizes = buckets.known.map((bucket) => buckets.blockBytes(bucket));
  assertEquals(sizes, Array.from({ length: 10000 }, (_, i) => 8 * (10000 - i)));
});
