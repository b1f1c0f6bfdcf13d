/**
 * Turns the workloads of a group into a `Deno.bench` suite: this heap beside plain V8 objects, which
 * are each group's baseline, so that the summary states the ratio to the horizon.
 *
 * One iteration is one batch of {@linkcode Workload.operations} operations, with the collections it
 * causes; divide by that number for the time of one. A heap is made when its bench begins, outside the
 * measured part, and given back when the next one begins.
 *
 * `deno bench` keeps some 80 MB in V8's own heap, which every `gc()` walks: what V8 needs for a collection is
 * told by `bench:peers`, not here.
 *
 * Each suite begins with a reference that no change of this project can move. `bench:track` holds all
 * times of the suite against it.
 *
 * @module
 */

import { prepareHeap } from "./heap_workloads.ts";
import type { Prepare, Prepared } from "./measure.ts";
import { hasV8Workload, prepareV8 } from "./v8_workloads.ts";
import {
  BASELINE_NAME,
  REFERENCE_NAME,
  type Workload,
  type WorkloadGroup,
  workloads,
} from "./workloads.ts";

/** Batches of so many objects take seconds; a few of them must do. */
const MANY_OBJECTS = 5_000_000;

/** Registers the benches of one group. */
export function registerSuite(group: WorkloadGroup): void {
  registerReference(group);
  for (const workload of workloads) {
    if (workload.group !== group || !isThere(workload)) continue;
    register(workload, "goheap", prepareHeap, false);
    if (hasV8Workload(workload)) register(workload, BASELINE_NAME, prepareV8, true);
  }
}

function isThere({ trace }: Workload): boolean {
  if (trace === "") return true;
  try {
    return Deno.statSync(new URL(`../${trace}`, import.meta.url)).isFile;
  } catch {
    return false;
  }
}

let running: { name: string; prepared: Prepared } | null = null;

function register(workload: Workload, what: string, prepare: Prepare, baseline: boolean): void {
  const name = `${what}: ${workload.name}`;
  Deno.bench({
    name,
    group: workload.name,
    baseline,
    ...(workload.operations > MANY_OBJECTS ? { n: 3, warmup: 1 } : {}),
    async fn(b): Promise<void> {
      const prepared = preparedFor(name, workload, prepare);
      prepared.before?.();
      b.start();
      const result = prepared.batch();
      if (typeof result !== "number") await result;
      b.end();
    },
  });
}

function preparedFor(name: string, workload: Workload, prepare: Prepare): Prepared {
  if (running?.name === name) return running.prepared;
  running?.prepared.dispose();
  running = null;
  const prepared = prepare(workload);
  if (prepared === null) throw new Error(`Cannot run '${name}' here`);
  running = { name, prepared };
  return prepared;
}

/** A million steps of the generator, each a dependent load and a store into 1 MiB. */
function registerReference(group: WorkloadGroup): void {
  const words = new Int32Array(2 ** 18);
  Deno.bench({
    name: REFERENCE_NAME,
    group: `reference of ${group}`,
    fn(): void {
      let state = 1;
      for (let i = 0; i < 1_000_000; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) | 0;
        const index = state >>> 14;
        state ^= words[index];
        words[index] = state;
      }
    },
  });
}
