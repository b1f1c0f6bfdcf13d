/**
 * Pointer masks: objects that have their pointers in the same words have the same mask, and a number for it.
 *
 * ```
 *   struct { a int8; b *int; c []byte }     s p p     up to the last pointer; what is behind it, the heap
 *   [3]string                               p s p s p     knows and a dump does not
 * ```
 *
 * A mask of up to 32 words is told from others by its bits; a longer one, of which there are few, by its
 * length and two hashes of them.
 *
 * @module
 */

/** Words that the text of a mask shows. */
const SHOWN_WORDS = 48;

/** The masks that were seen, by number: 0 is that of objects without pointers. */
export class PointerMasks {
  /** By number, the mask as text: p a pointer, s something else. */
  readonly texts: string[] = [""];
  readonly #numbers = new Map<number | string, number>([[0, 0]]);
  /** The mask that is being made: a bit a word. */
  #bits = new Int32Array(32);
  #words = 0;

  /** Says that word `word` is a pointer. */
  add(word: number): void {
    const at = Math.floor(word / 32);
    if (at >= this.#bits.length) this.#grow(at);
    this.#bits[at] |= 1 << (word % 32);
    this.#words = Math.max(this.#words, word + 1);
  }

  /** Ends the mask and returns its number. */
  finish(): number {
    if (this.#words === 0) return 0;
    const key = this.#words <= 32 ? this.#bits[0] : this.#hash();
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.texts.length;
      this.texts.push(this.#text());
      this.#numbers.set(key, number);
    }
    this.#bits.fill(0, 0, Math.ceil(this.#words / 32));
    this.#words = 0;
    return number;
  }

  #hash(): string {
    let a = 0x811c9dc5;
    let b = 0x9747b28c;
    for (let at = 0; at < Math.ceil(this.#words / 32); at++) {
      a = Math.imul(a ^ this.#bits[at], 0x01000193) ^ (a >>> 15);
      b = Math.imul(b ^ this.#bits[at], 0x5bd1e995) ^ (b >>> 13);
    }
    return `${this.#words} ${a} ${b}`;
  }

  #text(): string {
    const shown = Math.min(this.#words, SHOWN_WORDS);
    const words = Array.from(
      { length: shown },
      (_, word) => (this.#bits[word >> 5] >>> (word & 31)) & 1 ? "p" : "s",
    );
    return words.join("") + (shown < this.#words ? `... (${this.#words} words)` : "");
  }

  #grow(at: number): void {
    const grown = new Int32Array(Math.max(at + 1, 2 * this.#bits.length));
    grown.set(this.#bits);
    this.#bits = grown;
  }
}
