/**
 * The bytes of a trace: from a file or from standard input, plain or gzip.
 *
 * Gzip is known by its first two bytes, 1f 8b, not by the file's name, so that it works through a pipe
 * too. Nothing is ever held whole: a file is read in pieces of 64 KiB, and a piece is inflated 64 KiB
 * at a time, since one of gzip's can become a thousand times as much.
 *
 * Inflating is left to `node:zlib`, not to DecompressionStream: that hands over all that a piece inflates
 * to at once (3.7 MB of a real trace), refuses a second gzip member after the first, cannot tell a
 * truncated file from a damaged one, and takes three times as long (130 ms more for 128 MB of text).
 *
 * @module
 */

import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { CommandError, oneLine } from "./command.ts";

/** What an input is read from: a file, or standard input. */
export type Source = Pick<Deno.FsFile, "read" | "close">;

const CHUNK_BYTES = 65536;
const GZIP_MAGIC = [0x1f, 0x8b];

/** Bytes that cannot be read any further; the message does not name the input. */
export class InputError extends Error {
  override readonly name = "InputError";
}

/** Opens the file at `path`, or standard input if that is `-`. */
export async function openInput(path: string): Promise<Input> {
  if (path === "-") return new Input("<stdin>", Deno.stdin, null);
  try {
    const file = await Deno.open(path);
    const { isFile, size } = await file.stat();
    return new Input(path, file, isFile ? size : null);
  } catch (error) {
    throw new CommandError(`${path}: cannot open: ${systemMessage(error)}`);
  }
}

/** An input that is read once, from its beginning to its end; made by {@linkcode openInput}. */
export class Input {
  /** What messages call it. */
  readonly name: string;
  /** How many bytes there are to read; null where that is not known beforehand. */
  readonly totalBytes: number | null;
  readonly #source: Source;
  #readBytes = 0;

  /** Makes an input of what `source` reads. */
  constructor(name: string, source: Source, totalBytes: number | null) {
    this.name = name;
    this.totalBytes = totalBytes;
    this.#source = source;
  }

  /** How many bytes have been read so far; of a gzip file, compressed ones. */
  get readBytes(): number {
    return this.#readBytes;
  }

  /** The bytes themselves, inflated; throws an {@linkcode InputError} where they can't be read. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    try {
      const pieces = this.#pieces();
      const first = await readMagic(pieces);
      const all = prepend(first, pieces);
      yield* startsAsGzip(first) ? gunzip(all) : all;
    } catch (error) {
      throw new InputError(whyUnreadable(error));
    }
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#source.close();
  }

  async *#pieces(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const piece = new Uint8Array(CHUNK_BYTES);
      const length = await this.#source.read(piece);
      if (length === null) return;
      this.#readBytes += length;
      yield piece.subarray(0, length);
    }
  }
}

/** Takes pieces until there are enough bytes to look at; a pipe may deliver them one by one. */
async function readMagic(pieces: AsyncGenerator<Uint8Array>): Promise<Uint8Array> {
  let first = new Uint8Array(0);
  while (first.length < GZIP_MAGIC.length) {
    const { value, done } = await pieces.next();
    if (done) break;
    first = new Uint8Array([...first, ...value]);
  }
  return first;
}

function startsAsGzip(bytes: Uint8Array): boolean {
  return GZIP_MAGIC.every((byte, i) => bytes[i] === byte);
}

async function* prepend(
  first: Uint8Array,
  rest: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield first;
  yield* rest;
}

async function* gunzip(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const inflating = createGunzip({ chunkSize: CHUNK_BYTES });
  const source = Readable.from(pieces);
  source.on("error", (error) => inflating.destroy(error));
  yield* source.pipe(inflating);
}

/** What to say of zlib's errors, which have codes, and of the system's, which have messages. */
function whyUnreadable(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  if (code === "Z_BUF_ERROR") return "truncated gzip data";
  if (code === "Z_DATA_ERROR") return `damaged gzip data: ${oneLine(error)}`;
  return `cannot read: ${systemMessage(error)}`;
}

/** The system's words for what went wrong, without the error number and the path that Deno adds. */
export function systemMessage(error: unknown): string {
  return oneLine(error).replace(/ \(os error \d+\).*$/, "");
}
