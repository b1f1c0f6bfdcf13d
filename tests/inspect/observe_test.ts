import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { Observers } from "../../lib/inspect/observe.ts";
import { GoHeap, GoThrow, type MemStats } from "../../mod.ts";
import { runProgram } from "../run_program.ts";

const OPTIONS = { platform: "linux/amd64" } as const;
/** Longer than any test takes. */
const NEVER_MS = 2 ** 31 - 1;

/** Something to do for as long as a test waits: observers do not keep it alive. */
function staysAlive(): Disposable {
  const timer = setInterval(() => {}, NEVER_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

Deno.test("what an observer gives is what ReadMemStats says at that time", async () => {
  using _alive = staysAlive();
  using heap = new GoHeap(OPTIONS);
  const pairs: [MemStats, MemStats][] = [];
  for await (const stats of heap.observe({ everyMs: 1 })) {
    pairs.push([stats, heap.ReadMemStats()]);
    if (pairs.length === 5) break;
    for (let i = 0; i < 1000; i++) heap.newobject(heap.types.string);
    if (pairs.length === 3) heap.GC();
  }
  for (const [observed, read] of pairs) assertEquals(observed, read);
  assertEquals(pairs.map(([{ Mallocs }]) => Mallocs), [0, 1000, 2000, 3000, 4000]);
  assertEquals(pairs.map(([{ NumGC }]) => NumGC), [0, 0, 0, 1, 1]);
  heap.verify();
});

Deno.test("an observer that is left ends, and so does whoever waits for it", async () => {
  using heap = new GoHeap(OPTIONS);
  const observer = heap.observe({ everyMs: NEVER_MS });
  assertStrictEquals(observer[Symbol.asyncIterator](), observer);
  assertEquals((await observer.next()).done, false);
  const [second, third] = [observer.next(), observer.next()];
  await Promise.resolve();
  assertEquals(await observer.return?.(), { done: true, value: undefined });
  assertEquals(await second, { done: true, value: undefined });
  assertEquals(await third, { done: true, value: undefined });
  assertEquals(await observer.next(), { done: true, value: undefined });
});

Deno.test("observers end when their heap is disposed of, whether they wait or not", async () => {
  const heap = new GoHeap(OPTIONS);
  const observers = [1, 2, 3].map(() => heap.observe({ everyMs: NEVER_MS }));
  const [waiting, idle, fresh] = observers;
  await waiting.next();
  await idle.next();
  const result = waiting.next();
  await Promise.resolve();
  heap[Symbol.dispose]();
  assertEquals(await result, { done: true, value: undefined });
  assertEquals(await idle.next(), { done: true, value: undefined });
  assertEquals(await fresh.next(), { done: true, value: undefined });
});

Deno.test("a loop over a heap that is disposed of inside of it goes to its end", async () => {
  using _alive = staysAlive();
  const heap = new GoHeap(OPTIONS);
  let readings = 0;
  for await (const _ of heap.observe({ everyMs: 1 })) {
    if (++readings === 2) heap[Symbol.dispose]();
  }
  assertEquals(readings, 2);
});

Deno.test("a heap knows only of the observers that wait right now", async () => {
  using heap = new GoHeap(OPTIONS);
  const observers = new Observers();
  const [left, waiting] = [1, 2].map(() => observers.observe(heap, { everyMs: NEVER_MS }));
  assertEquals(observers.waiting.size, 0);
  await left.next();
  await waiting.next();
  assertEquals(observers.waiting.size, 0);
  const result = waiting.next();
  await Promise.resolve();
  await Promise.resolve();
  assertEquals(observers.waiting.size, 1);
  await waiting.return();
  await result;
  assertEquals(observers.waiting.size, 0);
});

Deno.test("of readings that are asked for at once, each waits for the one before", async () => {
  using _alive = staysAlive();
  using heap = new GoHeap(OPTIONS);
  const observer = heap.observe({ everyMs: 1 });
  const order: number[] = [];
  await Promise.all([0, 1, 2, 3].map((i) => observer.next().then(() => order.push(i))));
  assertEquals(order, [0, 1, 2, 3]);
  await observer.return?.();
});

Deno.test("an observer of a heap that was found to be corrupted throws once, and ends", async () => {
  const heap = {
    ReadMemStats: (): MemStats => {
      throw new GoThrow("Cannot use heap: it was found to be corrupted");
    },
  };
  const observer = new Observers().observe(heap, { everyMs: 1 });
  await assertRejects(() => observer.next(), GoThrow, "corrupted");
  assertEquals(await observer.next(), { done: true, value: undefined });
});

Deno.test("an observer that waits does not keep the process alive", async () => {
  const { code, stdout, stderr } = await runProgram(`
    const heap = new GoHeap();
    async function watch() {
      for await (const { NumGC } of heap.observe({ everyMs: 60_000 })) console.log(NumGC);
    }
    watch();
    await Promise.resolve();
    console.log("end of the program");
  `);
  assertEquals([code, stdout.split("\n").toSorted(), stderr], [
    0,
    ["", "0", "end of the program"],
    "",
  ]);
});

Deno.test("a heap that only its observer knows is let go, and the observer ends", async () => {
  const { code, stdout, stderr } = await runProgram(`
    async function watch(observer) {
      for await (const _ of observer);
      console.log("ended");
    }
    const held = (() => {
      const heap = new GoHeap();
      watch(heap.observe({ everyMs: 50 }));
      return new WeakRef(heap);
    })();
    for (let i = 0; i < 200 && held.deref(); i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      gc();
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
    console.log(held.deref() === undefined ? "let go" : "held");
  `);
  assertEquals([code, stdout, stderr], [0, "ended\nlet go\n", ""]);
});
