import { assert, assertEquals } from "@std/assert";
import type { GoType, Pointer, TypeTable } from "../../mod.ts";
import { blockCodes } from "../block_codes.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";
import { readJson } from "../data.ts";
import {
  decodeProgram,
  maskString,
  pointerOffsets,
  type Program,
  typesFor,
  unrolled,
} from "./type_helpers.ts";

interface RecordedObject {
  elemsize: number;
  mask: string;
}

interface RecordedType {
  type: string;
  size: number;
  align: number;
  fieldAlign: number;
  rawkind: number;
  noPointers: boolean;
  directIface: boolean;
  usesGCProgram: boolean;
  maskBytes: number;
  typeMask?: string;
  programBytes?: number[];
  programDecoded?: Program;
  inHeapUnroll?: "cached mask" | "direct";
  new?: RecordedObject & { tiny?: boolean; dead_after?: boolean; words_until_dead: number };
  make?: Record<string, RecordedObject>;
}

/** The types that were recorded, by the text that the data gives them. */
function builders(t: TypeTable): Record<string, GoType> {
  const byte = t.uint8;
  const eface = t.interface({});
  const iface = t.named("main.I", t.interface({ M: t.func([], []) }));
  const list = t.struct("main.List", (self) => ({ next: t.pointer(self), val: t.int }));
  const inner = t.struct("main.Inner", { x: t.int, p: t.pointer(byte) });
  const outer = t.struct("main.Outer", {
    a: inner,
    b: t.array(inner, 2),
    c: t.string,
    d: inner,
  });
  const tree = t.struct("main.Tree", (self) => ({
    L: t.pointer(self),
    R: t.pointer(self),
    K: t.string,
    V: eface,
  }));
  const odd3 = t.struct("main.Odd3", { a: t.int, p: t.pointer(t.int), b: t.int });
  const odd5 = t.struct("main.Odd5", {
    a: t.int,
    b: t.int,
    p: t.pointer(t.int),
    c: t.int,
    d: t.int,
  });
  const intPointer = t.pointer(t.int);
  const bytePointer = t.pointer(byte);
  const nested = (depth: number): GoType => {
    let type = intPointer;
    for (let i = 0; i < depth; i++) type = t.array(type, 2);
    return type;
  };
  return {
    "int": t.int,
    "int8": t.int8,
    "uint16": t.uint16,
    "uint32": t.uint32,
    "uint64": t.uint64,
    "float32": t.float32,
    "float64": t.float64,
    "complex64": t.complex64,
    "complex128": t.complex128,
    "uintptr": t.uintptr,
    "bool": t.bool,
    "*int": intPointer,
    "**int": t.pointer(intPointer),
    "unsafe.Pointer": t.unsafePointer,
    "string": t.string,
    "[]byte": t.slice(byte),
    "[]*int": t.slice(intPointer),
    "map[string]int": t.map(t.string, t.int),
    "chan int": t.chan(t.int),
    "func()": t.func([], []),
    "interface{}": eface,
    "I": iface,
    "[1]int": t.array(t.int, 1),
    "[1]*int": t.array(intPointer, 1),
    "[2]*int": t.array(intPointer, 2),
    "[3]*int": t.array(intPointer, 3),
    "[4]string": t.array(t.string, 4),
    "[3]string": t.array(t.string, 3),
    "[2][]int": t.array(t.slice(t.int), 2),
    "[3]interface{}": t.array(eface, 3),
    "[4]I": t.array(iface, 4),
    "[0]*int": t.array(intPointer, 0),
    "struct{}": t.struct("", {}),
    "struct{a int}": t.struct("", { a: t.int }),
    "struct{p *int}": t.struct("", { p: intPointer }),
    "struct{a int; p *int}": t.struct("", { a: t.int, p: intPointer }),
    "struct{p *int; a int}": t.struct("", { p: intPointer, a: t.int }),
    "ScalarPtr{q int;w *int;e int;r *int;t int;y *int}": t.struct("main.ScalarPtr", {
      q: t.int,
      w: intPointer,
      e: t.int,
      r: intPointer,
      t: t.int,
      y: intPointer,
    }),
    "PtrScalar{q *int;w int;e *int;r int;t *int;y int}": t.struct("main.PtrScalar", {
      q: intPointer,
      w: t.int,
      e: intPointer,
      r: t.int,
      t: intPointer,
      y: t.int,
    }),
    "BigStruct{q *int;w byte;e [17]byte;r []byte;t int;y uint16;u uint64;i string}": t.struct(
      "main.BigStruct",
      {
        q: intPointer,
        w: byte,
        e: t.array(byte, 17),
        r: t.slice(byte),
        t: t.int,
        y: t.uint16,
        u: t.uint64,
        i: t.string,
      },
    ),
    "List{next *List;val int}": list,
    "ListVF{val int;next *List}": t.struct("main.ListVF", { val: t.int, next: t.pointer(list) }),
    "Tree{L,R *Tree;K string;V interface{}}": tree,
    "Odd3{a int;p *int;b int}": odd3,
    "Odd5{a,b int;p *int;c,d int}": odd5,
    "Small{a byte;p *byte;b byte}": t.struct("main.Small", { a: byte, p: bytePointer, b: byte }),
    "Pack{a,b,c,d uint16;p *byte;e uint32;f [3]byte}": t.struct("main.Pack", {
      a: t.uint16,
      b: t.uint16,
      c: t.uint16,
      d: t.uint16,
      p: bytePointer,
      e: t.uint32,
      f: t.array(byte, 3),
    }),
    "Outer{a Inner;b [2]Inner;c string;d Inner} with Inner{x int;p *byte}": outer,
    "GCDoc{x []byte;y [20]struct{z int;w *byte}}": t.struct("main.GCDoc", {
      x: t.slice(byte),
      y: t.array(t.struct("", { z: t.int, w: bytePointer }), 20),
    }),
    "TailScalar{p *byte;a [6]int}": t.struct("main.TailScalar", {
      p: bytePointer,
      a: t.array(t.int, 6),
    }),
    "HeadScalar{a [6]int;p *byte}": t.struct("main.HeadScalar", {
      a: t.array(t.int, 6),
      p: bytePointer,
    }),
    "EmbI{n int;i I;e interface{};m int}": t.struct("main.EmbI", {
      n: t.int,
      i: iface,
      e: eface,
      m: t.int,
    }),
    "Fn{f func();c chan int;m map[string]int;u unsafe.Pointer;x uintptr}": t.struct("main.Fn", {
      f: t.func([], []),
      c: t.chan(t.int),
      m: t.map(t.string, t.int),
      u: t.unsafePointer,
      x: t.uintptr,
    }),
    "Zst{p *int;z struct{}}": t.struct("main.Zst", { p: intPointer, z: t.struct("", {}) }),
    "Cplx{c complex128;s []complex64}": t.struct("main.Cplx", {
      c: t.complex128,
      s: t.slice(t.complex64),
    }),
    "NoP{a int;b [3]float64;c uint8}": t.struct("main.NoP", {
      a: t.int,
      b: t.array(t.float64, 3),
      c: t.uint8,
    }),
    "[7]*byte": t.array(bytePointer, 7),
    "[8]Odd3": t.array(odd3, 8),
    "[9]Odd3": t.array(odd3, 9),
    "[5]Odd5": t.array(odd5, 5),
    "[2][2][2]*int": nested(3),
    "[2][2][2][2][2][2][2][2][2][2]*int": nested(10),
    "[100]*byte": t.array(bytePointer, 100),
    "[127]*byte": t.array(bytePointer, 127),
    "[128]*byte": t.array(bytePointer, 128),
    "[129]*byte": t.array(bytePointer, 129),
    "[63]*byte": t.array(bytePointer, 63),
    "[64]*byte": t.array(bytePointer, 64),
    "[65]*byte": t.array(bytePointer, 65),
    "[40]List": t.array(list, 40),
    "[33]Odd3": t.array(odd3, 33),
    "[50]Odd3": t.array(odd3, 50),
    "[100]string": t.array(t.string, 100),
    "[64]interface{}": t.array(eface, 64),
    "[1000]*byte": t.array(bytePointer, 1000),
    "[200]Outer": t.array(outer, 200),
    "[64]Tree": t.array(tree, 64),
    "[300]struct{a int; p *int}": t.array(t.struct("", { a: t.int, p: intPointer }), 300),
    "struct{x float64; y [500]*byte; z []string}": t.struct("", {
      x: t.float64,
      y: t.array(bytePointer, 500),
      z: t.slice(t.string),
    }),
    "struct{x float64; y [500]uintptr; z []string}": t.struct("", {
      x: t.float64,
      y: t.array(t.uintptr, 500),
      z: t.slice(t.string),
    }),
    "[513]Odd3": t.array(odd3, 513),
  };
}

/** Interfaces are coded m in the record, pointer here; three dots mark where a long mask was cut. */
function assertWords(actual: string, recorded: string): void {
  const cut = recorded.endsWith("...");
  const expected = recorded.replace("...", "").replaceAll("m", "p");
  assertEquals(cut ? actual.slice(0, expected.length) : actual, expected);
}

function withoutInterfaces(program: Program): Program {
  return JSON.parse(JSON.stringify(program).replaceAll("m", "p"));
}

const recorded = (await readJson("gcmasks.json") as { types: RecordedType[] }).types;
const table = typesFor("linux/amd64");
const built = builders(table);

Deno.test("the recorded types are all built here, and no others", () => {
  assertEquals(Object.keys(built).sort(), recorded.map(({ type }) => type).sort());
});

function assertLayout(type: GoType, record: RecordedType): void {
  assertEquals(type.size, record.size);
  assertEquals(type.words, Math.ceil(record.size / 8));
  assertEquals(type.align, record.align);
  assertEquals(type.fieldAlign, record.fieldAlign);
  assertEquals(type.pointerFree, record.noPointers);
  assertEquals(type.directIface, record.directIface);
  const flags = 128 * +type.pointerFree + 64 * +type.pointers.usesProgram + 32 * +type.directIface;
  assertEquals(type.kind + flags, record.rawkind);
}

function assertPointers(type: GoType, record: RecordedType): void {
  if (record.new) assertWords(maskString(type), record.new.mask);
  for (const [n, { mask }] of Object.entries(record.make ?? {})) {
    assertWords(maskString(type, Number(n) * type.words), mask);
    assertWords(maskString(table.array(type, Number(n))), mask);
  }
}

/** Nibbles of a mask that was loaded: the code is in the upper half of each. */
function loaded(type: GoType): string {
  const nibbles = [...table.loadPtrMask(type)].flatMap((byte) => [byte & 15, byte >> 4]);
  return nibbles.map((nibble) => ({ 0: "d", 4: "s", 8: "p" })[nibble]).join("");
}

function assertMaskForm(type: GoType, record: RecordedType): void {
  const { pointers } = type;
  assertEquals(pointers.usesProgram, record.usesGCProgram);
  if (type.pointerFree) {
    assertEquals([pointers.maskBytes, pointers.program.length, pointers.mask?.length], [0, 0, 0]);
    assert(table.loadPtrMask(type).every((byte) => byte === 0));
    return;
  }
  assertEquals(pointers.maskBytes, record.maskBytes);
  // Of an odd number of words, Go keeps the mask twice, and the second one begins within a byte.
  if (record.typeMask) {
    assertWords(loaded(type), record.typeMask.slice(0, 2 * Math.ceil(type.words / 2)));
  }
  if (record.programDecoded) assertProgram(type, record);
}

function assertProgram({ pointers }: GoType, record: RecordedType): void {
  const program = decodeProgram(pointers.program, 8);
  const recorded = decodeProgram(Uint8Array.from(record.programBytes!), 8);
  assertEquals(recorded, record.programDecoded);
  assertEquals(program, withoutInterfaces(recorded));
  assertEquals(pointers.program.length, record.programBytes!.length);
  assertEquals(pointers.mask !== null, record.inHeapUnroll === "cached mask");
}

for (const record of recorded) {
  Deno.test(`${record.type} has the layout and the pointers that it had in real Go`, () => {
    const type = built[record.type];
    assertLayout(type, record);
    assertPointers(type, record);
    assertMaskForm(type, record);
  });
}

/** The codes of the words of the block at `p`, up to the first dead one, and the block's size. */
function blockMask(heap: GoHeap, p: Pointer): RecordedObject {
  const codes = blockCodes(heap, p);
  const end = codes.indexOf(0);
  const mask = codes.slice(0, end < 0 ? codes.length : end).map((code) => "dsp"[code]).join("");
  return { elemsize: 8 * codes.length, mask };
}

Deno.test("every object has the bitmap that it had in real Go, ten times each", () => {
  using heap = new GoHeap({ platform: "linux/amd64", gcPercent: -1 });
  const built = builders(heap.types);
  for (let round = 0; round < 10; round++) {
    for (const record of recorded) {
      const type = built[record.type];
      if (record.new && !record.new.tiny) {
        assertObject(blockMask(heap, heap.newobject(type)), record.new);
      }
      for (const [n, object] of Object.entries(record.make ?? {})) {
        assertObject(blockMask(heap, heap.newarray(type, Number(n))), object);
      }
    }
    heap.verify();
    // The next round gets some of the blocks again, with other types.
    if (round % 3 === 2) heap.GC();
  }
});

function assertObject(actual: RecordedObject, recorded: RecordedObject): void {
  assertEquals(actual.elemsize, recorded.elemsize);
  assertWords(actual.mask, recorded.mask);
}

const OTHER_PLATFORMS = ["linux/386", "linux/arm", "nacl/amd64p32", "linux/arm64"];

for (const platform of OTHER_PLATFORMS) {
  Deno.test(`the same types have a program by rule on ${platform}`, () => {
    const table = typesFor(platform);
    const wordBytes = table.uintptr.size;
    for (const [text, type] of Object.entries(builders(table))) {
      const { pointers, words, pointerFree } = type;
      const maskBytes = words % 2 === 0 ? words / 2 : words;
      assertEquals(pointers.maskBytes, pointerFree ? 0 : maskBytes, text);
      assertEquals(pointers.usesProgram, !pointerFree && maskBytes > 2 * wordBytes, text);
      assertEquals(pointers.mask === null, !pointerFree && maskBytes + 1 > 64, text);
      if (pointerFree) continue;
      const program = unrolled(decodeProgram(pointers.program, wordBytes));
      const offsets = pointerOffsets(table, type);
      const byField = Array.from(
        { length: words },
        (_, w) => offsets.has(w * wordBytes) ? "p" : "s",
      );
      assertEquals(program, byField.join(""), text);
    }
  });
}
