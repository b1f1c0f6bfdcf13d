/**
 * Itabs: what the first word of an interface value with methods points to. One says that a type has the
 * methods of an interface, and which of its methods those are, so that a call through the interface needs no
 * search. There is one for each pair that was ever asked for:
 *
 * ```text
 *   interface value      itab                                       Go's, 64-bit (32-bit)
 *   +-------+-------+    +-------+------+------+-----+--------+----+-- ... -+
 *   | itab  | data  |--->| inter | type | link | bad | unused | method 0 .. |   32 + 8n (20 + 4n) bytes
 *   +-------+-------+    +-------+------+------+-----+--------+----+-- ... -+
 * ```
 *
 * As with type descriptors, an itab's address has so many bytes behind it, which stay unused. That a type does
 * not implement an interface is kept too: Go marks such an itab as bad.
 *
 * @module
 */

import { badArgument, GoPanic, GoThrow } from "../errors.ts";
import type { Pointer } from "../platform/platform.ts";
import { methodSet, missingMethod } from "./assignable.ts";
import { type GoMethod, type GoType, Kind } from "./go_type.ts";

/** That a type implements an interface with methods, and how. */
export interface Itab {
  /** The address that stands for it in interface values: a multiple of 8, outside the arena. */
  readonly address: Pointer;
  /** The interface. */
  readonly inter: GoType;
  /** The type of the values. */
  readonly type: GoType;
  /** The type's methods that the interface has, in the interface's order: by name. */
  readonly methods: readonly GoMethod[];
}

/** The itabs of one heap's types. See the head of the module. */
export class ItabTable {
  readonly #itabs = new Map<GoType, Map<GoType, Itab | null>>();
  readonly #allocateAddress: (bytes: number) => Pointer;
  readonly #pointerBytes: number;

  /** `allocateAddress` is as a type table has it. */
  constructor(pointerBytes: number, allocateAddress: (bytes: number) => Pointer) {
    this.#pointerBytes = pointerBytes;
    this.#allocateAddress = allocateAddress;
  }

  /** The itab of a type that implements the interface; null if it does not, or there is no type. */
  getitab(inter: GoType, type: GoType | null): Itab | null {
    if (inter.kind !== Kind.Interface) badArgument("inter", inter.string, "an interface type");
    if (inter.methods.length === 0) throw new GoThrow("internal error - misuse of itab");
    if (type === null) return null;
    let itabs = this.#itabs.get(inter);
    if (itabs === undefined) this.#itabs.set(inter, itabs = new Map());
    let itab = itabs.get(type);
    if (itab === undefined) itabs.set(type, itab = this.#make(inter, type));
    return itab;
  }

  /** All itabs that there are. */
  all(): Itab[] {
    return [...this.#itabs.values()].flatMap((itabs) => [...itabs.values()])
      .filter((itab) => itab !== null);
  }

  #make(inter: GoType, type: GoType): Itab | null {
    if (missingMethod(type, inter) !== null) return null;
    const names = new Set(inter.methods.map(({ name }) => name));
    const methods = methodSet(type).filter(({ name }) => names.has(name));
    const bytes = 3 * this.#pointerBytes + 8 + methods.length * this.#pointerBytes;
    return { address: this.#allocateAddress(bytes), inter, type, methods };
  }
}

/** Panics as Go does where a value does not have the type that is asserted. */
export function failAssertion(inter: GoType, type: GoType | null): never {
  if (type === null) {
    throw new GoPanic(`interface conversion: interface is nil, not ${inter.string}`);
  }
  const missing = missingMethod(type, inter)!;
  throw new GoPanic(
    `interface conversion: ${type.string} is not ${inter.string}: missing method ${missing.name}`,
  );
}
