/**
 * The options of a heap, checked.
 *
 * @module
 */

import { badArgument, requireInteger } from "./errors.ts";
import type { CollectPolicy } from "./gc/collector.ts";
import type { AddressSpace } from "./platform/address_space.ts";
import { hostPlatform, type Platform, platformNamed } from "./platform/platform.ts";
import type { RaceHooks } from "./race_hooks.ts";

/**
 * What a heap can be told when it is made. Everything has a default.
 *
 * @example A heap as a small Go 1.4 program has it
 * ```ts
 * import { GoHeap } from "@goheap/goheap";
 * import { assertEquals } from "@std/assert";
 *
 * using heap = new GoHeap({ platform: "linux/amd64", collect: "malloc", minHeapBytes: 0 });
 * heap.newobject(heap.types.int64);
 * assertEquals(heap.ReadMemStats().NumGC, 1);
 * ```
 */
export interface GoHeapOptions {
  /** GOOS/GOARCH, as in `"linux/amd64"`; default: the host's. */
  platform?: string;
  /** Whose rules hold where the two differ; default `"gc"`. See docs/gccgo.md for what `"gccgo"` changes. */
  compiler?: "gc" | "gccgo";
  /** When a collection that falls due may run; default `"safepoint"`. */
  collect?: CollectPolicy;
  /**
   * Under `collect: "safepoint"`, how long a collection stops the program at a time, in microseconds; default
   * 1000, up to three times as long where the program allocates much. Infinity: until it is done, as gccgo's
   * heaps always mark.
   */
  markBudgetMicros?: number;
  /** GOGC: how much garbage, in percent of what is alive, starts a collection; default 100, negative: off. */
  gcPercent?: number;
  /** The next collection never starts below so many bytes; default 4 MiB, and 0 is what Go 1.4 does. */
  minHeapBytes?: number;
  /**
   * At most so many bytes of memory are taken from the address space; default: no limit. With a limit of up to
   * 1 GiB the arena of a 64-bit platform, too, begins small behind the program's image.
   */
  limitBytes?: number;
  /**
   * Bytes between two samples of the memory profile, on average; default 0: none. 1 samples every block, 524288 is
   * Go's. A sample costs some 5 us.
   */
  memProfileRate?: number;
  /**
   * Whether to remember the type that each object was allocated with, for `objectGraph()` and heap dumps; default
   * false. It takes half as much memory again as the objects, and slows allocation to some 30 ns. Under gccgo's
   * rules heaps always know the types of objects with pointers, and only those.
   */
  recordTypes?: boolean;
  /**
   * Like GODEBUG: `"gctrace=1,gcstress=1"`. Known are `gctrace`, `allocfreetrace`, `efence`, `gcstress`,
   * `invalidptr` (on if not set to 0) and `scavenge`, and under gccgo's rules `typeatblockend`; others are
   * ignored.
   */
  debug?: string;
  /** Nanoseconds, monotonic; default: `performance.now()`. */
  clock?: () => number;
  /** Where debug output goes, a line at a time; default: standard error. */
  trace?: (line: string) => void;
  /** A race detector that is told where blocks begin their lives; default: none. */
  race?: RaceHooks;
  /** Where memory comes from; default: growable shared buffers. */
  addressSpace?: AddressSpace;
}

/** The options with their defaults, and `debug` taken apart. */
export interface CheckedOptions {
  readonly platform: Platform;
  readonly compiler: "gc" | "gccgo";
  readonly collect: CollectPolicy;
  readonly markBudgetMicros: number;
  readonly gcPercent: number;
  readonly minHeapBytes: number;
  readonly limitBytes: number;
  readonly memProfileRate: number;
  readonly recordTypes: boolean;
  readonly debug: ReadonlyMap<string, number>;
  /** Whether a word that cannot be a pointer is an error, if it should be one. */
  readonly invalidPointerThrows: boolean;
  readonly clock: () => number;
  readonly trace: (line: string) => void;
  readonly race: RaceHooks | undefined;
  readonly addressSpace: AddressSpace | undefined;
}

const DEFAULT_MARK_BUDGET_MICROS = 1000;
const DEFAULT_GC_PERCENT = 100;
const DEFAULT_MIN_HEAP_BYTES = 4 * 2 ** 20;
const MAX_GC_PERCENT = 2 ** 31 - 1;

/** Checks options and fills in what is missing; throws a `RangeError` with the first bad one. */
export function checkOptions(options: GoHeapOptions): CheckedOptions {
  const {
    platform,
    compiler = "gc",
    collect = "safepoint",
    markBudgetMicros = DEFAULT_MARK_BUDGET_MICROS,
    gcPercent = DEFAULT_GC_PERCENT,
    minHeapBytes = DEFAULT_MIN_HEAP_BYTES,
    limitBytes = Infinity,
    memProfileRate = 0,
    recordTypes = false,
    debug = "",
    clock = monotonicNs,
    trace = printLine,
    race,
    addressSpace,
  } = options;
  if (compiler !== "gc" && compiler !== "gccgo") {
    badArgument("compiler", compiler, '"gc" or "gccgo"');
  }
  if (collect !== "safepoint" && collect !== "malloc") {
    badArgument("collect", collect, '"safepoint" or "malloc"');
  }
  if (markBudgetMicros !== Infinity) requireInteger("markBudgetMicros", markBudgetMicros, 1);
  if (limitBytes !== Infinity) requireInteger("limitBytes", limitBytes, 1);
  if (typeof recordTypes !== "boolean") badArgument("recordTypes", recordTypes, "true or false");
  requireFunction("clock", clock);
  requireFunction("trace", trace);
  if (race !== undefined) requireRaceHooks(race);
  if (addressSpace !== undefined) requireAddressSpace(addressSpace, limitBytes);
  const settings = parseDebug(debug);
  return {
    platform: platform === undefined ? hostPlatform(compiler) : platformNamed(platform, compiler),
    compiler,
    collect,
    markBudgetMicros,
    gcPercent: checkGCPercent("gcPercent", gcPercent),
    minHeapBytes: requireInteger("minHeapBytes", minHeapBytes, 0),
    limitBytes,
    memProfileRate: requireInteger("memProfileRate", memProfileRate, 0),
    recordTypes,
    debug: settings,
    // What gccgo scans may be anything.
    invalidPointerThrows: compiler === "gc" && settings.get("invalidptr") !== 0,
    clock,
    trace,
    race,
    addressSpace,
  };
}

/** GOGC as Go keeps it: an int32, in which all that is negative is -1. */
export function checkGCPercent(name: string, percent: number): number {
  return Math.max(-1, requireInteger(name, percent, -(2 ** 31), MAX_GC_PERCENT));
}

function parseDebug(debug: string): Map<string, number> {
  if (typeof debug !== "string") badArgument("debug", debug, "settings such as gctrace=1");
  const settings = new Map<string, number>();
  for (const setting of debug.split(",").filter((text) => text.trim() !== "")) {
    const [name, value] = setting.split("=");
    if (!/^-?\d+$/.test(value ?? "")) {
      badArgument("debug", debug, "settings of the form name=number");
    }
    settings.set(name.trim(), Number(value));
  }
  return settings;
}

function requireFunction(name: string, value: unknown): void {
  if (typeof value !== "function") badArgument(name, value, "a function");
}

function requireRaceHooks(race: RaceHooks): void {
  if (typeof race?.racemalloc !== "function" || typeof race.racefingo !== "function") {
    badArgument("race", race, "an object with the functions racemalloc and racefingo");
  }
}

function requireAddressSpace(space: AddressSpace, limitBytes: number): void {
  if (typeof space?.reserve !== "function" || typeof space.window !== "function") {
    badArgument("addressSpace", space, "an AddressSpace");
  }
  if (limitBytes !== Infinity) {
    badArgument("limitBytes", limitBytes, "no limit beside an addressSpace, which has its own");
  }
}

/** The default of `clock`. */
export function monotonicNs(): number {
  return performance.now() * 1e6;
}

function printLine(line: string): void {
  console.error(line);
}
