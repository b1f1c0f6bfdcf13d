import { assert, assertEquals, assertThrows } from "@std/assert";
import { GoPanic, type GoType, type Pointer } from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";
import { Watch } from "./watch.ts";

// What small programs of Go's own tests say of the heap, with explicit roots in place of a stack.

const OPTIONS = { platform: "linux/amd64" } as const;
const WORD = 8;

/** The characters of a string as an object of its own. */
function textObject(heap: GoHeap, text: string): Pointer {
  const p = heap.newarray(heap.types.uint8, text.length);
  heap.bytes(p, text.length).set(new TextEncoder().encode(text));
  return p;
}

/** What `work` adds to the count of allocations. */
function mallocsOf(heap: GoHeap, work: () => void): number {
  const before = heap.ReadMemStats().Mallocs;
  work();
  return heap.ReadMemStats().Mallocs - before;
}

// tests.md 18; at GOGC's own pace it does grow: all that is new survives its first collection.
Deno.test("ints with finalizers, dropped as they are made, take no more memory the longer it goes on", () => {
  using heap = new GoHeap(OPTIONS);
  const type = heap.types.pointer(heap.types.int);
  let ran = 0;
  const finalizer = { type: heap.types.func([type], []), data: () => ran++ };
  const round = () => {
    for (let i = 0; i < 10000; i++) {
      heap.SetFinalizer({ type, data: heap.newobject(heap.types.int) }, finalizer);
      if (i % 1000 !== 0) continue;
      heap.GC();
      heap.runFinalizers();
    }
    return heap.ReadMemStats().Sys;
  };
  round();
  const before = round();
  for (let i = 0; i < 3; i++) assertEquals(round(), before);
  heap.verify();
  assert(ran >= 48000, `only ${ran} of 50000 finalizers ran`);
});

// tests.md 20
Deno.test("what a deferred call of a function that has returned held is finalized", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const watch = new Watch(heap);
  const closure = types.struct("", { code: types.uintptr, captured: types.pointer(types.string) });
  for (let i = 0; i < 10; i++) {
    using frame = heap.frame(1);
    frame.set(0, heap.newobject(closure));
    heap.storePointer(frame.get(0) + WORD, watch.object(i, types.string));
    assertEquals(watch.collect().includes(i), false, "finalized while the function runs");
  }
  assertEquals(watch.collect(), [9], "the others went with their functions, one a collection");
  assertEquals(heap.ReadMemStats().HeapObjects, 1);
});

// tests.md 24
Deno.test("10000 channels that nobody uses any more leave nothing behind", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const channel = types.struct("hchan", {
    head: types.array(types.uintptr, 4),
    waiting: types.array(types.unsafePointer, 6),
    buffer: types.array(types.int, 10),
  });
  heap.GC();
  const before = heap.ReadMemStats().HeapObjects;
  for (let i = 0; i < 10000; i++) {
    heap.newobject(channel);
    if (i % 100 !== 0) continue;
    for (let round = 0; round < 4; round++) heap.GC();
  }
  const growth = heap.ReadMemStats().HeapObjects - before;
  assert(growth <= 2000, `${growth} objects more`);
});

// tests.md 27
Deno.test("functions and statistics are no objects of the heap", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const type = types.pointer(types.int);
  const allocated = mallocsOf(heap, () => {
    for (let i = 0; i < 2; i++) types.func([type], []);
    heap.ReadMemStats();
    using _frame = heap.frame(1);
    using _ref = heap.ref(0);
  });
  assertEquals(allocated, 0);
});

// tests.md 28
Deno.test("100000 records of waiting, each taken and given up, leave the heap as it was", () => {
  using heap = new GoHeap({ ...OPTIONS, collect: "malloc" });
  const { types } = heap;
  const waiting = types.struct("sudog", (self) => ({
    next: types.pointer(self),
    elem: types.unsafePointer,
    ticket: types.uint32,
  }));
  using frame = heap.frame(2);
  const select = () => {
    for (const slot of [0, 1]) frame.set(slot, heap.newobject(waiting));
    heap.storePointer(frame.get(0), frame.get(1));
  };
  const warmed = () => {
    for (let i = 0; i < 100; i++) select();
    heap.GC();
    return heap.ReadMemStats().Alloc;
  };
  const before = warmed();
  for (let i = 0; i < 100000; i++) select();
  const growth = warmed() - before;
  assert(growth <= 110000, `${growth} bytes more`);
});

// tests.md 30
Deno.test("arguments of a finished call keep nothing: all ten variables are finalized", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const watch = new Watch(heap);
  const closure = types.struct("", { code: types.uintptr, captured: types.unsafePointer });
  const gone: number[] = [];
  for (let i = 0; i < 10; i++) {
    const inner = heap.newobject(closure);
    const variable = watch.object(i, types.unsafePointer);
    const outer = heap.newobject(closure);
    heap.storePointer(variable, inner);
    heap.storePointer(outer + WORD, variable);
    using argument = heap.frame(1);
    argument.set(0, outer);
    gone.push(...watch.collect());
  }
  for (let round = 0; round < 20; round++) gone.push(...watch.collect());
  assertEquals(gone.sort((a, b) => a - b), Array.from({ length: 10 }, (_, i) => i));
  assertEquals(heap.ReadMemStats().HeapObjects, 0);
});

// tests.md 31
Deno.test("strings in interfaces stay whole while an array of them is walked and collected", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const any = types.interface({});
  const pair = types.struct("", { a: any, b: any });
  const source = heap.global(types.array(pair, 4));
  const copy = heap.global(pair);
  const store = (at: Pointer, text: string) => {
    const header = heap.newobject(types.string);
    heap.storePointer(at, types.string.address);
    heap.storePointer(at + WORD, header);
    heap.storePointer(header, textObject(heap, text));
    heap.storeBig64(header + WORD, BigInt(text.length));
  };
  const load = (at: Pointer) => {
    assertEquals(heap.loadPointer(at), types.string.address);
    const header = heap.loadPointer(at + WORD);
    const bytes = heap.bytes(heap.loadPointer(header), Number(heap.loadBig64(header + WORD)));
    return String.fromCharCode(...bytes);
  };
  for (let i = 0; i < 4; i++) {
    for (const half of [0, 1]) {
      store(source + i * pair.size + half * any.size, `string ${i}.${half}`);
    }
    heap.GC();
  }
  for (let i = 0; i < 4; i++) {
    for (let at = 0; at < pair.size; at += WORD) {
      heap.storePointer(copy + at, heap.loadPointer(source + i * pair.size + at));
      heap.storePointer(source + i * pair.size + at, 0);
    }
    heap.GC();
    heap.verify();
    assertEquals([load(copy), load(copy + any.size)], [`string ${i}.0`, `string ${i}.1`]);
  }
});

// tests.md 32
Deno.test("a slice held through a type without pointers keeps its elements", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const header = types.struct("reflect.SliceHeader", {
    Data: types.uintptr,
    Len: types.int,
    Cap: types.int,
  });
  const views = [types.pointer(header), types.pointer(types.slice(types.int))];
  const any = types.interface({});
  const container = heap.global(types.array(any, 200));
  for (let i = 0; i < 100; i++) {
    const slice = heap.newobject(types.slice(types.int));
    views.forEach((view, j) => {
      heap.storePointer(container + (2 * i + j) * any.size, view.address);
      heap.storePointer(container + (2 * i + j) * any.size + WORD, slice);
    });
    const data = heap.newarray(types.int, 4);
    heap.storePointer(slice, data);
    for (let k = 0; k < 4; k++) heap.storeBig64(data + k * WORD, BigInt(i * 4 + k));
  }
  heap.GC();
  heap.verify();
  for (let i = 0; i < 200; i++) {
    const data = heap.loadPointer(heap.loadPointer(container + i * any.size + WORD));
    const values = [0, 1, 2, 3].map((k) => Number(heap.loadBig64(data + k * WORD)));
    assertEquals(values, [0, 1, 2, 3].map((k) => Math.floor(i / 2) * 4 + k));
  }
});

// tests.md 35 and 36
Deno.test("a new object costs one allocation, a variable that does not leave its function none", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const wordObject = types.struct("main.T", { p: types.unsafePointer });
  const variable = heap.global(types.pointer(wordObject));
  const made = mallocsOf(heap, () => {
    for (let i = 0; i < 100; i++) heap.storePointer(variable, heap.newobject(wordObject));
  });
  assertEquals(made, 100);
  assertEquals(mallocsOf(heap, () => heap.newobject(types.int)), 1);
  const local = mallocsOf(heap, () => {
    for (let i = 0; i < 100; i++) {
      using frame = heap.frame(1);
      frame.set(0, variable);
    }
  });
  assertEquals(local, 0);
});

// tests.md 37
Deno.test("a slice with a length that is negative or huge panics, whatever its elements are", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const elements = [
    types.uint8,
    types.int,
    types.unsafePointer,
    types.array(types.uint8, 65536),
    types.struct("", { p: types.unsafePointer, pad: types.array(types.uint8, 65528) }),
  ];
  for (const elem of elements) {
    for (const n of [-1, -(2 ** 31), -(2 ** 53) + 1, 2 ** 53 - 1]) {
      assertThrows(
        () => heap.newarray(elem, n),
        GoPanic,
        "runtime: allocation size out of range",
        `${n} of ${elem.string}`,
      );
    }
  }
  heap.verify();
  assertEquals(heap.ReadMemStats().Mallocs, 0);
});

// tests.md 38
Deno.test("elements of no bytes take none, however many, and still cannot be fewer than none", () => {
  using heap = new GoHeap(OPTIONS);
  const empty = heap.types.struct("", {});
  const one = heap.newobject(empty);
  assertEquals(heap.newarray(empty, Number.MAX_SAFE_INTEGER), one);
  assertThrows(() => heap.newarray(empty, -1), GoPanic, "runtime: allocation size out of range");
  assertThrows(() => heap.newarray(empty, 2 ** 53), RangeError, "n");
});

/** A hash table of pointers to boxed numbers, which grows by a bucket a step, as Go's map does. */
class BoxTable {
  readonly #heap: GoHeap;
  readonly #box: GoType;
  /** Two slots: the table there is, and the one it grows into. */
  readonly #tables: Pointer;
  #capacity = 8;
  #moved = 0;

  constructor(heap: GoHeap) {
    this.#heap = heap;
    this.#box = heap.types.struct("", { key: heap.types.int, value: heap.types.int });
    this.#tables = heap.global(heap.types.array(heap.types.unsafePointer, 2));
    heap.storePointer(this.#tables, heap.newarray(heap.types.unsafePointer, this.#capacity));
  }

  set(key: number): void {
    const heap = this.#heap;
    if (heap.loadPointer(this.#tables + WORD) === 0 && key * 2 > this.#capacity) {
      const larger = heap.newarray(heap.types.unsafePointer, 4 * this.#capacity);
      heap.storePointer(this.#tables + WORD, larger);
      this.#moved = 0;
    }
    const box = heap.newobject(this.#box);
    heap.storeBig64(box, BigInt(key));
    heap.storeBig64(box + WORD, BigInt(key * key));
    this.#insert(box);
    this.#move();
  }

  /** The keys whose values are right. */
  keys(): number[] {
    const heap = this.#heap;
    const found: number[] = [];
    for (const slot of this.#slots()) {
      const box = heap.loadPointer(slot);
      if (box === 0) continue;
      const key = Number(heap.loadBig64(box));
      if (heap.loadBig64(box + WORD) === BigInt(key * key)) found.push(key);
    }
    return found.sort((a, b) => a - b);
  }

  *#slots(): Generator<Pointer> {
    const [old, larger] = [0, WORD].map((at) => this.#heap.loadPointer(this.#tables + at));
    for (let i = this.#moved; i < this.#capacity; i++) yield old + i * WORD;
    if (larger !== 0) { for (let i = 0; i < 4 * this.#capacity; i++) yield larger + i * WORD; }
    else if (this.#moved > 0) throw new Error("moved to nowhere");
  }

  #insert(box: Pointer): void {
    const heap = this.#heap;
    const larger = heap.loadPointer(this.#tables + WORD);
    const table = larger === 0 ? heap.loadPointer(this.#tables) : larger;
    const capacity = larger === 0 ? this.#capacity : 4 * this.#capacity;
    let at = Number(heap.loadBig64(box)) * 7 % capacity;
    while (heap.loadPointer(table + at * WORD) !== 0) at = (at + 1) % capacity;
    heap.storePointer(table + at * WORD, box);
  }

  #move(): void {
    const heap = this.#heap;
    const larger = heap.loadPointer(this.#tables + WORD);
    for (let step = 0; larger !== 0 && step < 2; step++) {
      const slot = heap.loadPointer(this.#tables) + this.#moved * WORD;
      const box = heap.loadPointer(slot);
      if (box !== 0) this.#insert(box);
      heap.storePointer(slot, 0);
      if (++this.#moved < this.#capacity) continue;
      heap.storePointer(this.#tables, larger);
      heap.storePointer(this.#tables + WORD, 0);
      this.#capacity *= 4;
      this.#moved = 0;
      return;
    }
  }
}

// tests.md 46
Deno.test("a map that grows while it is walked and collected loses nothing and doubles nothing", () => {
  using heap = new GoHeap({ ...OPTIONS, collect: "malloc", debug: "gcstress=1" });
  const table = new BoxTable(heap);
  const expected: number[] = [];
  for (let key = 1; key <= 300; key++) {
    table.set(key);
    expected.push(key);
    if (key % 10 === 0) assertEquals(table.keys(), expected);
  }
  heap.verify();
  heap.GC();
  assert(heap.ReadMemStats().HeapObjects <= 302, "boxes and two tables are all there is");
});
