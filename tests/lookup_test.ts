import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Lookup } from "../lib/lookup.ts";
import { partsOf } from "../lib/go_heap.ts";
import { LOOKUPS, TINY_ALLOCS } from "../lib/arena/stats.ts";
import { LOCAL_LOOKUPS } from "../lib/spans/cache_record.ts";
import { purgeCachedStats } from "../lib/spans/cached_stats.ts";
import { FlagNoScan, GoHeap, type ObjectPlace, type Pointer } from "../mod.ts";

const OPTIONS = { platform: "linux/amd64" } as const;
const PAGE = 8192;

/** What both lookups find, which must be the same. */
function find(heap: GoHeap, p: Pointer): ObjectPlace | null {
  const found = heap.findObject(p);
  assertEquals(heap.mlookup(p), found, `mlookup(0x${p.toString(16)})`);
  return found;
}

/** What the quick way finds, as findObject says it: of a small block, and of a whole number, that is the same. */
function assertFoundQuickly(heap: GoHeap, lookup: Lookup, p: Pointer): void {
  const { arena } = partsOf(heap);
  const found = Number.isSafeInteger(p) && p >= 0 ? heap.findObject(p) : null;
  const span = found !== null && found.size <= 32768 ? arena.pageSpan[found.span] : 0;
  assertEquals(lookup.find(p), span, `${p}`);
  if (span === 0) return;
  assertEquals(lookup.inBlock, p - found!.base, `${p}`);
  assertEquals(lookup.inSpan, p - arena.pageAddress(found!.span), `${p}`);
}

for (const above of [0, 5 * 2 ** 30]) {
  Deno.test(`the quick way to find a block, ${above} bytes above the arena's start, finds what there is`, () => {
    using heap = new GoHeap(OPTIONS);
    if (above > 0) heap.rawmem(above);
    const { arena, spans, cache, stats, pacer } = partsOf(heap);
    const lookup = new Lookup(arena, spans, cache, stats, pacer, 8);
    const sizes = [8, 16, 48, 1024, 2304, 32768, 40000];
    const blocks = sizes.map((size) => heap.mallocgc(size, null, FlagNoScan));
    const offset = fc.oneof(fc.nat(2 * 40000), fc.double(), fc.constantFrom(0.5, -0.5, -1));
    fc.assert(fc.property(fc.constantFrom(...blocks), offset, (p, at) => {
      assertFoundQuickly(heap, lookup, p + at);
      // A number that has the same bits below.
      assertFoundQuickly(heap, lookup, p + at + 2 ** 32);
      assertFoundQuickly(heap, lookup, p + at + 2 ** 45);
      assertFoundQuickly(heap, lookup, at);
    }));
    const odd = [NaN, Infinity, -Infinity, -0, -1, arena.start - 1, arena.used, 2 ** 53, 2 ** 64];
    for (const p of odd) assertFoundQuickly(heap, lookup, p);
  });
}

for (const size of [8, 16, 48, 1024, 2304, 32768]) {
  Deno.test(`a block of ${size} bytes is found by its base, by any address inside, and not one past its end`, () => {
    using heap = new GoHeap(OPTIONS);
    const p = heap.mallocgc(size, heap.types.unsafePointer);
    const { span } = heap.findObject(p)!;
    const place = { span, base: p, size };
    for (const at of [0, 1, size >> 1, size - 1]) assertEquals(find(heap, p + at), place, `${at}`);
    const next = find(heap, p + size);
    const blocks = heap.snapshot().spans[0];
    // One past the end is the next block, if the span has one: free or not makes no difference.
    const hasNext = (2 * size) <= blocks.npages * PAGE;
    assertEquals(next, hasNext ? { span, base: p + size, size } : null);
  });
}

Deno.test("one past the last block of a span is nothing, where the span has slack and where it has none", () => {
  using heap = new GoHeap(OPTIONS);
  for (const [size, blocks] of [[48, 170], [1024, 8]]) {
    const first = heap.mallocgc(size, null, FlagNoScan);
    for (let i = 1; i < blocks; i++) heap.mallocgc(size, null, FlagNoScan);
    assertEquals(find(heap, first + blocks * size - 1)?.base, first + (blocks - 1) * size);
    const behind = find(heap, first + blocks * size);
    assertEquals(behind, null, `behind ${blocks} blocks of ${size}`);
  }
});

Deno.test("a slot that was never handed out, and one that was freed, are found as those in use are", () => {
  using heap = new GoHeap(OPTIONS);
  const kept = heap.ref(heap.mallocgc(2304, null, FlagNoScan));
  const freed = heap.mallocgc(2304, null, FlagNoScan);
  const never = freed + 2304;
  for (const p of [freed, never]) assertEquals(find(heap, p + 100)?.base, p);
  heap.GC();
  for (const p of [freed, never]) assertEquals(find(heap, p + 100)?.base, p);
  kept[Symbol.dispose]();
  heap.GC();
  for (const p of [kept.pointer, freed, never]) assertEquals(find(heap, p), null, "in a free span");
});

Deno.test("a large object is found up to the bytes asked for, and the rest of its pages is nothing", () => {
  using heap = new GoHeap(OPTIONS);
  const p = heap.rawmem(40000);
  const place = { span: heap.findObject(p)!.span, base: p, size: 5 * PAGE };
  for (const at of [0, 1, PAGE, 39999]) assertEquals(find(heap, p + at), place);
  for (const at of [40000, 5 * PAGE - 1, 5 * PAGE]) assertEquals(find(heap, p + at), null, `${at}`);
});

Deno.test("pages that are neither free nor an object's, as stacks are in Go, hold nothing that can be found", () => {
  using heap = new GoHeap({ ...OPTIONS, debug: "efence=1" });
  const p = heap.rawmem(3 * PAGE);
  assertEquals(find(heap, p + PAGE)?.base, p);
  heap.GC();
  for (const at of [0, 1, PAGE, 3 * PAGE - 1]) assertEquals(find(heap, p + at), null);
});

Deno.test("outside the arena that is used nothing is found, whatever the number", () => {
  using heap = new GoHeap(OPTIONS);
  const p = heap.rawmem(100);
  const { arena } = partsOf(heap);
  using frame = heap.frame(1);
  const outside = [
    0,
    1,
    4096,
    arena.start - 1,
    arena.used,
    arena.used + PAGE,
    arena.end,
    2 ** 47,
    Number.MAX_SAFE_INTEGER,
    heap.global(heap.types.int),
    heap.persistentalloc(8, 8, "other_sys"),
    heap.types.int.address,
    frame.address(0),
    heap.rawmem(0),
  ];
  for (const address of outside) assertEquals(find(heap, address), null, `${address}`);
  assertEquals(find(heap, arena.used - 1), null, "in a free span");
  assertEquals(find(heap, p)?.base, p);
});

Deno.test("after 1 << 30 lookups a 32-bit platform adds up what the thread has counted, a 64-bit one does not", () => {
  using heap = new GoHeap(OPTIONS);
  const { arena, spans, cache, stats, pacer } = partsOf(heap);
  const p = heap.mallocgc(64, null, FlagNoScan);
  heap.mallocgc(4, null, FlagNoScan);
  heap.mallocgc(4, null, FlagNoScan);
  for (const [pointerBytes, isPurged] of [[8, false], [4, true]] as const) {
    const lookup = new Lookup(arena, spans, cache, stats, pacer, pointerBytes);
    const before = heap.snapshot().stats;
    const lookups = stats[LOOKUPS];
    cache.floats[LOCAL_LOOKUPS] = 2 ** 30 - 2;
    lookup.findObject(p);
    assertEquals(cache.floats[LOCAL_LOOKUPS], 2 ** 30 - 1);
    assertEquals(heap.snapshot().stats, before);
    lookup.findObject(0);
    const after = heap.snapshot().stats;
    if (isPurged) {
      assertEquals([cache.floats[LOCAL_LOOKUPS], stats[LOOKUPS]], [0, lookups + 2 ** 30]);
      assertEquals([after.heap_alloc, after.local_cachealloc], [64 + 16, 0]);
      assertEquals([after.tinyallocs, after.local_tinyallocs], [1, 0]);
    } else {
      assertEquals([cache.floats[LOCAL_LOOKUPS], stats[LOOKUPS]], [2 ** 30, lookups]);
      assertEquals(after, before);
    }
  }
  heap.verify();
});

Deno.test("purgecachedstats adds up bytes, tiny objects and lookups, and begins anew", () => {
  using heap = new GoHeap(OPTIONS);
  const { cache, stats } = partsOf(heap);
  heap.mallocgc(100, null, FlagNoScan);
  heap.mallocgc(1, null, FlagNoScan);
  // From here on no pages change hands, which would add something up.
  heap.mallocgc(1, null, FlagNoScan);
  heap.mallocgc(100, null, FlagNoScan);
  heap.findObject(0);
  const { heap_alloc, local_cachealloc } = heap.snapshot().stats;
  assertEquals(heap_alloc + local_cachealloc, 240);
  assertEquals([local_cachealloc > 0, stats[TINY_ALLOCS], stats[LOOKUPS]], [true, 0, 0]);
  for (let i = 0; i < 2; i++) {
    purgeCachedStats(cache, stats);
    const after = heap.snapshot().stats;
    assertEquals([after.heap_alloc, after.local_cachealloc], [240, 0]);
    assertEquals([after.tinyallocs, after.local_tinyallocs, stats[LOOKUPS]], [1, 0, 1]);
    heap.verify();
  }
});
