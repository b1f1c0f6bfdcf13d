/**
 * The check mark: a second marking that must find nothing the first one has not.
 *
 * It follows the graph from the same roots with marks of its own, a bit for every 8 bytes of the arena, and a
 * plain stack. A block that it reaches without the first marking's mark would have been swept though the
 * program can reach it: then nothing is swept, and what Go prints about the block and the place where it was
 * found is thrown. Seeds' gccheckmark.
 *
 * The same can be asked while a collection is still going on, between two slices: then no block that was
 * marked and followed may point to one that is neither marked nor queued. That is the invariant of write_barrier.ts.
 *
 * @module
 */

import type { Arena } from "../arena/arena.ts";
import { GoThrow } from "../errors.ts";
import { PAGE_BYTES, type Pointer } from "../platform/platform.ts";
import { CLASS_TO_SIZE } from "../spans/size_classes.ts";
import { CLASS, START } from "../spans/span_record.ts";
import type { SpanTable } from "../spans/span_table.ts";
import type { Block, Edge, HeapGraph } from "./heap_graph.ts";
import type { Marker } from "./marker.ts";

/** log2 of the bytes that share a mark: no two blocks do. */
const GRANULE_SHIFT = 3;
/** Words at the beginning of a block, and around the pointer in question, that a report shows. */
const SHOWN_WORDS = 128;
const WORDS_AROUND = 16;

/** The second marking of one heap. See the head of the module. */
export class CheckMark {
  /** Whether it follows every collection; seeds' GCcheckmarkenable. */
  isEnabled = false;
  readonly #arena: Arena;
  readonly #spans: SpanTable;
  readonly #graph: HeapGraph;
  readonly #marker: Marker;

  constructor(arena: Arena, spans: SpanTable, graph: HeapGraph, marker: Marker) {
    this.#arena = arena;
    this.#spans = spans;
    this.#graph = graph;
    this.#marker = marker;
  }

  /** Throws if a block can be reached that is not marked; called when all is marked and nothing swept. */
  check(): void {
    const reached = new GranuleSet(this.#arena);
    const pending: Block[] = [];
    const reach = (edge: Edge) => {
      const block = this.#graph.blockAt(edge.target);
      if (block === null || !reached.add(block.base)) return;
      this.#requireMarked(block, edge);
      pending.push(block);
    };
    this.#graph.forEachRoot(reach);
    for (const { block } of this.#graph.finalizable()) this.#graph.forEachPointer(block, reach);
    for (let block = pending.pop(); block !== undefined; block = pending.pop()) {
      this.#graph.forEachPointer(block, reach);
    }
  }

  /** Throws if a black block points to a white one; called between two slices of a collection that is marking. */
  checkInvariant(): void {
    if (this.#marker.isSearching) return;
    const grey = new GranuleSet(this.#arena);
    const unfollowed = new GranuleSet(this.#arena);
    this.#marker.forEachQueued((page, index, cls) => {
      const offset = index * CLASS_TO_SIZE[cls];
      const block = this.#graph.blockAt(this.#arena.pageAddress(page) + offset);
      if (block !== null) (cls === 0 ? unfollowed : grey).add(block.base);
    });
    this.#graph.forEachBlock((block) => {
      if (!this.#graph.isMarked(block) || unfollowed.has(block.base)) return;
      this.#graph.forEachPointer(block, (edge) => {
        const target = this.#graph.blockAt(edge.target);
        if (target !== null && !grey.has(target.base)) this.#requireMarked(target, edge);
      });
    });
  }

  #requireMarked(block: Block, edge: Edge): void {
    if (this.#graph.isMarked(block)) return;
    throw new GoThrow([
      "checkmark found unmarked object",
      `runtime:greyobject: checkmarks finds unexpected unmarked object obj=${hex(block.base)}`,
      `runtime: found obj at *(${hex(edge.base)}+${hex(edge.offset)})`,
      ...this.#shown("base", edge.base, edge.offset),
      ...this.#shown("obj", block.base, -1),
    ].join("\n"));
  }

  /** A block as Go's gcDumpObject prints it: its span, then its words, the one at `offset` pointed out. */
  #shown(label: string, base: Pointer, offset: number): string[] {
    const block = this.#graph.blockAt(base);
    if (block === null) return [`${label}=${hex(base)} is not in the Go heap`];
    const { ints } = this.#spans;
    const start = this.#arena.pageAddress(ints[block.span + START]);
    const lines = [
      `${label}=${hex(base)} k=${hex(Math.floor(base / PAGE_BYTES))}` +
      ` s.start*_PageSize=${hex(start)} s.limit=${
        hex(start + this.#spans.limitBytes(block.span))
      }` +
      ` s.sizeclass=${ints[block.span + CLASS]} s.elemsize=${block.bytes}`,
    ];
    const { pointerBytes } = this.#arena.platform;
    let wasLeftOut = false;
    for (let at = 0; at < block.bytes; at += pointerBytes) {
      const isNear = Math.abs(at - offset) < WORDS_AROUND * pointerBytes;
      if (at >= SHOWN_WORDS * pointerBytes && !isNear) {
        wasLeftOut = true;
        continue;
      }
      if (wasLeftOut) lines.push(" ...");
      wasLeftOut = false;
      const value = hex(this.#graph.word(this.#arena.memoryAt(base), base + at));
      lines.push(` *(${label}+${at}) = ${value}${at === offset ? " <==" : ""}`);
    }
    return lines;
  }
}

/** A set of blocks, by their addresses. */
class GranuleSet {
  readonly #start: Pointer;
  readonly #bits: Uint8Array;

  constructor(arena: Arena) {
    this.#start = arena.start;
    this.#bits = new Uint8Array((arena.used - arena.start) / (8 << GRANULE_SHIFT));
  }

  has(base: Pointer): boolean {
    const granule = (base - this.#start) / (1 << GRANULE_SHIFT);
    return (this.#bits[Math.floor(granule / 8)] & (1 << (granule % 8))) !== 0;
  }

  /** Adds a block; false if it was there already. */
  add(base: Pointer): boolean {
    if (this.has(base)) return false;
    const granule = (base - this.#start) / (1 << GRANULE_SHIFT);
    this.#bits[Math.floor(granule / 8)] |= 1 << (granule % 8);
    return true;
  }
}

function hex(n: number): string {
  return `0x${n.toString(16)}`;
}
