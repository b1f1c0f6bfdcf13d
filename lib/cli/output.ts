/**
 * Files that commands write beside what they print.
 *
 * @module
 */

import { gzipSync } from "node:zlib";
import { CommandError } from "./command.ts";
import { systemMessage } from "./input.ts";

/** Writes `bytes` to the file at `path`: compressed, if its name ends in `.gz`. */
export async function writeOutput(path: string, bytes: Uint8Array): Promise<void> {
  await writeBytes(path, path.endsWith(".gz") ? gzipSync(bytes) : bytes);
}

/** Writes `bytes` to the file at `path`, as they are. */
export async function writeBytes(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await Deno.writeFile(path, bytes);
  } catch (error) {
    throw new CommandError(`${path}: cannot write: ${systemMessage(error)}`);
  }
}
