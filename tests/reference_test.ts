/**
 * The heap beside an independent one: tests/reference, a plain model of Go 1.4.3's allocator. First the
 * reference itself is held against what real Go did; then random scripts are run on it, and what it showed
 * at each operation is what the heap must show.
 *
 * @module
 */

import fc from "fast-check";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { assertSame } from "./conformance/differences.ts";
import { expandRuns, type Script } from "./conformance/script.ts";
import { runScript } from "./conformance/script_runner.ts";
import { readJson } from "./data.ts";
import { type Program, programs, type Step, writeScript } from "./reference/program.ts";
import { ReferenceRun } from "./reference/run.ts";
import { PAGE } from "./reference/state.ts";

const PROGRAMS = { gc: 400, gccgo: 200 };
const MAX_STEPS = 60;
/** What this may take on a slow machine before it is cut short; a failure is shrunk within it, too. */
const LIMIT_MS = 9000;
/** A process has room for some 900 heaps, and V8 lets go of disposed ones only when it collects. */
const HEAPS_BETWEEN_COLLECTIONS = 200;
/** Reclaiming takes 10 pages' worth of spans from two lists, and leaves some of the second unswept. */
const reclaimFromTwoLists: Program = {
  gogc: 1000000,
  steps: [
    ...[5, 6, 7].map((pages): Step => ({
      do: "allocate",
      kind: "n",
      size: pages * PAGE,
      count: 6,
      dropEvery: 1,
    })),
    { do: "gclazy" },
    { do: "allocate", kind: "n", size: 10 * PAGE, count: 1, dropEvery: 0 },
    { do: "snap" },
  ],
};
const SCRIPTS = new URL("./data/alloc/", import.meta.url);

for (const { name } of [...Deno.readDirSync(SCRIPTS)].sort((a, b) => a.name < b.name ? -1 : 1)) {
  const script = await readJson(`alloc/${name.replace(/\.gz$/, "")}`) as Script;
  Deno.test(`the reference does as Go did (${script.name})`, () => {
    const run = new ReferenceRun(script, { showsFreelists: script.freelists_recorded });
    script.ops.forEach((op, i) => {
      const { freed, spans, ...rest } = script.expect[i] ?? {};
      const expected = {
        ...rest,
        ...freed && { freed: expandRuns(freed) },
        ...spans && {
          spans: spans.map((span) =>
            span.freelist ? { ...span, freelist: expandRuns(span.freelist) } : span
          ),
        },
      };
      assertSame(run.step(op) ?? {}, expected, `operation ${i}: ${JSON.stringify(op)}`);
    });
  });
}

setFlagsFromString("--expose-gc");
const collectV8Garbage = runInNewContext("gc") as () => void;

for (const compiler of ["gc", "gccgo"] as const) {
  const rules = compiler === "gc" ? "" : `by ${compiler}'s rules, `;
  Deno.test(`${rules}random scripts do the same on the heap as on the reference, address by address`, async () => {
    let heaps = 0;
    const runs = async (program: Program) => {
      if (++heaps % HEAPS_BETWEEN_COLLECTIONS === 0) {
        await new Promise((resolve) => setTimeout(resolve));
        collectV8Garbage();
      }
      runScript(writeScript(program, compiler), { compiler });
    };
    await fc.assert(fc.asyncProperty(programs(MAX_STEPS), runs), {
      numRuns: PROGRAMS[compiler],
      seed: 20141211,
      examples: [[reclaimFromTwoLists]],
      interruptAfterTimeLimit: LIMIT_MS,
    });
  });
}
