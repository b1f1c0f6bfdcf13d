/**
 * The stacks in a trace, as those of the memory profile of a heap that it is replayed in.
 *
 * ```
 * goroutine 1 [running]:
 * runtime.mallocgc(0x10, 0x4e9760, 0x0, 0xc20800a2d0)                     allocates
 * 	/usr/local/go/src/runtime/malloc.go:327 +0x32a fp=0xc20802bc60 sp=...
 * runtime.newobject(0x4e9760, 0x0)                                        for this
 * 	/usr/local/go/src/runtime/malloc.go:353 +0x49 fp=0xc20802bc88 sp=...
 * main.build(0x0, 0xc208034140)                                           the profile's stacks begin here
 * 	/src/bintree/main.go:12 +0x35 fp=0xc20802bcb8 sp=0xc20802bc88
 * created by main.start                                                   and end here
 * 	/src/bintree/main.go:30 +0x17
 * ```
 *
 * In the trace of a GoHeap functions begin with `js.`, and what allocates is a method of GoHeap.
 *
 * @module
 */

import type { StackHandler } from "../inspect/allocfreetrace.ts";
import type { RawStack } from "../inspect/js_stack.ts";
import type { StackSource } from "../inspect/mem_profile.ts";
import type { SourceFrame } from "../inspect/profile_stacks.ts";

/** Where all blocks come from whose trace has no stacks. */
const NO_STACK: SourceFrame = { name: "(trace without stacks)", file: "", line: 0, column: 0 };

/** No more is kept of a stack; a trace's has 100 frames at most. */
const MAX_STACK_CHARACTERS = 65536;

/** A line that says where a call is: file, line, offset in the function. */
const PLACE = /^\t(.*):(\d+)(?: \+0x([0-9a-f]+))?(?: fp=0x.*)?$/;

/** The frames of a stack whose lines are `text`, from whoever asked for memory on. */
export function traceFrames(text: string): SourceFrame[] {
  const lines = text.split("\n");
  const frames: SourceFrame[] = [];
  for (let i = 0; i + 1 < lines.length; i++) {
    const place = PLACE.exec(lines[i + 1]);
    if (place === null) continue;
    if (lines[i].startsWith("created by ")) break;
    const [, file, line, offset] = place;
    const name = lines[i].slice(0, lines[i].lastIndexOf("("));
    frames.push({ name, file, line: Number(line), column: 0, offset: parseInt(offset ?? "0", 16) });
    i++;
  }
  const allocator = frames.findLastIndex(({ name }) => name.startsWith("js.GoHeap."));
  if (allocator >= 0) return frames.slice(allocator + 1).map(jsFrame);
  return frames[0]?.name === "runtime.mallocgc" ? frames.slice(2) : frames;
}

/** A frame of JavaScript's, whose place in its function is not known. */
function jsFrame({ name, file, line }: SourceFrame): SourceFrame {
  return { name: name.replace(/^js\./, ""), file, line, column: 0 };
}

/**
 * Takes stacks from the trace that is being replayed. The lines of one follow the record of its allocation, so it is
 * complete when the next is taken.
 */
export class TraceStacks implements StackSource, StackHandler {
  readonly maxWaiting = 1;
  readonly #decoder = new TextDecoder();
  /** The stack whose lines are being read; null if nobody took it. */
  #open: { stack: string } | null = null;

  /** Takes the stack whose lines come next. */
  take(): RawStack {
    return this.#open = { stack: "" };
  }

  /** The frames of one that is complete. */
  framesOf({ stack = "" }: RawStack): SourceFrame[] {
    const frames = traceFrames(stack);
    return frames.length === 0 ? [NO_STACK] : frames;
  }

  /** Takes a line of a stack. */
  stackLine(bytes: Uint8Array, start: number, end: number): void {
    if (this.#open === null || this.#open.stack.length > MAX_STACK_CHARACTERS) return;
    this.#open.stack += `${this.#decoder.decode(bytes.subarray(start, end))}\n`;
  }

  /** What follows is the stack of another record. */
  settle(): void {
    this.#open = null;
  }
}
