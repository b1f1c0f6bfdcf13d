import { assertThrows } from "@std/assert";
import { partsOf } from "../../lib/go_heap.ts";
import { GoHeap, GoThrow } from "../../mod.ts";

/** What verify says when word `word` of an object of 10,001 words, each third a pointer, has `code`. */
function verifyWith(word: number, code: number): void {
  using heap = new GoHeap({ platform: "linux/amd64" });
  const { types } = heap;
  const slices = types.array(types.slice(types.int), 3333);
  const p = heap.newobject(types.struct("", { slices, last: types.string }));
  const { bitmap } = partsOf(heap).arena;
  const at = bitmap.typesOf(heap.findObject(p)!.span) + (word >> 4);
  heap.verify();
  bitmap.types[at] &= ~(3 << (2 * (word & 15)));
  bitmap.types[at] |= code << (2 * (word & 15));
  heap.verify();
}

Deno.test("verify finds a wrong type code in a large object", () => {
  verifyWith(5000, 1);
  verifyWith(10_000, 2);
  assertThrows(() => verifyWith(5000, 3), GoThrow, "a type code is dead, scalar or pointer");
  for (const word of [0, 4999, 5007, 9999]) {
    assertThrows(() => verifyWith(word, 0), GoThrow, "nothing follows a dead word in a block");
  }
  assertThrows(() => verifyWith(10_016, 1), GoThrow, "nothing follows a dead word in a block");
  assertThrows(() => verifyWith(10_002, 1), GoThrow, "nothing follows a dead word in a block");
  assertThrows(() => verifyWith(10_001, 1), GoThrow, "the types of a large object end with it");
});
