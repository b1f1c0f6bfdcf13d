import { assertEquals, assertThrows } from "@std/assert";
import { FixAlloc } from "../../lib/arena/fix_alloc.ts";
import { PersistentMemory } from "../../lib/arena/persistent.ts";
import { makeStats, MSPAN_SYS, OTHER_SYS } from "../../lib/arena/stats.ts";
import { NUM_SIZE_CLASSES } from "../../lib/spans/size_classes.ts";
import { GoThrow } from "../../mod.ts";
import { RefusingAddressSpace } from "../refusing_address_space.ts";

const CHUNK = 16 * 1024;

/** An allocator of records of `bytes` bytes, and what it takes memory from. */
function makeFixAlloc(bytes: number) {
  const space = new RefusingAddressSpace();
  const stats = makeStats(NUM_SIZE_CLASSES);
  const fix = new FixAlloc(bytes, new PersistentMemory(space, stats), MSPAN_SYS);
  return { space, stats, fix };
}

Deno.test("records are numbered as they are made, and the one given back last is the next", () => {
  const { space, fix } = makeFixAlloc(104);
  using _ = space;
  assertEquals([fix.alloc(), fix.alloc(), fix.alloc()], [0, 1, 2]);
  fix.free(0);
  fix.free(2);
  assertEquals([fix.alloc(), fix.alloc(), fix.alloc()], [2, 0, 3]);
  assertEquals([fix.made, fix.inuse, fix.inuseBytes], [4, 4, 416]);
  fix.free(1);
  assertEquals([fix.made, fix.inuse, fix.inuseBytes], [4, 3, 312]);
});

Deno.test("16 KiB hold 157 records of 104 bytes, the rest is lost", () => {
  const { space, stats, fix } = makeFixAlloc(104);
  using _ = space;
  assertEquals(stats[MSPAN_SYS], 0);
  for (let i = 0; i < 157; i++) fix.alloc();
  assertEquals(stats[MSPAN_SYS], CHUNK);
  // Records given back need no memory.
  fix.free(5);
  fix.alloc();
  assertEquals(stats[MSPAN_SYS], CHUNK);
  fix.alloc();
  assertEquals([stats[MSPAN_SYS], stats[OTHER_SYS]], [2 * CHUNK, 256 * 1024 - 2 * CHUNK]);
});

Deno.test("a record that there is no memory for is not counted, and one that was reserved is there", () => {
  const { space, stats, fix } = makeFixAlloc(104);
  using _ = space;
  space.refusals = Infinity;
  assertThrows(() => fix.alloc(), GoThrow, "runtime: cannot allocate memory");
  assertThrows(() => fix.reserve(), GoThrow, "runtime: cannot allocate memory");
  assertEquals([fix.made, fix.inuse, stats[MSPAN_SYS]], [0, 0, 0]);
  space.refusals = 0;
  fix.reserve();
  fix.reserve();
  assertEquals([fix.made, stats[MSPAN_SYS]], [0, CHUNK]);
  space.refusals = Infinity;
  assertEquals(fix.alloc(), 0);
});
