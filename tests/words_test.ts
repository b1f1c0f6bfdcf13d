/**
 * A heap on 4-byte words, end to end: layout, stores and loads, roots, marking, finalizers, what free memory
 * holds, statistics, replay.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { partsOf } from "../lib/go_heap.ts";
import { FlagNoScan, GoPanic, GoThrow, type Pointer } from "../mod.ts";
import { blockCodes } from "./block_codes.ts";
import { CheckedHeap as GoHeap } from "./checked_heap.ts";
import { replaySummary } from "./cli/run_command.ts";

const PLATFORMS = ["linux/386", "linux/arm", "nacl/amd64p32"];
const MAX_UINTPTR = 2 ** 32 - 1;
const EXAMPLE = new URL("../examples/bintree9.allocfreetrace.txt.gz", import.meta.url).pathname;

for (const platform of PLATFORMS) {
  Deno.test(`on ${platform} a pointer is 4 bytes, wherever it is stored`, () => {
    using heap = new GoHeap({ platform });
    const { types } = heap;
    const pair = types.struct("main.Pair", { a: types.unsafePointer, b: types.unsafePointer });
    using frame = heap.frame(2);
    const places = [
      heap.newobject(pair),
      heap.global(pair),
      heap.persistentalloc(8, 4, "other_sys"),
    ];
    for (const place of [...places, frame.address(0)]) {
      for (const value of [1 + 2 ** 31, MAX_UINTPTR, places[0], 0]) {
        heap.storePointer(place + 4, 0x1234_5678);
        heap.storePointer(place, value);
        assertEquals([heap.loadPointer(place), heap.loadUint32(place)], [value, value]);
        assertEquals(heap.loadPointer(place + 4), 0x1234_5678);
      }
      for (const bad of [-1, 0.5, NaN, MAX_UINTPTR + 1]) {
        assertThrows(() => heap.storePointer(place, bad), RangeError, "Cannot use value");
      }
      for (const odd of [1, 2, 3]) {
        assertThrows(() => heap.loadPointer(place + odd), RangeError, "a multiple of 4");
      }
    }
    assertEquals(frame.address(1) - frame.address(0), 4);
  });

  Deno.test(`on ${platform} there is no memory beside what was given out`, () => {
    using heap = new GoHeap({ platform });
    const { arena } = partsOf(heap);
    heap.newobject(heap.types.int);
    const outside = [
      0,
      4,
      arena.start - 4,
      arena.used,
      2 ** 31,
      heap.platform.imageEnd,
      0xffff_0000,
    ];
    for (const p of [...outside, 2 ** 32 - 4, 2 ** 32, 2 ** 40]) {
      assertThrows(() => heap.loadUint32(p), RangeError, "Cannot use p", `${p}`);
      assertThrows(() => heap.storePointer(p, 0), RangeError, "Cannot use p", `${p}`);
      assertEquals(heap.findObject(p), null);
    }
  });

  Deno.test(`on ${platform} all kinds of roots keep objects, through the words that are pointers`, () => {
    using heap = new GoHeap({ platform });
    const { types } = heap;
    const node = types.struct("main.Node", (self) => ({
      number: types.int64,
      next: types.pointer(self),
      not: types.uintptr,
      name: types.string,
    }));
    const { offset } = node.fields[1];
    const made = () => {
      const [a, b, c] = [heap.newobject(node), heap.newobject(node), heap.newobject(node)];
      heap.storePointer(a + offset, b);
      // What lies in a word that is no pointer keeps nothing.
      heap.storePointer(a + offset + 4, c);
      return a;
    };
    const global = heap.global(node);
    heap.storePointer(global + offset, made());
    using frame = heap.frame(3);
    frame.set(2, made());
    using ref = heap.ref(made());
    heap.GC();
    heap.verify();
    assertEquals(heap.ReadMemStats().HeapObjects, 6);
    frame.set(2, 0);
    heap.storePointer(global + offset, 0);
    heap.GC();
    heap.verify();
    assertEquals([heap.ReadMemStats().HeapObjects, heap.findObject(ref.pointer)?.base], [
      2,
      ref.pointer,
    ]);
  });

  Deno.test(`on ${platform} objects of all sizes keep what their last pointer points to`, () => {
    using heap = new GoHeap({ platform });
    const { types } = heap;
    const table = heap.global(types.array(types.unsafePointer, 200));
    let count = 0;
    for (let words = 1; words < 12000; words = Math.ceil(words * 1.13)) {
      const object = heap.newarray(types.unsafePointer, words);
      heap.storePointer(table + 4 * count++, object);
      heap.storePointer(object + 4 * (words - 1), heap.newobject(types.unsafePointer));
    }
    heap.GC();
    heap.verify();
    assertEquals(heap.ReadMemStats().HeapObjects, 2 * count);
  });

  Deno.test(`on ${platform} more finalizers than a block of the queue has run in Go's order`, () => {
    using heap = new GoHeap({ platform });
    const { types } = heap;
    const type = types.pointer(types.array(types.unsafePointer, 4));
    const order: Pointer[] = [];
    const finalizer = { type: types.func([type], []), data: (p: Pointer) => order.push(p) };
    const objects = Array.from({ length: 300 }, () => heap.newobject(type.elem!));
    for (const data of objects) heap.SetFinalizer({ type, data }, finalizer);
    heap.GC();
    assertEquals(heap.runFinalizers(), 300);
    // (4096 - 16) / 20 of them fit in a block, and the block begun last is run first.
    assertEquals(order, [...objects.slice(204), ...objects.slice(0, 204)]);
    heap.GC();
    heap.verify();
    assertEquals(heap.ReadMemStats().HeapObjects, 0);
  });

  Deno.test(`on ${platform} the one pointer in a block of two words is taken for two, as in Go`, () => {
    using heap = new GoHeap({ platform });
    const { unsafePointer: pointer } = heap.types;
    // The first come from a run without types, those of the next span from one that has theirs.
    heap.mallocgc(8, null, FlagNoScan);
    const made = Array.from({ length: 1100 }, () => heap.newobject(pointer));
    assert(heap.findObject(made[0])?.span !== heap.findObject(made[1099])?.span);
    for (const p of made) assertEquals(blockCodes(heap, p), [2, 2]);
    heap.verify();
  });

  Deno.test(`on ${platform} tiny objects share blocks that others had before them`, () => {
    using heap = new GoHeap({ platform });
    const kept = Array.from({ length: 300 }, () => {
      const [first] = [1, 2, 3, 4].map(() => heap.mallocgc(16, null, FlagNoScan));
      return heap.ref(first);
    });
    heap.GC();
    for (let i = 0; i < 300; i++) {
      const p = heap.mallocgc(12, null, FlagNoScan);
      assertEquals(heap.mallocgc(4, null, FlagNoScan), p + 12);
    }
    heap.verify();
    for (const { pointer } of kept) assertEquals(heap.findObject(pointer)?.base, pointer);
  });

  Deno.test(`on ${platform} a block that is not zeroed shows the free list's words and all that was left`, () => {
    // A block of 16 bytes holds four words, of which the free list uses two.
    for (const size of [16, 32, 48]) {
      using heap = new GoHeap({ platform });
      using kept = heap.ref(heap.rawmem(size));
      const dropped = [heap.rawmem(size), heap.rawmem(size)];
      for (const p of dropped) heap.bytes(p, size).fill(0x77);
      heap.GC();
      assertEquals(heap.rawmem(size), dropped[0]);
      const words = Array.from({ length: size / 4 }, (_, i) => heap.loadUint32(dropped[0] + 4 * i));
      const rest = new Array(size / 4 - 2).fill(0x77777777);
      assertEquals(words, [dropped[1], 0xdeaddead, ...rest], `${size} bytes`);
      assertEquals(heap.findObject(kept.pointer)?.base, kept.pointer);
      heap.verify();
    }
  });
}

Deno.test("a size that overflows with a page more is refused before anything is asked for", () => {
  using heap = new GoHeap({ platform: "linux/386" });
  const { types } = heap;
  for (const size of [MAX_UINTPTR, MAX_UINTPTR - 8192 + 1, 2 ** 40]) {
    const { message } = assertThrows(() => heap.mallocgc(size, null, FlagNoScan), GoThrow);
    assertEquals(message, "out of memory");
    heap.verify();
  }
  assertThrows(
    () => heap.mallocgc(MAX_UINTPTR - 8192, null, FlagNoScan),
    GoThrow,
    "cannot allocate",
  );
  assertThrows(() => heap.newarray(types.int32, 2 ** 30 - 1), GoThrow, "out of memory");
  assertThrows(() => heap.newarray(types.int32, 2 ** 30), GoPanic, "allocation size out of range");
  heap.verify();
  assertEquals(heap.ReadMemStats().HeapSys, 0);
});

Deno.test("statistics count the records that Go has on words of this size", () => {
  const figures = (platform: string) => {
    using heap = new GoHeap({ platform });
    heap.newobject(heap.types.pointer(heap.types.int));
    const { MSpanInuse, MCacheInuse, GCSys } = heap.ReadMemStats();
    return { MSpanInuse, MCacheInuse, GCSys };
  };
  // Two spans; a bitmap of four bits a word for the first MiB.
  const queueBytes = figures("linux/amd64").GCSys - 2 ** 20 / 16;
  assertEquals(figures("linux/amd64"), {
    MSpanInuse: 208,
    MCacheInuse: 1200,
    GCSys: 2 ** 20 / 16 + queueBytes,
  });
  assertEquals(figures("linux/386"), {
    MSpanInuse: 120,
    MCacheInuse: 600,
    GCSys: 2 ** 20 / 8 + queueBytes,
  });
  assertEquals(figures("nacl/amd64p32").MSpanInuse, 128);
});

Deno.test("a trace replays on all platforms to the same objects", async () => {
  const [long, ...short] = await Promise.all(
    ["linux/amd64", ...PLATFORMS].map((platform) => replaySummary(EXAMPLE, "--platform", platform)),
  );
  for (const summary of short) {
    assertEquals(summary.allocated, long.allocated);
    assertEquals(summary.live, long.live);
    assertEquals(summary.sizeClasses, long.sizeClasses);
    assertEquals(summary.memStats.Mallocs, long.memStats.Mallocs);
  }
});
