/**
 * The form of an allocation script: operations, and what real Go 1.4.3 (linux/amd64, one P) did at each.
 *
 * An operation is a list that begins with its name. Objects have numbers; a table of roots, indexed by
 * these numbers, keeps them. `zone` below is the arena: Go ran a script in virgin memory above its older
 * heap, and addresses are counted from where that began, as ours are from the start of the arena.
 *
 * ```
 *   ["a", id, size, kind]      allocate, put into roots[id]     ["gc", 0]      collect, sweep eagerly
 *   ["l", id, slot, id2]       id.slot = id2                    ["gclazy", 0]  collect, sweep lazily
 *   ["li", id, slot, id2, off] id.slot = id2 + off              ["chk", 0]     look
 *   ["u", id, slot]            id.slot = nil                    ["ms", 0]      ReadMemStats
 *   ["d", id]                  roots[id] = nil                  ["snap", 0]    the whole state
 *   ["r", id]                  roots[id] = id                   ["run", 0]     run finalizers
 *   ["ri", id, off]            roots[id] = id + off             ["trig", 0, n] next_gc = heap_alloc + n
 *   ["fill", id]               every word = 0x1111111111111111  ["sf", id, mode], ["cf", id]
 *   ["zero?", id]              count words that are not 0       ["peek", id, slot]
 * ```
 *
 * @module
 */

/** One operation; the offsets of "li" are strings in the data. */
export type Op = readonly [name: string, id: number, ...rest: (number | string)[]];

/** Numbers, where consecutive ones may be given as [first, last], upward or downward. */
export type Runs = readonly (number | readonly [number, number])[];

/** What the runner needs to know of a span in a snapshot; the rest is compared as it is. */
export interface ScriptSpan {
  page: number;
  npages: number;
  state: string;
  cls?: number;
  nfree?: number;
  freelist?: Runs;
}

/** What the runner needs to know of a snapshot; the rest is compared as it is. */
export interface ScriptSnapshot {
  stats: { heap_alloc: number; heap_alloc_total: number };
  spans: readonly ScriptSpan[];
}

/** What an operation showed; which fields there are depends on the operation. */
export interface Expectation {
  freed?: Runs;
  spans?: readonly ScriptSpan[];
  [field: string]: unknown;
}

/** One script. */
export interface Script {
  name: string;
  description: string;
  gogc: number;
  baseline: { heap_alloc: number; next_gc: number };
  freelists_recorded: boolean;
  ops: readonly Op[];
  expect: readonly (Expectation | null)[];
}

/** Writes runs out as single numbers. */
export function expandRuns(runs: Runs): number[] {
  return runs.flatMap((run) => {
    if (typeof run === "number") return run;
    const [first, last] = run;
    const step = first <= last ? 1 : -1;
    return Array.from({ length: Math.abs(last - first) + 1 }, (_, i) => first + i * step);
  });
}
