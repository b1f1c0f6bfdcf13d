/**
 * Where things lie in a value, by the rules of Go 1.4's gc compiler. A field begins at the next
 * multiple of its alignment; a struct is as aligned as its most aligned field and is padded to a
 * multiple of that; an empty struct has size 0 and alignment 1, and a field of size 0 at the end adds
 * nothing. In bytes:
 *
 * ```text
 *                           64-bit          386, arm        amd64p32
 *                           size  align     size  align     size  align
 *   int8 .. int32, float32  1..4  size      1..4  size      1..4  size
 *   int64, float64          8     8         8     4         8     8
 *   complex64               8     8         8     4         8     8
 *   complex128              16    8         16    4         16    8
 *   int, uintptr, pointer   8     8         4     4         4     4
 *   string, interface       16    8         8     4         8     4
 *   slice                   24    8         12    4         12    4
 *
 *   struct { a int8; p *int; b int16 } on 64-bit: 24 bytes, mask s p s
 *   +----+--------------+--------------------+------+-------------+
 *   | a  |   padding    |         p          |  b   |   padding   |
 *   +----+--------------+--------------------+------+-------------+
 *   0    1              8                    16     18            24
 * ```
 *
 * An array has its element's mask, whatever its length. A struct needs a mask as long as itself, so a
 * struct with pointers is limited to 65536 words, unless it is nothing but one array.
 *
 * @module
 */

import { badArgument } from "../errors.ts";
import type { Platform } from "../platform/platform.ts";
import type { GoField, GoType, Layout } from "./go_type.ts";

/** The code of a word that is no pointer. */
export const SCALAR = 1;
/** The code of a word that is a pointer. */
export const POINTER = 2;

/** log2 of the words in an int32 of a mask. */
const MASK_SHIFT = 4;
/** Words in an int32 of a mask. */
const WORDS_PER_INT32 = 1 << MASK_SHIFT;
/** The longest mask of a struct, in words: 16 KB of mask for 512 KB of struct. */
const MAX_STRUCT_MASK_WORDS = 65536;

const NO_MASK = new Int32Array(0);

/** The largest type of a platform, in bytes: what its processor can address in user space. */
export function maxTypeBytes(platform: Platform): number {
  return platform.pointerBytes === 8 ? 2 ** 47 : 2 ** 32 - 1;
}

/** The code of a word of a value: {@linkcode SCALAR} or {@linkcode POINTER}. */
export function wordCode(type: Layout, word: number): number {
  if (type.pointerFree) return SCALAR;
  return codeAt(type.mask, word % type.maskWords);
}

/** A number or a bool: no pointers. */
export function scalarLayout(platform: Platform, size: number, align: number): Layout {
  return layoutOf(platform, size, align, NO_MASK, 0, false);
}

/** A value of whole words with the given codes; a single pointer is stored directly in interfaces. */
export function wordsLayout(platform: Platform, codes: readonly number[]): Layout {
  const { pointerBytes } = platform;
  const mask = Int32Array.of(codes.reduce((bits, code, word) => bits | code << (2 * word), 0));
  const { length } = codes;
  return layoutOf(platform, length * pointerBytes, pointerBytes, mask, length, length === 1);
}

/** `length` elements one behind the other. */
export function arrayLayout(platform: Platform, elem: GoType, length: number): Layout {
  const size = elem.size * length;
  if (size > maxTypeBytes(platform)) {
    badArgument("length", length, `an array of at most ${maxTypeBytes(platform)} bytes`);
  }
  const { align, mask, maskWords } = elem;
  if (size === 0) return layoutOf(platform, 0, align, NO_MASK, 0, false);
  return layoutOf(platform, size, align, mask, maskWords, length === 1 && elem.directIface);
}

/** Fields in order, and the struct around them. */
export function structLayout(
  platform: Platform,
  fieldTypes: readonly (readonly [string, GoType])[],
): Layout & { readonly fields: readonly GoField[] } {
  let end = 0;
  let align = 1;
  const fields = fieldTypes.map(([name, type]): GoField => {
    const offset = roundUp(end, type.fieldAlign);
    end = offset + type.size;
    align = Math.max(align, type.fieldAlign);
    if (end > maxTypeBytes(platform)) {
      badArgument(`fields.${name}`, type.string, `at most ${maxTypeBytes(platform)} bytes in all`);
    }
    return { name, type, offset };
  });
  const size = roundUp(end, align);
  const pattern = structPattern(platform, fields, size);
  const directIface = fields.length === 1 && fields[0].type.directIface;
  return {
    ...layoutOf(platform, size, align, pattern.mask, pattern.maskWords, directIface),
    fields,
  };
}

function structPattern(
  platform: Platform,
  fields: readonly GoField[],
  size: number,
): { mask: Int32Array; maskWords: number } {
  const pointerFields = fields.filter(({ type }) => !type.pointerFree);
  if (pointerFields.length === 0) return { mask: NO_MASK, maskWords: 0 };
  // A struct around one array, however long, has the array's pattern.
  if (pointerFields[0].type.size === size) return pointerFields[0].type;

  const words = size / platform.pointerBytes;
  if (words > MAX_STRUCT_MASK_WORDS) {
    badArgument("fields", `${words} words`, `at most ${MAX_STRUCT_MASK_WORDS} words with pointers`);
  }
  const mask = new Int32Array(Math.ceil(words / WORDS_PER_INT32));
  for (let word = 0; word < words; word++) addCode(mask, word, SCALAR);
  for (const { type, offset } of pointerFields) {
    const first = offset / platform.pointerBytes;
    for (let word = 0; word < type.words; word++) {
      if (wordCode(type, word) === POINTER) addCode(mask, first + word, SCALAR ^ POINTER);
    }
  }
  return { mask, maskWords: words };
}

function layoutOf(
  platform: Platform,
  size: number,
  align: number,
  mask: Int32Array,
  maskWords: number,
  directIface: boolean,
): Layout {
  const words = Math.ceil(size / platform.pointerBytes);
  return {
    size,
    align,
    fieldAlign: align,
    words,
    pointerFree: maskWords === 0,
    typeBits: words <= WORDS_PER_INT32 ? repeatedBits(mask, maskWords, words) : 0,
    mask,
    maskWords,
    directIface,
  };
}

function repeatedBits(mask: Int32Array, maskWords: number, words: number): number {
  let bits = 0;
  if (maskWords === 0) return bits;
  for (let word = 0; word < words; word++) bits |= codeAt(mask, word % maskWords) << (2 * word);
  return bits;
}

function codeAt(mask: Int32Array, word: number): number {
  return (mask[word >> MASK_SHIFT] >>> (2 * (word % WORDS_PER_INT32))) & 3;
}

function addCode(mask: Int32Array, word: number, code: number): void {
  mask[word >> MASK_SHIFT] ^= code << (2 * (word % WORDS_PER_INT32));
}

function roundUp(value: number, align: number): number {
  return Math.ceil(value / align) * align;
}
