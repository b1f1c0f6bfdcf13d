/**
 * `goheap replay`: what a Go program allocated and freed, done over in a heap of this module.
 *
 * @module
 */

import { GoHeap, partsOf } from "../go_heap.ts";
import { heapProfileProto } from "../inspect/heap_profile_proto.ts";
import { heapProfileText } from "../inspect/heap_profile_text.ts";
import { CommandError, oneLine, type Terminal } from "./command.ts";
import { HeapBlocks } from "./heap_blocks.ts";
import { PageRecorder } from "./html/page_recorder.ts";
import { type Input, openInput } from "./input.ts";
import { writeBytes, writeOutput } from "./output.ts";
import { Progress } from "./progress.ts";
import { Replayer } from "./replayer.ts";
import { reportText } from "./report.ts";
import { csvHeading, csvLine, type HeapSample, Sampler } from "./sampler.ts";
import { type ReplaySummary, summarize } from "./summary.ts";
import { readTrace } from "./trace_reading.ts";
import { TraceStacks } from "./trace_stacks.ts";

/** What `goheap replay` can be told. */
export interface ReplayOptions {
  /** The trace's file name, or `-` for standard input. */
  readonly trace: string;
  /** The platform whose heap it is; the host's if undefined. */
  readonly platform?: string;
  /** GOGC in percent; negative for no automatic collection. */
  readonly gcPercent: number;
  /** Whether to print a line for each collection. */
  readonly hasGctrace: boolean;
  /** Whether to count faulty records in place of stopping at the first. */
  readonly isLenient: boolean;
  /** Print a sample after so many events and after each collection, in place of the report. */
  readonly sampleInterval?: number;
  /** Whether to print JSON in place of the report or of CSV. */
  readonly isJson: boolean;
  /** Where to write a dump of the heap as it is at the end. */
  readonly heapDumpFile?: string;
  /** Where to write a page with charts. */
  readonly htmlFile?: string;
  /** Where to write the memory profile at the end. */
  readonly profileFile?: string;
}

/** Replays a trace and prints what came of it; throws a `CommandError` if the trace can't be replayed. */
export async function replay(options: ReplayOptions, terminal: Terminal): Promise<void> {
  const progress = new Progress(terminal);
  const isReport = !options.isJson && options.sampleInterval === undefined;
  using input = await openInput(options.trace);
  // Beside what another program may read, gctrace lines go to standard error.
  using heap = makeHeap(options, (line) => {
    progress.hide();
    const text = line.endsWith("\n") ? line : `${line}\n`;
    if (isReport) terminal.out(text);
    else terminal.err(text);
  });
  const print = (text: string) => {
    progress.hide();
    terminal.out(text);
  };
  const summary = await replayInput(input, heap, options, { progress, print });
  const { heapDumpFile, profileFile } = options;
  if (heapDumpFile !== undefined) await writeOutput(heapDumpFile, heap.writeHeapDump());
  if (profileFile !== undefined) await writeProfile(profileFile, heap);
  if (options.sampleInterval !== undefined) return;
  if (options.isJson) terminal.out(`${JSON.stringify(summary, null, 2)}\n`);
  else terminal.out(`${options.hasGctrace ? "\n" : ""}${reportText(summary, terminal.isBold)}`);
}

function makeHeap(options: ReplayOptions, trace: (line: string) => void): GoHeap {
  const { platform, gcPercent, hasGctrace } = options;
  try {
    return new GoHeap({
      platform,
      gcPercent,
      minHeapBytes: 0,
      collect: "malloc",
      // A trace has few allocations, and all of them are wanted.
      memProfileRate: options.profileFile === undefined ? 0 : 1,
      debug: hasGctrace ? "gctrace=1" : "",
      trace,
    });
  } catch (error) {
    const where = platform ?? "this machine's platform";
    throw new CommandError(`cannot make a heap for ${where}: ${oneLine(error)}`);
  }
}

/** Writes the profile of all that is allocated and freed by now, as if a collection had just ended. */
async function writeProfile(path: string, heap: GoHeap): Promise<void> {
  partsOf(heap).profiler.collected(true);
  const profile = heap.memProfile();
  if (path.endsWith(".pb.gz")) await writeBytes(path, heapProfileProto(profile));
  else await writeOutput(path, new TextEncoder().encode(heapProfileText(profile)));
}

async function replayInput(
  input: Input,
  heap: GoHeap,
  options: ReplayOptions,
  { progress, print }: { progress: Progress; print: (text: string) => void },
): Promise<ReplaySummary> {
  const replayer = new Replayer(new HeapBlocks(heap), options.isLenient);
  const recorder = options.htmlFile === undefined ? null : new PageRecorder(heap, replayer);
  if (options.profileFile !== undefined) {
    replayer.stackSource = partsOf(heap).profiler.source = new TraceStacks();
  }
  const sampler = options.sampleInterval === undefined ? null : new Sampler(heap, {
    intervalEvents: options.sampleInterval,
    live: () => replayer.totals.live,
    take: samplePrinter(options.isJson, print),
  });
  const watchers = [sampler, recorder].filter((watcher) => watcher !== null);
  if (watchers.length > 0) replayer.onEvent = () => watchers.forEach((each) => each.event());
  const lines = await readTrace(input, replayer, progress);
  for (const watcher of watchers) watcher.end();
  const setting = {
    trace: input.name,
    platform: heap.platform.name,
    gcPercent: options.gcPercent,
  };
  const summary = summarize(heap, replayer, setting, lines);
  if (recorder !== null && options.htmlFile !== undefined) {
    const page = await recorder.page(summary);
    await writeOutput(options.htmlFile, new TextEncoder().encode(page));
  }
  return summary;
}

/** Prints samples as lines of JSON, or as CSV, whose heading it prints at once. */
function samplePrinter(
  isJson: boolean,
  print: (text: string) => void,
): (sample: HeapSample) => void {
  if (isJson) return (sample) => print(`${JSON.stringify(sample)}\n`);
  print(`${csvHeading()}\n`);
  return (sample) => print(`${csvLine(sample)}\n`);
}
