/**
 * The allocation trace that a Go program writes under GODEBUG=allocfreetrace=1, read as a stream.
 *
 * Every block that mallocgc hands out, every block that sweep frees, and every collection is a record
 * of text: one line that says what happened, then the stack that did it, then an empty line.
 *
 * ```
 * tracealloc(0xc20800e000, 0x1000, runtime.parforthread)     block, its size, type of what is in it
 * goroutine 0 [idle]:
 * runtime.mallocgc(0x1000, 0x4f62e0, 0x7fff00000001, 0x7)
 * 	/usr/local/go/src/runtime/malloc.go:327 +0x32a fp=0x7fff503d4958 sp=0x7fff503d48a8
 *
 * tracefree(0xc20800e000, 0x1000)                            the same block and size
 * ...
 * tracegc()                                                  a collection begins
 * ```
 *
 * The size is that of the block, not of the request. The type is missing where the runtime allocated
 * raw memory, and may hold spaces, commas and parentheses: it ends at the last `)` of the line. What
 * the program itself printed may stand between records.
 *
 * Stacks are 98 % of a trace, and few need them. So the reader works on
 * bytes, looks for line ends, and looks closer only at lines that begin with `t`, and at those of an allocation's
 * stack where somebody wants them; a string is made only for an error message. What it keeps between two chunks is at most one line that may be a record, and
 * of that at most {@linkcode MAX_RECORD_BYTES}: memory does not grow with the trace, nor with a line.
 *
 * @module
 */

/** The longest first line of a record that is understood, in bytes; a longer one is malformed. */
export const MAX_RECORD_BYTES = 65536;

/** What a {@linkcode TraceReader} tells about each record, in the order of the trace. */
export interface TraceHandler {
  /**
   * A block of `sizeBytes` at `address` was allocated. Its type's name is `bytes` from `typeStart` up
   * to `typeEnd`; the two are equal where the record has none. `bytes` is valid during the call only.
   */
  allocation(
    address: number,
    sizeBytes: number,
    bytes: Uint8Array,
    typeStart: number,
    typeEnd: number,
  ): void;
  /** The block at `address` was freed. */
  free(address: number, sizeBytes: number): void;
  /** A collection began. */
  collection(): void;
  /** A line begins as a record does and goes on as none; `what` says why, and quotes it. */
  malformed(what: string): void;
}

/** What a {@linkcode TraceReader} tells about the stacks of allocations, if it is asked to. */
export interface StackHandler {
  /**
   * A line of the stack of the last allocation: `bytes` from `start` up to `end`, cut to
   * {@linkcode MAX_RECORD_BYTES}. `bytes` is valid during the call only.
   */
  stackLine(bytes: Uint8Array, start: number, end: number): void;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const CLOSE = 0x29;
const COMMA = 0x2c;
const LETTER_T = 0x74;

const ALLOC = new TextEncoder().encode("tracealloc(");
const FREE = new TextEncoder().encode("tracefree(");
const COLLECTION = new TextEncoder().encode("tracegc(");

/** Hexadecimal digits of 2^53 - 1, the largest integer a number holds exactly. */
const MAX_HEX_DIGITS = 14;

/** How many bytes of a malformed line its message quotes. */
const QUOTED_BYTES = 80;

/** Reads a trace from chunks of bytes, cut anywhere, and calls a handler for each record. */
export class TraceReader {
  /** The number of the line that is being read, from 1; what a handler names in its messages. */
  line = 1;
  readonly #handler: TraceHandler;
  readonly #stacks: StackHandler | null;
  /** Whether the lines up to the next empty one are a stack that is wanted. */
  #isInStack = false;
  /** The beginning of a line that the last chunk left unfinished and that has to be looked at. */
  readonly #carry = new Uint8Array(MAX_RECORD_BYTES);
  #carryBytes = 0;
  #state: "line start" | "in a line" | "in a record" | "in a long record" = "line start";

  /** Makes a reader at the beginning of a trace, which reads stacks if there is a handler for them. */
  constructor(handler: TraceHandler, stacks: StackHandler | null = null) {
    this.#handler = handler;
    this.#stacks = stacks;
  }

  /** Reads on; the chunk is not kept. */
  push(chunk: Uint8Array): void {
    let start = this.#state === "line start" ? 0 : this.#finishLine(chunk);
    const { length } = chunk;
    while (start < length) {
      let end = start;
      while (end < length && chunk[end] !== NEWLINE) end++;
      if (end === length) {
        const isRead = this.#isInStack || chunk[start] === LETTER_T;
        this.#state = isRead ? "in a record" : "in a line";
        if (this.#state === "in a record") this.#carryOver(chunk.subarray(start));
        return;
      }
      if (this.#isInStack || chunk[start] === LETTER_T) this.#readLine(chunk, start, end);
      this.line++;
      start = end + 1;
    }
  }

  /** Reads what a trace without a last line end left over; returns how many lines there were. */
  end(): number {
    if (this.#state === "line start") return this.line - 1;
    this.#readCarry();
    return this.line;
  }

  /** Looks for the end of the line that is open; returns where the next one begins in `chunk`. */
  #finishLine(chunk: Uint8Array): number {
    let end = 0;
    while (end < chunk.length && chunk[end] !== NEWLINE) end++;
    if (this.#state === "in a record") this.#carryOver(chunk.subarray(0, end));
    if (end === chunk.length) return end;
    this.#readCarry();
    this.line++;
    return end + 1;
  }

  #carryOver(bytes: Uint8Array): void {
    const room = MAX_RECORD_BYTES - this.#carryBytes;
    this.#carry.set(bytes.subarray(0, room), this.#carryBytes);
    this.#carryBytes += Math.min(bytes.length, room);
    if (bytes.length > room) this.#state = "in a long record";
  }

  #readCarry(): void {
    const length = this.#carryBytes;
    const isLong = this.#state === "in a long record";
    this.#carryBytes = 0;
    this.#state = "line start";
    if (length > 0) this.#readLine(this.#carry, 0, length, isLong);
  }

  /** Reads the line from `start` up to `end`, if it is a record's first or in a stack; `isLong` if it has been cut. */
  #readLine(
    bytes: Uint8Array,
    start: number,
    end: number,
    isLong = end - start > MAX_RECORD_BYTES,
  ) {
    const prefix = recordPrefix(bytes, start, end);
    if (end > start && bytes[end - 1] === RETURN) end--;
    if (prefix === null) {
      if (this.#isInStack) this.#readStackLine(bytes, start, end);
      return;
    }
    this.#isInStack = false;
    const at = start + prefix.length;
    const fault = isLong
      ? `record is longer than ${MAX_RECORD_BYTES} bytes`
      : prefix === COLLECTION
      ? this.#readCollection(bytes, at, end)
      : this.#readBlock(prefix === ALLOC, bytes, at, end);
    if (fault === null) return;
    const quoted = new TextDecoder().decode(
      bytes.subarray(start, Math.min(end, start + QUOTED_BYTES)),
    );
    const dots = end - start > QUOTED_BYTES ? "..." : "";
    this.#handler.malformed(`malformed record, ${fault}: ${JSON.stringify(quoted)}${dots}`);
  }

  #readStackLine(bytes: Uint8Array, start: number, end: number): void {
    if (start === end) this.#isInStack = false;
    else this.#stacks?.stackLine(bytes, start, Math.min(end, start + MAX_RECORD_BYTES));
  }

  #readCollection(bytes: Uint8Array, at: number, end: number): string | null {
    if (end - at !== 1 || bytes[at] !== CLOSE) return "expected )";
    this.#handler.collection();
    return null;
  }

  /** Reads `0xADDRESS, 0xSIZE)` or `0xADDRESS, 0xSIZE, TYPE)`; returns what is wrong with it, or null. */
  #readBlock(isAllocation: boolean, bytes: Uint8Array, at: number, end: number): string | null {
    const last = end - 1;
    if (bytes[last] !== CLOSE) return "expected ) at its end";
    const addressEnd = hexEnd(bytes, at, last);
    if (addressEnd < 0) return "expected a hexadecimal address";
    if (bytes[addressEnd] !== COMMA || bytes[addressEnd + 1] !== SPACE) {
      return "expected a comma and a space after the address";
    }
    const sizeEnd = hexEnd(bytes, addressEnd + 2, last);
    if (sizeEnd < 0) return "expected a hexadecimal size";
    const address = hexValue(bytes, at + 2, addressEnd);
    const sizeBytes = hexValue(bytes, addressEnd + 4, sizeEnd);
    if (address === 0) return "its address is nil";
    if (sizeBytes === 0) return "its size is 0";
    if (sizeEnd === last) {
      if (isAllocation) this.#allocation(address, sizeBytes, bytes, last, last);
      else this.#handler.free(address, sizeBytes);
      return null;
    }
    if (!isAllocation) return "expected ) after the size";
    const typeStart = sizeEnd + 2;
    if (bytes[sizeEnd] !== COMMA || bytes[sizeEnd + 1] !== SPACE || typeStart >= last) {
      return "expected a comma, a space and a type after the size";
    }
    this.#allocation(address, sizeBytes, bytes, typeStart, last);
    return null;
  }

  #allocation(
    address: number,
    sizeBytes: number,
    bytes: Uint8Array,
    typeStart: number,
    typeEnd: number,
  ): void {
    this.#handler.allocation(address, sizeBytes, bytes, typeStart, typeEnd);
    this.#isInStack = this.#stacks !== null;
  }
}

/** The words by which the line from `start` up to `end` makes itself a record, or null. */
function recordPrefix(bytes: Uint8Array, start: number, end: number): Uint8Array | null {
  const prefix = bytes[start + 5] === ALLOC[5]
    ? ALLOC
    : bytes[start + 5] === FREE[5]
    ? FREE
    : COLLECTION;
  if (end - start < prefix.length) return null;
  for (let i = 0; i < prefix.length; i++) {
    if (bytes[start + i] !== prefix[i]) return null;
  }
  return prefix;
}

/** Where the digits of the `0x...` at `at` end; -1 if there is none, or more digits than a number holds. */
function hexEnd(bytes: Uint8Array, at: number, limit: number): number {
  if (bytes[at] !== 0x30 || bytes[at + 1] !== 0x78) return -1;
  const first = at + 2;
  let end = first;
  while (end < limit && hexDigit(bytes[end]) >= 0) end++;
  const digits = end - first;
  if (digits === 0 || digits > MAX_HEX_DIGITS) return -1;
  return digits === MAX_HEX_DIGITS && hexDigit(bytes[first]) > 1 ? -1 : end;
}

function hexValue(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let i = start; i < end; i++) value = value * 16 + hexDigit(bytes[i]);
  return value;
}

/** The value of a lower-case hexadecimal digit, -1 for any other byte. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  if (byte >= 0x61 && byte <= 0x66) return byte - 0x57;
  return -1;
}
