import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { cyclicComponents } from "../../lib/inspect/components.ts";
import { dominatorTree, type Edges, retainedWeights } from "../../lib/inspect/dominators.ts";

const ROOT = 0;

/** A graph of up to 14 nodes, as for each node those that it leads to; some twice, some to itself. */
const graph: fc.Arbitrary<number[][]> = fc.integer({ min: 1, max: 14 }).chain((nodes) =>
  fc.array(fc.array(fc.nat({ max: nodes - 1 }), { maxLength: 4 }), {
    minLength: nodes,
    maxLength: nodes,
  })
);

function edgesOf(lists: readonly number[][]): Edges {
  const starts = new Int32Array(lists.length + 1);
  lists.forEach((list, i) => starts[i + 1] = starts[i] + list.length);
  return { starts, targets: Int32Array.from(lists.flat()) };
}

/** What can be reached from `from` without going through `without`. */
function reach(lists: readonly number[][], from: number, without = -1): Set<number> {
  const reached = new Set<number>(from === without ? [] : [from]);
  for (const node of reached) {
    for (const target of lists[node]) if (target !== without) reached.add(target);
  }
  return reached;
}

/** The dominators of every node that can be reached, by leaving out one node after the other. */
function dominatorsByRemoval(lists: readonly number[][]): Map<number, number[]> {
  const reached = [...reach(lists, ROOT)];
  const lost = new Map(reached.map((node) => [node, reach(lists, ROOT, node)]));
  return new Map(reached.map((node) => [
    node,
    reached.filter((other) => other !== node && !lost.get(other)!.has(node)),
  ]));
}

Deno.test("in random graphs, a node's dominators are those whose removal cuts it off", () => {
  fc.assert(
    fc.property(graph, (lists) => {
      const { nodes, numbers, dominators } = dominatorTree(edgesOf(lists), ROOT);
      const expected = dominatorsByRemoval(lists);
      assertEquals(new Set(nodes), new Set(expected.keys()));
      numbers.forEach((number, node) => {
        assertEquals(number >= 0, expected.has(node));
        if (number < 0) return;
        assertEquals(nodes[number], node);
        const chain: number[] = [];
        for (let w = dominators[number]; w >= 0; w = dominators[w]) chain.push(nodes[w]);
        assertEquals(chain.toSorted(), expected.get(node)!.toSorted());
      });
    }),
    { numRuns: 2000, seed: 1979 },
  );
});

Deno.test("in random graphs, a node retains the weight of what cannot be reached without it", () => {
  fc.assert(
    fc.property(graph, (lists) => {
      const weights = Float64Array.from(lists, (_, node) => 2 ** node);
      const tree = dominatorTree(edgesOf(lists), ROOT);
      const retained = retainedWeights(tree, weights);
      const all = reach(lists, ROOT);
      for (const node of all) {
        const rest = reach(lists, ROOT, node);
        const lost = [...all].filter((other) => !rest.has(other));
        const expected = lost.reduce((sum, other) => sum + weights[other], 0);
        assertEquals(retained[tree.numbers[node]], expected);
      }
    }),
    { numRuns: 1000, seed: 1979 },
  );
});

Deno.test("a path of a million nodes, and a million nodes side by side, have their dominators", () => {
  const count = 1_000_000;
  const path = edgesOf(Array.from({ length: count }, (_, i) => i + 1 < count ? [i + 1] : [0]));
  const inPath = dominatorTree(path, ROOT);
  assertEquals(inPath.dominators.every((dominator, w) => dominator === w - 1), true);
  assertEquals(retainedWeights(inPath, new Float64Array(count).fill(1))[1], count - 1);

  const children = Array.from({ length: count - 1 }, (_, i) => i + 1);
  const star = edgesOf([children, ...children.map(() => [])]);
  const { dominators } = dominatorTree(star, ROOT);
  assertEquals(dominators.every((dominator, w) => dominator === (w === 0 ? -1 : 0)), true);
});

Deno.test("in random graphs, cyclic components are the nodes that lead to each other and back", () => {
  fc.assert(
    fc.property(
      graph,
      fc.array(fc.boolean(), { minLength: 14, maxLength: 14 }),
      (lists, outside) => {
        const isOutside = Uint8Array.from(lists, (_, node) => outside[node] ? 1 : 0);
        const inside = lists.map((list, node) =>
          outside[node] ? [] : list.filter((target) => !outside[target])
        );
        const reaches = inside.map((list) =>
          new Set(list.flatMap((target) => [...reach(inside, target)]))
        );
        const expected = new Set<string>();
        reaches.forEach((reached, node) => {
          if (!reached.has(node)) return;
          const component = [...reached].filter((other) => reaches[other].has(node));
          expected.add(component.toSorted((a, b) => a - b).join());
        });
        const all = lists.map((_, node) => node);
        const found = cyclicComponents(edgesOf(lists), isOutside, all)
          .map((component) => component.toSorted((a, b) => a - b).join());
        assertEquals(found.toSorted(), [...expected].toSorted());
      },
    ),
    { numRuns: 1000, seed: 1972 },
  );
});
