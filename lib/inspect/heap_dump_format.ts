/**
 * Go 1.4's heap dump format, as `runtime/debug.WriteHeapDump` writes it.
 *
 * A dump is a header and records. All numbers are unsigned varints, seven bits a byte, the lowest first.
 *
 * ```
 *   ┌──────────────────┬─────┬─────────┬─────┬─────────┬─ ─ ─┬───┐┌─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─┐
 *   │ go1.4 heap dump\n│ tag │ content │ tag │ content │     │ 0 │  types of objects (ours)
 *   └──────────────────┴─────┴─────────┴─────┴─────────┴─ ─ ─┴───┘└─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─┘
 *     16 bytes           params come first                 end of file
 *
 *   string   length, bytes                       bool   0 or 1
 *   fields   (kind, offset) ... 0                where in a piece of memory there are pointers
 * ```
 *
 * An object is its address and all of its bytes, then the fields. What its type is, the format does not say: it
 * can only be guessed from what interfaces and finalizers refer to it. A heap that recorded the types of its
 * objects therefore writes them behind the end, where the readers of Go 1.4 do not look:
 *
 * ```
 *   goheap types 1\n, number of types, (address of the type, its name) ..., number of objects,
 *   (bytes from the object before, number of its type from 1 on, or 0 for none) ...      addresses ascend
 * ```
 *
 * @module
 */

import type { Pointer } from "../platform/platform.ts";
import type { MemStats } from "./mem_stats.ts";

/** The header of a dump. */
export const DUMP_MAGIC = "go1.4 heap dump\n";
/** The header of the types of objects, behind the end of a dump; the number is its version. */
export const TYPES_MAGIC = "goheap types 1\n";

/** The tags of records. */
export const Tag = {
  End: 0,
  Object: 1,
  OtherRoot: 2,
  Type: 3,
  Goroutine: 4,
  StackFrame: 5,
  Params: 6,
  Finalizer: 7,
  Itab: 8,
  OSThread: 9,
  MemStats: 10,
  QueuedFinalizer: 11,
  Data: 12,
  Bss: 13,
  Defer: 14,
  Panic: 15,
  MemProf: 16,
  AllocSample: 17,
} as const;

/** Kinds of fields: the end of the list, a pointer, and the two words of an interface. */
export const FieldKind = { End: 0, Pointer: 1, Interface: 2, EmptyInterface: 3 } as const;

/** Pauses in the statistics of a dump. */
export const DUMPED_PAUSES = 256;

/**
 * A dump that cannot be read: truncated, corrupted, or none at all.
 *
 * @example What is wrong, and where
 * ```ts
 * import { GoHeap, HeapDump, HeapDumpError } from "@goheap/goheap";
 * import { assertThrows } from "@std/assert";
 *
 * using heap = new GoHeap();
 * const dump = heap.writeHeapDump();
 * assertThrows(
 *   () => HeapDump.from(dump.subarray(0, 20)),
 *   HeapDumpError,
 *   "Cannot read heap dump: at offset 20",
 * );
 * ```
 */
export class HeapDumpError extends Error {
  /** Always `"HeapDumpError"`. */
  override readonly name = "HeapDumpError";
  /** Where in the dump, in bytes from its beginning. */
  readonly offset: number;

  /** Made by `HeapDump.from`. */
  constructor(offset: number, what: string) {
    super(`Cannot read heap dump: at offset ${offset}: ${what}`);
    this.offset = offset;
  }
}

/** What a dump says of the program and its machine. */
export interface DumpParams {
  /** Whether words in memory have their high byte first. */
  readonly isBigEndian: boolean;
  /** Bytes in a word. */
  readonly pointerBytes: 4 | 8;
  /** Where the arena begins. */
  readonly arenaStart: Pointer;
  /** Where its used part ends. */
  readonly arenaUsed: Pointer;
  /** The processor's letter: "6" amd64, "8" 386, "5" arm. */
  readonly thechar: string;
  /** GOEXPERIMENT. */
  readonly experiment: string;
  /** Processors of the machine. */
  readonly cpus: number;
}

/** A type. Not every type of the program is in its dump. */
export interface DumpType {
  /** The address of its descriptor. */
  readonly address: Pointer;
  /** Bytes in a value. */
  readonly size: number;
  /** With the path of the package if it has a name; else the type's text. */
  readonly name: string;
  /** Whether the data word of an interface that holds such a value is a pointer. */
  readonly isPointerInInterface: boolean;
}

/** What the first word of an interface with methods points to. */
export interface DumpItab {
  /** Its address. */
  readonly address: Pointer;
  /** The type of what is in the data word: of a value that is not a pointer, a pointer to its type. */
  readonly type: Pointer;
}

/** Where in a piece of memory there is a pointer, or an interface. */
export interface DumpField {
  /** 1 a pointer, 2 an interface with methods, 3 an empty interface. */
  readonly kind: number;
  /** Bytes from the beginning. */
  readonly offset: number;
}

/** An object, which is a whole block. */
export interface DumpObject {
  /** Its address. */
  readonly address: Pointer;
  /** What is in it; a view of the dump. */
  readonly contents: Uint8Array;
  /** Where its pointers are; empty if it has none. */
  readonly fields: readonly DumpField[];
}

/** A root that is neither in a segment nor in a frame. */
export interface DumpOtherRoot {
  /** What it is. */
  readonly description: string;
  /** What it points to. */
  readonly pointer: Pointer;
}

/** A goroutine, and what its stack holds. */
export interface DumpGoroutine {
  /** The address of its descriptor. */
  readonly address: Pointer;
  /** Its stack pointer. */
  readonly stackPointer: Pointer;
  /** Its number. */
  readonly id: number;
  /** Where the `go` statement is. */
  readonly creatorPc: Pointer;
  /** 0 idle, 1 runnable, 2 running, 3 in a system call, 4 waiting. */
  readonly status: number;
  /** Whether it belongs to the runtime. */
  readonly isSystem: boolean;
  /** Whether it works in the background; never in Go 1.4. */
  readonly isBackground: boolean;
  /** Since when it waits, in ns. */
  readonly waitSinceNs: number;
  /** What it waits for. */
  readonly waitReason: string;
  /** The context of its innermost frame: a closure. */
  readonly context: Pointer;
  /** The thread it runs on. */
  readonly thread: Pointer;
  /** Its innermost deferred call. */
  readonly topDefer: Pointer;
  /** Its innermost panic. */
  readonly topPanic: Pointer;
  /** Its frames, the innermost first. */
  readonly frames: readonly DumpFrame[];
}

/** A frame of a goroutine's stack. */
export interface DumpFrame {
  /** Its lowest address. */
  readonly stackPointer: Pointer;
  /** 0 for the innermost. */
  readonly depth: number;
  /** The stack pointer of the frame it has called; 0 if none. */
  readonly calleeStackPointer: Pointer;
  /** What is in it; a view of the dump. */
  readonly contents: Uint8Array;
  /** Where its function begins. */
  readonly entryPc: Pointer;
  /** Where it is. */
  readonly pc: Pointer;
  /** Where it goes on. */
  readonly continuationPc: Pointer;
  /** The name of its function. */
  readonly function: string;
  /** Where its pointers are. */
  readonly fields: readonly DumpField[];
}

/** A finalizer: one that is set, or one that is to be called. */
export interface DumpFinalizer {
  /** The object's address, as SetFinalizer was given it. */
  readonly object: Pointer;
  /** The function value. */
  readonly functionValue: Pointer;
  /** Where its code begins. */
  readonly functionPc: Pointer;
  /** The type of the function's parameter. */
  readonly parameterType: Pointer;
  /** The type of the object's address: a pointer. */
  readonly objectType: Pointer;
}

/** A thread of the operating system. */
export interface DumpThread {
  /** The address of its descriptor. */
  readonly address: Pointer;
  /** Its number in Go. */
  readonly id: number;
  /** Its number in the system. */
  readonly osId: number;
}

/** A segment of global variables. */
export interface DumpSegment {
  /** Whether its variables begin with a value, or as zero. */
  readonly name: "data" | "bss";
  /** Where it begins. */
  readonly address: Pointer;
  /** What is in it; a view of the dump. */
  readonly contents: Uint8Array;
  /** Where its pointers are. */
  readonly fields: readonly DumpField[];
}

/** A deferred call. */
export interface DumpDefer {
  /** Its address. */
  readonly address: Pointer;
  /** The descriptor of its goroutine. */
  readonly goroutine: Pointer;
  /** Where its arguments are. */
  readonly arguments: Pointer;
  /** Where the `defer` statement is. */
  readonly pc: Pointer;
  /** The function value. */
  readonly functionValue: Pointer;
  /** Where its code begins. */
  readonly functionPc: Pointer;
  /** The next one of the goroutine. */
  readonly link: Pointer;
}

/** A panic under way. */
export interface DumpPanic {
  /** Its address. */
  readonly address: Pointer;
  /** The descriptor of its goroutine. */
  readonly goroutine: Pointer;
  /** The type of its value. */
  readonly type: Pointer;
  /** The data word of its value. */
  readonly data: Pointer;
  /** The next one of the goroutine. */
  readonly link: Pointer;
}

/** A place in the program where the memory profile has seen allocations. */
export interface DumpBucket {
  /** Its address. */
  readonly address: Pointer;
  /** Bytes in each of its blocks. */
  readonly size: number;
  /** The calls that led to it, the innermost first. */
  readonly stack: readonly {
    readonly function: string;
    readonly file: string;
    readonly line: number;
  }[];
  /** Blocks allocated there. */
  readonly allocs: number;
  /** How many of them were freed. */
  readonly frees: number;
}

/** Where an object was allocated. */
export interface DumpAllocSample {
  /** The object. */
  readonly object: Pointer;
  /** The place: the address of a bucket. */
  readonly bucket: Pointer;
}

/** The statistics in the order of the dump, except for pauses and NumGC, which come behind them. */
export const MEM_STATS_FIELDS = [
  "Alloc",
  "TotalAlloc",
  "Sys",
  "Lookups",
  "Mallocs",
  "Frees",
  "HeapAlloc",
  "HeapSys",
  "HeapIdle",
  "HeapInuse",
  "HeapReleased",
  "HeapObjects",
  "StackInuse",
  "StackSys",
  "MSpanInuse",
  "MSpanSys",
  "MCacheInuse",
  "MCacheSys",
  "BuckHashSys",
  "GCSys",
  "OtherSys",
  "NextGC",
  "LastGC",
  "PauseTotalNs",
] as const;

/** The statistics of a dump: those of {@linkcode MemStats} that it has. Above 2^53 they are rounded. */
export type DumpMemStats = Omit<MemStats, "PauseEnd" | "EnableGC" | "DebugGC" | "BySize">;
