import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { GC_SYS } from "../../lib/arena/stats.ts";
import { MarkQueue } from "../../lib/gc/mark_queue.ts";
import { REGION_SHIFT } from "../../lib/gc/mark_entry.ts";

const REGIONS = 70;
const PAGES = REGIONS << REGION_SHIFT;
const ENTRIES_A_CHUNK = 255;

/** What a call of `take` took: the region, and the entries. */
function taken(queue: MarkQueue, most: number): [number, number[]] | null {
  if (!queue.take(most)) return null;
  return [queue.region, [...queue.entries.subarray(queue.from, queue.end)]];
}

function newQueue(maxEntries?: number): { queue: MarkQueue; stats: Float64Array } {
  const stats = new Float64Array(GC_SYS + 1);
  return { queue: new MarkQueue(stats, maxEntries), stats };
}

Deno.test("a queue gives back each region's entries in the order they were put in, whatever is put and taken", () => {
  const put = fc.record({ region: fc.nat(REGIONS - 1), count: fc.integer({ min: 1, max: 600 }) });
  const take = fc.record({ most: fc.integer({ min: 1, max: 300 }) });
  fc.assert(
    fc.property(fc.array(fc.oneof(put, take), { maxLength: 60 }), (steps) => {
      const { queue, stats } = newQueue();
      const model = Array.from({ length: REGIONS }, (): number[] => []);
      let next = 0;
      const takeOnce = (most: number) => {
        const result = taken(queue, most);
        if (result === null) return assert(model.every((entries) => entries.length === 0));
        const [region, entries] = result;
        assert(entries.length > 0 && entries.length <= most);
        assertEquals(entries, model[region].splice(0, entries.length));
      };
      for (const step of steps) {
        if ("most" in step) {
          takeOnce(step.most);
        } else {
          queue.reserve(step.count, PAGES);
          for (let i = 0; i < step.count; i++) {
            assert(queue.put(step.region, ++next));
            model[step.region].push(next);
          }
        }
        const found: number[] = [];
        queue.forEach((region, entry) => found.push(region, entry));
        assertEquals(
          found,
          model.flatMap((entries, region) => entries.flatMap((entry) => [region, entry])),
        );
        assert(queue.isValid());
      }
      while (model.some((entries) => entries.length > 0)) takeOnce(1000);
      assertEquals(taken(queue, 1), null);
      assert(queue.isValid());
      assert(stats[GC_SYS] >= 4 * queue.entries.length);
    }),
    { numRuns: 200 },
  );
});

Deno.test("a queue with room for two chunks refuses a third, and takes it when one was emptied", () => {
  const { queue } = newQueue(2 * ENTRIES_A_CHUNK);
  queue.reserve(3, PAGES);
  assert(queue.put(3, 30));
  assert(queue.put(69, 690));
  assert(!queue.put(5, 50));
  assert(queue.put(3, 31));
  assert(queue.isValid());
  assertEquals(taken(queue, 9), [3, [30, 31]]);
  assert(queue.put(5, 50));
  assert(!queue.put(3, 32));
  assertEquals([taken(queue, 9), taken(queue, 9)], [[5, [50]], [69, [690]]]);
  assertEquals(taken(queue, 9), null);
  assert(queue.isValid());
});

Deno.test("regions are emptied one after another, and those before the last one then", () => {
  const { queue } = newQueue();
  queue.reserve(6, PAGES);
  for (const region of [40, 2, 31, 32, 63, 64]) queue.put(region, region);
  const order: number[] = [];
  for (let i = 0; i < 4; i++) order.push(taken(queue, 9)![0]);
  queue.put(40, 1);
  queue.put(1, 1);
  queue.put(63, 1);
  for (let next = taken(queue, 9); next !== null; next = taken(queue, 9)) order.push(next[0]);
  assertEquals(order, [2, 31, 32, 40, 40, 63, 64, 1]);
});

Deno.test("a cleared queue is empty, and has room for all it had room for", () => {
  const { queue } = newQueue(3 * ENTRIES_A_CHUNK);
  queue.reserve(3, PAGES);
  for (let i = 0; i < 3 * ENTRIES_A_CHUNK; i++) assert(queue.put(7, i));
  assert(!queue.put(7, 0));
  queue.clear();
  assert(queue.isValid());
  assertEquals(taken(queue, 1), null);
  for (const region of [0, 33, 69]) assert(queue.put(region, region));
  assert(queue.isValid());
});
