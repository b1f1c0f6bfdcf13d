import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { platformNamed } from "../../lib/platform/platform.ts";
import { codeAt } from "../../lib/types/codes.ts";
import { TypeTable } from "../../lib/types/type_table.ts";
import { GoHeap, GoThrow } from "../../mod.ts";
import { typesFor } from "./type_helpers.ts";

const TOO_SMALL = "maxGCMask too small for now";

Deno.test("a type has a program above 32 words, or 16 if their number is odd; half of it on 386", () => {
  const lengths = [8, 9, 10, 15, 16, 17, 18, 31, 32, 33, 34];
  const withProgram = (platform: string) => {
    const t = typesFor(platform);
    return lengths.filter((n) => t.array(t.unsafePointer, n).pointers.usesProgram);
  };
  assertEquals(withProgram("linux/amd64"), [17, 31, 33, 34]);
  assertEquals(withProgram("linux/386"), [9, 15, 17, 18, 31, 32, 33, 34]);
});

Deno.test("a mask is kept up to 63 bytes, which is 126 words, or 63 if their number is odd", () => {
  for (const platform of ["linux/amd64", "linux/386"]) {
    const t = typesFor(platform);
    const isKept = (n: number) => t.array(t.unsafePointer, n).pointers.mask !== null;
    assertEquals([62, 63, 64, 65, 125, 126, 127, 128].filter(isKept), [62, 63, 64, 126]);
  }
});

Deno.test("a program is unrolled once into a mask that named types share", () => {
  const t = typesFor("linux/amd64");
  const type = t.array(t.string, 50);
  const named = t.named("main.Strings", type);
  const { mask } = type.pointers;
  assertStrictEquals(type.pointers.mask, mask);
  assertStrictEquals(named.pointers.mask, mask);
  const codes = Array.from({ length: 112 }, (_, word) => codeAt(mask!, word));
  assertEquals(codes, codes.map((_, word) => word >= 100 ? 0 : 2 - word % 2));
  // Whoever overwrites it finds that nobody unrolls it again.
  mask!.fill(0);
  const target = new Int32Array(8);
  type.pointers.write(target, 0, 0, 100);
  assertEquals(target, new Int32Array(8));
});

Deno.test("all pointers have one map, and a type of no words has none", () => {
  const t = typesFor("linux/amd64");
  assertStrictEquals(t.pointer(t.int).pointers, t.map(t.int, t.int).pointers);
  const { pointers } = t.struct("", {});
  assertEquals([pointers.words, pointers.maskBytes, pointers.has(0)], [0, 0, false]);
  assertEquals(t.loadPtrMask(t.struct("", {})), new Uint8Array(0));
});

Deno.test("a mask is loaded from a program of any length that memory has room for", () => {
  const t = typesFor("linux/amd64");
  const odd = t.struct("", { p: t.unsafePointer, a: t.array(t.slice(t.int), 1000) });
  const mask = t.loadPtrMask(odd);
  assertEquals([odd.words, mask.length], [3001, 1501]);
  assertEquals([...mask.subarray(0, 4)], [0x88, 0x44, 0x48, 0x84]);
  // Behind the last word, a scalar, the first one comes again.
  assertEquals(mask[1500], 0x84);
  assertThrows(() => t.loadPtrMask(t.array(t.unsafePointer, 2 ** 40)), GoThrow, TOO_SMALL);
  assertThrows(() => t.loadPtrMask(typesFor("linux/amd64").int), RangeError, "type");
});

Deno.test("with a lower maxGCMask, a longer mask is an error, where it is written and where it is loaded", () => {
  let next = 0x1000;
  const allocate = (bytes: number) => (next += bytes) - bytes;
  const t = new TypeTable(platformNamed("linux/amd64"), allocate, 32);
  const fits = t.array(t.unsafePointer, 62);
  const tooLong = t.array(t.unsafePointer, 64);
  // No program, no limit.
  const plain = t.array(t.unsafePointer, 32);
  const codes = new Int32Array(100);
  for (const type of [fits, plain]) {
    type.pointers.write(codes, 0, 0, type.words);
    assertEquals(t.loadPtrMask(type).length, type.words / 2);
  }
  assertThrows(() => tooLong.pointers.write(codes, 0, 0, 64), GoThrow, TOO_SMALL);
  assertThrows(() => t.loadPtrMask(tooLong), GoThrow, TOO_SMALL);
});

Deno.test("a heap with debug maxgcmask=64 refuses what seed B refuses, and goes on", () => {
  using heap = new GoHeap({ platform: "linux/amd64", debug: "maxgcmask=64" });
  const { types } = heap;
  const root = heap.global(types.unsafePointer);
  for (const length of [127, 1000, 1e5]) {
    const type = types.array(types.unsafePointer, length);
    for (let i = 0; i < 3; i++) {
      assertThrows(() => heap.newobject(type), GoThrow, TOO_SMALL);
      heap.verify();
    }
    // The element's mask does for a slice of the same length.
    heap.storePointer(root, heap.newarray(types.unsafePointer, length));
    heap.GC();
    heap.verify();
    assertEquals(heap.ReadMemStats().HeapObjects, 1);
  }
  assert(heap.newobject(types.array(types.unsafePointer, 126)) > 0);
});
