/**
 * Strongly connected components: nodes each of which leads to every other. Tarjan's algorithm, one pass over
 * the edges, with stacks in typed arrays in place of recursion.
 *
 * @module
 */

import type { Edges } from "./dominators.ts";

/**
 * The components that have a cycle, among the nodes that `starts` lead to. Nodes for which `isOutside` is not 0
 * do not belong to the graph.
 */
export function cyclicComponents(
  { starts, targets }: Edges,
  isOutside: Uint8Array,
  from: Iterable<number>,
): number[][] {
  const count = isOutside.length;
  const found: number[][] = [];
  /** By node, when it was found, from 1 on; 0 if not yet. */
  const orders = new Int32Array(count);
  /** By node, the earliest node of the open ones that it leads back to. */
  const lowest = new Int32Array(count);
  const isOpen = new Uint8Array(count);
  const next = new Int32Array(count);
  const path = new Int32Array(count);
  const open = new Int32Array(count);
  let pathLength = 0;
  let openLength = 0;
  let made = 0;
  const enter = (node: number) => {
    orders[node] = lowest[node] = ++made;
    isOpen[node] = 1;
    next[node] = starts[node];
    path[pathLength++] = node;
    open[openLength++] = node;
  };
  for (const start of from) {
    if (orders[start] === 0 && isOutside[start] === 0) enter(start);
    while (pathLength > 0) {
      const node = path[pathLength - 1];
      if (next[node] < starts[node + 1]) {
        const target = targets[next[node]++];
        if (isOutside[target] !== 0) continue;
        if (orders[target] === 0) enter(target);
        else if (isOpen[target] !== 0) lowest[node] = Math.min(lowest[node], orders[target]);
        continue;
      }
      pathLength--;
      if (pathLength > 0) {
        const before = path[pathLength - 1];
        lowest[before] = Math.min(lowest[before], lowest[node]);
      }
      if (lowest[node] !== orders[node]) continue;
      const first = open.lastIndexOf(node, openLength - 1);
      const component = Array.from(open.subarray(first, openLength));
      for (const each of component) isOpen[each] = 0;
      openLength = first;
      if (component.length > 1 || hasEdge(node, node)) found.push(component);
    }
  }
  return found;

  function hasEdge(source: number, target: number): boolean {
    for (let edge = starts[source]; edge < starts[source + 1]; edge++) {
      if (targets[edge] === target) return true;
    }
    return false;
  }
}
