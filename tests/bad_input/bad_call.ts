/**
 * Calls that must throw: tables of them, and what their messages have to say.
 *
 * Arguments that no Go program could pass get a `RangeError` that names the argument and its value. What a Go
 * program can do wrong gets the words of Go's runtime. The lack of an object is refused by JavaScript itself, as a
 * `TypeError` in its own words, and so is a bigint as the size of an object without pointers.
 *
 * @module
 */

import { GoHeap, type GoType } from "../../mod.ts";

/** A call that must throw, and what the message must contain. */
export interface BadCall {
  readonly method: string;
  readonly title: string;
  readonly call: (heap: GoHeap) => unknown;
  readonly says: readonly string[];
  readonly throws: readonly (new (message: string) => Error)[];
}

/** The options of every heap that is called badly. */
export const OPTIONS = { platform: "linux/amd64" } as const;

/** Neither whole numbers that JavaScript holds exactly, nor, some of them, numbers at all. */
export const NOT_INTEGERS = [NaN, 1.5, 2 ** 53, Infinity, -Infinity, "64", null, {}, [8], true, 8n];
/** The same and negative numbers. */
export const NOT_SIZES = [...NOT_INTEGERS, -1, undefined];
/** Nothing that a type table made. */
export const NOT_TYPES = [null, undefined, {}, "int", 8];

/** A value as messages show it. */
function shown(value: unknown): string {
  if (typeof value === "object" && value !== null) return Object.prototype.toString.call(value);
  return String(value);
}

/** A bad call of `method` for each of the values of an argument. */
export function each(
  method: string,
  argument: string,
  values: readonly unknown[],
  call: (heap: GoHeap, bad: never) => unknown,
): BadCall[] {
  return values.map((bad) => ({
    method: method.split(" ")[0],
    title: `${method} with ${argument} ${typeof bad} ${shown(bad)}`,
    call: (heap) => call(heap, bad as never),
    says: [argument, shown(bad)],
    throws: [RangeError],
  }));
}

/** A bad call that throws the words of the seeds, or something else of its own. */
export function one(
  title: string,
  throws: new (message: string) => Error,
  says: readonly string[],
  call: (heap: GoHeap) => unknown,
): BadCall {
  return { method: title.split(" ")[0], title, call, says, throws: [throws] };
}

/** Makes a type that no other heap takes, named main.Foreign. */
export function makeForeignType(): GoType {
  using other = new GoHeap(OPTIONS);
  return other.types.struct("main.Foreign", { x: other.types.int });
}
