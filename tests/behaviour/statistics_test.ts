import { assert, assertEquals } from "@std/assert";
import type { MemStats } from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";

const OPTIONS = { platform: "linux/amd64" } as const;

/** A program that has allocated, collected, kept a little and set a finalizer. */
function warmUp(heap: GoHeap): void {
  const { types } = heap;
  const root = heap.global(types.unsafePointer);
  using frame = heap.frame(4);
  for (let i = 0; i < 1000; i++) {
    const object = heap.newarray(types.pointer(types.int), 1 + i % 100);
    heap.storePointer(i % 2 === 0 ? object : root, root);
    if (i % 2 === 1) heap.storePointer(root, object);
    frame.set(i % 4, object);
  }
  const type = types.pointer(types.pointer(types.int));
  heap.SetFinalizer({ type, data: heap.loadPointer(root) }, {
    type: types.func([type], []),
    data: () => {},
  });
  heap.GC();
}

function numbers(stats: MemStats): [string, number][] {
  return Object.entries(stats).filter((entry): entry is [string, number] =>
    typeof entry[1] === "number"
  );
}

// tests.md 1; the account of the memory profile is empty while nothing is profiled.
Deno.test("after a warm-up every statistic counts something", () => {
  using heap = new GoHeap(OPTIONS);
  warmUp(heap);
  const zero = numbers(heap.ReadMemStats()).filter(([, value]) => value === 0).map(([name]) =>
    name
  );
  const mayBeZero = ["HeapIdle", "HeapReleased", "BuckHashSys", "StackInuse", "StackSys"];
  assertEquals(zero.filter((name) => !mayBeZero.includes(name)), []);
});

// tests.md 2
Deno.test("no statistic is absurd", () => {
  using heap = new GoHeap(OPTIONS);
  warmUp(heap);
  const limits: Record<string, number> = { TotalAlloc: 1e11, NumGC: 1e9, LastGC: 1e19 };
  for (const [name, value] of numbers(heap.ReadMemStats())) {
    assert(value >= 0 && value <= (limits[name] ?? 1e10), `${name} is ${value}`);
  }
});

Deno.test("the sums hold: Sys of its accounts, HeapSys of its parts, and objects of their classes", () => {
  using heap = new GoHeap(OPTIONS);
  for (let round = 0; round < 3; round++) {
    warmUp(heap);
    const s = heap.ReadMemStats();
    const accounts = [
      s.HeapSys,
      s.StackSys,
      s.MSpanSys,
      s.MCacheSys,
      s.BuckHashSys,
      s.GCSys,
      s.OtherSys,
    ];
    assertEquals(s.Sys, accounts.reduce((sum, bytes) => sum + bytes));
    assertEquals(s.HeapSys, s.HeapIdle + s.HeapInuse);
    assertEquals(s.HeapObjects, s.Mallocs - s.Frees);
    assertEquals(s.HeapAlloc, s.Alloc);
    const small = s.BySize.map(({ Size, Mallocs, Frees }) => Size * (Mallocs - Frees));
    assertEquals(s.Alloc, small.reduce((sum, bytes) => sum + bytes));
    heap.verify();
  }
});

// tests.md 4
for (const collect of ["malloc", "safepoint"] as const) {
  Deno.test(`100000 dropped blocks of 1029 bytes need little memory with collect "${collect}"`, () => {
    using heap = new GoHeap({ ...OPTIONS, collect });
    heap.GC();
    const before = heap.ReadMemStats().Sys;
    for (let i = 0; i < 100000; i++) {
      heap.rawmem(1029);
      if (i % 100 === 0) heap.safepoint();
    }
    heap.verify();
    const growth = heap.ReadMemStats().Sys - before;
    assert(growth <= 16 * 2 ** 20, `Sys grew by ${growth}`);
  });
}

// tests.md 25
Deno.test("a thousand copies of a megabyte, kept one at a time, need little memory", () => {
  using heap = new GoHeap({ ...OPTIONS, collect: "malloc" });
  const root = heap.global(heap.types.unsafePointer);
  const before = heap.ReadMemStats().Sys;
  for (let i = 0; i < 1000; i++) heap.storePointer(root, heap.rawmem(2 ** 20));
  const growth = heap.ReadMemStats().Sys - before;
  assert(growth <= 50 * 2 ** 20, `Sys grew by ${growth}`);
});

// tests.md 40
Deno.test("SetGCPercent returns what was set before, and collects", () => {
  using heap = new GoHeap(OPTIONS);
  const { NumGC } = heap.ReadMemStats();
  assertEquals(heap.SetGCPercent(123), 100);
  assertEquals(heap.SetGCPercent(100), 123);
  assertEquals(heap.ReadMemStats().NumGC, NumGC + 2);
  assertEquals(heap.SetGCPercent(-17), 100);
  assertEquals(heap.SetGCPercent(50), -1);
});

Deno.test("a negative percentage switches off even forced collections", () => {
  using heap = new GoHeap({ ...OPTIONS, gcPercent: -1 });
  heap.rawmem(100);
  heap.GC();
  heap.gogc(1);
  assertEquals(heap.ReadMemStats().NumGC, 0);
  assertEquals(heap.ReadMemStats().HeapObjects, 1);
});

// tests.md 41
Deno.test("the last 256 pauses are kept in a ring, and their sum counts all of them", () => {
  let now = 1000;
  using heap = new GoHeap({ ...OPTIONS, clock: () => now++ });
  for (let i = 0; i < 300; i++) heap.GC();
  const { NumGC, PauseNs, PauseEnd, PauseTotalNs, LastGC } = heap.ReadMemStats();
  assertEquals([NumGC, PauseNs.length, PauseEnd.length], [300, 256, 256]);
  const newest = (NumGC + 255) % 256;
  assertEquals(PauseEnd[newest], LastGC);
  assert([...PauseNs].every((pause) => pause > 0));
  // Every collection looks at the clock equally often, so all pauses are equal.
  assertEquals(PauseTotalNs, 300 * PauseNs[newest]);
  const byAge = Array.from({ length: 256 }, (_, i) => PauseEnd[(newest + 256 - i) % 256]);
  assertEquals(byAge, byAge.toSorted((a, b) => b - a));
});
