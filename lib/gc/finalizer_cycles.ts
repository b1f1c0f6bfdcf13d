/**
 * Finalizer cycles: objects that are never freed.
 *
 * What an object with a finalizer refers to is kept alive for the call, and the object itself is not, so that of
 * A ─▶ B, both with finalizers, A goes first and B after it. If B also refers to A, each keeps the other alive:
 * neither is ever finalized, nor freed, nor anything that they refer to. There is no order that would be right,
 * and Go leaves them where they are without a word. They are leaks, so they can be asked for here.
 *
 * A cycle is a set of objects that nobody can reach any more, each of which leads to every other, with a finalizer
 * on at least one of them: a strongly connected component of the graph of what is kept alive by
 * finalizers alone, found in one pass with a stack (Tarjan's algorithm, without recursion).
 *
 * @module
 */

import type { Pointer } from "../platform/platform.ts";
import type { GoType } from "../types/go_type.ts";
import type { Block, HeapGraph } from "./heap_graph.ts";

/** An object of a cycle. */
export interface FinalizerCycleObject {
  /** Its address. */
  readonly address: Pointer;
  /** The bytes of its block. */
  readonly size: number;
  /** The type its finalizer was set with, as in `"main.Node"`; null if it has no finalizer: the heap keeps no other. */
  readonly type: GoType | null;
}

/** Objects that lead to each other and that no finalizer will ever be called for, by address. */
export type FinalizerCycle = readonly FinalizerCycleObject[];

/** What the search knows of a block. */
interface Visit {
  readonly block: Block;
  readonly targets: readonly Pointer[];
  readonly order: number;
  /** The earliest block on the path that this one leads back to. */
  lowest: number;
  isOnPath: boolean;
  next: number;
}

/** The cycles of a heap; `typeOf` tells the type of the object of finalizer number `data`. */
export function findFinalizerCycles(
  graph: HeapGraph,
  typeOf: (data: number) => GoType | null,
): FinalizerCycle[] {
  const alive = reachableFromRoots(graph);
  const types = new Map<Pointer, GoType | null>();
  for (const { block, data } of graph.finalizable()) {
    if (!alive.has(block.base)) types.set(block.base, typeOf(data));
  }
  return components(graph, alive, [...types.keys()])
    .filter((blocks) => blocks.some(({ base }) => types.has(base)))
    .map((blocks) =>
      blocks
        .map(({ base, bytes }) => ({
          address: base,
          size: bytes,
          type: types.get(base) ?? null,
        }))
        .sort((a, b) => a.address - b.address)
    )
    .sort((a, b) => a[0].address - b[0].address);
}

/** Addresses of the blocks that the program can still reach. */
function reachableFromRoots(graph: HeapGraph): Set<Pointer> {
  const reached = new Set<Pointer>();
  const pending: Block[] = [];
  const reach = ({ target }: { target: Pointer }) => {
    const block = graph.blockAt(target);
    if (block === null || reached.has(block.base)) return;
    reached.add(block.base);
    pending.push(block);
  };
  graph.forEachRoot(reach);
  for (let block = pending.pop(); block !== undefined; block = pending.pop()) {
    graph.forEachPointer(block, reach);
  }
  return reached;
}

/** The strongly connected components that have a cycle, among what `starts` lead to and is not `alive`. */
function components(
  graph: HeapGraph,
  alive: ReadonlySet<Pointer>,
  starts: readonly Pointer[],
): Block[][] {
  const visits = new Map<Pointer, Visit>();
  const found: Block[][] = [];
  const open: Visit[] = [];
  const path: Visit[] = [];
  const enter = (p: Pointer) => {
    const block = graph.blockAt(p)!;
    const order = visits.size;
    const targets = targetsOf(graph, block, alive);
    const visit = { block, targets, order, lowest: order, isOnPath: true, next: 0 };
    visits.set(block.base, visit);
    open.push(visit);
    path.push(visit);
  };
  for (const start of starts) {
    if (!visits.has(start)) enter(start);
    for (let visit = path.at(-1); visit !== undefined; visit = path.at(-1)) {
      if (visit.next < visit.targets.length) {
        const target = visits.get(visit.targets[visit.next++]);
        if (target === undefined) enter(visit.targets[visit.next - 1]);
        else if (target.isOnPath) visit.lowest = Math.min(visit.lowest, target.order);
        continue;
      }
      path.pop();
      const before = path.at(-1);
      if (before !== undefined) before.lowest = Math.min(before.lowest, visit.lowest);
      if (visit.lowest === visit.order) {
        const component = open.splice(open.lastIndexOf(visit));
        for (const each of component) each.isOnPath = false;
        const isCycle = component.length > 1 || visit.targets.includes(visit.block.base);
        if (isCycle) found.push(component.map(({ block }) => block));
      }
    }
  }
  return found;
}

function targetsOf(graph: HeapGraph, block: Block, alive: ReadonlySet<Pointer>): Pointer[] {
  const targets = new Set<Pointer>();
  graph.forEachPointer(block, ({ target }) => {
    const found = graph.blockAt(target);
    if (found !== null && !alive.has(found.base)) targets.add(found.base);
  });
  return [...targets];
}
