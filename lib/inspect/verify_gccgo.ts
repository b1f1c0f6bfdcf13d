/**
 * verify, for what only heaps that follow gccgo have.
 *
 * ```
 *   span types    the state of a span fits its class; a table is an object in use, without pointers, long enough,
 *                 and belongs to one span; entries of free blocks are 0; a byte is the number of a type word
 *   types         what is recorded of an object is what marking goes by; what is not is scanned whole
 *   no-gc         each is the beginning of a block in use, listed once, and not to be scanned
 * ```
 *
 * @module
 */

import { GoThrow } from "../errors.ts";
import type { Gccgo } from "../gccgo/gccgo.ts";
import { TypeInfo } from "../gccgo/type_info.ts";
import { PAGE_BYTES } from "../platform/platform.ts";
import {
  BLOCKS,
  CLASS,
  COMPRESSION,
  IN_USE,
  NO_SCAN,
  START,
  STATE,
  TYPES_BYTES,
  TYPES_EMPTY,
  TYPES_SINGLE,
  TYPES_WORDS,
} from "../spans/span_record.ts";
import type { HeapParts } from "./heap_parts.ts";
import { freeBlocks } from "./snapshot.ts";

function check(holds: boolean, invariant: string, values: () => string): void {
  if (!holds) throw new GoThrow(`verify: ${invariant}: ${values()}`);
}

/** Checks the invariants of a heap that follows gccgo; `handles` are its spans. */
export function verifyGccgo(parts: HeapParts, gccgo: Gccgo, handles: readonly number[]): void {
  verifyNoGC(parts, gccgo);
  verifyTables(parts, gccgo);
  for (const span of handles) {
    if (parts.spans.ints[span + STATE] === IN_USE) verifyTypes(parts, gccgo, span);
  }
}

function verifyNoGC({ arena, spans, ...rest }: HeapParts, { noGC, scanBits }: Gccgo): void {
  const seen = new Set<string>();
  noGC.forEach((start, block) => {
    const where = `block ${block} of the span at page ${start}`;
    const span = arena.pageSpan[start];
    const isBlock = spans.ints[span + STATE] === IN_USE && spans.ints[span + START] === start &&
      block < spans.ints[span + BLOCKS];
    check(isBlock, "what is never freed is a block in use", () => where);
    const isSmall = spans.ints[span + CLASS] !== 0;
    check(
      !isSmall || !freeBlocks({ arena, spans, ...rest }, span).includes(block),
      "what is never freed is on no free list",
      () => where,
    );
    check(!scanBits.isScannable(span, block), "what is never freed is not scanned", () => where);
    check(!seen.has(where), "what is never freed is listed once", () => where);
    seen.add(where);
  });
}

function verifyTables(parts: HeapParts, { spanTypes, scanBits }: Gccgo): void {
  const { arena, spans } = parts;
  const owners = new Map<number, number>();
  spanTypes.forEachTable((table, owner) => {
    const where = `table 0x${table.toString(16)} of the span at page ${spans.ints[owner + START]}`;
    check(!owners.has(table), "a table of types belongs to one span", () => where);
    owners.set(table, owner);
    const offset = table - arena.start;
    const page = Math.floor(offset / PAGE_BYTES);
    check(
      page >= 0 && page < arena.usedPages && arena.pageInfo[page] >= 0,
      "a table of types lies in a span in use",
      () => where,
    );
    const span = arena.pageSpan[page];
    const bytes = scanBits.blockBytes(span);
    const block = (offset - spans.ints[span + START] * PAGE_BYTES) / bytes;
    check(
      Number.isInteger(block) && !freeBlocks(parts, span).includes(block),
      "a table of types is a block in use",
      () => `${where}, block ${block}`,
    );
    check(
      bytes >= spanTypes.tableBytes(owner),
      "a table of types is long enough",
      () => `${bytes} for ${spanTypes.tableBytes(owner)} in ${where}`,
    );
    check(!scanBits.isScannable(span, block), "a table of types has no pointers", () => where);
  });
}

function verifyTypes(parts: HeapParts, gccgo: Gccgo, span: number): void {
  const { ints } = parts.spans;
  const compression = ints[span + COMPRESSION];
  const allowed = ints[span + CLASS] === 0
    ? [TYPES_EMPTY, TYPES_SINGLE]
    : [TYPES_EMPTY, TYPES_BYTES, TYPES_WORDS];
  check(
    allowed.includes(compression),
    "the state of a span's types fits its class",
    () => `state ${compression} of the span at page ${ints[span + START]}`,
  );
  const free = new Set(ints[span + CLASS] === 0 ? [] : freeBlocks(parts, span));
  for (let block = 0; block < ints[span + BLOCKS]; block++) {
    verifyType(
      gccgo,
      span,
      block,
      free.has(block),
      () =>
        `block ${block} of the span at page ${ints[span + START]}` +
        (ints[span + NO_SCAN] === 0 ? "" : ", not to be scanned"),
    );
  }
}

function verifyType(
  { spanTypes, scanBits, noGC }: Gccgo,
  span: number,
  block: number,
  isFree: boolean,
  where: () => string,
): void {
  const typeWord = spanTypes.get(span, block);
  if (isFree) {
    check(typeWord === 0, "a free block has no type", () => `${typeWord} for ${where()}`);
    return;
  }
  const recorded = spanTypes.typeOf(typeWord);
  check(
    typeWord === 0 || recorded !== null,
    "a type word stands for a type",
    () => `${typeWord} for ${where()}`,
  );
  if (!scanBits.isScannable(span, block)) {
    check(
      recorded === null || noGC.count > 0,
      "only what is scanned has a type recorded",
      () => `${recorded?.type.string} for ${where()}`,
    );
    return;
  }
  check(
    scanBits.agrees(span, block, recorded?.type ?? null, recorded?.info ?? TypeInfo.SingleObject),
    "an object is scanned by what is recorded of its type",
    () => `${recorded?.type.string ?? "no type"} for ${where()}`,
  );
}
