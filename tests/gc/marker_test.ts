import { assert, assertEquals, assertThrows } from "@std/assert";
import { MARK_SHIFT } from "../../lib/arena/bitmap.ts";
import { Marker } from "../../lib/gc/marker.ts";
import { Slice } from "../../lib/gc/slice.ts";
import { partsOf } from "../../lib/go_heap.ts";
import { PAGE_BYTES } from "../../lib/platform/platform.ts";
import { FlagNoScan, FlagNoZero, GoHeap, GoThrow, type Pointer } from "../../mod.ts";

const FANOUT = 12;
const WORD = 8;

/** A tree of arrays of pointers, `depth` levels deep, with leaves that have none. */
function makeTree(heap: GoHeap, depth: number): Pointer {
  if (depth === 0) return heap.rawmem(40000 - 39000 * (heap.ReadMemStats().Mallocs % 2));
  const node = heap.newarray(heap.types.unsafePointer, FANOUT);
  for (let i = 0; i < FANOUT; i++) heap.storePointer(node + i * WORD, makeTree(heap, depth - 1));
  return node;
}

/** How many mark bits are set in the whole heap. */
function countMarks(heap: GoHeap): number {
  const { arena } = partsOf(heap);
  let count = 0;
  for (const { page, state } of heap.snapshot().spans) {
    if (state !== "inuse") continue;
    for (let word = 0; word < 32; word++) {
      for (let bits = arena.bitmap.marks[(page << MARK_SHIFT) + 2 * word]; bits !== 0; count++) {
        bits &= bits - 1;
      }
    }
  }
  return count;
}

for (const maxQueueEntries of [255, 510, 2 ** 20]) {
  Deno.test(`a tree is marked whole with room for ${maxQueueEntries} blocks in the queue`, () => {
    using heap = new GoHeap({ platform: "linux/amd64" });
    const root = heap.global(heap.types.unsafePointer);
    heap.storePointer(root, makeTree(heap, 3));
    makeTree(heap, 2);
    heap.GC();
    const nodes = 1 + FANOUT + FANOUT ** 2 + FANOUT ** 3;
    assertEquals([heap.ReadMemStats().HeapObjects, countMarks(heap)], [nodes, 0]);

    const { arena, spans, stats } = partsOf(heap);
    const marker = new Marker(arena, spans, stats, { maxQueueEntries });
    marker.grey(heap.loadPointer(root));
    marker.advance(Slice.whole);
    assertEquals(countMarks(heap), nodes);
    marker.abandon();
    assertEquals(countMarks(heap), 0);
    heap.verify();
  });
}

Deno.test("objects 17 GiB apart that point to each other are marked from either side", () => {
  using heap = new GoHeap({ platform: "linux/amd64", gcPercent: -1 });
  const { unsafePointer } = heap.types;
  const table = heap.newarray(unsafePointer, 18);
  heap.storePointer(heap.global(unsafePointer), table);
  const near = heap.newarray(unsafePointer, 2);
  heap.storePointer(table, near);
  for (let i = 1; i <= 17; i++) {
    const block = heap.mallocgc(2 ** 30, null, FlagNoScan | FlagNoZero);
    heap.storePointer(table + i * WORD, block);
  }
  // What is left below the second window is filled up.
  for (let bytes = 2 ** 29; bytes >= 2 ** 13; bytes /= 2) {
    while (heap.mallocgc(bytes, null, FlagNoScan | FlagNoZero) < near + 2 ** 34);
  }
  const far = heap.newarray(unsafePointer, 2000);
  heap.storePointer(near, far);
  for (let i = 0; i < 1000; i++) {
    const node = heap.newarray(unsafePointer, 3);
    heap.storePointer(far + i * WORD, node);
    const leaf = heap.newarray(unsafePointer, 1);
    heap.storePointer(node + WORD, leaf);
    heap.storePointer(leaf, near);
    heap.newarray(unsafePointer, 3);
  }
  const beyondWindow = heap.loadPointer(far + 999 * WORD);
  assert(beyondWindow > near + 2 ** 34, `0x${beyondWindow.toString(16)}`);
  heap.SetGCPercent(100);
  heap.GC();
  assertEquals(heap.ReadMemStats().HeapObjects, 2 + 17 + 1 + 2000);
  heap.verify();
});

// Blocks of a power of two words are followed several at a time, the others one by one.
for (const words of [1, 2, 3, 4, 6, 8, 10, 16, 18, 32, 72]) {
  Deno.test(`neighbours of ${words} words are marked whole, each pointer of theirs followed`, () => {
    using heap = new GoHeap({ platform: "linux/amd64", gcPercent: -1 });
    const { types } = heap;
    const live = 1000;
    const table = heap.newarray(types.unsafePointer, live);
    heap.storePointer(heap.global(types.unsafePointer), table);
    for (let i = 0; i < live; i++) {
      const node = heap.newarray(types.unsafePointer, words);
      // Dead ones lie between, in places that differ from word to word.
      if (i % 3 === 0) heap.newarray(types.unsafePointer, words);
      heap.storePointer(table + i * WORD, node);
      for (let word = 0; word < words; word += 1 + (i % 2)) {
        heap.storePointer(node + word * WORD, heap.mallocgc(24, null, FlagNoScan));
      }
    }
    const even = (live / 2) * words;
    const odd = (live / 2) * Math.ceil(words / 2);
    heap.SetGCPercent(100);
    heap.GC();
    assertEquals(heap.ReadMemStats().HeapObjects, 1 + live + even + odd);
    heap.verify();
  });
}

const BLOCK_BYTES = 48;
const BLOCKS_A_PAGE = Math.floor(PAGE_BYTES / BLOCK_BYTES);

/** Blocks without pointers, each held by a neighbour of those that hold the ones before and behind it. */
function holdNeighbours(
  heap: GoHeap,
  bytes = BLOCK_BYTES,
): { holders: Pointer[]; pages: Pointer[] } {
  const { unsafePointer } = heap.types;
  const n = 1000;
  const table = heap.newarray(unsafePointer, n);
  heap.storePointer(heap.global(unsafePointer), table);
  const holders = Array.from({ length: n }, (_, i) => {
    const holder = heap.newarray(unsafePointer, 1);
    heap.storePointer(table + i * WORD, holder);
    return holder;
  });
  const pages = new Set<Pointer>();
  for (const holder of holders) {
    const block = heap.mallocgc(bytes, null, FlagNoScan);
    heap.storePointer(holder, block);
    pages.add(block - block % PAGE_BYTES);
  }
  return { holders, pages: [...pages] };
}

/** What is no pointer to `block` or another block. */
function strayValues(block: Pointer): { [value: string]: Pointer } {
  const page = block - block % PAGE_BYTES;
  return {
    null: 0,
    "the word behind a page's last block": page + BLOCKS_A_PAGE * BLOCK_BYTES,
    "the same place 2 GiB further, where no memory is": block + 2 ** 31,
    "the same place 1 TiB further": block + 2 ** 40,
    "what is below the arena, but not small": 2 ** 20,
  };
}

for (const value of Object.keys(strayValues(0))) {
  Deno.test(`among pointers to neighbours, ${value} is no pointer to any block`, () => {
    using heap = new GoHeap({ platform: "linux/amd64", gcPercent: -1 });
    const { holders, pages } = holdNeighbours(heap);
    for (const i of [100, 101, 102, 300, 999]) {
      heap.storePointer(holders[i], strayValues(heap.loadPointer(holders[i]))[value]);
    }
    assert(pages.length > 2);
    heap.SetGCPercent(100);
    heap.GC();
    assertEquals(heap.ReadMemStats().HeapObjects, 1 + 1000 + 1000 - 5);
    heap.verify();
  });
}

Deno.test("among pointers to neighbours, one whose lower half is 0 is not taken for null", () => {
  using heap = new GoHeap({ platform: "linux/amd64", gcPercent: -1 });
  const { holders } = holdNeighbours(heap);
  const boundary = Math.ceil(holders[0] / 2 ** 32) * 2 ** 32;
  const large = FlagNoScan | FlagNoZero;
  const last = heap.mallocgc(5 * PAGE_BYTES, null, large) + 5 * PAGE_BYTES;
  heap.mallocgc(boundary - last, null, large);
  const block = heap.mallocgc(5 * PAGE_BYTES, null, large);
  assertEquals(block, boundary);
  heap.storePointer(holders[499], 0);
  heap.storePointer(holders[500], block);
  heap.SetGCPercent(100);
  heap.GC();
  assertEquals(heap.findObject(block)?.size, 5 * PAGE_BYTES);
  assertEquals(heap.ReadMemStats().HeapObjects, 1 + 1000 + 999);
});

Deno.test("among pointers to neighbours, one 4 GiB before the next block is taken for what it is", () => {
  using heap = new GoHeap({ platform: "linux/amd64", gcPercent: -1 });
  const { holders } = holdNeighbours(heap);
  const large = FlagNoScan | FlagNoZero;
  const last = heap.mallocgc(5 * PAGE_BYTES, null, large) + 5 * PAGE_BYTES;
  const boundary = Math.ceil(last / 2 ** 32) * 2 ** 32;
  heap.mallocgc(boundary - last, null, large);
  const target = heap.mallocgc(5 * PAGE_BYTES, null, large);
  assertEquals(target, boundary);
  heap.mallocgc(2 ** 32 - 6 * PAGE_BYTES, null, large);
  // Three blocks in two pages, the second of which the boundary divides.
  const bytes = 5376;
  const blocks = [0, 1, 2].map(() => heap.mallocgc(bytes, null, FlagNoScan));
  assertEquals(blocks[0], boundary + 2 ** 32 - PAGE_BYTES);
  heap.storePointer(holders[500], blocks[0]);
  heap.storePointer(holders[501], blocks[1]);
  heap.storePointer(holders[502], blocks[2] - 2 ** 32);
  heap.SetGCPercent(100);
  heap.GC();
  assertEquals(heap.findObject(target)?.base, target);
  assertEquals(heap.ReadMemStats().HeapObjects, 1 + 1 + 1000 + 997 + 2);
  heap.verify();
});

Deno.test("pointers to neighbours go on where one span ends and the next begins", () => {
  using heap = new GoHeap({ platform: "linux/amd64", gcPercent: -1 });
  const { holders, pages } = holdNeighbours(heap, 1024);
  assertEquals(pages.length, holders.length * 1024 / PAGE_BYTES);
  heap.SetGCPercent(100);
  heap.GC();
  assertEquals(heap.ReadMemStats().HeapObjects, 1 + 2 * holders.length);
  heap.verify();
});

Deno.test("the blocks of a run that is queued are grey, each of them", () => {
  using heap = new GoHeap({ platform: "linux/amd64", gcPercent: -1 });
  const { holders } = holdNeighbours(heap);
  const { marker, checkMark } = partsOf(heap);
  for (const holder of holders) marker.grey(holder);
  let queued = 0;
  while (!marker.advance(new Slice(() => 1, 0, 64, 64))) {
    checkMark.checkInvariant();
    const blocks = new Set<string>();
    marker.forEachQueued((page, block) => blocks.add(`${page} ${block}`));
    queued = Math.max(queued, blocks.size);
  }
  assert(queued > 500, `${queued} blocks`);
  marker.abandon();
  heap.verify();
});

for (
  const [what, value] of Object.entries({
    "a small integer": () => 12,
    "the second word behind a page's last block": (page: Pointer) =>
      page + BLOCKS_A_PAGE * BLOCK_BYTES + WORD,
  })
) {
  Deno.test(`among pointers to neighbours, ${what} is found to be a bad one`, () => {
    using heap = new GoHeap({ platform: "linux/amd64", gcPercent: -1 });
    const { holders, pages } = holdNeighbours(heap);
    heap.storePointer(holders[200], value(pages[1]));
    const place = holders[200].toString(16);
    assertThrows(
      () => (heap.SetGCPercent(100), heap.GC()),
      GoThrow,
      `found invalid heap pointer *(0x${place})`,
    );
  });
}

Deno.test("large objects with a finalizer are marked by what points to them while they are followed", () => {
  using heap = new GoHeap({ platform: "linux/amd64", gcPercent: -1 });
  const { types } = heap;
  const { unsafePointer } = types;
  const large = types.array(unsafePointer, 5000);
  const type = types.pointer(large);
  const finalizer = { type: types.func([type], []), data: () => {} };
  const n = 100;
  const first = heap.newarray(unsafePointer, 5000);
  heap.storePointer(heap.global(unsafePointer), first);
  let last = first;
  for (let i = 0; i < n; i++) {
    const held = heap.newobject(large);
    // Each points to the next one from its first words only, which are loaded before the next one's turn has come.
    for (let word = 0; word < 2000; word++) heap.storePointer(last + word * WORD, held);
    heap.SetFinalizer({ type, data: held }, finalizer);
    last = held;
  }
  heap.SetGCPercent(100);
  heap.GCcheckmarkenable();
  heap.GC();
  assertEquals(heap.runFinalizers(), 0);
  assertEquals(heap.ReadMemStats().HeapObjects, 1 + n);
  heap.verify();
});

Deno.test("a large object is followed to its end, whatever spans were there before", () => {
  using heap = new GoHeap({ platform: "linux/amd64", gcPercent: -1 });
  const { unsafePointer } = heap.types;
  const root = heap.global(unsafePointer);
  for (let i = 0; i < 20_000; i++) heap.mallocgc(64, null, FlagNoScan);
  heap.SetGCPercent(100);
  heap.GC();
  const words = 60_000;
  const table = heap.newarray(unsafePointer, words);
  heap.storePointer(root, table);
  for (let word = 0; word < words; word++) {
    heap.storePointer(table + word * WORD, heap.newarray(unsafePointer, 1));
  }
  heap.GC();
  assertEquals(heap.ReadMemStats().HeapObjects, 1 + words);
  heap.verify();
});
