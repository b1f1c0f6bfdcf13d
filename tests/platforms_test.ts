/**
 * The same random allocation program on every platform of the table. The reference, a plain model of Go 1.4.3 on
 * linux/amd64, says what it shows; elsewhere addresses and what follows from the size of a word may differ, and
 * nothing else.
 *
 * @module
 */

import fc from "fast-check";
import { PLATFORM_NAMES } from "../lib/platform/platform.ts";
import { onAnyWords } from "./conformance/any_words.ts";
import { runScript } from "./conformance/script_runner.ts";
import { type Program, programs, writeScript } from "./reference/program.ts";

const PROGRAMS = 10;
const MAX_STEPS = 30;
/** What a program may take to be shrunk on a slow machine. */
const LIMIT_MS = 20000;

Deno.test("random programs show the same on all platforms, and leave the heap sound at each step", () => {
  const runEverywhere = (program: Program) => {
    const script = writeScript(program);
    for (const platform of PLATFORM_NAMES) {
      const name = `${platform}, ${script.name}`;
      runScript({ ...script, name }, { platform, comparable: onAnyWords, verifyAlways: true });
    }
  };
  fc.assert(fc.property(programs(MAX_STEPS), runEverywhere), {
    numRuns: PROGRAMS,
    seed: 1405,
    interruptAfterTimeLimit: LIMIT_MS,
  });
});
