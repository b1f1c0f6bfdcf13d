/**
 * What the heap bitmap says of a block.
 *
 * @module
 */

import { partsOf } from "../lib/go_heap.ts";
import type { GoHeap, Pointer } from "../mod.ts";

/** The type codes of all words of the block that `p` points into: see arena/bitmap.ts. */
export function blockCodes(heap: GoHeap, p: Pointer): number[] {
  const { arena } = partsOf(heap);
  const { base, size, span } = heap.findObject(p)!;
  const types = arena.bitmap.typesOf(span);
  const first = (base - arena.pageAddress(span)) >> arena.wordShift;
  return Array.from(
    { length: size >> arena.wordShift },
    (_, word) => arena.bitmap.typeOf(types, first + word),
  );
}
