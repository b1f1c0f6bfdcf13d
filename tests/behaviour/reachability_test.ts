import { assert, assertEquals, assertThrows } from "@std/assert";
import { FlagNoScan, GoThrow, type GoType, type Pointer, type TypeTable } from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";
import { Watch } from "./watch.ts";

const WORD = 8;
const OPTIONS = { platform: "linux/amd64" } as const;

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

// tests.md 10 to 12: the same types in bss, in initialised data and, ten times each, in the heap.
const MASKS: Record<string, { type: (types: TypeTable) => GoType; mask: string }> = {
  "{scalar, pointer} three times": {
    type: (types) => {
      const [q, w] = [types.uintptr, types.pointer(types.uint8)];
      return types.struct("ScalarPtr", { q, w, e: q, r: w, t: q, y: w });
    },
    mask: "spspsp",
  },
  "{pointer, scalar} three times": {
    type: (types) => {
      const [q, w] = [types.pointer(types.uint8), types.uintptr];
      return types.struct("PtrScalar", { q, w, e: q, r: w, t: q, y: w });
    },
    mask: "pspsps",
  },
  "a struct with fields of every size": {
    type: (types) =>
      types.struct("BigStruct", {
        q: types.pointer(types.uint8),
        w: types.uint8,
        e: types.array(types.uint8, 17),
        r: types.slice(types.uint8),
        t: types.int,
        y: types.uint16,
        u: types.uint64,
        i: types.string,
      }),
    mask: "psss" + "pss" + "sss" + "ps",
  },
  "a string": { type: (types) => types.string, mask: "ps" },
  "a slice": { type: (types) => types.slice(types.string), mask: "pss" },
  "an empty interface": { type: (types) => types.interface({}), mask: "pp" },
  "an interface with a method": {
    type: (types) => types.interface({ M: types.func([], []) }),
    mask: "pp",
  },
};

/** Stores a watched object in each word of `holder` and says which words keep theirs. */
function keptWords(heap: GoHeap, holder: Pointer, words: number): string {
  const watch = new Watch(heap);
  range(words).forEach((i) => heap.storePointer(holder + i * WORD, watch.object(i)));
  const gone = new Set(watch.collect());
  return range(words).map((i) => gone.has(i) ? "s" : "p").join("");
}

for (const [name, { type, mask }] of Object.entries(MASKS)) {
  Deno.test(`${name} keeps just what its pointer words point to, in a global and in the heap`, () => {
    using heap = new GoHeap(OPTIONS);
    const made = type(heap.types);
    assertEquals(keptWords(heap, heap.global(made), mask.length), mask, "global");
    for (let round = 0; round < 10; round++) {
      using object = heap.ref(heap.newobject(made));
      assertEquals(keptWords(heap, object.pointer, mask.length), mask, "heap object");
    }
  });
}

Deno.test("the words of a block behind its object are not scanned (tests.md 12)", () => {
  using heap = new GoHeap(OPTIONS);
  const object = heap.ref(heap.mallocgc(24, heap.types.unsafePointer, 0));
  assertEquals(heap.findObject(object.pointer)!.size, 32);
  assertEquals(keptWords(heap, object.pointer, 4), "ppps");
});

Deno.test("a pointer in ten nested arrays is found (tests.md 5)", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  let nested = types.pointer(types.int);
  for (let depth = 0; depth < 10; depth++) nested = types.array(nested, 2);
  using outer = heap.ref(heap.newobject(nested));
  const inner = heap.newobject(types.int);
  heap.storeBig64(inner, 13n);
  heap.storePointer(outer.pointer, inner);
  heap.GC();
  heap.verify();
  assertEquals(heap.loadBig64(heap.loadPointer(outer.pointer)), 13n);
});

Deno.test("a slice over the first byte of a node keeps the whole node (tests.md 6)", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const node = types.struct("Node", (self) => ({
    buf: types.array(types.uint8, 1),
    tail: types.slice(types.uint8),
    next: types.pointer(self),
  }));
  const [, tail, next] = node.fields.map((field) => field.offset);
  const head = heap.global(types.pointer(node));
  for (let i = 0; i < 10; i++) {
    const made = heap.newobject(node);
    heap.storeUint8(made, 42);
    const previous = heap.loadPointer(head);
    heap.storePointer(made + (i % 2 === 0 ? tail : next), previous);
    heap.storePointer(head, made);
    heap.GC();
    heap.verify();
  }
  const values: number[] = [];
  for (let at = heap.loadPointer(head), i = 9; at !== 0; i--) {
    values.push(heap.loadUint8(at));
    at = heap.loadPointer(at + (i % 2 === 0 ? tail : next));
  }
  assertEquals(values, new Array(10).fill(42));
});

Deno.test("an object found through a pointer to its first field is scanned whole (tests.md 7)", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const x = types.struct("X", (self) => ({
    c: types.chan(types.uintptr),
    nextx: types.pointer(self),
  }));
  const y = types.struct("Y", (self) => ({
    x,
    nexty: types.pointer(self),
    p: types.pointer(types.int),
  }));
  const nextx = x.fields[1].offset;
  const p = y.fields[2].offset;
  const head = heap.global(types.pointer(x));
  for (let i = 0; i < 10; i++) {
    const made = heap.newobject(y);
    const number = heap.newobject(types.int);
    heap.storeBig64(number, 42n);
    heap.storePointer(made + p, number);
    heap.storePointer(made + nextx, heap.loadPointer(head));
    heap.storePointer(head, made);
    heap.GC();
    heap.verify();
  }
  let count = 0;
  for (let at = heap.loadPointer(head); at !== 0; at = heap.loadPointer(at + nextx)) {
    assertEquals(heap.loadBig64(heap.loadPointer(at + p)), 42n);
    count++;
  }
  assertEquals(count, 10);
});

// tests.md 16
for (const [offset, gone] of [[320, 1], [319, 2]]) {
  Deno.test(`a pointer ${offset} bytes into an object of 320 lets go of ${gone === 1 ? "it" : "its neighbour"}`, () => {
    using heap = new GoHeap(OPTIONS);
    const watch = new Watch(heap);
    const type = heap.types.array(heap.types.uint8, 320);
    const root = heap.global(heap.types.unsafePointer);
    const first = watch.object(1, type);
    assertEquals(watch.object(2, type), first + 320);
    heap.storePointer(root, first + offset);
    assertEquals(watch.collect(), [gone]);
    heap.storePointer(root, 0);
    assertEquals(watch.collect(), [3 - gone]);
  });
}

Deno.test("interior and unaligned pointers keep an object; addresses in numbers do not", () => {
  using heap = new GoHeap(OPTIONS);
  const watch = new Watch(heap);
  const table = heap.global(heap.types.array(heap.types.unsafePointer, 3));
  const hidden = heap.global(heap.types.array(heap.types.uintptr, 3));
  range(3).forEach((i) => heap.storePointer(table + i * WORD, watch.object(i) + [8, 31, 3][i]));
  range(3).forEach((i) => heap.storePointer(hidden + i * WORD, watch.object(10 + i)));
  assertEquals(watch.collect(), [10, 11, 12]);
});

for (const size of [16, 96, 5000, 40000]) {
  Deno.test(`${size} bytes without pointers keep nothing, though pointers lay there before`, () => {
    using heap = new GoHeap(OPTIONS);
    const watch = new Watch(heap);
    const holders = range(50).map(() => heap.mallocgc(size, heap.types.unsafePointer, 0));
    heap.GC();
    using holder = heap.ref(heap.mallocgc(size, null, FlagNoScan));
    assert(holders.includes(holder.pointer), "not where pointers lay");
    range(size / WORD).forEach((i) =>
      heap.storePointer(holder.pointer + i * WORD, watch.object(i))
    );
    assertEquals(watch.collect().length, size / WORD);
  });
}

Deno.test("a pointer to a free block keeps neither it nor what its old contents point to", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const watch = new Watch(heap);
  using before = heap.ref(heap.newarray(types.unsafePointer, 12));
  const freed = heap.newarray(types.unsafePointer, 12);
  assertEquals(freed, before.pointer + 96);
  using _first = heap.ref(heap.rawmem(32));
  const target = heap.rawmem(32);
  for (let word = 0; word < 12; word++) heap.storePointer(freed + word * WORD, target);
  heap.GC();
  assertEquals(watch.object(1), target, "not where the old contents point");
  heap.storePointer(heap.global(types.unsafePointer), freed);
  assertEquals(watch.collect(), [1]);
});

/** Addresses in the arena at which no object can lie. */
const INVALID: Record<string, (heap: GoHeap) => Pointer> = {
  "behind a large object's bytes, in its last page": (heap) => heap.rawmem(40000) + 40000,
  "into a free span": (heap) => heap.rawmem(40000) + 10 * 8192,
  "with the value 4095": () => 4095,
};

for (const [where, make] of Object.entries(INVALID)) {
  Deno.test(`a pointer ${where} is found invalid, or ignored with invalidptr=0`, () => {
    using strict = new GoHeap(OPTIONS);
    const root = strict.global(strict.types.unsafePointer);
    const pointer = make(strict);
    strict.storePointer(root, pointer);
    const hex = pointer.toString(16);
    assertThrows(() => strict.GC(), GoThrow, "found invalid heap pointer", hex);
    strict.storePointer(root, 0);
    strict.GC();
    strict.verify();

    using lenient = new GoHeap({ ...OPTIONS, debug: "invalidptr=0" });
    lenient.storePointer(lenient.global(lenient.types.unsafePointer), make(lenient));
    lenient.GC();
    lenient.verify();
    assertEquals(lenient.ReadMemStats().HeapObjects, 0);
  });
}

Deno.test("the end pointer of a string does not confuse its neighbours (tests.md 29)", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const inner = types.pointer(types.pointer(types.int));
  const type = types.struct("T", { ptr: inner, pad: types.array(types.uint8, 120) });
  const table = heap.global(types.array(types.unsafePointer, 4000));
  const watch = new Watch(heap);
  for (let i = 0; i < 2000; i++) {
    const text = heap.rawmem(128);
    const made = heap.newobject(type);
    heap.storePointer(table + (2 * i + 1) * WORD, made);
    heap.storePointer(table + 2 * i * WORD, text + 128);
    heap.storePointer(made, watch.object(i, types.pointer(types.int)));
  }
  for (let round = 0; round < 4; round++) assertEquals(watch.collect(), []);
});

Deno.test("a list of a list of strings survives through named pointer types (tests.md 33)", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const row = types.slice(types.string);
  const named = types.named("main.Row", types.pointer(row));
  const root = heap.global(types.slice(named));
  for (let round = 0; round < 10; round++) {
    heap.GC();
    const rows = heap.newarray(named, 2);
    heap.storePointer(root, rows);
    for (const i of [0, 1]) {
      const header = heap.newobject(row);
      heap.storePointer(rows + i * WORD, header);
      const strings = heap.newarray(types.string, 1);
      heap.storePointer(header, strings);
      heap.storePointer(strings, heap.mallocgc(5, null, FlagNoScan));
      heap.bytes(heap.loadPointer(strings), 5).set([...`row ${i}`].map((c) => c.charCodeAt(0)));
      heap.GC();
      heap.verify();
    }
    const texts = [0, 1].map((i) => {
      const strings = heap.loadPointer(heap.loadPointer(rows + i * WORD));
      return String.fromCharCode(...heap.bytes(heap.loadPointer(strings), 5));
    });
    assertEquals(texts, ["row 0", "row 1"]);
  }
});

Deno.test("factorials in unary, by pointers to pointers, are exact (tests.md 26)", () => {
  using heap = new GoHeap(OPTIONS);
  const number = heap.types.named("main.Number", (self) => heap.types.pointer(self));
  const successor = (x: Pointer) => {
    const made = heap.newobject(number);
    heap.storePointer(made, x);
    return made;
  };
  const add = (x: Pointer, y: Pointer) => {
    let sum = x;
    for (let left = y; left !== 0; left = heap.loadPointer(left)) sum = successor(sum);
    return sum;
  };
  const multiply = (x: Pointer, y: Pointer) => {
    let product = 0;
    for (let left = y; left !== 0; left = heap.loadPointer(left)) product = add(product, x);
    return product;
  };
  const value = (x: Pointer) => {
    let n = 0;
    for (let left = x; left !== 0; left = heap.loadPointer(left)) n++;
    return n;
  };
  using frame = heap.frame(2);
  frame.set(0, successor(0));
  const found: number[] = [];
  for (let n = 1; n <= 9; n++) {
    frame.set(1, successor(frame.get(1)));
    frame.set(0, multiply(frame.get(0), frame.get(1)));
    heap.GC();
    found.push(value(frame.get(0)));
  }
  heap.verify();
  assertEquals(found, [1, 2, 6, 24, 120, 720, 5040, 40320, 362880]);
  // The 9 nodes of the second number, and the 362880 of the first, are all there is.
  assertEquals(heap.ReadMemStats().HeapObjects, 362889);
});
