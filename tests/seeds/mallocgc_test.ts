import { assert, assertEquals } from "@std/assert";
import { FlagNoScan, FlagNoZero, type GoType, type Pointer } from "../../mod.ts";
import { blockCodes } from "../block_codes.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";
import { BITS_DEAD, BITS_POINTER, BITS_SCALAR } from "../../lib/arena/bitmap.ts";

const OPTIONS = { platform: "linux/amd64" } as const;
const TINY = 16;
const PAGE = 8192;

/** The tiny block that `p` lies in. */
function blockOf(p: Pointer): Pointer {
  return p - p % TINY;
}

/** Allocates `size` bytes without pointers. */
function noscan(heap: GoHeap, size: number): Pointer {
  return heap.mallocgc(size, null, FlagNoScan);
}

Deno.test("a tiny object is aligned to 8, 4, 2 or 1, by what its size is a multiple of", () => {
  using heap = new GoHeap(OPTIONS);
  const alignments: Record<number, number[]> = {
    8: [8],
    4: [4, 12],
    2: [2, 6, 10, 14],
    1: [1, 3, 5, 7, 9, 11, 13, 15],
  };
  for (const [align, sizes] of Object.entries(alignments)) {
    for (const size of sizes) {
      heap.GC();
      const first = noscan(heap, 1);
      assertEquals(noscan(heap, size), first + Number(align), `${size} bytes behind one`);
    }
  }
});

Deno.test("a tiny object fits into its block whenever as many bytes are left, aligned or not", () => {
  using heap = new GoHeap(OPTIONS);
  for (let before = 1; before < TINY; before++) {
    for (let size = 1; size < TINY; size++) {
      heap.GC();
      const first = noscan(heap, before);
      assertEquals(first % TINY, 0);
      const fits = blockOf(noscan(heap, size)) === first;
      assertEquals(fits, before + size <= TINY, `${size} bytes behind ${before}`);
    }
  }
});

Deno.test("a new tiny block is gone on with only if it has more room than the one before", () => {
  using heap = new GoHeap(OPTIONS);
  const go = (sizes: number[]) => {
    heap.GC();
    const blocks = sizes.map((size) => blockOf(noscan(heap, size)));
    return blocks.map((block) => blocks.indexOf(block));
  };
  // The second of each three needs a new block; where is the third?
  assertEquals(go([4, 13, 12]), [0, 1, 0], "less room in the new one");
  assertEquals(go([12, 12, 4]), [0, 1, 0], "as much room in the new one");
  assertEquals(go([10, 7, 9]), [0, 1, 1], "more room in the new one");
});

Deno.test("a tiny object that fits counts as allocated and freed at once, and takes no bytes", () => {
  using heap = new GoHeap(OPTIONS);
  noscan(heap, 4);
  const before = heap.ReadMemStats();
  noscan(heap, 4);
  noscan(heap, 8);
  const after = heap.ReadMemStats();
  assertEquals([after.Mallocs - before.Mallocs, after.Frees - before.Frees], [2, 2]);
  assertEquals(
    [after.HeapObjects, after.Alloc, after.TotalAlloc],
    [before.HeapObjects, before.Alloc, before.TotalAlloc],
  );
});

Deno.test("16 bytes without pointers, and fewer with them, get blocks of their own", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const pairs: [string, () => Pointer, number][] = [
    ["15 bytes with pointers", () => heap.mallocgc(15, types.unsafePointer, 0), 16],
    ["16 bytes without", () => noscan(heap, 16), 16],
    ["8 bytes with pointers", () => heap.mallocgc(8, types.unsafePointer, 0), 8],
  ];
  for (const [what, make, blockBytes] of pairs) {
    const first = make();
    assertEquals(make(), first + blockBytes, what);
    assertEquals(heap.findObject(first + blockBytes)?.base, first + blockBytes, what);
  }
});

Deno.test("types decide whether newobject and newarray combine tiny objects", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const flat = heap.newobject(types.int32);
  assertEquals(heap.newobject(types.int32), flat + 4);
  assertEquals(heap.newarray(types.uint8, 8), flat + 8);
  const pointer = heap.newobject(types.unsafePointer);
  assertEquals(heap.newobject(types.unsafePointer), pointer + 8);
  assertEquals(heap.newarray(types.unsafePointer, 1), pointer + 16);
});

Deno.test("a new tiny block is all zero, whatever lay there, though less was asked for", () => {
  using heap = new GoHeap(OPTIONS);
  const written = new Set<Pointer>();
  for (let i = 0; i < 20; i++) {
    const p = noscan(heap, TINY);
    heap.bytes(p, TINY).fill(0xff);
    written.add(p);
  }
  using _kept = heap.ref(noscan(heap, TINY));
  heap.GC();
  for (let i = 0; i < 20; i++) {
    // 15 bytes and one: no block goes on to the next.
    const p = heap.mallocgc(15, null, FlagNoScan | (i % 2 === 0 ? 0 : FlagNoZero));
    assert(written.has(p), "not where something was written");
    assertEquals([...heap.bytes(p, TINY)], new Array(TINY).fill(0));
    noscan(heap, 1);
  }
});

Deno.test("up to 1024 bytes classes are found in steps of 8, above in steps of 128, up to 32768", () => {
  using heap = new GoHeap(OPTIONS);
  const sizeOf = (size: number) => heap.findObject(noscan(heap, size))!.size;
  assertEquals([1016, 1017, 1024, 1025, 1152, 1153].map(sizeOf), [
    1024,
    1024,
    1024,
    1152,
    1152,
    1280,
  ]);
  assertEquals([32767, 32768, 32769].map(sizeOf), [32768, 32768, 5 * PAGE]);
});

Deno.test("a class whose blocks are used up gets another span", () => {
  using heap = new GoHeap(OPTIONS);
  const blocks = Array.from({ length: 129 }, () => noscan(heap, 64));
  const spans = blocks.map((p) => heap.findObject(p)!.span);
  assertEquals(spans.slice(0, 128), new Array(128).fill(spans[0]));
  assert(spans[128] !== spans[0], "the 129th block is in a span that is full");
  heap.verify();
});

Deno.test("a large object takes whole pages, and can be found only where it was asked for", () => {
  using heap = new GoHeap(OPTIONS);
  for (const [size, pages] of [[32769, 5], [5 * PAGE, 5], [5 * PAGE + 1, 6]]) {
    const p = noscan(heap, size);
    assertEquals([p % PAGE, heap.findObject(p)?.size], [0, pages * PAGE], `${size} bytes`);
    assertEquals(heap.findObject(p + size - 1)?.base, p);
    assertEquals(heap.findObject(p + size)?.base === p, false);
  }
  heap.verify();
});

Deno.test("a large object is cleared if its pages were used, unless it asked not to be", () => {
  using heap = new GoHeap(OPTIONS);
  const size = 40000;
  const first = noscan(heap, size);
  const reuse = (flags: number) => {
    heap.bytes(first, size).fill(0xff);
    heap.GC();
    assertEquals(heap.mallocgc(size, null, flags), first);
    return [...new Set(heap.bytes(first, size))];
  };
  assertEquals(reuse(FlagNoScan | FlagNoZero), [0xff]);
  assertEquals(reuse(FlagNoScan), [0]);
});

/** The codes of the words of the block at `p`, a letter each. */
function codes(heap: GoHeap, p: Pointer): string {
  const letters: Record<number, string> = {
    [BITS_DEAD]: "-",
    [BITS_SCALAR]: "s",
    [BITS_POINTER]: "p",
  };
  return blockCodes(heap, p).map((code) => letters[code]).join("");
}

/** What is allocated, how many bytes of it, and the codes that its block has then. */
const WRITTEN: Record<string, [type: (heap: GoHeap) => GoType, bytes: number, codes: string]> = {
  "a block of one word is a pointer, whatever its type says": [pairType, 8, "p"],
  "a block of two words has the first two codes": [pairType, 16, "sp"],
  "a type of an even number of words is repeated": [pairType, 48, "spspsp"],
  "a type of an odd number of words is repeated": [oddType, 72, "spsspssps"],
  "an odd number of words ends in a dead word": [oddType, 24, "sps-"],
  "an even number of words ends in a dead word, if the block is longer": [
    pairType,
    80,
    "spspspspsp",
  ],
  "all words behind the object are dead": [pairType, 1040, "sp".repeat(65)],
  "a word that is there in part is written as a pair": [pairType, 20, "spsp"],
  "a large object has its types up to its end": [pairType, 40000, "sp".repeat(2500)],
};

function pairType({ types }: GoHeap): GoType {
  return types.struct("", { n: types.uintptr, p: types.unsafePointer });
}

function oddType({ types }: GoHeap): GoType {
  return types.struct("", { n: types.uintptr, p: types.unsafePointer, m: types.uintptr });
}

for (const [what, [type, bytes, expected]] of Object.entries(WRITTEN)) {
  Deno.test(`the types of an object are written: ${what}`, () => {
    using heap = new GoHeap(OPTIONS);
    // The second time round the blocks have held other types.
    for (let round = 0; round < 2; round++) {
      const p = heap.mallocgc(bytes, type(heap), 0);
      const written = codes(heap, p);
      assertEquals(written, expected.padEnd(written.length, "-"));
      for (let i = 0; i < 200; i++) heap.mallocgc(bytes, heap.types.unsafePointer, 0);
      heap.GC();
    }
    heap.verify();
  });
}

Deno.test("on 4-byte words the mask of one word stands twice in a block of two, and in longer ones once", () => {
  for (const platform of ["linux/386", "linux/arm", "nacl/amd64p32"]) {
    using heap = new GoHeap({ platform });
    const { types } = heap;
    const makers: [make: () => Pointer, codes: string][] = [
      [() => heap.newobject(types.unsafePointer), "pp"],
      [() => heap.newarray(types.unsafePointer, 2), "pp"],
      [() => heap.mallocgc(4, types.string, 0), "ps"],
      [() => heap.mallocgc(3, pairType(heap), 0), "sp"],
      [() => heap.newobject(pairType(heap)), "sp"],
      [() => heap.newarray(types.unsafePointer, 3), "ppp-"],
      [() => heap.newobject(oddType(heap)), "sps-"],
    ];
    for (let round = 0; round < 2; round++) {
      // Each follows each of the others, and itself.
      for (const [first, expected] of makers) {
        for (const [second, expectedToo] of makers) {
          const made = [first(), second(), second()].map((p) => codes(heap, p));
          assertEquals(made, [expected, expectedToo, expectedToo]);
        }
      }
      heap.GC();
      heap.verify();
    }
  }
});

Deno.test("an object without pointers has nothing but dead words, where pointers were before", () => {
  using heap = new GoHeap(OPTIONS);
  for (const size of [16, 48, 1024]) {
    for (let i = 0; i < 200; i++) heap.mallocgc(size, heap.types.unsafePointer, 0);
    heap.GC();
    assertEquals(codes(heap, noscan(heap, size)), "-".repeat(size / 8), `${size} bytes`);
  }
});

Deno.test("objects of different types side by side have each its own codes", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const pointers = types.struct("", { p: types.array(types.unsafePointer, 4) });
  const makers: [make: () => Pointer, codes: string][] = [
    [() => heap.newobject(pointers), "pppp"],
    [() => heap.newarray(pairType(heap), 2), "spsp"],
    [() => heap.newobject(oddType(heap)), "sps-"],
    [() => noscan(heap, 32), "----"],
    [() => heap.mallocgc(28, types.unsafePointer, 0), "pppp"],
    [() => heap.rawmem(32), "----"],
    [() => heap.newarray(types.unsafePointer, 3), "ppp-"],
  ];
  for (let round = 0; round < 2; round++) {
    const made: [Pointer, string][] = [];
    // Each follows each of the others.
    for (const [first, expected] of makers) {
      for (const [second, expectedToo] of makers) {
        made.push([first(), expected], [second(), expectedToo]);
      }
    }
    assertEquals(made.map(([p]) => codes(heap, p)), made.map(([, expected]) => expected));
    heap.GC();
    heap.verify();
  }
});
