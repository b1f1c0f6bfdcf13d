import { assertEquals, assertThrows } from "@std/assert";
import { PersistentMemory } from "../../lib/arena/persistent.ts";
import { makeStats, OTHER_SYS, SYS_STATS, sysBytes, sysStat } from "../../lib/arena/stats.ts";
import { NUM_SIZE_CLASSES } from "../../lib/spans/size_classes.ts";
import { GoThrow } from "../../mod.ts";
import { RefusingAddressSpace } from "../refusing_address_space.ts";

const CHUNK = 256 * 1024;
const MAX_BLOCK = 64 * 1024;

function make() {
  const space = new RefusingAddressSpace();
  const stats = makeStats(NUM_SIZE_CLASSES);
  return { space, stats, persistent: new PersistentMemory(space, stats) };
}

Deno.test("a small piece moves its bytes from other_sys to its account, and the sum stays", () => {
  const { space, stats, persistent } = make();
  using _ = space;
  persistent.alloc(1, 1, OTHER_SYS);
  for (const account of SYS_STATS) {
    const at = sysStat(account);
    const [own, other] = [stats[at], stats[OTHER_SYS]];
    persistent.alloc(100, 0, at);
    assertEquals(sysBytes(stats), CHUNK, account);
    if (at === OTHER_SYS) assertEquals(stats[OTHER_SYS], other);
    else assertEquals([stats[at], stats[OTHER_SYS]], [own + 100, other - 100], account);
  }
});

Deno.test("a piece of 64 KiB comes straight from the address space, one a byte smaller from the chunk", () => {
  const { space, stats, persistent } = make();
  using _ = space;
  const gcSys = sysStat("gc_sys");
  const first = persistent.alloc(8, 8, gcSys);
  const { pos, end } = persistent.position;
  const requests = space.requests;
  const large = persistent.alloc(MAX_BLOCK, 8, gcSys);
  assertEquals(space.requests, requests + 1);
  assertEquals(persistent.position, { pos, end }, "a large piece is no part of the chunk");
  assertEquals(large < first || large >= end, true);
  assertEquals([stats[gcSys], stats[OTHER_SYS]], [8 + MAX_BLOCK, CHUNK - 8]);
  assertEquals(persistent.alloc(MAX_BLOCK - 1, 1, gcSys), pos);
  assertEquals(space.requests, requests + 1);
});

Deno.test("a chunk that cannot be had is a throw, a large piece is nil, with nothing booked, lost or locked", () => {
  const { space, stats, persistent } = make();
  using _ = space;
  space.refusals = 3;
  const words = "runtime: cannot allocate memory";
  assertThrows(() => persistent.alloc(8, 8, OTHER_SYS), GoThrow, words);
  assertEquals(persistent.alloc(MAX_BLOCK, 8, OTHER_SYS), 0);
  assertEquals([sysBytes(stats), persistent.position.pos], [0, 0]);
  assertThrows(() => persistent.alloc(8, 8, OTHER_SYS), GoThrow, words);
  const p = persistent.alloc(8, 8, OTHER_SYS);
  assertEquals(sysBytes(stats), CHUNK);
  // With a chunk that is not full, what fits is served and what does not is refused.
  space.refusals = Infinity;
  for (let i = 0; i < 3; i++) persistent.alloc(MAX_BLOCK - 1, 1, OTHER_SYS);
  const { pos, end } = persistent.position;
  assertThrows(() => persistent.alloc(MAX_BLOCK - 1, 1, OTHER_SYS), GoThrow, words);
  assertEquals([persistent.position, persistent.alloc(end - pos, 1, OTHER_SYS)], [
    { pos, end },
    pos,
  ]);
  assertEquals([sysBytes(stats), end - p], [CHUNK, CHUNK]);
});
