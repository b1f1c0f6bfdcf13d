/**
 * A set of addresses, as an operating system keeps it of a process: half-open ranges, sorted, of which no
 * two touch.
 *
 * ```
 *   ┌─────────┐         ┌───┐    ┌──────────────┐
 *   │  taken  │  free   │   │free│    taken     │        add() joins, delete() cuts
 *   └─────────┘         └───┘    └──────────────┘
 * ```
 *
 * @module
 */

import type { Pointer } from "./platform.ts";

interface Range {
  readonly base: Pointer;
  readonly end: Pointer;
}

/** Half-open ranges of addresses. See the head of the module. */
export class RangeSet {
  #ranges: Range[] = [];

  /** Whether none of `bytes` addresses from `base` on is in the set. */
  isFree(base: Pointer, bytes: number): boolean {
    const at = this.#firstBehind(base);
    return at === this.#ranges.length || this.#ranges[at].base >= base + bytes;
  }

  /** Whether all of `bytes` addresses from `base` on are in the set. */
  has(base: Pointer, bytes: number): boolean {
    const range = this.#ranges.at(this.#firstBehind(base));
    return range !== undefined && range.base <= base && base + bytes <= range.end;
  }

  /** Adds addresses, some of which may be in the set. */
  add(base: Pointer, bytes: number): void {
    if (bytes === 0) return;
    let joined = { base, end: base + bytes };
    const before: Range[] = [];
    const behind: Range[] = [];
    for (const range of this.#ranges) {
      if (range.end < joined.base) before.push(range);
      else if (range.base > joined.end) behind.push(range);
      else {
        joined = {
          base: Math.min(range.base, joined.base),
          end: Math.max(range.end, joined.end),
        };
      }
    }
    this.#ranges = [...before, joined, ...behind];
  }

  /** Takes addresses out, some of which may not be in the set. */
  delete(base: Pointer, bytes: number): void {
    const end = base + bytes;
    this.#ranges = this.#ranges.flatMap((range) =>
      range.end <= base || end <= range.base ? range : [
        { base: range.base, end: Math.min(range.end, base) },
        { base: Math.max(range.base, end), end: range.end },
      ].filter((rest) => rest.base < rest.end)
    );
  }

  /** Takes everything out. */
  clear(): void {
    this.#ranges = [];
  }

  /** The parts of the set that lie in `bytes` addresses from `base` on. */
  within(base: Pointer, bytes: number): { base: Pointer; bytes: number }[] {
    return this.#ranges
      .map((range) => ({
        base: Math.max(range.base, base),
        end: Math.min(range.end, base + bytes),
      }))
      .filter((part) => part.base < part.end)
      .map((part) => ({ base: part.base, bytes: part.end - part.base }));
  }

  /**
   * The highest multiple of `align`, at or above `low`, with `bytes` addresses behind it that are all below
   * `high` and not in the set; 0 if there is none.
   */
  highestFree(low: Pointer, high: Pointer, bytes: number, align: number): Pointer {
    let top = high;
    for (let at = this.#ranges.length; at >= 0; at--) {
      const bottom = at > 0 ? Math.max(low, this.#ranges[at - 1].end) : low;
      const place = Math.floor((top - bytes) / align) * align;
      if (place >= bottom) return place;
      if (at > 0) top = Math.min(top, this.#ranges[at - 1].base);
    }
    return 0;
  }

  /** Index of the first range that ends behind `address`. */
  #firstBehind(address: Pointer): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ranges[middle].end > address) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
