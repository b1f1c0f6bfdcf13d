/**
 * Arithmetic with addresses.
 *
 * @module
 */

import type { Pointer } from "./platform.ts";

/**
 * The address `bytes` bytes behind `p`: that of a field, or of an element. Seeds' add.
 *
 * `p + bytes` is the same number, and takes longer: V8 remembers that all it added were whole numbers, and then makes
 * integers of addresses and addresses of integers. A half between keeps it from that.
 *
 * @example The second word of an object
 * ```ts
 * import { add, GoHeap } from "@goheap/goheap";
 * import { assertEquals } from "@std/assert";
 *
 * using heap = new GoHeap({ platform: "linux/amd64" });
 * const { types } = heap;
 * const pair = types.struct("pair", { first: types.uint64, second: types.uint64 });
 * const p = heap.newobject(pair);
 * heap.storeBig64(add(p, pair.fields[1].offset), 7n);
 * assertEquals(heap.loadBig64(p + 8), 7n);
 * ```
 */
export function add(p: Pointer, bytes: number): Pointer {
  return p + (bytes + 0.5) - 0.5;
}
