/**
 * The flags of mallocgc, in seed A's numbering for both seeds.
 *
 * @module
 */

/** The object has no pointers: the collector need not look into it. */
export const FlagNoScan = 1;
/** The allocation is not sampled for the memory profile. */
export const FlagNoProfiling = 2;
/** The object is neither scanned nor freed by the collector. */
export const FlagNoGC = 4;
/** The memory need not be zeroed. */
export const FlagNoZero = 8;
/** The allocation does not start a collection. */
export const FlagNoInvokeGC = 16;
