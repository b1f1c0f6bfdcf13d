/**
 * Span records: what is known of a span, and the lists it can be in.
 *
 * A span is a run of pages: cut into blocks of one size class, holding one large object, or free. Its
 * record is 32 int32 (128 bytes) in one shared table. A record is named by the offset of its first
 * field, its *handle*, so that a field is one addition away: `ints[span + START]`.
 *
 * ```
 *   +0  NEXT ─┐ the list it is in       +10 FREE_BLOCKS  on its free list
 *   +1  PREV ─┘                         +11 CHAIN_HEAD   block number + 1, see free_list.ts
 *   +2  START     page number           +12 CHAIN_BLOCKS
 *   +3  PAGES                           +13 SPECIALS     first special record, see gc/specials.ts
 *   +4  STATE     in use, free ...      +14 PAGES_RELEASED
 *   +5  CLASS     0: one large object   +15 FRESH        its free blocks were never used
 *   +6  BLOCKS                          +16 NO_SCAN      no word of it has a type
 *   +7  SWEEPGEN                        +17 NEWEST_SPECIAL
 *   +8  IN_CACHE                        +18 UNUSED_SINCE (float64, ns)
 *   +9  NEED_ZERO                       +20 LIMIT_BYTES  (float64, usable bytes from the start on)
 *                                       +29 COMPRESSION  of its blocks' types, see gccgo/span_types.ts
 *                                       +30 TYPES_DATA   (float64, a type word or a table's address)
 * ```
 *
 * The first records are not spans but the heads of all lists there are, so that a span unlinks itself
 * without asking which list it is in:
 *
 * ```
 *   0            the empty span: what a cache holds when it holds none; always empty, never a block free
 *   1 - 127      free spans of so many pages         128  free spans of 128 pages and more
 *   129 - 255    large objects of 1 - 127 pages      256  large objects of 128 pages and more
 *   257 - 323    central lists, with free blocks     324 - 390  central lists, without, by class
 *   391 ...      spans, in the order in which they were made; this is the order of sweeping
 * ```
 *
 * @module
 */

import { NUM_SIZE_CLASSES } from "./size_classes.ts";

export const NEXT = 0;
export const PREV = 1;
export const START = 2;
export const PAGES = 3;
export const STATE = 4;
export const CLASS = 5;
export const BLOCKS = 6;
export const SWEEPGEN = 7;
export const IN_CACHE = 8;
export const NEED_ZERO = 9;
export const FREE_BLOCKS = 10;
export const CHAIN_HEAD = 11;
export const CHAIN_BLOCKS = 12;
export const SPECIALS = 13;
export const PAGES_RELEASED = 14;
export const FRESH = 15;
/** A large object without pointers, or small ones whose types are all dead, and need not be written for another. */
export const NO_SCAN = 16;
export const NEWEST_SPECIAL = 17;
/** Offsets of the float64 fields, in int32 units like the others; see {@linkcode SpanTable.floats}. */
export const UNUSED_SINCE = 18;
export const LIMIT_BYTES = 20;
/** How the types of the blocks are kept, and where; see gccgo/span_types.ts. */
export const COMPRESSION = 29;
export const TYPES_DATA = 30;

// What the functions below use is not exported itself: an exported constant is read and checked at each use.
const SHIFT = 5;
const LONGEST = 128;

/** log2 of the int32 in a record. */
export const RECORD_SHIFT = SHIFT;
export const RECORD_INTS = 1 << RECORD_SHIFT;
/** States of a span. */
export const IN_USE = 0;
export const FREE = 2;
export const DEAD = 4;
/** It held an object, and is never used again: efence. In no list, neither in use nor free. */
export const FENCED = 5;

/** What freed memory is overwritten with, where that was asked for. */
export const POISON = 0xdb;

/** COMPRESSION: no block has a type, as in every span of a heap that follows gc. */
export const TYPES_EMPTY = 0;
export const TYPES_SINGLE = 1;
export const TYPES_WORDS = 2;
export const TYPES_BYTES = 3;

/** Lists of free and of large spans go by page count up to this; the last takes all that are longer. */
export const MAX_LIST_PAGES = LONGEST;

/** The dummy span that a cache holds in place of none. */
export const EMPTY_SPAN = 0;
const FIRST_BUSY = LONGEST;
const FIRST_NONEMPTY = FIRST_BUSY + LONGEST + 1;
const FIRST_EMPTY = FIRST_NONEMPTY + NUM_SIZE_CLASSES;
/** How many records are list heads: the first span comes behind them. */
export const LIST_HEADS = FIRST_EMPTY + NUM_SIZE_CLASSES;

/** Head of the list of free spans of `pages` pages. */
export function freeList(pages: number): number {
  return (pages < LONGEST ? pages : LONGEST) << SHIFT;
}

/** Head of the list of large objects of `pages` pages. */
export function busyList(pages: number): number {
  return (FIRST_BUSY + (pages < LONGEST ? pages : LONGEST)) << SHIFT;
}

/** Head of the central list of spans of `cls` that have free blocks. */
export function nonemptyList(cls: number): number {
  return (FIRST_NONEMPTY + cls) << SHIFT;
}

/** Head of the central list of spans of `cls` that have none, or whose free blocks a cache has. */
export function emptyList(cls: number): number {
  return (FIRST_EMPTY + cls) << SHIFT;
}

/** The heap's sweep generation: a span at it is swept, at one less being swept, at two less to be swept. */
export const HEAP_SWEEPGEN = 0;
/** 1 if no span is left to be swept. */
export const SWEEP_DONE = 1;
/** The next record to be looked at by the sweep in global order. */
export const SWEEP_POSITION = 2;
/** How many records there were when that sweep began. */
export const SWEEP_RECORDS = 3;
