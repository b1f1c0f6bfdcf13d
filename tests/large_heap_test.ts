import { assert, assertEquals, assertThrows } from "@std/assert";
import { FlagNoScan, GoHeap, GoThrow, type Pointer } from "../mod.ts";
import { Watch } from "./behaviour/watch.ts";

const GiB = 2 ** 30;
const BLOCK_BYTES = 64 * 2 ** 20;
const OPTIONS = { platform: "linux/amd64", gcPercent: 1000 } as const;

/** Fills `bytes` of a heap's addresses with blocks that nobody touches, and roots them. */
function occupy(heap: GoHeap, bytes: number): Pointer[] {
  const count = bytes / BLOCK_BYTES;
  const table = heap.global(heap.types.array(heap.types.unsafePointer, count));
  return Array.from({ length: count }, (_, i) => {
    const block = heap.rawmem(BLOCK_BYTES);
    heap.storePointer(table + 8 * i, block);
    return block;
  });
}

Deno.test("6 GiB of blocks that are never touched need no memory, and everything above them works", () => {
  const before = Deno.memoryUsage().rss;
  using heap = new GoHeap(OPTIONS);
  const blocks = occupy(heap, 6 * GiB);
  assertEquals(blocks.at(-1)! - blocks[0], 6 * GiB - BLOCK_BYTES);
  for (const [i, block] of blocks.entries()) {
    assertEquals(heap.findObject(block + 12345678)?.base, block, `block ${i}`);
  }

  const { types } = heap;
  const node = types.struct("main.Node", (self) => ({
    next: types.pointer(self),
    value: types.int,
    pad: types.array(types.int, 4),
  }));
  const head = heap.global(types.pointer(node));
  const COUNT = 20000;
  const make = (value: number) => {
    const made = heap.newobject(node);
    heap.storeBig64(made + 8, BigInt(value));
    return made;
  };
  for (let i = 0; i < COUNT; i++) {
    const made = make(i);
    assert(made - blocks[0] > 2 ** 32, "a node below 4 GiB");
    heap.storePointer(made, heap.loadPointer(head));
    heap.storePointer(head, made);
    make(-1);
  }
  heap.GC();
  heap.verify();
  assertEquals(heap.ReadMemStats().HeapObjects, COUNT + blocks.length);
  let at = heap.loadPointer(head);
  for (let i = COUNT - 1; i >= 0; i--) {
    if (heap.loadBig64(at + 8) !== BigInt(i)) assertEquals(heap.loadBig64(at + 8), BigInt(i));
    at = heap.loadPointer(at);
  }
  assertEquals(at, 0);

  heap.storePointer(head, 0);
  heap.GC();
  heap.verify();
  const { HeapObjects, HeapInuse } = heap.ReadMemStats();
  assertEquals([HeapObjects, HeapInuse], [blocks.length, 6 * GiB]);
  const growth = Deno.memoryUsage().rss - before;
  assert(growth < 256 * 2 ** 20, `resident memory grew by ${growth}`);
});

Deno.test("pointers across the 4 GiB line keep objects in both directions, finalizers above it run", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const watch = new Watch(heap);
  const pair = types.array(types.unsafePointer, 4);
  using low = heap.ref(heap.newobject(pair));
  occupy(heap, 4.5 * GiB);
  const large = types.array(types.unsafePointer, 100000);
  const high = heap.newobject(large);
  assert(high - low.pointer > 2 ** 32);
  heap.storePointer(low.pointer, high + 8 * 99999 + 3);
  heap.storePointer(high + 8 * 99999, watch.object(1) + 17);
  heap.storePointer(high + 8 * 50000, watch.object(2, types.array(types.uint8, 5000)));
  watch.object(3);
  watch.object(4, types.array(types.uint8, 50000));
  assertEquals(watch.collect(), [3, 4]);
  heap.storePointer(high + 8 * 50000, 0);
  assertEquals(watch.collect(), [2]);
  heap.storePointer(low.pointer, 0);
  assertEquals(watch.collect(), [1]);
});

Deno.test("pointers are stored and loaded wherever a word of the arena is, and nowhere else", () => {
  using heap = new GoHeap(OPTIONS);
  const first = occupy(heap, 12 * GiB)[0];
  const end = first + 12 * GiB;
  const places = [1, 2, 4, 6, 8, 10, 12].flatMap((n) =>
    [n * GiB - 8, n * GiB].map((at) => first + at)
  );
  const inside = places.filter((p) => p < end);
  for (const p of inside) {
    for (const value of [p, first, 0, 2 ** 32, 2 ** 53 - 1]) {
      heap.storePointer(p, value);
      assertEquals(heap.loadPointer(p), value, `at ${p - first}`);
      assertEquals(heap.loadBig64(p), BigInt(value), `at ${p - first}`);
    }
    assertThrows(() => heap.loadPointer(p + 4), RangeError, "Cannot use p");
    assertThrows(() => heap.storePointer(p + 0.5, 0), RangeError, "Cannot use p");
  }
  for (const p of [first + 2 ** 40, -first, first - 2 ** 35, NaN]) {
    assertThrows(() => heap.loadPointer(p), RangeError, "Cannot use p");
    assertThrows(() => heap.storePointer(p, 0), RangeError, "Cannot use p");
  }
});

Deno.test("freed pages above 4 GiB are merged, handed out again from the lowest fit, and zeroed", () => {
  using heap = new GoHeap(OPTIONS);
  occupy(heap, 4.5 * GiB);
  const blocks = Array.from({ length: 8 }, () => {
    const block = heap.mallocgc(2 ** 20, null, FlagNoScan);
    heap.bytes(block, 2 ** 20).fill(255);
    return block;
  });
  heap.GC();
  heap.verify();
  const again = heap.mallocgc(8 * 2 ** 20, null, FlagNoScan);
  assertEquals(again, blocks[0]);
  assert(heap.bytes(again, 8 * 2 ** 20).every((byte) => byte === 0));
});

Deno.test("a byte deep inside a large object has a finalizer of its own, up to 2 GiB from the beginning", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const type = types.pointer(types.uint8);
  const got: Pointer[] = [];
  const finalizer = { type: types.func([type], []), data: (p: Pointer) => void got.push(p) };
  const p = heap.rawmem(5 * GiB);
  const set = (offset: number) => heap.SetFinalizer({ type, data: p + offset }, finalizer);
  for (const offset of [2 * GiB - 1, 0, 8]) set(offset);
  for (const offset of [2 * GiB, 4 * GiB, 4 * GiB + 8, 5 * GiB - 1]) {
    assertThrows(() => set(offset), GoThrow, `block (0x${(p + offset).toString(16)} in the block`);
  }
  for (const offset of [0, 8, 2 * GiB - 1]) {
    heap.verify();
    // A finalizer keeps the object, and so the others, until it has run.
    heap.GC();
    heap.runFinalizers();
    assertEquals(got.splice(0), [p + offset]);
  }
});
