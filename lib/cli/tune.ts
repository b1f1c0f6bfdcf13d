/**
 * `goheap tune`: one trace, replayed with every combination of GOGC, platform and minimum heap, and what
 * each takes and costs as a table.
 *
 * @module
 */

import { hostPlatform, platformNamed } from "../platform/platform.ts";
import { CommandError, type Terminal } from "./command.ts";
import { openInput } from "./input.ts";
import { Progress } from "./progress.ts";
import { Recording } from "./recording.ts";
import { type FaultCounts, Replayer } from "./replayer.ts";
import { bold, type Column, grouped, printable, tableLines } from "./text_table.ts";
import { readTrace } from "./trace_reading.ts";
import type { Tally } from "./trace_totals.ts";
import type { TuneFigures, TuneResult, TuneSetting } from "./tune_run.ts";
import { runAll } from "./tune_worker.ts";

/** What `goheap tune` can be told. */
export interface TuneOptions {
  /** The trace's file name, or `-` for standard input. */
  readonly trace: string;
  /** The platforms to try; the host's if undefined. */
  readonly platforms?: readonly string[];
  /** The values of GOGC to try, in percent; negative for no collection. */
  readonly gcPercents: readonly number[];
  /** The minimum heaps to try, in bytes. */
  readonly minHeaps: readonly number[];
  /** How many runs at a time; one a processor if undefined. */
  readonly jobs?: number;
  /** Whether to count faulty records in place of stopping at the first. */
  readonly isLenient: boolean;
  /** Whether to print JSON in place of the table. */
  readonly isJson: boolean;
}

/** What `goheap tune --json` prints. */
export interface TuneReport {
  readonly trace: string;
  readonly lines: number;
  readonly allocated: Tally;
  readonly peakLive: Tally;
  readonly faults: FaultCounts;
  /** How many workers did the runs; 0 if this thread did them itself. */
  readonly workers: number;
  /** By platform, then minimum heap, then GOGC, in the order in which they were given. */
  readonly runs: readonly TuneResult[];
}

/** Replays a trace with every setting and prints the table; throws a `CommandError` if nothing came of it. */
export async function tune(options: TuneOptions, terminal: Terminal): Promise<void> {
  const settings = settingsOf(options);
  const progress = new Progress(terminal);
  using input = await openInput(options.trace);
  const maxima = settings.map(({ platform }) => platformNamed(platform).maxMemBytes);
  const recording = new Recording(Math.max(...maxima));
  const replayer = new Replayer(recording, options.isLenient);
  const lines = await readTrace(input, replayer, progress);

  const jobs = options.jobs ?? navigator.hardwareConcurrency;
  const onDone = (done: number) => progress.updateCount(done, settings.length, "runs");
  const { results, workers } = await runAll(recording.end(), settings, jobs, onDone)
    .finally(() => progress.hide());
  const failed = results.filter((result) => "error" in result);
  if (failed.length === results.length) {
    throw new CommandError(`${input.name}: ${settingText(failed[0])}: ${failed[0].error}`);
  }
  const { totals: { allocated, peak: peakLive }, faults } = replayer;
  const report = { trace: input.name, lines, allocated, peakLive, faults, workers, runs: results };
  if (options.isJson) terminal.out(`${JSON.stringify(report, null, 2)}\n`);
  else terminal.out(tuneText(report, terminal.isBold));
}

function settingsOf({ platforms, gcPercents, minHeaps }: TuneOptions): TuneSetting[] {
  return (platforms ?? [hostPlatform().name]).flatMap((platform) =>
    minHeaps.flatMap((minHeapBytes) =>
      gcPercents.map((gcPercent) => ({ platform, minHeapBytes, gcPercent }))
    )
  );
}

/** The table, and what has to be said to read it. */
function tuneText(report: TuneReport, isBold: boolean): string {
  const { trace, allocated, peakLive, faults } = report;
  const columns: Column[] = [
    { heading: "platform", align: "left" },
    { heading: "min heap" },
    { heading: "GOGC" },
    { heading: "peak" },
    { heading: "waste" },
    { heading: "of peak" },
    { heading: "HeapSys" },
    { heading: "collections" },
    { heading: "paused" },
  ];
  const [headings, ...rows] = tableLines(columns, report.runs.map(tableRow));
  const skipped = Object.values(faults).reduce((sum, count) => sum + count, 0);
  return [
    `${printable(trace)}: ${grouped(allocated.objects)} objects of ${
      grouped(allocated.bytes)
    } bytes, at most ${grouped(peakLive.bytes)} bytes live at once`,
    ...(skipped > 0 ? [`${grouped(skipped)} faulty records were left out`] : []),
    "",
    bold(headings, isBold),
    ...rows,
    ...failures(report.runs),
    "",
  ].join("\n");
}

function tableRow(result: TuneResult): string[] {
  const { platform, minHeapBytes, gcPercent } = result;
  const setting = [platform, grouped(minHeapBytes), gogcText(gcPercent)];
  return "error" in result
    ? [...setting, "failed", "", "", "", "", ""]
    : [...setting, ...figureCells(result)];
}

function figureCells(figures: TuneFigures): string[] {
  const { peakBytes, wasteBytes, sysBytes, collections, pauseTotalNs } = figures;
  return [
    grouped(peakBytes),
    grouped(wasteBytes),
    `${peakBytes === 0 ? 0 : Math.round(100 * wasteBytes / peakBytes)} %`,
    grouped(sysBytes),
    grouped(collections),
    `${(pauseTotalNs / 1e6).toFixed(1)} ms`,
  ];
}

function failures(runs: readonly TuneResult[]): string[] {
  const lines = runs.flatMap((run) => "error" in run ? [`${settingText(run)}: ${run.error}`] : []);
  return lines.length === 0 ? [] : ["", ...lines];
}

function settingText({ platform, minHeapBytes, gcPercent }: TuneSetting): string {
  return `${platform}, minimum heap ${grouped(minHeapBytes)}, GOGC=${gogcText(gcPercent)}`;
}

function gogcText(gcPercent: number): string {
  return gcPercent < 0 ? "off" : String(gcPercent);
}
