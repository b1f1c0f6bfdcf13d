/**
 * The traces of CS:APP's malloc lab (`.rep` files), read as a stream.
 *
 * Four numbers, of which only the second and third mean anything here, then one operation a line:
 *
 * ```
 * 20000        suggested heap size, which nobody uses
 * 2            how many ids there are: 0 and 1
 * 4            how many operations there are
 * 1            weight of the trace in the lab's score
 * a 0 512      block 0 is what malloc(512) returns
 * a 1 128
 * r 0 640      block 0 is what realloc(block 0, 640) returns
 * f 1          free(block 1)
 * ```
 *
 * Sizes are what the program asked for, not those of blocks. An id may be used again once its block is
 * freed. What is kept between two chunks is one line, and of that at most {@linkcode MAX_LINE_LENGTH}.
 *
 * @module
 */

/** The longest line that is understood, in bytes; a longer one is malformed. */
export const MAX_LINE_LENGTH = 256;

/** What a {@linkcode RepReader} tells about each operation, in the order of the trace. */
export interface RepHandler {
  /** Block `id` is allocated with `sizeBytes`. */
  malloc(id: number, sizeBytes: number): void;
  /** Block `id` is allocated anew with `sizeBytes`, what is in it copied, and the old one freed. */
  realloc(id: number, sizeBytes: number): void;
  /** Block `id` is freed. */
  release(id: number): void;
  /** A line is not as it must be; `what` says why, and quotes it. */
  malformed(what: string): void;
}

const HEADER = ["suggested heap size", "number of ids", "number of operations", "weight"];
const IDS = 1;
const OPERATIONS = 2;

/** Decimal digits of which every number is exact. */
const MAX_DIGITS = 15;
const WHOLE = new RegExp(`^\\d{1,${MAX_DIGITS}}$`);

/** How many characters of a malformed line its message quotes. */
const QUOTED_LENGTH = 80;

/** Whether a trace that begins with `byte` is one of these: the other kind begins with a word. */
export function beginsRepTrace(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** Reads a trace from chunks of bytes, cut anywhere, and calls a handler for each operation. */
export class RepReader {
  /** The number of the line that is being read, from 1; what a handler names in its messages. */
  line = 1;
  readonly #handler: RepHandler;
  /** The numbers of the header so far; Infinity for those that a damaged one lacks. */
  readonly #header: number[] = [];
  readonly #decoder = new TextDecoder("latin1");
  #operations = 0;
  /** The beginning of a line that the last chunk left unfinished; cut one character above the limit. */
  #carry = "";

  /** Makes a reader at the beginning of a trace. */
  constructor(handler: RepHandler) {
    this.#handler = handler;
  }

  /** Reads on; the chunk is not kept. */
  push(chunk: Uint8Array): void {
    const lines = this.#decoder.decode(chunk).split("\n");
    lines[0] = this.#carry + lines[0];
    const last = lines.pop() ?? "";
    for (const line of lines) {
      this.#readLine(line);
      this.line++;
    }
    this.#carry = last.slice(0, MAX_LINE_LENGTH + 1);
  }

  /** Reads what a trace without a last line end left over; returns how many lines there were. */
  end(): number {
    const isOpen = this.#carry !== "";
    if (isOpen) this.#readLine(this.#carry);
    else this.line--;
    const known = this.#header.length;
    if (known < HEADER.length) {
      this.#handler.malformed(`the trace ends before its header does: no ${HEADER[known]}`);
    } else if (this.#operations < this.#header[OPERATIONS] && isFinite(this.#header[OPERATIONS])) {
      const announced = `${this.#header[OPERATIONS]} that its header announces`;
      this.#handler.malformed(
        `the trace ends after ${this.#operations} operations of ${announced}`,
      );
    }
    return this.line;
  }

  #readLine(line: string): void {
    if (line.length > MAX_LINE_LENGTH) {
      return this.#malformed(`longer than ${MAX_LINE_LENGTH} bytes`, line);
    }
    const words = line.split(/[ \t\r]+/).filter((word) => word !== "");
    while (words.length > 0 && this.#header.length < HEADER.length) {
      if (!this.#readHeader(words[0], line)) break;
      words.shift();
    }
    if (words.length === 0) return;
    const fault = this.#readOperation(words);
    if (fault !== null) this.#malformed(fault, line);
  }

  /** Takes the next number of the header; false if `word` is none, and an operation in its place. */
  #readHeader(word: string, line: string): boolean {
    if (WHOLE.test(word)) {
      this.#header.push(Number(word));
      return true;
    }
    this.#malformed(`expected the header's ${HEADER[this.#header.length]}, a whole number`, line);
    this.#header.push(Infinity);
    if (!/^[arf]$/.test(word)) return true;
    while (this.#header.length < HEADER.length) this.#header.push(Infinity);
    return false;
  }

  /** Reads `a ID BYTES`, `r ID BYTES` or `f ID`; returns what is wrong with it, or null. */
  #readOperation([operation, ...operands]: string[]): string | null {
    if (!/^[arf]$/.test(operation)) return "expected a, r or f at its beginning";
    const expected = operation === "f" ? ["an id"] : ["an id", "a size"];
    if (operands.length !== expected.length) {
      return `expected ${expected.join(" and ")} after ${operation}`;
    }
    const bad = operands.findIndex((word) => !WHOLE.test(word));
    if (bad >= 0) return `expected ${expected[bad]}, a whole number`;
    const [id, sizeBytes] = operands.map(Number);
    const ids = this.#header[IDS];
    if (id >= ids) return `its id is not below ${ids}, the number of ids`;
    if (sizeBytes === 0) return "its size is 0";
    if (this.#operations === this.#header[OPERATIONS]) {
      return `more operations than the ${this.#operations} that the header announces`;
    }
    this.#operations++;
    if (operation === "a") this.#handler.malloc(id, sizeBytes);
    else if (operation === "r") this.#handler.realloc(id, sizeBytes);
    else this.#handler.release(id);
    return null;
  }

  #malformed(fault: string, line: string): void {
    const quoted = JSON.stringify(line.trimEnd().slice(0, QUOTED_LENGTH));
    const dots = line.length > QUOTED_LENGTH ? "..." : "";
    this.#handler.malformed(`malformed line, ${fault}: ${quoted}${dots}`);
  }
}
