/**
 * gccgo's bits of a block, in this heap's bitmap.
 *
 * gccgo keeps four bits for the first word of a block. The bitmap here (see arena/bitmap.ts) serves both
 * compilers, and each of the four can be told from what it holds:
 *
 * ```
 *   gccgo's bit    here
 *   allocated      the block is not free: its free bit is 0, it is in no chain and in no cache's run
 *   scan           the type code of the block's first word is not dead; of a large one also: NO_SCAN is 0
 *   marked         the mark bit
 *   no-gc          the block is in the table of gccgo/no_gc.ts
 * ```
 *
 * What gccgo's collector finds out as it marks, by running a type's program or by taking every word for a
 * pointer, is written into the type codes when the object is allocated:
 *
 * ```
 *   typed, one value      the type's mask once, dead behind it
 *   typed, an array       the type's mask as often as it fits in what was asked for
 *   typed, no pointers    one scalar, dead behind it: marking looks at nothing
 *   a channel             every word a pointer, unless its elements have none
 *   untyped               every word of the block a pointer; of a large one as far as was asked for
 *   not to be scanned     dead
 * ```
 *
 * So a type's program and its mask see the same pointers, with these liberties: the type word of an interface is
 * a candidate too (it lies outside the arena and is ignored); what a pointer's type says of the block behind it is
 * not used, the block's own codes decide, and an untyped block is followed as a whole; a channel's buffer is
 * followed with its header. Each of them can keep more alive than gccgo would, and never less.
 *
 * @module
 */

import type { Arena } from "../arena/arena.ts";
import * as bitmapPlanes from "../arena/bitmap.ts";
import * as platforms from "../platform/platform.ts";
import * as sizeClasses from "../spans/size_classes.ts";
import * as spanRecord from "../spans/span_record.ts";
import type { SpanTable } from "../spans/span_table.ts";
import { addRepeated, WORDS_PER_INT32 } from "../types/codes.ts";
import type { GoType } from "../types/go_type.ts";
import type { BlockFinder } from "./block_finder.ts";
import { TypeInfo } from "./type_info.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { BITS_DEAD, BITS_POINTER, BITS_SCALAR } = bitmapPlanes;
const { PAGE_BYTES } = platforms;
const { CLASS_TO_SIZE } = sizeClasses;
const { CLASS, NO_SCAN, PAGES, START } = spanRecord;

/** The codes of 16 words that are all pointers. */
const ALL_POINTERS = 0xaaaaaaaa | 0;

/** Reads and writes gccgo's bits. See the head of the module. */
export class ScanBits {
  readonly #arena: Arena;
  readonly #spans: SpanTable;
  readonly #pointerBytes: number;

  constructor(arena: Arena, spans: SpanTable) {
    this.#arena = arena;
    this.#spans = spans;
    this.#pointerBytes = arena.platform.pointerBytes;
  }

  /**
   * Makes the block that `at` found scannable, as an object of `size` bytes of `type`, or of unknown contents
   * if that is null. The block's codes are dead before. Seeds' markscan.
   */
  markScan(at: BlockFinder, size: number, type: GoType | null, info: TypeInfo): void {
    const { bitmap } = this.#arena;
    const base = bitmap.typesOf(at.start);
    const word = (at.block * at.bytes) / this.#pointerBytes;
    if (isFollowedWhole(type, info)) {
      const words = Math.floor(at.usableBytes / this.#pointerBytes);
      addRepeated(bitmap.types, base, word, ALL_POINTERS, WORDS_PER_INT32, words);
      return;
    }
    const words = this.#maskedWords(at.usableBytes, size, type!, info);
    if (words === 0) bitmap.addTypes(base, word, BITS_SCALAR);
    else type!.pointers.write(bitmap.types, base, word, words);
  }

  /** Makes the block that `at` found unscannable. */
  clear(at: BlockFinder): void {
    const { bitmap } = this.#arena;
    const words = at.bytes / this.#pointerBytes;
    bitmap.clearTypes(bitmap.typesOf(at.start), at.block * words, words);
  }

  /** gccgo's scan bit of a block in use. */
  isScannable(span: number, block: number): boolean {
    const { ints } = this.#spans;
    if (ints[span + NO_SCAN] !== 0) return false;
    return this.#code(span, block, 0) !== BITS_DEAD;
  }

  /** Whether the codes of a block are those of an object of that type; null for unknown contents. */
  agrees(span: number, block: number, type: GoType | null, info: TypeInfo): boolean {
    const bytes = this.#usableBytes(span);
    const isWhole = isFollowedWhole(type, info);
    const masked = isWhole ? 0 : this.#maskedWords(bytes, bytes, type!, info);
    for (let word = 0; word < Math.floor(bytes / this.#pointerBytes); word++) {
      const code = this.#code(span, block, word);
      // How much was asked for of an array is not known any more: it may end behind any of its words.
      if (masked > 0 && info === TypeInfo.Array && word > 0 && code === BITS_DEAD) return true;
      let expected = BITS_DEAD;
      if (isWhole) expected = BITS_POINTER;
      else if (word < masked) expected = type!.pointers.code(word % type!.words);
      else if (word === 0) expected = BITS_SCALAR;
      if (code !== expected) return false;
    }
    return true;
  }

  /** The bytes of the blocks of a span in use. */
  blockBytes(span: number): number {
    const { ints } = this.#spans;
    const cls = ints[span + CLASS];
    return cls === 0 ? ints[span + PAGES] * PAGE_BYTES : CLASS_TO_SIZE[cls];
  }

  #usableBytes(span: number): number {
    const { ints } = this.#spans;
    return ints[span + CLASS] === 0 ? this.#spans.limitBytes(span) : this.blockBytes(span);
  }

  /** Words that the type's mask covers; 0 if it says nothing. */
  #maskedWords(usableBytes: number, size: number, type: GoType, info: TypeInfo): number {
    if (type.pointerFree || info === TypeInfo.Chan) return 0;
    const bytes = info === TypeInfo.SingleObject ? Math.min(type.size, usableBytes) : size;
    return Math.floor(bytes / this.#pointerBytes);
  }

  #code(span: number, block: number, word: number): number {
    const { bitmap } = this.#arena;
    const base = bitmap.typesOf(this.#spans.ints[span + START]);
    return bitmap.typeOf(base, (block * this.blockBytes(span)) / this.#pointerBytes + word);
  }
}

/** Whether marking takes every word of such an object for a pointer. */
function isFollowedWhole(type: GoType | null, info: TypeInfo): boolean {
  return type === null || (info === TypeInfo.Chan && !type.elem!.pointerFree);
}
