/**
 * What a heap has in addition when it follows gccgo, put together.
 *
 * ```
 *                malloc ──────────────┐             roots ──┐
 *     no_gc ◀────┘  │  └──▶ span_types ◀──── sweep     │     ├──▶ no_gc, span_types, scan_bits
 *                   └──▶ scan_bits                     └─────┘
 * ```
 *
 * A heap that follows gc has none of it. The central lists and the rules of SetFinalizer, of which each heap has
 * either gc's or gccgo's, are chosen where the heap is put together.
 *
 * @module
 */

import type { Arena } from "../arena/arena.ts";
import type { Collector, CollectPolicy } from "../gc/collector.ts";
import type { Finalizers } from "../gc/finalizers.ts";
import type { Marker } from "../gc/marker.ts";
import type { Pacer } from "../gc/pacer.ts";
import type { RootScan } from "../gc/root_scan.ts";
import type { Specials } from "../gc/specials.ts";
import type { Sweep } from "../gc/sweep.ts";
import type { Malloc } from "../malloc.ts";
import type { CheckedOptions } from "../options.ts";
import type { Cache } from "../spans/cache.ts";
import type { FreeLists } from "../spans/free_list.ts";
import type { SpanTable } from "../spans/span_table.ts";
import type { GoType } from "../types/go_type.ts";
import type { TypeTable } from "../types/type_table.ts";
import { BlockFinder } from "./block_finder.ts";
import { GccgoMalloc } from "./malloc.ts";
import { NoGC } from "./no_gc.ts";
import { GccgoRoots } from "./roots.ts";
import { ScanBits } from "./scan_bits.ts";
import { SpanTypes } from "./span_types.ts";

/** The further parts of one heap. See the head of the module. */
export class Gccgo {
  readonly malloc: GccgoMalloc;
  readonly roots: GccgoRoots;
  readonly spanTypes: SpanTypes;
  readonly scanBits: ScanBits;
  readonly noGC: NoGC;
  readonly #types: TypeTable;

  constructor(parts: {
    malloc: Malloc;
    arena: Arena;
    spans: SpanTable;
    freeLists: FreeLists;
    cache: Cache;
    pacer: Pacer;
    specials: Specials;
    marker: Marker;
    types: TypeTable;
    typeAtBlockEnd: boolean;
  }) {
    const { arena, spans } = parts;
    const noGC = this.noGC = new NoGC(arena);
    const scanBits = this.scanBits = new ScanBits(arena, spans);
    const spanTypes = this.spanTypes = new SpanTypes(arena, spans);
    const finder = new BlockFinder(arena, spans);
    const { malloc: blocks } = parts;
    this.malloc = new GccgoMalloc({ ...parts, blocks, finder, scanBits, spanTypes, noGC });
    this.roots = new GccgoRoots({ ...parts, scanBits, spanTypes, noGC });
    this.#types = parts.types;
  }

  /** Has collections, sweeping and finalizers go by gccgo's rules. */
  attach(parts: {
    collector: Collector;
    rootScan: RootScan;
    sweep: Sweep;
    finalizers: Finalizers;
    policy: CollectPolicy;
  }): void {
    const { collector, rootScan, sweep, finalizers, policy } = parts;
    const { malloc, roots, spanTypes } = this;
    malloc.hooks = {
      collectionDue: (p) => collector.collectionDue(p),
      yield: () => {
        if (collector.isRequested) collector.safepoint();
      },
    };
    rootScan.onBegin = () => roots.mark();
    collector.isLocked = () => malloc.isLocked;
    sweep.hooks.dying = (span) => spanTypes.forgetDead(span);
    // The goroutine that runs finalizers has a collection follow, so that what was finalized goes away. With
    // "malloc" the program comes to a halt for it where it allocates next, as a goroutine does.
    finalizers.onBatchEnd = () => {
      collector.request();
      if (policy === "malloc") malloc.preempt();
    };
  }

  /** What a variable of `type` is scanned as: gccgo takes each of its words for a pointer. */
  variableType(type: GoType): GoType {
    if (type.pointerFree) return type;
    const words = Math.floor(type.size / this.#types.unsafePointer.size);
    return this.#types.array(this.#types.unsafePointer, words);
  }
}

/** What a heap with these options has in addition: null if it follows gc. */
export function makeGccgo(
  options: CheckedOptions,
  parts: Omit<ConstructorParameters<typeof Gccgo>[0], "typeAtBlockEnd"> & {
    collector: Collector;
    rootScan: RootScan;
    sweep: Sweep;
    finalizers: Finalizers;
  },
): Gccgo | null {
  if (options.compiler === "gc") return null;
  const typeAtBlockEnd = (options.debug.get("typeatblockend") ?? 0) > 0;
  const gccgo = new Gccgo({ ...parts, typeAtBlockEnd });
  gccgo.attach({ ...parts, policy: options.collect });
  return gccgo;
}
