/**
 * Finalizers: functions that are called with an object when nothing else refers to it any more.
 *
 * The life of a finalizer:
 *
 * ```
 *   SetFinalizer      a special on the object's span; what the object refers to is kept alive for the call
 *   sweep             the object was not marked: the special goes, the finalizer is queued, and the object
 *                     is marked once more, so that it and all it refers to live on for the call
 *   run               the function gets the object; the queue forgets it
 *   next collection   the object is freed, unless the function made it reachable again
 * ```
 *
 * So of a chain A, B, C with finalizers each collection runs one, and of a cycle with a finalizer none ever
 * runs: what a finalizer could be called with is kept alive by the others.
 *
 * All finalizers run one after another. An error that one throws does not stop the next.
 *
 * @module
 */

import type { Arena } from "../arena/arena.ts";
import { badArgument, GoThrow } from "../errors.ts";
import type { Platform, Pointer } from "../platform/platform.ts";
import * as sizeClasses from "../spans/size_classes.ts";
import * as spanRecord from "../spans/span_record.ts";
import type { SpanTable } from "../spans/span_table.ts";
import { isAssignableToFinalizerParameter } from "../types/assignable.ts";
import { type GoType, Kind } from "../types/go_type.ts";
import type { FinalizerQueue } from "./finalizer_queue.ts";
import type { Eface, FinalizerRules } from "./finalizer_rules.ts";
import { KIND_FINALIZER, type Specials } from "./specials.ts";
import type { Sweep } from "./sweep.ts";
import type { WriteBarrier } from "./write_barrier.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { CLASS_TO_SIZE } = sizeClasses;
const { CLASS, START } = spanRecord;

/** What is known of a finalizer besides its place. */
interface FinalizerRecord {
  // deno-lint-ignore ban-types -- see Eface
  readonly fn: Function | null;
  readonly parameter: GoType;
  readonly object: GoType;
  /** What Go allocates for the call; here JavaScript passes the argument, and drops the results. */
  readonly frameBytes: number;
}

/** The types that a finalizer was set with. */
export type FinalizerTypes = Pick<FinalizerRecord, "parameter" | "object">;

/** The finalizers of one heap. See the head of the module. */
export class Finalizers {
  /** Called before the first of those that were queued together is called. */
  onBatch: () => void = () => {};
  /** Called when the last of those that were queued together has run, if it is set. */
  onBatchEnd: (() => void) | null = null;
  readonly #arena: Arena;
  readonly #spans: SpanTable;
  readonly #specials: Specials;
  readonly #queue: FinalizerQueue;
  readonly #sweep: Sweep;
  readonly #barrier: WriteBarrier;
  readonly #typeOwner: object;
  readonly #rules: FinalizerRules;
  readonly #records: (FinalizerRecord | null)[] = [];
  readonly #freeRecords: number[] = [];
  #isRunning = false;
  #isStarted = false;

  constructor(parts: {
    arena: Arena;
    spans: SpanTable;
    specials: Specials;
    queue: FinalizerQueue;
    sweep: Sweep;
    barrier: WriteBarrier;
    typeOwner: object;
    rules: FinalizerRules;
  }) {
    this.#arena = parts.arena;
    this.#spans = parts.spans;
    this.#specials = parts.specials;
    this.#queue = parts.queue;
    this.#sweep = parts.sweep;
    this.#barrier = parts.barrier;
    this.#typeOwner = parts.typeOwner;
    this.#rules = parts.rules;
  }

  /** Sets or, with null, removes the finalizer of an object; seeds' SetFinalizer. */
  setFinalizer(obj: Eface | null, finalizer: Eface | null): void {
    const object = this.#rules.checkObject(obj);
    if (object === null) return;
    const { place, p, type } = object;
    const span = this.#arena.pageSpan[place.span];
    if (finalizer === null) {
      this.#remove(span, p);
      return;
    }
    const record = this.#checkFinalizer(type, finalizer);
    this.#isStarted = true;
    if (!this.#add(span, p, record)) {
      throw new GoThrow("runtime.SetFinalizer: finalizer already set");
    }
  }

  /** Calls everything that is queued, in order; returns how many, and throws the errors together. */
  runAll(): number {
    if (this.#isRunning) return 0;
    const errors: unknown[] = [];
    let ran = 0;
    for (; this.#runNext((error) => errors.push(error)); ran++);
    if (errors.length > 0) {
      throw new AggregateError(errors, `${errors.length} of ${ran} finalizers threw an error`);
    }
    return ran;
  }

  /** Calls one finalizer, if one is queued, and reports its error as an uncaught one. */
  runOne(): void {
    if (!this.#isRunning) this.#runNext((error) => reportError(error));
  }

  /** Whether a finalizer was ever set, which in Go starts the goroutine that runs them. */
  get isStarted(): boolean {
    return this.#isStarted;
  }

  /** The types that finalizer `data` was set with: the function's parameter, and a pointer to the object. */
  typesOf(data: number): FinalizerTypes {
    return this.#records[data]!;
  }

  /** The bytes that a call of finalizer `data` takes in Go. */
  frameBytes(data: number): number {
    return this.#records[data]!.frameBytes;
  }

  /** Queues the finalizer `data` for the object at `p`; called by the sweep. */
  queue(data: number, p: Pointer): void {
    this.#queue.add(data, p);
  }

  #runNext(onError: (error: unknown) => void): boolean {
    if (this.#queue.hasNewBatch) this.onBatch();
    const next = this.#queue.take();
    if (next === null) return false;
    const { fn, parameter, object } = this.#records[next.data]!;
    const isPointer = parameter.kind === Kind.Ptr;
    this.#isRunning = true;
    try {
      if (fn === null) {
        throw new GoThrow("invalid memory address or nil pointer dereference: nil finalizer");
      }
      fn(isPointer ? next.argument : { type: object, data: next.argument });
    } catch (error) {
      onError(error);
    } finally {
      const isLast = this.#queue.release();
      this.#freeRecord(next.data);
      this.#isRunning = false;
      if (isLast) this.onBatchEnd?.();
    }
    return true;
  }

  #checkFinalizer(object: GoType, finalizer: Eface): FinalizerRecord {
    const { type, data } = finalizer;
    if (type?.owner !== this.#typeOwner) {
      badArgument("finalizer.type", type?.string ?? type, "a type of this heap's types");
    }
    if (type.kind !== Kind.Func) this.#rules.refuseNonFunction(object, type);
    const parameter = type.params[0];
    if (
      type.variadic || type.params.length !== 1 ||
      !isAssignableToFinalizerParameter(object, parameter)
    ) {
      throw new GoThrow(
        `runtime.SetFinalizer: cannot pass ${object.string} to finalizer ${type.string}`,
      );
    }
    if (typeof data !== "function" && data !== 0) {
      badArgument("finalizer.data", data, "a function, or 0 for a nil function");
    }
    const fn = typeof data === "function" ? data : null;
    return { fn, parameter, object, frameBytes: frameBytes(type, this.#arena.platform) };
  }

  #add(span: number, p: Pointer, record: FinalizerRecord): boolean {
    this.#sweep.ensureSwept(span);
    const data = this.#freeRecords.pop() ?? this.#records.length;
    this.#records[data] = record;
    let added = false;
    try {
      added = this.#specials.add(span, this.#offset(span, p), KIND_FINALIZER, data);
    } finally {
      if (!added) this.#freeRecord(data);
    }
    if (!added) return false;
    const size = CLASS_TO_SIZE[this.#spans.ints[span + CLASS]];
    const block = size === 0 ? 0 : Math.floor(this.#offset(span, p) / size);
    this.#barrier.shadeReferents(span, block);
    return true;
  }

  #remove(span: number, p: Pointer): void {
    this.#sweep.ensureSwept(span);
    const data = this.#specials.remove(span, this.#offset(span, p), KIND_FINALIZER);
    if (data >= 0) this.#freeRecord(data);
  }

  /** The place of `p` in its span; in a large object it need not be kept exactly, there is one block. */
  #offset(span: number, p: Pointer): number {
    return p - this.#arena.pageAddress(this.#spans.ints[span + START]);
  }

  #freeRecord(data: number): void {
    this.#records[data] = null;
    this.#freeRecords.push(data);
  }
}

/**
 * Bytes of the frame in which Go calls a finalizer of `type`: an interface, as the largest argument there is, then the
 * results, each at its alignment, up to whole words.
 */
function frameBytes(type: GoType, { pointerBytes }: Platform): number {
  let bytes = 0;
  for (const { align, size } of type.results) bytes = Math.ceil(bytes / align) * align + size;
  return 2 * pointerBytes + Math.ceil(bytes / pointerBytes) * pointerBytes;
}
