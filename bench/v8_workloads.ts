/**
 * The workloads as plain V8 objects: what a JavaScript program does that has no heap of its own. An
 * object with as many fields as the block has words stands for the block, a `Uint8Array` for one of
 * 1 KiB or more, `FinalizationRegistry` for finalizers, and `gc()` (`--expose-gc`) for a collection. V8 may use
 * its helper threads, as it does in every Deno program.
 *
 * Objects are stored into a property of a long-lived object, without which the compiler would find that they
 * never escape and leave them out; and each shape has its own loop, as it would in a program.
 *
 * @module
 */

import type { Prepare, Prepared } from "./measure.ts";
import { makeGraph, type Workload, type WorkloadKind } from "./workloads.ts";

interface Node {
  left: Node | null;
  right: Node | null;
  x: number;
  y: number;
}

interface Tree {
  left: Tree | null;
  right: Tree | null;
}

const collector = (globalThis as { gc?: () => void }).gc;

/** What is live: the last object made, the graph, the ballast. */
const live: { last: unknown; root: unknown; ballast: Uint8Array[] } = {
  last: null,
  root: null,
  ballast: [],
};

const NEEDS_COLLECTOR: readonly WorkloadKind[] = ["collect", "finalizerRun"];
const KINDS: readonly WorkloadKind[] = [
  ...NEEDS_COLLECTOR,
  "malloc",
  "newobject",
  "newarray",
  "mallocAmongLive",
  "trees",
  "finalizerClear",
];

/** Whether plain objects have anything of the workload's kind, in this process. */
export function hasV8Workload(workload: Workload): boolean {
  const { kind } = workload;
  if (kind === "malloc" && !(loopName(workload) in loops)) return false;
  return KINDS.includes(kind) && (collector !== undefined || !NEEDS_COLLECTOR.includes(kind));
}

/** Makes a workload ready with plain objects, or returns null where there is nothing of the kind. */
export const prepareV8: Prepare = (workload) => {
  if (!hasV8Workload(workload)) return null;
  const pieceBytes = Math.min(workload.ballastBytes, 2 ** 30);
  live.ballast = Array.from(
    { length: Math.ceil(workload.ballastBytes / pieceBytes) },
    () => new Uint8Array(pieceBytes),
  );
  live.root = liveGraph(workload);
  const batch = batchOf(workload);
  collector?.();
  return { batch, dispose };
};

function dispose(): void {
  live.last = live.root = null;
  live.ballast = [];
  collector?.();
}

function batchOf(workload: Workload): Prepared["batch"] {
  const { kind, operations, sizes } = workload;
  switch (kind) {
    case "collect":
      return collect;
    case "trees":
      return () => binaryTrees(workload.depth);
    case "finalizerClear":
      return finalizerClear(workload.liveObjects);
    case "finalizerRun":
      return () => finalizerRun(operations);
    default: {
      const makeMany = loops[loopName(workload)];
      return () => makeMany(operations, sizes[0]);
    }
  }
}

function collect(): number {
  collector?.();
  return 0;
}

function loopName({ kind, sizes, pointers }: Workload): string {
  if (kind === "newobject") return "entry";
  if (kind === "newarray") return "array";
  if (sizes[0] >= 1024) return "bytes";
  return pointers ? `${sizes[0]} B with pointers` : `${Math.ceil(sizes[0] / 8) * 8} B`;
}

const loops: Record<string, (n: number, bytes: number) => number> = {
  "8 B"(n) {
    for (let i = 0; i < n; i++) live.last = { a: 0 };
    return n;
  },
  "16 B"(n) {
    for (let i = 0; i < n; i++) live.last = { a: 0, b: 0 };
    return n;
  },
  "8 B with pointers"(n) {
    for (let i = 0; i < n; i++) live.last = { a: null };
    return n;
  },
  "16 B with pointers"(n) {
    for (let i = 0; i < n; i++) live.last = { a: null, b: null };
    return n;
  },
  "32 B with pointers"(n) {
    for (let i = 0; i < n; i++) live.last = { a: null, b: null, c: null, d: null };
    return n;
  },
  "64 B with pointers"(n) {
    for (let i = 0; i < n; i++) {
      live.last = { a: null, b: null, c: null, d: null, e: null, f: null, g: null, h: null };
    }
    return n;
  },
  entry(n) {
    for (let i = 0; i < n; i++) live.last = { next: null, previous: null, key: 0, value: 0 };
    return n;
  },
  array(n, bytes) {
    const length = bytes / 8;
    for (let i = 0; i < n; i++) live.last = new Array(length);
    return n;
  },
  bytes(n, bytes) {
    for (let i = 0; i < n; i++) live.last = new Uint8Array(bytes);
    return n;
  },
};

function liveGraph({ graph, liveObjects, sizes, seed }: Workload): unknown {
  if (graph === "none") return null;
  if (graph === "buffers") {
    return Array.from({ length: liveObjects }, () => new Uint8Array(sizes[0]));
  }
  const { left, right } = makeGraph(graph, liveObjects, seed);
  const nodes: Node[] = [];
  for (let i = 0; i < liveObjects; i++) nodes.push({ left: null, right: null, x: i, y: i });
  for (let i = 0; i < liveObjects; i++) {
    if (left[i] >= 0) nodes[i].left = nodes[left[i]];
    if (right[i] >= 0) nodes[i].right = nodes[right[i]];
  }
  return nodes[0];
}

/** The benchmark game's shape; trees are built from the top, as in every program here. */
function binaryTrees(depth: number): number {
  const least = 4;
  let nodes = count(build(depth + 1));
  const longer = build(depth);
  for (let d = least; d <= depth; d += 2) {
    const trees = 2 ** (depth - d + least);
    for (let i = 0; i < trees; i++) nodes += count(build(d));
  }
  return nodes + count(longer);
}

function build(depth: number): Tree {
  const tree: Tree = { left: null, right: null };
  fill(tree, depth);
  return tree;
}

function fill(tree: Tree, depth: number): void {
  if (depth === 0) return;
  const left: Tree = { left: null, right: null };
  tree.left = left;
  fill(left, depth - 1);
  const right: Tree = { left: null, right: null };
  tree.right = right;
  fill(right, depth - 1);
}

function count(tree: Tree): number {
  if (tree.left === null) return 1;
  return 1 + count(tree.left) + count(tree.right as Tree);
}

function finalizerClear(objects: number): () => number {
  const all = Array.from({ length: objects }, () => ({ a: 0, b: 0 }));
  const registry = new FinalizationRegistry(() => {});
  return () => {
    for (const object of all) registry.register(object, 0, object);
    for (const object of all) registry.unregister(object);
    return objects;
  };
}

async function finalizerRun(objects: number): Promise<number> {
  let ran = 0;
  const registry = new FinalizationRegistry(() => ran++);
  registerObjects(registry, objects);
  collect();
  while (ran < objects) await new Promise((resolve) => setTimeout(resolve, 0));
  return ran;
}

function registerObjects(registry: FinalizationRegistry<number>, objects: number): void {
  for (let i = 0; i < objects; i++) registry.register({ a: 0, b: 0 }, 0);
}
