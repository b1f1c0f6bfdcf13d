/**
 * Reads the bytes of a heap dump one after another: varints, strings, words of memory.
 *
 * Nothing that a dump says is believed before it was compared with what there is: a length with the bytes
 * that are left, an address with what a number holds exactly. So every dump either is read or is
 * refused with the offset of what is wrong, in time that grows with its length only.
 *
 * @module
 */

import { HeapDumpError } from "./heap_dump_format.ts";

/** A varint of so many bytes is exact as a double: 49 bits. */
const EXACT_BYTES = 7;
/** 64 bits take ten bytes, and the last one holds one bit. */
const MAX_BYTES = 10;

const decoder = new TextDecoder();

/** A place in a dump, from where reading goes on. */
export class DumpCursor {
  /** The offset of the next byte. */
  at = 0;
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  /** Begins at the first of `bytes`. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Says what is wrong at `offset`. */
  fail(what: string, offset: number = this.at): never {
    throw new HeapDumpError(offset, what);
  }

  /** An unsigned integer of 64 bits; above 2^53 it is rounded. */
  varint(what: string): number {
    const first = this.bytes[this.at];
    if (first < 0x80) {
      this.at++;
      return first;
    }
    return this.#longVarint(what);
  }

  #longVarint(what: string): number {
    const { bytes, at } = this;
    let value = 0;
    let factor = 1;
    for (let i = 0; i < EXACT_BYTES; i++) {
      const byte = bytes[at + i];
      if (byte === undefined) this.fail(`the dump ends within ${what}`, bytes.length);
      value += (byte & 0x7f) * factor;
      factor *= 128;
      if (byte < 0x80) {
        this.at = at + i + 1;
        return value;
      }
    }
    return this.#hugeVarint(what);
  }

  #hugeVarint(what: string): number {
    const { bytes, at } = this;
    let value = 0n;
    for (let i = 0; i < MAX_BYTES; i++) {
      const byte = bytes[at + i];
      if (byte === undefined) this.fail(`the dump ends within ${what}`, bytes.length);
      if (i === MAX_BYTES - 1 && byte > 1) break;
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) {
        this.at = at + i + 1;
        return Number(value);
      }
    }
    return this.fail(`${what} has more than 64 bits`);
  }

  /** An integer that is exact, as addresses, lengths and counts must be. */
  exact(what: string): number {
    const { at } = this;
    const value = this.varint(what);
    if (value > Number.MAX_SAFE_INTEGER) this.fail(`${what} is ${value}, which is above 2^53`, at);
    return value;
  }

  /** 0 or 1. */
  bool(what: string): boolean {
    const { at } = this;
    const value = this.varint(what);
    if (value > 1) this.fail(`${what} is ${value}, neither 0 nor 1`, at);
    return value === 1;
  }

  /** The length of what follows, all of which is there. */
  span(what: string): number {
    const { at } = this;
    const length = this.exact(`the length of ${what}`);
    const left = this.bytes.length - this.at;
    if (length > left) {
      this.fail(`${what} has ${length} bytes, and the dump only ${left} more`, at);
    }
    return length;
  }

  /** Bytes after their length; a view of the dump. */
  contents(what: string): Uint8Array {
    const length = this.span(what);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** Text after its length. */
  string(what: string): string {
    const length = this.span(what);
    this.at += length;
    // A copy, since text is not decoded from shared memory.
    return decoder.decode(this.bytes.slice(this.at - length, this.at));
  }

  /** The word of memory at `offset`, which has `pointerBytes` bytes; what is no exact number is 0. */
  word(offset: number, pointerBytes: number, isBigEndian: boolean): number {
    const view = this.#view;
    if (pointerBytes === 4) return view.getUint32(offset, !isBigEndian);
    const low = view.getUint32(isBigEndian ? offset + 4 : offset, !isBigEndian);
    const high = view.getUint32(isBigEndian ? offset : offset + 4, !isBigEndian);
    return high < 2 ** 21 ? low + high * 2 ** 32 : 0;
  }
}
