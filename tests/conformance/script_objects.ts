/**
 * The objects of a running script: where each of them lies, and which are free again.
 *
 * An object counts as freed once its block is on the free list of its span, or the span is gone: no
 * longer in use, or in use for another class. Blocks of a span that has not been swept are not counted
 * yet. Where a block was handed out anew before anybody looked, nobody can tell, and Go's recorder did
 * not either. A tiny object is freed with the block that it lies in.
 *
 * @module
 */

import { PAGE_BYTES } from "../../lib/platform/platform.ts";
import type { Pointer } from "../../mod.ts";
import { expandRuns, type ScriptSpan } from "./script.ts";

/** The offset of an object of no bytes, which lies in no span and so counts as freed at once. */
export const OUTSIDE = -1;

/** An object that a script allocated. */
export interface ScriptObject {
  readonly id: number;
  readonly address: Pointer;
  /** Bytes asked for. */
  readonly size: number;
  /** Its offset from the start of the arena, in bytes, or {@linkcode OUTSIDE}. */
  readonly off: number;
  /** Class of its span, 0 for a large object. */
  readonly cls: number;
  /** Size of its block, in bytes. */
  readonly elem: number;
}

/** Objects by number. */
export class ObjectTable {
  readonly #objects = new Map<number, ScriptObject>();
  readonly #held = new Map<number, ScriptObject>();

  /** Takes note of an object. */
  add(object: ScriptObject): void {
    this.#objects.set(object.id, object);
    this.#held.set(object.id, object);
  }

  /** The object with the number `id`. */
  get(id: number): ScriptObject {
    const object = this.#objects.get(id);
    if (object === undefined) throw new RangeError(`the script has not allocated ${id}`);
    return object;
  }

  /** Numbers of the objects that have become free since the last call, in ascending order. */
  freedSince(spans: readonly ScriptSpan[]): number[] {
    const inUse = spans.filter((span) => span.state === "inuse");
    const freeBlocks = inUse.map((span) => new Set(expandRuns(span.freelist ?? [])));
    const freed: number[] = [];
    for (const object of this.#held.values()) {
      const at = spanOf(object, inUse);
      const block = at < 0
        ? 0
        : Math.floor((object.off - inUse[at].page * PAGE_BYTES) / object.elem);
      if (at < 0 || freeBlocks[at].has(block)) freed.push(object.id);
    }
    for (const id of freed) this.#held.delete(id);
    return freed.sort((a, b) => a - b);
  }
}

/** Index of the span that an object's block belongs to, -1 if that span is gone. `spans` are in order. */
function spanOf(object: ScriptObject, spans: readonly ScriptSpan[]): number {
  const page = Math.floor(object.off / PAGE_BYTES);
  const at = spans.findLastIndex((span) => span.page <= page);
  if (at < 0) return -1;
  const span = spans[at];
  const same = page < span.page + span.npages && span.cls === object.cls &&
    (object.cls !== 0 || span.npages * PAGE_BYTES === object.elem && span.page === page);
  return same ? at : -1;
}
