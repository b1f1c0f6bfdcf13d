/**
 * Compares plain data and names what differs, path by path:
 *
 * ```
 *   spans[3].ref: 5, expected 6
 *   central.9.nonempty: [], expected [4]
 * ```
 *
 * A diff of two snapshots printed whole is thousands of lines; the first few paths say as much.
 *
 * @module
 */

import { AssertionError } from "@std/assert";

/** How many differences a message names. */
const SHOWN = 12;
/** Lists of numbers up to this length are shown whole, so that an order can be seen. */
const SHOWN_LIST = 40;

/** Throws an `AssertionError` that begins with `what` unless `actual` equals `expected` in every path. */
export function assertSame(actual: unknown, expected: unknown, what: string): void {
  const found: string[] = [];
  for (const difference of differences(actual, expected, "")) {
    found.push(found.length < SHOWN ? `  ${difference}` : "  ...");
    if (found.length > SHOWN) break;
  }
  if (found.length > 0) throw new AssertionError(`${what}\n${found.join("\n")}`);
}

/** Yields a line for each path at which `actual` is not `expected`. */
export function* differences(actual: unknown, expected: unknown, path: string): Generator<string> {
  if (isShortList(actual) && isShortList(expected)) {
    if (JSON.stringify(actual) !== JSON.stringify(expected)) yield line(actual, expected, path);
  } else if (
    isTree(actual) && isTree(expected) && Array.isArray(actual) === Array.isArray(expected)
  ) {
    const inside = Array.isArray(expected)
      ? (key: string) => `${path}[${key}]`
      : path === ""
      ? (key: string) => key
      : (key: string) => `${path}.${key}`;
    for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
      yield* differences(actual[key], expected[key], inside(key));
    }
  } else if (actual !== expected) {
    yield line(actual, expected, path);
  }
}

function line(actual: unknown, expected: unknown, path: string): string {
  return `${path || "value"}: ${shown(actual)}, expected ${shown(expected)}`;
}

function shown(value: unknown): string {
  return value === undefined ? "missing" : JSON.stringify(value);
}

function isShortList(value: unknown): value is (number | string)[] {
  return Array.isArray(value) && value.length <= SHOWN_LIST &&
    value.every((each) => typeof each !== "object");
}

function isTree(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
