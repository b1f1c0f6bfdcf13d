/**
 * Bad loads and stores.
 *
 * @module
 */

import type { GoHeap } from "../../mod.ts";
import {
  type BadCall,
  each,
  makeForeignType,
  NOT_INTEGERS,
  NOT_SIZES,
  NOT_TYPES,
  one,
} from "./bad_call.ts";

type AccessName = Extract<keyof GoHeap, `load${string}` | `store${string}`>;

/** Loads and stores with the bytes they take and a value that is right. */
const ACCESS: {
  name: AccessName;
  bytes: number;
  value?: number | bigint;
  badValues?: unknown[];
}[] = [
  { name: "loadPointer", bytes: 8 },
  { name: "loadUint8", bytes: 1 },
  { name: "loadInt8", bytes: 1 },
  { name: "loadUint16", bytes: 2 },
  { name: "loadInt16", bytes: 2 },
  { name: "loadUint32", bytes: 4 },
  { name: "loadInt32", bytes: 4 },
  { name: "loadFloat32", bytes: 4 },
  { name: "loadFloat64", bytes: 8 },
  { name: "loadBig64", bytes: 8 },
  { name: "storePointer", bytes: 8, value: 0, badValues: NOT_SIZES },
  { name: "storeUint8", bytes: 1, value: 1, badValues: [256, -1, ...NOT_INTEGERS] },
  { name: "storeInt8", bytes: 1, value: 1, badValues: [128, -129, ...NOT_INTEGERS] },
  { name: "storeUint16", bytes: 2, value: 1, badValues: [65536, -1, ...NOT_INTEGERS] },
  { name: "storeInt16", bytes: 2, value: 1, badValues: [32768, -32769, ...NOT_INTEGERS] },
  { name: "storeUint32", bytes: 4, value: 1, badValues: [2 ** 32, -1, ...NOT_INTEGERS] },
  { name: "storeInt32", bytes: 4, value: 1, badValues: [2 ** 31, -(2 ** 31) - 1, ...NOT_INTEGERS] },
  { name: "storeFloat32", bytes: 4, value: 1, badValues: ["1", null, undefined, 1n, {}] },
  { name: "storeFloat64", bytes: 8, value: 1, badValues: ["1", null, undefined, 1n, {}] },
  {
    name: "storeBig64",
    bytes: 8,
    value: 1n,
    badValues: [2n ** 64n, -(2n ** 63n) - 1n, 1, "1", null, undefined, {}],
  },
];

/** An address just past the last mapped page of the arena. */
function arenaEnd(heap: GoHeap): number {
  const { arena_used } = heap.snapshot();
  return 0xc208000000 + arena_used;
}

/** Loads and stores, of every size, nowhere and unaligned, and values that do not fit. */
export const MEMORY: BadCall[] = ACCESS.flatMap(({ name, bytes, value, badValues = [] }) => {
  const access = (heap: GoHeap, p: number, v: unknown = value) =>
    (heap[name] as (p: number, value: unknown) => unknown).call(heap, p, v);
  const store = (heap: GoHeap, bad: unknown) =>
    (heap[name] as (p: number, value: unknown) => unknown).call(heap, heap.rawmem(64), bad);
  return [
    ...each(
      name,
      "p",
      [0, 1, 0x5000, 0xc000000000, ...NOT_SIZES],
      (heap, bad) => access(heap, bad),
    ),
    ...each(
      name,
      "value",
      badValues,
      store,
    ),
    one(
      `${name} behind the arena`,
      RangeError,
      ["p", "0x"],
      (heap) => access(heap, arenaEnd(heap)),
    ),
    ...bytes === 1 ? [] : [
      one(
        `${name} at an odd address`,
        RangeError,
        ["p", `multiple of ${bytes}`],
        (heap) => access(heap, heap.rawmem(64) + 1),
      ),
      one(
        `${name} across the arena's end`,
        RangeError,
        ["p"],
        (heap) => access(heap, arenaEnd(heap) - bytes / 2),
      ),
    ],
  ];
});

/** Views. */
export const BYTES: BadCall[] = [
  ...each("bytes", "p", [0, 0x5000, ...NOT_SIZES], (heap, bad) => heap.bytes(bad, 8)),
  ...each("bytes", "n", NOT_SIZES, (heap, bad) => heap.bytes(heap.rawmem(64), bad)),
  one(
    "bytes across the arena's end",
    RangeError,
    ["p"],
    (heap) => heap.bytes(heap.rawmem(64), 2 ** 30),
  ),
];

const FOREIGN = makeForeignType();
const NOT_PLACES = [0, 0x5000, ...NOT_SIZES];

/** A place for four pointers. */
function place(heap: GoHeap): number {
  return heap.newarray(heap.types.unsafePointer, 4);
}

/** Copies of typed values: of what is no type, from and to nowhere, and too many. */
export const COPIES: BadCall[] = [
  ...each(
    "typedmemmove",
    "type",
    NOT_TYPES,
    (heap, bad) => heap.typedmemmove(bad, place(heap), place(heap)),
  ),
  ...each(
    "typedmemmove",
    "dst",
    NOT_PLACES,
    (heap, bad) => heap.typedmemmove(heap.types.string, bad, place(heap)),
  ),
  ...each(
    "typedmemmove",
    "src",
    NOT_PLACES,
    (heap, bad) => heap.typedmemmove(heap.types.string, place(heap), bad),
  ),
  one(
    "typedslicecopy of another heap's type",
    RangeError,
    ["type", "main.Foreign"],
    (heap) => heap.typedslicecopy(FOREIGN, place(heap), place(heap), 1),
  ),
  ...each(
    "typedslicecopy",
    "n",
    NOT_SIZES,
    (heap, bad) => heap.typedslicecopy(heap.types.string, place(heap), place(heap), bad),
  ),
  one(
    "typedslicecopy across the arena's end",
    RangeError,
    ["src", "2147483648 bytes"],
    (heap) => heap.typedslicecopy(heap.types.unsafePointer, place(heap), place(heap), 2 ** 28),
  ),
  one(
    "typedslicecopy to an odd address",
    RangeError,
    ["dst", "multiple of 8"],
    (heap) => heap.typedslicecopy(heap.types.unsafePointer, place(heap) + 4, place(heap), 1),
  ),
];
