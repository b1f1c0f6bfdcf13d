import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { partsOf } from "../../lib/go_heap.ts";
import {
  COMPRESSION,
  TYPES_BYTES,
  TYPES_EMPTY,
  TYPES_SINGLE,
  TYPES_WORDS,
} from "../../lib/spans/span_record.ts";
import { FlagNoGC, FlagNoScan, type GoHeap, GoThrow, type GoType, TypeInfo } from "../../mod.ts";
import {
  compressionOf,
  gccgoHeap,
  gccgoOf,
  objects,
  typesDataOf,
  WatchedSpace,
} from "./helpers.ts";

/** So many types of 48 bytes with pointers, of 24 on 4-byte words. */
function someTypes({ types }: GoHeap, count: number): GoType[] {
  return Array.from({ length: count }, (_, i) =>
    types.struct(`main.T${i}`, {
      p: types.unsafePointer,
      rest: types.array(types.uintptr, i % 5),
      q: types.array(types.unsafePointer, 5 - i % 5),
    }));
}

Deno.test("a span has no types until something typed is allocated in it", () => {
  using heap = gccgoHeap();
  const p = heap.mal(48);
  assertEquals([compressionOf(heap, p), heap.gettype(p)], [TYPES_EMPTY, null]);
  const noscan = heap.mallocgc(96, heap.types.string, FlagNoScan);
  assertEquals([compressionOf(heap, noscan), heap.gettype(noscan)], [TYPES_EMPTY, null]);
  const flat = heap.newarray(heap.types.int, 8);
  assertEquals([compressionOf(heap, flat), heap.gettype(flat)], [TYPES_EMPTY, null]);
  heap.verify();
});

Deno.test("the first type of a span makes a table of bytes: eight type words, then a byte a block", () => {
  using heap = gccgoHeap();
  const [type] = someTypes(heap, 1);
  const before = heap.mal(48);
  const p = heap.newobject(type);
  assertEquals(compressionOf(heap, p), TYPES_BYTES);
  const table = typesDataOf(heap, p);
  // 170 blocks of 48 bytes: 64 + 170 bytes.
  assertEquals(heap.findObject(table), { ...heap.findObject(table)!, base: table, size: 240 });
  assertEquals(
    Array.from({ length: 8 }, (_, i) => heap.loadPointer(table + 8 * i)),
    [0, type.address, 0, 0, 0, 0, 0, 0],
  );
  const bytes = heap.bytes(table + 64, 170);
  assertEquals([...bytes.subarray(0, 3)], [0, 1, 0]);
  assertEquals(heap.gettype(before), null);
  assertEquals(heap.gettype(p), { type, info: TypeInfo.SingleObject });
  heap.verify();
});

Deno.test("a type is known for any address in its object, and for none beside it", () => {
  using heap = gccgoHeap();
  const [first, second] = someTypes(heap, 2);
  const p = heap.newobject(first);
  const q = heap.newobject(second);
  const large = heap.newarray(heap.types.unsafePointer, 5000);
  assertEquals(q, p + 48);
  assertEquals([p, p + 1, p + 47, q, q + 47].map((at) => heap.gettype(at)?.type.string), [
    first.string,
    first.string,
    first.string,
    second.string,
    second.string,
  ]);
  assertEquals(heap.gettype(q + 48), null);
  assertEquals(heap.gettype(large + 39999), {
    type: heap.types.unsafePointer,
    info: TypeInfo.Array,
  });
  for (const nothing of [0, 4096, large + 40000, large + 40960, large + 2 ** 30]) {
    assertEquals(heap.gettype(nothing), null);
  }
});

Deno.test("seven types fit in bytes, each once, and the eighth turns them into words", () => {
  using heap = gccgoHeap();
  const types = someTypes(heap, 8);
  const kept = heap.global(heap.types.array(heap.types.unsafePointer, 32));
  const pointers = [...types.slice(0, 7), ...types.slice(0, 7)].map((type, i) => {
    const p = heap.newobject(type);
    heap.storePointer(kept + 8 * i, p);
    return p;
  });
  const bytes = typesDataOf(heap, pointers[0]);
  assertEquals(compressionOf(heap, pointers[0]), TYPES_BYTES);
  assertEquals([...heap.bytes(bytes + 64, 15)], [1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 6, 7, 0]);

  const last = heap.newobject(types[7]);
  const words = typesDataOf(heap, last);
  assertEquals(compressionOf(heap, last), TYPES_WORDS);
  assertNotEquals(words, bytes);
  assertEquals(heap.findObject(words)?.size, 1408);
  assertEquals(heap.loadPointer(words + 8 * 14), types[7].address);
  assertEquals(
    [...pointers, last].map((p) => heap.gettype(p)?.type),
    [...types.slice(0, 7), ...types],
  );
  const more = heap.cnewarray(types[3], 1);
  assertEquals(heap.loadPointer(words + 8 * 15), types[3].address + TypeInfo.Array);
  assertEquals(heap.gettype(more), { type: types[3], info: TypeInfo.Array });
  heap.verify();
});

Deno.test("one type in two roles takes two of the seven places", () => {
  using heap = gccgoHeap();
  const { types } = heap;
  const p = heap.newobject(types.string);
  const q = heap.newarray(types.string, 1);
  const table = typesDataOf(heap, p);
  assertEquals(
    [1, 2, 3].map((i) => heap.loadPointer(table + 8 * i)),
    [types.string.address, types.string.address + TypeInfo.Array, 0],
  );
  assertEquals([p, q].map((at) => heap.gettype(at)?.info), [
    TypeInfo.SingleObject,
    TypeInfo.Array,
  ]);
});

Deno.test("a large object's span holds its type itself", () => {
  using heap = gccgoHeap();
  const { types } = heap;
  const type = types.array(types.unsafePointer, 5000);
  const p = heap.newobject(type);
  assertEquals([compressionOf(heap, p), typesDataOf(heap, p)], [TYPES_SINGLE, type.address]);
  const q = heap.mal(40000);
  assertEquals([compressionOf(heap, q), heap.gettype(q)], [TYPES_EMPTY, null]);
  heap.settype(q, types.string, TypeInfo.Array);
  assertEquals(typesDataOf(heap, q), types.string.address + TypeInfo.Array);
  heap.verify();
});

Deno.test("mallocgc takes what has room for more than one value for an array", () => {
  using heap = gccgoHeap();
  const { types } = heap;
  const sizes = [8, 16, 24, 32];
  assertEquals(
    sizes.map((size) => heap.gettype(heap.mallocgc(size, types.string, 0))?.info),
    [0, 0, 1, 1],
  );
});

Deno.test("a span's table stays for as long as the span has objects, and no longer", () => {
  using heap = gccgoHeap({ collect: "malloc" });
  const types = someTypes(heap, 9);
  const root = heap.global(heap.types.unsafePointer);
  const p = heap.newobject(types[0]);
  heap.storePointer(root, p);
  const table = typesDataOf(heap, p);
  heap.GC();
  heap.verify();
  assertEquals(objects(heap), 2);
  assertEquals([typesDataOf(heap, p), heap.gettype(p)?.type], [table, types[0]]);

  // The eighth type drops the table of bytes, which the next collection takes.
  for (const type of types) heap.newobject(type);
  assertEquals(compressionOf(heap, p), TYPES_WORDS);
  heap.GC();
  assertEquals(objects(heap), 2);
  assertEquals(heap.gettype(p)?.type, types[0]);

  // Its span keeps the table in the collection that frees the object, and not in the next.
  heap.storePointer(root, 0);
  heap.GC();
  assertEquals(objects(heap), 1);
  heap.GC();
  assertEquals(objects(heap), 0);
  heap.verify();
});

Deno.test("sweeping forgets the types of dead objects, in bytes and in words", () => {
  for (const count of [3, 9]) {
    using heap = gccgoHeap();
    const types = someTypes(heap, count);
    const pointers = types.map((type) => heap.newobject(type));
    using _ref = heap.ref(pointers[1]);
    heap.GC();
    heap.verify();
    assertEquals(
      pointers.map((p) => heap.gettype(p)?.type),
      types.map((type, i) => i === 1 ? type : undefined),
    );
    assertThrows(() => heap.settype(pointers[0], types[0]), RangeError, "Cannot use p");
    const again = heap.mal(48);
    assertEquals([again, heap.gettype(again)], [pointers[0], null]);
  }
});

Deno.test("a lazily swept span forgets the types of its dead when it is swept", () => {
  using heap = gccgoHeap();
  const types = someTypes(heap, 2);
  const [p, q] = types.map((type) => heap.newobject(type));
  using _ref = heap.ref(p);
  heap.gogc(1);
  assertEquals([p, q].map((at) => heap.gettype(at)?.type), types);
  heap.verify();
  assertEquals(heap.mal(48), q);
  assertEquals([p, q].map((at) => heap.gettype(at)?.type), [types[0], undefined]);
});

Deno.test("a span that is used again has no types", () => {
  using heap = gccgoHeap();
  const [type] = someTypes(heap, 1);
  const p = heap.newobject(type);
  const large = heap.newarray(heap.types.unsafePointer, 5000);
  heap.GC();
  heap.GC();
  assertEquals(objects(heap), 0);
  const again = heap.mal(48);
  assertEquals([again, compressionOf(heap, again)], [p, TYPES_EMPTY]);
  const largeAgain = heap.mal(40000);
  assertEquals(compressionOf(heap, largeAgain), TYPES_EMPTY);
  assert(heap.gettype(large) === null);
  heap.verify();
});

Deno.test("settype changes what an object is, and how it is marked", () => {
  using heap = gccgoHeap();
  const { types } = heap;
  const ps = types.struct("main.PS", { p: types.unsafePointer, s: types.uintptr });
  const p = heap.mal(32);
  using _ref = heap.ref(p);
  const fill = () => {
    for (let word = 0; word < 4; word++) {
      heap.storePointer(p + 8 * word, heap.mallocgc(64, null, FlagNoScan));
    }
  };
  const alive = () => {
    heap.GC();
    heap.verify();
    return objects(heap) - gccgoTables(heap);
  };
  fill();
  assertEquals(alive(), 1 + 4);
  heap.settype(p, ps, TypeInfo.Array);
  fill();
  assertEquals(alive(), 1 + 2);
  heap.settype(p, ps);
  fill();
  assertEquals(alive(), 1 + 1);
  heap.settype(p, types.uintptr);
  assertEquals(alive(), 1);
});

/** How many objects of the heap are tables of types. */
function gccgoTables(heap: GoHeap): number {
  let count = 0;
  gccgoOf(heap).spanTypes.forEachTable(() => count++);
  return count;
}

Deno.test("a channel is followed as a whole, or not at all if its elements have no pointers", () => {
  using heap = gccgoHeap();
  const { types } = heap;
  const alive = (elem: GoType) => {
    const p = heap.mal(128);
    using _ref = heap.ref(p);
    heap.settype(p, types.chan(elem), TypeInfo.Chan);
    assertEquals(heap.gettype(p), { type: types.chan(elem), info: TypeInfo.Chan });
    heap.storePointer(p + 120, heap.mallocgc(64, null, FlagNoScan));
    heap.GC();
    heap.verify();
    return objects(heap) - gccgoTables(heap);
  };
  assertEquals([alive(types.string), alive(types.int)], [2, 1]);
});

Deno.test("tables count as objects, cause no collection, and are not sampled", () => {
  using heap = gccgoHeap({ collect: "malloc", minHeapBytes: 0 });
  // The first allocation is due for a collection, and the table's comes before it ends.
  const p = heap.newobject(heap.types.string);
  assertEquals(heap.ReadMemStats().NumGC, 1);
  assertEquals([objects(heap), heap.gettype(p)?.type], [2, heap.types.string]);
});

Deno.test("without memory for a table the object has no type, and the heap goes on", () => {
  using addressSpace = new WatchedSpace();
  using heap = gccgoHeap({ addressSpace, gcPercent: -1 });
  const { types } = heap;
  using _ref = heap.ref(heap.mal(16));
  addressSpace.isFull = true;
  // All pages go; there is a place left beside the first object.
  assertThrows(
    () => {
      for (;;) heap.rawmem(8192);
    },
    GoThrow,
    "out of memory",
  );
  assertThrows(() => heap.newobject(types.string), GoThrow, "out of memory");
  heap.verify();
  const again = heap.mal(16);
  assertEquals(heap.gettype(again), null);
  heap.SetGCPercent(100);
  assertEquals(objects(heap), 1);
  const typed = heap.newobject(types.string);
  assertEquals(heap.gettype(typed)?.type, types.string);
  heap.verify();
});

Deno.test("an object that is never freed remembers its type, and is not marked by it", () => {
  using heap = gccgoHeap();
  const { types } = heap;
  const p = heap.mallocgc(64, types.string, FlagNoGC);
  assertEquals(heap.gettype(p), { type: types.string, info: TypeInfo.Array });
  heap.verify();
});

/** What a random program does with objects of one size. */
const program = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.record({ op: fc.constant("new"), type: fc.nat(11) }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant("mal"), type: fc.constant(0) }) },
    { weight: 4, arbitrary: fc.record({ op: fc.constant("drop"), type: fc.nat(30) }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant("settype"), type: fc.nat(11) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("gc"), type: fc.nat(2) }) },
  ),
  { maxLength: 150, size: "max" },
);

Deno.test("in random programs every object has the type it was given last, and no other", () => {
  fc.assert(
    fc.property(program, fc.constantFrom("linux/amd64", "linux/386"), (steps, platform) => {
      using heap = gccgoHeap({ platform });
      const types = someTypes(heap, 12);
      const bytes = types[0].size;
      const root = heap.global(heap.types.unsafePointer);
      const live: { p: number; type: GoType | null }[] = [];
      const keep = (p: number, type: GoType | null) => {
        // A list through the first words, so that nothing but this program's drops kills an object.
        live.push({ p, type });
        relink();
      };
      const relink = () => {
        heap.storePointer(root, live[0]?.p ?? 0);
        live.forEach(({ p }, i) => heap.storePointer(p, live[i + 1]?.p ?? 0));
      };
      for (const { op, type } of steps) {
        if (op === "new") keep(heap.newobject(types[type]), types[type]);
        if (op === "mal") keep(heap.mal(bytes), null);
        if (op === "drop" && live.length > 0) {
          live.splice(type % live.length, 1);
          relink();
        }
        if (op === "settype" && live.length > 0) {
          const object = live[type % live.length];
          object.type = types[type];
          heap.settype(object.p, types[type]);
        }
        if (op === "gc") heap.gogc(type as 0 | 1 | 2);
        heap.verify();
        assertEquals(
          live.map(({ p }) => heap.gettype(p + bytes - 1)?.type ?? null),
          live.map((l) => l.type),
        );
      }
      heap.GC();
      assertEquals(objects(heap) >= live.length, true);
    }),
    { numRuns: 60, seed: 20170113, interruptAfterTimeLimit: 6000 },
  );
});

Deno.test("verify finds a type of a free block, a type that nothing scans by, and a table that is gone", () => {
  using heap = gccgoHeap();
  const [other, type] = someTypes(heap, 2);
  const p = heap.newobject(type);
  const table = typesDataOf(heap, p);
  const { spans } = partsOf(heap);
  heap.verify();
  heap.storeUint8(table + 64 + 1, 1);
  assertThrows(() => heap.verify(), GoThrow, "a free block has no type");
  heap.storeUint8(table + 64 + 1, 0);
  heap.storeUint8(table + 64, 2);
  assertThrows(() => heap.verify(), GoThrow, "is scanned by what is recorded");
  heap.storeUint8(table + 64, 1);
  heap.storePointer(table + 8, other.address);
  assertThrows(() => heap.verify(), GoThrow, "a type word stands for a type");
  heap.storePointer(table + 8, type.address);
  const span = partsOf(heap).arena.pageSpan[0];
  spans.setTypesData(span, table + 240);
  assertThrows(() => heap.verify(), GoThrow, "a table of types is a block in use");
  spans.setTypesData(span, table);
  heap.verify();
});

Deno.test("a span in no known state is refused", () => {
  using heap = gccgoHeap();
  const p = heap.newobject(heap.types.string);
  const { arena, spans } = partsOf(heap);
  spans.ints[arena.pageSpan[0] + COMPRESSION] = 4;
  assertThrows(() => heap.verify(), GoThrow, "the state of a span's types fits its class");
  assertThrows(() => heap.gettype(p), GoThrow, "runtime_gettype: invalid compression kind");
  assertThrows(
    () => heap.newobject(heap.types.string),
    GoThrow,
    "Cannot use heap: it was found to be corrupted",
  );
});
