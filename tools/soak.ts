/**
 * The soak: millions of random operations on one heap, under both collect policies.
 *
 *     deno task soak [operations]
 *
 * A table of roots holds objects of many sizes and kinds. Every object knows its number and how its words are
 * filled, so whatever is read back is checked; every finalizer must get the object it was set on, once. Now and
 * then the heap verifies itself, and a second marking follows a collection. Under "safepoint" the turns end
 * every so many operations, so that collections go on in slices between them.
 *
 * @module
 */

import { FlagNoScan, GoHeap, type GoHeapOptions, type GoType, type Pointer } from "../mod.ts";

const OPERATIONS = 10_000_000;
const WORD = 8;
const ROOTS = 2000;
const OPERATIONS_A_TURN = 5000;
const TURNS_BETWEEN_CHECKS = 100;
const SIZES = [16, 24, 32, 48, 64, 128, 256, 1024, 4096, 40_000];

/** What an operation does, by its share in a hundred. */
const SHARES = { make: 35, link: 25, follow: 15, drop: 5, tiny: 10, finalize: 5, copy: 5 };
type Operation = keyof typeof SHARES;
const OPERATIONS_BY_SHARE: Operation[] = Object.entries(SHARES).flatMap(([name, share]) =>
  new Array<Operation>(share).fill(name as Operation)
);

/** A random program on one heap. */
export class Soak {
  readonly #heap: GoHeap;
  readonly #node: GoType;
  readonly #table: Pointer;
  readonly #waiting = new Map<number, Pointer>();
  #state = 1;
  #made = 0;
  #finalized = 0;

  constructor(collect: GoHeapOptions["collect"]) {
    const heap = this.#heap = new GoHeap({ platform: "linux/amd64", collect });
    const { types } = heap;
    // The first word is the object's number, all others are pointers.
    this.#node = types.struct("main.Head", { number: types.uint64, link: types.unsafePointer });
    this.#table = heap.global(types.array(types.unsafePointer, ROOTS));
  }

  /** Does `count` operations. */
  run(count: number): void {
    for (let i = 0; i < count; i++) this.#operate(OPERATIONS_BY_SHARE[this.#below(100)]);
  }

  /** Checks everything there is to check. */
  check(): void {
    this.#heap.GCcheckmarkenable();
    this.#heap.GC();
    this.#heap.GCcheckmarkdisable();
    this.#heap.verify();
    for (let i = 0; i < ROOTS; i++) {
      const p = this.#heap.loadPointer(this.#table + i * WORD);
      if (p !== 0) this.#checkObject(p);
    }
  }

  /** What happened, for people. */
  get summary(): string {
    const { NumGC, Mallocs, HeapObjects, HeapSys, PauseTotalNs } = this.#heap.ReadMemStats();
    return `${Mallocs} objects made, ${HeapObjects} in use, ${NumGC} collections of ` +
      `${(PauseTotalNs / NumGC / 1e6).toFixed(1)} ms, ${this.#finalized} finalizers, ` +
      `${Math.round(HeapSys / 2 ** 20)} MiB`;
  }

  /** How many finalizers ran. */
  get finalized(): number {
    return this.#finalized;
  }

  [Symbol.dispose](): void {
    this.#heap[Symbol.dispose]();
  }

  #operate(operation: Operation): void {
    const at = this.#table + this.#below(ROOTS) * WORD;
    if (operation === "make") return this.#make(at);
    if (operation === "tiny") {
      this.#heap.mallocgc(1 + this.#below(15), null, FlagNoScan);
      return;
    }
    const p = this.#heap.loadPointer(at);
    if (p === 0) return;
    const link = p + WORD * (1 + this.#below(this.#wordsOf(p) - 1));
    switch (operation) {
      case "link": {
        const target = this.#heap.loadPointer(this.#table + this.#below(ROOTS) * WORD);
        return this.#heap.storePointer(link, target);
      }
      case "follow": {
        const target = this.#heap.loadPointer(link);
        if (target !== 0) this.#checkObject(target);
        this.#heap.storePointer(link, 0);
        return this.#heap.storePointer(at, target);
      }
      case "drop":
        return this.#heap.storePointer(at, 0);
      case "finalize":
        return this.#finalize(p);
      case "copy": {
        const target = this.#heap.loadPointer(this.#table + this.#below(ROOTS) * WORD);
        if (target === 0) return;
        const words = Math.min(this.#wordsOf(p), this.#wordsOf(target)) - 1;
        const { unsafePointer } = this.#heap.types;
        this.#heap.typedslicecopy(unsafePointer, target + WORD, p + WORD, words);
      }
    }
  }

  #make(at: Pointer): void {
    const size = SIZES[this.#below(this.#below(SIZES.length) + 1)];
    const { unsafePointer } = this.#heap.types;
    const p = size === this.#node.size
      ? this.#heap.newobject(this.#node)
      : this.#heap.newarray(unsafePointer, size / WORD);
    // A number that is no address of the arena, with its size, so that every read can be checked.
    this.#heap.storeUint32(p, this.#made++ % 2 ** 31);
    this.#heap.storeUint32(p + 4, size * 2 ** 12);
    if (this.#heap.loadPointer(p + size - WORD) !== 0 && size > WORD) {
      throw new Error(`the new object at ${p} is not clear`);
    }
    this.#heap.storePointer(at, p);
  }

  #finalize(p: Pointer): void {
    const number = this.#heap.loadUint32(p);
    if (this.#waiting.has(number)) return;
    const { types } = this.#heap;
    const type = types.pointer(types.unsafePointer);
    this.#waiting.set(number, p);
    this.#heap.SetFinalizer({ type, data: p }, {
      type: types.func([type], []),
      data: (q: Pointer) => {
        if (q !== p || this.#heap.loadUint32(q) !== number) {
          throw new Error(`the finalizer of object ${number} at ${p} got ${q}`);
        }
        this.#waiting.delete(number);
        this.#finalized++;
      },
    });
  }

  #wordsOf(p: Pointer): number {
    return this.#checkObject(p) / WORD;
  }

  /** The size of the object at `p`, which must be one. */
  #checkObject(p: Pointer): number {
    const size = this.#heap.loadUint32(p + 4) / 2 ** 12;
    if (!SIZES.includes(size)) throw new Error(`the object at ${p} has changed: size ${size}`);
    return size;
  }

  /** The generator of the benchmarks: its high bits are random enough. */
  #below(n: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state * n) / 2 ** 32);
  }
}

async function main(operations: number): Promise<void> {
  for (const collect of ["safepoint", "malloc"] as const) {
    using soak = new Soak(collect);
    const start = performance.now();
    for (let done = 0, turn = 0; done < operations; done += OPERATIONS_A_TURN, turn++) {
      soak.run(Math.min(OPERATIONS_A_TURN, operations - done));
      await new Promise((resolve) => setTimeout(resolve));
      if (turn % TURNS_BETWEEN_CHECKS === 0) soak.check();
    }
    soak.check();
    const seconds = ((performance.now() - start) / 1000).toFixed(0);
    console.log(`${collect}: ${operations} operations in ${seconds} s, ${soak.summary}`);
  }
}

if (import.meta.main) {
  const operations = Number(Deno.args[0] ?? OPERATIONS);
  if (!Number.isSafeInteger(operations) || operations < 1) {
    throw new RangeError(
      `Cannot use operations: current value is ${Deno.args[0]}, expected a number`,
    );
  }
  await main(operations);
}
