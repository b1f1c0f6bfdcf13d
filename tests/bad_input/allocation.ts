/**
 * Bad calls of what allocates, looks up and collects.
 *
 * @module
 */

import { GoPanic, GoThrow } from "../../mod.ts";
import {
  type BadCall,
  each,
  makeForeignType,
  NOT_INTEGERS,
  NOT_SIZES,
  NOT_TYPES,
  one,
} from "./bad_call.ts";

const FOREIGN = makeForeignType();

/** Sizes, types and flags that are none. */
export const ALLOCATION: BadCall[] = [
  ...each(
    "mallocgc",
    "size",
    NOT_SIZES.filter((size) => typeof size !== "bigint"),
    (heap, bad) => {
      // There are blocks for "64", if that were a size.
      heap.rawmem(64);
      return heap.mallocgc(bad, null, 1);
    },
  ),
  // The quickest way there is asks for the size by arithmetic only.
  one(
    "mallocgc of a bigint",
    TypeError,
    ["BigInt"],
    (heap) => heap.mallocgc(8n as never, null, 1),
  ),
  ...each(
    "mallocgc with pointers",
    "size",
    NOT_SIZES,
    (heap, bad) => heap.mallocgc(bad, heap.types.unsafePointer, 0),
  ),
  ...each(
    "mallocgc",
    "flags",
    [NaN, 1.5, -1, 32, 2 ** 53, "1", null],
    (heap, bad) => heap.mallocgc(8, null, bad),
  ),
  ...each(
    "mallocgc",
    "type",
    [undefined, {}, { size: 4 }, "int", 8],
    (heap, bad) => heap.mallocgc(8, bad, 0),
  ),
  one(
    "mallocgc without a type",
    GoThrow,
    ["malloc missing type"],
    (heap) => heap.mallocgc(8, null),
  ),
  one(
    "mallocgc with another heap's type",
    RangeError,
    ["type", "main.Foreign"],
    (heap) => heap.mallocgc(8, FOREIGN),
  ),
  one(
    "mallocgc of 2^53 - 1 bytes",
    GoThrow,
    ["out of memory"],
    (heap) => heap.rawmem(Number.MAX_SAFE_INTEGER),
  ),
  ...each("newobject", "type", NOT_TYPES, (heap, bad) => heap.newobject(bad)),
  one(
    "newobject of another heap's type",
    RangeError,
    ["type", "main.Foreign"],
    (heap) => heap.newobject(FOREIGN),
  ),
  ...each("newarray", "type", NOT_TYPES, (heap, bad) => heap.newarray(bad, 1)),
  ...each(
    "newarray",
    "n",
    [...NOT_INTEGERS, undefined],
    (heap, bad) => heap.newarray(heap.types.int, bad),
  ),
  ...[-1, 2 ** 34 + 1, 2 ** 52].map((n) =>
    one(
      `newarray of ${n}`,
      GoPanic,
      ["runtime: allocation size out of range"],
      (heap) => heap.newarray(heap.types.int, n),
    )
  ),
  ...each("rawmem", "size", NOT_SIZES, (heap, bad) => heap.rawmem(bad)),
  ...each("roundupsize", "size", NOT_SIZES, (heap, bad) => heap.roundupsize(bad)),
  ...each(
    "persistentalloc",
    "size",
    NOT_SIZES,
    (heap, bad) => heap.persistentalloc(bad, 8, "other_sys"),
  ),
  ...each(
    "persistentalloc",
    "align",
    [...NOT_SIZES.filter((bad) => bad !== undefined)],
    (heap, bad) => heap.persistentalloc(8, bad, "other_sys"),
  ),
  ...each(
    "persistentalloc",
    "stat",
    ["nonsense", "", null, 3, {}, "toString"],
    (heap, bad) => heap.persistentalloc(8, 8, bad),
  ),
  one(
    "persistentalloc aligned to 3",
    GoThrow,
    ["align is not a power of 2"],
    (heap) => heap.persistentalloc(8, 3, "other_sys"),
  ),
  one(
    "persistentalloc aligned to 16384",
    GoThrow,
    ["align is too large"],
    (heap) => heap.persistentalloc(8, 16384, "other_sys"),
  ),
];

/** Addresses that are none. */
export const LOOKUPS: BadCall[] = [
  ...each("findObject", "p", NOT_SIZES, (heap, bad) => heap.findObject(bad)),
  ...each("mlookup", "p", NOT_SIZES, (heap, bad) => heap.mlookup(bad)),
];

/** Settings of the collector that are none. */
export const COLLECTION: BadCall[] = [
  ...each("gogc", "force", [-1, 3, ...NOT_INTEGERS, undefined], (heap, bad) => heap.gogc(bad)),
  ...each(
    "SetGCPercent",
    "percent",
    [...NOT_INTEGERS, 2 ** 31, -(2 ** 31) - 1, undefined],
    (heap, bad) => heap.SetGCPercent(bad),
  ),
];
