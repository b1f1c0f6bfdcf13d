import { assertEquals } from "@std/assert";
import { GoHeap, type Pointer } from "../../mod.ts";
import { readJson } from "../data.ts";

/** One recorded call; "pos" is where the next block would go, "room" the bytes from there to the chunk's end. */
interface Call {
  size: number;
  align: number;
  pos_mod_8192_before: number;
  room_before: number;
  new_chunk: boolean;
  direct: boolean;
  off_from_pos_before: number | null;
  off_in_new_chunk: number | null;
  ptr_mod_align: number;
  room_after: number;
  stat_delta: number;
  other_sys_delta: number;
}

const CHUNK_BYTES = 256 * 1024;
const PAGE_BYTES = 8192;

const { persistentalloc: calls } = await readJson("misc_vectors.json") as {
  persistentalloc: Call[];
};

/** Where the next block would go, and the chunk that it would be in. */
interface Place {
  position: Pointer;
  chunk: Pointer;
}

/**
 * Brings a heap to a place in a chunk like the one where the recording began: the same offset in a page,
 * and as much room, less what is lost because Go's first chunk began in the middle of a page.
 */
function reachStart(heap: GoHeap, first: Call): Place {
  let position = heap.persistentalloc(1, 1, "other_sys") + 1;
  let chunk = 0;
  while (chunk === 0) {
    const next = heap.persistentalloc(65535, 1, "other_sys");
    if (next !== position) chunk = next;
    position = next + 65535;
  }
  let target = chunk + CHUNK_BYTES - first.room_before;
  target += (first.pos_mod_8192_before - target % PAGE_BYTES + PAGE_BYTES) % PAGE_BYTES;
  while (position < target) {
    const bytes = Math.min(65535, target - position);
    position = heap.persistentalloc(bytes, 1, "other_sys") + bytes;
  }
  return { position, chunk };
}

/** Makes one of the calls and describes what it did in the words of the recording. */
function makeCall(heap: GoHeap, place: Place, { size, align }: Call): Partial<Call> {
  const { BuckHashSys, OtherSys } = heap.ReadMemStats();
  const pointer = heap.persistentalloc(size, align, "buckhash_sys");
  const after = heap.ReadMemStats();
  const statDelta = after.BuckHashSys - BuckHashSys;
  const otherSysDelta = after.OtherSys - OtherSys;
  const inChunk = pointer >= place.position && pointer < place.chunk + CHUNK_BYTES;
  const direct = !inChunk && otherSysDelta === 0;
  const offset = inChunk ? pointer - place.position : null;
  if (!inChunk && !direct) place.chunk = pointer;
  if (!direct) place.position = pointer + size;
  return {
    new_chunk: !inChunk && !direct,
    direct,
    off_from_pos_before: offset,
    ptr_mod_align: pointer % (align || 8),
    room_after: place.chunk + CHUNK_BYTES - place.position,
    stat_delta: statDelta,
    other_sys_delta: otherSysDelta,
  };
}

Deno.test("persistentalloc places blocks and accounts for them as Go did, call by call", () => {
  using heap = new GoHeap({ platform: "linux/amd64" });
  const place = reachStart(heap, calls[0]);
  let lessRoom = calls[0].room_before - (place.chunk + CHUNK_BYTES - place.position);
  for (const call of calls) {
    if (call.new_chunk) lessRoom = 0;
    const { size, align, pos_mod_8192_before: _, room_before: __, off_in_new_chunk: ___, ...did } =
      call;
    assertEquals(
      makeCall(heap, place, call),
      { ...did, room_after: did.room_after - lessRoom },
      `persistentalloc(${size}, ${align})`,
    );
  }
});
