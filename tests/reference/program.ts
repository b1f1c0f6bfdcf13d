/**
 * Random allocation scripts. A program is a list of steps that name objects only by their place among
 * those that are rooted; running it on the reference heap makes a script of it, with what Go would show
 * at each operation, which the script runner then holds the heap against.
 *
 * ```
 *   steps ── ScriptWriter, which runs the reference beside ──► ops + expect ──► runScript
 * ```
 *
 * No script does what a Go program can't do: it never uses an object that is not reachable, and leaves no
 * pointer into a span that is free.
 *
 * @module
 */

import fc from "fast-check";
import type { Expectation, Op, Script } from "../conformance/script.ts";
import type { ScriptObject } from "../conformance/script_objects.ts";
import { reachable } from "./collect.ts";
import { ReferenceRun } from "./run.ts";
import { ARENA, PAGE, WORD } from "./state.ts";

/** Contents of larger objects are not looked at: that is slow, and shows nothing new. */
const MAX_FILLED_BYTES = 256 * 1024;
/** Blocks handed out unzeroed are always looked at, up to this length. */
const MAX_LOOKED_AT_BYTES = 128 * 1024;
const TINY_BYTES = 16;

/** A step: what to do, and numbers that choose the objects it is done to. */
export type Step =
  | { do: "allocate"; kind: string; size: number; count: number; dropEvery: number }
  | { do: "drop"; from: number; count: number; every: number }
  | { do: "link" | "inside" | "behind"; from: number; to: number; slot: number }
  | { do: "unlink" | "peek"; from: number; slot: number }
  | { do: "fill" | "zero?" | "cf"; from: number }
  | { do: "r"; from: number }
  | { do: "ri"; from: number; slot: number }
  | { do: "sf"; from: number; count: number; mode: string }
  | { do: "trig"; bytes: number }
  | { do: Bare };

/** Steps that are done to one rooted object. */
type Use = Exclude<Extract<Step, { from: number }>, { do: "drop" | "sf" | "r" }>;

/** Steps that are done to no object. */
type Bare = "gc" | "gclazy" | "chk" | "run" | "ms" | "snap";

const index = fc.nat({ max: 10_000 });
const count = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 3 }) },
  { weight: 2, arbitrary: fc.integer({ min: 4, max: 40 }) },
  { weight: 1, arbitrary: fc.integer({ min: 40, max: 300 }) },
);
const smallSize = fc.oneof(
  fc.integer({ min: 16, max: 256 }),
  fc.constantFrom(16, 32, 48, 64, 128, 256, 512, 1024),
  fc.integer({ min: 256, max: 4096 }),
);
const scalarKind = fc.constantFrom("n", "n", "w");
const pointerKind = fc.constantFrom("p", "p", "ps", "sp", "sps");
const someSizes = fc.oneof(
  { weight: 2, arbitrary: fc.tuple(scalarKind, fc.integer({ min: 0, max: 15 }), count) },
  { weight: 4, arbitrary: fc.tuple(scalarKind, smallSize, count) },
  { weight: 5, arbitrary: fc.tuple(pointerKind, smallSize, count) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom("p", "ps"), fc.constantFrom(8, 16), count) },
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.constantFrom("n", "w", "p"),
      fc.integer({ min: 4096, max: 32768 }),
      fc.integer({ min: 1, max: 12 }),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(
      fc.constantFrom("n", "w", "p", "sps"),
      fc.oneof(
        fc.integer({ min: 32769, max: 200_000 }),
        fc.integer({ min: 5, max: 24 }).map((pages) => pages * PAGE),
      ),
      fc.integer({ min: 1, max: 6 }),
    ),
  },
  // Many of a few lengths, so that a collection leaves long lists of them for reclaiming.
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.constantFrom("n", "w"),
      fc.integer({ min: 5, max: 12 }).map((pages) => pages * PAGE),
      fc.integer({ min: 4, max: 12 }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(
      fc.constantFrom("n", "w"),
      fc.oneof(
        fc.integer({ min: 200_000, max: 2 ** 21 }),
        fc.constantFrom(2 ** 20, 2 ** 20, 2 ** 21),
      ),
      fc.constantFrom(1, 2, 4),
    ),
  },
);
const allocation = fc.tuple(someSizes, fc.constantFrom(0, 0, 1, 2, 3)).map((
  [[kind, size, count], dropEvery],
): Step => ({
  do: "allocate",
  kind,
  size: pointerKinds.has(kind) ? Math.max(WORD, size - size % WORD) : size,
  count,
  dropEvery,
}));
const pointerKinds = new Set(["p", "ps", "sp", "sps"]);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 24, arbitrary: allocation },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("drop" as const),
      from: index,
      count,
      every: fc.constantFrom(1, 1, 2, 3),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom("link" as const, "inside" as const, "behind" as const),
      from: index,
      to: index,
      slot: index,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom("unlink" as const, "peek" as const, "peek" as const),
      from: index,
      slot: fc.oneof(index, fc.constantFrom(0, 1, 2)),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom<"fill" | "zero?" | "cf" | "r">("fill", "fill", "zero?", "cf", "r"),
      from: index,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("ri" as const), from: index, slot: index }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("sf" as const),
      from: index,
      count: fc.constantFrom(1, 1, 2, 5, 150),
      mode: fc.constantFrom("log", "log", "res", "refin"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("trig" as const),
      bytes: fc.integer({ min: 0, max: 400_000 }),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constantFrom<Bare>(
        "gc",
        "gclazy",
        "gclazy",
        "gclazy",
        "chk",
        "run",
        "run",
        "ms",
        "snap",
      ),
    }),
  },
);

/** A program, and the GOGC it runs with. */
export interface Program {
  gogc: number;
  steps: Step[];
}

/** Programs of up to `maxSteps` steps. */
export function programs(maxSteps: number): fc.Arbitrary<Program> {
  return fc.record({
    gogc: fc.constantFrom(1000000, 1000000, 100, 33, -1),
    steps: fc.array(step, { minLength: 1, maxLength: maxSteps, size: "max" }),
  });
}

/**
 * Writes the script of a program, and what Go would show. Under gccgo's rules objects without a type stand in
 * the place of those that are not zeroed, which might show the addresses of types, and objects that are not
 * scanned get no pointers, which a finalizer would turn into true ones; the tables of types have words of
 * `wordBytes` there.
 */
export function writeScript(
  program: Program,
  compiler: "gc" | "gccgo" = "gc",
  wordBytes: number = 8,
): Script {
  const writer = new ScriptWriter(program.gogc, compiler, wordBytes);
  for (const each of program.steps) writer.write(each);
  writer.write({ do: "snap" });
  return writer.script;
}

class ScriptWriter {
  readonly #run: ReferenceRun;
  readonly #ops: Op[] = [];
  readonly #expect: (Expectation | null)[] = [];
  readonly script: Script;
  readonly #kinds: string[] = [];
  /** The object allocated last at an address. */
  readonly #latest = new Map<number, number>();

  readonly #isGccgo: boolean;

  constructor(gogc: number, compiler: "gc" | "gccgo", wordBytes: number) {
    this.#isGccgo = compiler === "gccgo";
    this.script = {
      name: "random",
      description: "a program made by fast-check",
      gogc,
      baseline: { heap_alloc: 0, next_gc: 2 ** 40 },
      freelists_recorded: true,
      ops: this.#ops,
      expect: this.#expect,
    };
    this.#run = new ReferenceRun(this.script, { compiler, wordBytes });
  }

  write(step: Step): void {
    switch (step.do) {
      case "allocate":
        return this.#allocate(step);
      case "trig":
        return this.#add(["trig", 0, step.bytes]);
      case "r": {
        const id = step.from % Math.max(1, this.#kinds.length);
        if (this.#isReachable(id)) this.#add(["r", id]);
        return;
      }
      case "drop":
      case "sf":
        return this.#many(step);
      case "gc":
      case "gclazy":
      case "chk":
      case "run":
      case "ms":
      case "snap":
        return this.#add([step.do, 0]);
      default: {
        const object = this.#rooted(step.from);
        if (object !== undefined) this.#use(step, object);
      }
    }
  }

  #allocate(step: Extract<Step, { do: "allocate" }>): void {
    const { count, dropEvery } = step;
    const isUntyped = this.#isGccgo && step.kind === "w";
    const kind = isUntyped ? "u" : step.kind;
    const size = isUntyped && step.size % WORD > 0
      ? step.size + WORD - step.size % WORD
      : step.size;
    for (let i = 0; i < count; i++) {
      const id = this.#kinds.push(kind) - 1;
      this.#add(["a", id, size, kind]);
      this.#latest.set(this.#run.objects.get(id).address, id);
      if (kind === "w" && i === 0) this.#lookAt(this.#run.objects.get(id));
      if (dropEvery > 0 && i % dropEvery === 0) this.#add(["d", id]);
    }
  }

  /** Looks at what a block held before, as one that is not zeroed shows it. */
  #lookAt({ id, size }: ScriptObject): void {
    if (size < TINY_BYTES || size > MAX_LOOKED_AT_BYTES) return;
    const words = Math.floor(size / WORD);
    this.#add(["zero?", id]);
    for (const slot of [0, 1, words - 1]) {
      if (slot < words) this.#add(["peek", id, slot]);
    }
  }

  #many(step: Extract<Step, { do: "drop" | "sf" }>): void {
    const rooted = this.#allRooted();
    const from = step.from % Math.max(1, rooted.length);
    const every = step.do === "drop" ? step.every : 1;
    for (const object of rooted.slice(from, from + step.count * every)) {
      if (step.do === "sf") this.#setFinalizer(object, step.mode);
      else if (object.id % every === 0) this.#add(["d", object.id]);
    }
  }

  #setFinalizer(object: ScriptObject, mode: string): void {
    if (object.size === 0 || this.#hasFinalizer(object)) return;
    this.#add(["sf", object.id, this.#isTiny(object) ? "tiny" : mode]);
  }

  #use(
    step: Use,
    object: ScriptObject,
  ): void {
    const { id, size, elem } = object;
    const words = this.#isTiny(object) || size > MAX_FILLED_BYTES ? 0 : Math.floor(size / WORD);
    switch (step.do) {
      case "ri":
        return size > 0 ? this.#add(["ri", id, step.slot % size]) : undefined;
      case "cf":
        return this.#isTiny(object) || size === 0 ? undefined : this.#add(["cf", id]);
      case "fill":
      case "zero?":
        return words > 0 ? this.#add([step.do, id]) : undefined;
      case "unlink":
      case "peek":
        return words > 0
          ? this.#add([step.do === "peek" ? "peek" : "u", id, step.slot % words])
          : undefined;
      default: {
        const target = this.#rooted(step.to);
        if (words === 0 || target === undefined || target.size === 0) return;
        if (this.#isGccgo && this.#kinds[id] === "n") return;
        const slot = step.slot % words;
        if (step.do === "link") return this.#add(["l", id, slot, target.id]);
        const off = step.do === "inside" ? step.slot % target.size : elem;
        if (step.do === "inside" || this.#isReachableAt(target.address + off)) {
          this.#add(["li", id, slot, target.id, String(off)]);
        }
      }
    }
  }

  #add(op: Op): void {
    this.#ops.push(op);
    this.#expect.push(this.#run.step(op));
  }

  #allRooted(): ScriptObject[] {
    const { heap, objects } = this.#run;
    return this.#kinds.map((_, id) => objects.get(id)).filter(({ id }) => heap.roots[id] > 0);
  }

  #rooted(from: number): ScriptObject | undefined {
    const rooted = this.#allRooted();
    return rooted[from % Math.max(1, rooted.length)];
  }

  #isTiny({ id, size }: ScriptObject): boolean {
    return size < TINY_BYTES && ["n", "w"].includes(this.#kinds[id]);
  }

  #isReachable(id: number): boolean {
    if (id >= this.#kinds.length) return false;
    const object = this.#run.objects.get(id);
    const { address, size, elem, off } = object;
    if (size === 0 || this.#isTiny(object) || this.#latest.get(address) !== id) return false;
    const span = this.#run.heap.state.spanAt(off);
    return span?.elem === elem && (off - span.page * PAGE) % elem === 0 &&
      this.#isReachableAt(address);
  }

  /** Whether a finalizer is set for `object`, or due. */
  #hasFinalizer({ off }: ScriptObject): boolean {
    const { state } = this.#run.heap;
    const span = state.spanAt(off)!;
    return span.specials.some(({ offset }) => offset === off - span.page * PAGE) ||
      state.queue.flat().some(({ at }) => at === off);
  }

  /** Whether there is a block at `address` that something reaches; it need not be the one it was. */
  #isReachableAt(address: number): boolean {
    const { roots, state } = this.#run.heap;
    const at = address - ARENA;
    const span = state.spanAt(at);
    if (span === undefined || at >= span.limit) return false;
    const block = Math.floor((at - span.page * PAGE) / span.elem);
    return reachable(state, roots.filter((root) => root > 0)).get(span)?.has(block) ?? false;
  }
}
