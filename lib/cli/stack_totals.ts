/**
 * What was allocated where: objects and bytes by the stack that a trace has for each allocation.
 *
 * A stack becomes text that is the same whenever the same lines of the program allocate. What differs from one
 * call to the next, goroutines, arguments, and what stands behind the line number, is left out:
 *
 * ```
 * goroutine 1 [running]:                                        (left out)
 * main.bottomUpTree(0x3, 0x2, 0xc208034000)                     main.bottomUpTree TAB
 * \t/src/bintree.go:27 +0x4f fp=0xc208037d28 sp=0xc208037ce8      /src/bintree.go:27 LF
 * created by main.main                                          created by main.main TAB
 * \t/src/bintree.go:51 +0x2a1                                     /src/bintree.go:51
 * ```
 *
 * Texts are told apart by a NameTable, and the numbers it gives them index typed arrays. Which stack made a
 * block is kept by the number of the block, which is a small integer, so that its free finds it. A stack follows
 * the record of its allocation, so that one is counted only when the next event comes.
 *
 * @module
 */

import type { StackHandler } from "../inspect/allocfreetrace.ts";
import { MAX_NAMES, NameTable } from "./name_table.ts";
import { GroupTotals } from "./trace_totals.ts";

/** The longest text of a stack, in bytes; frames that come behind it are left out. */
export const MAX_STACK_BYTES = 8192;

const TAB = 0x09;
const LINE_FEED = 0x0a;
const OPEN = 0x28;
const COLON = 0x3a;
const ZERO = 0x30;
const NINE = 0x39;

const GOROUTINE = new TextEncoder().encode("goroutine ");

const NONE = -1;
const FIRST_BLOCKS = 4096;

/** Totals by stack; number 0 stands for allocations without one. */
export class StackTotals implements StackHandler {
  /** The texts of the stacks by number, as at the head of the module. */
  readonly texts: NameTable = new NameTable();
  /** Totals by those numbers. */
  readonly totals: GroupTotals = new GroupTotals(MAX_NAMES + 1);
  #stackOf = new Int32Array(FIRST_BLOCKS);
  readonly #text = new Uint8Array(MAX_STACK_BYTES);
  #textBytes = 0;
  #isFull = false;
  /** The block whose stack is being read. */
  #open = NONE;
  #openBytes = 0;

  /** Takes a block whose stack comes in the lines that follow. */
  allocated(block: number, bytes: number): void {
    this.settle();
    this.#open = block;
    this.#openBytes = bytes;
    if (block < this.#stackOf.length) return;
    const grown = new Int32Array(Math.max(block + 1, this.#stackOf.length * 2));
    grown.set(this.#stackOf);
    this.#stackOf = grown;
  }

  /** Counts the free of a block that was taken with so many bytes. */
  released(block: number, bytes: number): void {
    this.settle();
    this.totals.remove(this.#stackOf[block], bytes);
  }

  /** Counts the last block, whose stack is complete. */
  settle(): void {
    if (this.#open !== NONE) {
      const stack = this.texts.numberOf(this.#text, 0, this.#textBytes);
      this.#stackOf[this.#open] = stack;
      this.totals.add(stack, this.#openBytes);
    }
    this.#open = NONE;
    this.#textBytes = 0;
    this.#isFull = false;
  }

  /** Takes a line of the last block's stack. */
  stackLine(bytes: Uint8Array, start: number, end: number): void {
    if (this.#open === NONE || startsWith(bytes, start, end, GOROUTINE)) return;
    if (bytes[start] === TAB) this.#append(TAB, bytes, start + 1, placeEnd(bytes, start, end));
    else this.#append(LINE_FEED, bytes, start, functionEnd(bytes, start, end));
  }

  /** Adds a part of a line behind `separator`, which the first has none of, if it still fits. */
  #append(separator: number, bytes: Uint8Array, start: number, end: number): void {
    let at = this.#textBytes;
    this.#isFull ||= at + 1 + end - start > MAX_STACK_BYTES;
    if (this.#isFull) return;
    if (at > 0) this.#text[at++] = separator;
    this.#text.set(bytes.subarray(start, end), at);
    this.#textBytes = at + end - start;
  }
}

function startsWith(bytes: Uint8Array, start: number, end: number, prefix: Uint8Array): boolean {
  if (end - start < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) {
    if (bytes[start + i] !== prefix[i]) return false;
  }
  return true;
}

/** Where the name of a function ends whose arguments stand in the last parentheses. */
function functionEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let at = end - 1; at > start; at--) {
    if (bytes[at] === OPEN) return at;
  }
  return end;
}

/** Where the number of a line ends: behind the digits that follow the last colon. */
function placeEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = end - 1;
  while (at > start && bytes[at] !== COLON) at--;
  if (at === start) return end;
  do at++; while (at < end && bytes[at] >= ZERO && bytes[at] <= NINE);
  return at;
}
