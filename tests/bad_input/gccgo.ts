/**
 * Bad calls of what only a heap that follows gccgo has, and of a heap that does not.
 *
 * @module
 */

import { FlagNoGC, FlagNoScan, type GoHeap, GoPanic, GoThrow, TypeInfo } from "../../mod.ts";
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

const DOORS: Record<string, (heap: GoHeap) => unknown> = {
  mal: (heap) => heap.mal(8),
  cnew: (heap) => heap.cnew(heap.types.int),
  cnewarray: (heap) => heap.cnewarray(heap.types.int, 1),
  settype: (heap) => heap.settype(heap.newobject(heap.types.string), heap.types.string),
  gettype: (heap) => heap.gettype(heap.newobject(heap.types.string)),
  cgocall: (heap) => heap.cgocall(() => 0),
};

/** Calls that a heap which follows gc refuses. */
export const GCCGO_OF_GC: BadCall[] = Object.entries(DOORS).map(([method, call]) =>
  one(`${method} of a heap that follows gc`, RangeError, ["compiler", "gccgo"], call)
);

/** Arguments of settype that no object is behind. */
const NO_OBJECTS: Record<string, (heap: GoHeap) => number> = {
  "nil": () => 0,
  "an address outside the arena": () => 4096,
  "the middle of an object": (heap) => heap.mal(48) + 8,
  "an object without pointers": (heap) => heap.mallocgc(48, null, FlagNoScan),
  "an object that is never freed": (heap) => heap.mallocgc(48, null, FlagNoGC),
  "a block that was never used": (heap) => heap.mal(6000) + heap.roundupsize(6000),
  "the slack behind a large object": (heap) => heap.mal(40000) + 40960,
};

/** Calls that a heap which follows gccgo refuses. */
export const GCCGO: BadCall[] = [
  ...each("mallocgc", "size", NOT_SIZES, (heap, bad) => heap.mallocgc(bad, null, 0)),
  ...each(
    "mallocgc",
    "flags",
    [NaN, 1.5, -1, 32, 2 ** 53, "1", null],
    (heap, bad) => heap.mallocgc(8, null, bad),
  ),
  ...each("mallocgc", "type", [undefined, {}, "int", 8], (heap, bad) => heap.mallocgc(8, bad, 0)),
  ...each("rawmem", "size", NOT_SIZES, (heap, bad) => heap.rawmem(bad)),
  ...each("mal", "size", NOT_SIZES, (heap, bad) => heap.mal(bad)),
  one(
    "mal of 2^53 - 1 bytes",
    GoThrow,
    ["out of memory"],
    (heap) => heap.mal(Number.MAX_SAFE_INTEGER),
  ),
  ...["newobject", "cnew"].flatMap((method) => [
    ...each(method, "type", NOT_TYPES, (heap, bad) => heap[method as "cnew"](bad)),
    one(
      `${method} of another heap's type`,
      RangeError,
      ["type", "main.Foreign"],
      (heap) => heap[method as "cnew"](FOREIGN),
    ),
  ]),
  ...["newarray", "cnewarray"].flatMap((method) => [
    ...each(method, "type", NOT_TYPES, (heap, bad) => heap[method as "cnewarray"](bad, 1)),
    ...each(
      method,
      "n",
      [...NOT_INTEGERS, undefined],
      (heap, bad) => heap[method as "cnewarray"](heap.types.string, bad),
    ),
    ...[-1, 2 ** 33 + 1, 2 ** 52].map((n) =>
      one(
        `${method} of ${n}`,
        GoPanic,
        ["runtime: allocation size out of range"],
        (heap) => heap[method as "cnewarray"](heap.types.string, n),
      )
    ),
  ]),
  ...each("settype", "p", NOT_SIZES, (heap, bad) => heap.settype(bad, heap.types.string)),
  ...Object.entries(NO_OBJECTS).map(([what, address]) =>
    one(
      `settype of ${what}`,
      RangeError,
      ["p", "the beginning of an object that is to be scanned"],
      (heap) => heap.settype(address(heap), heap.types.string),
    )
  ),
  ...each("settype", "type", NOT_TYPES, (heap, bad) => heap.settype(heap.mal(48), bad)),
  one(
    "settype of a type that is too large",
    RangeError,
    ["type", "at most 48 bytes"],
    (heap) => heap.settype(heap.mal(48), heap.types.array(heap.types.string, 4)),
  ),
  one(
    "settype of a channel that is none",
    RangeError,
    ["type", "channel"],
    (heap) => heap.settype(heap.mal(48), heap.types.string, TypeInfo.Chan),
  ),
  ...each(
    "settype",
    "info",
    [NaN, 1.5, "1", null, {}, 3, 7],
    (heap, bad) => heap.settype(heap.mal(48), heap.types.string, bad),
  ),
  ...[8, -1, 2 ** 33].map((info) =>
    one(
      `settype with info ${info}`,
      GoThrow,
      ["runtime: invalid objtyp"],
      (heap) => heap.settype(heap.mal(48), heap.types.string, info as TypeInfo),
    )
  ),
  ...each("gettype", "p", NOT_SIZES, (heap, bad) => heap.gettype(bad)),
  one("cgocall of what throws", SyntaxError, ["mine"], (heap) =>
    heap.cgocall(() => {
      throw new SyntaxError("mine");
    })),
  ...each("cgocall", "fn", [null, undefined, {}, "f", 8], (heap, bad) => heap.cgocall(bad)),
];
