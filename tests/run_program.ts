/**
 * Runs programs that use the module in a process of their own.
 *
 * @module
 */

const MODULE = new URL("../mod.ts", import.meta.url).href;
const CONFIG = new URL("../deno.json", import.meta.url).pathname;
const PROGRAM_LIMIT_MS = 60_000;

/** Runs a program in a process of its own; its code sees `GoHeap`, and V8's `gc`. */
export async function runProgram(
  code: string,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code: exit, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `--config=${CONFIG}`,
      "--v8-flags=--expose-gc",
      `import { GoHeap } from "${MODULE}";\n${code}`,
    ],
    signal: AbortSignal.timeout(PROGRAM_LIMIT_MS),
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  return { code: exit, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}
