import { assertEquals, assertThrows } from "@std/assert";
import { type Eface, FlagNoScan, GoThrow, type GoType, type Pointer } from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";
import { gccgoHeap } from "./helpers.ts";

/** A call of SetFinalizer, and what either compiler says to it; null: nothing. */
interface Case {
  title: string;
  obj: (heap: GoHeap) => Eface | null;
  finalizer?: (heap: GoHeap, obj: Eface) => Eface | null;
  gccgo: string | null;
  gc: string | null;
}

const NOT_AT_BEGINNING = "pointer not at beginning of allocated block (0x";

function pointerTo(heap: GoHeap, elem: GoType, data: Pointer): Eface {
  return { type: heap.types.pointer(elem), data };
}

function stringObject(heap: GoHeap): Eface {
  return pointerTo(heap, heap.types.string, heap.newobject(heap.types.string));
}

function taking(heap: GoHeap, ...parameters: GoType[]): Eface {
  return { type: heap.types.func(parameters, []), data: () => {} };
}

const CASES: Case[] = [
  {
    title: "nil",
    obj: () => null,
    gccgo: "first argument is nil interface",
    gc: "first argument is nil",
  },
  {
    title: "a value that is no pointer",
    obj: ({ types }) => ({ type: types.int, data: 8 }),
    gccgo: "first argument is int, not pointer",
    gc: "first argument is int, not pointer",
  },
  {
    title: "an object of no size, wherever it is",
    obj: (heap) => pointerTo(heap, heap.types.struct("", {}), heap.mallocgc(64, null, 1) + 8),
    gccgo: null,
    gc: null,
  },
  {
    title: "an address outside the heap",
    obj: (heap) => pointerTo(heap, heap.types.string, 0x5000),
    gccgo: null,
    gc: "pointer not in allocated block",
  },
  {
    title: "a nil pointer",
    obj: (heap) => pointerTo(heap, heap.types.string, 0),
    gccgo: null,
    gc: "pointer not in allocated block",
  },
  {
    title: "a global variable",
    obj: (heap) => pointerTo(heap, heap.types.string, heap.global(heap.types.string)),
    gccgo: null,
    gc: null,
  },
  {
    title: "an address in free pages",
    obj: (heap) => pointerTo(heap, heap.types.string, heap.rawmem(64) + 65536),
    gccgo: NOT_AT_BEGINNING,
    gc: "pointer not in allocated block",
  },
  {
    title: "an address in free pages that might be a tiny object",
    obj: (heap) => pointerTo(heap, heap.types.int8, heap.rawmem(64) + 65536),
    gccgo: "addspecial on invalid pointer: 0x",
    gc: "pointer not in allocated block",
  },
  {
    title: "the middle of an object",
    obj: (heap) => pointerTo(heap, heap.types.string, heap.mallocgc(64, null, 1) + 16),
    gccgo: NOT_AT_BEGINNING,
    gc: NOT_AT_BEGINNING,
  },
  {
    title: "the middle of an object, to something small without pointers",
    obj: (heap) => pointerTo(heap, heap.types.int8, heap.mallocgc(64, null, 1) + 5),
    gccgo: null,
    gc: null,
  },
  {
    title: "a finalizer that is no function",
    obj: stringObject,
    finalizer: ({ types }) => ({ type: types.int, data: 5 }),
    gccgo: "cannot pass *string to finalizer int",
    gc: "second argument is int, not a function",
  },
  {
    title: "a finalizer without parameters",
    obj: stringObject,
    finalizer: (heap) => taking(heap),
    gccgo: "cannot pass *string to finalizer func()",
    gc: "cannot pass *string to finalizer func()",
  },
  {
    title: "a finalizer of another type",
    obj: stringObject,
    finalizer: (heap) => taking(heap, heap.types.pointer(heap.types.int)),
    gccgo: "cannot pass *string to finalizer func(*int)",
    gc: "cannot pass *string to finalizer func(*int)",
  },
  {
    title: "a finalizer of anything",
    obj: stringObject,
    finalizer: (heap) => taking(heap, heap.types.interface({})),
    gccgo: null,
    gc: null,
  },
  {
    title: "a finalizer of something with methods that the object lacks",
    obj: stringObject,
    finalizer: (heap) => taking(heap, heap.types.interface({ m: heap.types.func([], []) })),
    gccgo: "cannot pass *string to finalizer func(interface { m() })",
    gc: "cannot pass *string to finalizer func(interface { m() })",
  },
  {
    title: "no finalizer where none is set",
    obj: stringObject,
    finalizer: () => null,
    gccgo: null,
    gc: null,
  },
];

for (const compiler of ["gccgo", "gc"] as const) {
  for (const { title, obj, finalizer, ...says } of CASES) {
    Deno.test(`${compiler}'s SetFinalizer of ${title} says ${says[compiler] ?? "nothing"}`, () => {
      using heap = new GoHeap({ platform: "linux/amd64", compiler });
      const object = obj(heap);
      const set = () => {
        const fn = finalizer === undefined
          ? taking(heap, object?.type ?? heap.types.unsafePointer)
          : finalizer(heap, object!);
        heap.SetFinalizer(object, fn);
      };
      const text = says[compiler];
      if (text === null) {
        set();
      } else {
        const { message } = assertThrows(set, GoThrow);
        const prefix = text.startsWith("addspecial") ? "" : "runtime.SetFinalizer: ";
        assertEquals(message.slice(0, prefix.length + text.length), prefix + text);
      }
      heap.verify();
      heap.GC();
      heap.verify();
    });
  }
}

Deno.test("what is ignored gets no finalizer, and a second one is refused", () => {
  using heap = gccgoHeap();
  const nowhere = pointerTo(heap, heap.types.string, 0x5000);
  heap.SetFinalizer(nowhere, taking(heap, nowhere.type));
  heap.SetFinalizer(nowhere, taking(heap, nowhere.type));
  const object = stringObject(heap);
  heap.SetFinalizer(object, taking(heap, object.type));
  assertThrows(
    () => heap.SetFinalizer(object, taking(heap, object.type)),
    GoThrow,
    "runtime.SetFinalizer: finalizer already set",
  );
  heap.GC();
  assertEquals(heap.runFinalizers(), 1);
});

for (const [platform, perBlock] of [["linux/amd64", 127], ["linux/386", 255]] as const) {
  Deno.test(`${perBlock} finalizers fill a block of the queue on ${platform}, and the last block runs first`, () => {
    using heap = gccgoHeap({ platform });
    const order: number[] = [];
    const type = heap.types.pointer(heap.types.array(heap.types.int, 4));
    const count = 2 * perBlock + 50;
    for (let i = 0; i < count; i++) {
      heap.SetFinalizer({ type, data: heap.mallocgc(32, null, FlagNoScan) }, {
        type: heap.types.func([type], []),
        data: () => order.push(i),
      });
    }
    heap.GC();
    assertEquals(heap.runFinalizers(), count);
    const range = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, i) => from + i);
    const blocks = [2, 1, 0].map((b) => range(b * perBlock, Math.min((b + 1) * perBlock, count)));
    assertEquals(order, blocks.flat());
  });
}

Deno.test("what has a finalizer is followed word by word, though nothing else without pointers is", () => {
  for (const size of [16, 64, 40000]) {
    using heap = gccgoHeap();
    const p = heap.mallocgc(size, null, FlagNoScan);
    using _ref = heap.ref(p);
    heap.storePointer(p + 8, heap.rawmem(100));
    const alive = () => {
      heap.GC();
      heap.verify();
      return heap.ReadMemStats().HeapObjects;
    };
    const object = pointerTo(heap, heap.types.int, p);
    heap.SetFinalizer(object, taking(heap, object.type));
    assertEquals(alive(), 2, `${size} bytes with a finalizer`);
    heap.SetFinalizer(object, null);
    assertEquals(alive(), 1, `${size} bytes without`);
  }
});

Deno.test("a pointer with a name and one without are the same to gccgo's SetFinalizer", () => {
  using heap = gccgoHeap();
  const { types } = heap;
  const plain = types.pointer(types.string);
  const [first, second] = ["main.P", "main.Q"].map((name) => types.named(name, plain));
  const set = (type: GoType, parameter: GoType) =>
    heap.SetFinalizer({ type, data: heap.newobject(types.string) }, taking(heap, parameter));
  set(plain, first);
  set(first, plain);
  assertThrows(
    () => set(first, second),
    GoThrow,
    "runtime.SetFinalizer: cannot pass main.P to finalizer func(main.Q)",
  );
  heap.GC();
  assertEquals(heap.runFinalizers(), 2);
});
