/**
 * The heap bitmap: what the collector knows of each word and each block, four bits a word.
 *
 * Go keeps the four bits together. Here they lie in two planes, so that the collector reads only what it
 * needs: 16 words' types with one load, the marks of 32 blocks with another.
 *
 * ```
 *  types: two bits a word                              marks: two bits a block, in pairs of int32
 *  ┌────┬────┬────┬────┬─ ─ ─┬────┐                    ┌──────────────────┬──────────────────┐
 *  │ w0 │ w1 │ w2 │ w3 │     │w15 │  one int32         │ marked, 32 blocks│ free, 32 blocks  │
 *  └────┴────┴────┴────┴─ ─ ─┴────┘                    └──────────────────┴──────────────────┘
 *  00 dead   01 scalar   10 pointer   11 (check mark)   block b of a span: bit b % 32 of pair b / 32
 *
 *  64 int32 a page on 8-byte words, 128 on 4-byte      64 int32 a page: room for 1024 blocks of 8 bytes
 * ```
 *
 * Together that is 1/16 of the arena on 8-byte words, as in Go. The planes are indexed by page, so every
 * index fits an int32 even in an arena of 128 GiB. Marks are indexed by block number: a span of 32-byte
 * blocks uses 8 pairs of its page's 32.
 *
 * What holds between collections:
 * - marked bits are all 0;
 * - a free bit is 1 if and only if the block is in the bitmap part of its span's free list
 *   (see spans/free_list.ts), and no bit is set behind the last block;
 * - in an allocated block the types run up to the first dead word, and all behind it are dead: dead in
 *   word 0 means that the block has no pointers. Types of free blocks are stale; {@linkcode fillTypes} writes
 *   those of a run of blocks at a time, before the first of them is handed out.
 *
 * @module
 */

import { growableBuffer } from "../platform/address_space.ts";
import { GoThrow } from "../errors.ts";

/** Type codes of a word. */
export const BITS_DEAD = 0;
export const BITS_SCALAR = 1;
export const BITS_POINTER = 2;

/** int32 of marks a page. */
const MARK_INTS = 64;
/** log2 of the same. */
export const MARK_SHIFT = 6;

/** log2 of the words whose types are in an int32. */
export const WORDS_SHIFT = 4;
const WORDS_PER_INT = 1 << WORDS_SHIFT;
/** The high bits of 16 type codes: set where a word is a pointer. */
export const POINTER_BITS: number = 0xaaaaaaaa | 0;

/** A table of int32 in shared memory that grows in place; nobody keeps its view across a growth. */
export class GrowingInts {
  ints: Int32Array = new Int32Array(0);
  readonly #buffer: SharedArrayBuffer;

  /** Makes an empty table that may grow to `maxLength` int32. */
  constructor(maxLength: number) {
    const buffer = growableBuffer(4 * maxLength);
    if (buffer === null) throw new GoThrow("runtime: cannot reserve heap metadata");
    this.#buffer = buffer;
  }

  /** Makes room for `length` int32; new ones are 0. */
  cover(length: number): void {
    if (length <= this.ints.length) return;
    this.#buffer.grow(4 * length);
    this.ints = new Int32Array(this.#buffer, 0, length);
  }
}

/** The two planes. See the head of the module. */
export class Bitmap {
  /** Marked and free bits, in pairs of int32. */
  marks: Int32Array = new Int32Array(0);
  /** Type codes, 16 words to an int32. */
  types: Int32Array = new Int32Array(0);
  /** int32 of types a page: 64 on 8-byte words, 128 on 4-byte words. */
  readonly typeInts: number;
  readonly #marks: GrowingInts;
  readonly #types: GrowingInts;

  /** Makes the bitmap of an arena of at most `maxPages` pages of `wordsPerPage` words each. */
  constructor(maxPages: number, wordsPerPage: number) {
    this.typeInts = wordsPerPage / WORDS_PER_INT;
    this.#marks = new GrowingInts(maxPages * MARK_INTS);
    this.#types = new GrowingInts(maxPages * this.typeInts);
  }

  /** Makes room for `pages` pages. */
  cover(pages: number): void {
    this.#marks.cover(pages * MARK_INTS);
    this.#types.cover(pages * this.typeInts);
    this.marks = this.#marks.ints;
    this.types = this.#types.ints;
  }

  /** Index of the first int32 of the types of `page`: words are counted from there on. */
  typesOf(page: number): number {
    return page * this.typeInts;
  }

  /** The type code of word `word`, counted from `base`, as {@linkcode typesOf} returns it. */
  typeOf(base: number, word: number): number {
    return (this.types[base + (word >>> 4)] >>> ((word & 15) << 1)) & 3;
  }

  /** Makes `words` words dead, from word `word` on, counted from `base`. */
  clearTypes(base: number, word: number, words: number): void {
    this.#fill(base, word, word + words, 0);
  }

  /**
   * Writes the same types into all blocks of `blockWords` words from word `word` to before `end`, counted from
   * `base`: `codes`, of up to 16 words, and dead words behind them.
   */
  fillTypes(base: number, word: number, end: number, codes: number, blockWords: number): void {
    if (codes !== 0 && WORDS_PER_INT % blockWords !== 0) {
      this.#fill(base, word, end, 0);
      for (let block = word; block < end; block += blockWords) this.addTypes(base, block, codes);
      return;
    }
    let repeated = codes;
    for (let bits = 2 * blockWords; codes !== 0 && bits < 32; bits *= 2) {
      repeated |= repeated << bits;
    }
    this.#fill(base, word, end, repeated);
  }

  /** Writes the codes of 16 words again and again: word w, counted from `base`, has code w % 16 of these. */
  #fill(base: number, word: number, end: number, codes: number): void {
    const types = this.types;
    let at = base + (word >>> 4);
    const last = base + (end >>> 4);
    // The bits that stay: those below the first word, and those from the end on.
    const below = ~(-1 << ((word & 15) << 1));
    const above = -1 << ((end & 15) << 1);
    if (at === last) {
      const kept = below | above;
      types[at] = (types[at] & kept) | (codes & ~kept);
      return;
    }
    types[at] = (types[at] & below) | (codes & ~below);
    for (at++; at < last; at++) types[at] = codes;
    if ((end & 15) !== 0) types[at] = (types[at] & above) | (codes & ~above);
  }

  /** Adds the codes of up to 16 words, the first in the lowest bits, to words that are dead. */
  addTypes(base: number, word: number, codes: number): void {
    const at = base + (word >>> 4);
    const shift = (word & 15) << 1;
    this.types[at] |= codes << shift;
    if (shift !== 0) {
      const carried = codes >>> (32 - shift);
      if (carried !== 0) this.types[at + 1] |= carried;
    }
  }
}
