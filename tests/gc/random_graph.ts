/**
 * Random graphs that a program changes while they are being collected, and a model beside them that decides what
 * must survive, what must die, and which finalizers must run, and in which order.
 *
 * A collection in slices may keep what the program dropped after marking began (floating garbage). So the model
 * has two sets for each collection: what is reachable when it ends, which must survive, and what was
 * reachable when marking began or was made since, beyond which nothing may. The next collection in one
 * piece takes the rest.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { partsOf } from "../../lib/go_heap.ts";
import type { Frame, GoHeap, GoType, Pointer, Ref } from "../../mod.ts";
import { heapInSlices, isUnderWay, slice } from "./in_slices.ts";

const WORD = 8;
/** Pointers of a node; behind them is its number. */
const LINKS = 3;
const GLOBALS = 5;
const SLOTS = 2;

/**
 * From the node in a global to the one that is meant: itself, which is marked while a collection is marking, or what
 * a link of it leads to, which may be white, and whose link is cut afterwards.
 */
export type Way = { via: "itself" } | { via: "link" | "cut"; link: number };

/** One step; numbers of globals where nothing else is said. A step whose globals are nil does nothing. */
export type Step =
  | { op: "make"; to: number; link: number }
  | { op: "link"; from: number; link: number; to: number }
  | { op: "follow" | "take"; from: number; link: number; to: number }
  | { op: "drop"; from: number }
  | { op: "ref" | "local"; from: number; way: Way }
  | { op: "finalize"; from: number; way: Way; resurrects: boolean }
  | { op: "unfinalize"; from: number }
  | { op: "copy"; from: number; to: number }
  | { op: "slice" | "gc" | "unref" | "stats" };

const nth = fc.nat({ max: GLOBALS - 1 });
const link = fc.nat({ max: LINKS - 1 });
const op = <T extends string>(name: T): fc.Arbitrary<T> => fc.constant(name);

const way: fc.Arbitrary<Way> = fc.oneof(
  fc.record({ via: op("itself") }),
  fc.record({ via: op("link"), link }),
  { weight: 3, arbitrary: fc.record({ via: op("cut"), link }) },
);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 14, arbitrary: fc.record({ op: op("make"), to: nth, link }) },
  { weight: 6, arbitrary: fc.record({ op: op("link"), from: nth, link, to: nth }) },
  { weight: 4, arbitrary: fc.record({ op: op("follow"), from: nth, link, to: nth }) },
  { weight: 12, arbitrary: fc.record({ op: op("take"), from: nth, link, to: nth }) },
  { weight: 4, arbitrary: fc.record({ op: op("drop"), from: nth }) },
  { weight: 3, arbitrary: fc.record({ op: op("ref"), from: nth, way }) },
  { weight: 2, arbitrary: fc.record({ op: op("local"), from: nth, way }) },
  {
    weight: 5,
    arbitrary: fc.record({ op: op("finalize"), from: nth, way, resurrects: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ op: op("unfinalize"), from: nth }) },
  { weight: 2, arbitrary: fc.record({ op: op("copy"), from: nth, to: nth }) },
  { weight: 30, arbitrary: fc.record({ op: op("slice") }) },
  { weight: 1, arbitrary: fc.record({ op: op("gc") }) },
  { weight: 1, arbitrary: fc.record({ op: op("unref") }) },
  { weight: 1, arbitrary: fc.record({ op: op("stats") }) },
);

/** Programs of up to 200 steps. */
export const program: fc.Arbitrary<Step[]> = fc.array(step, {
  minLength: 30,
  maxLength: 200,
  size: "max",
});

/** A node as the model sees it: `links` are nodes, or 0. */
interface Node {
  readonly address: Pointer;
  readonly number: number;
  links: Pointer[];
  finalizer: { resurrects: boolean } | null;
}

/** A program in the middle of its run. */
export class RandomGraph {
  readonly #heap: GoHeap;
  readonly #type: GoType;
  readonly #nodes = new Map<Pointer, Node>();
  readonly #table: Pointer;
  readonly #globals: Pointer[] = new Array(GLOBALS).fill(0);
  readonly #frame: Frame;
  readonly #slots: Pointer[] = new Array(SLOTS).fill(0);
  readonly #refs: Ref[] = [];
  readonly #ran: Pointer[] = [];
  #made = 0;
  /** What may survive the collection that is going on; null while none is marking. */
  #may: Set<Pointer> | null = null;

  constructor() {
    const heap = this.#heap = heapInSlices();
    const { types } = heap;
    this.#type = types.struct("main.Node", {
      links: types.array(types.unsafePointer, LINKS),
      number: types.uint64,
    });
    this.#table = heap.global(types.array(types.unsafePointer, GLOBALS));
    this.#frame = heap.frame(SLOTS);
  }

  /** Takes one step; all invariants hold behind it. */
  step(step: Step): void {
    switch (step.op) {
      case "slice":
        return this.#slice();
      case "gc":
        return this.#collect();
      case "make":
        return this.#make(step.to, step.link);
      case "stats":
        this.#heap.ReadMemStats();
        return;
      case "unref":
        this.#refs.shift()?.[Symbol.dispose]();
        return;
      default: {
        const node = this.#nodes.get(this.#globals[step.from]);
        if (node !== undefined) this.#use(step, node);
      }
    }
  }

  /** Drops everything; what finalizer cycles do not keep must go. */
  finish(): void {
    while (this.#refs.length > 0) this.#refs.pop()![Symbol.dispose]();
    for (let i = 0; i < SLOTS; i++) this.#setSlot(i, 0);
    const left = () =>
      [...this.#nodes.values()].map(({ number, finalizer }) => [number, finalizer]);
    let before: unknown[];
    do {
      before = left();
      for (let i = 0; i < GLOBALS; i++) this.#setGlobal(i, 0);
      this.#collect();
    } while (left().join() !== before.join() || this.#globals.some((p) => p !== 0));
    const inCycles = this.#heap.findFinalizerCycles().flat().map(({ address }) => address);
    assertEquals(this.#closure(inCycles), new Set(this.#nodes.keys()), "finalizer cycles");
    for (const { address, type } of this.#heap.findFinalizerCycles().flat()) {
      const { finalizer } = this.#nodes.get(address)!;
      assertEquals(type?.string, finalizer === null ? undefined : "main.Node");
    }
  }

  [Symbol.dispose](): void {
    this.#heap[Symbol.dispose]();
  }

  #use(step: Extract<Step, { from: number }>, node: Node): void {
    switch (step.op) {
      case "link":
        return this.#setLink(node, step.link, this.#globals[step.to]);
      case "follow":
        return this.#setGlobal(step.to, this.#heap.loadPointer(node.address + step.link * WORD));
      case "take": {
        // From its place into a global, which may be black while the node is still white.
        const taken = node.links[step.link];
        this.#setLink(node, step.link, 0);
        return this.#setGlobal(step.to, taken);
      }
      case "drop":
        return this.#setGlobal(step.from, 0);
      case "ref":
      case "local":
      case "finalize":
        return this.#root(step, node);
      case "unfinalize":
        this.#heap.SetFinalizer(this.#eface(node.address), null);
        node.finalizer = null;
        return;
      case "copy": {
        const to = this.#nodes.get(this.#globals[step.to]);
        if (to === undefined) return;
        const { types } = this.#heap;
        const links = types.array(types.unsafePointer, LINKS);
        this.#heap.typedmemmove(links, to.address, node.address);
        to.links = [...node.links];
      }
    }
  }

  /** Roots the node that `way` leads to, or gives it a finalizer. */
  #root(step: Extract<Step, { way: Way }>, from: Node): void {
    const { way } = step;
    const node = way.via === "itself" ? from : this.#nodes.get(from.links[way.link]);
    if (node === undefined) return;
    if (step.op === "finalize") this.#finalize(node, step.resurrects);
    else if (step.op === "local") this.#setSlot(node.number % SLOTS, node.address);
    else this.#refs.push(this.#heap.ref(node.address));
    if (way.via === "cut") this.#setLink(from, way.link, 0);
  }

  /** Makes a node in front of what the global has. */
  #make(to: number, link: number): void {
    const address = this.#heap.newobject(this.#type);
    assert(!this.#nodes.has(address), `the node at ${address} is still alive`);
    const number = ++this.#made;
    const node: Node = { address, number, links: [0, 0, 0], finalizer: null };
    this.#nodes.set(address, node);
    this.#may?.add(address);
    this.#heap.storeBig64(address + LINKS * WORD, BigInt(number));
    this.#setLink(node, link, this.#globals[to]);
    this.#setGlobal(to, address);
  }

  #setLink(node: Node, link: number, value: Pointer): void {
    this.#heap.storePointer(node.address + link * WORD, value);
    node.links[link] = value;
  }

  #setGlobal(i: number, value: Pointer): void {
    this.#heap.storePointer(this.#table + i * WORD, value);
    this.#globals[i] = value;
  }

  #setSlot(i: number, value: Pointer): void {
    this.#frame.set(i, value);
    this.#slots[i] = value;
  }

  #eface(address: Pointer): { type: GoType; data: Pointer } {
    return { type: this.#heap.types.pointer(this.#type), data: address };
  }

  #finalize(node: Node, resurrects: boolean): void {
    if (node.finalizer !== null) return;
    const object = this.#eface(node.address);
    this.#heap.SetFinalizer(object, {
      type: this.#heap.types.func([object.type], []),
      data: (p: Pointer) => this.#ran.push(p),
    });
    node.finalizer = { resurrects };
  }

  /** One slice. Marking may begin in it, or end. */
  #slice(): void {
    const reachable = this.#reachable();
    const { world } = partsOf(this.#heap);
    const wasMarking = world.isMarking;
    const before = this.#collections();
    slice(this.#heap);
    if (!wasMarking) this.#may = reachable;
    if (this.#collections() > before) this.#collected();
    else if (!world.isMarking) this.#may = null;
  }

  /** A whole collection, which finishes the one that is going on first. */
  #collect(): void {
    // Of what that one takes, nothing may be left either way; of its finalizers some may run one later.
    if (isUnderWay(this.#heap)) { while (isUnderWay(this.#heap)) this.#slice(); }
    this.#may = this.#reachable();
    this.#heap.GC();
    this.#heap.verify();
    this.#collected();
  }

  #collections(): number {
    return this.#heap.snapshot().stats.numgc;
  }

  /** A collection is over: holds what it did against the model. */
  #collected(): void {
    partsOf(this.#heap).collector.finishSweep();
    this.#heap.verify();
    const must = this.#reachable();
    const may = this.#may!;
    this.#may = null;
    const ran = this.#runFinalizers();
    for (const node of this.#nodes.values()) {
      if (node.finalizer === null) continue;
      if (!may.has(node.address)) assert(ran.has(node.address), `${node.number} was not finalized`);
      if (must.has(node.address)) assert(!ran.has(node.address), `${node.number} was finalized`);
    }
    const allocated = this.#allocated();
    for (const node of this.#nodes.values()) {
      const { address, number } = node;
      if (must.has(address) || ran.has(address)) {
        assert(allocated.has(address), `node ${number} was freed`);
      } else if (!may.has(address)) {
        assert(!allocated.has(address), `node ${number} was not freed`);
      }
      if (!allocated.has(address)) this.#nodes.delete(address);
      else this.#checkNode(node);
    }
    assertEquals(allocated, new Set(this.#nodes.keys()));
    for (const p of ran) this.#finalized(this.#nodes.get(p)!);
  }

  /** Runs what is queued; the order must be that of the spans, and of the addresses in each. */
  #runFinalizers(): Set<Pointer> {
    const { arena } = partsOf(this.#heap);
    this.#heap.runFinalizers();
    const ran = this.#ran.splice(0);
    const span = (p: Pointer) => arena.pageSpan[Math.floor((p - arena.start) / 8192)];
    assertEquals(ran, ran.toSorted((a, b) => span(a) - span(b) || a - b), "order of finalizers");
    assertEquals(new Set(ran).size, ran.length, "finalizers that ran twice");
    return new Set(ran);
  }

  #finalized(node: Node): void {
    assert(node.finalizer !== null, `node ${node.number} had no finalizer`);
    const { resurrects } = node.finalizer;
    node.finalizer = null;
    if (resurrects) this.#setGlobal(0, node.address);
  }

  #checkNode({ address, number, links }: Node): void {
    assertEquals(this.#heap.loadBig64(address + LINKS * WORD), BigInt(number));
    const read = links.map((_, i) => this.#heap.loadPointer(address + i * WORD));
    assertEquals(read, links, `links of node ${number}`);
  }

  /** What the roots lead to, and what finalizers keep for their objects. */
  #reachable(): Set<Pointer> {
    const kept = [...this.#nodes.values()].filter(({ finalizer }) => finalizer !== null);
    return this.#closure([
      ...this.#globals,
      ...this.#slots,
      ...this.#refs.map((ref) => ref.pointer),
      ...kept.flatMap(({ links }) => links),
    ]);
  }

  #closure(starts: readonly Pointer[]): Set<Pointer> {
    const reached = new Set<Pointer>();
    const pending = [...starts];
    for (let p = pending.pop(); p !== undefined; p = pending.pop()) {
      if (p === 0 || reached.has(p)) continue;
      reached.add(p);
      pending.push(...this.#nodes.get(p)!.links);
    }
    return reached;
  }

  /** Addresses of all nodes that are not free. */
  #allocated(): Set<Pointer> {
    const { arena } = partsOf(this.#heap);
    const bytes = this.#heap.roundupsize(this.#type.size);
    return new Set(
      this.#heap.snapshot().spans.flatMap((span) => {
        if (span.state !== "inuse") return [];
        const free = new Set(
          span.freelist!.flatMap((run) =>
            typeof run === "number" ? run : Array.from(
              { length: Math.abs(run[1] - run[0]) + 1 },
              (_, i) => Math.min(...run) + i,
            )
          ),
        );
        return Array.from({ length: span.ref + span.nfree }, (_, i) => i)
          .filter((i) => !free.has(i))
          .map((i) => arena.pageAddress(span.page) + i * bytes);
      }),
    );
  }
}
