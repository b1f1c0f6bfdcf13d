/**
 * Where the pointers of a type are: its mask, its GC program, or both.
 *
 * Go's mask has four bits a word, two words a byte, in the form of the heap bitmap that it is copied to. It
 * is copied by bytes, so the mask of an odd number of words is there twice; the second one begins in the
 * middle of a byte:
 *
 * ```text
 *     7   4   3   0                                    7   4   3   0
 *   +-------+-------+-------+-------+-------+-------+
 *   | s  00 | p  00 | p  00 | s  00 | s  00 | s  00 |   []byte: p s s, and p s s again: 3 bytes
 *   +-------+-------+-------+-------+-------+-------+
 *     word 1  word 0  word 0' word 2  word 2' word 1'
 * ```
 *
 * That length decides how Go keeps the pointers of a type (bytes on 64-bit, 32-bit):
 *
 * ```text
 *   up to 16, 8    the compiler writes the mask
 *   up to 63       a program, and room for the mask with a flag byte before it: it is unrolled once, by the
 *                  first allocation
 *   above          a program, unrolled into the heap bitmap by every allocation
 * ```
 *
 * Here the codes take two bits a word, and no word is kept twice, since what repeats is copied sixteen words
 * at a time (codes.ts). The lengths above stay Go's. What an object of a type gets is the same either way.
 *
 * @module
 */

import { GoThrow } from "../errors.ts";
import type { Platform } from "../platform/platform.ts";
import {
  addMask,
  addRepeated,
  codeAt,
  POINTER,
  repeatCodes,
  SCALAR,
  WORDS_PER_INT32,
} from "./codes.ts";
import { forEachPointer, NO_PROGRAM, programCode, unroll } from "./gc_program.ts";

/** Bytes of a mask that is kept, the flag byte before it included: Go 1.4.3's maxGCMask. */
const MAX_KEPT_MASK_BYTES = 64;
/** The compiler writes the masks that are no longer than so many words. */
const MAX_WRITTEN_MASK_WORDS = 2;
/** The longest mask that can be loaded: a slice of the seeds' `[1 << 30]byte`. */
const MAX_LOADED_MASK_BYTES = 2 ** 30;

const NO_CODES = new Int32Array(0);

/** What decides how types are laid out: the platform, and how long their masks may be. */
export interface LayoutRules extends Platform {
  /** Masks of more bytes, the flag byte included, are an error, as in seed B. */
  readonly maxGCMask: number;
}

/**
 * Where the pointers of a type are.
 *
 * @example A struct with a large array
 * ```ts
 * import { GoHeap } from "@goheap/goheap";
 * import { assertEquals } from "@std/assert";
 *
 * using heap = new GoHeap({ platform: "linux/amd64" });
 * const { types } = heap;
 * const { pointers } = types.struct("", {
 *   count: types.int,
 *   all: types.array(types.string, 1e9),
 * });
 * assertEquals([0, 1, 2, 1999999999].map((word) => pointers.has(word)), [false, true, false, true]);
 * assertEquals([...pointers.program], [1, 1, 1, 2, 0, 202, 154, 59, 0, 0, 0, 0, 1, 2, 6, 3, 4]);
 * ```
 */
export class PointerMap {
  /** Words of a value. */
  readonly words: number;
  /** Bytes of Go's mask, of both copies for an odd number of words; 0 if there are no pointers. */
  readonly maskBytes: number;
  /** Whether Go has a program for the type in place of a mask: seeds' kindGCProg. */
  readonly usesProgram: boolean;
  /** The program that makes the mask, also where Go has none; empty if there are no pointers. */
  readonly program: Uint8Array;
  readonly #countBytes: number;
  readonly #maxGCMask: number;
  readonly #codes: Int32Array;
  /** Whether the program was unrolled into the mask: Go's flag byte. */
  #isUnrolled = false;

  /** Called by type tables only. */
  constructor(rules: LayoutRules, words: number, program: Uint8Array = NO_PROGRAM) {
    const { pointerBytes } = rules;
    this.words = words;
    this.maskBytes = program === NO_PROGRAM ? 0 : words % 2 === 0 ? words / 2 : words;
    this.usesProgram = this.maskBytes > MAX_WRITTEN_MASK_WORDS * pointerBytes;
    this.program = program;
    this.#countBytes = pointerBytes;
    this.#maxGCMask = rules.maxGCMask;
    const isKept = this.maskBytes > 0 && this.maskBytes < MAX_KEPT_MASK_BYTES;
    this.#codes = isKept ? new Int32Array(Math.ceil(words / WORDS_PER_INT32)) : NO_CODES;
    if (!this.usesProgram) this.#unroll();
  }

  /**
   * The codes of all words, 1 for a scalar and 2 for a pointer, 16 to an int32, the first one lowest; zero
   * behind them; empty if there are no pointers. Null if the mask is too long to be kept, and `program` says
   * where the pointers are.
   */
  get mask(): Int32Array | null {
    if (this.maskBytes >= MAX_KEPT_MASK_BYTES) return null;
    if (!this.#isUnrolled) this.#unroll();
    return this.#codes;
  }

  /** Whether the mask is longer than masks may be: it is neither written nor loaded. */
  get isTooLong(): boolean {
    return this.usesProgram && 1 + this.maskBytes > this.#maxGCMask;
  }

  /** Whether word `word` of a value is a pointer. */
  has(word: number): boolean {
    return this.code(word) === POINTER;
  }

  /** The code of word `word` of a value. */
  code(word: number): number {
    if (this.maskBytes === 0) return SCALAR;
    const { mask } = this;
    return mask === null ? programCode(this.program, this.#countBytes, word) : codeAt(mask, word);
  }

  /**
   * Calls `visit` with each word of a value that is a pointer, in order: of all words, or of those from word
   * `from` up to word `to`.
   */
  forEach(visit: (word: number) => void, from: number = 0, to: number = this.words): void {
    if (this.maskBytes > 0) forEachPointer(this.program, this.#countBytes, from, to, visit);
  }

  /**
   * Writes the codes of values that lie one behind the other, the last one perhaps in part, over `words` dead
   * words of `target`, from word `word` after `base` on. There are pointers.
   */
  write(target: Int32Array, base: number, word: number, words: number): void {
    this.#checkMaskBytes();
    const { mask } = this;
    if (mask === null) {
      unroll(this.program, this.#countBytes, target, base, word, words);
      return;
    }
    if (this.words <= WORDS_PER_INT32) {
      addRepeated(target, base, word, mask[0], this.words, words);
      return;
    }
    const once = Math.min(this.words, words);
    addMask(target, base, word, mask, once);
    if (once < words) repeatCodes(target, base, word, once, words);
  }

  /** Go's mask, without the flag byte: seeds' loadPtrMask. */
  load(): Uint8Array {
    this.#checkMaskBytes();
    const bytes = Math.ceil(this.words / 2);
    if (bytes > MAX_LOADED_MASK_BYTES) tooLong();
    const mask = new Uint8Array(bytes);
    if (this.maskBytes === 0) return mask;
    // Of an odd number of words, the last byte has the first word of the second copy.
    const codes = new Int32Array(Math.ceil(2 * bytes / WORDS_PER_INT32));
    this.write(codes, 0, 0, 2 * bytes);
    for (let i = 0; i < bytes; i++) {
      mask[i] = codeAt(codes, 2 * i) << 2 | codeAt(codes, 2 * i + 1) << 6;
    }
    return mask;
  }

  #unroll(): void {
    if (this.maskBytes > 0) {
      unroll(this.program, this.#countBytes, this.#codes, 0, 0, this.words);
    }
    this.#isUnrolled = true;
  }

  #checkMaskBytes(): void {
    if (this.isTooLong) tooLong();
  }
}

function tooLong(): never {
  throw new GoThrow("maxGCMask too small for now");
}
