import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { MARK_SHIFT } from "../../lib/arena/bitmap.ts";
import { Marker } from "../../lib/gc/marker.ts";
import { Slice } from "../../lib/gc/slice.ts";
import { partsOf } from "../../lib/go_heap.ts";
import { PAGE_BYTES } from "../../lib/platform/platform.ts";
import { CLASS_TO_SIZE } from "../../lib/spans/size_classes.ts";
import { FlagNoScan, FlagNoZero, GoHeap, GoThrow, type GoType, type Pointer } from "../../mod.ts";

const WORD = 8;
/** Blocks whose marks are in one int32. */
const GROUP = 32;
const GRAPHS = 60;
/** What they may take on a slow machine before they are cut short; a failure is shrunk within it, too. */
const LIMIT_MS = 9000;

function newHeap(): GoHeap {
  return new GoHeap({ platform: "linux/amd64", gcPercent: -1 });
}

/** A struct of so many words, of which those in `pointers` are pointers and the others numbers. */
function nodeOf(
  { types }: GoHeap,
  words: number,
  pointers: readonly number[],
  name = "node",
): GoType {
  const field = (word: number) => pointers.includes(word) ? types.unsafePointer : types.uint64;
  const fields = Array.from({ length: words }, (_, word) => [`w${word}`, field(word)] as const);
  return types.struct(name, Object.fromEntries(fields));
}

function blockBytes(type: GoType): number {
  return CLASS_TO_SIZE[type.sizeClass];
}

/** New blocks of these types, all of one class, one behind the other from the first of a page on. */
function newBlocksOf(heap: GoHeap, types: readonly GoType[]): Pointer[] {
  const blocks: Pointer[] = [];
  while (blocks.length < types.length) {
    const block = heap.newobject(types[blocks.length]);
    if (blocks.length > 0 || block % PAGE_BYTES === 0) blocks.push(block);
  }
  blocks.forEach((block, i) => assertEquals(block, blocks[0] + i * blockBytes(types[0])));
  return blocks;
}

function newBlocks(heap: GoHeap, type: GoType, n: number): Pointer[] {
  return newBlocksOf(heap, new Array<GoType>(n).fill(type));
}

/** Marks what `root` leads to, and returns which of the blocks that was; all marks are gone then. */
function markedOf(
  heap: GoHeap,
  root: Pointer,
  blocks: readonly Pointer[],
  type: GoType,
): boolean[] {
  const { arena, spans, stats } = partsOf(heap);
  const marker = new Marker(arena, spans, stats);
  marker.grey(root);
  marker.advance(Slice.whole);
  const marked = blocks.map((p) => {
    const page = Math.floor((p - arena.start) / PAGE_BYTES);
    const block = (p % PAGE_BYTES) / blockBytes(type);
    const at = (page << MARK_SHIFT) + 2 * Math.floor(block / GROUP);
    return ((arena.bitmap.marks[at] >>> (block % GROUP)) & 1) === 1;
  });
  marker.abandon();
  return marked;
}

interface Link {
  from: number;
  word: number;
  to: number;
  byte: number;
}

/** Which of these blocks can be reached from the first one by links whose word is a pointer: `pointers` has those of each block. */
function reachable(links: readonly Link[], pointers: readonly (readonly number[])[]): boolean[] {
  const words = new Map<string, Link>();
  for (const link of links) words.set(`${link.from} ${link.word}`, link);
  const isReached = pointers.map(() => false);
  const todo = [0];
  for (let from = todo.pop(); from !== undefined; from = todo.pop()) {
    if (isReached[from]) continue;
    isReached[from] = true;
    for (const word of pointers[from]) {
      const link = words.get(`${from} ${word}`);
      if (link !== undefined) todo.push(link.to);
    }
  }
  return isReached;
}

for (const words of [1, 2, 3, 4, 8, 16, 32]) {
  Deno.test(`of blocks of ${words} words that point to near ones, exactly those in reach are marked`, () => {
    const n = 5 * GROUP;
    const block = fc.nat({ max: n - 1 });
    const link = fc.record({
      from: block,
      word: fc.nat({ max: words - 1 }),
      to: fc.tuple(block, fc.integer({ min: -20, max: 20 }), fc.boolean()),
      byte: fc.nat({ max: words * WORD - 1 }),
    });
    const pointers = fc.uniqueArray(fc.nat({ max: words - 1 }), { minLength: 1 });
    const graph = fc.record({
      kinds: fc.tuple(pointers, pointers),
      kindOf: fc.array(fc.nat({ max: 1 }), { minLength: n, maxLength: n }),
      links: fc.array(link, { minLength: n, maxLength: 6 * n }),
    });
    fc.assert(
      fc.property(graph, ({ kinds, kindOf, links: drawn }) => {
        using heap = newHeap();
        const types = kinds.map((pointers, kind) => nodeOf(heap, words, pointers, `kind${kind}`));
        const blocks = newBlocksOf(heap, kindOf.map((kind) => types[kind]));
        const links = drawn.map(({ from, word, to: [anywhere, distance, isNear], byte }): Link => {
          const to = isNear ? Math.min(Math.max(from + distance, 0), n - 1) : anywhere;
          return { from, word, to, byte };
        });
        for (const { from, word, to, byte } of links) {
          heap.storePointer(blocks[from] + word * WORD, blocks[to] + byte);
        }
        const marked = markedOf(heap, blocks[0], blocks, types[0]);
        assertEquals(marked, reachable(links, kindOf.map((kind) => kinds[kind])));
        heap.verify();
      }),
      { numRuns: GRAPHS, seed: 20261122, interruptAfterTimeLimit: LIMIT_MS },
    );
  });
}

/** By block, which blocks it points to. */
const SHAPES: { [shape: string]: (i: number, n: number) => number[] } = {
  "a list in the order of addresses": (i) => [i + 1],
  "a list against the order of addresses": (i, n) => [i === 0 ? n - 1 : i === 1 ? -1 : i - 1],
  "a list whose neighbours are in other groups": (i, n) => [(i + 7 * GROUP + 3) % n],
  "a tree, level by level": (i) => [2 * i + 1, 2 * i + 2],
  "a tree, a left child and all below it first": (i, n) => {
    // Where the subtree of block i ends, if all trees are full.
    let [first, end] = [0, n];
    while (first < i) {
      const middle = first + 1 + Math.floor((end - first - 1) / 2);
      first = i < middle ? first + 1 : middle;
      if (i < middle) end = middle;
    }
    const below = end - first - 1;
    return below === 0 ? [] : below === 1 ? [i + 1] : [i + 1, i + 1 + Math.floor(below / 2)];
  },
  "blocks that point to others of their group and to one of the next": (i, n) => {
    const first = i - i % GROUP;
    return [
      (i + GROUP) % n,
      ...Array.from({ length: 12 }, (_, k) => first + (5 * i + 1 + k) % GROUP),
    ];
  },
};

for (const [shape, linksOf] of Object.entries(SHAPES)) {
  for (const words of [2, 4, 16]) {
    Deno.test(`${shape}, of blocks of ${words} words, is marked to its end`, () => {
      using heap = newHeap();
      const n = 5000;
      const all = [...Array(words).keys()];
      const type = nodeOf(heap, words, all);
      const blocks = Array.from({ length: n }, () => heap.newobject(type));
      const links: Link[] = [];
      for (let from = 0; from < n; from++) {
        const targets = linksOf(from, n).filter((to) => to >= 0 && to < n).slice(0, words);
        targets.forEach((to, word) => links.push({ from, word, to, byte: 0 }));
      }
      for (const { from, word, to } of links) {
        heap.storePointer(blocks[from] + word * WORD, blocks[to]);
      }
      const expected = reachable(links, blocks.map(() => all));
      assert(expected.filter(Boolean).length > n / 2, "most are in reach");
      assertEquals(markedOf(heap, blocks[0], blocks, type), expected);
      heap.verify();
    });
  }
}

Deno.test("a free block is not followed, whoever of its group points to it", () => {
  using heap = newHeap();
  const type = nodeOf(heap, 2, [0, 1]);
  const blocks = newBlocks(heap, type, 20);
  // Every other one is held by the one before.
  for (let i = 0; i + 2 < 20; i += 2) heap.storePointer(blocks[i], blocks[i + 2]);
  heap.storePointer(heap.global(heap.types.unsafePointer), blocks[0]);
  heap.SetGCPercent(100);
  heap.GC();
  assertEquals(heap.ReadMemStats().HeapObjects, 10);
  // Those between are free now, and what they point to is not in use because of that.
  for (let i = 0; i < 20; i += 2) {
    heap.storePointer(blocks[i] + WORD, blocks[i + 1]);
    heap.storePointer(blocks[i + 1], heap.mallocgc(48, null, FlagNoScan));
  }
  heap.GC();
  assertEquals(heap.ReadMemStats().HeapObjects, 10);
  heap.verify();
});

Deno.test("groups whose blocks all have 15 pointers out of them leave room for the next", () => {
  using heap = newHeap();
  const words = 16;
  const type = nodeOf(heap, words, [...Array(words).keys()]);
  const n = 15 * GROUP;
  const blocks = newBlocks(heap, type, n);
  const first = heap.newobject(type);
  blocks.forEach((block, i) => {
    if (i % GROUP === 0) heap.storePointer(first + (i / GROUP) * WORD, block);
    if ((i + 1) % GROUP !== 0) heap.storePointer(block, blocks[i + 1]);
    for (let word = 1; word < words; word++) {
      heap.storePointer(block + word * WORD, heap.mallocgc(48, null, FlagNoScan));
    }
  });
  heap.storePointer(heap.global(heap.types.unsafePointer), first);
  heap.SetGCPercent(100);
  heap.GC();
  assertEquals(heap.ReadMemStats().HeapObjects, 1 + n * words);
  heap.verify();
});

/** A heap whose next span begins where the lower half of addresses is 0, and 4 GiB more behind. */
function heapAtBoundary(): { heap: GoHeap; boundary: Pointer } {
  const heap = newHeap();
  const large = FlagNoScan | FlagNoZero;
  const last = heap.mallocgc(5 * PAGE_BYTES, null, large) + 5 * PAGE_BYTES;
  const boundary = Math.ceil(last / 2 ** 32) * 2 ** 32;
  heap.mallocgc(boundary + 2 ** 32 - PAGE_BYTES - last, null, large);
  return { heap, boundary };
}

for (const word of [0, 1]) {
  Deno.test(`groups on either side of a multiple of 4 GiB, linked by word ${word}, are told from those 4 GiB before`, () => {
    const { heap, boundary } = heapAtBoundary();
    using _ = heap;
    const type = nodeOf(heap, 2, [0, 1]);
    const blocks = Array.from({ length: 2 * PAGE_BYTES / type.size }, () => heap.newobject(type));
    assertEquals(blocks[0], boundary + 2 ** 32 - PAGE_BYTES);
    const n = blocks.length;
    // The chain breaks off at some blocks, which would go on if only lower halves were looked at. The other word leads home.
    const breaks = [100, n / 2 + 100, n / 2 + 200];
    blocks.forEach((block, from) => {
      const to = blocks[(from + 1) % n];
      heap.storePointer(block + word * WORD, breaks.includes(from) ? to - 2 ** 32 : to);
      heap.storePointer(block + (1 - word) * WORD, block);
    });
    for (const root of [0, 101, n / 2, n / 2 + 101, n / 2 + 201]) {
      const end = breaks.find((at) => at >= root) ?? breaks[0] + n;
      const expected = blocks.map((_, i) => (i >= root ? i : i + n) <= end);
      assertEquals(markedOf(heap, blocks[root], blocks, type), expected, `from ${root}`);
    }
  });
}

Deno.test("a bad pointer is named by its place where blocks are followed within their group", () => {
  using heap = newHeap();
  const type = nodeOf(heap, 4, [1, 3]);
  const blocks = newBlocks(heap, type, 20);
  blocks.forEach((block, i) => heap.storePointer(block + WORD, blocks[(i + 1) % 20]));
  heap.storePointer(blocks[13] + 3 * WORD, 12);
  const { arena, spans, stats } = partsOf(heap);
  const marker = new Marker(arena, spans, stats);
  marker.grey(blocks[0]);
  const place = (blocks[13] + 3 * WORD).toString(16);
  assertThrows(
    () => marker.advance(Slice.whole),
    GoThrow,
    `found invalid heap pointer *(0x${place})=0xc`,
  );
  marker.abandon();
  heap.verify();
});

Deno.test("no slice of one object follows another within its group", () => {
  using heap = newHeap();
  const type = nodeOf(heap, 2, [0, 1]);
  const blocks = newBlocks(heap, type, GROUP);
  blocks.forEach((block, i) => heap.storePointer(block, blocks[(i + 1) % GROUP]));
  const { arena, spans, stats } = partsOf(heap);
  const marker = new Marker(arena, spans, stats);
  marker.grey(blocks[0]);
  let slices = 1;
  while (!marker.advance(new Slice(() => 1, 0, 1, 1))) slices++;
  assert(slices >= GROUP, `${slices} slices`);
  marker.abandon();
});
