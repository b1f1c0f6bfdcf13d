/**
 * The AssemblyScript peer's process: calls the wasm module, whose path is its only argument.
 *
 * @module
 */

import { type Prepared, runPeer } from "../../measure.ts";
import type { Workload } from "../../workloads.ts";

type Exports = Record<string, (...args: number[]) => number | undefined>;

/** An arena of wasm32 ends at 4 GiB, and AssemblyScript's limit for one block is 1 GiB. */
const MOST_BALLAST_BYTES = 2 ** 30;

const source = await Deno.readFile(Deno.args[0]);
const { instance } = await WebAssembly.instantiate(source, {
  env: {
    abort(): never {
      throw new Error("the AssemblyScript program aborted");
    },
  },
});
const program = instance.exports as unknown as Exports;

await runPeer((workload) => {
  const batch = batchOf(workload);
  if (batch === null || workload.ballastBytes > MOST_BALLAST_BYTES) return null;
  program.setBallast(workload.ballastBytes);
  makeGraph(workload);
  program.collect();
  return { batch, dispose: () => void program.dispose() };
});

function batchOf(workload: Workload): Prepared["batch"] | null {
  const { operations, sizes, depth } = workload;
  switch (workload.kind) {
    case "malloc":
    case "newobject":
    case "newarray":
    case "mallocAmongLive": {
      const allocate = program[loopName(workload)];
      return allocate === undefined ? null : () => allocate(operations, sizes[0]) ?? 0;
    }
    case "collect":
      return () => program.collect() ?? 0;
    case "trees":
      return () => program.binaryTrees(depth) ?? 0;
    default:
      return null;
  }
}

function loopName({ kind, sizes, pointers }: Workload): string {
  if (kind === "newobject") return "entries";
  if (kind === "newarray") return "arrays";
  if (sizes.length > 1) return "noscanMixed";
  if (sizes[0] >= 1024) return "noscanBytes";
  return `${pointers ? "pointers" : "noscan"}${sizes[0]}`;
}

function makeGraph({ graph, liveObjects, sizes, seed }: Workload): void {
  if (graph === "tree") program.makeTree(liveObjects);
  if (graph === "random") program.makeRandom(liveObjects, seed);
  if (graph === "buffers") program.makeBuffers(liveObjects, sizes[0]);
}
