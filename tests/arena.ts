/**
 * Where the arena of a heap begins, for tests that compare addresses with what a snapshot says.
 *
 * @module
 */

import type { Pointer } from "../mod.ts";

/** linux/amd64 lays the span table (128 MiB) and the bitmap (8 GiB) between the heap base and the arena. */
const FIRST_ARENA = 0xc2_0800_0000;
const BETWEEN_HEAP_BASES = 2 ** 40;

/** The start of the arena that the block at `address` lies in, on linux/amd64. */
export function arenaStartOf(address: Pointer): Pointer {
  return address - address % BETWEEN_HEAP_BASES + FIRST_ARENA;
}
