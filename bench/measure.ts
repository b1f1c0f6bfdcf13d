/**
 * How a workload is timed, and the few numbers that are made of times. The programs under `peers/` that
 * are written in TypeScript all time alike here; the Go one follows the same {@linkcode Measuring}.
 *
 * @module
 */

import type { Measuring, PeerInput, PeerLine, Workload } from "./workloads.ts";

/**
 * A workload that is ready to run: its ballast and its graph are live, nothing else is. What `batch`
 * returns is made of what it computed, so that no compiler may leave the computation out.
 */
export interface Prepared {
  /** What must be done between two batches, untimed. */
  before?(): void;
  batch(): number | Promise<number>;
  dispose(): void;
}

/** Makes a workload ready, or returns null where it can't be expressed. */
export type Prepare = (workload: Workload) => Prepared | null;

/** The middle one of `values`, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2;
}

/** The median distance from the median: a spread that one bad run can't move. */
export function medianDeviation(values: readonly number[]): number {
  const middle = median(values);
  return median(values.map((value) => Math.abs(value - middle)));
}

/** The mean to take of ratios: halving one and doubling another leaves it where it was. */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** Runs a batch and what goes before it; the milliseconds that it took. */
async function runBatch(workload: Workload, prepared: Prepared): Promise<number> {
  prepared.before?.();
  const start = performance.now();
  const result = prepared.batch();
  const value = typeof result === "number" ? result : await result;
  const tookMs = performance.now() - start;
  if (Number.isNaN(value)) throw new Error(`${workload.name}: the batch computed nothing`);
  return tookMs;
}

/** The median of a workload's batches, in nanoseconds an operation. */
export async function measure(
  workload: Workload,
  prepared: Prepared,
  measuring: Measuring,
): Promise<number> {
  let warmMs = 0;
  for (let i = 0; i < measuring.warmBatches || warmMs < measuring.warmMs; i++) {
    warmMs += await runBatch(workload, prepared);
  }
  const times: number[] = [];
  let timedMs = 0;
  for (let i = 0; i < measuring.mostBatches; i++) {
    if (i >= measuring.leastBatches && timedMs >= measuring.leastMs) break;
    const tookMs = await runBatch(workload, prepared);
    times.push(tookMs * 1e6 / workload.operations);
    timedMs += tookMs;
  }
  return median(times);
}

/** The whole life of a peer's process: reads the workloads, prints a line for each that it has. */
export async function runPeer(prepare: Prepare): Promise<void> {
  const input: PeerInput = await new Response(Deno.stdin.readable).json();
  for (const workload of input.workloads) {
    const prepared = prepare(workload);
    if (prepared === null) continue;
    const ns = await measure(workload, prepared, input.measuring);
    prepared.dispose();
    const line: PeerLine = { name: workload.name, ns };
    console.log(JSON.stringify(line));
  }
}
