import { assert, assertEquals } from "@std/assert";
import { GoHeap } from "../mod.ts";

const OPTIONS = { platform: "linux/amd64" } as const;

/** The heap base of linux/amd64 with number `i`. */
function heapBase(i: number): number {
  return i * 2 ** 40 + 0xc0 * 2 ** 32;
}

/** The number of the heap base that a heap's memory lies behind. */
function baseNumber(heap: GoHeap): number {
  const pointer = heap.newarray(heap.types.int64, 4);
  const i = Math.floor(pointer / 2 ** 40);
  assert(pointer > heapBase(i) && pointer < heapBase(i) + 2 ** 38, `${pointer} is behind no base`);
  return i;
}

Deno.test("each further heap gets the next heap base, and a disposed one gives its own back", () => {
  using first = new GoHeap(OPTIONS);
  const second = new GoHeap(OPTIONS);
  using third = new GoHeap(OPTIONS);
  assertEquals([first, second, third].map(baseNumber), [0, 1, 2]);
  second[Symbol.dispose]();
  second[Symbol.dispose]();
  using fourth = new GoHeap(OPTIONS);
  using fifth = new GoHeap(OPTIONS);
  assertEquals([fourth, fifth].map(baseNumber), [1, 3]);
});

Deno.test("200 heaps are made and disposed in a row, all at the same base", () => {
  for (let i = 0; i < 200; i++) {
    using heap = new GoHeap(OPTIONS);
    assertEquals(baseNumber(heap), 0);
  }
});

Deno.test("heaps beside each other do not see each other's objects", () => {
  using first = new GoHeap(OPTIONS);
  using second = new GoHeap(OPTIONS);
  const object = first.newarray(first.types.int64, 4);
  assertEquals(second.findObject(object), null);
  using holder = second.ref(object);
  assertEquals(holder.pointer, object);
  first.GC();
  second.GC();
  second.verify();
  assertEquals(first.ReadMemStats().HeapObjects, 0);
});
