/**
 * Has traces written, and hooks called, by those who know when.
 *
 * @module
 */

import type { Arena } from "../arena/arena.ts";
import type { AllocationWatch } from "../debug_malloc.ts";
import type { Door } from "../door.ts";
import type { Collector } from "../gc/collector.ts";
import type { Finalizers } from "../gc/finalizers.ts";
import type { Pointer } from "../platform/platform.ts";
import type { RaceHooks } from "../race_hooks.ts";
import type { Scavenger } from "../spans/scavenger.ts";
import { POISON } from "../spans/span_record.ts";
import type { AllocationTrace } from "./allocation_trace.ts";
import { gctraceLine, scavengeLines } from "./gctrace.ts";
import type { HeapParts } from "./heap_parts.ts";

/** Has every collection and every round of scavenging write its lines: GODEBUG=gctrace=1. */
export function traceCollections(
  parts: HeapParts,
  collector: Collector,
  finalizers: Finalizers,
  scavenger: Scavenger,
  trace: (line: string) => void,
): void {
  const { cycle } = collector;
  cycle.onCollected = (report) => {
    const threads = finalizers.isStarted ? 2 : 1;
    trace(gctraceLine(parts, report, threads, cycle.pauseSweeps));
  };
  scavenger.onRound = (round, releasedBytes) => {
    for (const line of scavengeLines(parts.stats, round, releasedBytes)) trace(line);
  };
}

/**
 * What sees the allocations of a heap: a race detector first, as in the seeds, then `others` in their order; null
 * if nothing does. A race detector sees finalizers too.
 */
export function watchOf(
  door: Door,
  race: RaceHooks | undefined,
  finalizers: Finalizers,
  others: readonly (AllocationWatch | null)[],
): AllocationWatch | null {
  const watches = others.filter((watch) => watch !== null);
  if (race !== undefined) {
    finalizers.onBatch = door.guard("race.racefingo", () => race.racefingo(), undefined);
    const allocated = door.guard(
      "race.racemalloc",
      (p: Pointer, bytes: number) => race.racemalloc(p, bytes),
      undefined,
    );
    watches.unshift({ allocated });
  }
  if (watches.length <= 1) return watches[0] ?? null;
  return {
    allocated(p, bytes, type) {
      for (const watch of watches) watch.allocated(p, bytes, type);
    },
  };
}

/** What sweeping is to call with each block that it frees; null if there is nothing. */
export function freedHook(
  arena: Arena,
  trace: AllocationTrace | null,
  isPoisoned: boolean,
): ((p: Pointer, bytes: number) => void) | null {
  if (trace === null && !isPoisoned) return null;
  return (p, bytes) => {
    trace?.freed(p, bytes);
    if (!isPoisoned) return;
    arena.viewAt(p, bytes).fill(POISON);
  };
}
