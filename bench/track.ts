/**
 * `deno task bench:track`: runs the suites, keeps what they took, and says what moved since the last time.
 *
 * A record goes to `bench/history/`, one file a run of this task; what it holds and how it keeps noise out
 * is told in `track/record.ts`, what counts as a change in `track/compare.ts`. Two files for others go to
 * `dist/`: `benchmarks.json` for github-action-benchmark, `benchmarks.html` with charts.
 *
 * Exit codes: 0 nothing became slower beyond the threshold, 1 something did or a bench failed, 2 usage.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import chartScript from "uplot/dist/uPlot.iife.min.js" with { type: "text" };
import chartStyle from "uplot/dist/uPlot.min.css" with { type: "text" };
import { machineName } from "./machine.ts";
import { chartPage } from "./track/chart.ts";
import { compareRecords, comparisonText } from "./track/compare.ts";
import {
  type BenchOutput,
  benchRecords,
  isComparable,
  toSmallerIsBetter,
  type TrackRecord,
} from "./track/record.ts";
import { REFERENCE_NAME, workloads } from "./workloads.ts";

const HELP = `Run the bench suites, record them, and compare with the last record

Usage: deno task bench:track [options]

  --runs N         how often the suites run (3)
  --threshold P    a bench that became slower by more than P percent is a regression (25)
  -h, --help       print this
`;

const HISTORY = new URL("./history/", import.meta.url);
const OUTPUT = new URL("../dist/", import.meta.url);

async function runSuites(): Promise<BenchOutput> {
  const suites = decodeURIComponent(new URL(".", import.meta.url).pathname);
  const args = ["bench", "--json", "--allow-read", "--allow-env", "--v8-flags=--expose-gc", suites];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  if (success) return JSON.parse(new TextDecoder().decode(stdout));
  throw new Error(`the suites failed\n${new TextDecoder().decode(stderr)}`);
}

function operationsOf(benchName: string): number {
  const workload = workloads.find(({ name }) => benchName.endsWith(`: ${name}`));
  if (workload === undefined) throw new Error(`${benchName}: no workload of this name`);
  return workload.operations;
}

/** All records, in the order of their dates, which are their names. */
function readHistory(): TrackRecord[] {
  const names = [...Deno.readDirSync(HISTORY)].map(({ name }) => name);
  const records = names.filter((name) => name.endsWith(".json")).toSorted();
  return records.map((name) => JSON.parse(Deno.readTextFileSync(new URL(name, HISTORY))));
}

function writeJson(directory: URL, name: string, value: unknown): void {
  Deno.writeTextFileSync(new URL(name, directory), `${JSON.stringify(value, null, 2)}\n`);
}

async function track(runs: number, threshold: number): Promise<number> {
  const outputs: BenchOutput[] = [];
  for (let run = 1; run <= runs; run++) {
    console.error(`run ${run} of ${runs}`);
    outputs.push(await runSuites());
  }
  const record: TrackRecord = {
    date: new Date().toISOString(),
    machine: machineName(),
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    runs,
    benches: benchRecords(outputs, REFERENCE_NAME, operationsOf),
  };
  Deno.mkdirSync(HISTORY, { recursive: true });
  Deno.mkdirSync(OUTPUT, { recursive: true });
  const comparable = readHistory().filter((earlier) => isComparable(earlier, record));
  writeJson(HISTORY, `${record.date.replaceAll(":", "-").slice(0, 19)}.json`, record);
  writeJson(OUTPUT, "benchmarks.json", toSmallerIsBetter(record));
  const page = chartPage([...comparable, record], { script: chartScript, style: chartStyle });
  Deno.writeTextFileSync(new URL("benchmarks.html", OUTPUT), page);
  const before = comparable.at(-1);
  if (before === undefined) {
    console.log(
      `The first record of ${record.machine}, Deno ${record.deno}: nothing to compare with`,
    );
    return 0;
  }
  const comparison = compareRecords(before, record, threshold);
  console.log(comparisonText(before, comparison));
  return comparison.moves.some(({ isRegression }) => isRegression) ? 1 : 0;
}

if (import.meta.main) {
  const flags = parseArgs(Deno.args, {
    string: ["runs", "threshold"],
    boolean: ["help"],
    alias: { h: "help" },
    default: { runs: "3", threshold: "25" },
  });
  const [runs, percent] = [Number(flags.runs), Number(flags.threshold)];
  if (flags.help || !Number.isInteger(runs) || runs < 1 || !(percent > 0)) {
    console.log(HELP);
    Deno.exit(flags.help ? 0 : 2);
  }
  Deno.exit(await track(runs, percent / 100));
}
