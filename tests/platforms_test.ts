/**
 * The same random allocation program on every platform of the table. The reference, a plain model of Go 1.4.3 on
 * linux/amd64, says what it shows; elsewhere addresses and what follows from the size of a word may differ, and
 * nothing else.
 *
 * @module
 */

import fc from "fast-check";
import { PLATFORM_NAMES, platformNamed } from "../lib/platform/platform.ts";
import { onAnyWords } from "./conformance/any_words.ts";
import { runScript } from "./conformance/script_runner.ts";
import { type Program, programs, writeScript } from "./reference/program.ts";

const PROGRAMS = { gc: 10, gccgo: 5 };
const MAX_STEPS = 30;
/** What a program may take to be shrunk on a slow machine. */
const LIMIT_MS = 20000;

for (const compiler of ["gc", "gccgo"] as const) {
  const rules = compiler === "gc" ? "" : `by ${compiler}'s rules, `;
  Deno.test(`${rules}random programs show the same on all platforms, and leave the heap sound at each step`, () => {
    const runEverywhere = (program: Program) => {
      const scripts = [4, 8].map((wordBytes) => writeScript(program, compiler, wordBytes));
      for (const platform of PLATFORM_NAMES) {
        const script = scripts[platformNamed(platform).pointerBytes / 4 - 1];
        const name = `${platform}, ${script.name}`;
        const options = { platform, compiler, comparable: onAnyWords, verifyAlways: true };
        runScript({ ...script, name }, options);
      }
    };
    fc.assert(fc.property(programs(MAX_STEPS), runEverywhere), {
      numRuns: PROGRAMS[compiler],
      seed: 1405,
      interruptAfterTimeLimit: LIMIT_MS,
    });
  });
}
