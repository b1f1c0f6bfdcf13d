import fc from "fast-check";
import { makeRoom } from "./model/make_room.ts";
import { ModelRun } from "./model/model_run.ts";
import { programFor, type Step } from "./model/program.ts";

const PROGRAMS = { gc: 250, gccgo: 120 };
/** What a policy may take on a slow machine before it is cut short; a failure is shrunk within it, too. */
const LIMIT_MS = 9000;

for (
  const { compiler, collect } of [
    { compiler: "gc", collect: "safepoint" },
    { compiler: "gc", collect: "malloc" },
    { compiler: "gccgo", collect: "safepoint" },
    { compiler: "gccgo", collect: "malloc" },
  ] as const
) {
  const rules = compiler === "gc" ? "" : `by ${compiler}'s rules, `;
  Deno.test(`${rules}with collect "${collect}", random programs keep what they can reach and lose the rest`, async () => {
    const runs = async (steps: Step[]) => {
      await makeRoom();
      using run = new ModelRun(collect, compiler);
      for (const step of steps) run.step(step);
      run.finish();
    };
    await fc.assert(fc.asyncProperty(programFor(compiler), runs), {
      numRuns: PROGRAMS[compiler],
      seed: 20141211,
      interruptAfterTimeLimit: LIMIT_MS,
    });
  });
}
