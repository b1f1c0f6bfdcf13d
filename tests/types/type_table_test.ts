import {
  assert,
  assertEquals,
  assertNotStrictEquals,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { platformNamed } from "../../lib/platform/platform.ts";
import { MAX_SMALL_BYTES, sizeToClass } from "../../lib/spans/size_classes.ts";
import { type GoType, Kind } from "../../lib/types/go_type.ts";
import { type Fields, TypeTable } from "../../lib/types/type_table.ts";
import { maskString, typesFor } from "./type_helpers.ts";

/** One type of each way to make an unnamed one. */
function unnamedTypes(t: TypeTable): Record<string, GoType> {
  const named = t.struct("main.T", {});
  return {
    "*main.T": t.pointer(named),
    "**main.T": t.pointer(t.pointer(named)),
    "[]uint8": t.slice(t.uint8),
    "[4][]int": t.array(t.slice(t.int), 4),
    "map[string]int": t.map(t.string, t.int),
    "map[int]string": t.map(t.int, t.string),
    "chan int": t.chan(t.int),
    "func()": t.func([]),
    "func(int, ...string) bool": t.func([t.int, t.slice(t.string)], [t.bool], { variadic: true }),
    "func(int, []string) bool": t.func([t.int, t.slice(t.string)], [t.bool]),
    "func(int)": t.func([t.int]),
    "func() int": t.func([], [t.int]),
    "func() (*main.T, unsafe.Pointer)": t.func([], [t.pointer(named), t.unsafePointer]),
    "struct {}": t.struct("", {}),
    "struct { a int8; b *main.T }": t.struct("", { a: t.int8, b: t.pointer(named) }),
    "struct { b *main.T; a int8 }": t.struct("", { b: t.pointer(named), a: t.int8 }),
    "struct { a int8; c *main.T }": t.struct("", { a: t.int8, c: t.pointer(named) }),
    "interface {}": t.interface({}),
    "interface { M() }": t.interface({ M: t.func([]) }),
    "interface { M(int) }": t.interface({ M: t.func([t.int]) }),
    "interface { Len() int; Less(int, int) bool }": t.interface({
      Less: t.func([t.int, t.int], [t.bool]),
      Len: t.func([], [t.int]),
    }),
  };
}

Deno.test("a type prints as Go prints it", () => {
  const built = unnamedTypes(typesFor("linux/amd64"));
  assertEquals(Object.values(built).map(({ string }) => string), Object.keys(built));
});

Deno.test("an unnamed type has no name, a named or plain one has", () => {
  const t = typesFor("linux/amd64");
  for (const { name } of Object.values(unnamedTypes(t))) assertEquals(name, "");
  assertEquals([t.int.name, t.struct("main.T", {}).name], ["int", "main.T"]);
});

Deno.test("types of different structure are different types at different addresses", () => {
  const built = Object.values(unnamedTypes(typesFor("linux/amd64")));
  assertEquals(new Set(built).size, built.length);
  const addresses = built.map(({ address }) => address);
  assertEquals(new Set(addresses).size, built.length);
  for (const address of addresses) assertEquals(address % 8, 0);
});

Deno.test("unnamed types of the same structure are one type", () => {
  const t = typesFor("linux/amd64");
  const element = t.struct("main.T", {});
  const make = [
    () => t.pointer(element),
    () => t.slice(element),
    () => t.array(element, 3),
    () => t.map(element, t.int),
    () => t.chan(element),
    () => t.func([element], [t.int]),
    () => t.func([t.slice(element)], [], { variadic: true }),
    () => t.struct("", { a: element, b: t.int }),
    () => t.interface({ M: t.func([element]) }),
  ];
  for (const type of make) assertStrictEquals(type(), type());
  assertStrictEquals(
    t.interface({ A: t.func([]), B: t.func([t.int]) }),
    t.interface({ B: t.func([t.int]), A: t.func([]) }),
  );
});

Deno.test("each named type is a type of its own with the layout of its underlying type", () => {
  const t = typesFor("linux/amd64");
  const one = t.named("main.Name", t.string);
  const two = t.named("main.Name", t.string);
  assertNotStrictEquals(one, two);
  assertNotStrictEquals(one.address, two.address);
  assertNotStrictEquals(t.pointer(one), t.pointer(two));
  assertEquals([one.kind, one.size, maskString(one)], [Kind.String, 16, "ps"]);
  assertEquals([one.string, t.slice(one).string], ["main.Name", "[]main.Name"]);
});

Deno.test("a type may point to itself in every way that needs no size", () => {
  const t = typesFor("linux/amd64");
  let pointer: GoType | undefined;
  const node = t.struct("main.Node", (self) => ({
    id: t.int8,
    next: pointer = t.pointer(self),
    children: t.slice(self),
    byName: t.map(t.string, self),
    inbox: t.chan(self),
    visit: t.func([self], [self]),
    any: t.interface({ Walk: t.func([self]) }),
  }));
  assertStrictEquals(pointer, t.pointer(node));
  assertStrictEquals(pointer!.elem, node);
  assertEquals([node.kind, node.size, maskString(node)], [
    Kind.Struct,
    80,
    "sppssppppp",
  ]);
  assertEquals(t.array(node, 2).size, 160);
});

Deno.test("two types may point to each other", () => {
  const t = typesFor("linux/amd64");
  let second!: GoType;
  const first = t.struct("main.A", (a) => {
    second = t.struct("main.B", { a: t.pointer(a), n: t.int });
    return { b: second };
  });
  assertEquals([first.size, maskString(first)], [16, "ps"]);
  assertStrictEquals(second.fields[0].type.elem, first);
});

Deno.test("a method may mention its own type, also in an array", () => {
  const t = typesFor("linux/amd64");
  const point = t.named("main.Point", t.struct("", { x: t.int }), (self) => ({
    methods: { Sum: t.func([t.array(self, 4)], [self]) },
    pointerMethods: { Add: t.func([t.pointer(self)]) },
  }));
  assertEquals(
    point.methods.map(({ name, type, pointerReceiver }) => [name, type.string, pointerReceiver]),
    [
      ["Add", "func(*main.Point)", true],
      ["Sum", "func([4]main.Point) main.Point", false],
    ],
  );
});

Deno.test("a named type leaves behind the methods of what it is made from, an interface does not", () => {
  const t = typesFor("linux/amd64");
  const methods = { M: t.func([]) };
  const counter = t.named("main.Counter", t.int, { methods });
  assertEquals(t.named("main.Other", counter).methods, []);
  const doer = t.named("main.Doer", t.interface(methods));
  assertEquals(t.named("main.OtherDoer", doer).methods.map(({ name }) => name), ["M"]);
});

Deno.test("a bad argument gets an error that names it and its value", () => {
  const t = typesFor("linux/amd64");
  const foreign = typesFor("linux/amd64").int;
  const noType = "int" as unknown as GoType;
  const empty = t.struct("", {});
  const methods = { M: t.func([]) };
  const table: [() => unknown, string][] = [
    [() => t.pointer(noType), 'elem: current value is "int", expected a type'],
    [() => t.slice(undefined as unknown as GoType), "elem: current value is undefined"],
    [() => t.chan(foreign), 'elem: current value is "int", expected a type made by this table'],
    [() => t.map(foreign, t.int), "key: current value is"],
    [() => t.func([t.int, noType]), 'params[1]: current value is "int"'],
    [() => t.func(t.int as unknown as GoType[]), "params: current value is [object Object]"],
    [() => t.func([], [foreign]), 'results[0]: current value is "int"'],
    [() => t.func([t.int], [], { variadic: true }), 'params: current value is "int"'],
    [() => t.func([], [], { variadic: true }), "params: current value is undefined"],
    [() => t.array(t.int, -1), "length: current value is -1"],
    [() => t.array(t.int, 1.5), "length: current value is 1.5"],
    [() => t.array(t.int, NaN), "length: current value is NaN"],
    [() => t.array(t.int, 2 ** 44 + 1), "length: current value is 17592186044417"],
    [
      () => t.struct("", { a: t.array(t.int, 2 ** 44), b: t.int }),
      'fields.b: current value is "int"',
    ],
    [() => t.struct("", { "0": t.int }), 'a name in fields: current value is "0"'],
    [() => t.struct("", { "a b": t.int }), 'a name in fields: current value is "a b"'],
    [() => t.struct("", { a: noType }), 'fields.a: current value is "int"'],
    [() => t.struct("", null as unknown as Fields), "fields: current value is null"],
    [() => t.struct("", () => ({})), "fields: current value is"],
    [() => t.struct("main.T", (self) => ({ self })), 'fields.self: current value is "main.T"'],
    [() => t.named("main.T", (self) => t.array(self, 2)), 'elem: current value is "main.T"'],
    [() => t.named("main.T", (self) => self), 'type: current value is "main.T"'],
    [() => t.named("", t.int), 'name: current value is ""'],
    [() => t.named(7 as unknown as string, t.int), "name: current value is 7"],
    [() => t.interface({ M: t.int }), 'methods.M: current value is "int"'],
    [
      () => t.interface({ M: t.named("main.F", t.func([])) }),
      'methods.M: current value is "main.F"',
    ],
    [() => t.named("main.P", t.pointer(empty), { methods }), 'methods: current value is "M"'],
    [() => t.named("main.I", t.interface({}), { methods }), 'methods: current value is "M"'],
    [
      () => t.named("main.T", empty, { methods, pointerMethods: methods }),
      'methods: current value is "M"',
    ],
    [
      () => t.named("main.T", t.struct("", { M: t.int }), { methods }),
      'methods: current value is "M"',
    ],
  ];
  for (const [call, message] of table) assertThrows(call, RangeError, `Cannot use ${message}`);
});

Deno.test("a type of 32-bit platforms ends below 4 GiB", () => {
  const t = typesFor("linux/386");
  assertEquals(t.array(t.uint8, 2 ** 32 - 1).size, 2 ** 32 - 1);
  assertThrows(() => t.array(t.uint8, 2 ** 32), RangeError, "length: current value is 4294967296");
  assertThrows(() => t.array(t.int, 2 ** 30), RangeError, "length: current value is 1073741824");
});

Deno.test("a table takes only addresses that are multiples of 8", () => {
  assertThrows(() => new TypeTable(platformNamed("linux/amd64"), () => 0x1004), RangeError);
});

Deno.test("console.log of a type shows what it is, and not what it is made of", () => {
  const t = typesFor("linux/amd64");
  const node = t.struct("main.Node", (self) => ({
    id: t.int8,
    next: t.pointer(self),
    all: t.array(t.string, 100),
  }));
  const shown = Deno.inspect(node);
  const address = node.address.toString(16);
  assertEquals(
    shown.replaceAll(/\s+/g, " "),
    `GoType main.Node { kind: "Struct", size: 1616, align: 8, address: "0x${address}", ` +
      `words: "sppspspspspspspspspspspspspspsps...", ` +
      `fields: [ "0: id int8", "8: next *main.Node", "16: all [100]string" ] }`,
  );
  const methods = { String: t.func([], [t.string]) };
  assertStringIncludes(
    Deno.inspect({ of: t.named("main.Celsius", t.float64, { methods }) }),
    'methods: [ "String() string" ]',
  );
  assert(Deno.inspect(t.int).length < 100);
});

Deno.test("a type knows the size class of its values, whether it was completed at once or later", () => {
  const t = typesFor("linux/amd64");
  for (const size of [0, 1, 8, 9, 48, 49, 1024, 1025, MAX_SMALL_BYTES, MAX_SMALL_BYTES + 1]) {
    const bytes = t.array(t.uint8, size);
    const expected = size > 0 && size <= MAX_SMALL_BYTES ? sizeToClass(size) : 0;
    assertEquals([bytes.sizeClass, t.named(`T${size}`, bytes).sizeClass], [expected, expected]);
  }
});
