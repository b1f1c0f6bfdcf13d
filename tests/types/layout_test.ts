import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { TypeTable } from "../../lib/types/type_table.ts";
import { arbitraryType, maskString, pointerOffsets, structOf, typesFor } from "./type_helpers.ts";

const PLATFORMS = ["linux/amd64", "linux/386", "linux/arm", "nacl/amd64p32"];

function sizes(t: TypeTable): Record<string, [size: number, align: number]> {
  const types = [t.bool, t.int16, t.int32, t.int, t.uintptr, t.int64, t.float64, t.complex64];
  types.push(t.complex128, t.pointer(t.int), t.string, t.interface({}), t.slice(t.int));
  return Object.fromEntries(types.map(({ string, size, align }) => [string, [size, align]]));
}

Deno.test("on 386 and arm a word has 4 bytes and nothing is aligned to more", () => {
  for (const platform of ["linux/386", "linux/arm"]) {
    assertEquals(sizes(typesFor(platform)), {
      "bool": [1, 1],
      "int16": [2, 2],
      "int32": [4, 4],
      "int": [4, 4],
      "uintptr": [4, 4],
      "int64": [8, 4],
      "float64": [8, 4],
      "complex64": [8, 4],
      "complex128": [16, 4],
      "*int": [4, 4],
      "string": [8, 4],
      "interface {}": [8, 4],
      "[]int": [12, 4],
    });
  }
});

Deno.test("on amd64p32 a word has 4 bytes and 64-bit numbers are aligned to 8", () => {
  const { int, int64, complex128, ...rest } = sizes(typesFor("nacl/amd64p32"));
  assertEquals([int, int64, complex128], [[4, 4], [8, 8], [16, 8]]);
  assertEquals(rest["[]int"], [12, 4]);
});

Deno.test("the same struct is laid out by the alignment of 64-bit integers", () => {
  const shape = (platform: string) => {
    const t = typesFor(platform);
    const type = t.struct("", { a: t.int8, b: t.int64, p: t.pointer(t.int), c: t.bool });
    return { size: type.size, offsets: type.fields.map((f) => f.offset), mask: maskString(type) };
  };
  assertEquals(shape("linux/amd64"), { size: 32, offsets: [0, 8, 16, 24], mask: "ssps" });
  assertEquals(shape("linux/386"), { size: 20, offsets: [0, 4, 12, 16], mask: "sssps" });
  assertEquals(shape("nacl/amd64p32"), { size: 24, offsets: [0, 8, 16, 20], mask: "ssssps" });
});

Deno.test("a struct of odd size takes a part of its last word", () => {
  const t = typesFor("linux/amd64");
  const type = t.struct("", { a: t.array(t.uint8, 17) });
  assertEquals([type.size, type.align, type.words], [17, 1, 3]);
});

Deno.test("a type of up to 16 words has all of its codes in one int32", () => {
  const t = typesFor("linux/amd64");
  const ofPointers = (n: number) => t.array(t.pointer(t.int), n).typeBits;
  assertEquals([1, 15, 16, 17].map(ofPointers), [2, 0x2aaaaaaa, 0xaaaaaaaa | 0, 0]);
});

for (const platform of PLATFORMS) {
  Deno.test(`the fields of a struct are aligned and do not overlap on ${platform}`, () => {
    const t = typesFor(platform);
    fc.assert(fc.property(fc.array(arbitraryType(t), { maxLength: 8 }), (types) => {
      const type = structOf(t, types);
      let end = 0;
      for (const { offset, type: { size, align } } of type.fields) {
        assertEquals(offset % align, 0);
        assert(offset >= end, `${type.string}: a field at ${offset} begins before ${end}`);
        assert(offset - end < align, `${type.string}: ${offset - end} bytes of padding`);
        end = offset + size;
      }
      assertEquals(type.align, Math.max(1, ...types.map(({ align }) => align)));
      assertEquals(type.size, Math.ceil(end / type.align) * type.align);
    }));
  });

  Deno.test(`a mask has a pointer exactly where a field has one on ${platform}`, () => {
    const t = typesFor(platform);
    fc.assert(fc.property(fc.array(arbitraryType(t), { maxLength: 8 }), (types) => {
      const type = structOf(t, types);
      const offsets = [...maskString(type)].flatMap((code, word) =>
        code === "p" ? [word * t.uintptr.size] : []
      );
      assertEquals(new Set(offsets), pointerOffsets(t, type));
      assertEquals(type.pointerFree, offsets.length === 0);
    }));
  });
}
