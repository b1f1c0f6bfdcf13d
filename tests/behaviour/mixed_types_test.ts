import { assertEquals } from "@std/assert";
import { partsOf } from "../../lib/go_heap.ts";
import { FlagNoScan, FlagNoZero, type GoType, type Pointer } from "../../mod.ts";
import { randomBelow } from "../../bench/workloads.ts";
import { blockCodes } from "../block_codes.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";
import { structOf } from "../types/type_helpers.ts";

/** Words of the types: one int32 of codes, some, the longest masks that are kept, and programs. */
const WORDS = [2, 5, 16, 17, 26, 40, 63, 64, 126, 128, 250, 512, 700];
const KEPT = 300;

/** The codes of the words of the block at `p`. */
function codesAt(heap: GoHeap, p: Pointer): string {
  return blockCodes(heap, p).join("");
}

/** What they should be: those of values of `type`, the last one perhaps in part, and dead words behind them. */
function expectedCodes(heap: GoHeap, p: Pointer, type: GoType | null, words: number): string {
  const { arena } = partsOf(heap);
  const blockWords = heap.findObject(p)!.size >> arena.wordShift;
  if (type === null) return "0".repeat(blockWords);
  const codes = Array.from({ length: words }, (_, i) => type.pointers.code(i % type.words));
  return codes.join("").padEnd(blockWords, "0");
}

for (const platform of ["linux/amd64", "linux/386"] as const) {
  Deno.test(`on ${platform} blocks have the types of their objects, whatever the run they come from was for`, () => {
    using heap = new GoHeap({ platform, collect: "malloc", minHeapBytes: 0 });
    const { types } = heap;
    const word = heap.platform.pointerBytes;
    const below = randomBelow(7);
    const make = (words: number, isPointer: (i: number) => boolean) =>
      structOf(
        types,
        Array.from({ length: words }, (_, i) => isPointer(i) ? types.unsafePointer : types.uintptr),
      );
    const byWords = WORDS.map((words) => [
      make(words, (i) => i === words - 1),
      make(words, (i) => i === 0 || below(2) === 0),
      types.array(types.unsafePointer, words),
      // Slices.
      types.unsafePointer,
      types.struct("", { number: types.uintptr, pointer: types.unsafePointer }),
      null,
    ]);
    const roots = heap.global(types.array(types.unsafePointer, KEPT));
    const kept: { p: Pointer; type: GoType | null; words: number }[] = [];

    const allocate = () => {
      // Some in a row, so that runs of one type are used up and begun by the next one.
      const at = below(WORDS.length);
      const type = byWords[at][below(6)];
      for (let i = below(20); i >= 0; i--) {
        const more = type === null ? 0 : [0, 0, 2, WORDS[at], WORDS[at] + 1][below(5)];
        const words = WORDS[at] + more;
        const bytes = words * word;
        const p = heap.mallocgc(bytes, type, type === null ? FlagNoScan : 0);
        const isClear = heap.bytes(p, bytes).every((byte) => byte === 0);
        const codes = codesAt(heap, p);
        const expected = expectedCodes(heap, p, type, words);
        // Not assertEquals at once: it is slow where there is nothing to say.
        if (codes !== expected || !isClear) assertEquals([codes, isClear], [expected, true]);
        const slot = below(KEPT);
        heap.storePointer(roots + slot * word, p);
        kept[slot] = { p, type, words };
        if (type === null) heap.bytes(p, bytes).fill(0xff);
        // Something that only this object keeps alive.
        else heap.storePointer(p + codes.lastIndexOf("2") * word, leafOf(p));
      }
    };
    const leafOf = (p: Pointer): Pointer => {
      const leaf = heap.newobject(types.uintptr);
      heap.storeUint32(leaf, p % 2 ** 31);
      return leaf;
    };
    for (let i = 0; i < 4000; i++) allocate();
    heap.GC();
    heap.verify();
    for (const { p, type, words } of kept.filter((object) => object !== undefined)) {
      const codes = codesAt(heap, p);
      assertEquals(codes, expectedCodes(heap, p, type, words));
      if (type === null) continue;
      const leaf = heap.loadPointer(p + codes.lastIndexOf("2") * word);
      assertEquals(heap.loadUint32(leaf), p % 2 ** 31);
    }
  });
}

Deno.test("a block with pointers that is not to be zeroed is as its last owner left it, among others that are", () => {
  using heap = new GoHeap({ platform: "linux/amd64" });
  const { types } = heap;
  const type = types.array(types.unsafePointer, 128);
  // Eight to a span, of which the first stays.
  using _kept = heap.ref(heap.newobject(type));
  const dropped = Array.from({ length: 7 }, () => heap.newobject(type));
  for (const p of dropped) heap.storePointer(p + 800, p);
  heap.GC();
  for (const [i, p] of dropped.entries()) {
    const flags = i % 2 === 0 ? 0 : FlagNoZero;
    assertEquals(heap.mallocgc(1024, type, flags), p);
    assertEquals(heap.loadPointer(p + 800), flags === 0 ? 0 : p);
  }
});
