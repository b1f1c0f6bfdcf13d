import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { partsOf } from "../../lib/go_heap.ts";
import { FlagNoScan, FlagNoZero, type HeapSnapshot, type Pointer, type Ref } from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";

const OPTIONS = { platform: "linux/amd64" } as const;
const PAGE = 8192;

/** The spans of a heap as [first page, pages, what it is, whether it was used before]. */
function layout(heap: GoHeap): [number, number, string, number?][] {
  return heap.snapshot().spans.map((span) =>
    span.state === "free"
      ? [span.page, span.npages, "free", span.needzero]
      : [span.page, span.npages, span.state]
  );
}

/** A large object of so many pages, and a reference to it. */
function take(heap: GoHeap, pages: number, flags = 0): Ref {
  return heap.ref(heap.mallocgc(pages * PAGE, null, FlagNoScan | flags));
}

function drop(heap: GoHeap, ...refs: Ref[]): void {
  for (const ref of refs) ref[Symbol.dispose]();
  heap.GC();
  heap.verify();
}

Deno.test("memory from the system is zero and known to be; what was used before is marked as needing it", () => {
  using heap = new GoHeap(OPTIONS);
  const [a, b, c] = [take(heap, 10), take(heap, 10), take(heap, 10)];
  assertEquals(layout(heap).at(-1), [30, 98, "free", 0]);
  drop(heap, b);
  assertEquals(layout(heap)[1], [10, 10, "free", 1]);
  // Joined spans need zeroing if one of them does.
  drop(heap, c);
  assertEquals(layout(heap)[1], [10, 118, "free", 1]);
  drop(heap, a);
  assertEquals(layout(heap), [[0, 128, "free", 1]]);
  // So does each part of a span that is cut.
  const again = take(heap, 10);
  assertEquals(layout(heap)[1], [10, 118, "free", 1]);
  drop(heap, again);
});

Deno.test("used pages are cleared for whoever needs them zero, and left alone for whoever does not", () => {
  using heap = new GoHeap(OPTIONS);
  const write = () => {
    const used = take(heap, 10);
    heap.bytes(used.pointer, 10 * PAGE).fill(0xee);
    const at = used.pointer;
    drop(heap, used);
    return at;
  };
  const contents = (p: Pointer) => [...new Set(heap.bytes(p, 10 * PAGE))];
  const first = write();
  const raw = take(heap, 10, FlagNoZero);
  assertEquals([raw.pointer, contents(raw.pointer)], [first, [0xee]]);
  drop(heap, raw);
  const zeroed = take(heap, 10);
  assertEquals([zeroed.pointer, contents(zeroed.pointer)], [first, [0]]);
});

Deno.test("new memory that is joined with used pages is cleared with them", () => {
  using heap = new GoHeap(OPTIONS);
  const used = take(heap, 128);
  heap.bytes(used.pointer, 128 * PAGE).fill(0xee);
  const first = used.pointer;
  drop(heap, used);
  const whole = take(heap, 200);
  assertEquals(whole.pointer, first);
  assertEquals([...new Set(heap.bytes(whole.pointer, 200 * PAGE))], [0]);
  assertEquals(layout(heap)[1], [200, 128, "free", 1]);
});

Deno.test("a fit is taken by length, the one freed last first; of the long ones the shortest, then the lowest", () => {
  using heap = new GoHeap(OPTIONS);
  const spans: Ref[] = [];
  const between: Ref[] = [];
  for (const pages of [20, 10, 10, 300, 200, 200]) {
    spans.push(take(heap, pages));
    between.push(take(heap, 5));
  }
  const [twenty, tenA, tenB, long, longerA, longerB] = spans;
  const addresses = new Map(spans.map((ref, i) => [ref.pointer, i]));
  drop(heap, twenty);
  drop(heap, tenB);
  drop(heap, tenA);
  drop(heap, longerB);
  drop(heap, longerA);
  drop(heap, long);
  const where = (pages: number) => addresses.get(take(heap, pages).pointer);
  assertEquals([where(10), where(9), where(15)], [1, 2, 0]);
  assertEquals([where(150), where(150), where(290)], [4, 5, 3]);
  assertEquals(between.length, 6);
});

Deno.test("largefree and nlargefree count what was freed of large objects, in pages' bytes", () => {
  using heap = new GoHeap(OPTIONS);
  const refs = [1, 2, 3].map((i) => heap.ref(heap.rawmem(40000 + i)));
  const large = () => {
    const { nlargefree, largefree } = heap.snapshot().stats;
    return [nlargefree, largefree];
  };
  drop(heap);
  assertEquals(large(), [0, 0]);
  drop(heap, refs[0]);
  assertEquals(large(), [1, 5 * PAGE]);
  drop(heap, refs[1], refs[2]);
  assertEquals(large(), [3, 15 * PAGE]);
  const { Mallocs, Frees, TotalAlloc, Alloc } = heap.ReadMemStats();
  assertEquals([Mallocs, Frees, TotalAlloc, Alloc], [3, 3, 15 * PAGE, 0]);
});

Deno.test("BySize counts what was allocated and freed of each class, and nothing of large objects", () => {
  using heap = new GoHeap(OPTIONS);
  const kept = [48, 48, 1024].map((size) => heap.ref(heap.mallocgc(size, null, FlagNoScan)));
  for (const size of [48, 48, 48, 1024, 40000, 2048]) heap.mallocgc(size, null, FlagNoScan);
  heap.GC();
  const counts = heap.ReadMemStats().BySize
    .filter(({ Mallocs }) => Mallocs > 0)
    .map(({ Size, Mallocs, Frees }) => [Size, Mallocs, Frees]);
  assertEquals(counts, [[48, 5, 3], [1024, 2, 1], [2048, 1, 1]]);
  assertEquals(heap.ReadMemStats().BySize.length, 61);
  assertEquals(kept.length, 3);
});

Deno.test("records of spans that were joined are used again before new ones are made", () => {
  using heap = new GoHeap(OPTIONS);
  const { spans } = partsOf(heap);
  const refs = Array.from({ length: 20 }, () => take(heap, 5));
  const made = spans.made;
  assertEquals(spans.inuseBytes, 21 * 104);
  drop(heap, ...refs);
  assertEquals([spans.made, spans.inuseBytes], [made, 104]);
  for (let i = 0; i < 5; i++) {
    const again = Array.from({ length: 20 }, () => take(heap, 5));
    assertEquals(spans.inuseBytes, 21 * 104);
    drop(heap, ...again);
  }
  assertEquals(spans.made, made);
  assertEquals(heap.ReadMemStats().MSpanSys, 16 * 1024);
});

/** What must be true of the pages of any heap. */
function assertPages({ spans, stats, free, freelarge }: HeapSnapshot): void {
  const pagesOf = (state: string) =>
    spans.filter((span) => span.state === state).reduce((sum, { npages }) => sum + npages, 0);
  assertEquals([stats.heap_inuse, stats.heap_idle], [
    pagesOf("inuse") * PAGE,
    pagesOf("free") * PAGE,
  ]);
  assert(stats.heap_released <= stats.heap_idle);
  const listed = [...Object.values(free).flat(), ...freelarge];
  assertEquals(listed.length, spans.filter(({ state }) => state === "free").length);
}

Deno.test("whatever is taken, dropped and released, in whatever order, pages are neither lost nor doubled", () => {
  const step = fc.record({
    op: fc.constantFrom("take", "take", "drop", "lazy", "release", "wait"),
    pages: fc.oneof(fc.integer({ min: 5, max: 30 }), fc.integer({ min: 5, max: 300 })),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 60, size: "max" }), (steps) => {
      let now = 0;
      using heap = new GoHeap({ ...OPTIONS, clock: () => now });
      const refs: Ref[] = [];
      const stamps = new Map<Ref, number>();
      for (const { op, pages } of steps) {
        if (op === "take") {
          const ref = take(heap, pages);
          heap.storeInt32(ref.pointer, pages);
          heap.storeInt32(ref.pointer + pages * PAGE - 4, ~pages);
          stamps.set(ref, pages);
          refs.push(ref);
        } else if (op === "drop") {
          refs.splice(pages % (refs.length + 1), 1).forEach((ref) => ref[Symbol.dispose]());
          heap.gogc(2);
        } else if (op === "lazy") {
          refs.splice(pages % (refs.length + 1), 1).forEach((ref) => ref[Symbol.dispose]());
          heap.gogc(1);
        } else if (op === "release") {
          heap.FreeOSMemory();
        } else {
          now += pages * 10e9;
          heap.safepoint();
        }
        heap.verify();
        assertPages(heap.snapshot());
      }
      for (const ref of refs) {
        const pages = stamps.get(ref)!;
        assertEquals(heap.loadInt32(ref.pointer), pages);
        assertEquals(heap.loadInt32(ref.pointer + pages * PAGE - 4), ~pages);
      }
      for (const ref of refs) ref[Symbol.dispose]();
      heap.GC();
      assertEquals(heap.snapshot().spans.length <= 1, true);
    }),
    { numRuns: 40, seed: 20141211 },
  );
});
