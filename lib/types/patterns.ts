/**
 * Patterns: numbers for what the words of a block are, so that one comparison tells whether a block has the types that an
 * object needs.
 *
 * The types of a run of blocks are written all at once, and the pattern says what was written (spans/cache_record.ts).
 * Types with the same codes in the same words share one:
 *
 * ```
 *   up to 16 words    the codes are an int32, and make the pattern: a struct of two pointers and a number has that of any
 *                     other, and two pointers in a row that of an array of them
 *   more words        each type, and each length of an array of it, has a pattern of its own
 * ```
 *
 * No two patterns of any two tables are the same, so a foreign type never finds its pattern written.
 *
 * @module
 */

import { firstCodes, repeatedCodes, WORDS_PER_INT32 } from "./codes.ts";
import type { PointerMap } from "./pointer_map.ts";

/** The pattern of what is not written a run at a time. */
export const NO_PATTERN = -1;

/** Arrays of more words have no pattern: a run holds few of them, and each length would have one. */
const MAX_ARRAY_WORDS = 128;

const NONE = new Int32Array(0);

/** The patterns that the types of one table have. */
export class Patterns {
  static #made = 0;
  readonly #byCodes = new Map<number, number>();

  /** The pattern of a type whose words have `codes`, or has too many of them if that is 0. */
  of(pointers: PointerMap, codes: number): number {
    return pointers.maskBytes === 0 || pointers.isTooLong ? NO_PATTERN : this.ofCodes(codes);
  }

  /** The pattern of words that have `codes`; one that nothing else has if that is 0, since there are too many. */
  ofCodes(codes: number): number {
    if (codes === 0) return ++Patterns.#made;
    let pattern = this.#byCodes.get(codes);
    if (pattern === undefined) {
      pattern = ++Patterns.#made;
      this.#byCodes.set(codes, pattern);
    }
    return pattern;
  }
}

/** The patterns of the arrays of one type, by length. */
export class ArrayPatterns {
  readonly #patterns: Patterns;
  readonly #words: number;
  readonly #typeBits: number;
  /** 0 where nobody has asked yet. */
  #byLength: Int32Array = NONE;

  /** `words` and `typeBits` are those of the element. */
  constructor(patterns: Patterns, words: number, typeBits: number) {
    this.#patterns = patterns;
    this.#words = words;
    this.#typeBits = typeBits;
  }

  /** The pattern of an array of `n` elements; {@linkcode NO_PATTERN} if it has none. */
  of(n: number): number {
    if (n >= this.#byLength.length) {
      if (n * this.#words > MAX_ARRAY_WORDS) return NO_PATTERN;
      this.#byLength = new Int32Array(Math.floor(MAX_ARRAY_WORDS / this.#words) + 1);
    }
    return this.#byLength[n] || this.#learn(n);
  }

  #learn(n: number): number {
    const words = n * this.#words;
    const codes = words > WORDS_PER_INT32
      ? 0
      : firstCodes(repeatedCodes(this.#typeBits, this.#words), words);
    return this.#byLength[n] = this.#patterns.ofCodes(codes);
  }
}
