/**
 * Runs the command inside the test's own process, with what it writes caught in strings, and makes the
 * files it reads.
 *
 * @module
 */

import { main } from "../../cli.ts";
import type { ReplaySummary } from "../../lib/cli/summary.ts";

/** What a run of the command left behind. */
export interface Outcome {
  code: number;
  out: string;
  err: string;
}

/** Runs `goheap args...`; what is no error of the command's own is thrown, as it would be in a shell. */
export async function runCommand(...args: string[]): Promise<Outcome> {
  const outcome = { code: -1, out: "", err: "" };
  outcome.code = await main(args, {
    out: (text) => outcome.out += text,
    err: (text) => outcome.err += text,
    isBold: false,
    hasProgress: false,
  });
  return outcome;
}

/** Runs `goheap replay --json args...`, which must go well, and returns what it prints. */
export async function replaySummary(...args: string[]): Promise<ReplaySummary> {
  const { code, out, err } = await runCommand("replay", "--json", ...args);
  if (code !== 0) throw new Error(`replay ${args.join(" ")} failed: ${err}`);
  return JSON.parse(out);
}

/** Calls `use` with the name of a file that holds `content`, and removes the file afterwards. */
export async function withFile<T>(
  content: string | Uint8Array,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const path = await Deno.makeTempFile();
  try {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(path, bytes);
    return await use(path);
  } finally {
    await Deno.remove(path);
  }
}

/** `content` as gzip. */
export async function gzip(content: string | Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([content]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
