/**
 * The functions that are finalizers, by number.
 *
 * A special and an entry of the queue have room for one number each. It stands for a function together with the
 * types that it was set with:
 *
 * ```
 *   special ─────┐
 *   special ─────┼──▶ number: function, uses ──▶ signature: type of the object, type of the function
 *   queue entry ─┘
 * ```
 *
 * A program has few signatures, one for each class of objects with a finalizer, and most have one function each.
 * So what was set last under a signature gets the number that it has, and the rules of assignment are asked once a
 * signature: a million objects with one finalizer are a million specials and one number. A function that is made anew
 * for each object has a number of its own each time. A number that nobody uses any more is forgotten, and its function
 * with it; signatures stay, as types do.
 *
 * @module
 */

import { type GoType, Kind } from "../types/go_type.ts";

/** A finalizer as it is set: a function, or 0 for a nil one. */
// deno-lint-ignore ban-types -- see Eface
export type FinalizerFunction = Function | 0;

/** The types that a finalizer is set with, which fit each other. */
export class Signature {
  /** A pointer to the object. */
  readonly object: GoType;
  /** The finalizer's. */
  readonly type: GoType;
  /** Whether the function takes the pointer; else it takes an interface. */
  readonly takesPointer: boolean;
  /** The number of the function that was set last with these types; -1 if nobody uses it any more. */
  newest = -1;

  constructor(object: GoType, type: GoType) {
    this.object = object;
    this.type = type;
    this.takesPointer = type.params[0].kind === Kind.Ptr;
  }
}

/** The functions of one heap. See the head of the module. */
export class FinalizerTable {
  readonly #functions: (FinalizerFunction | null)[] = [];
  readonly #signatures: (Signature | null)[] = [];
  readonly #uses: number[] = [];
  readonly #free: number[] = [];
  readonly #known = new Map<GoType, Map<GoType, Signature>>();
  #last: Signature | null = null;

  /** The signature of these types; null if they have none yet. */
  signature(object: GoType, type: GoType): Signature | null {
    const last = this.#last;
    if (last !== null && last.object === object && last.type === type) return last;
    const signature = this.#known.get(type)?.get(object) ?? null;
    if (signature !== null) this.#last = signature;
    return signature;
  }

  /** Makes a signature of types that fit each other and have none. */
  makeSignature(object: GoType, type: GoType): Signature {
    const signature = new Signature(object, type);
    const known = this.#known.get(type) ?? new Map<GoType, Signature>();
    this.#known.set(type, known.set(object, signature));
    return signature;
  }

  /** The number of a function with these types, which has one use more. */
  use(signature: Signature, fn: FinalizerFunction): number {
    const { newest } = signature;
    if (newest < 0 || this.#functions[newest] !== fn) return this.#make(signature, fn);
    this.#uses[newest]++;
    return newest;
  }

  /** Number `data` has one use less. */
  release(data: number): void {
    if (--this.#uses[data] > 0) return;
    const signature = this.#signatures[data]!;
    if (signature.newest === data) signature.newest = -1;
    this.#functions[data] = null;
    this.#signatures[data] = null;
    this.#free.push(data);
  }

  /** The function that has a number. */
  functionOf(data: number): FinalizerFunction {
    return this.#functions[data]!;
  }

  /** The types that go with a number. */
  signatureOf(data: number): Signature {
    return this.#signatures[data]!;
  }

  /** How often a number is used; 0 if it is nobody's. */
  usesOf(data: number): number {
    return this.#uses[data] ?? 0;
  }

  /** How many numbers were ever in use at once. */
  get made(): number {
    return this.#uses.length;
  }

  #make(signature: Signature, fn: FinalizerFunction): number {
    const data = this.#free.pop() ?? this.#uses.length;
    this.#functions[data] = fn;
    this.#signatures[data] = signature;
    this.#uses[data] = 1;
    return signature.newest = data;
  }
}
