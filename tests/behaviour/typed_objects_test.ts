import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { GoPanic, GoThrow, type GoType, type Pointer, type TypeTable } from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";
import { arbitraryType, pointerOffsets, structOf } from "../types/type_helpers.ts";
import { Watch } from "./watch.ts";

const WORD = 8;

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

/** Stores a watched object in each word of `holder` and returns those words that keep theirs. */
function keptWords(heap: GoHeap, holder: Pointer, words: number): number[] {
  const watch = new Watch(heap);
  for (const word of range(words)) heap.storePointer(holder + word * WORD, watch.object(word));
  const gone = new Set(watch.collect());
  return range(words).filter((word) => !gone.has(word));
}

/** The words of `n` values that are pointers, by their fields. */
function pointerWords(types: TypeTable, type: GoType, n: number): number[] {
  const offsets = [...pointerOffsets(types, type)].sort((a, b) => a - b);
  return range(n).flatMap((i) => offsets.map((offset) => (i * type.size + offset) / WORD));
}

Deno.test("objects of random types, and arrays of them, keep what their pointers point to", () => {
  using heap = new GoHeap({ platform: "linux/amd64" });
  const { types } = heap;
  const root = heap.global(types.unsafePointer);
  // From a few words to some thousand: plain masks, masks unrolled once, and programs unrolled in place.
  const anyType = fc.tuple(
    arbitraryType(types),
    fc.integer({ min: 1, max: 80 }),
    arbitraryType(types),
  ).map(([elem, length, last]) => structOf(types, [types.array(elem, length), last, types.string]));
  const property = fc.property(anyType, fc.integer({ min: 1, max: 5 }), (type, n) => {
    const holder = n === 1 ? heap.newobject(type) : heap.newarray(type, n);
    heap.storePointer(root, holder);
    assertEquals(keptWords(heap, holder, n * type.words), pointerWords(types, type, n));
  });
  fc.assert(property, { numRuns: 40 });
});

const LONG_TYPES: Record<string, (types: TypeTable) => GoType> = {
  "an array of pointers between numbers and strings": (types) =>
    types.struct("", {
      x: types.float64,
      y: types.array(types.unsafePointer, 5000),
      z: types.slice(types.string),
    }),
  "an array of structs of an odd number of words": (types) => {
    const odd = { a: types.int, p: types.unsafePointer, b: types.int };
    return types.array(types.struct("", odd), 3001);
  },
};

for (const [name, make] of Object.entries(LONG_TYPES)) {
  Deno.test(`a large object is scanned by the program of its type: ${name}`, () => {
    using heap = new GoHeap({ platform: "linux/amd64" });
    const type = make(heap.types);
    for (const n of [1, 3]) {
      const holder = heap.newarray(type, n);
      const root = heap.global(heap.types.unsafePointer);
      heap.storePointer(root, holder);
      const kept = keptWords(heap, holder, n * type.words);
      assertEquals(kept, pointerWords(heap.types, type, n));
      heap.storePointer(root, 0);
    }
  });

  Deno.test(`a global variable is a root by the program of its type: ${name}`, () => {
    using heap = new GoHeap({ platform: "linux/amd64" });
    const type = make(heap.types);
    const kept = keptWords(heap, heap.global(type), type.words);
    assertEquals(kept, pointerWords(heap.types, type, 1));
  });
}

Deno.test("a struct of 100,000 words that are in no array keeps what its pointers point to", () => {
  using heap = new GoHeap({ platform: "linux/amd64", gcPercent: -1 });
  const { types } = heap;
  const fields = range(100_000).map((i) => i % 1000 === 7 ? types.unsafePointer : types.int);
  const holder = heap.newobject(structOf(types, fields));
  heap.storePointer(heap.global(types.unsafePointer), holder);
  const leaf = types.array(types.uint8, 64);
  for (const word of range(fields.length)) {
    heap.storePointer(holder + word * WORD, heap.newobject(leaf));
  }
  heap.SetGCPercent(100);
  heap.GC();
  heap.verify();
  assertEquals(heap.ReadMemStats().HeapObjects, 1 + 100);
});

Deno.test("types of 400 MB and 4 TB cost nothing until they are allocated (tests.md 8)", () => {
  using heap = new GoHeap({ platform: "linux/amd64", limitBytes: 2 ** 30 });
  const { types } = heap;
  const before = heap.ReadMemStats().Sys;
  for (const words of [50e6, 2 ** 39]) {
    for (const elem of [types.unsafePointer, types.uintptr]) {
      const huge = types.array(elem, words);
      const around = [
        types.struct("", { p: types.unsafePointer, a: huge }),
        types.struct("", { a: huge, p: types.unsafePointer }),
      ];
      for (const type of around) assertEquals(type.words, words + 1);
    }
  }
  assertEquals(heap.ReadMemStats().Sys, before);
});

Deno.test("an object of 4 TB is out of memory, an array of them out of range, and the heap goes on", () => {
  using heap = new GoHeap({ platform: "linux/amd64", limitBytes: 2 ** 26 });
  const { types } = heap;
  const huge = types.struct("", { a: types.array(types.unsafePointer, 2 ** 39), n: types.int });
  assertThrows(() => heap.newobject(huge), GoThrow, "out of memory");
  heap.verify();
  assertThrows(() => heap.newarray(huge, 2), GoPanic, "allocation size out of range");
  assertThrows(() => heap.global(huge), GoThrow, "cannot allocate memory");
  heap.verify();
  const root = heap.global(types.unsafePointer);
  heap.storePointer(root, heap.newobject(types.array(types.string, 1000)));
  heap.GC();
  heap.verify();
  assertEquals(heap.ReadMemStats().HeapObjects, 1);
});
