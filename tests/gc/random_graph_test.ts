import fc from "fast-check";
import { makeRoom } from "../model/make_room.ts";
import { program, RandomGraph, type Step } from "./random_graph.ts";

const PROGRAMS = 200;
/** What it may take on a slow machine before it is cut short; a failure is shrunk within it, too. */
const LIMIT_MS = 9000;

Deno.test("in graphs that change between the slices of their collection, what can be reached survives and the rest goes", async () => {
  const runs = async (steps: Step[]) => {
    await makeRoom();
    using graph = new RandomGraph();
    for (const step of steps) graph.step(step);
    graph.finish();
  };
  await fc.assert(fc.asyncProperty(program, runs), {
    numRuns: PROGRAMS,
    seed: 20141211,
    interruptAfterTimeLimit: LIMIT_MS,
  });
});
