/**
 * The longest pause: how long a collection in slices stops the program at a time, beside one in one piece.
 *
 * Each heap has 1,000,000 live objects (see workloads.ts for the graphs; `table` is one array of pointers to as
 * many pointer-free objects, and `finalizers` are objects with one each, held by references). The program allocates 2000
 * objects a turn and moves some pointers; after each turn the heap does what its timer would do. The last line
 * says how long the machine itself stops a program.
 *
 *     deno task bench:pauses
 *
 * @module
 */

import { NUM_GC } from "../lib/arena/stats.ts";
import { partsOf } from "../lib/go_heap.ts";
import { SWEEP_DONE } from "../lib/spans/span_record.ts";
import { FlagNoScan, GoHeap, type Pointer } from "../mod.ts";
import { median } from "./measure.ts";
import { makeGraph, randomBelow } from "./workloads.ts";

const OBJECTS = 1_000_000;
const ALLOCATIONS_A_TURN = 2000;
const COLLECTIONS = 5;
const WORD = 8;

/** Makes 1,000,000 live objects; returns a few of them whose first word is a pointer. */
const HEAPS: Record<string, (heap: GoHeap) => Pointer[]> = {
  random: (heap) => linked(heap, "random"),
  tree: (heap) => linked(heap, "tree"),
  table: (heap) => {
    const { types } = heap;
    const table = heap.newarray(types.unsafePointer, OBJECTS);
    heap.storePointer(heap.global(types.unsafePointer), table);
    for (let i = 0; i < OBJECTS; i++) {
      heap.storePointer(table + i * WORD, heap.mallocgc(32, null, FlagNoScan));
    }
    return [table];
  },
  finalizers: (heap) => {
    const { types } = heap;
    const type = types.pointer(types.array(types.unsafePointer, 4));
    const finalizer = { type: types.func([type], []), data: () => {} };
    const table = heap.global(types.array(types.unsafePointer, OBJECTS));
    for (let i = 0; i < OBJECTS; i++) {
      const object = heap.newobject(type.elem!);
      heap.storePointer(table + i * WORD, object);
      heap.SetFinalizer({ type, data: object }, finalizer);
    }
    return [table];
  },
};

function linked(heap: GoHeap, graph: "random" | "tree"): Pointer[] {
  const { types } = heap;
  const type = types.array(types.unsafePointer, 4);
  const { left, right } = makeGraph(graph, OBJECTS, 1);
  const nodes = Float64Array.from({ length: OBJECTS }, () => heap.newobject(type));
  for (let i = 0; i < OBJECTS; i++) {
    if (left[i] >= 0) heap.storePointer(nodes[i], nodes[left[i]]);
    if (right[i] >= 0) heap.storePointer(nodes[i] + WORD, nodes[right[i]]);
  }
  heap.storePointer(heap.global(types.unsafePointer), nodes[0]);
  return [...nodes.subarray(0, 100)];
}

/** What the program does in a turn. */
function turn(heap: GoHeap, nodes: readonly Pointer[], below: (n: number) => number): void {
  const type = heap.types.array(heap.types.unsafePointer, 4);
  for (let i = 0; i < ALLOCATIONS_A_TURN; i++) {
    const node = heap.newobject(type);
    if (i % 100 === 0) {
      // In front of what was there, and taken out again.
      const at = nodes[below(nodes.length)];
      const before = heap.loadPointer(at);
      heap.storePointer(node, before);
      heap.storePointer(at, node);
      heap.storePointer(at, before);
    }
  }
}

function measure(name: string): void {
  using heap = new GoHeap({ platform: "linux/amd64" });
  const nodes = HEAPS[name](heap);
  heap.GC();
  const whole: number[] = [];
  for (let i = 0; i < COLLECTIONS; i++) {
    const start = performance.now();
    heap.GC();
    whole.push(performance.now() - start);
  }
  const { collector, spans } = partsOf(heap);
  const below = randomBelow(1);
  const pauses: number[] = [];
  const numGC = () => partsOf(heap).stats[NUM_GC];
  const last = numGC() + COLLECTIONS;
  while (numGC() < last) {
    turn(heap, nodes, below);
    if (!collector.isRequested && spans.sweep[SWEEP_DONE] === 1) continue;
    const start = performance.now();
    collector.runTurn();
    pauses.push(performance.now() - start);
  }
  const sorted = pauses.toSorted((a, b) => b - a);
  const ms = (n: number) => `${n.toFixed(2)} ms`;
  console.log(
    `${name}: in one piece ${ms(median(whole))}; in slices longest ${ms(sorted[0])}, ` +
      `then ${ms(sorted[1])}, ${ms(sorted[2])}, median ${ms(median(pauses))}, ` +
      `${Math.round(pauses.length / COLLECTIONS)} slices a collection`,
  );
}

/** How much longer than a millisecond a loop of one lasts on this machine: what no collector can help. */
function measureHost(): void {
  const times = Array.from({ length: 1000 }, () => {
    const start = performance.now();
    let now = start;
    while (now < start + 1) now = performance.now();
    return now - start;
  });
  const [first, second, third] = times.sort((a, b) => b - a).map((n) => n.toFixed(2));
  console.log(`a loop of 1 ms: longest ${first} ms, then ${second} ms, ${third} ms`);
}

for (const name of Object.keys(HEAPS)) measure(name);
measureHost();
