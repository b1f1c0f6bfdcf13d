/**
 * What SetFinalizer asks of its arguments, in gc's words.
 *
 * The two compilers agree on which finalizers can be set and differ in what they say of the others, and in what
 * they let pass in silence; see gccgo/finalizer_rules.ts for gccgo's side. Which functions take which objects is in
 * types/assignable.ts, for both.
 *
 * @module
 */

import type { ProgramImage } from "../arena/program_image.ts";
import { badArgument, GoThrow } from "../errors.ts";
import type { Pointer } from "../platform/platform.ts";
import * as sizeClasses from "../spans/size_classes.ts";
import { type GoType, Kind } from "../types/go_type.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { TINY_BYTES } = sizeClasses;

/** A value together with its type, as Go's `interface {}` holds it. */
export interface Eface {
  /** The value's type. */
  readonly type: GoType;
  /** The value: an address, or a function. */
  // deno-lint-ignore ban-types -- a function with any parameters and results
  readonly data: Pointer | Function;
}

/** Where an object is: what `findObject` finds. */
export interface ObjectPlace {
  /** The number of the first page of its span, counted from the arena's start. */
  readonly span: number;
  /** Its address. */
  readonly base: Pointer;
  /** The bytes of its block. */
  readonly size: number;
}

/** Finds objects. */
export interface ObjectFinder {
  /** Bytes from the start of the span that {@linkcode ObjectFinder.find} found last to the address. */
  readonly inSpan: number;
  /** Bytes from the start of the block to the address. */
  readonly inBlock: number;
  /** The span whose block `p` lies in; 0 if there is none, or `p` is no integer, or lies in a large object. */
  find(p: Pointer): number;
  /** Counts a lookup. */
  count(): void;
  /** The object that `p` lies in, counted as a lookup; null if there is none. */
  findObject(p: Pointer): ObjectPlace | null;
}

/** The rules of one compiler. */
export interface FinalizerRules {
  /** Throws for no object at all. */
  refuseNil(): never;
  /**
   * Where the object is that a value of type `type` refers to; null if finalizers of such objects are ignored. Throws
   * if the value is no pointer to an object that may have one.
   */
  checkObject(type: GoType, data: Eface["data"]): ObjectPlace | null;
  /** Throws for a finalizer that is no function. */
  refuseNonFunction(object: GoType, finalizer: GoType): never;
}

/** gc's rules. */
export class GcFinalizerRules implements FinalizerRules {
  readonly #image: ProgramImage;
  readonly #typeOwner: object;
  readonly #finder: ObjectFinder;

  constructor(parts: { image: ProgramImage; typeOwner: object; finder: ObjectFinder }) {
    this.#image = parts.image;
    this.#typeOwner = parts.typeOwner;
    this.#finder = parts.finder;
  }

  refuseNil(): never {
    throw new GoThrow("runtime.SetFinalizer: first argument is nil");
  }

  checkObject(type: GoType, data: Eface["data"]): ObjectPlace | null {
    const p = checkPointer(type, data, this.#typeOwner);
    const place = this.#finder.findObject(p);
    if (place === null) {
      if (p === this.#image.zeroBase || this.#image.isInData(p)) return null;
      throw new GoThrow(
        `runtime.SetFinalizer: pointer not in allocated block (0x${p.toString(16)})`,
      );
    }
    if (p !== place.base && !mayBeInTinyBlock(type)) refuseInnerPointer(p, place.base);
    return place;
  }

  refuseNonFunction(_object: GoType, finalizer: GoType): never {
    throw new GoThrow(
      `runtime.SetFinalizer: second argument is ${finalizer.string}, not a function`,
    );
  }
}

/** Returns the address that a value is, which must be a pointer of a type of this heap. */
export function checkPointer(type: GoType, data: Eface["data"], typeOwner: object): Pointer {
  if (type?.owner !== typeOwner) {
    badArgument("obj.type", type?.string ?? type, "a type of this heap's types");
  }
  if (type.kind !== Kind.Ptr) {
    throw new GoThrow(`runtime.SetFinalizer: first argument is ${type.string}, not pointer`);
  }
  if (typeof data !== "number" || !Number.isSafeInteger(data) || data < 0) {
    badArgument("obj.data", data, "an address");
  }
  return data;
}

/** Throws for an address inside the block at `base` that cannot have come from the tiny allocator. */
export function refuseInnerPointer(p: Pointer, base: Pointer): never {
  throw new GoThrow(
    "runtime.SetFinalizer: pointer not at beginning of allocated block" +
      ` (0x${p.toString(16)} in the block at 0x${base.toString(16)})`,
  );
}

/** An address inside a block may come from the tiny allocator if what it points to is small and flat. */
export function mayBeInTinyBlock(pointer: GoType): boolean {
  const elem = pointer.elem;
  return elem !== null && elem.pointerFree && elem.size < TINY_BYTES;
}
