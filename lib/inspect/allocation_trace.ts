/**
 * The allocation trace that a heap writes under `debug: "allocfreetrace=1"`, in the form in which Go writes its
 * own (allocfreetrace.ts shows it, and reads it): a record for each block that is handed out or freed, and
 * for each collection, before what it frees.
 *
 * A frame of a stack is a function of JavaScript's. It has no arguments, frame pointer or stack pointer to show;
 * before its name stands `js.`, so that it cannot be taken for the beginning of a record:
 *
 * ```
 * tracealloc(0xc208000000, 0x30, main.Node)
 * goroutine 1 [running]:
 * js.GoHeap.newobject()
 * 	file:///src/goheap/lib/go_heap.ts:285
 * js.build()
 * 	file:///src/program.ts:12
 * ```
 *
 * Blocks are freed on a stack of the system's, of which nothing is shown. Taking a stack costs some 20 us.
 *
 * @module
 */

import type { AllocationWatch } from "../debug_malloc.ts";
import type { Pointer } from "../platform/platform.ts";
import type { GoType } from "../types/go_type.ts";
import { captureStack, framesOf } from "./js_stack.ts";

/** Go shows as many frames of a stack. */
const MAX_FRAMES = 100;

/** Writes the trace of one heap, a line at a time. See the head of the module. */
export class AllocationTrace implements AllocationWatch {
  readonly #write: (line: string) => void;

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  /** Writes the record of a block of `bytes` that was handed out. */
  allocated(p: Pointer, bytes: number, type: GoType | null): void {
    const ofType = type === null ? "" : `, ${oneLine(type.string)}`;
    this.#writeAll([
      `tracealloc(${hex(p)}, ${hex(bytes)}${ofType})`,
      "goroutine 1 [running]:",
      ...framesAbove(this.allocated),
      "",
    ]);
  }

  /** Writes the record of a block of `bytes` that was freed. */
  freed(p: Pointer, bytes: number): void {
    this.#writeAll([`tracefree(${hex(p)}, ${hex(bytes)})`, "goroutine 0 [idle]:", ""]);
  }

  /** Writes the record of a collection that begins. */
  collecting(): void {
    this.#writeAll([
      "tracegc()",
      "",
      "goroutine 1 [garbage collection]:",
      ...framesAbove(this.collecting),
      "end tracegc",
      "",
    ]);
  }

  #writeAll(lines: readonly string[]): void {
    for (const line of lines) this.#write(line);
  }
}

function hex(n: number): string {
  return `0x${n.toString(16)}`;
}

/** A name without what could end its line. */
function oneLine(name: string): string {
  return name.replaceAll(
    /\p{Cc}/gu,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

/** Two lines for each frame of the stack above the function `callee`; none where JavaScript is not V8's. */
function framesAbove(callee: unknown): string[] {
  const found = framesOf(captureStack(callee, MAX_FRAMES + 1));
  const shown = found.slice(0, MAX_FRAMES)
    .flatMap(({ name, file, line }) => [`js.${name}()`, `\t${file}:${line}`]);
  return found.length > MAX_FRAMES ? [...shown, "...additional frames elided..."] : shown;
}
