/**
 * Special records: what is known of a special, which is a finalizer or a profile sample attached to one block.
 *
 * A record is four int32 of one table, and is named by the offset of its first, its *handle*, as spans are; 0 is
 * no record:
 *
 * ```
 *   +0 NEXT    handle of the next in the span, 0 at the end
 *   +1 OFFSET  bytes from the span's start: of the exact address, which may be inside a tiny block
 *   +2 KIND
 *   +3 DATA    for a finalizer the number of its function, see finalizer_table.ts; for a sample the number
 *              of its bucket, in the profile's
 * ```
 *
 * @module
 */

export const NEXT = 0;
export const OFFSET = 1;
export const KIND = 2;
export const DATA = 3;

/** log2 of the int32 in a record. */
export const RECORD_SHIFT = 2;

export const KIND_FINALIZER = 1;
export const KIND_PROFILE = 2;
