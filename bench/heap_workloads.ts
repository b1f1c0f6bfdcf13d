/**
 * The workloads on a heap of this project, through its public face, as a language runtime would use it:
 * `collect: "malloc"`, so that a collection may run inside any allocation, and everything that has to
 * survive one is rooted.
 *
 * Roots cost no frame here. What lives through a batch hangs from a global, and a tree is built from the
 * top: each node is linked into its parent, which is reachable already, before the next allocation. The
 * block that an allocation returns is always kept by the collection it causes.
 *
 * @module
 */

import { main as command } from "../cli.ts";
import { add, FlagNoScan, FlagNoZero, GoHeap, type GoType, type Pointer } from "../mod.ts";
import type { Prepare, Prepared } from "./measure.ts";
import { makeGraph, randomBelow, type Workload } from "./workloads.ts";

const MOST_PIECE_BYTES = 2 ** 30;
const WORD_BYTES = 8;
const MOST_DEPTH = 64;
const GO_PROFILE_RATE = 524288;

/**
 * Where an address goes that nobody needs, as it goes to a package-level variable in the Go program. In a local
 * variable that is only returned V8 keeps it as an object, and makes one for each allocation. Nor is it read at
 * the end of a batch: code that was optimized inside the loop would be thrown away there each time.
 */
const sink = new Float64Array(1);

/** Makes a workload ready on a heap of its own, or returns null where its trace is not there. */
export const prepareHeap: Prepare = (workload) => {
  if (workload.kind === "replay") return replay(workload);
  const memProfileRate = workload.kind === "mallocProfiled" ? GO_PROFILE_RATE : 0;
  const settings = { platform: "linux/amd64", collect: "malloc", gcPercent: -1 } as const;
  const heap = new GoHeap({ ...settings, memProfileRate });
  addBallast(heap, workload.ballastBytes);
  addGraph(heap, workload);
  const run = runOf(heap, workload);
  heap.SetGCPercent(workload.gcPercent);
  heap.GC();
  return { ...run, dispose: () => heap[Symbol.dispose]() };
};

type Run = Pick<Prepared, "before" | "batch">;

function runOf(heap: GoHeap, workload: Workload): Run {
  const { kind, operations, sizes: [bytes] } = workload;
  switch (kind) {
    case "malloc":
    case "mallocProfiled":
    case "mallocAmongLive":
      return { batch: mallocOf(heap, workload) };
    case "newobject":
      return { batch: newobjects(heap, operations) };
    case "newarray":
      return {
        batch: () => newarrays(heap, operations, heap.types.unsafePointer, bytes / WORD_BYTES),
      };
    case "collect":
      return { batch: () => collect(heap) };
    case "trees":
      return { batch: trees(heap, workload.depth) };
    case "finalizerClear":
      return { batch: finalizerClear(heap, workload.liveObjects) };
    case "finalizerRun":
      return { batch: finalizerRun(heap, operations) };
    case "persistentalloc":
      return { batch: () => persistentallocs(heap, bytes, operations) };
    case "findObject":
      return { batch: findObjects(heap, workload) };
    case "refill":
      return refill(heap, workload);
    case "sweep":
      return sweep(heap, workload);
    case "replay":
      throw new Error("a replay makes its own heap");
  }
}

/** Keeps so many bytes of noscan memory live, in blocks of at most 1 GiB that are never written to. */
function addBallast(heap: GoHeap, ballastBytes: number): void {
  const pieces = Math.ceil(ballastBytes / MOST_PIECE_BYTES);
  const table = newTable(heap, pieces);
  for (let i = 0; i < pieces; i++) {
    const bytes = Math.min(MOST_PIECE_BYTES, ballastBytes - i * MOST_PIECE_BYTES);
    heap.storePointer(table + i * WORD_BYTES, heap.mallocgc(bytes, null, FlagNoScan));
  }
}

/** A table of pointers in the heap, held by a global. */
function newTable(heap: GoHeap, entries: number): Pointer {
  const table = heap.newarray(heap.types.unsafePointer, entries);
  heap.storePointer(heap.global(heap.types.unsafePointer), table);
  return table;
}

function pointersType(heap: GoHeap, bytes: number): GoType {
  return heap.types.array(heap.types.unsafePointer, bytes / WORD_BYTES);
}

function nodeType(heap: GoHeap): GoType {
  const { types } = heap;
  const pointer = types.unsafePointer;
  return types.struct("node", { left: pointer, right: pointer, x: types.uint64, y: types.uint64 });
}

function addGraph(heap: GoHeap, { graph, liveObjects, sizes, seed }: Workload): void {
  if (graph === "none") return;
  if (graph === "buffers") {
    const table = newTable(heap, liveObjects);
    for (let i = 0; i < liveObjects; i++) {
      heap.storePointer(table + i * WORD_BYTES, heap.mallocgc(sizes[0], null, FlagNoScan));
    }
    return;
  }
  const { left, right } = makeGraph(graph, liveObjects, seed);
  const nodes = newNodes(heap, liveObjects);
  for (let i = 0; i < liveObjects; i++) {
    if (left[i] >= 0) heap.storePointer(nodes[i], nodes[left[i]]);
    if (right[i] >= 0) heap.storePointer(nodes[i] + WORD_BYTES, nodes[right[i]]);
  }
  heap.storePointer(heap.global(heap.types.unsafePointer), nodes[0]);
}

function newNodes(heap: GoHeap, n: number): Float64Array {
  const type = nodeType(heap);
  const nodes = new Float64Array(n);
  for (let i = 0; i < n; i++) nodes[i] = heap.newobject(type);
  return nodes;
}

function collect(heap: GoHeap): number {
  heap.GC();
  return 0;
}

function mallocOf(heap: GoHeap, { operations, sizes, pointers }: Workload): () => number {
  const [bytes, second, third] = sizes;
  if (sizes.length === 3) return () => mallocsInTurn(heap, operations, bytes, second, third);
  const type = pointers ? pointersType(heap, bytes) : null;
  const flags = pointers ? 0 : FlagNoScan;
  return () => mallocs(heap, operations, bytes, type, flags);
}

// A loop has what it needs in parameters and variables of its own. What it takes from a closure or a module is looked up
// and checked in each round, which takes longer than an allocation.

function mallocs(
  heap: GoHeap,
  n: number,
  bytes: number,
  type: GoType | null,
  flags: number,
): number {
  const out = sink;
  for (let i = 0; i < n; i++) out[0] = heap.mallocgc(bytes, type, flags);
  return n;
}

function mallocsInTurn(
  heap: GoHeap,
  n: number,
  first: number,
  second: number,
  third: number,
): number {
  const out = sink;
  const flags = FlagNoScan;
  for (let i = 0; i < n; i += 3) {
    out[0] = heap.mallocgc(first, null, flags);
    out[0] = heap.mallocgc(second, null, flags);
    out[0] = heap.mallocgc(third, null, flags);
  }
  return n;
}

function newobjects(heap: GoHeap, operations: number): () => number {
  const { types } = heap;
  const type = types.struct("entry", {
    next: types.unsafePointer,
    previous: types.unsafePointer,
    key: types.int64,
    value: types.int64,
  });
  return () => newMany(heap, operations, type);
}

function newarrays(heap: GoHeap, operations: number, type: GoType, n: number): number {
  const out = sink;
  for (let i = 0; i < operations; i++) out[0] = heap.newarray(type, n);
  return operations;
}

function newMany(heap: GoHeap, n: number, type: GoType): number {
  const out = sink;
  for (let i = 0; i < n; i++) out[0] = heap.newobject(type);
  return n;
}

/**
 * The benchmark game's shape; trees are built from the top, as in every program here. The heap is a constant of these
 * functions, as it is in a program that has one: V8 compiles its parts in.
 */
function trees(heap: GoHeap, depth: number): () => number {
  const { unsafePointer: pointer } = heap.types;
  const type = heap.types.struct("tree", { left: pointer, right: pointer });
  const root = heap.global(pointer);
  const longerRoot = heap.global(pointer);
  // Parents that wait for a right child, by the levels below it, or right children that are still to be visited. In a typed array:
  // where a recursive function takes an address, V8 makes an object of the number.
  const nodes = new Float64Array(MOST_DEPTH);

  /**
   * Builds a tree from its root down, a left child and all below it before the right one: a node hangs from its parent before
   * the next is allocated.
   */
  function build(depth: number, root: Pointer): Pointer {
    const tree = heap.newobject(type);
    heap.storePointer(root, tree);
    let node = tree;
    let below = depth;
    let leaves = 0;
    while (true) {
      let slot = node;
      if (below > 0) {
        nodes[--below] = node;
      } else {
        // Behind every second leaf a tree of two levels is whole, behind every fourth one of three.
        leaves++;
        below = 31 - Math.clz32(leaves & -leaves);
        if (below === depth) break;
        slot = add(nodes[below], WORD_BYTES);
      }
      node = heap.newobject(type);
      heap.storePointer(slot, node);
    }
    return tree;
  }

  function count(tree: Pointer): number {
    // Without the plus sign each address would be an object: a parameter may be anything.
    let node = +tree;
    let count = 1;
    let waiting = 0;
    while (true) {
      const left = heap.loadPointer(node);
      if (left !== 0) {
        nodes[waiting++] = heap.loadPointer(add(node, WORD_BYTES));
        node = left;
      } else {
        if (waiting === 0) break;
        node = nodes[--waiting];
      }
      count++;
    }
    return count;
  }

  /** A tree is garbage as soon as it is counted, as it is in a language that sees when a variable dies. */
  function buildAndCount(depth: number): number {
    const nodes = count(build(depth, root));
    heap.storePointer(root, 0);
    return nodes;
  }

  return () => {
    const least = 4;
    let nodes = buildAndCount(depth + 1);
    const longer = build(depth, longerRoot);
    for (let d = least; d <= depth; d += 2) {
      const trees = 2 ** (depth - d + least);
      for (let i = 0; i < trees; i++) nodes += buildAndCount(d);
    }
    nodes += count(longer);
    heap.storePointer(longerRoot, 0);
    return nodes;
  };
}

function finalizerTypes(heap: GoHeap): { object: GoType; pointer: GoType; finalizer: GoType } {
  const { types } = heap;
  const object = types.array(types.uint8, 16);
  const pointer = types.pointer(object);
  return { object, pointer, finalizer: types.func([pointer], []) };
}

function finalizerClear(heap: GoHeap, objects: number): () => number {
  const { object, pointer, finalizer } = finalizerTypes(heap);
  const table = newTable(heap, objects);
  const live = new Float64Array(objects).map(() => heap.newobject(object));
  live.forEach((p, i) => heap.storePointer(table + i * WORD_BYTES, p));
  const nothing = { type: finalizer, data: () => {} };
  // Each loop has a function of its own: see the sink.
  const set = () => {
    for (const data of live) heap.SetFinalizer({ type: pointer, data }, nothing);
  };
  const clear = () => {
    for (const data of live) heap.SetFinalizer({ type: pointer, data }, null);
  };
  return () => {
    set();
    clear();
    return objects;
  };
}

function finalizerRun(heap: GoHeap, objects: number): () => number {
  const { object, pointer, finalizer } = finalizerTypes(heap);
  let ran = 0;
  const counting = { type: finalizer, data: () => void ran++ };
  const allocate = () => {
    for (let i = 0; i < objects; i++) {
      heap.SetFinalizer({ type: pointer, data: heap.newobject(object) }, counting);
    }
  };
  return () => {
    ran = 0;
    allocate();
    heap.GC();
    heap.runFinalizers();
    if (ran !== objects) throw new Error(`${ran} finalizers of ${objects} ran`);
    return ran;
  };
}

function persistentallocs(heap: GoHeap, bytes: number, operations: number): number {
  for (let i = 0; i < operations; i++) sink[0] = heap.persistentalloc(bytes, 8, "other_sys");
  return operations;
}

function findObjects(heap: GoHeap, workload: Workload): () => number {
  const { liveObjects, operations, sizes, seed } = workload;
  const nodes = newNodes(heap, liveObjects);
  const table = newTable(heap, liveObjects);
  nodes.forEach((p, i) => heap.storePointer(table + i * WORD_BYTES, p));
  const below = randomBelow(seed);
  const pointers = nodes.map(() => nodes[below(liveObjects)] + below(sizes[0]));
  return () => {
    let found = 0;
    for (let i = 0; i < operations; i++) {
      found += heap.findObject(pointers[i % liveObjects])?.size ?? 0;
    }
    if (found !== operations * sizes[0]) throw new Error(`found ${found} bytes`);
    return found;
  };
}

/** One of the two blocks of each span is kept, so that each allocation must refill the cache. */
function refill(heap: GoHeap, { liveObjects, operations, sizes: [bytes] }: Workload): Run {
  const flags = FlagNoScan | FlagNoZero;
  const kept = newTable(heap, liveObjects);
  for (let i = 0; i < liveObjects; i++) {
    heap.storePointer(kept + i * WORD_BYTES, heap.mallocgc(bytes, null, flags));
    heap.mallocgc(bytes, null, flags);
  }
  return {
    before: () => heap.GC(),
    batch(): number {
      for (let i = 0; i < operations; i++) sink[0] = heap.mallocgc(bytes, null, flags);
      return operations;
    },
  };
}

function sweep(heap: GoHeap, { liveObjects, sizes: [bytes] }: Workload): Run {
  const type = pointersType(heap, bytes);
  return {
    before(): void {
      for (let i = 0; i < liveObjects; i++) heap.mallocgc(bytes, type, 0);
    },
    batch: () => collect(heap),
  };
}

/** The command itself, from the gzip file to the JSON report: a heap is made and given back each time. */
function replay({ trace }: Workload): Prepared | null {
  const file = new URL(`../${trace}`, import.meta.url);
  try {
    Deno.statSync(file);
  } catch {
    return null;
  }
  const args = ["replay", "--json", decodeURIComponent(file.pathname)];
  return {
    async batch(): Promise<number> {
      let output = "";
      const out = (text: string) => void (output += text);
      const exitCode = await command(args, { out, err: out, isBold: false, hasProgress: false });
      if (exitCode !== 0) throw new Error(`replay failed: ${output}`);
      return output.length;
    },
    dispose(): void {},
  };
}
