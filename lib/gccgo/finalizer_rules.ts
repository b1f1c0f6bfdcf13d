/**
 * What gccgo's SetFinalizer asks of its arguments, and in which words.
 *
 * ```
 *   argument                                 gccgo                                   gc
 *   nil                                      first argument is nil interface         first argument is nil
 *   pointer to nothing of size               ignored, wherever it points             ignored at zerobase
 *   address outside the used arena           ignored                                 only in the data segments
 *   address in the arena, in no block        not at beginning of allocated block     not in allocated block
 *   finalizer that is no function            cannot pass T to finalizer F            second argument is F, not ...
 * ```
 *
 * gccgo prints these lines and aborts with "runtime.SetFinalizer"; here the line is the message.
 *
 * @module
 */

import type { Arena } from "../arena/arena.ts";
import type { ProgramImage } from "../arena/program_image.ts";
import { GoThrow } from "../errors.ts";
import {
  checkPointer,
  type Eface,
  type FinalizerRules,
  GcFinalizerRules,
  mayBeInTinyBlock,
  type ObjectFinder,
  type ObjectPlace,
} from "../gc/finalizer_rules.ts";
import type { GoType } from "../types/go_type.ts";

/** gccgo's rules. See the head of the module. */
export class GccgoFinalizerRules implements FinalizerRules {
  readonly #arena: Arena;
  readonly #typeOwner: object;
  readonly #finder: ObjectFinder;

  constructor(parts: { arena: Arena; typeOwner: object; finder: ObjectFinder }) {
    this.#arena = parts.arena;
    this.#typeOwner = parts.typeOwner;
    this.#finder = parts.finder;
  }

  refuseNil(): never {
    throw new GoThrow("runtime.SetFinalizer: first argument is nil interface");
  }

  checkObject(type: GoType, data: Eface["data"]): ObjectPlace | null {
    const p = checkPointer(type, data, this.#typeOwner);
    if (type.elem!.size === 0) return null;
    if (p < this.#arena.start || p >= this.#arena.used) return null;

    const place = this.#finder.findObject(p);
    if (place?.base !== p && !mayBeInTinyBlock(type)) {
      throw new GoThrow(
        `runtime.SetFinalizer: pointer not at beginning of allocated block (0x${p.toString(16)})`,
      );
    }
    // Only now does gccgo notice that there is no span to attach the finalizer to.
    if (place === null) throw new GoThrow(`addspecial on invalid pointer: 0x${p.toString(16)}`);
    return place;
  }

  refuseNonFunction(object: GoType, finalizer: GoType): never {
    throw new GoThrow(
      `runtime.SetFinalizer: cannot pass ${object.string} to finalizer ${finalizer.string}`,
    );
  }
}

/** The rules of `compiler`. */
export function finalizerRules(
  compiler: "gc" | "gccgo",
  parts: { arena: Arena; image: ProgramImage; typeOwner: object; finder: ObjectFinder },
): FinalizerRules {
  return compiler === "gc" ? new GcFinalizerRules(parts) : new GccgoFinalizerRules(parts);
}
