/**
 * What is measured: one table of workloads, which the `Deno.bench` suites and every peer (Go,
 * AssemblyScript, plain V8 objects) take their sizes, counts and seeds from. A peer gets its rows of this
 * table as JSON on standard input, so the numbers below stand nowhere else, and no two programs can
 * drift apart.
 *
 * A workload is run in *batches*: one batch is `operations` operations, and what is reported is the
 * batch's time divided by that. A batch of allocations is large enough to cause the collections it has to
 * pay for: 2,000,000 objects of 16 bytes are 32 MB, which is seven collections of a heap with 4 MiB live.
 *
 * Ballast. With nothing live, Go 1.4 collects every few hundred objects, and every heap looks slow in
 * a different way. So every workload holds `ballastBytes` of live noscan memory (4 MiB, in one block),
 * and heaps are made with Go 1.19's minimum of 4 MiB (`minHeapBytes: 4 MiB`, the default): with the
 * ballast live the next collection is due at 8 MiB in both, so that the minimum itself never decides.
 *
 * Graphs, of nodes of 32 bytes with two pointers, then two words without:
 *
 * - `random`: node p[i] points to node p[i + 1], where p is a random permutation closed to a ring, and
 *   node i to a random node. So every node is reachable from one root, no table of nodes is live,
 *   and almost no two neighbours share a cache line.
 * - `tree`: node i points to nodes 2i + 1 and 2i + 2, allocated in the order of i: a breadth-first binary
 *   tree in address order.
 * - `buffers`: a table of pointers to noscan blocks.
 *
 * Random numbers are one generator in all languages, a 32-bit one (x = x * 1664525 + 1013904223,
 * seed 1); a number below n is the high half of x * n. It decides cache misses, nothing statistical.
 *
 * @module
 */

/** How a workload is carried out; each program of `peers/` has one function a kind, or leaves it out. */
export type WorkloadKind =
  | "malloc"
  | "mallocProfiled"
  | "newobject"
  | "newarray"
  | "collect"
  | "mallocAmongLive"
  | "trees"
  | "finalizerClear"
  | "finalizerRun"
  | "persistentalloc"
  | "findObject"
  | "refill"
  | "sweep"
  | "replay";

/** The suite a workload belongs to. */
export type WorkloadGroup =
  | "malloc"
  | "collection"
  | "programs"
  | "finalizers"
  | "internals"
  | "large"
  | "growth";

/** One row: what is done, how often, and what is aimed at. */
export interface Workload {
  readonly name: string;
  readonly group: WorkloadGroup;
  readonly kind: WorkloadKind;
  /** How many operations one batch holds; times are given per operation. */
  readonly operations: number;
  /** The unit the table shows a time in; records are in nanoseconds an operation always. */
  readonly unit: "ns" | "ms" | "events/s";
  /** Bytes of the blocks allocated, in turn. */
  readonly sizes: readonly number[];
  /** Whether these blocks are all pointers, or hold none. */
  readonly pointers: boolean;
  readonly graph: "none" | "random" | "tree" | "buffers";
  /** How many objects are live beside the ballast. */
  readonly liveObjects: number;
  readonly depth: number;
  readonly ballastBytes: number;
  readonly gcPercent: number;
  readonly seed: number;
  /** The trace to replay, a path from the project's root; the row is left out where it is not there. */
  readonly trace: string;
  /** The time aimed at, as a ratio to Go 1.19 with GOMAXPROCS=1 in the same run. */
  readonly target?: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

/**
 * GOGC so high that a batch causes no collection. A negative one would also switch off the collections that
 * are asked for: Go 1.4's `runtime.GC()` does nothing then.
 */
const NO_AUTOMATIC_COLLECTION = 1_000_000;

const common = {
  operations: 1,
  unit: "ns",
  sizes: [],
  pointers: false,
  graph: "none",
  liveObjects: 0,
  depth: 0,
  ballastBytes: 4 * MiB,
  gcPercent: 100,
  seed: 1,
  trace: "",
} as const satisfies Partial<Workload>;

function noscan(
  name: string,
  sizes: readonly number[],
  operations: number,
  target: number,
): Workload {
  return { ...common, name, group: "malloc", kind: "malloc", operations, sizes, target };
}

function withPointers(bytes: number, target?: number): Workload {
  return {
    ...common,
    name: `malloc ${bytes} B with pointers`,
    group: "malloc",
    kind: "malloc",
    operations: 2_000_000,
    sizes: [bytes],
    pointers: true,
    target,
  };
}

function collection(
  name: string,
  graph: Workload["graph"],
  liveObjects: number,
  target: number,
): Workload {
  const sizes = [graph === "buffers" ? 64 * KiB : 32];
  const row = { group: "collection", kind: "collect", unit: "ms" } as const;
  return { ...common, ...row, name, sizes, graph, liveObjects, target };
}

function replay(program: string, trace: string, events: number): Workload {
  return {
    ...common,
    name: `replay of the ${program} trace`,
    group: "programs",
    kind: "replay",
    operations: events,
    unit: "events/s",
    ballastBytes: 0,
    trace,
  };
}

/** Ballast that puts all else above the 4 GiB mark; 1 % of it lets a batch reach a collection. */
const above4GiB = { ballastBytes: 5 * GiB, gcPercent: 1, group: "large" } as const;

function growth(graph: "random" | "tree", liveObjects: number): Workload[] {
  const millions = `${liveObjects / 1_000_000} M live, ${graph}`;
  const row = { ...common, group: "growth", sizes: [32], graph, liveObjects } as const;
  return [
    {
      ...row,
      kind: "collect",
      name: `collection per object, ${millions}`,
      operations: liveObjects,
    },
    {
      ...row,
      kind: "mallocAmongLive",
      name: `malloc 32 B with pointers, ${millions}`,
      pointers: true,
      operations: 2 * liveObjects,
    },
  ];
}

/** Every workload, in the order of the table. */
export const workloads: readonly Workload[] = [
  noscan("malloc 8 B noscan", [8], 2_000_000, 0.9),
  noscan("malloc 16 B noscan", [16], 2_000_000, 0.6),
  noscan("malloc 1 B noscan", [1], 4_000_000, 0.9),
  noscan("malloc 1, 4, 8 B noscan in turn", [1, 4, 8], 3_000_000, 0.9),
  withPointers(8, 0.6),
  withPointers(16, 0.55),
  withPointers(32, 0.45),
  withPointers(64, 0.45),
  {
    ...common,
    name: "malloc 64 B with pointers, sampled at 512 KiB",
    group: "malloc",
    kind: "mallocProfiled",
    operations: 2_000_000,
    sizes: [64],
    pointers: true,
  },
  noscan("malloc 1 KiB noscan", [KiB], 100_000, 0.5),
  noscan("malloc 64 KiB noscan", [64 * KiB], 4_000, 0.4),
  {
    ...common,
    name: "newobject 32 B struct, 2 pointers",
    group: "malloc",
    kind: "newobject",
    operations: 2_000_000,
    sizes: [32],
    pointers: true,
    target: 0.45,
  },
  withPointers(256),
  {
    ...common,
    name: "newarray of 4 pointers",
    group: "malloc",
    kind: "newarray",
    operations: 2_000_000,
    sizes: [32],
    pointers: true,
  },

  collection("collection of 1,000,000 x 32 B, random graph", "random", 1_000_000, 0.35),
  collection("collection of 1,000,000 x 32 B, tree in address order", "tree", 1_000_000, 0.45),
  collection("collection of 4096 x 64 KiB noscan", "buffers", 4096, 0.3),

  {
    ...common,
    name: "binary trees, depth 16",
    group: "programs",
    kind: "trees",
    unit: "ms",
    depth: 16,
    target: 0.5,
  },
  replay("bintree9", "examples/bintree9.allocfreetrace.txt.gz", 18_798),
  replay("json", "../shared/traces/json.allocfreetrace.txt.gz", 71_613),

  {
    ...common,
    name: "SetFinalizer and clear",
    group: "finalizers",
    kind: "finalizerClear",
    operations: 20_000,
    sizes: [16],
    liveObjects: 20_000,
    target: 0.2,
  },
  {
    ...common,
    name: "new, SetFinalizer, run",
    group: "finalizers",
    kind: "finalizerRun",
    operations: 20_000,
    sizes: [16],
    target: 0.25,
  },

  {
    ...common,
    name: "persistentalloc 16 B",
    group: "internals",
    kind: "persistentalloc",
    operations: 100_000,
    sizes: [16],
  },
  {
    ...common,
    name: "findObject, interior pointers",
    group: "internals",
    kind: "findObject",
    operations: 1_000_000,
    sizes: [32],
    liveObjects: 65_536,
  },
  {
    ...common,
    name: "refill (4 KiB not zeroed, one free a span)",
    group: "internals",
    kind: "refill",
    operations: 20_000,
    sizes: [4 * KiB],
    liveObjects: 20_000,
    gcPercent: NO_AUTOMATIC_COLLECTION,
  },
  {
    ...common,
    name: "sweep of 1,000,000 dead 32 B objects",
    group: "internals",
    kind: "sweep",
    unit: "ms",
    sizes: [32],
    liveObjects: 1_000_000,
    gcPercent: NO_AUTOMATIC_COLLECTION,
  },

  {
    ...withPointers(32, 0.45),
    ...above4GiB,
    name: "malloc 32 B with pointers above 4 GiB",
    operations: 4_000_000,
  },
  {
    ...collection("collection of 1,000,000 x 32 B above 4 GiB, random", "random", 1_000_000, 0.35),
    ...above4GiB,
  },

  ...growth("random", 1_000_000),
  ...growth("random", 10_000_000),
  ...growth("tree", 1_000_000),
  ...growth("tree", 10_000_000),
];

/** The name of the bench that every suite begins with and `bench:track` holds the others against. */
export const REFERENCE_NAME = "reference: typed-array loop";

/** What the benches on plain V8 objects are called, before the name of their workload. */
export const BASELINE_NAME = "V8 objects";

/**
 * How long a workload is measured: some batches to warm up, for at least so long, since a short batch is over before V8
 * has compiled what it calls; then so many, for at least so long.
 */
export interface Measuring {
  readonly warmBatches: number;
  readonly warmMs: number;
  readonly leastBatches: number;
  readonly mostBatches: number;
  readonly leastMs: number;
}

/** What a program of `peers/` reads as JSON from standard input. */
export interface PeerInput {
  readonly measuring: Measuring;
  readonly workloads: readonly Workload[];
}

/** What it answers: one such line of JSON a workload, the median over its batches. */
export interface PeerLine {
  readonly name: string;
  /** Nanoseconds an operation. */
  readonly ns: number;
}

/** The generator of all graphs, in the one form that every language here has. */
export function randomBelow(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state * n) / 4294967296);
  };
}

/** A graph as two arrays, the targets of each node's two pointers; -1 is nil. */
export function makeGraph(
  graph: "random" | "tree",
  nodes: number,
  seed: number,
): { left: Int32Array; right: Int32Array } {
  const left = new Int32Array(nodes).fill(-1);
  const right = new Int32Array(nodes).fill(-1);
  if (graph === "tree") {
    for (let i = 0; 2 * i + 1 < nodes; i++) {
      left[i] = 2 * i + 1;
      if (2 * i + 2 < nodes) right[i] = 2 * i + 2;
    }
    return { left, right };
  }
  const below = randomBelow(seed);
  const ring = new Int32Array(nodes).map((_, i) => i);
  for (let i = nodes - 1; i > 0; i--) {
    const j = below(i + 1);
    [ring[i], ring[j]] = [ring[j], ring[i]];
  }
  for (let i = 0; i < nodes; i++) {
    left[ring[i]] = ring[(i + 1) % nodes];
    right[i] = below(nodes);
  }
  return { left, right };
}
