import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { partsOf } from "../lib/go_heap.ts";
import { fastrand1, laterFastrand } from "../lib/profile_sampler.ts";
import {
  FlagNoGC,
  FlagNoInvokeGC,
  FlagNoProfiling,
  FlagNoScan,
  FlagNoZero,
  GoHeap,
  type GoHeapOptions,
  GoThrow,
  type Pointer,
} from "../mod.ts";
import { readJson } from "./data.ts";

/** What Go's sampling did: [requested, block, next_sample before, after, sampled]. */
interface Run {
  rate: number;
  fastrand_state_before: number;
  next_sample_before: number;
  fastrand_next_after: number;
  rows: [number, number, number, number, 0 | 1][];
}

const { fastrand1: randoms, profile_sampling: { runs } } = await readJson("misc_vectors.json") as {
  fastrand1: { sequences_from_seed: Record<string, number[]>; live_sample: number[] };
  profile_sampling: { runs: Record<string, Run> };
};

const OPTIONS = { platform: "linux/amd64", collect: "malloc" } as const;

/** A heap that notes the blocks that are sampled, in place of their stacks. */
function sampledHeap(options: GoHeapOptions): { heap: GoHeap; samples: [Pointer, number][] } {
  const heap = new GoHeap({ ...OPTIONS, ...options });
  const samples: [Pointer, number][] = [];
  samplerOf(heap).onSample = (p, bytes) => samples.push([p, bytes]);
  return { heap, samples };
}

function samplerOf(heap: GoHeap) {
  return partsOf(heap).profiler.sampler;
}

function isThrown(action: () => void): boolean {
  try {
    action();
    return false;
  } catch (error) {
    if (error instanceof GoThrow) return true;
    throw error;
  }
}

Deno.test("random numbers follow each other as in a live Go", () => {
  for (const [seed, numbers] of Object.entries(randoms.sequences_from_seed)) {
    let x = Number(seed);
    for (const number of numbers) assertEquals(x = fastrand1(x), number);
  }
  let [x, ...rest] = randoms.live_sample;
  for (const number of rest) assertEquals(x = fastrand1(x), number);
});

Deno.test("gccgo's random numbers have 32 bits", () => {
  assertEquals(laterFastrand(1), 2);
  assertEquals(laterFastrand(0x40000000), 0x80000000);
  assertEquals(laterFastrand(0x80000000), 0xa8888eef);
  assertEquals(laterFastrand(0xffffffff), (0xfffffffe ^ 0xa8888eef) >>> 0);
});

for (const [name, run] of Object.entries(runs)) {
  Deno.test(`the same blocks are sampled as by a live Go: run ${name}`, () => {
    const { heap, samples } = sampledHeap({ memProfileRate: run.rate });
    using _ = heap;
    const sampler = samplerOf(heap);
    sampler.state = { nextSample: run.next_sample_before, random: run.fastrand_state_before };
    for (const [requested, bytes, before, after, isSampled] of run.rows) {
      assertEquals(sampler.state.nextSample, before);
      const p = heap.mallocgc(requested, null, FlagNoScan);
      assertEquals(samples.splice(0), isSampled ? [[p, bytes]] : []);
      assertEquals(sampler.state.nextSample, after);
      heap.verify();
    }
    assertEquals(fastrand1(sampler.state.random), run.fastrand_next_after);
  });
}

/** One step of a random program. */
type Step =
  | { op: "malloc"; size: number; flags: number }
  | { op: "object"; times: number }
  | { op: "collect" }
  | { op: "stats" }
  | { op: "rate"; rate: number };

const sizes = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 15 }) },
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 300 }) },
  { weight: 2, arbitrary: fc.integer({ min: 300, max: 40000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 40000, max: 300000 }) },
);
const rates = fc.constantFrom(1, 24, 1000, 8192, 30000, 524288, 2 ** 31, 2 ** 40);
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      op: fc.constant("malloc" as const),
      size: sizes,
      flags: fc.constantFrom(
        ...[0, FlagNoScan, FlagNoProfiling, FlagNoScan | FlagNoProfiling],
        ...[FlagNoScan | FlagNoZero, FlagNoScan | FlagNoInvokeGC],
      ),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant("object" as const),
      times: fc.integer({ min: 1, max: 400 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ op: "collect" as const }) },
  { weight: 1, arbitrary: fc.constant({ op: "stats" as const }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("rate" as const), rate: rates }) },
);

/** The seeds' comparison, made at every block. */
class Reference {
  readonly expected: [Pointer, number][] = [];
  readonly #heap: GoHeap;
  readonly #isGccgo: boolean;
  #rate = 0;
  #nextSample = 0;
  #random = 0;

  constructor(heap: GoHeap, isGccgo: boolean) {
    this.#heap = heap;
    this.#isGccgo = isGccgo;
  }

  /** Begins where the heap has begun. */
  restart(): void {
    const { nextSample, random } = samplerOf(this.#heap).state;
    this.#rate = this.#heap.MemProfileRate;
    this.#nextSample = nextSample;
    this.#random = random;
  }

  took(p: Pointer, bytes: number): void {
    if (bytes < this.#rate && bytes < this.#nextSample) {
      this.#nextSample -= bytes;
      return;
    }
    if (bytes < this.#rate) {
      this.#random = (this.#isGccgo ? laterFastrand : fastrand1)(this.#random);
      const next = this.#random % (2 * Math.min(this.#rate, 0x3fffffff));
      this.#nextSample = Math.max(0, next - (bytes - this.#nextSample));
    }
    this.expected.push([p, bytes]);
  }

  get nextSample(): number {
    return this.#nextSample;
  }
}

for (const compiler of ["gc", "gccgo"] as const) {
  Deno.test(`whatever a program does, a block is sampled if the seeds' comparison says so (${compiler})`, () => {
    fc.assert(
      fc.property(rates, fc.array(steps, { minLength: 1, maxLength: 60 }), (rate, program) => {
        const { heap, samples } = sampledHeap({ memProfileRate: rate, compiler, minHeapBytes: 0 });
        using _ = heap;
        const { types } = heap;
        const node = types.struct("main.T", {
          p: types.unsafePointer,
          rest: types.array(types.int, 7),
        });
        const reference = new Reference(heap, compiler === "gccgo");
        reference.restart();
        const took = (p: Pointer, flags: number) => {
          const { base, size } = heap.findObject(p)!;
          if ((flags & FlagNoProfiling) === 0) reference.took(base, size);
        };
        for (const step of program) {
          if (step.op === "malloc") {
            const isScanned = (step.flags & FlagNoScan) === 0;
            const { tiny } = partsOf(heap).cache;
            const p = heap.mallocgc(step.size, isScanned ? types.unsafePointer : null, step.flags);
            // What fits into the tiny block is not looked at.
            const isAdded = tiny !== null && p >= tiny.pos && p < tiny.pos + tiny.left;
            if (step.size > 0 && !isAdded) took(p, step.flags);
          } else if (step.op === "object") {
            for (let i = 0; i < step.times; i++) took(heap.newobject(node), 0);
          } else if (step.op === "collect") heap.GC();
          else if (step.op === "stats") heap.ReadMemStats();
          else {
            heap.MemProfileRate = step.rate;
            reference.restart();
          }
          heap.verify();
          assertEquals(samples, reference.expected);
          assertEquals(samplerOf(heap).state.nextSample, reference.nextSample);
        }
      }),
      { numRuns: 60 },
    );
  });
}

Deno.test("between two samples next to no allocation is looked at", () => {
  const { heap, samples } = sampledHeap({ memProfileRate: 524288 });
  using _ = heap;
  const sampler = samplerOf(heap);
  const took = sampler.took.bind(sampler);
  let looks = 0;
  sampler.took = (...block) => {
    looks++;
    took(...block);
  };
  for (let i = 0; i < 500_000; i++) heap.mallocgc(64, null, FlagNoScan);
  assert(samples.length > 30 && samples.length < 120, `${samples.length} samples`);
  assert(looks < 6 * samples.length, `${looks} looks`);
});

Deno.test("a block as large as the rate is sampled and leaves the counter alone", () => {
  const { heap, samples } = sampledHeap({ memProfileRate: 100000 });
  using _ = heap;
  const before = samplerOf(heap).state;
  const large = heap.rawmem(100001);
  assertEquals(samples, [[large, 13 * 8192]]);
  assertEquals(samplerOf(heap).state, before);
});

Deno.test("a rate above 0x3fffffff draws as if it were that", () => {
  const { heap } = sampledHeap({ memProfileRate: 2 ** 40 });
  using _ = heap;
  const random = fastrand1(0x49f6428a);
  assertEquals(samplerOf(heap).state, { nextSample: random % (2 * 0x3fffffff), random });
});

Deno.test("objects that Go's int32 takes for negative are counted as there", () => {
  const { heap, samples } = sampledHeap({ memProfileRate: 2 ** 40 });
  using _ = heap;
  samplerOf(heap).state = { nextSample: 1000, random: 1 };
  heap.mallocgc(3 * 2 ** 30, null, FlagNoScan | FlagNoZero);
  assertEquals(samples, []);
  assertEquals(samplerOf(heap).state.nextSample, 1000 + 2 ** 30);

  const gccgo = sampledHeap({ memProfileRate: 2 ** 40, compiler: "gccgo" });
  using other = gccgo.heap;
  samplerOf(other).state = { nextSample: 1000, random: 1 };
  other.mallocgc(3 * 2 ** 30, null, FlagNoScan | FlagNoZero);
  assertEquals(gccgo.samples.length, 1);
});

Deno.test("FlagNoProfiling keeps a block out of the profile, tiny and large ones too", () => {
  for (const compiler of ["gc", "gccgo"] as const) {
    const { heap, samples } = sampledHeap({ memProfileRate: 1, compiler });
    using _ = heap;
    for (const size of [1, 8, 100, 40000]) {
      heap.mallocgc(size, null, FlagNoProfiling | FlagNoScan);
      heap.mallocgc(size, heap.types.unsafePointer, FlagNoProfiling);
    }
    if (compiler === "gccgo") heap.mallocgc(64, null, FlagNoProfiling | FlagNoGC);
    assertEquals(samples, []);
    heap.mallocgc(100, null, FlagNoScan);
    assertEquals(samples.length, 1);
    heap.verify();
  }
});

Deno.test("with rate 0 nothing is sampled, and the profile's part of an allocation is not there", () => {
  const { heap, samples } = sampledHeap({});
  using _ = heap;
  assertEquals(heap.MemProfileRate, 0);
  samplerOf(heap).took = () => {
    throw new Error("nobody looks");
  };
  for (let size = 0; size < 40000; size += 97) heap.rawmem(size);
  heap.GC();
  assertEquals(samples, []);
});

Deno.test("a bad rate is refused and changes nothing", () => {
  using heap = new GoHeap({ ...OPTIONS, memProfileRate: 4096 });
  for (const rate of [NaN, -1, 0.5, 2 ** 53, Infinity, "1", null, undefined]) {
    assertThrows(
      () => heap.MemProfileRate = rate as number,
      RangeError,
      "MemProfileRate",
    );
    assertEquals(heap.MemProfileRate, 4096);
  }
  heap.verify();
});

Deno.test("no memory for a sample: the allocation fails, and the heap goes on", () => {
  using heap = new GoHeap({ ...OPTIONS, memProfileRate: 1, limitBytes: 2 * 2 ** 20 });
  assert(isThrown(() => heap.rawmem(100)));
  heap.verify();
  assertEquals(heap.memProfile().records, []);
  heap.MemProfileRate = 0;
  heap.rawmem(100);
  heap.GC();
  heap.verify();
  assertEquals(heap.ReadMemStats().HeapObjects, 0);
});

Deno.test("what has no run to come from is not taken from the one that there is for nothing", () => {
  // No run is promised anything, so what stands for the pattern of class 0 is that of dead blocks.
  using heap = new GoHeap({ ...OPTIONS, memProfileRate: 4096 });
  const { types } = heap;
  heap.mallocgc(64, null, FlagNoScan);
  const made = [
    heap.mallocgc(40_000, null, FlagNoScan),
    heap.newarray(types.unsafePointer, 5000),
    heap.newarray(types.unsafePointer, 100),
    heap.mallocgc(1 << 20, null, FlagNoScan),
  ];
  assertEquals(new Set(made).size, made.length);
  for (const p of made) assertEquals(heap.findObject(p)?.base, p);
  heap.verify();
});
