/**
 * purgecachedstats: what a thread has counted in its own cache is added to the heap's statistics.
 *
 * @module
 */

import * as statistics from "../arena/stats.ts";
import type { Cache } from "./cache.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { HEAP_ALLOC, TINY_ALLOCS } = statistics;

/**
 * Adds up bytes allocated, objects in tiny blocks and lookups, and begins anew; seeds' purgecachedstats. Frees are
 * not counted by thread here. Whoever calls this moves HEAP_ALLOC, so a collection may be due after it.
 */
export function purgeCachedStats(cache: Cache, stats: Float64Array): void {
  stats[HEAP_ALLOC] += cache.takeCacheAlloc();
  stats[TINY_ALLOCS] += cache.takeTinyAllocs();
  cache.purgeLookups(stats);
}
