/**
 * What is in a thread's cache, by offset.
 *
 * ```
 *   ints, 8 a class, of which class 0 has none              floats, one a class
 *   +0 CURSOR      offset of the next block, bytes          +0 address of the span
 *   +1 END         where the run ends
 *   +2 BLOCK_BYTES                                          ints, where class 0 would be
 *   +3 CONTENTS    what the run's blocks hold               0 ATTENTION
 *   +4 TYPES       first int32 of the span's types          1 TINY_LEFT   bytes at the tiny block's end
 *   +5 COUNTED     up to where local bytes are counted      2 LOCAL_TINY_ALLOCS
 *   +6 SPAN
 *   +7 START_PAGE  of the span
 * ```
 *
 * ATTENTION is what the allocator looks at before it returns: 0 in almost every call. Whatever wants to see
 * allocations sets a bit, so that heaps which do not ask for it pay for one test in all.
 *
 * @module
 */

import { NUM_SIZE_CLASSES } from "./size_classes.ts";

export const CURSOR = 0;
export const END = 1;
export const BLOCK_BYTES = 2;
export const CONTENTS = 3;
export const TYPES = 4;
export const COUNTED = 5;
export const SPAN = 6;
export const START_PAGE = 7;
/** log2 of the int32 that a class has in a cache. */
export const CLASS_SHIFT = 3;

/** In the ints, in the place of class 0. */
export const ATTENTION = 0;
export const TINY_LEFT = 1;
export const LOCAL_TINY_ALLOCS = 2;

/** CONTENTS: the run's blocks hold zeroes. */
export const CLEAN = 0;
/** CONTENTS: they hold what their last owners left there. */
export const USED = 1;
/** CONTENTS: the one block there is comes from a chain, and holds what Go's would. */
export const CHAINED = 2;

/** In the floats, behind one for each class. */
export const TINY_ADDRESS = NUM_SIZE_CLASSES;
export const LOCAL_CACHE_ALLOC = NUM_SIZE_CLASSES + 1;
export const LOCAL_LOOKUPS = NUM_SIZE_CLASSES + 2;
/** int32 with a bit a class. */
export const CLASS_WORDS = Math.ceil(NUM_SIZE_CLASSES / 32);
/** float64 in a cache. */
export const FLOATS_LENGTH = NUM_SIZE_CLASSES + 3;
