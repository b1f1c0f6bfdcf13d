import fc from "fast-check";
import { ASIDE_BYTES } from "../lib/arena/arena.ts";
import { SharedAddressSpace } from "../mod.ts";
import { makeRoom } from "./model/make_room.ts";
import { ModelRun } from "./model/model_run.ts";
import { programFor, type Step } from "./model/program.ts";

const PROGRAMS = { gc: 250, gccgo: 120 };
/** What a policy may take on a slow machine before it is cut short; a failure is shrunk within it, too. */
const LIMIT_MS = 9000;

const SETTINGS = [
  { compiler: "gc", platform: "linux/amd64", collect: "safepoint", share: 1 },
  { compiler: "gc", platform: "linux/amd64", collect: "malloc", share: 1 },
  { compiler: "gc", platform: "linux/386", collect: "safepoint", share: 0.2 },
  { compiler: "gc", platform: "nacl/amd64p32", collect: "malloc", share: 0.2 },
  { compiler: "gccgo", platform: "linux/amd64", collect: "safepoint", share: 1 },
  { compiler: "gccgo", platform: "linux/amd64", collect: "malloc", share: 1 },
  { compiler: "gccgo", platform: "linux/386", collect: "malloc", share: 0.5 },
] as const;

/** Room for the first pages that a heap asks for, and then for no more. */
const FIRST_WINDOW_BYTES = ASIDE_BYTES + 2 ** 20 + 2 ** 14;

for (const compiler of ["gc", "gccgo"] as const) {
  Deno.test(`by ${compiler}'s rules, random programs do the same in an arena of two windows`, async () => {
    const runs = async (steps: Step[]) => {
      await makeRoom();
      using addressSpace = new SharedAddressSpace({ firstWindowBytes: FIRST_WINDOW_BYTES });
      using run = new ModelRun({
        compiler,
        platform: "linux/amd64",
        collect: "malloc",
        addressSpace,
      });
      for (const step of steps) run.step(step);
      run.finish();
    };
    await fc.assert(fc.asyncProperty(programFor(compiler), runs), {
      numRuns: PROGRAMS[compiler] / 2,
      seed: 20261122,
      interruptAfterTimeLimit: LIMIT_MS,
    });
  });
}

for (const { compiler, platform, collect, share } of SETTINGS) {
  const where = platform === "linux/amd64" ? "" : `on ${platform}, `;
  const rules = where + (compiler === "gc" ? "" : `by ${compiler}'s rules, `);
  Deno.test(`${rules}with collect "${collect}", random programs keep what they can reach and lose the rest`, async () => {
    const runs = async (steps: Step[]) => {
      await makeRoom();
      using run = new ModelRun({ collect, compiler, platform });
      for (const step of steps) run.step(step);
      run.finish();
    };
    await fc.assert(fc.asyncProperty(programFor(compiler), runs), {
      numRuns: PROGRAMS[compiler] * share,
      seed: 20141211,
      interruptAfterTimeLimit: LIMIT_MS,
    });
  });
}
