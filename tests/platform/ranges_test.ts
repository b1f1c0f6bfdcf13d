import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { RangeSet } from "../../lib/platform/ranges.ts";

const ADDRESSES = 64;

/** The same set, address by address. */
class NaiveSet {
  readonly #in = new Set<number>();

  add(base: number, bytes: number): void {
    for (let i = base; i < base + bytes; i++) this.#in.add(i);
  }

  delete(base: number, bytes: number): void {
    for (let i = base; i < base + bytes; i++) this.#in.delete(i);
  }

  count(base: number, bytes: number): number {
    return Array.from({ length: bytes }, (_, i) => base + i).filter((i) => this.#in.has(i)).length;
  }

  highestFree(low: number, high: number, bytes: number, align: number): number {
    for (let base = high - bytes; base >= low; base--) {
      if (base % align === 0 && this.count(base, bytes) === 0) return base;
    }
    return 0;
  }
}

const address = fc.integer({ min: 1, max: ADDRESSES });
const bytes = fc.integer({ min: 1, max: 12 });
const change = fc.record({ isAdd: fc.boolean(), base: address, bytes });

Deno.test("a set of ranges answers as a set of single addresses does", () => {
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 30 }),
      address,
      bytes,
      fc.constantFrom(1, 4, 8),
      (changes, base, length, align) => {
        const set = new RangeSet();
        const naive = new NaiveSet();
        for (const each of changes) {
          if (each.isAdd) {
            set.add(each.base, each.bytes);
            naive.add(each.base, each.bytes);
          } else {
            set.delete(each.base, each.bytes);
            naive.delete(each.base, each.bytes);
          }
          const taken = naive.count(base, length);
          assertEquals(set.isFree(base, length), taken === 0);
          assertEquals(set.has(base, length), taken === length);
          const within = set.within(base, length).reduce((sum, part) => sum + part.bytes, 0);
          assertEquals(within, taken);
          assertEquals(
            set.highestFree(base, ADDRESSES, length, align),
            naive.highestFree(base, ADDRESSES, length, align),
          );
        }
      },
    ),
    { seed: 32, numRuns: 300 },
  );
});
