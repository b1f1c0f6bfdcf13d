/**
 * What `goheap dump` finds in a dump: plain data, printed as tables or as JSON.
 *
 * @module
 */

import type { DumpMemStats, DumpParams } from "../inspect/heap_dump_format.ts";
import type {
  Dominators,
  GraphObject,
  GraphPath,
  MaskTally,
  ObjectTally,
  RetainingRoot,
  TypeTally,
} from "../inspect/object_graph.ts";

/** The dump as a whole. */
export interface DumpOverview {
  readonly params: DumpParams;
  readonly memStats: Omit<DumpMemStats, "PauseNs">;
  readonly goroutines: number;
  /** Roots that lead to an object, by kind. */
  readonly roots: Readonly<Record<string, number>>;
  readonly objects: ObjectTally;
  readonly reachable: ObjectTally;
  readonly masks: readonly MaskTally[];
  readonly types: readonly TypeTally[];
  readonly finalizers: number;
  readonly queuedFinalizers: number;
  readonly finalizerCycles: readonly (readonly GraphObject[])[];
}

/** What was asked for; all of it is plain data. */
export interface DumpFindings {
  readonly dump: string;
  readonly overview?: DumpOverview;
  readonly retained?: {
    readonly roots: readonly RetainingRoot[];
    readonly objects: readonly GraphObject[];
  };
  readonly type?: { readonly tally: TypeTally; readonly objects: readonly GraphObject[] };
  readonly path?: {
    readonly object: GraphObject;
    readonly path: GraphPath | null;
    readonly dominators: Dominators | null;
  };
}
