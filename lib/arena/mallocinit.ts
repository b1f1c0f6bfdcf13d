/**
 * mallocinit: finds a place for the arena and what describes it.
 *
 * ```
 *   reserved: spans, bitmap, arena, and a page more, since the system's pages may be smaller than ours
 *
 *   base ├ unaligned ┤ spans │ bitmap │ arena ...                             │
 *                    p1               arena_start = arena_used                arena_end = base + bytes
 *
 *                        spans     bitmap     arena
 *   64-bit               128 MiB   8 GiB      128 GiB   at a heap base of the platform, or not at all
 *   64-bit, windows      32 MiB    2 GiB      32 GiB
 *   32-bit               1 MiB     256 MiB    512 MiB   somewhere behind the program's image
 *   64-bit, none free    2 MiB     128 MiB    512 MiB   the same way
 * ```
 *
 * On 32-bit spans and bitmap are large enough for 2 GiB of addresses, {@linkcode MAX_ARENA_32_BYTES}, and the
 * arena is what is reserved to begin with: it grows by more reservations, and in the end by any memory that
 * the system has within these 2 GiB. See arena.ts.
 *
 * A limit of at most 1 GiB makes a 64-bit heap go the 32-bit way too. Where spans, bitmap and arena would
 * exceed the limit, a ninth of it goes to the bitmap and eight times that to the arena.
 *
 * @module
 */

import { badArgument, GoThrow } from "../errors.ts";
import type { AddressSpace } from "../platform/address_space.ts";
import { PAGE_BYTES, type Platform, type Pointer } from "../platform/platform.ts";

/** The addresses that an arena can have which was not reserved whole: all from its start on. */
export const MAX_ARENA_32_BYTES = 2 ** 31;

/** A limit up to this is too small for a reservation of the 64-bit kind. */
const MAX_LIMIT_32_BYTES = 2 ** 30;
/** The arena begins so far behind the image at least, at a multiple of 1 MiB. */
const IMAGE_DISTANCE_BYTES = 2 ** 18;
const HINT_ALIGN = 2 ** 20;
const BITMAP_BITS_PER_WORD = 4;

/** What was reserved for an arena. */
export interface ArenaReservation {
  /** The reservation, spans and bitmap included: its first address and its length. */
  readonly base: Pointer;
  readonly bytes: number;
  /** Where the arena begins. */
  readonly start: Pointer;
}

/** How much of a reservation is what. */
interface Sizes {
  readonly spansBytes: number;
  readonly bitmapBytes: number;
  readonly arenaBytes: number;
}

/**
 * Reserves an arena for a heap on `platform`, which may have `limitBytes` bytes of addresses in all (Infinity: as
 * many as there are); throws if `space` has no place for it. Seeds' mallocinit.
 */
export function mallocinit(
  platform: Platform,
  space: AddressSpace,
  limitBytes: number,
): ArenaReservation {
  const isLong = limitBytes > MAX_LIMIT_32_BYTES;
  const reservation = (isLong ? reserveWhole(platform, space) : null) ??
    reserveFirstPart(platform, space, limitBytes);
  if (reservation === null) {
    throw new GoThrow("runtime: cannot reserve arena virtual address space");
  }
  if (reservation.start % PAGE_BYTES !== 0) {
    throw new GoThrow("misrounded allocation in mallocinit");
  }
  return reservation;
}

/** All of a 64-bit arena, at the first heap base that is free; null if there is none. */
function reserveWhole(platform: Platform, space: AddressSpace): ArenaReservation | null {
  const arenaBytes = platform.maxMemBytes;
  const sizes = sizesFor(platform, arenaBytes, arenaBytes);
  for (const hint of platform.heapBases) {
    const reservation = reserve(platform, space, hint, sizes);
    if (reservation !== null) return reservation;
  }
  return null;
}

/** The beginning of an arena behind the image, as large as can be had; null if there is no room for it. */
function reserveFirstPart(
  platform: Platform,
  space: AddressSpace,
  limitBytes: number,
): ArenaReservation | null {
  const hint = roundUp(platform.imageEnd + IMAGE_DISTANCE_BYTES, HINT_ALIGN);
  for (const firstBytes of platform.firstArenaBytes) {
    const sizes = limitSizes(
      platform,
      limitBytes,
      sizesFor(platform, MAX_ARENA_32_BYTES, firstBytes),
    );
    const reservation = reserve(platform, space, hint, sizes);
    if (reservation !== null) return reservation;
  }
  return null;
}

/** Spans and bitmap for `coveredBytes` bytes of arena, of which there are `arenaBytes` to begin with. */
function sizesFor(platform: Platform, coveredBytes: number, arenaBytes: number): Sizes {
  return {
    spansBytes: (coveredBytes / PAGE_BYTES) * platform.pointerBytes,
    bitmapBytes: coveredBytes / ((platform.pointerBytes * 8) / BITMAP_BITS_PER_WORD),
    arenaBytes,
  };
}

/** The same, or what fits in the limit. Eight bytes of arena to a byte of bitmap are what 4-byte words need. */
function limitSizes(platform: Platform, limitBytes: number, sizes: Sizes): Sizes {
  const bytes = sizes.arenaBytes + sizes.bitmapBytes + sizes.spansBytes;
  if (bytes <= limitBytes) return sizes;
  const bitmapBytes = Math.floor(limitBytes / 9 / PAGE_BYTES) * PAGE_BYTES;
  const arenaBytes = 8 * bitmapBytes;
  return { spansBytes: (arenaBytes / PAGE_BYTES) * platform.pointerBytes, bitmapBytes, arenaBytes };
}

function reserve(
  platform: Platform,
  space: AddressSpace,
  hint: Pointer,
  sizes: Sizes,
): ArenaReservation | null {
  const spansBytes = roundUp(sizes.spansBytes, PAGE_BYTES);
  const bytes = spansBytes + sizes.bitmapBytes + sizes.arenaBytes + PAGE_BYTES;
  const base = space.reserve(hint, bytes, platform.addressEnd);
  if (base === 0) return null;
  if (base + bytes > platform.addressEnd) {
    space.free(base, bytes);
    badArgument("addressSpace", base, `one that gives out addresses of ${platform.name}`);
  }
  return { base, bytes, start: roundUp(base, PAGE_BYTES) + spansBytes + sizes.bitmapBytes };
}

/** The next multiple of `to`. */
export function roundUp(n: number, to: number): number {
  return Math.ceil(n / to) * to;
}
