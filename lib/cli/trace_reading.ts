/**
 * Reads a trace from its first byte to its last into a replay, and says in one line what is wrong with it.
 *
 * @module
 */

import { GoPanic, GoThrow } from "../errors.ts";
import { CommandError, oneLine } from "./command.ts";
import { type Input, InputError } from "./input.ts";
import type { Progress } from "./progress.ts";
import { type Replayer, TraceFault } from "./replayer.ts";

/** Replays the whole input; returns how many lines it had. Throws a `CommandError` if it can't be replayed. */
export async function readTrace(
  input: Input,
  replayer: Replayer,
  progress: Progress,
): Promise<number> {
  const lines = await readLines(input, replayer, progress);
  if (replayer.records === 0) {
    const what = lines === 0 ? "it is empty" : `no record in ${lines} lines`;
    const article = replayer.format === "allocfreetrace" ? "an" : "a";
    throw new CommandError(`${input.name}: not ${article} ${replayer.format}: ${what}`);
  }
  return lines;
}

/** The same, for a trace that has any lines. What fails on a line names that line. */
async function readLines(input: Input, replayer: Replayer, progress: Progress): Promise<number> {
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
