/**
 * verify: walks the whole heap and throws with the first invariant that does not hold.
 *
 * Each structure has its law of conservation:
 *
 * ```
 *   page heap    spans follow each other, with no gaps but holes, and have all pages of the arena together;
 *                free ones are never neighbours; HEAP_INUSE + HEAP_IDLE = HEAP_SYS but for slack
 *   lists        every span is in the one list that its state calls for, and no list has anything else
 *   span         blocks in use + free blocks = blocks; free ones distinct, within the span
 *   world        the semaphore is held, the barrier on, the marks set just in the phases that call for it
 *   marker       what is queued is a block, or a large object that is marked
 *   bitmap       no mark between collections; types of a block in use stop at the first dead word
 *   fenced       pages whose object was freed still hold what they were overwritten with
 *   statistics   HEAP_ALLOC + local bytes = bytes of all blocks in use
 *   specials     sorted, inside their span
 *   profile      what can be taken before anybody looks is less than what the next sample is away;
 *                sampled blocks that its buckets count as alive = specials of samples
 *   span types   see verify_gccgo.ts
 *   types        where they are recorded, every block in use has one
 * ```
 *
 * @module
 */

import { HOLE } from "../arena/arena.ts";
import { BITS_DEAD, MARK_SHIFT } from "../arena/bitmap.ts";
import {
  HEAP_ALLOC,
  HEAP_IDLE,
  HEAP_INUSE,
  HEAP_OBJECTS,
  HEAP_RELEASED,
  HEAP_SYS,
  STACKS_SYS,
} from "../arena/stats.ts";
import { GoThrow } from "../errors.ts";
import { Phase } from "../gc/world.ts";
import { ALLOCATE_BLACK } from "../gc/write_barrier.ts";
import { PAGE_BYTES } from "../platform/platform.ts";
import {
  ATTENTION,
  BLOCK_BYTES,
  CLASS_SHIFT,
  CURSOR,
  DEAD_PATTERN,
  END,
  LIMIT,
  PATTERN,
  STOP,
} from "../spans/cache_record.ts";
import { CLASS_TO_PAGES, CLASS_TO_SIZE, NUM_SIZE_CLASSES } from "../spans/size_classes.ts";
import {
  BLOCKS,
  busyList,
  CHAIN_BLOCKS,
  CLASS,
  emptyList,
  FENCED,
  FREE,
  FREE_BLOCKS,
  freeList,
  HEAP_SWEEPGEN,
  IN_CACHE,
  IN_USE,
  MAX_LIST_PAGES,
  NEXT,
  NO_SCAN,
  nonemptyList,
  PAGES,
  PAGES_RELEASED,
  POISON,
  PREV,
  START,
  STATE,
  SWEEP_DONE,
  SWEEPGEN,
} from "../spans/span_record.ts";
import type { HeapParts } from "./heap_parts.ts";
import { freeBlocks, spansByAddress } from "./snapshot.ts";
import { verifyFinalizers } from "./verify_finalizers.ts";
import { verifyGccgo } from "./verify_gccgo.ts";

/** The low bit of each of 16 type codes. */
const LOW_BITS = 0x55555555;

function check(holds: boolean, invariant: string, values: () => string): void {
  if (!holds) throw new GoThrow(`verify: ${invariant}: ${values()}`);
}

function equal(invariant: string, actual: number, expected: number): void {
  check(actual === expected, invariant, () => `${actual} is not ${expected}`);
}

/** Walks everything and throws a GoThrow with the first broken invariant. */
export function verify(parts: HeapParts): void {
  const handles = spansByAddress(parts);
  verifyPages(parts, handles);
  verifyLists(parts, handles);
  for (const span of handles) {
    const state = parts.spans.ints[span + STATE];
    if (state === IN_USE) verifyInUse(parts, span);
    else if (state === FENCED) verifyFenced(parts, span);
  }
  verifyStats(parts, handles);
  verifyWorld(parts);
  verifyFinalizers(parts, handles);
  verifyProfile(parts);
  verifyRuns(parts);
  if (parts.gccgo !== null) verifyGccgo(parts, parts.gccgo, handles);
}

function verifyPages({ arena, spans }: HeapParts, handles: readonly number[]): void {
  const { ints } = spans;
  const { pageSpan, pageInfo } = arena;
  let page = 0;
  let heldPages = 0;
  let isAfterFree = false;
  for (const span of handles) {
    const start = ints[span + START];
    for (; pageInfo[page] === HOLE && page < start; page++) {
      equal(`page ${page}, in a hole, belongs to no span`, pageSpan[page], 0);
      isAfterFree = false;
    }
    const pages = ints[span + PAGES];
    const state = ints[span + STATE];
    equal("spans follow each other with no gaps but holes", start, page);
    check(pages > 0, "a span has pages", () => `${pages} pages at page ${start}`);
    check(
      state === FREE || state === IN_USE || state === FENCED,
      "a span with pages is free, in use or fenced",
      () => `state ${state} at page ${start}`,
    );
    check(
      !(isAfterFree && state === FREE),
      "free spans are never neighbours",
      () => `at page ${start}`,
    );
    equal(
      `the last page of the span at page ${start} knows its span`,
      pageSpan[start + pages - 1],
      span,
    );
    for (let i = 0; i < pages; i++) {
      const hasObject = pageInfo[start + i] >= 0;
      check(
        hasObject === (state === IN_USE),
        "just the pages of spans in use can have objects",
        () => `page ${start + i}`,
      );
      if (state === IN_USE) equal(`page ${start + i} knows its span`, pageSpan[start + i], span);
    }
    isAfterFree = state === FREE;
    page += pages;
    heldPages += pages;
  }
  while (pageInfo[page] === HOLE && page < arena.usedPages) page++;
  equal("spans and holes together are as long as the used arena", page, arena.usedPages);
  equal("all spans together have the pages of the arena", heldPages, arena.heldPages);
}

function verifyLists(parts: HeapParts, handles: readonly number[]): void {
  const { ints } = parts.spans;
  const listed = new Map<number, number>();
  const heads = [
    ...Array.from({ length: MAX_LIST_PAGES }, (_, i) => [freeList(i + 1), busyList(i + 1)]).flat(),
    ...Array.from({ length: NUM_SIZE_CLASSES }, (_, cls) => [nonemptyList(cls), emptyList(cls)])
      .flat(),
  ];
  for (const head of heads) {
    for (let span = ints[head + NEXT]; span !== head; span = ints[span + NEXT]) {
      equal("lists are linked both ways", ints[ints[span + NEXT] + PREV], span);
      check(!listed.has(span), "a span is in one list", () => `span at page ${ints[span + START]}`);
      listed.set(span, head);
    }
  }
  const unlisted = handles.filter((span) => ints[span + STATE] === FENCED);
  for (const span of unlisted) {
    check(!listed.has(span), "a fenced span is in no list", () => `page ${ints[span + START]}`);
  }
  for (const span of handles) {
    if (ints[span + STATE] === FENCED) continue;
    const where = `the span at page ${ints[span + START]} is in the list of its kind`;
    check(
      expectedLists(parts, span).includes(listed.get(span) ?? -1),
      where,
      () => `list ${listed.get(span)}`,
    );
  }
  equal("lists hold no other spans", listed.size, handles.length - unlisted.length);
}

/** The lists that a span may be in. A span that is not swept may be behind its time. */
function expectedLists({ spans }: HeapParts, span: number): number[] {
  const { ints } = spans;
  const pages = ints[span + PAGES];
  const cls = ints[span + CLASS];
  if (ints[span + STATE] === FREE) return [freeList(pages)];
  if (cls === 0) return [busyList(pages)];
  const hasFree = ints[span + FREE_BLOCKS] > 0;
  if (ints[span + IN_CACHE] !== 0) return [emptyList(cls)];
  return hasFree ? [nonemptyList(cls)] : [emptyList(cls)];
}

function verifyInUse(parts: HeapParts, span: number): void {
  const { spans, cache } = parts;
  const { ints, sweep } = spans;
  const start = ints[span + START];
  const where = `span at page ${start}`;
  const cls = ints[span + CLASS];
  const behind = sweep[HEAP_SWEEPGEN] - ints[span + SWEEPGEN];
  check(
    behind === 0 || (behind === 2 && sweep[SWEEP_DONE] === 0),
    "a span is swept or waits for it",
    () => `${where} is ${behind} generations behind`,
  );
  equal(
    `${where} is marked as cached just when a cache has it`,
    ints[span + IN_CACHE],
    cls !== 0 && cache.spanOf(cls) === span ? 1 : 0,
  );
  const bytes = ints[span + PAGES] * PAGE_BYTES;
  check(
    spans.limitBytes(span) > 0 && spans.limitBytes(span) <= bytes,
    "the limit lies in the span",
    () => `${spans.limitBytes(span)} in ${where}`,
  );
  if (cls !== 0) verifyBlocks(parts, span, where);
  if (parts.typeRecords !== null) verifyTypeRecords(parts, span);
  verifyBitmap(parts, span, where);
}

function verifyProfile({ profiler }: HeapParts): void {
  const { inBuckets, specials } = profiler.liveBlocks;
  equal("sampled blocks that are alive have specials", specials, inBuckets);
  if (profiler.rate === 0) return;
  const { allowedBytes, takeableBytes } = profiler.sampler.promise;
  check(
    takeableBytes <= allowedBytes,
    "no sample is passed over",
    () => `${takeableBytes} bytes can be taken before anybody looks, ${allowedBytes} may`,
  );
}

/** An allocation looks at one end of a run only, so neither may be behind the run. */
function verifyRuns({ cache }: HeapParts): void {
  const { floats } = cache;
  for (const cls of cache.heldClasses) {
    const at = cls << CLASS_SHIFT;
    const cursor = floats[at + CURSOR];
    const blocks = (floats[at + STOP] - cursor) / floats[at + BLOCK_BYTES];
    check(
      blocks >= 0 && Number.isInteger(blocks) && floats[at + STOP] <= floats[at + END],
      "a run stops between two of its blocks",
      () => `${blocks} blocks behind the cursor of class ${cls}`,
    );
    const limit = Math.max(cursor, floats[at + LIMIT]);
    const allowed = (limit - cursor) / floats[at + BLOCK_BYTES];
    check(
      Number.isInteger(allowed) && limit <= floats[at + END],
      "a run's limit is between two of its blocks",
      () => `${allowed} blocks behind the cursor of class ${cls}`,
    );
  }
}

/** Nobody may write to a freed object; a view of it, kept from before, is a way to do so that nothing else sees. */
function verifyFenced({ arena, spans }: HeapParts, span: number): void {
  const { ints } = spans;
  const start = arena.pageAddress(ints[span + START]);
  const bytes = arena.viewAt(start, ints[span + PAGES] * PAGE_BYTES);
  const at = bytes.findIndex((byte) => byte !== POISON);
  check(
    at < 0,
    "nobody writes to an object that was freed",
    () =>
      `0x${bytes[at].toString(16)} at 0x${(start + at).toString(16)}, in the object of ` +
      `${spans.limitBytes(span)} bytes that was at 0x${start.toString(16)}`,
  );
}

function verifyTypeRecords(parts: HeapParts, span: number): void {
  const { arena, spans: { ints }, typeRecords } = parts;
  const start = arena.pageAddress(ints[span + START]);
  const free = new Set(ints[span + CLASS] === 0 ? [] : freeBlocks(parts, span));
  for (let block = 0; block < ints[span + BLOCKS]; block++) {
    const address = start + block * CLASS_TO_SIZE[ints[span + CLASS]];
    check(
      free.has(block) || typeRecords!.number(address) > 0,
      "every block in use has a recorded type",
      () => `none at 0x${address.toString(16)}`,
    );
  }
}

function verifyBlocks(parts: HeapParts, span: number, where: string): void {
  const { ints } = parts.spans;
  const cls = ints[span + CLASS];
  const blocks = ints[span + BLOCKS];
  equal(`${where} is as long as its class asks for`, ints[span + PAGES], CLASS_TO_PAGES[cls]);
  equal(
    `${where} has the blocks of its class`,
    blocks,
    Math.floor((ints[span + PAGES] * PAGE_BYTES) / CLASS_TO_SIZE[cls]),
  );
  const free = freeBlocks(parts, span);
  const run = parts.cache.spanOf(cls) === span ? parts.cache.runBlocks(cls).count : 0;
  equal(
    `free blocks of ${where}, the run in a cache aside, are counted`,
    free.length - run,
    ints[span + FREE_BLOCKS],
  );
  equal(`free blocks of ${where} are distinct`, new Set(free).size, free.length);
  check(
    ints[span + CHAIN_BLOCKS] <= ints[span + FREE_BLOCKS],
    "the chain is part of the free list",
    () => `${ints[span + CHAIN_BLOCKS]} in ${where}`,
  );
  for (const block of free) {
    check(
      block >= 0 && block < blocks,
      "a free block lies in its span",
      () => `block ${block} of ${where}`,
    );
  }
  const swept = ints[span + SWEEPGEN] === parts.spans.sweep[HEAP_SWEEPGEN];
  const isLeft = swept && ints[span + IN_CACHE] === 0 && free.length === blocks;
  check(!isLeft, "a span with no block in use goes back to the page heap", () => where);
}

function verifyBitmap(parts: HeapParts, span: number, where: string): void {
  const { ints, sweep } = parts.spans;
  const { bitmap, platform: { pointerBytes } } = parts.arena;
  const first = ints[span + START] << MARK_SHIFT;
  const blocks = ints[span + BLOCKS];
  for (let word = 0; word << 5 < blocks; word++) {
    if (ints[span + SWEEPGEN] !== sweep[HEAP_SWEEPGEN] || parts.world.isMarking) break;
    equal(`no block of the swept ${where} is marked`, bitmap.marks[first + (word << 1)], 0);
  }
  const cls = ints[span + CLASS];
  if (cls === 0) {
    if (ints[span + NO_SCAN] === 0) verifyLargeTypes(parts, span, where);
    return;
  }
  const free = new Set(freeBlocks(parts, span));
  const words = CLASS_TO_SIZE[cls] / pointerBytes;
  const base = bitmap.typesOf(ints[span + START]);
  if (parts.cache.spanOf(cls) === span) verifyRun(parts, cls, base, words, where);
  for (let block = 0; block < blocks; block++) {
    if (free.has(block)) continue;
    let isDead = false;
    for (let word = block * words; word < (block + 1) * words; word++) {
      const code = bitmap.typeOf(base, word);
      check(
        code === 0 || ints[span + NO_SCAN] === 0,
        "a span that is not to be scanned has dead types only",
        () => `${code} for word ${word} of ${where}`,
      );
      check(
        code !== 3,
        "a type code is dead, scalar or pointer",
        () => `3 for word ${word} of ${where}`,
      );
      check(
        !isDead || code === BITS_DEAD,
        "nothing follows a dead word in a block",
        () => `${code} for word ${word} of ${where}`,
      );
      isDead ||= code === BITS_DEAD;
    }
  }
}

/** The same of a large object, 16 words at a time. */
function verifyLargeTypes({ arena, spans }: HeapParts, span: number, where: string): void {
  const { bitmap, platform: { pointerBytes } } = arena;
  const base = bitmap.typesOf(spans.ints[span + START]);
  const ints = spans.ints[span + PAGES] * bitmap.typeInts;
  let isDead = false;
  let words = 0;
  for (let i = 0; i < ints; i++) {
    const codes = bitmap.types[base + i];
    const present = (codes | codes >>> 1) & LOW_BITS;
    const bits = present | present << 1;
    check(
      (codes & codes >>> 1 & LOW_BITS) === 0,
      "a type code is dead, scalar or pointer",
      () => `3 among words ${16 * i} to ${16 * i + 15} of ${where}`,
    );
    check(
      (bits & (bits + 1)) === 0 && !(isDead && codes !== 0),
      "nothing follows a dead word in a block",
      () => `words ${16 * i} to ${16 * i + 15} of ${where}`,
    );
    isDead ||= bits !== -1;
    words += bits === 0 ? 0 : (32 - Math.clz32(bits)) / 2;
  }
  const limit = spans.limitBytes(span);
  // A word that is there in part counts as two; see Malloc.
  const most = limit % pointerBytes === 0
    ? limit / pointerBytes
    : 2 * Math.ceil(limit / (2 * pointerBytes));
  check(
    words <= most,
    "the types of a large object end with it",
    () => `${words} words in ${limit} bytes of ${where}`,
  );
}

/** Whoever takes a block of a run relies on its types: the seeds' "bad bits in markallocated". */
function verifyRun(
  { arena: { bitmap }, cache }: HeapParts,
  cls: number,
  base: number,
  words: number,
  where: string,
): void {
  const { first, count } = cache.runBlocks(cls);
  const isDead = cache.floats[(cls << CLASS_SHIFT) + PATTERN] === DEAD_PATTERN;
  for (let block = first; block < first + count; block++) {
    for (let word = 0; word < words; word++) {
      const expected = isDead ? BITS_DEAD : bitmap.typeOf(base, first * words + word);
      equal(
        `word ${word} of block ${block}, in a run of ${where}, has the run's types`,
        bitmap.typeOf(base, block * words + word),
        expected,
      );
    }
  }
}

function verifyWorld({ arena, spans, world, barrier, marker, cache }: HeapParts): void {
  const { phase, isMarking } = world;
  const inPhase = (what: string, isSo: boolean, shouldBe: boolean) =>
    check(isSo === shouldBe, what, () => `${isSo} in phase ${phase}`);
  inPhase("a collection has the semaphore", world.semaphore.isHeld, phase !== Phase.Off);
  inPhase("the write barrier is on while marks are set", barrier.isOn, isMarking);
  inPhase(
    "new blocks are born black as long",
    (cache.ints[ATTENTION] & ALLOCATE_BLACK) !== 0,
    isMarking,
  );
  inPhase(
    "no address is plain for stores as long",
    arena.memory.plainWords !== arena.memory.usedWords,
    isMarking && arena.memory.usedBytes > 0,
  );
  let queued = 0;
  marker.forEachQueued((page, block, cls) => {
    queued++;
    const span = arena.pageSpan[page];
    const first = spans.ints[span + START];
    const isBlock = first === page && block < spans.ints[span + BLOCKS];
    check(
      spans.ints[span + STATE] === IN_USE && spans.ints[span + CLASS] === cls &&
        (cls === 0 ? arena.bitmap.marks[first << MARK_SHIFT] === 1 : isBlock),
      "what is queued is a block, or the rest of a large object that is marked",
      () => `block ${block} of class ${cls} at page ${page}, in the span at page ${first}`,
    );
  });
  check(marker.isQueueValid, "every chunk of the marker's queue is in one place", () => "");
  check(
    queued === 0 || phase === Phase.Scan || phase === Phase.Mark,
    "nothing is queued outside of marking",
    () => `${queued} blocks in phase ${phase}`,
  );
}

function verifyStats(parts: HeapParts, handles: readonly number[]): void {
  const { arena, spans, cache, stats } = parts;
  const { ints } = spans;
  let inUsePages = 0;
  let idlePages = 0;
  let releasedPages = 0;
  let allocBytes = 0;
  let largeObjects = 0;
  for (const span of handles) {
    const pages = ints[span + PAGES];
    if (ints[span + STATE] !== IN_USE) {
      idlePages += pages;
      releasedPages += ints[span + PAGES_RELEASED];
      continue;
    }
    inUsePages += pages;
    const cls = ints[span + CLASS];
    if (cls === 0) {
      largeObjects++;
      allocBytes += pages * PAGE_BYTES;
    } else {
      allocBytes += (ints[span + BLOCKS] - freeBlocks(parts, span).length) * CLASS_TO_SIZE[cls];
    }
  }
  equal("HEAP_INUSE is what spans in use take", stats[HEAP_INUSE], inUsePages * PAGE_BYTES);
  equal("HEAP_IDLE is what free and fenced spans take", stats[HEAP_IDLE], idlePages * PAGE_BYTES);
  equal(
    "HEAP_RELEASED is what was released of free spans",
    stats[HEAP_RELEASED],
    releasedPages * PAGE_BYTES,
  );
  equal(
    "HEAP_INUSE + HEAP_IDLE + slack = HEAP_SYS",
    stats[HEAP_INUSE] + stats[HEAP_IDLE] + arena.slackBytes,
    stats[HEAP_SYS],
  );
  equal(
    "HEAP_SYS is the arena's pages and slack",
    stats[HEAP_SYS],
    arena.heldPages * PAGE_BYTES + arena.slackBytes,
  );
  equal(
    "HEAP_ALLOC + local bytes = bytes of blocks in use",
    stats[HEAP_ALLOC] + cache.cacheAlloc,
    allocBytes,
  );
  equal("HEAP_OBJECTS counts large objects", stats[HEAP_OBJECTS], largeObjects);
  equal("no stack comes from the heap", stats[STACKS_SYS], 0);
}
