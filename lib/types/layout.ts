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
 * Where the pointers are is said by a GC program, which is as short as the type's text (gc_program.ts); it is
 * limited to 1 MiB, which is a struct of 32 MiB of fields that are not in arrays.
 *
 * @module
 */

import { badArgument } from "../errors.ts";
import type { Platform } from "../platform/platform.ts";
import { WORDS_PER_INT32 } from "./codes.ts";
import { NO_PROGRAM, ProgramBuilder } from "./gc_program.ts";
import type { GoField, GoType, Layout } from "./go_type.ts";
import { type LayoutRules, PointerMap } from "./pointer_map.ts";

const MAX_PROGRAM_BYTES = 2 ** 20;

/** The largest type of a platform, in bytes: what its processor can address in user space. */
export function maxTypeBytes(platform: Platform): number {
  return platform.pointerBytes === 8 ? 2 ** 47 : 2 ** 32 - 1;
}

/** A number or a bool: no pointers. */
export function scalarLayout(rules: LayoutRules, size: number, align: number): Layout {
  return layoutOf(rules, size, align, NO_PROGRAM, false);
}

/** A value of whole words with the given codes; a single pointer is stored directly in interfaces. */
export function wordsLayout(rules: LayoutRules, codes: readonly number[]): Layout {
  const { pointerBytes } = rules;
  const { length } = codes;
  const builder = new ProgramBuilder(pointerBytes);
  for (const code of codes) builder.word(code);
  return layoutOf(rules, length * pointerBytes, pointerBytes, builder.finish(), length === 1);
}

/** `length` elements one behind the other. */
export function arrayLayout(rules: LayoutRules, elem: GoType, length: number): Layout {
  const size = elem.size * length;
  if (size > maxTypeBytes(rules)) {
    badArgument("length", length, `an array of at most ${maxTypeBytes(rules)} bytes`);
  }
  const directIface = length === 1 && elem.directIface;
  const program = arrayProgram(rules, elem, length);
  return layoutOf(rules, size, elem.align, program, directIface);
}

function arrayProgram(rules: LayoutRules, elem: GoType, length: number): Uint8Array {
  if (elem.pointerFree || length === 0) return NO_PROGRAM;
  const builder = new ProgramBuilder(rules.pointerBytes);
  builder.array(elem.pointers.program, elem.words, length);
  return builder.finish();
}

/** Fields in order, and the struct around them. */
export function structLayout(
  rules: LayoutRules,
  fieldTypes: readonly (readonly [string, GoType])[],
): Layout & { readonly fields: readonly GoField[] } {
  let end = 0;
  let align = 1;
  const fields = fieldTypes.map(([name, type]): GoField => {
    const offset = roundUp(end, type.fieldAlign);
    end = offset + type.size;
    align = Math.max(align, type.fieldAlign);
    if (end > maxTypeBytes(rules)) {
      badArgument(`fields.${name}`, type.string, `at most ${maxTypeBytes(rules)} bytes in all`);
    }
    return { name, type, offset };
  });
  const size = roundUp(end, align);
  const directIface = fields.length === 1 && fields[0].type.directIface;
  const program = structProgram(rules, fields, size);
  return { ...layoutOf(rules, size, align, program, directIface), fields };
}

function structProgram(
  rules: LayoutRules,
  fields: readonly GoField[],
  size: number,
): Uint8Array {
  if (fields.every(({ type }) => type.pointerFree)) return NO_PROGRAM;
  const { pointerBytes } = rules;
  const builder = new ProgramBuilder(pointerBytes);
  // Words that begin before this one are done. A word belongs to what lies at its beginning.
  let done = 0;
  const scalarsUpTo = (end: number) => {
    const word = Math.ceil(end / pointerBytes);
    builder.scalars(word - done);
    done = word;
  };
  for (const { type, offset } of fields) {
    scalarsUpTo(offset);
    if (type.pointerFree) {
      scalarsUpTo(offset + type.size);
    } else {
      builder.value(type.pointers.program);
      done += type.words;
    }
    requireShort(builder.length);
  }
  scalarsUpTo(size);
  return builder.finish();
}

function requireShort(programBytes: number): void {
  if (programBytes <= MAX_PROGRAM_BYTES) return;
  badArgument(
    "fields",
    `a GC program of ${programBytes} bytes`,
    `at most ${MAX_PROGRAM_BYTES} bytes, so many that are not in arrays`,
  );
}

function layoutOf(
  rules: LayoutRules,
  size: number,
  align: number,
  program: Uint8Array,
  directIface: boolean,
): Layout {
  const words = Math.ceil(size / rules.pointerBytes);
  const pointers = new PointerMap(rules, words, program);
  return {
    size,
    align,
    fieldAlign: align,
    words,
    pointerFree: pointers.maskBytes === 0,
    typeBits: words <= WORDS_PER_INT32 ? pointers.mask?.[0] ?? 0 : 0,
    pointers,
    directIface,
  };
}

function roundUp(value: number, align: number): number {
  return Math.ceil(value / align) * align;
}
