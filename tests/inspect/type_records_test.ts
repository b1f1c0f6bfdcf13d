import { assertEquals, assertThrows } from "@std/assert";
import { partsOf } from "../../lib/go_heap.ts";
import { ATTENTION } from "../../lib/spans/cache_record.ts";
import { FlagNoScan, GoHeap, GoThrow } from "../../mod.ts";

Deno.test("a heap that records types knows what each object was last allocated with", () => {
  using heap = new GoHeap({ platform: "linux/amd64", recordTypes: true });
  const { types } = heap;
  const { typeRecords } = partsOf(heap);
  const typeOf = (p: number) => typeRecords!.typeOf(p)?.string ?? null;
  const pair = types.struct("main.Pair", { a: types.int, b: types.string });
  assertEquals(typeOf(heap.newobject(pair)), "main.Pair");
  assertEquals(typeOf(heap.newarray(pair, 5)), "main.Pair");
  assertEquals(typeOf(heap.newarray(pair, 5000)), "main.Pair");
  assertEquals(typeOf(heap.mallocgc(100, types.string)), "string");
  assertEquals(typeOf(heap.newobject(types.array(types.uint8, 64))), "[64]uint8");
  assertEquals(typeOf(heap.rawmem(64)), null);
  assertEquals(typeOf(heap.mallocgc(64, null, FlagNoScan)), null);
  // A tiny block is called after the first of its objects.
  const tiny = heap.newobject(types.int16);
  assertEquals(heap.newobject(types.bool), tiny + 2);
  assertEquals(typeOf(tiny), "int16");
  heap.verify();
});

Deno.test("a block that is used again has the type of its new object", () => {
  using heap = new GoHeap({ platform: "linux/amd64", recordTypes: true });
  const { types } = heap;
  const [a, b] = ["main.A", "main.B"].map((name) =>
    types.struct(name, { p: types.unsafePointer, n: types.int })
  );
  const first = heap.newobject(a);
  assertEquals(heap.objectGraph().types().map(({ type }) => type), ["main.A"]);
  heap.GC();
  assertEquals(heap.objectGraph().types(), []);
  assertEquals(heap.newobject(b), first);
  assertEquals(heap.objectGraph().types().map(({ type }) => type), ["main.B"]);
});

Deno.test("types are recorded beside an allocation trace, under stress, and behind a fence", () => {
  for (const debug of ["allocfreetrace=1", "gcstress=1", "efence=1"]) {
    using heap = new GoHeap({ recordTypes: true, debug, trace: () => {} });
    using frame = heap.frame(100);
    for (let i = 0; i < 100; i++) frame.set(i, heap.newobject(heap.types.string));
    heap.verify();
    const [{ type, objects }] = heap.objectGraph().types();
    assertEquals([type, objects], ["string", 100], debug);
  }
});

Deno.test("a heap that was not asked to record types has no table and nobody to tell", () => {
  using heap = new GoHeap();
  assertEquals(partsOf(heap).typeRecords, null);
  assertEquals(partsOf(heap).cache.ints[ATTENTION], 0);
});

Deno.test("verify finds an object whose type was not recorded", () => {
  using heap = new GoHeap({ platform: "linux/amd64", recordTypes: true });
  const { cache } = partsOf(heap);
  heap.newobject(heap.types.string);
  const attention = cache.ints[ATTENTION];
  cache.ignore(attention);
  const p = heap.newobject(heap.types.string);
  cache.attend(attention);
  assertThrows(
    () => heap.verify(),
    GoThrow,
    `verify: every block in use has a recorded type: none at 0x${p.toString(16)}`,
  );
});
