import { assertEquals, assertThrows } from "@std/assert";
import { BITS_DEAD, BITS_POINTER, BITS_SCALAR } from "../../lib/arena/bitmap.ts";
import { partsOf } from "../../lib/go_heap.ts";
import { FlagNoScan, GoThrow } from "../../mod.ts";
import { blockCodes } from "../block_codes.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";

const OPTIONS = { platform: "linux/amd64" } as const;

for (const size of [48, 48 + 16, 2 * 48, 48 + 500, 1024, 32768, 100000]) {
  Deno.test(`deferType: of ${size} bytes only the record of the call is scanned`, () => {
    using heap = new GoHeap(OPTIONS);
    const type = heap.deferType();
    assertEquals([type.string, type.size], ["runtime._defer", 48]);
    using record = heap.ref(heap.mallocgc(size, type));
    const [s, p] = [BITS_SCALAR, BITS_POINTER];
    const header = [s, s, s, p, p, p];
    const written = blockCodes(heap, record.pointer);
    assertEquals(written, [...header, ...new Array(written.length - 6).fill(BITS_DEAD)]);

    const fields = Object.fromEntries(type.fields.map(({ name, offset }) => [name, offset]));
    const kept = ["fn", "_panic", "link"].map((name) => {
      const object = heap.mallocgc(100, null, FlagNoScan);
      heap.storePointer(record.pointer + fields[name], object);
      return object;
    });
    for (let at = 48; at + 8 <= size; at += 4096) {
      heap.storePointer(record.pointer + at, heap.mallocgc(2000, null, FlagNoScan));
    }
    heap.GC();
    assertEquals(heap.ReadMemStats().HeapObjects, 1 + kept.length);
    heap.verify();
  });
}

Deno.test("deferType: an array of records, and a type that looks like it, are scanned whole", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const type = heap.deferType();
  assertEquals(heap.deferType(), type);
  const alike = types.struct("runtime._defer", { a: types.unsafePointer });
  using record = heap.ref(heap.mallocgc(160, alike));
  heap.storePointer(record.pointer + 152, heap.mallocgc(100, null, FlagNoScan));
  heap.GC();
  assertEquals(heap.ReadMemStats().HeapObjects, 2);
});

Deno.test("malloc missing type: an object that is scanned has a type, whatever its size and other flags", () => {
  using heap = new GoHeap(OPTIONS);
  for (const size of [1, 8, 100, 100000]) {
    for (const flags of [0, 2, 8, 16]) {
      assertThrows(() => heap.mallocgc(size, null, flags), GoThrow, "malloc missing type");
    }
    heap.mallocgc(size, null, FlagNoScan);
  }
  assertEquals(heap.mallocgc(0, null, 0), heap.rawmem(0), "no bytes have no type");
  heap.verify();
});

Deno.test("bad bits: verify finds a block that could be handed out with another's types", () => {
  using heap = new GoHeap(OPTIONS);
  const p = heap.mallocgc(64, null, FlagNoScan);
  const { arena } = partsOf(heap);
  heap.verify();
  // Word 1 of the next block, which nobody has yet.
  const { span } = heap.findObject(p)!;
  arena.bitmap.addTypes(arena.bitmap.typesOf(span), 8 + 1, BITS_POINTER);
  assertThrows(() => heap.verify(), GoThrow, "word 1 of block 1, in a run of span at page 0");
});
