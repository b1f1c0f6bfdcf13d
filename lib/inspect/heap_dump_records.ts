/**
 * Reads the records of a heap dump, one function a kind: what follows the tag. See heap_dump_format.ts for what
 * the figures are.
 *
 * @module
 */

import type { DumpCursor } from "./heap_dump_cursor.ts";
import {
  type DumpBucket,
  type DumpDefer,
  DUMPED_PAUSES,
  type DumpField,
  type DumpFinalizer,
  type DumpFrame,
  type DumpGoroutine,
  type DumpMemStats,
  type DumpPanic,
  type DumpParams,
  type DumpSegment,
  type DumpType,
  MEM_STATS_FIELDS,
} from "./heap_dump_format.ts";
import { readFields } from "./heap_dump_objects.ts";

/** Reads params. */
export function readParams(cursor: DumpCursor): DumpParams {
  const isBigEndian = cursor.bool("the byte order");
  const { at } = cursor;
  const pointerBytes = cursor.varint("the size of a pointer");
  if (pointerBytes !== 4 && pointerBytes !== 8) {
    cursor.fail(`pointers of ${pointerBytes} bytes, neither 4 nor 8`, at);
  }
  const arenaStart = cursor.exact("the arena's start");
  const usedAt = cursor.at;
  const arenaUsed = cursor.exact("the arena's used end");
  if (arenaUsed < arenaStart) cursor.fail("an arena that ends before it begins", usedAt);
  const charAt = cursor.at;
  const char = cursor.varint("the processor's letter");
  if (char < 0x20 || char > 0x7e) cursor.fail(`a processor's letter of code ${char}`, charAt);
  return {
    isBigEndian,
    pointerBytes,
    arenaStart,
    arenaUsed,
    thechar: String.fromCharCode(char),
    experiment: cursor.string("the experiment"),
    cpus: cursor.exact("the number of processors"),
  };
}

/** Reads a type. */
export function readType(cursor: DumpCursor): DumpType {
  return {
    address: cursor.exact("the address of a type"),
    size: cursor.exact("the size of a type"),
    name: cursor.string("the name of a type"),
    isPointerInInterface: cursor.bool("what a type is in an interface"),
  };
}

/** Reads a goroutine, to which frames are added later. */
export function readGoroutine(cursor: DumpCursor): DumpGoroutine & { frames: DumpFrame[] } {
  return {
    address: cursor.exact("the address of a goroutine"),
    stackPointer: cursor.exact("a goroutine's stack pointer"),
    id: cursor.exact("a goroutine's number"),
    creatorPc: cursor.varint("the pc of a go statement"),
    status: cursor.exact("a goroutine's status"),
    isSystem: cursor.bool("whether a goroutine is the system's"),
    isBackground: cursor.bool("whether a goroutine is in the background"),
    waitSinceNs: cursor.varint("since when a goroutine waits"),
    waitReason: cursor.string("what a goroutine waits for"),
    context: cursor.varint("a goroutine's context"),
    thread: cursor.varint("a goroutine's thread"),
    topDefer: cursor.varint("a goroutine's deferred calls"),
    topPanic: cursor.varint("a goroutine's panics"),
    frames: [],
  };
}

/** Reads a frame. */
export function readFrame(cursor: DumpCursor, pointerBytes: number): DumpFrame {
  const stackPointer = cursor.exact("the stack pointer of a frame");
  const depth = cursor.exact("the depth of a frame");
  const calleeStackPointer = cursor.exact("the stack pointer of a called frame");
  const contents = cursor.contents("a frame");
  return {
    stackPointer,
    depth,
    calleeStackPointer,
    contents,
    entryPc: cursor.varint("the entry of a function"),
    pc: cursor.varint("the pc of a frame"),
    continuationPc: cursor.varint("where a frame goes on"),
    function: cursor.string("the name of a function"),
    fields: readFieldList(cursor, contents.length, pointerBytes),
  };
}

/** Reads a finalizer, set or queued. */
export function readFinalizer(cursor: DumpCursor): DumpFinalizer {
  return {
    object: cursor.exact("the object of a finalizer"),
    functionValue: cursor.varint("the function of a finalizer"),
    functionPc: cursor.varint("the pc of a finalizer"),
    parameterType: cursor.varint("the parameter of a finalizer"),
    objectType: cursor.varint("the type of a finalizer's object"),
  };
}

/** Reads a segment. */
export function readSegment(
  cursor: DumpCursor,
  name: "data" | "bss",
  pointerBytes: number,
): DumpSegment {
  const { at } = cursor;
  const address = cursor.exact("the address of a segment");
  const contents = cursor.contents("a segment");
  if (address + contents.length > Number.MAX_SAFE_INTEGER) {
    cursor.fail("a segment that ends above 2^53", at);
  }
  const fields = readFieldList(cursor, contents.length, pointerBytes);
  return { name, address, contents, fields };
}

/** Reads the statistics. */
export function readMemStatsRecord(cursor: DumpCursor): DumpMemStats {
  const figures = MEM_STATS_FIELDS.map((name) => [name, cursor.varint(name)]);
  const PauseNs = Array.from({ length: DUMPED_PAUSES }, () => cursor.varint("a pause"));
  const stats = Object.fromEntries(figures) as Record<typeof MEM_STATS_FIELDS[number], number>;
  return { ...stats, PauseNs, NumGC: cursor.varint("NumGC") };
}

/** Reads a deferred call. */
export function readDefer(cursor: DumpCursor): DumpDefer {
  return {
    address: cursor.varint("the address of a deferred call"),
    goroutine: cursor.varint("the goroutine of a deferred call"),
    arguments: cursor.varint("the arguments of a deferred call"),
    pc: cursor.varint("the pc of a defer statement"),
    functionValue: cursor.varint("the function of a deferred call"),
    functionPc: cursor.varint("the pc of a deferred call"),
    link: cursor.varint("the link of a deferred call"),
  };
}

/** Reads a panic. */
export function readPanic(cursor: DumpCursor): DumpPanic {
  const address = cursor.varint("the address of a panic");
  const goroutine = cursor.varint("the goroutine of a panic");
  const type = cursor.varint("the type of a panic");
  const data = cursor.varint("the data of a panic");
  cursor.varint("what is 0 in a panic");
  return { address, goroutine, type, data, link: cursor.varint("the link of a panic") };
}

/** Reads a place of the memory profile. */
export function readBucket(cursor: DumpCursor): DumpBucket {
  const address = cursor.exact("the address of a bucket");
  const size = cursor.exact("the size of a bucket's blocks");
  const frames = cursor.exact("the number of frames of a bucket");
  const stack: DumpBucket["stack"][number][] = [];
  // Each takes three bytes at least, so a number that is too large ends with the dump.
  for (let i = 0; i < frames; i++) {
    stack.push({
      function: cursor.string("the name of a function"),
      file: cursor.string("the name of a file"),
      line: cursor.exact("the number of a line"),
    });
  }
  const allocs = cursor.exact("the allocations of a bucket");
  return { address, size, stack, allocs, frees: cursor.exact("the frees of a bucket") };
}

function readFieldList(cursor: DumpCursor, size: number, pointerBytes: number): DumpField[] {
  const fields: DumpField[] = [];
  readFields(cursor, size, pointerBytes, (kind, offset) => fields.push({ kind, offset }));
  return fields;
}
