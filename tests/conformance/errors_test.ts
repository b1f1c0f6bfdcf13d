import { assertEquals, assertThrows } from "@std/assert";
import { type Eface, FlagNoScan, GoPanic, GoThrow, type GoType, type Pointer } from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";
import { readJson } from "../data.ts";

interface RecordedCase {
  case: string;
  result: string;
}

const recorded = await readJson("errors.json") as Record<
  "setfinalizer" | "allocator",
  RecordedCase[]
>;

/** The types that Go's recorder declared. */
function declare(heap: GoHeap) {
  const { types } = heap;
  const method = types.func([], []);
  const T = types.struct("main.T", { a: types.unsafePointer, b: types.unsafePointer });
  return {
    T,
    Iface: types.named("main.Iface", types.interface({ M: method })),
    HasM: types.named("main.HasM", types.struct("", { a: types.unsafePointer }), {
      pointerMethods: { M: method },
    }),
    Named: types.named("main.Named", types.pointer(T)),
    N2: types.named("main.N2", types.pointer(T)),
  };
}

type Declared = ReturnType<typeof declare>;

/** One call of SetFinalizer: the object's type and address, the finalizer's type (null: nil) and value. */
interface Call {
  type: GoType | null;
  data?: Pointer;
  finalizer: GoType | null;
  value?: Eface["data"];
}

const noop = () => {};

function callsFor(
  heap: GoHeap,
  { T, Iface, HasM, Named, N2 }: Declared,
): Record<string, () => Call> {
  const { types } = heap;
  const pointer = types.pointer(T);
  const forT = types.func([pointer], []);
  const forBytes = types.func([types.pointer(types.uint8)], []);
  const fresh = () => heap.newobject(T);
  const onT = (finalizer: GoType | null, value: Eface["data"] = noop) => () => ({
    type: pointer,
    data: fresh(),
    finalizer,
    value,
  });
  const element = (elem: GoType, data: Pointer) => {
    const type = types.pointer(elem);
    return { type, data, finalizer: types.func([type], []) };
  };
  const sixteen = types.array(types.uint8, 16);
  const tiny = types.array(types.array(types.uint8, 4), 1);
  return {
    "nil interface": () => ({ type: null, finalizer: forT }),
    "struct value, not pointer": () => ({ type: T, data: fresh(), finalizer: forT }),
    "int value": () => ({ type: types.int, data: heap.newobject(types.int), finalizer: forT }),
    "finalizer not a function": onT(types.int, 5),
    "no parameters": onT(types.func([], [])),
    "two parameters": onT(types.func([pointer, types.int], [])),
    "variadic": onT(types.func([types.slice(pointer)], [], { variadic: true })),
    "wrong pointer type": onT(types.func([types.pointer(types.int)], [])),
    "value parameter": onT(types.func([T], [])),
    "interface not implemented": onT(types.func([Iface], [])),
    "second finalizer without clearing": () => {
      const data = fresh();
      heap.SetFinalizer({ type: pointer, data }, { type: forT, data: noop });
      return { type: pointer, data, finalizer: forT };
    },
    "inner pointer to pointer field": () => element(types.unsafePointer, fresh() + 8),
    "nil pointer of pointer type": () => ({ type: pointer, data: 0, finalizer: forT }),
    "address outside heap and data": () => ({ type: pointer, data: 0x5000, finalizer: forT }),
    "global composite literal": () => element(T, heap.global(T)),
    "element of a global array (bss)": () => element(T, heap.global(types.array(T, 4)) + T.size),
    "zero-size object": () => {
      const empty = types.struct("", {});
      return element(empty, heap.newobject(empty));
    },
    "tiny pointer-free object": () => element(tiny, heap.newobject(tiny)),
    "inner byte, pointer-free element of size 1": () =>
      element(types.uint8, heap.newarray(types.uint8, 64) + 5),
    "inner element, pointer-free, size 16": () => element(sixteen, heap.newarray(sixteen, 4) + 16),
    "clear when none is set; set; clear; set again; results allowed": () => {
      const object = { type: pointer, data: fresh() };
      const any = types.func([types.interface({})], []);
      heap.SetFinalizer(object, null);
      heap.SetFinalizer(object, { type: any, data: noop });
      heap.SetFinalizer(object, null);
      return { ...object, finalizer: types.func([pointer], [types.int]) };
    },
    "interface implemented": () => ({
      type: types.pointer(HasM),
      data: heap.newobject(HasM),
      finalizer: types.func([Iface], []),
    }),
    "named pointer type to unnamed parameter": () => ({
      type: Named,
      data: fresh(),
      finalizer: forT,
    }),
    "unnamed pointer to named parameter": onT(types.func([Named], [])),
    "two different named pointer types": () => ({
      type: Named,
      data: fresh(),
      finalizer: types.func([N2], []),
    }),
    "address in the slack of the last page of a large object (beyond span limit)": () => ({
      type: types.pointer(types.uint8),
      data: heap.newarray(types.uint8, 40000) + 40500,
      finalizer: forBytes,
    }),
    "nil func value of the right type": onT(forT, 0),
    "never-allocated slot of a live span": () =>
      element(types.uint8, heap.newarray(types.uint8, 2304) + 2304),
  };
}

function setFinalizer(heap: GoHeap, name: string): void {
  const { type, data = 0, finalizer, value = noop } = callsFor(heap, declare(heap))[name]();
  const object = type === null ? null : { type, data };
  heap.SetFinalizer(object, finalizer === null ? null : { type: finalizer, data: value });
}

Deno.test("every recorded call of SetFinalizer is tried", () => {
  using heap = new GoHeap({ platform: "linux/amd64" });
  const tried = Object.keys(callsFor(heap, declare(heap)));
  assertEquals(tried, recorded.setfinalizer.map((each) => each.case));
});

for (const { case: name, result } of recorded.setfinalizer) {
  Deno.test(`SetFinalizer, ${name}: ${result}`, () => {
    using heap = new GoHeap({ platform: "linux/amd64" });
    if (result.startsWith("ok")) {
      setFinalizer(heap, name);
    } else {
      const { message } = assertThrows(() => setFinalizer(heap, name), GoThrow);
      // Go prints addresses before the throw, here they follow it.
      assertEquals(`fatal error: ${message.replace(/ \(0x.*\)$/, "")}`, result);
    }
    heap.verify();
    heap.GC();
    heap.verify();
  });
}

interface AllocatorCall {
  call: (heap: GoHeap) => unknown;
  throws: new (message: string) => Error;
  says?: string;
}

/** Calls that Go's recorder made as Go programs can, and who throws what Go printed. */
const allocatorCalls: Record<string, AllocatorCall> = {
  "mallocgc without NoScan and without type": {
    call: (heap) => heap.mallocgc(8, null),
    throws: GoThrow,
  },
  "make with negative length": {
    call: (heap) => heap.newarray(heap.types.int, -1),
    throws: GoPanic,
    // makeslice checks before newarray does, which has the last word here, and its own.
    says: "runtime: allocation size out of range",
  },
  "mallocgc size near 2^64 (size+pagesize overflows)": {
    call: (heap) => heap.mallocgc(Number.MAX_SAFE_INTEGER, null, FlagNoScan),
    throws: GoThrow,
  },
  "128 GB slice (2^34 ints or 2^37 bytes)": {
    call: (heap) => {
      heap.newobject(heap.types.int);
      heap.newarray(heap.types.int, 2 ** 34);
    },
    throws: GoThrow,
  },
  "persistentalloc align 3": {
    call: (heap) => heap.persistentalloc(8, 3, "other_sys"),
    throws: GoThrow,
  },
  "persistentalloc align 16384": {
    call: (heap) => heap.persistentalloc(8, 16384, "other_sys"),
    throws: GoThrow,
  },
};

for (const { case: name, result } of recorded.allocator) {
  Deno.test(`allocator, ${name}: ${result}`, () => {
    using heap = new GoHeap({ platform: "linux/amd64" });
    const { call, throws, says } = allocatorCalls[name];
    const error = assertThrows(() => call(heap), throws);
    const expected = says
      ? [says]
      : result.split(" / ").map((part) => part.replace(/^fatal error: /, ""));
    for (const part of expected) {
      assertEquals([part, error.message.includes(part)], [part, true], error.message);
    }
    heap.verify();
    heap.newobject(heap.types.int);
    heap.verify();
  });
}
