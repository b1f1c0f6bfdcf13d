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
import {
  type Eface,
  type FinalizerRules,
  mayBeInTinyBlock,
  type ObjectFinder,
  refuseInnerPointer,
} from "./finalizer_rules.ts";
import { type FinalizerFunction, FinalizerTable, type Signature } from "./finalizer_table.ts";
import * as specialRecord from "./special_record.ts";
import type { Specials } from "./specials.ts";
import type { Sweep } from "./sweep.ts";
import type { WriteBarrier } from "./write_barrier.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { CLASS_TO_SIZE } = sizeClasses;
const { CLASS } = spanRecord;
const { DATA, KIND_FINALIZER } = specialRecord;

const MAX_OFFSET = 2 ** 31 - 1;

/** The types that a finalizer was set with. */
export interface FinalizerTypes {
  /** The parameter of the function. */
  readonly parameter: GoType;
  /** A pointer to the object. */
  readonly object: GoType;
}

/** The finalizers of one heap. See the head of the module. */
export class Finalizers {
  /** Called before the first of those that were queued together is called. */
  onBatch: () => void = () => {};
  /** Called when the last of those that were queued together has run, if it is set. */
  onBatchEnd: (() => void) | null = null;
  /** The functions of all that are set or queued. */
  readonly table: FinalizerTable = new FinalizerTable();
  readonly #arena: Arena;
  readonly #spans: SpanTable;
  readonly #specials: Specials;
  readonly #queue: FinalizerQueue;
  readonly #sweep: Sweep;
  readonly #barrier: WriteBarrier;
  readonly #typeOwner: object;
  readonly #rules: FinalizerRules;
  readonly #finder: ObjectFinder;
  /** The type of the last object that was one which may have a finalizer. */
  #checked: GoType | null = null;
  /** Bytes from the start of its span to the object that was found last. */
  #offset = 0;
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
    finder: ObjectFinder;
  }) {
    this.#arena = parts.arena;
    this.#spans = parts.spans;
    this.#specials = parts.specials;
    this.#queue = parts.queue;
    this.#sweep = parts.sweep;
    this.#barrier = parts.barrier;
    this.#typeOwner = parts.typeOwner;
    this.#rules = parts.rules;
    this.#finder = parts.finder;
  }

  /** Sets or, with null, removes the finalizer of an object; seeds' SetFinalizer. */
  setFinalizer(obj: Eface | null, finalizer: Eface | null): void {
    if (obj === null) this.#rules.refuseNil();
    const { type: object, data: p } = obj;
    const span = this.#find(object, p);
    if (span === 0) return;
    const offset = this.#offset;
    if (finalizer === null) {
      this.#remove(span, offset);
      return;
    }
    const { type, data } = finalizer;
    const signature = this.table.signature(object, type) ?? this.#checkFinalizer(object, type);
    if (typeof data !== "function" && data !== 0) {
      badArgument("finalizer.data", data, "a function, or 0 for a nil function");
    }
    this.#isStarted = true;
    this.#add(span, offset, signature, data);
  }

  /** Calls everything that is queued, in order; returns how many, and throws the errors together. */
  runAll(): number {
    if (this.#isRunning) return 0;
    const errors: unknown[] = [];
    const note = (error: unknown) => errors.push(error);
    let ran = 0;
    while (this.#runNext(note)) ran++;
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

  /** The types that finalizer `data` was set with. */
  typesOf(data: number): FinalizerTypes {
    const { object, type } = this.table.signatureOf(data);
    return { object, parameter: type.params[0] };
  }

  /** What Go allocates for a call of finalizer `data`; here JavaScript passes the argument, and drops the results. */
  frameBytes(data: number): number {
    return frameBytes(this.table.signatureOf(data).type, this.#arena.platform);
  }

  /** Queues the finalizer `data` for the object at `p`; called by the sweep. */
  queue(data: number, p: Pointer): void {
    this.#queue.add(data, p);
  }

  #runNext(onError: (error: unknown) => void): boolean {
    if (this.#queue.hasNewBatch) this.onBatch();
    const data = this.#queue.take();
    if (data < 0) return false;
    this.#isRunning = true;
    try {
      this.#call(data, this.#queue.argument);
    } catch (error) {
      onError(error);
    } finally {
      const isLast = this.#queue.release();
      this.table.release(data);
      this.#isRunning = false;
      if (isLast) this.onBatchEnd?.();
    }
    return true;
  }

  #call(data: number, argument: Pointer): void {
    const fn = this.table.functionOf(data);
    if (typeof fn !== "function") {
      throw new GoThrow("invalid memory address or nil pointer dereference: nil finalizer");
    }
    const { object, takesPointer } = this.table.signatureOf(data);
    fn(takesPointer ? argument : { type: object, data: argument });
  }

  /** Finds the object at `p`, a pointer of type `object`; returns its span, 0 if its finalizers are ignored. */
  #find(object: GoType, p: Eface["data"]): number {
    if (object !== null && object === this.#checked && typeof p === "number") {
      const finder = this.#finder;
      const span = finder.find(p);
      if (span !== 0 && (finder.inBlock === 0 || mayBeInTinyBlock(object))) {
        finder.count();
        this.#offset = finder.inSpan;
        return span;
      }
    }
    return +this.#checkObject(object, p);
  }

  #checkObject(object: GoType, p: Eface["data"]): number {
    const place = this.#rules.checkObject(object, p);
    if (place === null) return 0;
    const offset = (p as Pointer) - this.#arena.pageAddress(place.span);
    // A special has room for an int32, and nothing that deep in a large object came from a tiny block.
    if (offset > MAX_OFFSET) refuseInnerPointer(p as Pointer, place.base);
    this.#checked = object;
    this.#offset = offset | 0;
    return this.#arena.pageSpan[place.span];
  }

  /** Makes a signature of the types of a pointer and of a finalizer; throws if they don't fit. */
  #checkFinalizer(object: GoType, type: GoType): Signature {
    if (type?.owner !== this.#typeOwner) {
      badArgument("finalizer.type", type?.string ?? type, "a type of this heap's types");
    }
    if (type.kind !== Kind.Func) this.#rules.refuseNonFunction(object, type);
    if (
      type.variadic || type.params.length !== 1 ||
      !isAssignableToFinalizerParameter(object, type.params[0])
    ) {
      throw new GoThrow(
        `runtime.SetFinalizer: cannot pass ${object.string} to finalizer ${type.string}`,
      );
    }
    return this.table.makeSignature(object, type);
  }

  #add(span: number, offset: number, signature: Signature, fn: FinalizerFunction): void {
    this.#sweep.ensureSwept(span);
    const special = this.#specials.add(span, offset, KIND_FINALIZER);
    if (special === 0) throw new GoThrow("runtime.SetFinalizer: finalizer already set");
    this.#specials.ints[special + DATA] = this.table.use(signature, fn);
    if (this.#barrier.isOn) this.#shadeReferents(span, offset);
  }

  /** A collection is under way, which may have seen the object when it had no finalizer. */
  #shadeReferents(span: number, offset: number): void {
    const size = CLASS_TO_SIZE[this.#spans.ints[span + CLASS]];
    this.#barrier.shadeReferents(span, size === 0 ? 0 : Math.floor(offset / size));
  }

  #remove(span: number, offset: number): void {
    this.#sweep.ensureSwept(span);
    const data = this.#specials.remove(span, offset, KIND_FINALIZER);
    if (data >= 0) this.table.release(data);
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
