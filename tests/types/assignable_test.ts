import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  implementsInterface,
  isAssignableToFinalizerParameter,
  methodSet,
} from "../../lib/types/assignable.ts";
import type { GoType } from "../../lib/types/go_type.ts";
import { readJson } from "../data.ts";
import { typesFor } from "./type_helpers.ts";

interface RecordedCase {
  case: string;
  result: string;
}

const t = typesFor("linux/amd64");
const signature = t.func([]);
const iface = t.named("main.Iface", t.interface({ M: signature }));
const object = t.pointer(t.struct("main.T", { a: t.int }));
const hasMethod = t.pointer(
  t.named("main.HasM", t.struct("", {}), { pointerMethods: { M: signature } }),
);
const namedPointer = t.named("main.Named", object);

/** What SetFinalizer was called with in the recorded cases that are about types. */
const CALLS: Record<string, { object: GoType; finalizer: GoType }> = {
  "no parameters": { object, finalizer: t.func([]) },
  "two parameters": { object, finalizer: t.func([object, t.int]) },
  "variadic": { object, finalizer: t.func([t.slice(object)], [], { variadic: true }) },
  "wrong pointer type": { object, finalizer: t.func([t.pointer(t.int)]) },
  "value parameter": { object, finalizer: t.func([object.elem!]) },
  "interface not implemented": { object, finalizer: t.func([iface]) },
  "two different named pointer types": {
    object: namedPointer,
    finalizer: t.func([t.named("main.N2", object)]),
  },
  "interface implemented": { object: hasMethod, finalizer: t.func([iface]) },
  "named pointer type to unnamed parameter": { object: namedPointer, finalizer: t.func([object]) },
  "unnamed pointer to named parameter": { object, finalizer: t.func([namedPointer]) },
};

const recorded = (await readJson("errors.json") as { setfinalizer: RecordedCase[] }).setfinalizer
  .filter((record) => record.result.includes("cannot pass") || record.case in CALLS);

Deno.test("every recorded case about the types of finalizers is tried", () => {
  assertEquals(recorded.map((record) => record.case).sort(), Object.keys(CALLS).sort());
});

for (const record of recorded) {
  Deno.test(`real Go says of ${record.case}: ${record.result}`, () => {
    const { object, finalizer } = CALLS[record.case];
    const fits = finalizer.params.length === 1 && !finalizer.variadic &&
      isAssignableToFinalizerParameter(object, finalizer.params[0]);
    const said = `cannot pass ${object.string} to finalizer ${finalizer.string}`;
    const result = fits ? "ok" : `fatal error: runtime.SetFinalizer: ${said}`;
    assertEquals(result, record.result);
  });
}

Deno.test("a finalizer may take the object's own type or any interface that it implements", () => {
  const emptyNamed = t.named("main.Any", t.interface({}));
  for (const parameter of [object, t.interface({}), emptyNamed]) {
    assert(isAssignableToFinalizerParameter(object, parameter), parameter.string);
  }
  assert(isAssignableToFinalizerParameter(namedPointer, namedPointer));
  assert(!isAssignableToFinalizerParameter(object, t.unsafePointer));
  assert(!isAssignableToFinalizerParameter(object, t.slice(object.elem!)));
  assert(!isAssignableToFinalizerParameter(t.slice(object.elem!), object));
});

Deno.test("a value has the methods of value receivers, a pointer to it has all", () => {
  const both = t.named("main.Both", t.int, {
    methods: { V: signature },
    pointerMethods: { P: signature },
  });
  const names = (type: GoType) => methodSet(type).map(({ name }) => name);
  assertEquals(names(both), ["V"]);
  assertEquals(names(t.pointer(both)), ["P", "V"]);
  assertEquals(names(t.pointer(t.pointer(both))), []);
  assertEquals(names(t.named("main.PBoth", t.pointer(both))), []);
  assertEquals(names(iface), ["M"]);
  assertEquals(names(t.pointer(iface)), []);
  assertEquals(names(t.int), []);
});

Deno.test("an interface is implemented by all of its methods with the same signatures", () => {
  const wide = t.interface({ M: signature, N: signature });
  assert(implementsInterface(hasMethod, iface));
  assert(!implementsInterface(hasMethod.elem!, iface));
  assert(!implementsInterface(hasMethod, wide));
  assert(!implementsInterface(hasMethod, t.interface({ M: t.func([t.int]) })));
  assert(implementsInterface(wide, iface));
  assert(!implementsInterface(iface, wide));
  assert(implementsInterface(t.int, t.interface({})));
});

Deno.test("only an interface can be implemented", () => {
  assertThrows(
    () => implementsInterface(object, t.int),
    RangeError,
    'Cannot use iface: current value is "int", expected an interface type',
  );
});
