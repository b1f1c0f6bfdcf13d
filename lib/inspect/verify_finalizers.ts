/**
 * verify, for specials, and for what finalizers are besides.
 *
 * ```
 *   specials      lie in their span, in order; the newest of a span is one of them; all are counted
 *   functions     uses of a number = specials + queue entries that have it; what has no use is forgotten
 *   queue         every block is queued, being run, or empty
 * ```
 *
 * @module
 */

import { GoThrow } from "../errors.ts";
import { KIND_FINALIZER, KIND_PROFILE } from "../gc/special_record.ts";
import { PAGE_BYTES } from "../platform/platform.ts";
import { IN_USE, NEWEST_SPECIAL, PAGES, START, STATE } from "../spans/span_record.ts";
import type { HeapParts } from "./heap_parts.ts";

function check(holds: boolean, invariant: string, values: () => string): void {
  if (!holds) throw new GoThrow(`verify: ${invariant}: ${values()}`);
}

/** Checks what is attached to blocks, and the finalizers that wait; `handles` are the heap's spans. */
export function verifyFinalizers(parts: HeapParts, handles: readonly number[]): void {
  const { spans, specials, queue } = parts;
  const counts = [0, 0];
  const uses: number[] = [];
  const use = (data: number) => uses[data] = (uses[data] ?? 0) + 1;
  for (const span of handles) {
    if (spans.ints[span + STATE] !== IN_USE) continue;
    verifyList(parts, span);
    for (const { kind, data } of specials.list(span)) {
      counts[kind - KIND_FINALIZER]++;
      if (kind === KIND_FINALIZER) use(data);
    }
  }
  for (const kind of [KIND_FINALIZER, KIND_PROFILE]) {
    const count = counts[kind - KIND_FINALIZER];
    check(
      count === specials.count(kind),
      "all specials are in the lists of spans",
      () => `${count} of kind ${kind} are, of ${specials.count(kind)}`,
    );
  }
  queue.forEachWaiting((_, data) => void use(data));
  verifyTable(parts, uses);
  verifyQueue(parts);
}

function verifyList({ spans, specials }: HeapParts, span: number): void {
  const where = `span at page ${spans.ints[span + START]}`;
  const bytes = spans.ints[span + PAGES] * PAGE_BYTES;
  const newest = spans.ints[span + NEWEST_SPECIAL];
  let before = -1;
  let hasNewest = newest === 0;
  for (const { handle, offset, kind } of specials.list(span)) {
    check(
      offset >= 0 && offset < bytes,
      "a special lies in its span",
      () => `offset ${offset} in ${where}`,
    );
    check(
      offset * 4 + kind > before,
      "specials are sorted",
      () => `offset ${offset}, kind ${kind} in ${where}`,
    );
    before = offset * 4 + kind;
    hasNewest ||= handle === newest;
  }
  check(hasNewest, "the newest special of a span is one of its specials", () => where);
}

function verifyTable({ finalizers: { table } }: HeapParts, uses: readonly number[]): void {
  const made = Math.max(table.made, uses.length);
  for (let data = 0; data < made; data++) {
    const expected = uses[data] ?? 0;
    check(
      table.usesOf(data) === expected,
      "a finalizer's function is used by specials and queue entries",
      () => `number ${data} counts ${table.usesOf(data)} uses and has ${expected}`,
    );
  }
}

function verifyQueue({ queue }: HeapParts): void {
  const { all, queued, running, empty } = queue.blockCounts;
  check(
    all === queued + running + empty,
    "a block of the finalizer queue is queued, being run, or empty",
    () => `${queued}, ${running} and ${empty} of ${all}`,
  );
}
