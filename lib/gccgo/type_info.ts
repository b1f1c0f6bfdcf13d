/**
 * Type words: what gccgo's allocator is told of an object, and what a span remembers of each of its blocks.
 *
 * A descriptor's address is a multiple of the word, so its low bits are free to say how the type fills the
 * block:
 *
 * ```
 *   ┌──────── address of the type descriptor ────────┬─ info ─┐   3 bits of info on 8-byte words, 2 on 4-byte
 *   └────────────────────────────────────────────────┴────────┘   0: nothing is known
 *                                                    0 one value     1 an array     2 a channel
 * ```
 *
 * @module
 */

import { badArgument, GoThrow } from "../errors.ts";

/** How an object's type fills its block: the low bits of a type word, gccgo's TypeInfo. */
export const TypeInfo = {
  /** One value of the type. */
  SingleObject: 0,
  /** Values of the type, one behind the other, to the end of the block. */
  Array: 1,
  /** A channel's header with its buffer behind it; the type is that of the channel. */
  Chan: 2,
} as const;

/** One of the numbers in {@linkcode TypeInfo}. */
export type TypeInfo = typeof TypeInfo[keyof typeof TypeInfo];

/** Checks an argument that should be a TypeInfo; seeds' check of objtyp, and of what it may stand for. */
export function checkTypeInfo(info: number, pointerBytes: number): TypeInfo {
  if (!Number.isInteger(info)) badArgument("info", info, "one of TypeInfo's numbers, 0 to 2");
  if ((info & (pointerBytes - 1)) !== info) {
    throw new GoThrow(`runtime: invalid objtyp: ${info} is not below ${pointerBytes}`);
  }
  if (info > TypeInfo.Chan) badArgument("info", info, "one of TypeInfo's numbers, 0 to 2");
  return info as TypeInfo;
}
