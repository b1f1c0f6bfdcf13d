import { assertEquals } from "@std/assert";
import { MARK_SHIFT } from "../../lib/arena/bitmap.ts";
import { Marker } from "../../lib/gc/marker.ts";
import { Slice } from "../../lib/gc/slice.ts";
import { partsOf } from "../../lib/go_heap.ts";
import { GoHeap, type Pointer } from "../../mod.ts";

const FANOUT = 12;
const WORD = 8;

/** A tree of arrays of pointers, `depth` levels deep, with leaves that have none. */
function makeTree(heap: GoHeap, depth: number): Pointer {
  if (depth === 0) return heap.rawmem(40000 - 39000 * (heap.ReadMemStats().Mallocs % 2));
  const node = heap.newarray(heap.types.unsafePointer, FANOUT);
  for (let i = 0; i < FANOUT; i++) heap.storePointer(node + i * WORD, makeTree(heap, depth - 1));
  return node;
}

/** How many mark bits are set in the whole heap. */
function countMarks(heap: GoHeap): number {
  const { arena } = partsOf(heap);
  let count = 0;
  for (const { page, state } of heap.snapshot().spans) {
    if (state !== "inuse") continue;
    for (let word = 0; word < 32; word++) {
      for (let bits = arena.bitmap.marks[(page << MARK_SHIFT) + 2 * word]; bits !== 0; count++) {
        bits &= bits - 1;
      }
    }
  }
  return count;
}

for (const maxQueueEntries of [255, 510, 2 ** 20]) {
  Deno.test(`a tree is marked whole with room for ${maxQueueEntries} blocks in the queue`, () => {
    using heap = new GoHeap({ platform: "linux/amd64" });
    const root = heap.global(heap.types.unsafePointer);
    heap.storePointer(root, makeTree(heap, 3));
    makeTree(heap, 2);
    heap.GC();
    const nodes = 1 + FANOUT + FANOUT ** 2 + FANOUT ** 3;
    assertEquals([heap.ReadMemStats().HeapObjects, countMarks(heap)], [nodes, 0]);

    const { arena, spans, stats } = partsOf(heap);
    const marker = new Marker(arena, spans, stats, { maxQueueEntries });
    marker.grey(heap.loadPointer(root));
    marker.advance(Slice.whole);
    assertEquals(countMarks(heap), nodes);
    marker.abandon();
    assertEquals(countMarks(heap), 0);
    heap.verify();
  });
}
