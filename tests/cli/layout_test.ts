import {
  assertAlmostEquals,
  assertEquals,
  assertGreaterOrEqual,
  assertMatch,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { UsageError } from "../../lib/cli/command.ts";
import { type FieldNode, type TypeNode, typeText } from "../../lib/cli/go_type_node.ts";
import { parseGoType } from "../../lib/cli/go_type_parser.ts";
import { type LayoutReport, layoutReport } from "../../lib/cli/layout.ts";
import { GoHeap } from "../../lib/go_heap.ts";
import { platformNamed } from "../../lib/platform/platform.ts";
import type { GoType } from "../../lib/types/go_type.ts";
import type { TypeTable } from "../../lib/types/type_table.ts";
import { runCommand } from "./run_command.ts";

const PLATFORMS = ["linux/amd64", "linux/386", "nacl/amd64p32"];

/** Fields and padding in short: [offset, size, name], the name empty for padding. */
function rows({ rows }: LayoutReport): [number, number, string][] {
  return rows.map(({ offset, sizeBytes, field }) => [offset, sizeBytes, field?.path ?? ""]);
}

Deno.test("the layout of a struct has its fields, its padding and its pointers", () => {
  const report = layoutReport("struct { a int8; b *T; c []byte }", "linux/amd64");
  assertEquals(rows(report), [[0, 1, "a"], [1, 7, ""], [8, 8, "b"], [16, 24, "c"]]);
  const { sizeBytes, alignBytes, pointerMask, paddingBytes, block, wasteBytes } = report;
  assertEquals([sizeBytes, alignBytes, pointerMask, paddingBytes], [40, 8, "sppss", 7]);
  assertEquals([block.class, block.blockBytes, block.blocksPerSpan], [4, 48, 170]);
  assertEquals(wasteBytes, 15);
  assertEquals([report.best.savedBytes, report.best.type], [0, report.type]);
});

Deno.test("the best order is by falling alignment, and tells what it saves", () => {
  const { best } = layoutReport("struct { a int8; b *T; n int16; c bool }", "linux/amd64");
  assertEquals(best, {
    type: "struct { b *T; n int16; a int8; c bool }",
    sizeBytes: 16,
    blockBytes: 16,
    savedBytes: 8,
    savedBlockBytes: 16,
  });
  const inner = layoutReport(
    "[3]struct { in struct { a bool; n int32; b bool }; p *T }",
    "linux/386",
  );
  assertEquals([inner.sizeBytes, inner.best.sizeBytes], [48, 36]);
  assertEquals(
    inner.best.type,
    "[3]struct { in struct { n int32; a bool; b bool }; p *T }",
  );
});

Deno.test("a struct in a struct and the first element of an array show theirs", () => {
  const report = layoutReport(
    "struct { a bool; in struct { x int8; y int32 }; l [2]struct { p *T; b bool } }",
    "linux/amd64",
  );
  assertEquals(rows(report), [
    [0, 1, "a"],
    [1, 3, ""],
    [4, 8, "in"],
    [4, 1, "in.x"],
    [5, 3, ""],
    [8, 4, "in.y"],
    [12, 4, ""],
    [16, 32, "l"],
    [16, 8, "l[0].p"],
    [24, 1, "l[0].b"],
    [25, 7, ""],
  ]);
  assertEquals(report.paddingBytes, 3 + 3 + 4 + 2 * 7);
  assertEquals(report.pointerMask, "sspsps");
});

const SIZES: [type: string, platform: string, size: number, align: number, mask: string][] = [
  ["int64", "linux/386", 8, 4, "ss"],
  ["int64", "nacl/amd64p32", 8, 8, "ss"],
  ["string", "linux/amd64", 16, 8, "ps"],
  ["error", "linux/amd64", 16, 8, "pp"],
  ["any", "linux/386", 8, 4, "pp"],
  ["rune", "linux/amd64", 4, 4, "s"],
  ["unsafe.Pointer", "linux/386", 4, 4, "p"],
  ["[0]*T", "linux/amd64", 0, 8, ""],
  ["map[T]U", "linux/amd64", 8, 8, "p"],
  ["<-chan T", "linux/amd64", 8, 8, "p"],
  ["func(a, b T, c ...U) (d V, err error)", "linux/amd64", 8, 8, "p"],
  ["interface { Read(b []byte) (int, error); io.Closer }", "linux/amd64", 16, 8, "pp"],
  ["struct {}", "linux/amd64", 0, 1, ""],
  ["[0x1_0]struct { T *int; _ int8; _ [1]byte }", "linux/amd64", 256, 8, "ps".repeat(16)],
  ["[1000000000]*int", "linux/amd64", 8e9, 8, "p".repeat(1024)],
  ["(((*T)))", "linux/amd64", 8, 8, "p"],
  ["struct { *T; *pkg.U; error; f func() }", "linux/amd64", 40, 8, "ppppp"],
  [
    'type T struct {\n\ta, b int8 // two\n\tnext *T `json:"n"` /* me\n*/\n}\n',
    "linux/amd64",
    16,
    8,
    "sp",
  ],
];

for (const [type, platform, size, align, mask] of SIZES) {
  Deno.test(`the layout of ${JSON.stringify(type)} on ${platform}`, () => {
    const { sizeBytes, alignBytes, pointerMask } = layoutReport(type, platform);
    assertEquals([sizeBytes, alignBytes, pointerMask], [size, align, mask]);
  });
}

const REFUSED: [type: string, message: string][] = [
  ["", "cannot read the type at 1:1: expected a type, got the end"],
  ["struct { a int8", "cannot read the type at 1:16: expected a field's name or }, got the end"],
  ["struct { a, }", 'cannot read the type at 1:13: expected another field\'s name, got "}"'],
  [
    "struct { a int b int }",
    'cannot read the type at 1:16: expected ; or } after the field, got "b"',
  ],
  ["struct {\n\ta int\n\ta bool\n}", "cannot read the type at 3:2: field a is declared twice"],
  ["struct { a int; *pkg.a }", "cannot read the type at 1:17: field a is declared twice"],
  ["struct { if int }", 'cannot read the type at 1:10: expected a field\'s name or }, got "if"'],
  ["struct { a if }", 'cannot read the type at 1:12: expected the type of field a, got "if"'],
  ["int int", 'cannot read the type at 1:5: expected the end, got "int"'],
  [
    "[n]int",
    'cannot read the type at 1:2: expected the array\'s length as a whole number, got "n"',
  ],
  [
    "[1.5]int",
    'cannot read the type at 1:2: expected the array\'s length as a whole number, got "1.5"',
  ],
  [
    "[017]int",
    'cannot read the type at 1:2: expected the array\'s length as a whole number, got "017"',
  ],
  [
    "[...]int",
    'cannot read the type at 1:2: expected the array\'s length as a whole number, got "..."',
  ],
  ["map[[]int]T", "cannot read the type at 1:5: a slice cannot be the key of a map"],
  ["map int", 'cannot read the type at 1:5: expected [ after map, got "int"'],
  ["<-int", 'cannot read the type at 1:3: expected chan after <-, got "int"'],
  ["func(a ...int, b int)", "cannot read the type at 1:21: only the last may have ..."],
  ["func() (a ...int)", "cannot read the type at 1:17: a result cannot have ..."],
  [
    "interface { A() B() }",
    'cannot read the type at 1:18: expected ; or } after the method, got "("',
  ],
  ["int$", 'cannot read the type at 1:4: no Go type has "$" there'],
  ["[]".repeat(300) + "int", "cannot read the type at 1:401: types are nested more than 200 deep"],
  [
    "struct { m sync.Mutex }",
    "cannot lay out the type: the size of sync.Mutex at 1:12 is not known; behind a pointer it would not matter",
  ],
  [
    "[2]T",
    "cannot lay out the type: the size of T at 1:4 is not known; behind a pointer it would not matter",
  ],
  [
    "[99999999999999]int64",
    "cannot lay out the type: Cannot use length: current value is 99999999999999, " +
    "expected an array of at most 140737488355328 bytes",
  ],
];

for (const [type, message] of REFUSED) {
  Deno.test(`what is no type, or none of a known size, is refused: ${JSON.stringify(type).slice(0, 40)}`, async () => {
    assertEquals(await runCommand("layout", "--platform", "linux/amd64", type), {
      code: 2,
      out: "",
      err: `goheap: ${message}\nTry 'goheap --help'.\n`,
    });
  });
}

const BASIC = ["bool", "int8", "uint16", "int32", "int64", "complex64", "complex128", "uintptr"];
const field = (name: string, type: TypeNode): FieldNode => ({ name, type, isEmbedded: false });
const unknown: TypeNode = { kind: "unknown", name: "T", at: 0 };

/** Random types that can be laid out, with unknown names where they may stand. */
const { type: randomType } = fc.letrec<{ type: TypeNode; any: TypeNode }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 4, depthIdentifier: "type" },
    fc.constantFrom(...BASIC, "string", "error").map((name): TypeNode => ({ kind: "basic", name })),
    tie("any").map((elem): TypeNode => ({ kind: "pointer", elem })),
    tie("any").map((elem): TypeNode => ({ kind: "slice", elem })),
    fc.tuple(fc.constantFrom("chan", "chan<-", "<-chan"), tie("any"))
      .map(([direction, elem]): TypeNode => ({ kind: "chan", direction, elem })),
    tie("any").map((elem): TypeNode => ({
      kind: "map",
      key: { kind: "basic", name: "string" },
      elem,
    })),
    fc.tuple(
      fc.array(tie("any"), { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      fc.array(tie("any"), { maxLength: 2 }),
    )
      .map(([params, isVariadic, results]): TypeNode => ({
        kind: "func",
        params,
        isVariadic,
        results,
      })),
    fc.tuple(fc.nat(5), tie("type"))
      .map(([length, elem]): TypeNode => ({ kind: "array", length, elem })),
    fc.array(tie("type"), { maxLength: 5 }).map((types): TypeNode => ({
      kind: "struct",
      fields: types.map((type, i) => field(i === 2 ? "_" : `f${i}`, type)),
    })),
  ),
  any: fc.oneof(tie("type"), fc.constant(unknown)),
}));

/** The same type with no places in it, which a text and another text have in different ones. */
function withoutPlaces(node: TypeNode): unknown {
  return JSON.parse(JSON.stringify(node, (key, value) => key === "at" ? undefined : value));
}

Deno.test("a type is read back from what it is written as", () => {
  fc.assert(fc.property(randomType, (node) => {
    assertEquals(withoutPlaces(parseGoType(typeText(node))), withoutPlaces(node));
  }));
});

/** Where the type's own rules put things, told again: offsets, size, alignment and pointer words. */
function measured(node: TypeNode, word: number, long: number): {
  size: number;
  align: number;
  pointers: Set<number>;
} {
  const words = (mask: string) => ({
    size: mask.length * word,
    align: word,
    pointers: new Set([...mask].flatMap((code, i) => code === "p" ? [i * word] : [])),
  });
  const plain = (size: number, align: number) => ({ size, align, pointers: new Set<number>() });
  switch (node.kind) {
    case "basic": {
      if (node.name === "string") return words("ps");
      if (node.name === "error") return words("pp");
      if (node.name === "uintptr") return plain(word, word);
      if (node.name === "bool") return plain(1, 1);
      const size = Number(node.name.match(/\d+/)) / 8;
      return plain(size, node.name.startsWith("complex") || size === 8 ? long : size);
    }
    case "slice":
      return words("pss");
    case "array": {
      const { size, align, pointers } = measured(node.elem, word, long);
      const all = Array.from(
        { length: node.length },
        (_, i) => [...pointers].map((p) => i * size + p),
      );
      return { size: size * node.length, align, pointers: new Set(all.flat()) };
    }
    case "struct": {
      let end = 0;
      const whole = plain(0, 1);
      for (const { type } of node.fields) {
        const { size, align, pointers } = measured(type, word, long);
        const offset = Math.ceil(end / align) * align;
        for (const p of pointers) whole.pointers.add(offset + p);
        whole.align = Math.max(whole.align, align);
        end = offset + size;
      }
      return { ...whole, size: Math.ceil(end / whole.align) * whole.align };
    }
    default:
      return words("p");
  }
}

Deno.test("random types are laid out by the rules of each platform, padding included", () => {
  fc.assert(fc.property(randomType, fc.constantFrom(...PLATFORMS), (node, platform) => {
    const { pointerBytes, int64AlignBytes } = platformNamed(platform);
    const report = layoutReport(typeText(node), platform);
    const { size, align, pointers } = measured(node, pointerBytes, int64AlignBytes);
    assertEquals([report.sizeBytes, report.alignBytes], [size, align]);
    const words = Math.min(Math.ceil(size / pointerBytes), 1024);
    const mask = Array.from(
      { length: words },
      (_, i) => pointers.has(i * pointerBytes) ? "p" : "s",
    );
    assertEquals(report.pointerMask, mask.join(""));
    if (node.kind !== "struct") return;
    // What lies at the outermost level covers the struct, byte after byte.
    let end = 0;
    for (const { offset, sizeBytes, field } of report.rows) {
      if (field !== null && /[.[]/.test(field.path)) continue;
      if (field === null && offset < end) continue;
      assertEquals(offset, end);
      end += sizeBytes;
    }
    assertEquals(end, size);
  }));
});

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, i) =>
    permutations(items.filter((_, other) => other !== i)).map((rest) => [item, ...rest])
  );
}

Deno.test("no order of a random struct's fields is smaller than the best one", () => {
  const flat = fc.array(
    fc.oneof(
      fc.constantFrom(...BASIC, "string").map((name): TypeNode => ({ kind: "basic", name })),
      fc.nat(7).map((length): TypeNode => ({
        kind: "array",
        length,
        elem: { kind: "basic", name: "int16" },
      })),
    ),
    { maxLength: 5 },
  );
  fc.assert(
    fc.property(flat, fc.constantFrom(...PLATFORMS), (types, platform) => {
      const { pointerBytes, int64AlignBytes } = platformNamed(platform);
      const fields = types.map((type, i) => field(`f${i}`, type));
      const { best, sizeBytes, block } = layoutReport(
        typeText({ kind: "struct", fields }),
        platform,
      );
      const sizes = permutations(fields).map((order) =>
        measured({ kind: "struct", fields: order }, pointerBytes, int64AlignBytes).size
      );
      assertEquals(best.sizeBytes, Math.min(...sizes));
      assertEquals(layoutReport(best.type, platform).sizeBytes, best.sizeBytes);
      assertEquals(best.savedBytes, sizeBytes - best.sizeBytes);
      assertGreaterOrEqual(block.blockBytes, sizeBytes);
    }),
    { numRuns: 60 },
  );
});

Deno.test("a heap allocates what the layout says it does", () => {
  const make: Record<string, (types: TypeTable) => GoType> = {
    "struct { p *T; n int64; b bool }": (t) =>
      t.struct("", { p: t.pointer(t.int), n: t.int64, b: t.bool }),
    "[33]byte": (t) => t.array(t.uint8, 33),
    "[1000]*T": (t) => t.array(t.pointer(t.int), 1000),
    "[40000]int64": (t) => t.array(t.int64, 40000),
  };
  for (const [text, type] of Object.entries(make)) {
    using heap = new GoHeap({ platform: "linux/amd64" });
    const place = heap.findObject(heap.newobject(type(heap.types)));
    const { block } = layoutReport(text, "linux/amd64");
    assertEquals([text, place?.size], [text, block.blockBytes]);
  }
});

const TINY = ["int8", "int16", "[3]byte", "int32", "[5]byte", "[6]byte", "int64", "[12]byte"];

Deno.test("values that the tiny allocator puts together fill a block together", () => {
  for (const text of [...TINY, "[15]byte"]) {
    using heap = new GoHeap({ platform: "linux/amd64" });
    const { block, sizeBytes, wasteBytes } = layoutReport(text, "linux/amd64");
    const type = heap.types.array(heap.types.uint8, sizeBytes);
    const first = heap.newobject(type);
    let together = 1;
    while (Math.floor(heap.newobject(type) / 16) === Math.floor(first / 16)) together++;
    assertEquals([text, block.isTiny, block.valuesPerBlock], [text, true, together]);
    assertAlmostEquals(wasteBytes, 16 / together - sizeBytes);
  }
});

Deno.test("the table shows the rows, and below them what they come to", async () => {
  const { code, out } = await runCommand(
    "layout",
    "--platform=linux/amd64",
    "struct { a int8; b *T; n int16 }",
  );
  assertEquals(code, 0);
  assertEquals(
    out,
    `struct { a int8; b *T; n int16 } on linux/amd64: 24 bytes, aligned to 8

offset  size  align  field      type   words
     0     1      1  a          int8
     1     7         (padding)
     8     8      8  b          *T     p
    16     2      2  n          int16
    18     6         (padding)

words       sps (p pointer, s scalar)
padding     13 bytes
allocated   in a block of 32 bytes, size class 3, 256 in a span of 1 page
waste       21 of 32 bytes, 66 %: 13 padding, 8 behind the value
best order  struct { b *T; n int16; a int8 }: 16 bytes, saves 8, and 16 of its block
`,
  );
  const tiny = await runCommand("layout", "int8");
  assertMatch(tiny.out, /^allocated +by the tiny allocator, up to 16 in a block of 16 bytes/m);
  const large = await runCommand("layout", "[5000]int64");
  assertMatch(large.out, /^allocated +by itself, in 5 pages, 40,960 bytes$/m);
  const empty = await runCommand("layout", "struct {}");
  assertMatch(empty.out, /^allocated +nowhere: all values have one address$/m);
});

Deno.test("the layout as JSON is what the table is made of", async () => {
  const type = "struct { a int8; in struct { p *T; b bool } }";
  const { out } = await runCommand("layout", "--json", "--platform=linux/386", type);
  assertEquals(JSON.parse(out), layoutReport(type, "linux/386"));
});

Deno.test("a type that only some platforms can have is refused on the others", () => {
  assertEquals(layoutReport("[600000000]int64", "linux/amd64").sizeBytes, 4.8e9);
  assertThrows(() => layoutReport("[600000000]int64", "linux/386"), UsageError, "cannot lay out");
});
