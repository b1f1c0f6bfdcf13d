/**
 * Finalizer cycles: objects that are never freed.
 *
 * What an object with a finalizer refers to is kept alive for the call, and the object itself is not, so that of
 * A ─▶ B, both with finalizers, A goes first and B after it. If B also refers to A, each keeps the other alive:
 * neither is ever finalized, nor freed, nor anything that they refer to. There is no order that would be right,
 * and Go leaves them where they are without a word. They are leaks, so they can be asked for here.
 *
 * A cycle is a set of objects that nobody can reach any more, each of which leads to every other, with a finalizer
 * on at least one of them: a strongly connected component of the graph of what is kept alive by finalizers alone.
 * The object graph finds them, of a dump as well ({@linkcode ObjectGraph.finalizerCycles}).
 *
 * @module
 */

import type { Pointer } from "../platform/platform.ts";
import type { GoType } from "../types/go_type.ts";
import { liveGraph } from "./live_graph.ts";
import type { LiveHeap } from "./live_heap.ts";

/** An object of a cycle. */
export interface FinalizerCycleObject {
  /** Its address. */
  readonly address: Pointer;
  /** The bytes of its block. */
  readonly size: number;
  /** The type its finalizer was set with, as in `"main.Node"`; null if it has no finalizer: the heap keeps no other. */
  readonly type: GoType | null;
}

/** Objects that lead to each other and that no finalizer will ever be called for, by address. */
export type FinalizerCycle = readonly FinalizerCycleObject[];

/** The cycles of a heap. */
export function findFinalizerCycles(heap: LiveHeap): FinalizerCycle[] {
  const types = new Map<Pointer, GoType | null>();
  heap.forEachFinalizer((p, { object }) => types.set(p, object.elem));
  return liveGraph(heap).finalizerCycles().map((objects) =>
    objects.map(({ address, size }) => ({ address, size, type: types.get(address) ?? null }))
  );
}
