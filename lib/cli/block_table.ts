/**
 * The live blocks of a trace: where each was in the traced program, and what stands for it here.
 *
 * A replay looks up every block twice, when it is allocated and when it is freed, and may have tens of
 * millions live; a Map of objects would cost some 100 bytes and work for V8's collector for each. This is
 * a hash table in one buffer, with open addressing and linear probing. A place has 24 bytes:
 *
 * ```
 *   0                8                16       20
 *  ┌────────────────┬────────────────┬────────┬────────┐
 *  │ address        │ size in bytes  │ slot   │ type   │   address 0: the place is free
 *  │ float64        │ float64        │ int32  │ int32  │
 *  └────────────────┴────────────────┴────────┴────────┘
 * ```
 *
 * At most two thirds of the places are taken, then the table doubles. A removed block leaves no mark
 * behind: the blocks after it move up, so that the table stays as fast after a billion blocks.
 *
 * @module
 */

const FIRST_PLACES = 4096;

const PLACE_DOUBLES = 3;
const ADDRESS = 0;
const SIZE = 1;

const PLACE_INTS = 6;
const SLOT = 4;
const TYPE = 5;

/** A hash table from the address of a block to its size, its root slot and its type. */
export class BlockTable {
  #doubles = new Float64Array(FIRST_PLACES * PLACE_DOUBLES);
  #ints = new Int32Array(this.#doubles.buffer);
  #mask = FIRST_PLACES - 1;
  #count = 0;

  /** The place of the block at `address`, or -1. It is valid until the next `add` or `remove`. */
  find(address: number): number {
    const place = this.#probe(address);
    return this.#addressAt(place) === 0 ? -1 : place;
  }

  /** The size of the block at a place, in bytes. */
  sizeBytesAt(place: number): number {
    return this.#doubles[place * PLACE_DOUBLES + SIZE];
  }

  /** The root slot of the block at a place. */
  slotAt(place: number): number {
    return this.#ints[place * PLACE_INTS + SLOT];
  }

  /** The number of the type of the block at a place. */
  typeAt(place: number): number {
    return this.#ints[place * PLACE_INTS + TYPE];
  }

  /** Adds a block whose address, which is not 0, is not in the table. */
  add(address: number, sizeBytes: number, slot: number, type: number): void {
    if (this.#count * 3 >= (this.#mask + 1) * 2) this.#grow();
    const place = this.#probe(address);
    this.#doubles[place * PLACE_DOUBLES + ADDRESS] = address;
    this.#doubles[place * PLACE_DOUBLES + SIZE] = sizeBytes;
    this.#ints[place * PLACE_INTS + SLOT] = slot;
    this.#ints[place * PLACE_INTS + TYPE] = type;
    this.#count++;
  }

  /** Removes the block at a place that `find` gave. */
  remove(place: number): void {
    let hole = place;
    let next = (hole + 1) & this.#mask;
    while (this.#addressAt(next) !== 0) {
      const home = homeOf(this.#addressAt(next), this.#mask);
      // A block may move up only as far as its home: if that lies after the hole, it stays.
      if (((next - home) & this.#mask) >= ((next - hole) & this.#mask)) {
        this.#copy(this.#doubles, next, hole);
        hole = next;
      }
      next = (next + 1) & this.#mask;
    }
    this.#doubles[hole * PLACE_DOUBLES + ADDRESS] = 0;
    this.#count--;
  }

  #addressAt(place: number): number {
    return this.#doubles[place * PLACE_DOUBLES + ADDRESS];
  }

  /** The place where `address` is, or the free one where it would be put. */
  #probe(address: number): number {
    const doubles = this.#doubles;
    const mask = this.#mask;
    let place = homeOf(address, mask);
    for (;;) {
      const there = doubles[place * PLACE_DOUBLES + ADDRESS];
      if (there === 0 || there === address) return place;
      place = (place + 1) & mask;
    }
  }

  /** Copies a place of `from`, which may be this table, to a place of this table. */
  #copy(from: Float64Array, fromPlace: number, place: number): void {
    const source = fromPlace * PLACE_DOUBLES;
    const target = place * PLACE_DOUBLES;
    // Slot and type travel as one double: it is never a NaN, since a type's number is small.
    for (let i = 0; i < PLACE_DOUBLES; i++) this.#doubles[target + i] = from[source + i];
  }

  #grow(): void {
    const old = this.#doubles;
    this.#doubles = new Float64Array(old.length * 2);
    this.#ints = new Int32Array(this.#doubles.buffer);
    this.#mask = this.#mask * 2 + 1;
    for (let place = 0; place * PLACE_DOUBLES < old.length; place++) {
      const address = old[place * PLACE_DOUBLES + ADDRESS];
      if (address !== 0) this.#copy(old, place, this.#probe(address));
    }
  }
}

/** Where the search for `address` begins; MurmurHash3's finalizer, as addresses come in long regular rows. */
function homeOf(address: number, mask: number): number {
  const high = Math.floor(address / 2 ** 32);
  let hash = (address >>> 0) ^ Math.imul(high, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) & mask;
}
