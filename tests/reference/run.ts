/**
 * Runs the operations of a script on the reference heap, and shows what each of them shows.
 *
 * @module
 */

import type { Expectation, Op, ScriptSpan } from "../conformance/script.ts";
import { ObjectTable, OUTSIDE, type ScriptObject } from "../conformance/script_objects.ts";
import { ReferenceHeap } from "./heap.ts";
import { ARENA, type Due, WORD } from "./state.ts";

const FILL = 0x1111_1111_1111_1111n;

/** A script in the middle of its run. */
export class ReferenceRun {
  readonly heap: ReferenceHeap;
  readonly objects = new ObjectTable();
  readonly #baseline: number;
  readonly #showsFreelists: boolean;

  constructor(
    script: { gogc: number; baseline: { heap_alloc: number; next_gc: number } },
    { showsFreelists = true, compiler = "gc", wordBytes = 8 }: {
      showsFreelists?: boolean;
      compiler?: "gc" | "gccgo";
      wordBytes?: number;
    } = {},
  ) {
    this.heap = new ReferenceHeap(script.gogc, compiler === "gccgo", wordBytes);
    this.heap.state.heapAlloc = this.#baseline = script.baseline.heap_alloc;
    this.heap.state.nextGC = BigInt(script.baseline.next_gc);
    this.#showsFreelists = showsFreelists;
  }

  /** Does one operation; lists are written out in what it returns, not as runs. */
  step(op: Op): Expectation | null {
    const [name, id, ...rest] = op;
    const { roots, state } = this.heap;
    switch (name) {
      case "a":
        return this.#allocate(id, Number(rest[0]), String(rest[1]));
      case "l":
      case "li":
      case "u": {
        const value = name === "u" ? 0 : this.#at(Number(rest[1])) + ARENA + Number(rest[2] ?? 0);
        state.words.set(this.#at(id) + Number(rest[0]) * WORD, BigInt(value));
        return null;
      }
      case "d":
        roots[id] = 0;
        return null;
      case "r":
      case "ri":
        roots[id] = this.objects.get(id).address + Number(rest[0] ?? 0);
        return null;
      case "fill":
        this.#words(id).forEach((_, i) => state.words.set(this.#at(id) + i * WORD, FILL));
        return null;
      case "zero?":
        return { nonzero_words: this.#words(id).filter((word) => word !== 0n).length };
      case "peek":
        return { value: this.#shown(this.#words(id)[Number(rest[0])]) };
      case "sf":
        this.heap.setFinalizer({ at: this.#at(id), id, mode: String(rest[0]) });
        return null;
      case "cf":
        this.heap.clearFinalizer(this.#at(id));
        return null;
      case "run":
        return { finalized: this.#runFinalizers() };
      case "trig":
        state.nextGC = BigInt.asUintN(64, BigInt(state.heapAlloc + Number(rest[0])));
        return null;
      default:
        return this.#look(name);
    }
  }

  #allocate(id: number, size: number, kind: string): Expectation {
    const { heap } = this;
    if (size === 0) {
      const nowhere = { id, address: 0, size, off: OUTSIDE, cls: 0, elem: 0 };
      this.#add(nowhere);
      return { zerobase: true, numgc: heap.state.numgc };
    }
    const place = heap.allocate(size, kind);
    this.#add({ id, address: ARENA + place.off, size, ...place });
    return { ...place, numgc: heap.state.numgc };
  }

  #add(object: ScriptObject): void {
    this.objects.add(object);
    this.heap.roots[object.id] = object.address;
  }

  #runFinalizers(): number[] {
    const ran: Due[] = [];
    for (let due = this.heap.takeDue(); due.length > 0; due = this.heap.takeDue()) {
      for (const each of due) {
        ran.push(each);
        if (each.mode === "res") this.heap.roots[each.id] = ARENA + each.at;
        if (each.mode === "refin") this.heap.setFinalizer(each);
      }
    }
    const { state } = this.heap;
    state.isForced ||= state.isGccgo && ran.length > 0;
    return ran.map(({ id }) => id);
  }

  #look(name: string): Expectation {
    const { heap } = this;
    if (name === "gc") heap.collect(2);
    if (name === "gclazy") heap.collect(1);
    if (name === "ms") heap.readMemStats();
    const stats = heap.stats(this.#baseline);
    if (name === "ms") return { stats };
    const spans: ScriptSpan[] = heap.spans();
    if (name !== "snap") return { freed: this.objects.freedSince(spans), stats };
    if (!this.#showsFreelists) spans.forEach((span) => delete span.freelist);
    return { stats, spans, ...heap.lists() };
  }

  #at(id: number): number {
    return this.objects.get(id).off;
  }

  #words(id: number): bigint[] {
    const { off, size } = this.objects.get(id);
    return Array.from(
      { length: Math.floor(size / WORD) },
      (_, i) => this.heap.state.words.get(off + i * WORD),
    );
  }

  #shown(word: bigint): string {
    const off = Number(word) - ARENA;
    const inArena = off >= 0 && off < this.heap.state.arenaUsed;
    return inArena ? `zone+${off}` : `0x${word.toString(16)}`;
  }
}
