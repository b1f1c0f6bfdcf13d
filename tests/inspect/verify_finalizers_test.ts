import { assertThrows } from "@std/assert";
import { partsOf } from "../../lib/go_heap.ts";
import { DATA, KIND, KIND_PROFILE, OFFSET } from "../../lib/gc/special_record.ts";
import { NEWEST_SPECIAL } from "../../lib/spans/span_record.ts";
import { GoHeap, GoThrow } from "../../mod.ts";

/** So many are set, and so many queued, in three blocks. */
const OBJECTS = 300;
const BLOCK_BYTES = 4096;

/** What verify says of a heap with finalizers, set and queued, after `spoil` was there. */
function verifyAfter(
  spoil: (parts: ReturnType<typeof partsOf>, span: number, special: number) => void,
): void {
  using heap = new GoHeap({ platform: "linux/amd64" });
  const { types } = heap;
  const object = types.array(types.unsafePointer, 4);
  const type = types.pointer(object);
  const finalizer = { type: types.func([type], []), data: () => {} };
  for (let i = 0; i < OBJECTS; i++) {
    heap.SetFinalizer({ type, data: heap.newobject(object) }, finalizer);
  }
  heap.GC();
  let data = 0;
  for (let i = 0; i < OBJECTS; i++) {
    data = heap.newobject(object);
    heap.SetFinalizer({ type, data }, finalizer);
  }
  heap.verify();
  const parts = partsOf(heap);
  const span = parts.arena.pageSpan[heap.findObject(data)!.span];
  spoil(parts, span, parts.specials.first(span));
  heap.verify();
}

Deno.test("verify finds a special that is out of place, of a wrong kind, or no longer in its list", () => {
  assertThrows(
    () => verifyAfter(({ specials }, _, special) => specials.ints[special + OFFSET] = 8192),
    GoThrow,
    "a special lies in its span",
  );
  assertThrows(
    () => verifyAfter(({ specials }, _, special) => specials.ints[special + OFFSET] = 8191),
    GoThrow,
    "specials are sorted",
  );
  assertThrows(
    () => verifyAfter(({ specials }, _, special) => specials.ints[special + KIND] = KIND_PROFILE),
    GoThrow,
    "all specials are in the lists of spans",
  );
  assertThrows(
    () => verifyAfter(({ spans }, span) => spans.ints[span + NEWEST_SPECIAL] = 4000),
    GoThrow,
    "the newest special of a span is one of its specials",
  );
});

Deno.test("verify finds a finalizer's function with too few or too many uses", () => {
  const message = "a finalizer's function is used by specials and queue entries";
  assertThrows(
    () => verifyAfter(({ specials }, _, special) => specials.ints[special + DATA] = 7),
    GoThrow,
    message,
  );
  assertThrows(
    () => verifyAfter(({ finalizers }) => finalizers.table.release(0)),
    GoThrow,
    message,
  );
  assertThrows(
    () =>
      verifyAfter(({ queue }) => {
        queue.take();
        queue.release();
      }),
    GoThrow,
    message,
  );
});

Deno.test("verify finds a block of the finalizer queue that is lost", () => {
  assertThrows(
    () =>
      verifyAfter(({ persistent, image: { memory } }) => {
        // A block begins with the link to the next; the one that was made last is the first in the queue.
        const newest = persistent.position.pos - BLOCK_BYTES;
        memory.f64[(newest - memory.base) / 8] = 0;
      }),
    GoThrow,
    "a block of the finalizer queue is queued, being run, or empty: 1, 0 and 0 of 3",
  );
});
