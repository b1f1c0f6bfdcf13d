/**
 * Random programs: lists of steps that allocate, link, drop, collect, and use every kind of root.
 *
 * A step names its objects by the root that holds them, so it means something in any state: a step whose
 * root is empty does nothing, and a failing program can be shrunk by leaving steps out.
 *
 * @module
 */

import fc from "fast-check";
import type { FinalizerMode } from "./model.ts";

/** How many words the table of roots has. */
export const ROOTS = 10;

/** What an object is made of; see ModelRun for the types. */
export type ObjectKind =
  | "tiny"
  | "noscan"
  | "raw"
  | "words"
  | "ps"
  | "sps"
  | "mixed"
  | "untyped";

/** Where in, or just behind, an object a pointer points. */
export type Offset = "start" | "inside" | "odd" | "end";

/** One step; `from` and `to` are numbers of roots unless it says otherwise. */
export type Step =
  | { op: "alloc"; kind: ObjectKind; size: number; to: number }
  | { op: "link"; from: number; slot: number; to: number; offset: Offset }
  | { op: "unlink"; from: number; slot: number }
  | { op: "load"; from: number; slot: number; to: number }
  | { op: "move"; from: number; to: number; offset: Offset }
  | { op: "hide"; from: number }
  | { op: "drop"; from: number }
  | { op: "finalize"; from: number; mode: FinalizerMode }
  | { op: "unfinalize"; from: number }
  | { op: "push"; slots: number }
  | { op: "local"; from: number; slot: number }
  | { op: "pop" }
  | { op: "ref"; from: number }
  | { op: "unref"; index: number }
  | { op: "gc" | "lazy" | "auto" | "safepoint" | "stats" | "run" };

const root = fc.nat({ max: ROOTS - 1 });
/** Small, so that often the same word is meant; the last one of an object is reached from below 0. */
const slot = fc.integer({ min: -2, max: 6 });
const offset = fc.constantFrom<Offset>("start", "start", "start", "inside", "odd", "end");
const size = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 8, max: 100 }) },
  { weight: 3, arbitrary: fc.integer({ min: 200, max: 5000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 30000, max: 60000 }) },
);
const KINDS: readonly ObjectKind[] = ["noscan", "raw", "words", "words", "ps", "sps", "mixed"];

function op<T extends string>(name: T): fc.Arbitrary<T> {
  return fc.constant(name);
}

const otherSteps: fc.MaybeWeightedArbitrary<Step>[] = [
  {
    weight: 4,
    arbitrary: fc.record({
      op: op("alloc"),
      kind: op("tiny"),
      size: fc.integer({ min: 1, max: 15 }),
      to: root,
    }),
  },
  { weight: 16, arbitrary: fc.record({ op: op("link"), from: root, slot, to: root, offset }) },
  { weight: 1, arbitrary: fc.record({ op: op("unlink"), from: root, slot }) },
  { weight: 3, arbitrary: fc.record({ op: op("load"), from: root, slot, to: root }) },
  { weight: 2, arbitrary: fc.record({ op: op("move"), from: root, to: root, offset }) },
  { weight: 1, arbitrary: fc.record({ op: op("hide"), from: root }) },
  { weight: 6, arbitrary: fc.record({ op: op("drop"), from: root }) },
  {
    weight: 5,
    arbitrary: fc.record({
      op: op("finalize"),
      from: root,
      mode: fc.constantFrom<FinalizerMode>("count", "count", "resurrect"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: op("unfinalize"), from: root }) },
  { weight: 1, arbitrary: fc.record({ op: op("push"), slots: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 4, arbitrary: fc.record({ op: op("local"), from: root, slot }) },
  { weight: 1, arbitrary: fc.record({ op: op("pop") }) },
  { weight: 3, arbitrary: fc.record({ op: op("ref"), from: root }) },
  { weight: 1, arbitrary: fc.record({ op: op("unref"), index: fc.nat({ max: 5 }) }) },
  {
    weight: 7,
    arbitrary: fc.record({
      op: fc.constantFrom(
        ...["gc", "gc", "lazy", "lazy", "auto", "safepoint", "stats", "run", "run"] as const,
      ),
    }),
  },
];

/** Programs of up to 120 steps. */
export function programFor(compiler: "gc" | "gccgo"): fc.Arbitrary<Step[]> {
  const kinds = compiler === "gc" ? KINDS : [...KINDS, "untyped", "untyped"] as const;
  const kind = fc.constantFrom<ObjectKind>(...kinds);
  const step = fc.oneof<fc.MaybeWeightedArbitrary<Step>[]>(
    { weight: 10, arbitrary: fc.record({ op: op("alloc"), kind, size, to: root }) },
    ...otherSteps,
  );
  return fc.array(step, { minLength: 20, maxLength: 120, size: "max" });
}
