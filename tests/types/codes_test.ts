import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { addCodes, addMask, addRepeated, codeAt, repeatCodes } from "../../lib/types/codes.ts";

const BASE = 3;

/** What `write` makes of a table whose words outside of [word, word + words) hold something else. */
function written(
  word: number,
  words: number,
  before: readonly number[],
  write: (target: Int32Array) => void,
): number[] {
  const target = new Int32Array(BASE + Math.ceil((word + words) / 16) + 2);
  const all = 16 * (target.length - BASE);
  for (let i = 0; i < all; i++) {
    const code = i < word ? 1 + i % 2 : i < word + words ? before[i - word] ?? 0 : 2 - i % 2;
    addCodes(target, BASE, i, code);
  }
  write(target);
  assertEquals([...target.subarray(0, BASE)], [0, 0, 0]);
  const codes = Array.from({ length: all }, (_, i) => codeAt(target.subarray(BASE), i));
  const outside = codes.map((_, i) => i < word ? 1 + i % 2 : 2 - i % 2);
  assertEquals(codes.slice(0, word), outside.slice(0, word));
  assertEquals(codes.slice(word + words), outside.slice(word + words));
  return codes.slice(word, word + words);
}

function packed(codes: readonly number[]): Int32Array {
  const ints = new Int32Array(Math.ceil(codes.length / 16) + 1);
  codes.forEach((code, i) => addCodes(ints, 0, i, code));
  return ints;
}

const someCodes = (maxLength: number) =>
  fc.array(fc.constantFrom(1, 2), { minLength: 1, maxLength });
const aPlace = fc.nat(40);
const someWords = fc.integer({ min: 1, max: 300 });

Deno.test("a run of codes is repeated up to the end and nowhere else", () => {
  fc.assert(fc.property(aPlace, someCodes(70), someWords, (word, period, words) => {
    const all = Math.max(words, period.length);
    const actual = written(
      word,
      all,
      period,
      (target) => repeatCodes(target, BASE, word, period.length, all),
    );
    assertEquals(actual, Array.from({ length: all }, (_, i) => period[i % period.length]));
  }));
});

Deno.test("a short pattern is written over and over, the last time perhaps in part", () => {
  fc.assert(fc.property(aPlace, someCodes(16), someWords, (word, period, words) => {
    const actual = written(
      word,
      words,
      [],
      (target) => addRepeated(target, BASE, word, packed(period)[0], period.length, words),
    );
    assertEquals(actual, Array.from({ length: words }, (_, i) => period[i % period.length]));
  }));
});

Deno.test("a mask is written whole or up to a word", () => {
  fc.assert(fc.property(aPlace, someCodes(100), fc.nat(100), (word, mask, cut) => {
    const words = Math.min(mask.length, cut);
    const actual = written(
      word,
      words,
      [],
      (target) => addMask(target, BASE, word, packed(mask), words),
    );
    assertEquals(actual, mask.slice(0, words));
  }));
});

Deno.test("words are counted beyond 2^31", () => {
  const target = new Int32Array(4);
  const word = 2 ** 33 + 20;
  // The base is what lies in front of a table that begins with that word's int32.
  const base = -(2 ** 33) / 16;
  addRepeated(target, base, word, 0b10_01, 2, 40);
  const codes = Array.from({ length: 64 }, (_, i) => codeAt(target, i));
  const isInside = (i: number) => i >= 20 && i < 60;
  assertEquals(codes, codes.map((_, i) => isInside(i) ? 1 + i % 2 : 0));
});
