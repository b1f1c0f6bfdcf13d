/**
 * The live blocks of a trace: where each was in the traced program, and what stands for it here.
 *
 * A replay looks up every block twice, when it is allocated and when it is freed, and may have tens of
 * millions live; a Map of objects would cost some 100 bytes and a garbage collection of its own for
 * each. This is a hash table in typed arrays, open addressing with linear probing, 24 bytes a place:
 *
 * ```
 *               addresses      sizes        slots    types
 *            ┌────────────┬────────────┬────────┬────────┐
 *  place 0   │ 0xc208010… │     112    │   17   │    3   │   taken
 *        1   │     0      │      -     │    -   │    -   │   free: an address of 0 is no block
 *       ...  │  float64   │  float64   │  int32 │  int32 │   the number of places is a power of two
 *            └────────────┴────────────┴────────┴────────┘
 * ```
 *
 * At most two thirds of the places are taken, then the table doubles. A removed block leaves no mark
 * behind: the blocks after it move up, so that the table stays as fast after a billion blocks.
 *
 * @module
 */

const FIRST_PLACES = 4096;

/** A hash table from the address of a block to its size, its root slot and its type. */
export class BlockTable {
  #addresses = new Float64Array(FIRST_PLACES);
  #sizes = new Float64Array(FIRST_PLACES);
  #slots = new Int32Array(FIRST_PLACES);
  #types = new Int32Array(FIRST_PLACES);
  #mask = FIRST_PLACES - 1;
  #count = 0;

  /** The place of the block at `address`, or -1. It is valid until the next `add` or `remove`. */
  find(address: number): number {
    const place = this.#probe(address);
    return this.#addresses[place] === 0 ? -1 : place;
  }

  /** The size of the block at a place, in bytes. */
  sizeBytesAt(place: number): number {
    return this.#sizes[place];
  }

  /** The root slot of the block at a place. */
  slotAt(place: number): number {
    return this.#slots[place];
  }

  /** The number of the type of the block at a place. */
  typeAt(place: number): number {
    return this.#types[place];
  }

  /** Adds a block whose address, which is not 0, is not in the table. */
  add(address: number, sizeBytes: number, slot: number, type: number): void {
    if (this.#count * 3 >= (this.#mask + 1) * 2) this.#grow();
    this.#put(this.#probe(address), address, sizeBytes, slot, type);
    this.#count++;
  }

  /** Removes the block at a place that `find` gave. */
  remove(place: number): void {
    let hole = place;
    for (
      let next = (hole + 1) & this.#mask;
      this.#addresses[next] !== 0;
      next = (next + 1) & this.#mask
    ) {
      const home = homeOf(this.#addresses[next], this.#mask);
      // A block may move up only as far as its home: if that lies after the hole, it stays.
      if (((next - home) & this.#mask) < ((next - hole) & this.#mask)) continue;
      this.#put(
        hole,
        this.#addresses[next],
        this.#sizes[next],
        this.#slots[next],
        this.#types[next],
      );
      hole = next;
    }
    this.#addresses[hole] = 0;
    this.#count--;
  }

  /** The place where `address` is, or the free one where it would be put. */
  #probe(address: number): number {
    const addresses = this.#addresses;
    const mask = this.#mask;
    let place = homeOf(address, mask);
    while (addresses[place] !== 0 && addresses[place] !== address) place = (place + 1) & mask;
    return place;
  }

  #put(place: number, address: number, sizeBytes: number, slot: number, type: number): void {
    this.#addresses[place] = address;
    this.#sizes[place] = sizeBytes;
    this.#slots[place] = slot;
    this.#types[place] = type;
  }

  #grow(): void {
    const [addresses, sizes, slots, types] = [
      this.#addresses,
      this.#sizes,
      this.#slots,
      this.#types,
    ];
    const places = addresses.length * 2;
    this.#addresses = new Float64Array(places);
    this.#sizes = new Float64Array(places);
    this.#slots = new Int32Array(places);
    this.#types = new Int32Array(places);
    this.#mask = places - 1;
    for (let old = 0; old < addresses.length; old++) {
      const address = addresses[old];
      if (address !== 0) {
        this.#put(this.#probe(address), address, sizes[old], slots[old], types[old]);
      }
    }
  }
}

/** Where the search for `address` begins: its low word, multiplied so that every bit reaches the low ones. */
function homeOf(address: number, mask: number): number {
  const high = Math.floor(address / 2 ** 32);
  const hash = Math.imul((address >>> 0) ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1);
  return (hash ^ (hash >>> 15)) & mask;
}
