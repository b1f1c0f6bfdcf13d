import { assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { type FinalizerFunction, FinalizerTable } from "../../lib/gc/finalizer_table.ts";
import { GoHeap, type GoType } from "../../mod.ts";

/** Pointers to objects of four types, and finalizers that take each, or anything. */
function makeTypes(heap: GoHeap): { objects: GoType[]; finalizerOf(object: GoType): GoType[] } {
  const { types } = heap;
  const objects = [types.int, types.string, types.uintptr, types.unsafePointer].map((elem) =>
    types.pointer(elem)
  );
  const any = types.func([types.interface({})], []);
  return { objects, finalizerOf: (object) => [types.func([object], []), any] };
}

Deno.test("a signature is made once for each pair of types, and found again among others", () => {
  using heap = new GoHeap();
  const { objects, finalizerOf } = makeTypes(heap);
  const table = new FinalizerTable();
  const pairs = objects.flatMap((object) => finalizerOf(object).map((type) => [object, type]));
  for (const [object, type] of pairs) assertEquals(table.signature(object, type), null);
  const signatures = pairs.map(([object, type]) => table.makeSignature(object, type));
  for (let round = 0; round < 2; round++) {
    for (const [i, [object, type]] of pairs.entries()) {
      assertStrictEquals(table.signature(object, type), signatures[i]);
      assertStrictEquals(table.signature(object, type), signatures[i]);
      assertEquals(signatures[i].takesPointer, i % 2 === 0);
    }
  }
});

Deno.test("a function that is set again under its signature has one number, under another signature another", () => {
  using heap = new GoHeap();
  const { objects: [object, other], finalizerOf } = makeTypes(heap);
  const table = new FinalizerTable();
  const [own, any] = finalizerOf(object).map((type) => table.makeSignature(object, type));
  const others = table.makeSignature(other, finalizerOf(other)[1]);
  const fn = () => {};
  const data = table.use(own, fn);
  assertEquals([table.use(own, fn), table.use(own, fn), table.usesOf(data)], [data, data, 3]);
  const numbers = [data, table.use(any, fn), table.use(others, fn), table.use(own, 0)];
  assertEquals(new Set(numbers).size, 4);
  assertEquals(numbers.map((number) => table.functionOf(number)), [fn, fn, fn, 0]);
  assertEquals(numbers.map((number) => table.signatureOf(number)), [own, any, others, own]);
});

Deno.test("a function that nobody uses any more is forgotten, and does not come back with its number", () => {
  using heap = new GoHeap();
  const { objects: [object, other], finalizerOf } = makeTypes(heap);
  const table = new FinalizerTable();
  const signature = table.makeSignature(object, finalizerOf(object)[0]);
  const others = table.makeSignature(other, finalizerOf(other)[0]);
  const fn = () => {};
  const data = table.use(signature, fn);
  table.use(signature, fn);
  table.release(data);
  assertStrictEquals(table.functionOf(data), fn);
  table.release(data);
  assertNotStrictEquals(table.functionOf(data), fn);
  // The number goes to the same function with other types; the old signature must not find it.
  assertEquals(table.use(others, fn), data);
  assertNotStrictEquals(table.use(signature, fn), data);
  assertStrictEquals(table.signatureOf(data), others);
});

Deno.test("after any uses and releases each number stands for what was set, as often as it is used", () => {
  using heap = new GoHeap();
  const { objects, finalizerOf } = makeTypes(heap);
  const functions: FinalizerFunction[] = [0, () => 1, () => 2];
  const step = fc.record({
    isUse: fc.boolean(),
    object: fc.nat(objects.length - 1),
    type: fc.nat(1),
    fn: fc.nat(functions.length - 1),
    pick: fc.nat(),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const table = new FinalizerTable();
    const used: { data: number; object: GoType; type: GoType; fn: FinalizerFunction }[] = [];
    for (const { isUse, pick, ...by } of steps) {
      if (isUse || used.length === 0) {
        const object = objects[by.object];
        const type = finalizerOf(object)[by.type];
        const fn = functions[by.fn];
        const signature = table.signature(object, type) ?? table.makeSignature(object, type);
        used.push({ data: table.use(signature, fn), object, type, fn });
      } else {
        table.release(used.splice(pick % used.length, 1)[0].data);
      }
      const uses = new Array(table.made).fill(0);
      for (const { data, object, type, fn } of used) {
        uses[data]++;
        assertStrictEquals(table.functionOf(data), fn);
        const found = table.signatureOf(data);
        assertEquals([found.object === object, found.type === type], [true, true]);
      }
      assertEquals(uses.map((_, data) => table.usesOf(data)), uses);
    }
  }));
});
