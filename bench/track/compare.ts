/**
 * Tells a change from noise.
 *
 * A bench has moved if its ratio to the reference differs from the last record's by more than
 * {@linkcode SPREADS} times the spread of both records together, and by more than {@linkcode LEAST_MOVE}:
 * three runs can agree by chance, and then their spread says nothing. It is a regression if it also became
 * slower by more than a threshold, and is not one of the benches on plain V8 objects, which no change of this project
 * can move.
 *
 * ```
 *   was 2.00 ± 2 %, is 2.10 ± 3 %     + 5 % <  3 x 5 %    noise
 *   was 2.00 ± 2 %, is 2.40 ± 3 %     +20 % >  3 x 5 %    moved
 *   was 2.00 ± 2 %, is 2.60 ± 3 %     +30 % >  25 %       regression
 * ```
 *
 * @module
 */

import { BASELINE_NAME } from "../workloads.ts";
import type { TrackRecord } from "./record.ts";

/** How many spreads apart two ratios must be to differ. */
export const SPREADS = 3;
/** The least difference that counts as one. */
export const LEAST_MOVE = 0.05;

/** A bench that is not where it was. */
export interface Move {
  readonly name: string;
  readonly fromNs: number;
  readonly toNs: number;
  /** By how much it became slower, as a fraction; negative if faster. */
  readonly change: number;
  /** What the records' spreads alone could account for, as a fraction. */
  readonly noise: number;
  readonly isRegression: boolean;
}

/** What lies between two records. */
export interface Comparison {
  /** The worst first. */
  readonly moves: readonly Move[];
  readonly unchanged: number;
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** Compares a record with an earlier one; `threshold` is a fraction, 0.25 for 25 %. */
export function compareRecords(
  before: TrackRecord,
  after: TrackRecord,
  threshold: number,
): Comparison {
  const moves: Move[] = [];
  const added: string[] = [];
  let unchanged = 0;
  for (const [name, is] of Object.entries(after.benches)) {
    const was = before.benches[name];
    if (was === undefined) {
      added.push(name);
      continue;
    }
    const change = is.relative / was.relative - 1;
    const noise = Math.max(LEAST_MOVE, SPREADS * (was.spread + is.spread));
    if (Math.abs(change) <= noise) unchanged++;
    else {
      const isRegression = change > threshold && !name.startsWith(`${BASELINE_NAME}: `);
      moves.push({ name, fromNs: was.leastNs, toNs: is.leastNs, change, noise, isRegression });
    }
  }
  const removed = Object.keys(before.benches).filter((name) => !(name in after.benches));
  moves.sort((a, b) => b.change - a.change);
  return { moves, unchanged, added, removed };
}

/** A comparison as text. */
export function comparisonText(before: TrackRecord, comparison: Comparison): string {
  const lines = [`Compared with ${before.date}, in ratios to the reference of each run:`];
  for (const { name, fromNs, toNs, change, noise, isRegression } of comparison.moves) {
    const percent = `${change > 0 ? "+" : "-"}${(100 * Math.abs(change)).toFixed(0)} %`;
    const times = `${nsText(fromNs)} to ${nsText(toNs)}, noise ${(100 * noise).toFixed(0)} %`;
    const verdict = isRegression ? "REGRESSION" : change > 0 ? "slower" : "faster";
    lines.push(`  ${percent.padStart(7)}  ${verdict.padEnd(10)}  ${name} (${times})`);
  }
  lines.push(`  ${comparison.unchanged} did not move beyond the noise`);
  for (const name of comparison.added) lines.push(`  new: ${name}`);
  for (const name of comparison.removed) lines.push(`  gone: ${name}`);
  return `${lines.join("\n")}\n`;
}

function nsText(ns: number): string {
  return ns >= 1e5 ? `${(ns / 1e6).toPrecision(3)} ms` : `${ns.toPrecision(3)} ns`;
}
