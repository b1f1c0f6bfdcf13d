/**
 * `goheap replay`: what a Go program allocated and freed, done over in a heap of this module.
 *
 * @module
 */

import { GoPanic, GoThrow } from "../errors.ts";
import { GoHeap } from "../go_heap.ts";
import { CommandError, oneLine, type Terminal } from "./command.ts";
import { type Input, InputError, openInput } from "./input.ts";
import { Progress } from "./progress.ts";
import { Replayer, TraceFault } from "./replayer.ts";
import { reportText } from "./report.ts";
import { type ReplaySummary, summarize } from "./summary.ts";

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
  /** Whether to print JSON in place of the report; gctrace lines then go to standard error. */
  readonly isJson: boolean;
}

/** Replays a trace and prints what came of it; throws a `CommandError` if the trace can't be replayed. */
export async function replay(options: ReplayOptions, terminal: Terminal): Promise<void> {
  const progress = new Progress(terminal);
  using input = await openInput(options.trace);
  using heap = makeHeap(options, (line) => {
    progress.hide();
    const text = line.endsWith("\n") ? line : `${line}\n`;
    if (options.isJson) terminal.err(text);
    else terminal.out(text);
  });
  const summary = await replayInput(input, heap, options, progress);
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
      debug: hasGctrace ? "gctrace=1" : "",
      trace,
    });
  } catch (error) {
    const where = platform ?? "this machine's platform";
    throw new CommandError(`cannot make a heap for ${where}: ${oneLine(error)}`);
  }
}

async function replayInput(
  input: Input,
  heap: GoHeap,
  options: ReplayOptions,
  progress: Progress,
): Promise<ReplaySummary> {
  const replayer = new Replayer(heap, options.isLenient);
  const lines = await readAll(input, replayer, progress);
  if (replayer.records === 0) {
    const what = lines === 0 ? "it is empty" : `no record in ${lines} lines`;
    throw new CommandError(`${input.name}: not an allocfreetrace: ${what}`);
  }
  const setting = {
    trace: input.name,
    platform: heap.platform.name,
    gcPercent: options.gcPercent,
  };
  return summarize(heap, replayer, setting, lines);
}

/** Replays the whole input; returns how many lines it had. What fails on a line names that line. */
async function readAll(input: Input, replayer: Replayer, progress: Progress): Promise<number> {
  let textBytes = 0;
  try {
    for await (const chunk of input.chunks()) {
      replayer.push(chunk);
      textBytes += chunk.length;
      progress.update(input.totalBytes && input.readBytes / input.totalBytes, textBytes);
    }
    return replayer.end();
  } catch (error) {
    if (error instanceof TraceFault || error instanceof GoThrow || error instanceof GoPanic) {
      throw new CommandError(`${input.name}:${replayer.line}: ${oneLine(error)}`);
    }
    if (error instanceof InputError) {
      const after = replayer.line > 1 ? `, after line ${replayer.line - 1}` : "";
      throw new CommandError(`${input.name}: ${error.message}${after}`);
    }
    throw error;
  } finally {
    progress.hide();
  }
}
