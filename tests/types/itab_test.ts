import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { GoHeap, GoPanic, GoThrow, type GoType } from "../../mod.ts";
import { typesFor } from "./type_helpers.ts";

const t = typesFor("linux/amd64");
const nothing = t.func([]);
const reader = t.named("main.Reader", t.interface({ Read: t.func([t.slice(t.uint8)], [t.int]) }));
const closer = t.named("main.Closer", t.interface({ Close: nothing }));
const readCloser = t.interface({ Close: nothing, Read: t.func([t.slice(t.uint8)], [t.int]) });
const file = t.named("main.File", t.struct("", { fd: t.int }), {
  methods: { Fd: t.func([], [t.int]), Read: t.func([t.slice(t.uint8)], [t.int]) },
  pointerMethods: { Close: nothing, Zap: nothing },
});

Deno.test("an itab has the type's methods in the order of the interface", () => {
  const itab = t.assertE2I(readCloser, t.pointer(file));
  assertStrictEquals(itab.inter, readCloser);
  assertStrictEquals(itab.type, t.pointer(file));
  assertEquals(
    itab.methods.map(({ name, pointerReceiver }) => [name, pointerReceiver]),
    [["Close", true], ["Read", false]],
  );
});

Deno.test("there is one itab for an interface and a type, at an address of its own", () => {
  const pairs: [GoType, GoType][] = [
    [reader, file],
    [reader, t.pointer(file)],
    [closer, t.pointer(file)],
    [readCloser, t.pointer(file)],
  ];
  const itabs = pairs.map(([inter, type]) => t.assertE2I(inter, type));
  assertEquals(new Set(itabs.map(({ address }) => address)).size, pairs.length);
  for (const [i, [inter, type]] of pairs.entries()) {
    assertStrictEquals(t.assertE2I2(inter, type), itabs[i]);
    assertEquals(itabs[i].address % 8, 0);
  }
});

Deno.test("what does not implement an interface has no itab, and panics as in Go", () => {
  const panics: [GoType, GoType | null, string][] = [
    [
      readCloser,
      file,
      "main.File is not interface { Close(); Read([]uint8) int }: missing method Close",
    ],
    [closer, file, "main.File is not main.Closer: missing method Close"],
    [reader, t.int, "int is not main.Reader: missing method Read"],
    [reader, t.pointer(t.pointer(file)), "**main.File is not main.Reader: missing method Read"],
    [reader, null, "interface is nil, not main.Reader"],
  ];
  for (const [inter, type, text] of panics) {
    // Twice, since what was found the first time is kept.
    for (let i = 0; i < 2; i++) {
      assertEquals(t.assertE2I2(inter, type), null);
      const error = assertThrows(() => t.assertE2I(inter, type), GoPanic);
      assertEquals(error.message, `interface conversion: ${text}`);
    }
  }
});

Deno.test("a method of another signature is a missing one", () => {
  const other = t.named("main.Other", t.int, { methods: { Read: nothing } });
  assertThrows(() => t.assertE2I(reader, other), GoPanic, "missing method Read");
});

Deno.test("an interface without methods has no itabs", () => {
  for (const inter of [t.interface({}), t.named("main.Any", t.interface({}))]) {
    assertThrows(() => t.assertE2I(inter, t.int), GoThrow, "internal error - misuse of itab");
  }
  assertThrows(() => t.assertE2I(t.int, t.int), RangeError, 'inter: current value is "int"');
  assertThrows(() => t.assertE2I(reader, typesFor("linux/amd64").int), RangeError, "type");
});

Deno.test("an interface value in a heap begins with its itab and keeps its object", () => {
  using heap = new GoHeap({ platform: "linux/amd64" });
  const { types } = heap;
  const methods = { String: types.func([], [types.string]) };
  const stringer = types.named("main.Stringer", types.interface(methods));
  const name = types.struct("main.Name", { text: types.string });
  const named = types.named("main.Named", name, { pointerMethods: methods });
  const value = heap.global(stringer);
  heap.storePointer(value, types.assertE2I(stringer, types.pointer(named)).address);
  heap.storePointer(value + 8, heap.newobject(named));
  heap.GC();
  heap.verify();
  assertEquals(heap.ReadMemStats().HeapObjects, 1);
});
