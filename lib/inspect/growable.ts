/**
 * Columns that grow: typed arrays whose length is not known beforehand.
 *
 * A table of a million objects is a few of these, not a million JavaScript objects: 8 bytes a figure, and
 * nothing for V8's collector to look at. The room doubles, so that adding costs about the same however many
 * there are.
 *
 * @module
 */

const FIRST_LENGTH = 1024;

/** A column of int32. */
export class Int32Column {
  /** How many there are. */
  length = 0;
  /** They, and room for more behind them. */
  room: Int32Array = new Int32Array(FIRST_LENGTH);

  /** Adds `value` at the end. */
  push(value: number): void {
    if (this.length === this.room.length) this.#grow();
    this.room[this.length++] = value;
  }

  /** The column cut to its length; it is not added to any more. */
  finish(): Int32Array {
    return this.room.subarray(0, this.length);
  }

  #grow(): void {
    const grown = new Int32Array(2 * this.room.length);
    grown.set(this.room);
    this.room = grown;
  }
}

/** A column of float64. */
export class Float64Column {
  /** How many there are. */
  length = 0;
  /** They, and room for more behind them. */
  room: Float64Array = new Float64Array(FIRST_LENGTH);

  /** Adds `value` at the end. */
  push(value: number): void {
    if (this.length === this.room.length) this.#grow();
    this.room[this.length++] = value;
  }

  /** The column cut to its length; it is not added to any more. */
  finish(): Float64Array {
    return this.room.subarray(0, this.length);
  }

  #grow(): void {
    const grown = new Float64Array(2 * this.room.length);
    grown.set(this.room);
    this.room = grown;
  }
}

/** A column of bytes: what is written to a file. */
export class ByteColumn {
  /** How many there are. */
  length = 0;
  /** They, and room for more behind them. */
  room: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_LENGTH);

  /** Makes room for `bytes` more; whoever writes them adds to `length`. */
  reserve(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.room.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.room.length));
    grown.set(this.room.subarray(0, this.length));
    this.room = grown;
  }

  /** A copy of just the bytes. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.room.slice(0, this.length);
  }
}
