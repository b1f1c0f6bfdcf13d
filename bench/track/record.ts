/**
 * A record: what one run of `bench:track` measured, on what, and when. It is a file of JSON in
 * `bench/history/`, named by its date; the history is nothing but these files.
 *
 * A bench is timed on machines that others use at the same time, and what they do only ever adds time. In
 * five runs of one unchanged bench, one after another, the mean of a run moved by 40 %, the 75th percentile by
 * 50 %, and the least batch by 10 %. A batch is long enough to pay for the collections it causes, each batch
 * for as many as the next, so the least one is not a lucky one. Therefore:
 *
 * - `leastNs` is what is compared: of each run the least batch, of these the median over the runs;
 * - a machine also has slow hours, in which the least batch is slower too. `relative` is `leastNs` as a ratio to
 *   the reference of the same suite in the same run, a loop that no change of this project can move;
 * - `spread` is how far the runs' ratios lie apart, as a fraction: their median distance from their median;
 * - `meanNs`, the median of the runs' means, is what `deno bench` shows, kept for people.
 *
 * @module
 */

import { median, medianDeviation } from "../measure.ts";

/** What one bench took; times are in nanoseconds an operation. */
export interface BenchRecord {
  readonly meanNs: number;
  readonly leastNs: number;
  readonly relative: number;
  readonly spread: number;
}

/** One run of the suites. */
export interface TrackRecord {
  /** ISO 8601, in UTC. */
  readonly date: string;
  readonly machine: string;
  readonly deno: string;
  readonly v8: string;
  readonly runs: number;
  readonly benches: Readonly<Record<string, BenchRecord>>;
}

/** The part of what `deno bench --json` prints that is used here; times are in nanoseconds a batch. */
export interface BenchOutput {
  readonly benches: readonly {
    readonly origin: string;
    readonly name: string;
    readonly results: readonly ({ ok: { avg: number; min: number } } | { failed: unknown })[];
  }[];
}

/** Turns the outputs of several runs into the benches of a record, in the order of the first. */
export function benchRecords(
  outputs: readonly BenchOutput[],
  referenceName: string,
  operationsOf: (benchName: string) => number,
): Record<string, BenchRecord> {
  const runs = new Map<string, { mean: number; least: number; relative: number }[]>();
  for (const output of outputs) {
    const references = new Map<string, number>();
    for (const { origin, name, results } of output.benches) {
      const [result] = results;
      if (!("ok" in result)) throw new Error(`${name}: the bench failed`);
      const { avg, min } = result.ok;
      if (name === referenceName) references.set(origin, min);
      else {
        const reference = references.get(origin);
        if (reference === undefined) throw new Error(`${name}: no reference ran before it`);
        const operations = operationsOf(name);
        const run = { mean: avg / operations, least: min / operations, relative: min / reference };
        runs.set(name, [...runs.get(name) ?? [], run]);
      }
    }
  }
  return Object.fromEntries([...runs].map(([name, of]) => [name, summarize(of)]));
}

function summarize(
  runs: readonly { mean: number; least: number; relative: number }[],
): BenchRecord {
  const relatives = runs.map(({ relative }) => relative);
  const relative = median(relatives);
  return {
    meanNs: median(runs.map(({ mean }) => mean)),
    leastNs: median(runs.map(({ least }) => least)),
    relative,
    spread: medianDeviation(relatives) / relative,
  };
}

/** Whether two records are of the same kind of machine and the same versions, and so may be compared. */
export function isComparable(one: TrackRecord, other: TrackRecord): boolean {
  return one.machine === other.machine && one.deno === other.deno && one.v8 === other.v8;
}

/** The form that github-action-benchmark reads as `customSmallerIsBetter`. */
export interface SmallerIsBetter {
  readonly name: string;
  readonly unit: "ns/op";
  readonly value: number;
  readonly range: string;
  readonly extra: string;
}

/** A record in that form. */
export function toSmallerIsBetter(record: TrackRecord): SmallerIsBetter[] {
  return Object.entries(record.benches).map(([name, { leastNs, spread, relative }]) => ({
    name,
    unit: "ns/op",
    value: leastNs,
    range: `± ${(100 * spread).toFixed(1)} %`,
    extra: `${relative.toPrecision(4)} of the reference; ${record.machine}, Deno ${record.deno}`,
  }));
}
