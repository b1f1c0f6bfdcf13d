/**
 * `deno task bench:peers`: the workloads of `workloads.ts` on this heap, in native Go, in AssemblyScript
 * and on plain V8 objects, in turn, on one machine, in one run.
 *
 * Rounds go through the suites one by one, and within a suite through the programs, forwards in one round
 * and backwards in the next. So whatever slows the machine for a while slows neighbours alike, and no program
 * always comes after the same other one. Each program's process handles the rows of one suite: a heap that is
 * fast only for the first size it ever sees would show it.
 *
 * What is not installed is left out, and the table says so.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { machineName } from "./machine.ts";
import { buildPeers, type Peer, runProgram } from "./peers/programs.ts";
import { makeReport, type PeerName, type Report, toMarkdown } from "./peers/report.ts";
import { type Measuring, type Workload, workloads } from "./workloads.ts";

const HELP = `Time the same work in Go, AssemblyScript, V8 objects and goheap

Usage: deno task bench:peers [options]

  --rounds N      how often each program runs (3)
  --only PATTERN  only workloads and suites whose name matches the regular expression
  --peers LIST    only these, of go, v8, assemblyscript, goheap
  --out FILE      write the results as JSON, too; the table goes to standard output
  -h, --help      print this
`;

const measuring: Measuring = {
  warmBatches: 2,
  warmMs: 300,
  leastBatches: 3,
  mostBatches: 40,
  leastMs: 300,
};

/** What the rounds have brought so far: times by workload and program, and what failed. */
class Results {
  readonly times: Map<string, Partial<Record<PeerName, number[]>>> = new Map();
  readonly failures: Set<string> = new Set();

  add(workload: string, peer: PeerName, ns: number): void {
    const row = this.times.get(workload) ?? {};
    (row[peer] ??= []).push(ns);
    this.times.set(workload, row);
  }
}

async function runRounds(peers: Peer[], chosen: Workload[], rounds: number): Promise<Results> {
  const results = new Results();
  const suites = Map.groupBy(chosen, ({ group }) => group);
  for (let round = 0; round < rounds; round++) {
    const inTurn = round % 2 === 0 ? peers : peers.toReversed();
    for (const [suite, rows] of suites) {
      for (const peer of inTurn) {
        console.error(`round ${round + 1} of ${rounds}: ${suite}, ${peer.name}`);
        await runSuite(peer, rows, results);
      }
    }
  }
  return results;
}

async function runSuite(peer: Peer, rows: Workload[], results: Results): Promise<void> {
  const { lines, error } = await runProgram(peer, { measuring, workloads: rows });
  for (const { name, ns } of lines) results.add(name, peer.name, ns);
  if (error !== null) results.failures.add(`${peer.name}, ${rows[0].group}: ${error}`);
}

/** Builds the programs, runs the rounds, and makes the report. */
async function run(chosen: Workload[], names: string[], rounds: number): Promise<Report> {
  const directory = await Deno.makeTempDir({ prefix: "goheap_peers_" });
  try {
    const { peers, leftOut } = await buildPeers(directory);
    const used = peers.filter(({ name }) => names.length === 0 || names.includes(name));
    const results = await runRounds(used, chosen, rounds);
    const facts = {
      machine: machineName(),
      versions: Object.fromEntries(used.map(({ name, version }) => [name, version])),
      rounds,
      leftOut: [...leftOut, ...results.failures],
    };
    return makeReport(facts, chosen, results.times);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

if (import.meta.main) {
  const flags = parseArgs(Deno.args, {
    string: ["rounds", "only", "out", "peers"],
    boolean: ["help"],
    alias: { h: "help" },
    default: { rounds: "3", only: "", peers: "" },
  });
  const rounds = Number(flags.rounds);
  if (flags.help || !Number.isInteger(rounds) || rounds < 1) {
    console.log(HELP);
    Deno.exit(flags.help ? 0 : 2);
  }
  const pattern = new RegExp(flags.only);
  const chosen = workloads.filter(({ name, group }) => pattern.test(name) || pattern.test(group));
  const report = await run(chosen, flags.peers.split(",").filter((name) => name !== ""), rounds);
  console.log(toMarkdown(report));
  if (flags.out) await Deno.writeTextFile(flags.out, `${JSON.stringify(report, null, 2)}\n`);
}
