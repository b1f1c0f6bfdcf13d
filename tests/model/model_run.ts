/**
 * Runs a random program on a heap and on the model beside it, and compares the two: what is allocated,
 * what every live word and byte reads, and which finalizers run. `heap.verify()` follows every step.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { NUM_GC } from "../../lib/arena/stats.ts";
import { partsOf } from "../../lib/go_heap.ts";
import { PAGE_BYTES } from "../../lib/platform/platform.ts";
import { CLASS_TO_SIZE, MAX_SMALL_BYTES, TINY_BYTES } from "../../lib/spans/size_classes.ts";
import {
  FlagNoScan,
  type Frame,
  type GoHeapOptions,
  GoThrow,
  type GoType,
  type Pointer,
  type Ref,
} from "../../mod.ts";
import { CheckedHeap as GoHeap } from "../checked_heap.ts";
import { expandRuns } from "../conformance/script.ts";
import {
  type Filled,
  type FinalizerMode,
  HeapModel,
  type ModelBlock,
  type ModelFinalizer,
  pointerWords,
} from "./model.ts";
import { type ObjectKind, type Offset, ROOTS, type Step } from "./program.ts";

const FILL = 0xa5;
/** Words at the start of an unfilled block that are compared one by one. */
const COMPARED_WORDS = 64;

/** A program in the middle of its run. */
export class ModelRun {
  readonly #heap: GoHeap;
  readonly #isGccgo: boolean;
  /** Tables of types, which are blocks that the model knows nothing of. */
  readonly #tables = new Set<Pointer>();
  readonly #model = new HeapModel();
  readonly #types: Record<ObjectKind, { type: GoType | null; mask: boolean[] }>;
  readonly #wordBytes: number;
  readonly #arenaStart: Pointer;
  readonly #counters: Float64Array;
  readonly #table: Pointer;
  readonly #hidden: Pointer;
  readonly #roots: Pointer[] = new Array(ROOTS).fill(0);
  readonly #frames: { frame: Frame; slots: Pointer[] }[] = [];
  readonly #refs: { ref: Ref; address: Pointer }[] = [];
  readonly #ran: ModelFinalizer[] = [];
  #numGC = 0;

  /** Starts a program on a heap of its own. */
  constructor(
    options: Pick<GoHeapOptions, "collect" | "compiler" | "platform" | "addressSpace">,
  ) {
    this.#isGccgo = options.compiler === "gccgo";
    const heap = this.#heap = new GoHeap({
      ...options,
      minHeapBytes: 0,
      // Pointers just past an object may lead into a free span.
      debug: "invalidptr=0",
    });
    this.#wordBytes = heap.platform.pointerBytes;
    this.#arenaStart = partsOf(heap).arena.start;
    this.#counters = partsOf(heap).stats;
    const { types } = heap;
    const [p, s] = [types.unsafePointer, types.uintptr];
    const mixed = types.struct("main.Mixed", {
      data: types.slice(types.uint8),
      any: types.interface({}),
      text: types.string,
    });
    this.#types = {
      tiny: { type: null, mask: [] },
      noscan: { type: null, mask: [] },
      raw: { type: null, mask: [] },
      words: { type: p, mask: [true] },
      ps: { type: types.struct("main.PS", { p, s }), mask: [true, false] },
      sps: { type: types.struct("main.SPS", { s, p, t: s }), mask: [false, true, false] },
      untyped: { type: null, mask: [true] },
      mixed: { type: mixed, mask: [true, false, false, true, true, true, false] },
    };
    this.#table = heap.global(types.array(p, ROOTS));
    this.#hidden = heap.global(s);
  }

  /** Takes one step and checks the heap's invariants. */
  step(step: Step): void {
    this.#take(step);
    this.#heap.verify();
    partsOf(this.#heap).gccgo?.spanTypes.forEachTable((table) => this.#tables.add(table));
  }

  /** Drops all roots and collects until nothing more happens: only cycles with finalizers may stay. */
  finish(): void {
    for (let i = 0; i < ROOTS; i++) this.#setRoot(i, 0);
    while (this.#refs.length > 0) this.#refs.pop()!.ref[Symbol.dispose]();
    while (this.#frames.length > 0) this.#frames.pop()!.frame[Symbol.dispose]();
    do {
      this.#roots.forEach((_, i) => this.#setRoot(i, 0));
      this.#collectEagerly();
      this.#heap.verify();
    } while (this.#runFinalizers() > 0);
  }

  /** Ends the heap. */
  [Symbol.dispose](): void {
    this.#heap[Symbol.dispose]();
  }

  #take(step: Step): void {
    const heap = this.#heap;
    switch (step.op) {
      case "alloc":
        return this.#allocate(step.kind, step.size, step.to);
      case "gc":
        return this.#collectEagerly();
      case "lazy":
        heap.gogc(1);
        return this.#noteCollections([], 1);
      case "auto":
        heap.gogc(0);
        return this.#noteCollections();
      case "safepoint":
        heap.safepoint();
        return this.#noteCollections();
      case "stats":
        heap.ReadMemStats();
        return;
      case "run":
        this.#runFinalizers();
        return;
      case "push":
        this.#frames.push({
          frame: heap.frame(step.slots),
          slots: new Array(step.slots).fill(0),
        });
        return;
      case "pop":
        this.#frames.pop()?.frame[Symbol.dispose]();
        return;
      case "unref":
        if (step.index < this.#refs.length) {
          this.#refs.splice(step.index, 1)[0].ref[Symbol.dispose]();
        }
        return;
      case "drop":
        return this.#setRoot(step.from, 0);
      default: {
        const block = this.#model.blockAt(this.#roots[step.from]);
        if (block !== undefined) this.#use(step, block);
      }
    }
  }

  #use(step: Extract<Step, { from: number }>, block: ModelBlock): void {
    const held = this.#roots[step.from];
    switch (step.op) {
      case "link": {
        const target = this.#model.blockAt(this.#roots[step.to]);
        if (target !== undefined) this.#store(block, step.slot, pointTo(target, step.offset));
        return;
      }
      case "unlink":
        return this.#store(block, step.slot, 0);
      case "load": {
        const word = modulo(step.slot, Math.max(1, Math.floor(block.usable / this.#wordBytes)));
        if (!block.pointers[word]) return;
        const value = this.#heap.loadPointer(block.base + word * this.#wordBytes);
        assertEquals(
          value,
          block.words.get(word) ?? 0,
          `word ${word} of the block at ${block.base}`,
        );
        return this.#setRoot(step.to, value);
      }
      case "move":
        return this.#setRoot(step.to, pointTo(block, step.offset));
      case "hide":
        return this.#heap.storePointer(this.#hidden, held);
      case "finalize":
        return this.#setFinalizer(block, held, step.mode);
      case "unfinalize": {
        const address = finalizedAddress(block, held);
        this.#heap.SetFinalizer(this.#efaceOf(block, address), null);
        block.finalizers.delete(address);
        return;
      }
      case "local": {
        const top = this.#frames.at(-1);
        if (top === undefined) return;
        const slot = modulo(step.slot, top.slots.length);
        top.frame.set(slot, held);
        top.slots[slot] = held;
        assertEquals(top.slots.map((_, i) => top.frame.get(i)), top.slots);
        return;
      }
      case "ref": {
        const ref = this.#heap.ref(held);
        assertEquals(ref.pointer, held);
        this.#refs.push({ ref, address: held });
      }
    }
  }

  #allocate(kind: ObjectKind, wanted: number, to: number): void {
    const { type, mask } = this.#types[kind];
    const count = type === null ? 0 : Math.max(1, Math.floor(wanted / type.size));
    const size = type !== null
      ? count * type.size
      : kind === "tiny"
      ? wanted
      : Math.max(TINY_BYTES, wanted);
    const address = kind === "raw"
      ? this.#heap.rawmem(size)
      : kind === "untyped"
      ? this.#heap.mal(size)
      : type === null
      ? this.#heap.mallocgc(size, null, FlagNoScan)
      : this.#heap.newarray(type, count);
    const found = this.#heap.findObject(address);
    assert(found !== null, `findObject(${address}) found nothing after an allocation of ${size}`);
    const { base, size: bytes } = found;
    assertEquals(
      bytes,
      kind === "tiny" ? TINY_BYTES : this.#heap.roundupsize(size),
      `slot of ${size} bytes`,
    );
    const block = this.#model.blocks.get(base) ?? {
      base,
      bytes,
      limit: base + (bytes > MAX_SMALL_BYTES ? size : bytes),
      usable: size,
      pointers: this.#pointerWords(kind, mask, size, bytes),
      isUnknown: this.#isGccgo && type === null,
      words: new Map<number, Pointer>(),
      filled: [] as Filled[],
      finalizers: new Map<Pointer, ModelFinalizer>(),
    };
    assert(
      address >= base && address + size <= base + bytes,
      `${size} bytes at ${address} in ${base}`,
    );
    if (kind === "tiny") this.#checkTiny(block, address, size);
    else assertEquals(address, base);
    if (!this.#model.blocks.has(base) || kind !== "tiny") this.#model.add(block);
    if (kind !== "raw") this.#checkZero(address, size);
    // What lay behind the request would be followed if it gets a finalizer.
    else if (this.#isGccgo) this.#heap.bytes(address, bytes).fill(0);
    this.#noteCollections([address]);
    if (kind === "tiny" || kind === "raw") this.#fill(block, address, size);
    this.#setRoot(to, address);
  }

  #pointerWords(kind: ObjectKind, mask: boolean[], size: number, bytes: number): boolean[] {
    if (!this.#isGccgo) return pointerWords(mask, size, bytes, this.#wordBytes);
    const followed = kind === "untyped" ? bytes : size;
    const words = mask.length === 0 ? 0 : Math.floor(followed / this.#wordBytes);
    return Array.from({ length: words }, (_, i) => mask[i % mask.length]);
  }

  #checkTiny(block: ModelBlock, address: Pointer, size: number): void {
    const fresh = !this.#model.blocks.has(block.base);
    assert(
      fresh || block.filled.length > 0,
      `a tiny object at ${address} in a block of another kind`,
    );
    for (const other of block.filled) {
      const apart = address >= other.address + other.bytes || address + size <= other.address;
      assert(apart, `tiny objects at ${address} and ${other.address} overlap`);
    }
  }

  #checkZero(address: Pointer, size: number): void {
    const at = this.#heap.bytes(address, size).findIndex((byte) => byte !== 0);
    assertEquals(at, -1, `byte ${at} of a zeroed block of ${size} bytes`);
  }

  #fill(block: ModelBlock, address: Pointer, bytes: number): void {
    const value = (FILL + block.filled.length) & 0xff;
    this.#heap.bytes(address, bytes).fill(value);
    block.filled.push({ address, bytes, value });
  }

  #store(block: ModelBlock, slot: number, value: Pointer): void {
    const words = Math.floor(block.usable / this.#wordBytes);
    if (block.filled.length > 0 || words === 0) return;
    const word = modulo(slot, words);
    this.#heap.storePointer(block.base + word * this.#wordBytes, value);
    block.words.set(word, value);
  }

  #setRoot(root: number, value: Pointer): void {
    this.#heap.storePointer(this.#table + root * this.#wordBytes, value);
    this.#roots[root] = value;
  }

  #efaceOf(block: ModelBlock, address: Pointer): { type: GoType; data: Pointer } {
    const { types } = this.#heap;
    return {
      type: types.pointer(address === block.base ? types.unsafePointer : types.uint8),
      data: address,
    };
  }

  #setFinalizer(block: ModelBlock, held: Pointer, mode: FinalizerMode): void {
    const address = finalizedAddress(block, held);
    const object = this.#efaceOf(block, address);
    const record: ModelFinalizer = { address, mode };
    const set = () =>
      this.#heap.SetFinalizer(object, {
        type: this.#heap.types.func([object.type], []),
        data: (argument: Pointer) => {
          assertEquals(argument, address);
          this.#ran.push(record);
          if (mode === "resurrect") this.#setRoot(0, argument);
        },
      });
    if (block.finalizers.has(address)) {
      assertThrows(set, GoThrow, "runtime.SetFinalizer: finalizer already set");
    } else {
      set();
      block.finalizers.set(address, record);
    }
  }

  #runFinalizers(): number {
    const { due, maybeDue } = this.#model;
    const count = this.#heap.runFinalizers();
    const ran = this.#ran.splice(0);
    assertEquals(count, ran.length, "what runFinalizers() returned");
    for (const record of ran) {
      const list = due.includes(record) ? due : maybeDue;
      assert(list.includes(record), `the finalizer of ${record.address} ran and was not due`);
      list.splice(list.indexOf(record), 1);
    }
    assertEquals(due, [], "finalizers that were due and did not run");
    if (this.#isGccgo) {
      // The collection that gccgo has follow.
      this.#heap.safepoint();
      this.#noteCollections();
    }
    return count;
  }

  /** Tells the model of collections that the heap made by itself, or of exactly `expected` ones. */
  #noteCollections(extraRoots: Pointer[] = [], expected?: number): void {
    const collections = this.#counters[NUM_GC] - this.#numGC;
    this.#numGC += collections;
    if (expected !== undefined) assertEquals(collections, expected, "collections");
    assert(collections <= 1, `${collections} collections in one step`);
    if (collections === 1) this.#model.collect(this.#allRoots(extraRoots));
  }

  #allRoots(extraRoots: Pointer[]): Pointer[] {
    return [
      ...this.#roots,
      ...this.#frames.flatMap(({ slots }) => slots),
      ...this.#refs.map(({ address }) => address),
      ...extraRoots,
    ];
  }

  #collectEagerly(): void {
    this.#heap.GC();
    this.#noteCollections([], 1);
    this.#model.completeSweep();
    const { blocks } = this.#model;
    const allocated = this.#allocated().filter((at) => !this.#tables.has(at) || blocks.has(at));
    assertEquals(allocated, [...blocks.keys()].sort((a, b) => a - b));
    for (const block of this.#model.blocks.values()) this.#checkContents(block);
  }

  /** Addresses of all blocks that are not on a free list, ascending. */
  #allocated(): Pointer[] {
    return this.#heap.snapshot().spans.flatMap((span) => {
      if (span.state !== "inuse") return [];
      const bytes = span.npages * PAGE_BYTES;
      const elem = span.cls === 0 ? bytes : CLASS_TO_SIZE[span.cls];
      const free = new Set(expandRuns(span.freelist ?? []));
      return Array.from({ length: Math.floor(bytes / elem) }, (_, i) => i)
        .filter((i) => !free.has(i))
        .map((i) => this.#arenaStart + span.page * PAGE_BYTES + i * elem);
    });
  }

  #checkContents(block: ModelBlock): void {
    for (const { address, bytes, value } of block.filled) {
      const at = this.#heap.bytes(address, bytes).findIndex((byte) => byte !== value);
      assertEquals(at, -1, `byte ${at} of the live block at ${block.base} has changed`);
    }
    const words = block.filled.length > 0 ? 0 : Math.floor(block.usable / this.#wordBytes);
    for (let word = 0; word < Math.min(words, COMPARED_WORDS); word++) {
      const value = this.#heap.loadPointer(block.base + word * this.#wordBytes);
      assertEquals(value, block.words.get(word) ?? 0, `word ${word} of ${block.base} has changed`);
    }
  }
}

function modulo(n: number, m: number): number {
  return ((n % m) + m) % m;
}

/** A finalizer of a tiny object is set on the object; any other one at the start of the block. */
function finalizedAddress(block: ModelBlock, held: Pointer): Pointer {
  return block.filled.find(({ address }) => address === held)?.address ?? block.base;
}

function pointTo(block: ModelBlock, offset: Offset): Pointer {
  const offsets = {
    start: 0,
    inside: Math.floor(block.usable / 2),
    odd: block.usable - 1,
    end: block.bytes,
  };
  return block.base + offsets[offset];
}
