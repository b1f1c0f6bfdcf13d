/**
 * The heap's running statistics: one Float64Array in shared memory, an offset a figure.
 *
 * Bytes obtained from the system are counted by what they are for ({@linkcode SYS_STATS}); their sum is
 * `Sys`. What a thread allocates is counted in its own cache first (LOCAL_...), so that the fast path
 * writes nothing shared, and is added up when pages change hands, at collections, and when statistics
 * are read. Frees are counted as they happen; allocations are not, they follow from what is there.
 *
 * @module
 */

import { badArgument } from "../errors.ts";

/** One of the accounts for memory obtained from the system, by its name in Go's mstats. */
export type SysStat =
  | "heap_sys"
  | "stacks_sys"
  | "mspan_sys"
  | "mcache_sys"
  | "buckhash_sys"
  | "gc_sys"
  | "other_sys";

/** The accounts, each at its offset in the statistics. */
export const SYS_STATS: readonly SysStat[] = [
  "heap_sys",
  "stacks_sys",
  "mspan_sys",
  "mcache_sys",
  "buckhash_sys",
  "gc_sys",
  "other_sys",
];

const ACCOUNTS: ReadonlyMap<SysStat, number> = new Map(SYS_STATS.map((stat, at) => [stat, at]));

/** Offset of the account `stat` in the statistics; throws a `RangeError` for a name that is none. */
export function sysStat(stat: SysStat): number {
  return ACCOUNTS.get(stat) ?? badArgument("stat", stat, `one of ${SYS_STATS.join(", ")}`);
}

export const HEAP_SYS = 0;
export const STACKS_SYS = 1;
export const MSPAN_SYS = 2;
export const MCACHE_SYS = 3;
export const BUCKHASH_SYS = 4;
export const GC_SYS = 5;
export const OTHER_SYS = 6;
/** Bytes allocated, as far as they have been added up. */
export const HEAP_ALLOC = 7;
/** The collection starts when HEAP_ALLOC reaches this, or the configured minimum if that is more. */
export const NEXT_GC = 8;
export const HEAP_IDLE = 9;
export const HEAP_INUSE = 10;
export const HEAP_RELEASED = 11;
/** Large objects allocated less those freed. */
export const HEAP_OBJECTS = 12;
export const LOOKUPS = 13;
export const TINY_ALLOCS = 14;
export const LARGE_FREE_BYTES = 15;
export const LARGE_FREES = 16;
export const NUM_GC = 17;
export const LAST_GC_NS = 18;
export const PAUSE_TOTAL_NS = 19;
/** Ring of the last 256 pauses, in ns. */
export const PAUSE_NS = 20;
/** How many pauses the rings remember. */
export const PAUSE_RING = 256;
/** When those pauses ended, in ns since 1970. */
export const PAUSE_END_NS = PAUSE_NS + PAUSE_RING;
/** Frees of small blocks, one figure a size class. */
export const SMALL_FREES = PAUSE_END_NS + PAUSE_RING;

/** Makes a heap's statistics, all zero, with room for as many size classes. */
export function makeStats(sizeClasses: number): Float64Array {
  return new Float64Array(new SharedArrayBuffer(8 * (SMALL_FREES + sizeClasses)));
}

/** Bytes obtained from the system in all: the sum of the accounts. */
export function sysBytes(stats: Float64Array): number {
  return SYS_STATS.reduce((sum, _, account) => sum + stats[account], 0);
}
