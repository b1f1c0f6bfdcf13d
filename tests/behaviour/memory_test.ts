import { assertEquals, assertThrows } from "@std/assert";
import type { Pointer } from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";

const OPTIONS = { platform: "linux/amd64" } as const;

/** Stores, the loads that see the same bits, and values with what each of the loads makes of them. */
const NUMBERS: { stores: string[]; loads: string[]; bytes: number; values: number[][] }[] = [
  {
    stores: ["storeUint8", "storeInt8"],
    loads: ["loadUint8", "loadInt8"],
    bytes: 1,
    values: [[0, 0], [127, 127], [128, -128], [255, -1]],
  },
  {
    stores: ["storeUint16", "storeInt16"],
    loads: ["loadUint16", "loadInt16"],
    bytes: 2,
    values: [[0, 0], [32767, 32767], [32768, -32768], [65535, -1]],
  },
  {
    stores: ["storeUint32", "storeInt32"],
    loads: ["loadUint32", "loadInt32"],
    bytes: 4,
    values: [[0, 0], [2 ** 31 - 1, 2 ** 31 - 1], [2 ** 31, -(2 ** 31)], [2 ** 32 - 1, -1]],
  },
];

type Access = (p: Pointer, value?: number) => number;

function access(heap: GoHeap, name: string): Access {
  return (heap[name as keyof GoHeap] as Access).bind(heap);
}

/** An object in the heap, a global, and the slot of a persistent block. */
function places(heap: GoHeap): Pointer[] {
  const { types } = heap;
  return [
    heap.newarray(types.uint64, 4),
    heap.global(types.array(types.uint64, 4)),
    heap.persistentalloc(32, 8, "other_sys"),
  ];
}

for (const { stores, loads, bytes, values } of NUMBERS) {
  Deno.test(`${stores.join(" and ")} write ${bytes} bytes, little-endian, and no more`, () => {
    using heap = new GoHeap(OPTIONS);
    for (const place of places(heap)) {
      for (const row of values) {
        stores.forEach((store, i) => {
          heap.bytes(place, 32).fill(0x5a);
          access(heap, store)(place + 8, row[i]);
          assertEquals(loads.map((load) => access(heap, load)(place + 8)), row);
          const expected = new Uint8Array(32).fill(0x5a);
          for (let b = 0; b < bytes; b++) expected[8 + b] = Math.floor(row[0] / 2 ** (8 * b)) & 255;
          assertEquals(heap.bytes(place, 32), expected);
        });
      }
    }
  });
}

Deno.test("floats, 64-bit integers and pointers come back as they were stored", () => {
  using heap = new GoHeap(OPTIONS);
  for (const place of places(heap)) {
    for (const value of [0, -0, 1.5, -1e300, NaN, Infinity, 5e-324]) {
      heap.storeFloat64(place, value);
      assertEquals(heap.loadFloat64(place), value);
      heap.storeFloat32(place, value);
      assertEquals(heap.loadFloat32(place), Math.fround(value));
    }
    for (const value of [0n, 1n, 2n ** 63n, 2n ** 64n - 1n]) {
      heap.storeBig64(place, value);
      assertEquals(BigInt.asUintN(64, heap.loadBig64(place)), value);
      heap.storeBig64(place, BigInt.asIntN(64, value));
      assertEquals(BigInt.asUintN(64, heap.loadBig64(place)), value);
    }
    for (const value of [0, 4096, 2 ** 32, 0xc208000001, Number.MAX_SAFE_INTEGER]) {
      heap.storePointer(place, value);
      assertEquals([heap.loadPointer(place), heap.loadBig64(place)], [value, BigInt(value)]);
    }
  }
});

Deno.test("a view of bytes shows what is stored later, also after the heap has grown", () => {
  using heap = new GoHeap(OPTIONS);
  using kept = heap.ref(heap.rawmem(64));
  const view = heap.bytes(kept.pointer, 64);
  for (let i = 0; i < 50; i++) heap.rawmem(2 ** 20);
  heap.storeUint8(kept.pointer + 63, 7);
  assertEquals([view.length, view[63], heap.bytes(kept.pointer + 63, 1)[0]], [64, 7, 7]);
});

Deno.test("every allocation is zero unless it asked not to be, whatever lay there before", () => {
  using heap = new GoHeap(OPTIONS);
  const sizes = [1, 8, 15, 16, 24, 48, 1024, 9000, 32768, 32769, 100000];
  for (let round = 0; round < 3; round++) {
    for (const size of sizes) {
      for (let i = 0; i < 20; i++) {
        const bytes = heap.bytes(heap.mallocgc(size, null, 1), size);
        assertEquals(bytes.findIndex((byte) => byte !== 0), -1, `${size} bytes, round ${round}`);
        bytes.fill(0xff);
      }
    }
    heap.GC();
    heap.verify();
  }
});

Deno.test("all objects of no bytes have one address, outside the arena, at which nothing can be read", () => {
  using heap = new GoHeap(OPTIONS);
  const empty = heap.types.struct("", {});
  const address = heap.newobject(empty);
  assertEquals([heap.rawmem(0), heap.newarray(heap.types.int, 0)], [address, address]);
  assertEquals(heap.newarray(empty, 2 ** 40), address);
  assertEquals(heap.findObject(address), null);
  assertEquals(heap.bytes(address, 0).length, 0);
  assertEquals(heap.ReadMemStats().Mallocs, 0);
});

Deno.test("findObject finds the block of any address below its span's limit, and nothing else", () => {
  using heap = new GoHeap(OPTIONS);
  const PAGE = 8192;
  const small = heap.rawmem(48);
  const large = heap.rawmem(40000);
  const start = heap.findObject(small)!.span;
  const block = (base: number) => ({ span: start, base, size: 48 });
  assertEquals(heap.findObject(small), block(small));
  assertEquals(heap.findObject(small + 47), block(small));
  // The next block is free, which makes no difference.
  assertEquals(heap.findObject(small + 48), block(small + 48));
  // 170 blocks of 48 leave 32 bytes of the page.
  assertEquals(heap.findObject(small + 170 * 48 - 1), block(small + 169 * 48));
  assertEquals(heap.findObject(small + 170 * 48), null);
  assertEquals(heap.mlookup(small + 170 * 48), null);

  const whole = { span: start + 1, base: large, size: 5 * PAGE };
  assertEquals(heap.findObject(large + 39999), whole);
  assertEquals(heap.findObject(large + 40000), null);
  assertEquals(heap.mlookup(large + 40000), null);
  for (const outside of [0, 8, large + 5 * PAGE, large + 2 ** 30, heap.global(heap.types.int)]) {
    assertEquals([heap.findObject(outside), heap.mlookup(outside)], [null, null], `${outside}`);
  }
  heap.GC();
  assertEquals([heap.findObject(large), heap.mlookup(large + 3 * PAGE)], [null, null]);
});

Deno.test("a word cannot be read across the end of the memory, nor a view made of it", () => {
  using heap = new GoHeap(OPTIONS);
  const end = heap.rawmem(100) + heap.snapshot().arena_used;
  heap.storeUint8(end - 1, 1);
  assertThrows(() => heap.bytes(end - 1, 2), RangeError, "2 bytes");
  assertThrows(() => heap.storeUint8(end, 1), RangeError, String(end));
});
