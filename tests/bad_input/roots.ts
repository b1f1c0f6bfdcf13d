/**
 * Bad calls of roots and finalizers.
 *
 * @module
 */

import { type Eface, type GoHeap, GoThrow } from "../../mod.ts";
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
const noop = () => {};

function intObject(heap: GoHeap): Eface {
  return { type: heap.types.pointer(heap.types.int), data: heap.rawmem(16) };
}

/** Globals, frames and references. */
export const ROOTS: BadCall[] = [
  ...each("global", "type", NOT_TYPES, (heap, bad) => heap.global(bad)),
  one(
    "global of another heap's type",
    RangeError,
    ["type", "main.Foreign"],
    (heap) => heap.global(FOREIGN),
  ),
  ...each("frame", "slots", NOT_SIZES, (heap, bad) => heap.frame(bad)),
  one(
    "frame with more slots than the stack has",
    GoThrow,
    ["stack overflow", "1099511627776"],
    (heap) => heap.frame(2 ** 40),
  ),
  ...each("ref", "p", NOT_SIZES, (heap, bad) => heap.ref(bad)),
  ...each("frame.set", "i", [-1, 2, ...NOT_INTEGERS, undefined], (heap, bad) => {
    using frame = heap.frame(2);
    frame.set(bad, 0);
  }),
  ...each("frame.get", "i", [-1, 2, ...NOT_INTEGERS, undefined], (heap, bad) => {
    using frame = heap.frame(2);
    return frame.get(bad);
  }),
  ...each("frame.set", "value", NOT_SIZES, (heap, bad) => {
    using frame = heap.frame(2);
    frame.set(0, bad);
  }),
  one("frame.get after its end", GoThrow, ["frame", "dispose"], (heap) => {
    const frame = heap.frame(1);
    frame[Symbol.dispose]();
    return frame.get(0);
  }),
  one("frame.set after its end", GoThrow, ["frame", "dispose"], (heap) => {
    const frame = heap.frame(1);
    frame[Symbol.dispose]();
    frame.set(0, 0);
  }),
  one("frame that ends out of order", GoThrow, ["reverse order"], (heap) => {
    const outer = heap.frame(1);
    using _inner = heap.frame(1);
    outer[Symbol.dispose]();
  }),
];

/** Pools. */
export const POOLS: BadCall[] = [
  ...each("pool", "make", [null, 8, "f", {}], (heap, bad) => heap.pool(bad)),
  ...each("pool.put", "p", NOT_SIZES, (heap, bad) => heap.pool().put(bad)),
  ...each("registerPoolCleanup", "clear", [null, 8, "f", {}, undefined], (heap, bad) => {
    heap.registerPoolCleanup(bad);
  }),
];

/** SetFinalizer; what Go says to wrong types is in the conformance tests. */
export const FINALIZERS: BadCall[] = [
  one(
    "SetFinalizer of nil",
    GoThrow,
    ["runtime.SetFinalizer: first argument is nil"],
    (heap) => heap.SetFinalizer(null, null),
  ),
  one(
    "SetFinalizer of undefined",
    TypeError,
    ["obj", "undefined"],
    (heap) => heap.SetFinalizer(undefined as never, null),
  ),
  ...[8, "x", true, []].map((obj) =>
    one(
      `SetFinalizer of ${typeof obj}`,
      RangeError,
      ["obj.type", "undefined"],
      (heap) => heap.SetFinalizer(obj as never, null),
    )
  ),
  ...each(
    "SetFinalizer",
    "obj.type",
    NOT_TYPES,
    (heap, bad) => heap.SetFinalizer({ type: bad, data: heap.rawmem(16) }, null),
  ),
  ...each(
    "SetFinalizer",
    "obj.data",
    [...NOT_SIZES, noop],
    (heap, bad) => heap.SetFinalizer({ type: heap.types.pointer(heap.types.int), data: bad }, null),
  ),
  one(
    "SetFinalizer to undefined",
    TypeError,
    ["finalizer", "undefined"],
    (heap) => heap.SetFinalizer(intObject(heap), undefined as never),
  ),
  ...[8, "x", noop].map((finalizer) =>
    one(
      `SetFinalizer to a ${typeof finalizer}`,
      RangeError,
      ["finalizer.type", "undefined"],
      (heap) => heap.SetFinalizer(intObject(heap), finalizer as never),
    )
  ),
  ...each(
    "SetFinalizer",
    "finalizer.type",
    NOT_TYPES,
    (heap, bad) =>
      heap.SetFinalizer(intObject(heap), {
        type: bad,
        data: noop,
      }),
  ),
  ...each("SetFinalizer", "finalizer.data", [8, "f", null, undefined, {}, NaN], (heap, bad) => {
    const type = heap.types.pointer(heap.types.int);
    heap.SetFinalizer({ type, data: heap.rawmem(16) }, {
      type: heap.types.func([type], []),
      data: bad,
    });
  }),
];
