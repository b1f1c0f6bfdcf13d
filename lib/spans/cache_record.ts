/**
 * What is in a thread's cache, by offset.
 *
 * ```
 *   floats, 8 a class                                       ints, 4 a class
 *   +0 CURSOR       address of the next block               +0 SPAN
 *   +1 STOP         where taking blocks at once ends        +1 START_PAGE  of the span
 *   +2 BLOCK_BYTES                                          +2 TYPES       first int32 of the span's types
 *   +3 PATTERN      whose types the run has already         +3 CONTENTS    what the run's blocks hold
 *   +4 END          where the run ends
 *   +5 BASE         address of the span
 *   +6 COUNTED      up to where local bytes are counted
 *   +7 LIMIT        END, or before it: STOP lies no further, and no block behind it is taken unseen
 * ```
 *
 * Class 0 has neither span nor run; its places hold what there is one of:
 *
 * ```
 *   floats  0 CURSOR and 1 STOP: 0 both, so that a request     ints  0 ATTENTION
 *           for no bytes finds that run used up                      1 TINY_LEFT     bytes of the tiny block
 *           2 LOCAL_TAKEN                                              2 TINY_OBJECTS  that were added to
 *           3 SPARE                                                      blocks, not counted elsewhere yet
 *           4 TINY_END       of the tiny block, and a half: see memory_access.ts
 *           5 LOCAL_CACHE_ALLOC
 *           6 LOCAL_LOOKUPS
 *           7 TAKEN          what the slow path has allocated
 * ```
 *
 * An allocation that finds CURSOR before STOP, and the types it needs in PATTERN, has nothing else to look
 * at. So STOP is LIMIT only where that is true: it is CURSOR, and every allocation takes the slow path, where
 * blocks have to be cleared one by one, and everywhere as long as ATTENTION is not 0. Whatever wants to see
 * allocations sets a bit there; heaps which do not ask for it pay nothing.
 *
 * The memory profile wants to see only the allocation at which its next sample is due: LIMIT is as far as it
 * cannot be. A new run has its LIMIT at END if SPARE, the bytes that are promised to no run, suffices for all of it,
 * else before its first block. In heaps without a profile SPARE is infinite, and LIMIT is END. Invariant: LIMIT is where a block
 * ends, or 0, and never behind END; so whether a block is left can be asked of LIMIT alone.
 *
 * @module
 */

import { NUM_SIZE_CLASSES } from "./size_classes.ts";

/** log2 of the float64 that a class has in a cache: a cache line. */
export const CLASS_SHIFT = 3;
export const CURSOR = 0;
export const STOP = 1;
export const BLOCK_BYTES = 2;
export const PATTERN = 3;
export const END = 4;
export const BASE = 5;
export const COUNTED = 6;
export const LIMIT = 7;
/** float64 in a cache. */
export const FLOATS_LENGTH = NUM_SIZE_CLASSES << CLASS_SHIFT;

/** In the floats, in the place of class 0. */
export const LOCAL_TAKEN = 2;
export const SPARE = 3;
export const TINY_END = 4;
export const LOCAL_CACHE_ALLOC = 5;
export const LOCAL_LOOKUPS = 6;
export const TAKEN = 7;

/** log2 of the int32 that a class has in a cache. */
export const INTS_SHIFT = 2;
export const SPAN = 0;
export const START_PAGE = 1;
export const TYPES = 2;
export const CONTENTS = 3;
/** int32 in a cache. */
export const INTS_LENGTH = NUM_SIZE_CLASSES << INTS_SHIFT;

/** In the ints, in the place of class 0. */
export const ATTENTION = 0;
export const TINY_LEFT = 1;
export const TINY_OBJECTS = 2;

/** PATTERN: the run's blocks are dead, as objects without pointers are. */
export const DEAD_PATTERN = 0;

/** CONTENTS: the run's blocks hold zeroes. */
export const CLEAN = 0;
/** CONTENTS: they hold zeroes since they were cleared for this run, and what they held is kept. */
export const CLEARED = 1;
/** CONTENTS: they hold what their last owners left there. */
export const USED = 2;
/** CONTENTS: the one block there is comes from a chain, and holds what Go's would. */
export const CHAINED = 3;

/** int32 with a bit a class. */
export const CLASS_WORDS = Math.ceil(NUM_SIZE_CLASSES / 32);
