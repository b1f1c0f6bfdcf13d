import { assertEquals } from "@std/assert";
import { sizeToClass } from "../../lib/spans/size_classes.ts";
import { FlagNoScan, type Pointer } from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";

const PAGE = 8192;
const COMPILERS = ["gc", "gccgo"] as const;

/** A heap that collects only when it is told to. */
function quietHeap(compiler: "gc" | "gccgo"): GoHeap {
  return new GoHeap({ platform: "linux/amd64", compiler });
}

function pageOf(heap: GoHeap, p: Pointer): number {
  return heap.findObject(p)!.span;
}

Deno.test("gccgo's heap grows by multiples of 128 KiB, gc's by multiples of 64", () => {
  const grown = COMPILERS.map((compiler) => {
    using heap = quietHeap(compiler);
    heap.rawmem(129 * PAGE);
    return heap.ReadMemStats().HeapSys / PAGE;
  });
  assertEquals(grown, [136, 144]);
});

Deno.test("a span that is all garbage goes back when gccgo sweeps it on demand, gc uses it", () => {
  // Two full spans of two blocks each; nothing of the first survives, half of the second does.
  const pages = COMPILERS.map((compiler) => {
    using heap = quietHeap(compiler);
    const blocks = Array.from({ length: 4 }, () => heap.rawmem(4096));
    assertEquals(blocks.map((p) => pageOf(heap, p)), [0, 0, 1, 1]);
    using _ref = heap.ref(blocks[2]);
    heap.gogc(1);
    const next = heap.rawmem(4096);
    heap.verify();
    const states = heap.snapshot().spans.map(({ page, state }) => `${page} ${state}`);
    return [pageOf(heap, next), states.slice(0, 2)];
  });
  assertEquals(pages, [
    [0, ["0 inuse", "1 inuse"]],
    [1, ["0 free", "1 inuse"]],
  ]);
});

Deno.test("of spans with room gccgo takes the one at the front, which was swept last", () => {
  // A collection leaves three spans with room, of which the cache's was given back last.
  using heap = quietHeap("gccgo");
  const blocks = Array.from({ length: 12 }, () => heap.rawmem(2048));
  const refs = [0, 4, 8].map((i) => heap.ref(blocks[i]));
  assertEquals(refs.map((ref) => pageOf(heap, ref.pointer)), [0, 1, 2]);
  heap.GC();
  const { nonempty } = heap.snapshot().central[sizeToClass(2048)];
  assertEquals(nonempty, [2, 1, 0]);
  const pages = Array.from({ length: 9 }, () => pageOf(heap, heap.rawmem(2048)));
  assertEquals(pages, [2, 2, 2, 1, 1, 1, 0, 0, 0]);
  heap.verify();
});

Deno.test("with nothing but large objects the two compilers place alike", () => {
  const places = COMPILERS.map((compiler) => {
    using heap = quietHeap(compiler);
    const pages: number[] = [];
    const refs = Array.from({ length: 20 }, (_, i) => {
      const p = heap.mallocgc((5 + i % 7) * PAGE, null, FlagNoScan);
      pages.push(pageOf(heap, p));
      return heap.ref(p);
    });
    refs.forEach((ref, i) => i % 3 === 0 && ref[Symbol.dispose]());
    heap.GC();
    for (let i = 0; i < 10; i++) pages.push(pageOf(heap, heap.rawmem((5 + i % 3) * PAGE)));
    return pages;
  });
  assertEquals(places[1], places[0]);
});
