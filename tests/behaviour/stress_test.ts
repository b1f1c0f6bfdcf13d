import { assert, assertEquals, assertThrows } from "@std/assert";
import { GoThrow } from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";

const OPTIONS = { platform: "linux/amd64", debug: "gcstress=1" } as const;

Deno.test("under stress every allocation collects, and what nobody holds is poisoned at once", () => {
  using heap = new GoHeap({ ...OPTIONS, collect: "malloc" });
  const forgotten = heap.rawmem(100);
  heap.bytes(forgotten, 100).fill(1);
  using kept = heap.ref(heap.rawmem(100));
  heap.bytes(kept.pointer, 100).fill(2);
  heap.rawmem(200);
  heap.verify();
  assertEquals(heap.ReadMemStats().NumGC, 3);
  assert(heap.bytes(forgotten, 100).every((byte) => byte !== 1), "still the old contents");
  assert(heap.bytes(kept.pointer, 100).every((byte) => byte === 2), "a live object was changed");
});

Deno.test("under stress every safepoint collects, and allocations between them do not", () => {
  using heap = new GoHeap({ ...OPTIONS, collect: "safepoint" });
  const first = heap.rawmem(100);
  heap.bytes(first, 100).fill(1);
  for (let i = 0; i < 1000; i++) heap.rawmem(100);
  assertEquals([heap.ReadMemStats().NumGC, heap.loadUint8(first)], [0, 1]);
  heap.safepoint();
  heap.safepoint();
  assertEquals([heap.ReadMemStats().NumGC, heap.ReadMemStats().HeapObjects], [2, 0]);
});

Deno.test("a list that is rooted stays whole under stress", () => {
  using heap = new GoHeap({ ...OPTIONS, collect: "malloc" });
  const { types } = heap;
  const node = types.struct("main.Node", (self) => ({
    next: types.pointer(self),
    value: types.int,
  }));
  const head = heap.global(types.pointer(node));
  for (let i = 0; i < 300; i++) {
    const made = heap.newobject(node);
    heap.storeBig64(made + 8, BigInt(i));
    heap.storePointer(made, heap.loadPointer(head));
    heap.storePointer(head, made);
  }
  let at = heap.loadPointer(head);
  for (let i = 299; i >= 0; i--) {
    assertEquals(heap.loadBig64(at + 8), BigInt(i));
    at = heap.loadPointer(at);
  }
  assertEquals(at, 0);
  heap.verify();
});

Deno.test("a loop without safepoints runs into the limit, is told of safepoint(), and can go on after it", () => {
  using heap = new GoHeap({ platform: "linux/amd64", limitBytes: 2 ** 26 });
  const fill = () => {
    for (let i = 0; i < 1000; i++) heap.rawmem(2 ** 20);
  };
  const error = assertThrows(fill, GoThrow, "out of memory");
  assert(error.message.includes("safepoint()"), error.message);
  heap.verify();
  heap.safepoint();
  for (let i = 0; i < 20; i++) heap.rawmem(2 ** 20);
  heap.verify();
});

Deno.test('with collect "malloc" the same loop stays below the limit', () => {
  using heap = new GoHeap({ platform: "linux/amd64", limitBytes: 2 ** 26, collect: "malloc" });
  for (let i = 0; i < 1000; i++) heap.rawmem(2 ** 20);
  heap.verify();
  assert(heap.ReadMemStats().NumGC > 10);
});
