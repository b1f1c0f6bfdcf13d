/**
 * Span types: which type each object has, as gccgo remembers it.
 *
 * A span knows the types of its blocks, in the shortest of four ways (its record says which, see
 * spans/span_record.ts):
 *
 * ```
 *   Empty    no block has a type                                   first typed object ─▶ Bytes
 *   Single   a large object: TYPES_DATA is its type word
 *   Bytes    TYPES_DATA is the address of a table                  an eighth type ─▶ Words
 *   Words    the same, with a longer table
 *
 *   Bytes    │  0  │ type word 1 │ ... │ type word 7 │ b0 │ b1 │ b2 │ ...      a byte a block: 0 to 7
 *   Words    │ type word of block 0 │ type word of block 1 │ ...
 * ```
 *
 * For 16-byte blocks, 512 to a span, that is 576 bytes of table, or 4096. Type words are told in type_info.ts;
 * 0 is for blocks that are free or that nothing is known of. The tables are objects of this heap themselves, without
 * pointers, and are kept alive by their spans: the root pass marks them. A table that was outgrown is just dropped,
 * so is that of a span that went back. The types in them keep nothing alive.
 *
 * Conservation: the entry of a block that is free is 0.
 *
 * @module
 */

import type { Arena } from "../arena/arena.ts";
import * as bitmapPlanes from "../arena/bitmap.ts";
import type { Pointer } from "../platform/platform.ts";
import { lowestBit } from "../spans/bits.ts";
import { blockBits } from "../spans/free_list.ts";
import * as spanRecord from "../spans/span_record.ts";
import type { SpanTable } from "../spans/span_table.ts";
import type { GoType } from "../types/go_type.ts";
import type { TypeInfo } from "./type_info.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { MARK_SHIFT } = bitmapPlanes;
const {
  BLOCKS,
  CLASS,
  COMPRESSION,
  IN_USE,
  START,
  STATE,
  TYPES_BYTES,
  TYPES_EMPTY,
  TYPES_SINGLE,
  TYPES_WORDS,
} = spanRecord;

/** Type words at the front of a table of bytes; the first is never used. */
const BYTE_TYPES = 8;

/** An object's type as it was recorded. */
export interface RecordedType {
  /** The type. */
  readonly type: GoType;
  /** How it fills the block. */
  readonly info: TypeInfo;
}

/** The span types of one heap. See the head of the module. */
export class SpanTypes {
  /** Allocates a table of so many zero bytes, without starting a collection; set by the allocator. */
  allocTable!: (bytes: number) => Pointer;
  readonly #arena: Arena;
  readonly #spans: SpanTable;
  readonly #pointerBytes: number;
  /** The types that were ever recorded, by address. */
  readonly #types = new Map<Pointer, GoType>();

  constructor(arena: Arena, spans: SpanTable) {
    this.#arena = arena;
    this.#spans = spans;
    this.#pointerBytes = arena.platform.pointerBytes;
  }

  /** Records the type of block `block` of a span in use; seeds' settype. */
  set(span: number, block: number, type: GoType, info: TypeInfo): void {
    const typeWord = type.address + info;
    const { ints } = this.#spans;
    if (ints[span + CLASS] === 0) {
      this.#remember(type);
      this.#setState(span, TYPES_SINGLE, typeWord);
      return;
    }
    switch (ints[span + COMPRESSION]) {
      case TYPES_EMPTY:
        this.#remember(type);
        this.#startBytes(span, block, typeWord);
        return;
      case TYPES_BYTES:
        this.#setByte(span, block, type, typeWord);
        return;
      case TYPES_WORDS:
        this.#remember(type);
        this.#write(this.#table(span), block, typeWord);
        return;
      default:
        this.#spans.corrupted(
          `runtime_settype: invalid compression kind ${ints[span + COMPRESSION]}`,
        );
    }
  }

  /** The type word of block `block` of a span in use, 0 if nothing is known; seeds' gettype. */
  get(span: number, block: number): number {
    const table = this.#table(span);
    switch (this.#spans.ints[span + COMPRESSION]) {
      case TYPES_EMPTY:
        return 0;
      case TYPES_SINGLE:
        return table;
      case TYPES_WORDS:
        return this.#read(table, block);
      case TYPES_BYTES:
        return this.#read(table, this.#readByte(table, block));
      default:
        return this.#spans.corrupted("runtime_gettype: invalid compression kind");
    }
  }

  /** Takes a type word apart; null for 0, and for one that no type of this heap stands behind. */
  typeOf(typeWord: number): RecordedType | null {
    const info = typeWord % this.#pointerBytes;
    const type = this.#types.get(typeWord - info);
    return type === undefined ? null : { type, info: info as TypeInfo };
  }

  /** Forgets the types of the blocks that the sweep of a small span finds dead, before it frees them. */
  forgetDead(span: number): void {
    const { ints } = this.#spans;
    const isBytes = ints[span + COMPRESSION] === TYPES_BYTES;
    if (!isBytes && ints[span + COMPRESSION] !== TYPES_WORDS) return;
    const table = this.#table(span);
    const { bitmap: { marks } } = this.#arena;
    const first = ints[span + START] << MARK_SHIFT;
    for (let word = 0; word << 5 < ints[span + BLOCKS]; word++) {
      const live = marks[first + (word << 1)] | marks[first + (word << 1) + 1];
      for (let dead = ~live & blockBits(word, ints[span + BLOCKS]); dead !== 0; dead &= dead - 1) {
        const block = (word << 5) + lowestBit(dead);
        if (isBytes) this.#writeByte(table, block, 0);
        else this.#write(table, block, 0);
      }
    }
  }

  /** Calls `visit` with the address of each table that a span in use has. */
  forEachTable(visit: (table: Pointer, span: number) => void): void {
    const { ints } = this.#spans;
    for (let i = 0; i < this.#spans.made; i++) {
      const span = this.#spans.handle(i);
      if (ints[span + STATE] !== IN_USE) continue;
      const compression = ints[span + COMPRESSION];
      if (compression === TYPES_BYTES || compression === TYPES_WORDS) {
        visit(this.#table(span), span);
      }
    }
  }

  /** The bytes of the table that a span in one of the states with a table has. */
  tableBytes(span: number): number {
    const { ints } = this.#spans;
    return ints[span + COMPRESSION] === TYPES_WORDS
      ? ints[span + BLOCKS] * this.#pointerBytes
      : BYTE_TYPES * this.#pointerBytes + ints[span + BLOCKS];
  }

  #startBytes(span: number, block: number, typeWord: number): void {
    const bytes = BYTE_TYPES * this.#pointerBytes + this.#spans.ints[span + BLOCKS];
    const table = this.allocTable(bytes);
    this.#setState(span, TYPES_BYTES, table);
    this.#write(table, 1, typeWord);
    this.#writeByte(table, block, 1);
  }

  #setByte(span: number, block: number, type: GoType, typeWord: number): void {
    const table = this.#table(span);
    for (let index = 1; index < BYTE_TYPES; index++) {
      const there = this.#read(table, index);
      if (there === 0) {
        this.#remember(type);
        this.#write(table, index, typeWord);
      } else if (there !== typeWord) {
        continue;
      }
      this.#writeByte(table, block, index);
      return;
    }
    this.#remember(type);
    this.#turnToWords(span);
    this.#write(this.#table(span), block, typeWord);
  }

  /** Writes the types of all blocks out, each as a word of a new table. */
  #turnToWords(span: number): void {
    const blocks = this.#spans.ints[span + BLOCKS];
    const bytes = this.#table(span);
    const words = this.allocTable(blocks * this.#pointerBytes);
    for (let block = 0; block < blocks; block++) {
      this.#write(words, block, this.#read(bytes, this.#readByte(bytes, block)));
    }
    this.#setState(span, TYPES_WORDS, words);
  }

  #remember(type: GoType): void {
    if (!this.#types.has(type.address)) this.#types.set(type.address, type);
  }

  #table(span: number): number {
    return this.#spans.typesData(span);
  }

  #setState(span: number, compression: number, data: number): void {
    this.#spans.ints[span + COMPRESSION] = compression;
    this.#spans.setTypesData(span, data);
  }

  /** Where the byte of a block lies. */
  #byteAt(table: Pointer, block: number): Pointer {
    return table + BYTE_TYPES * this.#pointerBytes + block;
  }

  #readByte(table: Pointer, block: number): number {
    const { base, u8 } = this.#arena.memoryAt(table);
    return u8[this.#byteAt(table, block) - base];
  }

  #writeByte(table: Pointer, block: number, value: number): void {
    const { base, u8 } = this.#arena.memoryAt(table);
    u8[this.#byteAt(table, block) - base] = value;
  }

  #read(table: Pointer, word: number): number {
    return this.#arena.readWord((table - this.#arena.start) / this.#pointerBytes + word);
  }

  #write(table: Pointer, word: number, value: number): void {
    this.#arena.writeWord((table - this.#arena.start) / this.#pointerBytes + word, value);
  }
}
