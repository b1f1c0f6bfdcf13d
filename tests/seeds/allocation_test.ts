import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  FlagNoGC,
  FlagNoInvokeGC,
  FlagNoProfiling,
  FlagNoScan,
  FlagNoZero,
  GoPanic,
  GoThrow,
  type Pointer,
  SharedAddressSpace,
} from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";
import { Bitmap, BITS_DEAD, BITS_POINTER, BITS_SCALAR } from "../../lib/arena/bitmap.ts";
import { roundupsize } from "../../lib/spans/size_classes.ts";

const OPTIONS = { platform: "linux/amd64" } as const;
const PAGE = 8192;
const CHUNK = 256 * 1024;
const MAX_BLOCK = 64 * 1024;

Deno.test("the flags have seed A's numbers", () => {
  assertEquals([FlagNoScan, FlagNoProfiling, FlagNoGC, FlagNoZero, FlagNoInvokeGC], [
    1,
    2,
    4,
    8,
    16,
  ]);
});

Deno.test("a word has two bits in the bitmap: 0 dead, 1 scalar, 2 pointer, 16 words an int32", () => {
  assertEquals([BITS_DEAD, BITS_SCALAR, BITS_POINTER], [0, 1, 2]);
  const bitmap = new Bitmap(2, PAGE / 8);
  bitmap.cover(2);
  assertEquals([bitmap.typesOf(1), bitmap.types.length], [PAGE / 8 / 16, 2 * PAGE / 8 / 16]);
  for (const [word, code] of [[0, 2], [1, 1], [15, 2], [16, 1], [1023, 2]]) {
    bitmap.addTypes(bitmap.typesOf(1), word, code);
    assertEquals(bitmap.typeOf(bitmap.typesOf(1), word), code);
    assertEquals(bitmap.types[PAGE / 128 + (word >> 4)] >>> (2 * (word & 15)) & 3, code);
  }
  assertEquals(bitmap.typeOf(bitmap.typesOf(1), 2), BITS_DEAD);
});

Deno.test("newarray takes as many elements as fit into MaxMem, and panics from there on", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const maxMem = 2 ** 37;
  // The first object takes the place of the last byte.
  heap.rawmem(100);
  for (const bytes of [1, 2, 1024, 64 * 1024]) {
    const elem = types.array(types.uint8, bytes);
    // What passes the check is refused by the arena, in other words.
    assertThrows(() => heap.newarray(elem, maxMem / bytes), GoThrow, "out of memory");
    assertThrows(
      () => heap.newarray(elem, maxMem / bytes + 1),
      GoPanic,
      "runtime: allocation size out of range",
    );
  }
  heap.verify();
});

Deno.test("rawmem is neither scanned nor zeroed", () => {
  using heap = new GoHeap(OPTIONS);
  const size = 4096;
  const hidden = heap.rawmem(100);
  const before = heap.rawmem(size);
  heap.bytes(before, size).fill(0xff);
  using _kept = heap.ref(heap.rawmem(size));
  heap.GC();
  const again = heap.rawmem(size);
  assertEquals(again, before);
  // Word 0 was the free list's link, word 1 its mark; what lies behind them nobody wrote to.
  assertEquals([...new Set(heap.bytes(again + 16, size - 16))], [0xff]);
  heap.storePointer(again, hidden);
  using _again = heap.ref(again);
  heap.GC();
  assertEquals(heap.ReadMemStats().HeapObjects, 2, "what rawmem's bytes point to was kept");
});

Deno.test("roundupsize takes pages from 32768 bytes on, and gives back what no page can be added to", () => {
  const maxWord = 2 ** 32 - 1;
  assertEquals(roundupsize(32767, maxWord), 32768);
  assertEquals(roundupsize(32768, maxWord), 32768);
  assertEquals(roundupsize(32769, maxWord), 5 * PAGE);
  assertEquals(roundupsize(maxWord - PAGE, maxWord), 2 ** 32 - PAGE);
  assertEquals(roundupsize(maxWord - PAGE + 1, maxWord), maxWord - PAGE + 1);
  assertEquals(roundupsize(maxWord, maxWord), maxWord);
});

Deno.test("each lookup is counted: findObject's, mlookup's and SetFinalizer's", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const p = heap.newobject(types.unsafePointer);
  const lookups = (work: () => void) => {
    const before = heap.ReadMemStats().Lookups;
    work();
    return heap.ReadMemStats().Lookups - before;
  };
  assertEquals(lookups(() => heap.findObject(p)), 1);
  assertEquals(lookups(() => heap.findObject(0)), 1, "of an address outside");
  assertEquals(lookups(() => heap.mlookup(p)), 1);
  const type = types.pointer(types.unsafePointer);
  assertEquals(lookups(() => heap.SetFinalizer({ type, data: p }, null)), 1);
  assertEquals(lookups(() => heap.newobject(types.unsafePointer)), 0);
});

Deno.test("a small piece of persistent memory is cut from a chunk of 256 KiB, one of 64 KiB is not", () => {
  using heap = new GoHeap(OPTIONS);
  const accounts = (work: () => void) => {
    const before = heap.ReadMemStats();
    work();
    const after = heap.ReadMemStats();
    return [after.BuckHashSys - before.BuckHashSys, after.OtherSys - before.OtherSys];
  };
  // Whatever the heap itself has cut from its chunk, this leaves less than a piece of it.
  const fill = (): Pointer => {
    const first = heap.persistentalloc(MAX_BLOCK - 1, 1, "other_sys");
    for (let last = first;;) {
      const next = heap.persistentalloc(MAX_BLOCK - 1, 1, "other_sys");
      if (next !== last + MAX_BLOCK - 1) return next;
      last = next;
    }
  };
  const chunk = fill();
  assertEquals(heap.persistentalloc(1, 1, "other_sys"), chunk + MAX_BLOCK - 1);
  assertEquals(heap.persistentalloc(1, 0, "other_sys"), chunk + MAX_BLOCK, "aligned to 8");
  assertEquals(heap.persistentalloc(8, 0, "other_sys"), chunk + MAX_BLOCK + 8);
  assertEquals(heap.persistentalloc(8, PAGE, "other_sys"), chunk + MAX_BLOCK + PAGE);
  const room = chunk + CHUNK - (chunk + MAX_BLOCK + PAGE + 8);
  for (let left = room; left > 0; left -= Math.min(left, MAX_BLOCK - 1)) {
    heap.persistentalloc(Math.min(left, MAX_BLOCK - 1), 1, "other_sys");
  }

  assertEquals(accounts(() => heap.persistentalloc(8, 8, "buckhash_sys")), [8, CHUNK - 8]);
  assertEquals(accounts(() => heap.persistentalloc(8, 8, "buckhash_sys")), [8, -8]);
  assertEquals(accounts(() => heap.persistentalloc(8, 8, "other_sys")), [0, 0]);
  assertEquals(accounts(() => heap.persistentalloc(MAX_BLOCK, 8, "buckhash_sys")), [MAX_BLOCK, 0]);
  heap.verify();
});

Deno.test("the arena ends with its reservation: what does not fit is refused, and the rest goes on", () => {
  using heap = new GoHeap(OPTIONS);
  const half = heap.rawmem(2 ** 36);
  const { message } = assertThrows(() => heap.rawmem(2 ** 36 + 2 ** 20), GoThrow, "out of memory");
  assert(message.includes(String(2 ** 36 + 2 ** 20)), message);
  heap.verify();
  const p = heap.rawmem(2 ** 20);
  assert(p > half);
  heap.GC();
  heap.verify();
  assertEquals(heap.ReadMemStats().HeapObjects, 0);
});

/** The address of the first object on a platform, and how it comes about. */
const FIRST_OBJECTS: Record<string, [base: Pointer, spansBytes: number, bitmapBytes: number]> = {
  "linux/amd64": [0xc0 * 2 ** 32, 2 ** 27, 2 ** 33],
  "darwin/amd64": [0xc0 * 2 ** 32, 2 ** 27, 2 ** 33],
  "windows/amd64": [0xc0 * 2 ** 32, 2 ** 25, 2 ** 31],
  "linux/arm64": [0x40 * 2 ** 32, 2 ** 27, 2 ** 33],
};

for (const [platform, [base, spansBytes, bitmapBytes]] of Object.entries(FIRST_OBJECTS)) {
  Deno.test(`the arena lies behind span table and bitmap, at the first heap base (${platform})`, () => {
    using heap = new GoHeap({ platform });
    assertEquals(heap.rawmem(100), base + spansBytes + bitmapBytes);
  });
}

Deno.test("a heap base that is taken in part is passed over, and the next is tried", () => {
  const base = (i: number) => i * 2 ** 40 + 0xc0 * 2 ** 32;
  const taken: [Pointer, number][] = [
    [base(0), 4096],
    [base(1) + 2 ** 37, 1],
    // The last byte of what the third would be.
    [base(2) + 2 ** 27 + 2 ** 33 + 2 ** 37 + PAGE - 1, 1],
    // The first behind the fourth.
    [base(3) + 2 ** 27 + 2 ** 33 + 2 ** 37 + PAGE, 1],
  ];
  using heap = new GoHeap({ ...OPTIONS, addressSpace: new SharedAddressSpace({ taken }) });
  assertEquals(heap.rawmem(100), base(3) + 2 ** 27 + 2 ** 33);
});

Deno.test("an allocation with FlagNoInvokeGC leaves a due collection to the next one", () => {
  using heap = new GoHeap({ ...OPTIONS, collect: "malloc", minHeapBytes: 2 ** 20 });
  const flags = FlagNoScan | FlagNoInvokeGC;
  for (let i = 0; i < 100; i++) heap.mallocgc(100_000, null, flags);
  assertEquals(heap.ReadMemStats().NumGC, 0);
  heap.mallocgc(8, null, FlagNoScan);
  assertEquals(heap.ReadMemStats().NumGC, 1);
});

Deno.test("persistent memory that cannot be had is refused in a chunk, nil alone, and the heap goes on", () => {
  using heap = new GoHeap({ ...OPTIONS, limitBytes: 2 ** 24 });
  const before = heap.ReadMemStats();
  assertEquals(heap.persistentalloc(2 ** 25, 8, "buckhash_sys"), 0);
  assertEquals(heap.ReadMemStats().Sys, before.Sys);
  assertThrows(
    () => {
      for (let i = 0; i < 1000; i++) heap.persistentalloc(MAX_BLOCK - 8, 8, "buckhash_sys");
    },
    GoThrow,
    "runtime: cannot allocate memory",
  );
  assertThrows(() => heap.persistentalloc(MAX_BLOCK - 8, 8, "buckhash_sys"), GoThrow);
  assertEquals(heap.persistentalloc(2 ** 20, 8, "buckhash_sys"), 0);
  heap.verify();
  heap.GC();
  heap.verify();
  assertEquals(heap.ReadMemStats().NumGC, 1);
});
