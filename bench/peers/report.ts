/**
 * What comes out of a run of the peers: from the times of each round to the table.
 *
 * A ratio is taken within each round, between processes that ran next to one another, and the median of
 * these is what counts: a machine that is slower for a minute then slows both sides of a ratio.
 *
 * @module
 */

import { geometricMean, median } from "../measure.ts";
import type { Workload } from "../workloads.ts";

/** The peers by short name, in the order of the table's columns. */
export const PEER_NAMES = ["go", "v8", "assemblyscript", "goheap"] as const;
export type PeerName = typeof PEER_NAMES[number];

/** Nanoseconds an operation, by round, of the peers that have a workload. */
export type Times = Partial<Record<PeerName, readonly number[]>>;

/** One line of the report. */
export interface ReportRow {
  readonly name: string;
  readonly group: string;
  readonly unit: Workload["unit"];
  /** Median over the rounds, in nanoseconds an operation. */
  readonly ns: Partial<Record<PeerName, number>>;
  /** This heap's time as a ratio to another's. */
  readonly ratioTo: Partial<Record<PeerName, number>>;
  /** The ratio to Go that is aimed at, if there is one, and whether it was reached. */
  readonly target?: number;
  readonly isMet?: boolean;
}

/** What an object costs among 10,000,000 live ones, as a ratio to the cost among 1,000,000. */
export interface GrowthRow {
  readonly name: string;
  readonly ratio: Partial<Record<PeerName, number>>;
  readonly target: number;
}

/** All of a run. */
export interface Report {
  readonly machine: string;
  readonly versions: Partial<Record<PeerName, string>>;
  readonly rounds: number;
  readonly rows: readonly ReportRow[];
  /** The geometric mean of the malloc rows' ratios to Go, and what it is aimed to be. */
  readonly mallocMean?: { readonly ratio: number; readonly target: number };
  readonly growth: readonly GrowthRow[];
  /** What is missing, and why. */
  readonly leftOut: readonly string[];
}

const MALLOC_MEAN_TARGET = 0.55;
const GROWTH_TARGET = 1.5;

/** What is known of a run before its times are looked at. */
export type RunFacts = Pick<Report, "machine" | "versions" | "rounds" | "leftOut">;

/** Makes the report of the workloads that anyone ran. */
export function makeReport(
  facts: RunFacts,
  workloads: readonly Workload[],
  times: ReadonlyMap<string, Times>,
): Report {
  const rows = workloads.flatMap((workload) => {
    const of = times.get(workload.name);
    return of === undefined ? [] : [makeRow(workload, of)];
  });
  const mallocRatios = rows.flatMap(({ group, ratioTo: { go } }) =>
    group === "malloc" && go !== undefined ? [go] : []
  );
  return {
    ...facts,
    rows,
    ...(mallocRatios.length === 0
      ? {}
      : { mallocMean: { ratio: geometricMean(mallocRatios), target: MALLOC_MEAN_TARGET } }),
    growth: makeGrowth(rows),
  };
}

function makeRow({ name, group, unit, target }: Workload, times: Times): ReportRow {
  const ns: ReportRow["ns"] = {};
  const ratioTo: ReportRow["ratioTo"] = {};
  for (const peer of PEER_NAMES) {
    const theirs = times[peer];
    if (theirs === undefined) continue;
    ns[peer] = median(theirs);
    if (peer !== "goheap" && times.goheap !== undefined) {
      const rounds = times.goheap.slice(0, theirs.length);
      ratioTo[peer] = median(rounds.map((own, round) => own / theirs[round]));
    }
  }
  const row = { name, group, unit, ns, ratioTo };
  if (target === undefined) return row;
  return { ...row, target, ...(ratioTo.go === undefined ? {} : { isMet: ratioTo.go <= target }) };
}

const OF_1_M = "1 M live";
const OF_10_M = "10 M live";

function makeGrowth(rows: readonly ReportRow[]): GrowthRow[] {
  return rows.flatMap((small) => {
    const large = rows.find(({ name }) => name === small.name.replace(OF_1_M, OF_10_M));
    if (large === undefined || large === small) return [];
    const ratio: GrowthRow["ratio"] = {};
    for (const peer of PEER_NAMES) {
      const [from, to] = [small.ns[peer], large.ns[peer]];
      if (from !== undefined && to !== undefined) ratio[peer] = to / from;
    }
    return [{ name: small.name.replace(OF_1_M, "10 M / 1 M live"), ratio, target: GROWTH_TARGET }];
  });
}

const TITLES: Readonly<Record<PeerName, string>> = {
  go: "Go",
  v8: "V8 objects",
  assemblyscript: "AssemblyScript",
  goheap: "goheap",
};

/** The report as Markdown. */
export function toMarkdown(report: Report): string {
  const lines = [
    `${report.machine}; ${report.rounds} rounds, medians.`,
    ...PEER_NAMES.flatMap((peer) =>
      report.versions[peer] === undefined ? [] : [`- ${TITLES[peer]}: ${report.versions[peer]}`]
    ),
    "",
    ...markdownTable([
      ["workload", ...PEER_NAMES.map((peer) => TITLES[peer]), "to Go", "target", "to V8", "to AS"],
      ...report.rows.map(rowCells),
    ]),
  ];
  if (report.mallocMean !== undefined) {
    const { ratio, target } = report.mallocMean;
    lines.push("", `Geometric mean of the malloc rows, to Go: ${targetText(ratio, target)}.`);
  }
  if (report.growth.length > 0) {
    lines.push("", ...markdownTable([growthHead(), ...report.growth.map(growthCells)]));
  }
  if (report.leftOut.length > 0) {
    lines.push("", ...report.leftOut.map((what) => `Left out: ${what}`));
  }
  return `${lines.join("\n")}\n`;
}

function rowCells({ name, unit, ns, ratioTo, target }: ReportRow): string[] {
  return [
    name,
    ...PEER_NAMES.map((peer) => timeText(ns[peer], unit)),
    ratioText(ratioTo.go),
    target === undefined ? "" : targetText(ratioTo.go, target, false),
    ratioText(ratioTo.v8),
    ratioText(ratioTo.assemblyscript),
  ];
}

function growthHead(): string[] {
  return ["growth", ...PEER_NAMES.map((peer) => TITLES[peer]), "target"];
}

function growthCells({ name, ratio, target }: GrowthRow): string[] {
  return [
    name,
    ...PEER_NAMES.map((peer) => ratioText(ratio[peer])),
    targetText(ratio.goheap, target, false),
  ];
}

function targetText(ratio: number | undefined, target: number, showsRatio = true): string {
  if (ratio === undefined) return `${target}`;
  const verdict = ratio <= target ? "met" : "**missed**";
  return showsRatio ? `${ratioText(ratio)}, target ${target} ${verdict}` : `${target} ${verdict}`;
}

function ratioText(ratio: number | undefined): string {
  return ratio === undefined ? "" : ratio.toFixed(2);
}

/** A time per operation in the row's unit, to three digits or so. */
export function timeText(ns: number | undefined, unit: Workload["unit"]): string {
  if (ns === undefined) return "";
  if (unit === "events/s") return `${Math.round(1e9 / ns / 1000).toLocaleString("en-US")} k/s`;
  const value = unit === "ms" ? ns / 1e6 : ns;
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${unit}`;
}

/** Rows of cells, the first of them the head, as a table in Markdown; all but the first column right. */
function markdownTable(rows: readonly string[][]): string[] {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((cells) => cells[i].length), 3));
  const lineOf = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const [head, ...body] = rows.map((cells) =>
    lineOf(cells.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
  );
  const rule = lineOf(widths.map((width, i) => "-".repeat(width - 1) + (i === 0 ? "-" : ":")));
  return [head, rule, ...body];
}
