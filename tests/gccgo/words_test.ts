/**
 * A heap that follows gccgo on 4-byte words: what a word's size changes in its tables, bits and blocks.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { TYPES_BYTES, TYPES_SINGLE, TYPES_WORDS } from "../../lib/spans/span_record.ts";
import {
  FlagNoGC,
  FlagNoScan,
  type GoHeap,
  GoThrow,
  type GoType,
  type Pointer,
  TypeInfo,
} from "../../mod.ts";
import { compressionOf, gccgoHeap, objects, typesDataOf } from "./helpers.ts";

/** So many types of 48 bytes, 12 words, with pointers. */
function someTypes({ types }: GoHeap, count: number): GoType[] {
  return Array.from({ length: count }, (_, i) =>
    types.struct(`main.T${i}`, {
      rest: types.array(types.uintptr, i),
      p: types.array(types.unsafePointer, 12 - i),
    }));
}

for (const platform of ["linux/386", "linux/arm", "nacl/amd64p32"]) {
  Deno.test(`on ${platform} gccgo's tables of types have words of 4 bytes`, () => {
    using heap = gccgoHeap({ platform });
    const types = someTypes(heap, 8);
    const table = heap.global(heap.types.array(heap.types.unsafePointer, 8));
    const made = types.slice(0, 7).map((type, i) => {
      const p = heap.newobject(type);
      heap.storePointer(table + 4 * i, p);
      return p;
    });
    const bytes = typesDataOf(heap, made[0]);
    assertEquals(compressionOf(heap, made[0]), TYPES_BYTES);
    // 170 blocks of 48 bytes: 32 + 170 bytes.
    assertEquals(heap.findObject(bytes)?.size, 208);
    const typeWords = Array.from({ length: 8 }, (_, i) => heap.loadUint32(bytes + 4 * i));
    assertEquals(typeWords, [0, ...types.slice(0, 7).map(({ address }) => address)]);
    assertEquals([...heap.bytes(bytes + 32, 8)], [1, 2, 3, 4, 5, 6, 7, 0]);

    const last = heap.cnewarray(types[7], 1);
    heap.storePointer(table + 4 * 7, last);
    const words = typesDataOf(heap, last);
    assertEquals(compressionOf(heap, last), TYPES_WORDS);
    assertEquals(heap.findObject(words)?.size, 704);
    assertEquals(heap.loadUint32(words + 4 * 7), types[7].address + TypeInfo.Array);
    const large = heap.newarray(types[0], 1000);
    assertEquals([compressionOf(heap, large), typesDataOf(heap, large)], [
      TYPES_SINGLE,
      types[0].address + TypeInfo.Array,
    ]);
    heap.GC();
    heap.verify();
    assertEquals([...made, last].map((p) => heap.gettype(p + 47)?.type), types);
  });

  Deno.test(`on ${platform} gccgo follows every word of 4 bytes of what it knows nothing about`, () => {
    using heap = gccgoHeap({ platform });
    for (const size of [4, 8, 12, 20, 100, 40000]) {
      using object = heap.ref(heap.mal(size));
      heap.GC();
      const before = objects(heap);
      const at = object.pointer + 4 * (size / 4 - 1);
      heap.storePointer(at, heap.rawmem(100));
      heap.GC();
      assertEquals(objects(heap), before + 1, `${size} bytes`);
      heap.storePointer(at, 0);
    }
    heap.verify();
  });

  Deno.test(`on ${platform} one word of a block of two is one pointer to gccgo`, () => {
    using heap = gccgoHeap({ platform });
    const { types } = heap;
    using object = heap.ref(heap.newobject(types.unsafePointer));
    heap.GC();
    const before = objects(heap);
    heap.storePointer(object.pointer + 4, heap.rawmem(100));
    heap.GC();
    assertEquals(objects(heap), before);
    heap.storePointer(object.pointer, heap.rawmem(100));
    heap.GC();
    heap.verify();
    assertEquals(objects(heap), before + 1);
  });

  Deno.test(`on ${platform} gccgo's type information has two bits`, () => {
    using heap = gccgoHeap({ platform });
    const p = heap.mal(48);
    const bad = (info: number) => heap.settype(p, heap.types.string, info as TypeInfo);
    assertThrows(() => bad(4), GoThrow, "runtime: invalid objtyp");
    assertThrows(() => bad(3), RangeError, "Cannot use info");
    heap.verify();
  });

  Deno.test(`on ${platform} what gccgo never frees stays, and keeps nothing`, () => {
    using heap = gccgoHeap({ platform });
    const kept = heap.mallocgc(8, null, FlagNoGC);
    heap.storePointer(kept, heap.rawmem(100));
    heap.storePointer(kept + 4, heap.rawmem(100));
    heap.GC();
    heap.GC();
    heap.verify();
    assertEquals(objects(heap), 1);
    assertEquals(heap.findObject(kept)?.base, kept);
  });

  Deno.test(`on ${platform} with typeatblockend the last 4 bytes of a block say what it is`, () => {
    using heap = gccgoHeap({ platform, debug: "typeatblockend=1" });
    const { types } = heap;
    const last = (p: Pointer) => {
      const { base, size } = heap.findObject(p)!;
      return [size, heap.loadUint32(base + size - 4)];
    };
    assertEquals(last(heap.newobject(types.string)), [16, types.string.address]);
    assertEquals(last(heap.newarray(types.string, 4)), [48, types.string.address + TypeInfo.Array]);
    assertEquals(last(heap.newobject(types.unsafePointer)), [8, types.unsafePointer.address]);
    assertEquals(last(heap.mal(4)), [8, 0]);
    heap.GC();
    heap.verify();
  });

  Deno.test(`on ${platform} gccgo follows what has a finalizer word by word, and collects again`, () => {
    using heap = gccgoHeap({ platform, collect: "malloc" });
    const { types } = heap;
    const type = types.pointer(types.array(types.uint32, 8));
    let ran = 0;
    const finalizer = { type: types.func([type], []), data: () => ran++ };
    for (let i = 0; i < 400; i++) {
      const data = heap.mallocgc(32, null, FlagNoScan);
      heap.storePointer(data + 28, heap.mallocgc(48, null, FlagNoScan));
      heap.SetFinalizer({ type, data }, finalizer);
    }
    heap.GC();
    heap.verify();
    assertEquals(objects(heap), 800);
    assertEquals(heap.runFinalizers(), 400);
    assertEquals(ran, 400);
    // The allocation lets the collection run that follows finalizers.
    heap.mal(64);
    heap.GC();
    heap.verify();
    assertEquals(objects(heap), 0);
  });
}
