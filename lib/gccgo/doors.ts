/**
 * The doors of a heap that only gccgo's rules open.
 *
 * @module
 */

import { badArgument, requireInteger } from "../errors.ts";
import type { Pointer } from "../platform/platform.ts";
import type { GoType } from "../types/go_type.ts";
import type { Gccgo } from "./gccgo.ts";
import type { GccgoMalloc } from "./malloc.ts";
import type { RecordedType } from "./span_types.ts";
import { TypeInfo } from "./type_info.ts";

/** Tells doors what is behind them; `open` throws if the heap is not to be used, and returns null for gc's. */
export let openGccgo: (doors: GccgoDoors, open: () => Gccgo | null) => void;

/**
 * What a heap with `compiler: "gccgo"` can do beside the rest. With `"gc"` each of these throws a RangeError.
 *
 * @example An object that nobody knows the type of
 * ```ts
 * import { GoHeap } from "@goheap/goheap";
 * import { assertEquals } from "@std/assert";
 *
 * using heap = new GoHeap({ compiler: "gccgo" });
 * using object = heap.ref(heap.mal(64));
 * heap.storePointer(object.pointer + 56, heap.mal(8));
 * heap.GC();
 * assertEquals(heap.ReadMemStats().HeapObjects, 2);
 * ```
 */
export class GccgoDoors {
  #open: () => Gccgo | null = () => null;

  static {
    openGccgo = (doors, open) => {
      doors.#open = open;
    };
  }

  /** `size` zeroed bytes, any word of which may be a pointer; seed A's mal. */
  mal(size: number): Pointer {
    return this.#malloc().mal(size);
  }

  /** `newobject` as C code calls it in seed A. */
  cnew(type: GoType): Pointer {
    return this.#malloc().newobject(type);
  }

  /** `newarray` as C code calls it in seed A. */
  cnewarray(type: GoType, n: number): Pointer {
    return this.#malloc().newarray(type, n);
  }

  /**
   * Says that the object at `p`, which is to be scanned, holds one value of `type`, an array of them, or a
   * channel, and so where its pointers are; seed A's settype.
   *
   * @example What was allocated without a type gets one
   * ```ts
   * import { GoHeap, TypeInfo } from "@goheap/goheap";
   * import { assertEquals } from "@std/assert";
   *
   * using heap = new GoHeap({ compiler: "gccgo" });
   * const p = heap.mal(48);
   * heap.settype(p, heap.types.string, TypeInfo.Array);
   * assertEquals(heap.gettype(p)?.type.string, "string");
   * ```
   */
  settype(p: Pointer, type: GoType, info: TypeInfo = TypeInfo.SingleObject): void {
    this.#malloc().settype(requireInteger("p", p, 0), type, info);
  }

  /**
   * The type of the object that the address `p` lies in; null if it is not known. Seed A's gettype.
   *
   * @example Types are remembered
   * ```ts
   * import { GoHeap, TypeInfo } from "@goheap/goheap";
   * import { assertEquals } from "@std/assert";
   *
   * using heap = new GoHeap({ compiler: "gccgo" });
   * const p = heap.newarray(heap.types.string, 3);
   * assertEquals(heap.gettype(p + 20), { type: heap.types.string, info: TypeInfo.Array });
   * assertEquals(heap.gettype(heap.mal(48)), null);
   * ```
   */
  gettype(p: Pointer): RecordedType | null {
    return this.#malloc().gettype(requireInteger("p", p, 0));
  }

  /**
   * Calls `fn` as Go calls a C function, and returns what it returns. Allocations in it start no collection, as
   * those of a thread without a cache in seed A.
   *
   * @example No collection while C runs
   * ```ts
   * import { FlagNoScan, GoHeap } from "@goheap/goheap";
   * import { assertEquals } from "@std/assert";
   *
   * using heap = new GoHeap({ compiler: "gccgo", collect: "malloc", minHeapBytes: 1 });
   * const collections = heap.cgocall(() => {
   *   for (let i = 0; i < 10; i++) heap.mallocgc(100000, null, FlagNoScan);
   *   return heap.ReadMemStats().NumGC;
   * });
   * assertEquals(collections, 0);
   * ```
   */
  cgocall<T>(fn: () => T): T {
    return this.#malloc().cgocall(fn);
  }

  #malloc(): GccgoMalloc {
    return this.#open()?.malloc ?? badArgument("compiler", "gc", '"gccgo" for this');
  }
}
