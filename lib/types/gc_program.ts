/**
 * GC programs: what a large type has in place of a mask. A program makes the codes of the type's words, in
 * order, and is as short as the type's text, however many words there are. Instructions are bytes, as Go 1.4's
 * compiler writes them for `runtime.unrollgcprog`:
 *
 * ```text
 *   +------+---+-----------+
 *   | 1    | n | n codes   |   data: four codes a byte, the first one lowest; n is 1 to 255
 *   +------+---+-----------+
 *   +------+---------------+
 *   | 2    | count         |   array: all up to its end, count times; 8 bytes, 4 where words have 4
 *   +------+---------------+
 *   | 3    |                   end of the array
 *   | 4    |                   end of the program
 *   +------+
 *
 *   struct { x float64; y [500]*byte; z []string }     504 words
 *   1 1 [s]   2 500 0 0 0 0 0 0 0 1 1 [p] 3   1 3 [p s s]   4     20 bytes
 * ```
 *
 * An array is written out if it has less than 32 words, so `[4][4]*int` is data and `[8][8]*int` an array of
 * arrays of data. What has no pointers is one run of scalars, which is an array from 32 words on.
 * A type with pointers begins at a word and has whole words, so the program of a struct is that of its fields,
 * one behind the other, and nothing is ever unrolled to make one: 4 TB of pointers take 14 bytes.
 *
 * @module
 */

import { addCodes, firstCodes, POINTER, repeatCodes, SCALAR } from "./codes.ts";

const DATA = 1;
const ARRAY = 2;
const ARRAY_END = 3;
const END = 4;

/** The most codes that one data instruction has. */
const MAX_DATA_CODES = 255;
/** Codes in a byte of data. */
const CODES_PER_BYTE = 4;
/** What repeats is written out below so many words. */
const MIN_ARRAY_WORDS = 32;

/** The program of a type without pointers. */
export const NO_PROGRAM: Uint8Array = new Uint8Array(0);

/** Writes a program. */
export class ProgramBuilder {
  readonly #countBytes: number;
  #bytes = new Uint8Array(32);
  #length = 0;
  /** Where the data instruction that is being written begins; -1 if there is none. */
  #data = -1;

  /** Begins a program for a platform whose words have `countBytes` bytes. */
  constructor(countBytes: number) {
    this.#countBytes = countBytes;
  }

  /** The bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** Words without pointers. */
  scalars(words: number): void {
    if (words < MIN_ARRAY_WORDS) {
      for (let i = 0; i < words; i++) this.word(SCALAR);
      return;
    }
    this.#beginArray(words);
    this.word(SCALAR);
    this.#endArray();
  }

  /** One word with the given code. */
  word(code: number): void {
    if (this.#data < 0) {
      this.#data = this.#length;
      this.#write(DATA);
      this.#write(0);
    }
    const before = this.#bytes[this.#data + 1]++;
    if (before % CODES_PER_BYTE === 0) this.#write(0);
    this.#bytes[this.#length - 1] |= code << (2 * (before % CODES_PER_BYTE));
    if (before + 1 === MAX_DATA_CODES) this.#data = -1;
  }

  /** A value with pointers, of whose type that is the program. */
  value(program: Uint8Array): void {
    for (let at = 0; program[at] !== END;) {
      const next = at + instructionBytes(program, at, this.#countBytes);
      if (program[at] === DATA) {
        for (let i = 0; i < program[at + 1]; i++) this.word(dataCode(program, at, i));
      } else {
        this.#data = -1;
        for (let i = at; i < next; i++) this.#write(program[i]);
      }
      at = next;
    }
  }

  /** `length` values of `words` words each. */
  array(program: Uint8Array, words: number, length: number): void {
    if (length > 1 && length * words >= MIN_ARRAY_WORDS) {
      this.#beginArray(length);
      this.value(program);
      this.#endArray();
    } else {
      for (let i = 0; i < length; i++) this.value(program);
    }
  }

  /** Ends the program and returns it. */
  finish(): Uint8Array {
    this.#write(END);
    return this.#bytes.slice(0, this.#length);
  }

  #beginArray(count: number): void {
    this.#data = -1;
    this.#write(ARRAY);
    let rest = count;
    for (let i = 0; i < this.#countBytes; i++) {
      this.#write(rest % 256);
      rest = Math.floor(rest / 256);
    }
  }

  #endArray(): void {
    this.#data = -1;
    this.#write(ARRAY_END);
  }

  #write(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const bytes = new Uint8Array(2 * this.#length);
      bytes.set(this.#bytes);
      this.#bytes = bytes;
    }
    this.#bytes[this.#length++] = byte;
  }
}

/**
 * Unrolls a program over `words` dead words, from word `word` after `base` on, as often as they have room for.
 * An array is unrolled once and then copied.
 */
export function unroll(
  program: Uint8Array,
  countBytes: number,
  target: Int32Array,
  base: number,
  word: number,
  words: number,
): void {
  const end = word + words;
  const open: { start: number; count: number }[] = [];
  let here = word;
  for (let at = 0; here < end; at += instructionBytes(program, at, countBytes)) {
    if (program[at] === DATA) {
      here = unrollData(program, at, target, base, here, end);
    } else if (program[at] === ARRAY) {
      open.push({ start: here, count: arrayCount(program, at, countBytes) });
    } else {
      // The end of an array, or that of the program, which is repeated for good.
      const { start, count } = open.pop() ?? { start: word, count: Infinity };
      const period = here - start;
      const filled = Math.min(period * count, end - start);
      repeatCodes(target, base, start, period, filled);
      here = start + filled;
    }
  }
}

/** Unrolls the data at `at` up to word `end` at most; returns the word behind it. */
function unrollData(
  program: Uint8Array,
  at: number,
  target: Int32Array,
  base: number,
  word: number,
  end: number,
): number {
  const words = Math.min(program[at + 1], end - word);
  for (let done = 0; done < words; done += 4 * CODES_PER_BYTE) {
    const from = at + 2 + done / CODES_PER_BYTE;
    // Bytes of the next instruction may be among the four; they are cut off.
    const codes = program[from] | program[from + 1] << 8 | program[from + 2] << 16 |
      program[from + 3] << 24;
    addCodes(target, base, word + done, firstCodes(codes, words - done));
  }
  return word + words;
}

/**
 * Calls `visit` with each word from `from` up to `to` that is a pointer, in order. What lies before `from`
 * takes as long as its text, and so do arrays without pointers.
 */
export function forEachPointer(
  program: Uint8Array,
  countBytes: number,
  from: number,
  to: number,
  visit: (word: number) => void,
): void {
  const open: OpenArray[] = [];
  let word = 0;
  let pointers = 0;
  for (let at = 0; word < to && program[at] !== END;) {
    const next = at + instructionBytes(program, at, countBytes);
    if (program[at] === DATA) {
      const words = program[at + 1];
      for (let i = 0; i < words; i++) {
        if (dataCode(program, at, i) !== POINTER) continue;
        pointers++;
        if (word + i >= from && word + i < to) visit(word + i);
      }
      word += words;
      at = next;
    } else if (program[at] === ARRAY) {
      const count = arrayCount(program, at, countBytes);
      open.push({ body: next, start: word, count, pointersBefore: pointers, left: count });
      at = next;
    } else {
      const array = open[open.length - 1];
      if (array.left === array.count) {
        // The first time tells how long it is. All repetitions that end before `from` are passed over.
        const period = word - array.start;
        const done = pointers === array.pointersBefore
          ? array.count
          : Math.max(1, Math.min(array.count, Math.floor((from - array.start) / period)));
        word = array.start + done * period;
        array.left -= done;
      } else {
        array.left--;
      }
      if (array.left === 0) open.pop();
      at = array.left > 0 ? array.body : next;
    }
  }
}

/** An array that is walked through. */
interface OpenArray {
  /** Where its first instruction is. */
  readonly body: number;
  /** The word at which it begins. */
  readonly start: number;
  readonly count: number;
  /** How many pointers came before it. */
  readonly pointersBefore: number;
  /** Repetitions that are not behind yet. */
  left: number;
}

/** The code of word `word` of a type, in a time that does not depend on the word. */
export function programCode(program: Uint8Array, countBytes: number, word: number): number {
  const open: { body: number; start: number; count: number }[] = [];
  let wanted = word;
  let here = 0;
  for (let at = 0;;) {
    const next = at + instructionBytes(program, at, countBytes);
    if (program[at] === DATA) {
      if (wanted < here + program[at + 1]) return dataCode(program, at, wanted - here);
      here += program[at + 1];
      at = next;
    } else if (program[at] === ARRAY) {
      open.push({ body: next, start: here, count: arrayCount(program, at, countBytes) });
      at = next;
    } else {
      const { body, start, count } = open[open.length - 1];
      const period = here - start;
      if (wanted < start + period * count) {
        // It is as in the first repetition, in which it will be met.
        wanted = start + (wanted - start) % period;
        here = start;
        at = body;
      } else {
        here = start + period * count;
        open.pop();
        at = next;
      }
    }
  }
}

/** Code `i` of the data at `at`. */
function dataCode(program: Uint8Array, at: number, i: number): number {
  return (program[at + 2 + (i >> 2)] >> (2 * (i & 3))) & 3;
}

function arrayCount(program: Uint8Array, at: number, countBytes: number): number {
  let count = 0;
  for (let i = countBytes; i > 0; i--) count = 256 * count + program[at + i];
  return count;
}

/** How long the instruction at `at` is. */
function instructionBytes(program: Uint8Array, at: number, countBytes: number): number {
  if (program[at] === DATA) return 2 + Math.ceil(program[at + 1] / CODES_PER_BYTE);
  return program[at] === ARRAY ? 1 + countBytes : 1;
}
