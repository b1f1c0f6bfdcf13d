import { assert, assertEquals } from "@std/assert";
import { prepareHeap } from "../../bench/heap_workloads.ts";
import { prepareV8 } from "../../bench/v8_workloads.ts";
import { makeGraph, randomBelow, workloads } from "../../bench/workloads.ts";

Deno.test("no two workloads have one name", () => {
  assertEquals(new Set(workloads.map(({ name }) => name)).size, workloads.length);
});

Deno.test("the generator gives the numbers that it gives in Go", () => {
  const below = randomBelow(1);
  assertEquals([below(1_000_000), below(1_000_000), below(1_000_000)], [236455, 369270, 504242]);
});

Deno.test("every node of a random graph is reachable from the first one", () => {
  const nodes = 1000;
  const { left, right } = makeGraph("random", nodes, 1);
  assertEquals(countReachable(left, right), nodes);
  assert(right.every((target) => target >= 0 && target < nodes));
});

Deno.test("a tree has its children at twice a node's number, and nil where they would be outside", () => {
  const { left, right } = makeGraph("tree", 6, 1);
  assertEquals([...left], [1, 3, 5, -1, -1, -1]);
  assertEquals([...right], [2, 4, -1, -1, -1, -1]);
  assertEquals(countReachable(left, right), 6);
});

for (const [program, prepare] of Object.entries({ goheap: prepareHeap, V8: prepareV8 })) {
  Deno.test(`the binary trees of ${program} have all their nodes`, async () => {
    const depth = 8;
    const trees = workloads.find(({ kind }) => kind === "trees");
    assert(trees !== undefined);
    const nodes = (depth: number) => 2 ** (depth + 1) - 1;
    const short = [4, 6, 8].map((d) => 2 ** (depth - d + 4) * nodes(d));
    const all = short.reduce((sum, n) => sum + n, nodes(depth + 1) + nodes(depth));
    const prepared = prepare({ ...trees, depth });
    assertEquals(await prepared?.batch(), all);
    prepared?.dispose();
  });
}

function countReachable(left: Int32Array, right: Int32Array): number {
  const seen = new Set([0]);
  for (const node of seen) {
    if (left[node] >= 0) seen.add(left[node]);
    if (right[node] >= 0) seen.add(right[node]);
  }
  return seen.size;
}
