/**
 * Names by number, found by their bytes.
 *
 * A trace repeats a few hundred type names on every line. Each is made a string once, the first time;
 * from then on a hash of its bytes leads to its number, and the numbers index typed arrays:
 *
 * ```
 *  bytes ──FNV-1a──▶ buckets (Int32Array, a power of two, linear probing) ──▶ number ──▶ names[number]
 * ```
 *
 * Number 0 is the empty name. A table has a limit, since nothing promises that a trace has only few
 * names: the names past {@linkcode MAX_NAMES} all get the last number.
 *
 * @module
 */

/** How many different names a table tells apart. */
export const MAX_NAMES = 65536;
/** What the names are called that came when the table was full. */
export const OTHER_NAMES = "(all other types)";

/** A set of names, each with a number from 0 on. */
export class NameTable {
  /** The names by number. */
  readonly names: string[] = [""];
  readonly #encoded: Uint8Array[] = [new Uint8Array(0)];
  readonly #hashes = new Int32Array(MAX_NAMES);
  #buckets = new Int32Array(1024).fill(-1);

  /** The number of the name that is `bytes` from `start` up to `end`; a new name gets the next one. */
  numberOf(bytes: Uint8Array, start: number, end: number): number {
    if (start === end) return 0;
    const hash = hashOf(bytes, start, end);
    let bucket = hash & (this.#buckets.length - 1);
    for (;;) {
      const number = this.#buckets[bucket];
      if (number < 0) return this.#add(bucket, hash, bytes.slice(start, end));
      if (this.#hashes[number] === hash && isEqual(this.#encoded[number], bytes, start, end)) {
        return number;
      }
      bucket = (bucket + 1) & (this.#buckets.length - 1);
    }
  }

  #add(bucket: number, hash: number, encoded: Uint8Array): number {
    const number = this.names.length;
    if (number === MAX_NAMES) {
      this.names.push(OTHER_NAMES);
      return number;
    }
    if (number > MAX_NAMES) return MAX_NAMES;
    this.names.push(new TextDecoder().decode(encoded));
    this.#encoded.push(encoded);
    this.#hashes[number] = hash;
    this.#buckets[bucket] = number;
    if (number * 2 > this.#buckets.length) this.#grow();
    return number;
  }

  #grow(): void {
    const mask = this.#buckets.length * 2 - 1;
    const buckets = new Int32Array(mask + 1).fill(-1);
    for (let number = 1; number < this.names.length; number++) {
      let bucket = this.#hashes[number] & mask;
      while (buckets[bucket] >= 0) bucket = (bucket + 1) & mask;
      buckets[bucket] = number;
    }
    this.#buckets = buckets;
  }
}

function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  return hash ^ (hash >>> 15);
}

function isEqual(encoded: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (encoded.length !== end - start) return false;
  for (let i = 0; i < encoded.length; i++) {
    if (encoded[i] !== bytes[start + i]) return false;
  }
  return true;
}
