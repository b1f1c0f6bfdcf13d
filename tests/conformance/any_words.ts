/**
 * What a script shows on words of any size. Nearly everything is the same on 4-byte words as on the 8-byte words
 * of the recordings: places, classes, lists, what survives, dies and is finalized, and when. Objects have the same
 * sizes in bytes, so those with pointers have twice the words, of which a script uses the first half.
 *
 * @module
 */

import { goRecordBytes } from "../../lib/platform/go_records.ts";
import { platformNamed } from "../../lib/platform/platform.ts";
import type { Expectation } from "./script.ts";

/** Up to so many finalizers are queued in one block, and so run in order, on words of any size. */
const ONE_BLOCK = 101;

/**
 * The part of a result that is the same on all platforms. Records of spans are counted, since their sizes differ;
 * of a word of memory the low half is looked at, or that it was filled; of the words that are not 0, whether there
 * are any; and of finalizers that fill more than a block of the queue, which they were.
 */
export function onAnyWords(result: Expectation, platform: string): object {
  const { nonzero_words, value, stats, finalized, ...rest } = result;
  const spanBytes = goRecordBytes(platformNamed(platform)).span;
  return {
    ...rest,
    ...nonzero_words !== undefined && { hasNonzeroWords: Number(nonzero_words) > 0 },
    ...value !== undefined && { value: lowHalf(String(value)) },
    ...stats !== undefined && { stats: countSpans(stats as Record<string, number>, spanBytes) },
    ...finalized !== undefined && { finalized: inOneBlock(finalized as number[]) },
  };
}

function lowHalf(value: string): string {
  const low = value.replace(/^0x.+(.{8})$/, "0x$1");
  return low === "0x11111111" || low === "0xeeeeeeee" ? "filled" : low;
}

function countSpans({ spanalloc_inuse: bytes, ...stats }: Record<string, number>, each: number) {
  return { ...stats, spanRecords: bytes / each };
}

function inOneBlock(finalized: readonly number[]): readonly number[] {
  return finalized.length <= ONE_BLOCK ? finalized : finalized.toSorted((a, b) => a - b);
}
