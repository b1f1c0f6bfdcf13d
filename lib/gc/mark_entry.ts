/**
 * What the queue of marking is made of (mark_queue.ts), for its hot users to have as constants of their own.
 *
 * ```
 *   an entry, an int32:      │ 0 │ more 5 │ page in region 7 │ block in span 10 │ class 7 │
 *                               a run of blocks: how many follow the first one, all in one int32 of marks;
 *                               the first one: its span's first page, its number, its class
 *                               pages of a large object, yet to be followed: 0, the first of them, 1, 0
 *
 *   a chunk, 256 int32:      │ next chunk │ entry │ entry │ ...                      │ entry │
 *                                  │          ▲                      ▲
 *   a region, two int32:           │          HEAD: taken next       TAIL: put next, here or in a later chunk
 *                                  ▼
 * ```
 *
 * HEAD and TAIL are places in the one array of all chunks. Both are 0 for a region with nothing queued, which has
 * no chunk; a TAIL at the end of its chunk is a multiple of 256, so that one test sees both.
 *
 * @module
 */

/** log2 of the pages in a region. */
export const REGION_SHIFT = 7;
/** Where the page in the region, the page's part of 32 blocks, and the block begin in an entry. */
export const ENTRY_PAGE_SHIFT = 17;
export const ENTRY_WORD_SHIFT = 12;
export const ENTRY_BLOCK_SHIFT = 7;
/** log2 of the blocks of a group: their marks are in one int32. */
export const GROUP_SHIFT: number = ENTRY_WORD_SHIFT - ENTRY_BLOCK_SHIFT;
/** Where the number of further blocks begins. */
export const ENTRY_MORE_SHIFT = 24;
/** The class in an entry. */
export const ENTRY_CLASS_MASK = (1 << ENTRY_BLOCK_SHIFT) - 1;
/** An entry of the first block alone. */
export const ENTRY_FIRST_MASK: number = (1 << ENTRY_MORE_SHIFT) - 1;
/** Where two entries differ whose blocks do not share an int32 of marks. */
export const ENTRY_WORD_MASK: number = (1 << ENTRY_MORE_SHIFT) - (1 << ENTRY_WORD_SHIFT);
/** The block number of pages of a large object. */
export const LARGE_REST = 1;

/** int32 in a chunk. */
export const CHUNK = 256;
/** A place is at the end of its chunk, or none at all, where these bits are 0. */
export const CHUNK_MASK: number = CHUNK - 1;

/** Layout of a region. */
export const REGION_INTS = 2;
export const HEAD = 0;
export const TAIL = 1;
