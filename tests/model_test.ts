import fc from "fast-check";
import { ModelRun } from "./model/model_run.ts";
import { program } from "./model/program.ts";

const RUNS = 100;
/** What a run may take on a slow machine before it is cut short; a failure is shrunk within it, too. */
const LIMIT_MS = 9000;

for (const collect of ["safepoint", "malloc"] as const) {
  Deno.test(`with collect "${collect}", a random program keeps what it can reach and loses the rest`, () => {
    fc.assert(
      fc.property(program, (steps) => {
        using run = new ModelRun(collect);
        for (const step of steps) run.step(step);
        run.finish();
      }),
      { numRuns: RUNS, seed: 20141211, interruptAfterTimeLimit: LIMIT_MS },
    );
  });
}
