import { assert, assertEquals, assertThrows } from "@std/assert";
import { ASIDE_BYTES } from "../../lib/arena/arena.ts";
import { partsOf } from "../../lib/go_heap.ts";
import { PAGE_BYTES } from "../../lib/platform/platform.ts";
import {
  FlagNoScan,
  FlagNoZero,
  GoHeap,
  type GoHeapOptions,
  GoThrow,
  HeapDump,
  type Pointer,
  SharedAddressSpace,
} from "../../mod.ts";

const MiB = 2 ** 20;
/** Of the arena, what lies in the first window: the first pages that a heap asks for fit before it. */
const WINDOW_BYTES = 4 * MiB;
const OPTIONS = { platform: "linux/amd64", gcPercent: -1 } as const;

function heapInTwoWindows(options: GoHeapOptions = {}): GoHeap {
  const addressSpace = new SharedAddressSpace({ firstWindowBytes: ASIDE_BYTES + WINDOW_BYTES });
  return new GoHeap({ ...OPTIONS, addressSpace, ...options });
}

/** Allocates and roots noscan blocks until there are as many in the second window as in the first. */
function fillBoth(heap: GoHeap, bytes: number): { below: Pointer[]; above: Pointer[] } {
  const below: Pointer[] = [];
  const above: Pointer[] = [];
  const table = heap.global(
    heap.types.array(heap.types.unsafePointer, Math.ceil((12 * MiB) / bytes)),
  );
  for (let i = 0; above.length < below.length || above.length === 0; i++) {
    const p = heap.mallocgc(bytes, null, FlagNoScan);
    heap.storePointer(table + 8 * i, p);
    (isAbove(heap, p) ? above : below).push(p);
  }
  assert(below.length > 0, "blocks in the first window");
  return { below, above };
}

function isAbove(heap: GoHeap, p: Pointer): boolean {
  return p >= partsOf(heap).arena.start + WINDOW_BYTES;
}

Deno.test("no object lies across the end of the first window, and the page before it is nobody's", () => {
  using heap = heapInTwoWindows();
  const { arena } = partsOf(heap);
  const boundary = arena.start + WINDOW_BYTES;
  const { below, above } = fillBoth(heap, 100_000);
  for (const p of below) assert(p + 100_000 <= boundary - PAGE_BYTES, `0x${p.toString(16)}`);
  assertEquals(above[0], boundary);
  assertEquals(heap.findObject(boundary - 1), null);
  assertThrows(() => heap.loadUint8(boundary - 1), RangeError, "p");
  assert(arena.hasHoles);
  assertEquals(heap.ReadMemStats().HeapSys, arena.heldPages * PAGE_BYTES);
  heap.GC();
  heap.verify();
});

Deno.test("blocks of both windows are zero when they are new, and again when they were used before", () => {
  for (const bytes of [24, 100, 1024, 5000, 100_000]) {
    using heap = heapInTwoWindows({ collect: "malloc" });
    const table = heap.global(heap.types.unsafePointer);
    const seen = new Set<boolean>();
    for (let round = 0; round < 3; round++) {
      const blocks = Math.ceil((6 * MiB) / bytes);
      const list = heap.newarray(heap.types.unsafePointer, blocks);
      heap.storePointer(table, list);
      for (let i = 0; i < blocks; i++) {
        const p = heap.mallocgc(bytes, null, FlagNoScan);
        seen.add(isAbove(heap, p));
        const view = heap.bytes(p, bytes);
        if (view.some((byte) => byte !== 0)) assertEquals(view, new Uint8Array(bytes));
        view.fill(0xff);
        heap.storePointer(list + 8 * i, p);
      }
      heap.storePointer(table, 0);
      heap.GC();
    }
    assertEquals(seen.size, 2);
    heap.verify();
  }
});

Deno.test("a list that goes to and fro between the windows survives, and dies when it is dropped", () => {
  using heap = heapInTwoWindows();
  const { types } = heap;
  const node = types.struct(
    "main.Node",
    (self) => ({ next: types.pointer(self), value: types.int }),
  );
  const COUNT = 500;
  const keep = heap.global(types.array(types.unsafePointer, 2 * COUNT));
  const newNodes = (from: number, areAbove: boolean) =>
    Array.from({ length: COUNT }, (_, i) => {
      let p = heap.newobject(node);
      while (isAbove(heap, p) !== areAbove) p = heap.newobject(node);
      heap.storePointer(keep + 8 * (from + i), p);
      return p;
    });
  const below = newNodes(0, false);
  fillBoth(heap, 500_000);
  const above = newNodes(COUNT, true);

  const head = heap.global(types.pointer(node));
  let last = head;
  for (const [i, p] of below.flatMap((p, i) => [p, above[i]]).entries()) {
    heap.storeBig64(p + 8, BigInt(i));
    heap.storePointer(last, p);
    last = p;
  }
  // From one window to the other, and into the first node of the list.
  const copy = heap.newobject(node);
  heap.typedmemmove(node, copy, below[0]);
  heap.typedmemmove(node, below[0], copy);
  for (let i = 0; i < 2 * COUNT; i++) heap.storePointer(keep + 8 * i, 0);
  heap.SetGCPercent(100);
  heap.GC();
  heap.verify();
  const { HeapObjects } = heap.ReadMemStats();
  let length = 0;
  for (let p = heap.loadPointer(head); p !== 0; p = heap.loadPointer(p)) {
    assertEquals(heap.loadBig64(p + 8), BigInt(length++));
  }
  assertEquals(length, 2 * COUNT);
  heap.storePointer(head, 0);
  heap.GC();
  assertEquals(heap.ReadMemStats().HeapObjects, HeapObjects - 2 * COUNT);
});

Deno.test("a heap dump has the contents of both windows, and a block not zeroed shows what was in it", () => {
  using heap = heapInTwoWindows();
  const { below, above } = fillBoth(heap, 100_000);
  for (const p of [below[0], above[0]]) heap.bytes(p, 100_000).fill(p % 251);
  const dump = HeapDump.from(heap.writeHeapDump());
  for (let i = 0; i < dump.objectCount; i++) {
    const { address, contents } = dump.object(i);
    assertEquals(contents, heap.bytes(address, contents.length).slice());
  }
  const chunk = heap.mallocgc(64, null, FlagNoScan);
  assert(isAbove(heap, chunk));
  heap.bytes(chunk, 64).fill(7);
  // A span with nothing live in it would be given back, and be cleared when it comes again.
  heap.storePointer(heap.global(heap.types.unsafePointer), heap.mallocgc(64, null, FlagNoScan));
  heap.SetGCPercent(100);
  heap.GC();
  for (;;) {
    const p = heap.mallocgc(64, null, FlagNoScan | FlagNoZero);
    if (p !== chunk) continue;
    // The first two words held the free list's link and mark.
    assertEquals(heap.bytes(p + 16, 48), new Uint8Array(48).fill(7));
    break;
  }
});

Deno.test("a request that fits in neither window is refused, and leaves no hole", () => {
  using heap = heapInTwoWindows();
  const { arena } = partsOf(heap);
  heap.rawmem(100);
  const used = arena.usedPages;
  assertThrows(() => heap.rawmem(arena.platform.maxMemBytes - 2 * MiB), GoThrow, "out of memory");
  assertEquals([arena.usedPages, arena.hasHoles], [used, false]);
  const p = heap.rawmem(64 * MiB);
  assertEquals(p, arena.start + WINDOW_BYTES);
  heap.storeUint8(p + 64 * MiB - 1, 1);
  heap.verify();
});

Deno.test("poison and fence reach the second window", () => {
  using poisoned = heapInTwoWindows({ debug: "gcstress=1", gcPercent: 100 });
  const big = poisoned.rawmem(5 * MiB);
  assert(isAbove(poisoned, big));
  const view = poisoned.bytes(big, 5 * MiB);
  poisoned.GC();
  assert(view.every((byte) => byte === view[0] && byte !== 0));

  using fenced = heapInTwoWindows({ debug: "efence=1" });
  const q = fenced.rawmem(5 * MiB - 100);
  assert(isAbove(fenced, q));
  fenced.storeUint8(q + 5 * MiB - 101, 1);
  assertThrows(() => fenced.storeUint8(q + 5 * MiB - 100, 1), GoThrow, "fault");
});

Deno.test("a heap lives in a first window of any size, what it puts aside included or not", () => {
  for (const firstWindowBytes of [PAGE_BYTES, ASIDE_BYTES, ASIDE_BYTES + PAGE_BYTES]) {
    using addressSpace = new SharedAddressSpace({ firstWindowBytes });
    using heap = new GoHeap({ platform: "linux/amd64", addressSpace });
    for (let i = 0; i < 1000; i++) heap.bytes(heap.mallocgc(64, null, FlagNoScan), 64).fill(0xff);
    heap.GC();
    assertEquals(heap.bytes(heap.mallocgc(64, null, FlagNoScan), 64), new Uint8Array(64));
    heap.verify();
  }
});

Deno.test("a first window that no span fits in is refused by name", () => {
  for (const firstWindowBytes of [0, -8192, 8193, NaN, 0.5]) {
    assertThrows(
      () => new SharedAddressSpace({ firstWindowBytes }),
      RangeError,
      "firstWindowBytes",
    );
  }
});
