import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { add, GoHeap } from "../mod.ts";

/** Words of which a float64 makes something else than of their neighbours, and those around them. */
const EDGES = [0n, 1n, 2n ** 51n, 2n ** 52n, 2n ** 53n, 2n ** 62n, 2n ** 63n, 2n ** 63n + 2n ** 52n]
  .concat([0x7ffn << 52n, 0xfffn << 52n, 0x7ff8n << 48n, 2n ** 64n])
  .flatMap((edge) => [edge - 1n, edge, edge + 1n])
  .filter((word) => word >= 0n && word < 2n ** 64n);

const anyWord = fc.oneof(fc.bigInt(0n, 2n ** 64n - 1n), fc.bigInt(0n, 2n ** 48n));

for (const debug of ["", "efence=1"]) {
  const where = debug !== "" ? "behind a fence" : "in the arena";

  Deno.test(`any word ${where} is loaded as the number that it is`, () => {
    using heap = new GoHeap({ platform: "linux/amd64", debug });
    const p = heap.newobject(heap.types.uint64);
    const load = (word: bigint) => {
      heap.storeBig64(p, word);
      return heap.loadPointer(p);
    };
    for (const word of EDGES) assertEquals(load(word), Number(word), `0x${word.toString(16)}`);
    fc.assert(fc.property(anyWord, (word) => Object.is(load(word), Number(word))));
  });

  Deno.test(`any address is stored ${where} as the word that it is, and nothing else`, () => {
    using heap = new GoHeap({ platform: "linux/amd64", debug });
    const p = heap.newobject(heap.types.uint64);
    const store = (value: number) => {
      heap.storeBig64(p, -1n);
      heap.storePointer(p, value);
      return heap.loadBig64(p);
    };
    for (const value of EDGES.filter((word) => word < 2n ** 53n)) {
      assertEquals(store(Number(value)), value);
    }
    assertEquals(store(-0), 0n);
    fc.assert(fc.property(fc.maxSafeNat(), (value) => store(value) === BigInt(value)));
    for (const bad of [-1, -(2 ** 52), 0.5, 2 ** 51 + 0.5, 2 ** 53, 2 ** 64, NaN, Infinity]) {
      assertThrows(() => store(bad), RangeError, `Cannot use value: current value is ${bad}`);
      assertEquals(heap.loadBig64(p), 2n ** 64n - 1n);
    }
  });
}

Deno.test("an address and a number of bytes are added exactly", () => {
  const address = fc.integer({ min: 0, max: 2 ** 47 });
  const bytes = fc.integer({ min: -(2 ** 31), max: 2 ** 31 });
  fc.assert(fc.property(address, bytes, (p, n) => add(p, n) === p + n));
});
