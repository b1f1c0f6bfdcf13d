/**
 * A slice: the part of a collection that is done in one stop of the program.
 *
 * Work is counted in units, of which each takes some 5 to 50 ns: an object followed, a pointer greyed, a
 * root looked at. A span that is swept counts for many. After the first so many units, and then every so many, the
 * slice looks at the clock, and is over when its time is. So a slice is late by the time of those units at most; a
 * small heap is collected in one slice whatever the clock says, so that what a small program does never
 * depends on how busy the machine is; and a program that turns the clock itself decides how long its slices are.
 *
 * @module
 */

/** Units between two looks at the clock: some 30 us, and more where V8 has not compiled the marker yet. */
export const UNITS_BETWEEN_LOOKS = 1024;
/** Units before the first: some 0.5 ms. */
export const UNITS_BEFORE_LOOK = 16 * UNITS_BETWEEN_LOOKS;

/** One stop of the program. See the head of the module. */
export class Slice {
  /** The slice of a collection that stops the program until it is done. */
  static readonly whole: Slice = new Slice(() => 0, Infinity, Infinity, Infinity);
  readonly #clock: () => number;
  readonly #endNs: number;
  /** No piece of work should be larger. */
  readonly unitsBetweenLooks: number;
  #left: number;

  /** A slice that is over when `clock` says `endNs` or more, looked at after so many units, then every so many. */
  constructor(
    clock: () => number,
    endNs: number,
    unitsBeforeLook: number,
    unitsBetweenLooks: number,
  ) {
    this.#clock = clock;
    this.#endNs = endNs;
    this.unitsBetweenLooks = unitsBetweenLooks;
    this.#left = unitsBeforeLook;
  }

  /** Takes note of `units` of work done; false if the rest is for another slice. */
  spend(units: number): boolean {
    this.#left -= units;
    if (this.#left > 0) return true;
    this.#left = this.unitsBetweenLooks;
    return this.#clock() < this.#endNs;
  }
}
