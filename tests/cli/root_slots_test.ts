import { assertEquals } from "@std/assert";
import { RootSlots, SLOTS_PER_CHUNK } from "../../lib/cli/root_slots.ts";
import { GoHeap } from "../../lib/go_heap.ts";
import { FlagNoScan } from "../../lib/flags.ts";

Deno.test("slots keep their objects alive until released, and those freed last are taken first", () => {
  using heap = new GoHeap({ platform: "linux/amd64" });
  const roots = new RootSlots(heap);
  const hold = () => roots.hold(heap.mallocgc(64, null, FlagNoScan));
  const liveObjects = () => {
    heap.GC();
    return heap.ReadMemStats().HeapObjects;
  };
  const objects = 3 * SLOTS_PER_CHUNK + 1;
  const slots = Array.from({ length: objects }, hold);
  assertEquals(slots, slots.map((_, i) => i));
  assertEquals(liveObjects(), objects);

  const released = [7, SLOTS_PER_CHUNK, 2 * SLOTS_PER_CHUNK + 1];
  for (const slot of released) roots.release(slot);
  assertEquals(liveObjects(), objects - released.length);

  assertEquals(released.map(hold), released.toReversed());
  assertEquals(hold(), objects);
  assertEquals(liveObjects(), objects + 1);
});
