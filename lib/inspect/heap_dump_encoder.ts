/**
 * Writes the pieces that a heap dump is made of. See heap_dump_format.ts.
 *
 * @module
 */

import { ByteColumn } from "./growable.ts";

/** A varint of 64 bits takes so many bytes. */
const MAX_VARINT_BYTES = 10;

const encoder = new TextEncoder();

/** A dump that is being written. */
export class DumpEncoder {
  readonly #bytes = new ByteColumn();

  /** Unsigned integers below 2^64. */
  varints(...values: number[]): void {
    for (const value of values) this.varint(value);
  }

  /** An unsigned integer below 2^64. */
  varint(value: number): void {
    const out = this.#bytes;
    out.reserve(MAX_VARINT_BYTES);
    // Dividing a double by a power of two is exact, above 2^53 too.
    let rest = value;
    while (rest >= 128) {
      out.room[out.length++] = rest % 128 + 128;
      rest = Math.floor(rest / 128);
    }
    out.room[out.length++] = rest;
  }

  /** 0 or 1. */
  bool(value: boolean): void {
    this.varint(value ? 1 : 0);
  }

  /** Text after its length. */
  string(text: string): void {
    this.contents(encoder.encode(text));
  }

  /** Bytes after their length. */
  contents(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.raw(bytes);
  }

  /** Text as it is. */
  magic(text: string): void {
    this.raw(encoder.encode(text));
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): void {
    const out = this.#bytes;
    out.reserve(bytes.length);
    out.room.set(bytes, out.length);
    out.length += bytes.length;
  }

  /** All that was written. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.finish();
  }
}
