/**
 * The errors of a heap. What Go's runtime would abort the program with is thrown as a
 * {@linkcode GoThrow} ("fatal error: ..."), what it would panic with as a {@linkcode GoPanic}; the
 * message is the runtime's own text. Arguments that no Go program could pass (NaN, a fraction, a
 * negative size) get a plain `RangeError` that names the argument and its value.
 *
 * @module
 */

/**
 * What Go's runtime prints as `fatal error: ...` before it aborts the program. A heap that threw one
 * because of its caller is intact and goes on working.
 *
 * @example A wrong alignment
 * ```ts
 * import { GoHeap, GoThrow } from "@goheap/goheap";
 * import { assertThrows } from "@std/assert";
 *
 * using heap = new GoHeap();
 * assertThrows(
 *   () => heap.persistentalloc(8, 3, "other_sys"),
 *   GoThrow,
 *   "persistentalloc: align is not a power of 2",
 * );
 * ```
 */
export class GoThrow extends Error {
  /** Always `"GoThrow"`. */
  override readonly name = "GoThrow";
}

/**
 * What Go's runtime raises as a panic, which a Go program could recover from.
 *
 * @example A slice that is too long
 * ```ts
 * import { GoHeap, GoPanic } from "@goheap/goheap";
 * import { assertThrows } from "@std/assert";
 *
 * using heap = new GoHeap();
 * assertThrows(
 *   () => heap.newarray(heap.types.int64, -1),
 *   GoPanic,
 *   "runtime: allocation size out of range",
 * );
 * ```
 */
export class GoPanic extends Error {
  /** Always `"GoPanic"`. */
  override readonly name = "GoPanic";
}

/** Throws a `RangeError` in the one form that bad arguments get: what it is, its value, what was expected. */
export function badArgument(name: string, value: unknown, expected: string): never {
  throw new RangeError(
    `Cannot use ${name}: current value is ${shown(value)}, expected ${expected}`,
  );
}

/** Returns `value` if it is an integer in [min, max]; throws a `RangeError` that names it otherwise. */
export function requireInteger(
  name: string,
  value: number,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) {
    return value;
  }
  return badArgument(name, value, `an integer from ${min} to ${max}`);
}

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object" && value !== null) return Object.prototype.toString.call(value);
  return String(value);
}
