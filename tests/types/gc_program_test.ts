import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { codeAt } from "../../lib/types/codes.ts";
import { forEachPointer, programCode, unroll } from "../../lib/types/gc_program.ts";
import type { GoType } from "../../lib/types/go_type.ts";
import {
  arbitraryType,
  decodeProgram,
  pointerOffsets,
  structOf,
  typesFor,
  unrolled,
} from "./type_helpers.ts";

const t = typesFor("linux/amd64");
const pointer = t.pointer(t.int);

function programOf(type: GoType) {
  return decodeProgram(type.pointers.program, 8);
}

Deno.test("arrays of pointers or numbers of 400 MB and 4 TB take a few bytes of program", () => {
  const { pointers } = t.struct("", { a: pointer });
  assertEquals(pointers.program.length, 4);
  for (const bytes of [400e6, 4 * 2 ** 40]) {
    const ofPointers = t.array(pointer, bytes / 8);
    const ofNumbers = t.array(t.uintptr, bytes / 8);
    const numbersFirst = t.struct("", { a: ofNumbers, p: pointer });
    const pointersFirst = t.struct("", { a: ofPointers, n: t.int });
    const words = bytes / 8;
    assertEquals(programOf(ofPointers), [{ array: words, of: ["p"] }]);
    assertEquals(ofNumbers.pointers.program.length, 0);
    assertEquals(programOf(numbersFirst), [{ array: words, of: ["s"] }, "p"]);
    assertEquals(programOf(pointersFirst), [{ array: words, of: ["p"] }, "s"]);
    assertEquals([numbersFirst.size, pointersFirst.words], [bytes + 8, words + 1]);
    const has = (type: GoType) => [0, words - 1, words].map((word) => type.pointers.has(word));
    assertEquals([has(numbersFirst), has(pointersFirst)], [
      [false, false, true],
      [true, true, false],
    ]);
  }
});

Deno.test("the only pointer behind 4 TB of numbers is found at once", () => {
  const type = t.struct("", { a: t.array(t.array(t.float64, 2 ** 20), 2 ** 19), p: pointer });
  const found: number[] = [];
  type.pointers.forEach((word) => found.push(word));
  assertEquals(found, [2 ** 39]);
  const both = t.struct("", { p: pointer, a: t.array(t.string, 2 ** 40), last: pointer });
  both.pointers.forEach((word) => found.push(word), 2 ** 41 - 2);
  assertEquals(found, [2 ** 39, 2 ** 41 - 1, 2 ** 41 + 1]);
});

Deno.test("a struct of many words has a program that goes into its arrays", () => {
  const inner = t.struct("", { n: t.int8, all: t.array(t.array(pointer, 5), 20), s: t.string });
  const type = t.struct("", { few: t.array(inner, 1), many: t.array(inner, 1000), end: t.bool });
  const once = ["s", { array: 20, of: ["ppppp"] }, "ps"];
  assertEquals(programOf(type), [...once, { array: 1000, of: once }, "s"]);
});

Deno.test("an array of 31 words is data, one of 32 is an array", () => {
  assertEquals(programOf(t.array(pointer, 31)), ["p".repeat(31)]);
  assertEquals(programOf(t.array(pointer, 32)), [{ array: 32, of: ["p"] }]);
  assertEquals(programOf(t.struct("", { a: t.array(t.int, 31), p: pointer })), [
    "s".repeat(31) + "p",
  ]);
  const of32 = t.struct("", { a: t.array(t.int, 32), p: pointer });
  assertEquals(programOf(of32), [{ array: 32, of: ["s"] }, "p"]);
});

Deno.test("a data instruction has 255 words at most", () => {
  const fields = Array.from({ length: 256 }, (_, i) => i % 2 === 0 ? pointer : t.int);
  const program = programOf(structOf(t, fields));
  assertEquals(program, ["ps".repeat(127) + "p", "s"]);
  assertEquals(unrolled(program), "ps".repeat(128));
});

Deno.test("a struct of a million words that are in no array has a program of their length", () => {
  let type = t.struct("", { p: pointer, n: t.int });
  for (let i = 0; i < 19; i++) type = t.struct("", { a: type, b: type });
  assertEquals(type.words, 2 ** 20);
  // 255 words take 66 bytes, 16 are left.
  assertEquals(type.pointers.program.length, 4112 * 66 + 6 + 1);
  type = t.struct("", { a: type, n: t.int, b: type });
  assertThrows(
    () => t.struct("", { a: type, b: type }),
    RangeError,
    'Cannot use fields: current value is "a GC program of 1085',
  );
  // What is in arrays does not count.
  assert(t.array(type, 1000).pointers.program.length < type.pointers.program.length + 12);
});

for (const platform of ["linux/amd64", "linux/386"]) {
  const table = typesFor(platform);
  const wordBytes = table.uintptr.size;
  const large = fc.tuple(
    arbitraryType(table),
    fc.integer({ min: 1, max: 60 }),
    arbitraryType(table),
  )
    .map(([elem, n, last]) =>
      structOf(table, [table.uint8, table.array(elem, n), last, table.string])
    );

  Deno.test(`all ways to read a program find the pointers of the fields on ${platform}`, () => {
    fc.assert(fc.property(large, fc.tuple(fc.nat(1000), fc.nat(1000)), (type, range) => {
      const { program } = type.pointers;
      const expected = [...pointerOffsets(table, type)].map((offset) => offset / wordBytes)
        .sort((a, b) => a - b);

      const visited: number[] = [];
      forEachPointer(program, wordBytes, 0, type.words, (word) => visited.push(word));
      assertEquals(visited, expected);

      const [from, to] = range.map((thousandths) => Math.floor(thousandths / 1000 * type.words));
      const inRange: number[] = [];
      forEachPointer(program, wordBytes, from, to, (word) => inRange.push(word));
      assertEquals(inRange, expected.filter((word) => word >= from && word < to));

      const words = Array.from({ length: type.words }, (_, word) => word);
      const byWord = words.filter((word) => programCode(program, wordBytes, word) === 2);
      assertEquals(byWord, expected);

      const text = unrolled(decodeProgram(program, wordBytes));
      assertEquals(words.filter((word) => text[word] === "p"), expected);
    }));
  });

  Deno.test(`a program is unrolled again and again, up to any word, on ${platform}`, () => {
    fc.assert(fc.property(large, fc.nat(20), fc.nat(3000), (
      type,
      word,
      thousandths,
    ) => {
      const words = Math.floor(thousandths / 1000 * type.words);
      const codes = new Int32Array(Math.ceil((word + words) / 16) + 1);
      unroll(type.pointers.program, wordBytes, codes, 0, word, words);
      const actual = Array.from({ length: 16 * codes.length }, (_, i) => codeAt(codes, i));
      const expected = actual.map((_, i) => {
        if (i < word || i >= word + words) return 0;
        return type.pointers.has((i - word) % type.words) ? 2 : 1;
      });
      assertEquals(actual, expected);
    }));
  });
}
