/**
 * The reference's collector: marking by the rules of ALGORITHMS chapter 6, sweeping by those of chapter 7,
 * finalizers by chapter 9.
 *
 * @module
 */

import { freePages, type Sweeper } from "./pages.ts";
import { prepend, releaseAll } from "./small.ts";
import { ARENA, blockAt, PAGE, type Span, type State, unlink, WORD } from "./state.ts";

const DIRTY = 0xdead_dead_dead_deadn;
/** Entries of a block of the finalizer queue. */
const QUEUE_BLOCK = 101;
const GCCGO_QUEUE_BLOCK = 127;

/** The blocks that `roots` (full addresses) and the heap's own roots reach: 6.4, 6.5 and 9.2. */
export function reachable(state: State, roots: readonly number[]): Map<Span, Set<number>> {
  const found = new Map<Span, Set<number>>();
  const pending = [...roots, ...state.queue.flat().map((due) => ARENA + due.at)];
  for (const span of state.records) {
    if (span.state !== "inuse") continue;
    for (const { offset } of span.specials) {
      const block = Math.floor(offset / span.elem);
      const unknown = new Array(span.elem / WORD).fill(state.isGccgo);
      pending.push(...pointersIn(state, span, block, unknown));
    }
    if (span.types !== undefined) pending.push(ARENA + span.types.table);
  }
  for (let pointer = pending.pop(); pointer !== undefined; pointer = pending.pop()) {
    const at = pointer - ARENA;
    if (at < 0 || at >= state.arenaUsed) continue;
    const span = state.spanAt(at);
    if (span === undefined || at >= span.limit) {
      if (state.isGccgo) continue;
      throw new Error(`invalid heap pointer ${at}`);
    }
    const block = Math.floor((at - span.page * PAGE) / span.elem);
    if (!found.has(span)) found.set(span, new Set());
    if (found.get(span)!.has(block)) continue;
    found.get(span)!.add(block);
    pending.push(...pointersIn(state, span, block));
  }
  return found;
}

function pointersIn(
  state: State,
  span: Span,
  block: number,
  maskOfOthers: boolean[] = [],
): number[] {
  const mask = span.masks.get(block) ?? maskOfOthers;
  const at = blockAt(span, block);
  return mask.flatMap((isPointer, i) => isPointer ? Number(state.words.get(at + i * WORD)) : [])
    .filter((pointer) => pointer !== 0);
}

/** 6.1 and 6.2, for `force` 0 (only if due), 1 (sweeping later) and 2 (sweeping now). */
export function collect(state: State, force: 0 | 1 | 2, roots: readonly number[]): void {
  if (state.gcpercent < 0) return;
  if (force === 0 && BigInt(state.heapAlloc) < state.nextGC) return;
  const sweeper = sweeperOf(state);
  state.tiny = null;
  while (sweeper.sweepOne() >= 0);
  for (const [span, blocks] of reachable(state, roots)) span.marked = blocks;
  releaseAll(state);
  state.purge();
  const heapAlloc = BigInt(state.heapAlloc);
  state.nextGC = heapAlloc + heapAlloc * BigInt(state.gcpercent) / 100n;
  state.numgc++;
  state.isForced = false;
  state.sweepgen += 2;
  state.sweepdone = false;
  state.work = [...state.records];
  state.position = 0;
  if (force === 2) { while (sweeper.sweepOne() >= 0); }
}

/** Sweeps for the parts below. */
export function sweeperOf(state: State): Sweeper {
  return {
    sweepSpan: (span, preserve) => sweepSpan(state, span, preserve),
    sweepOne: () => sweepOne(state),
  };
}

/** The span is swept before a finalizer is set or removed: 9.1. */
export function ensureSwept(state: State, span: Span): void {
  if (span.sweepgen === state.sweepgen) return;
  span.sweepgen = state.sweepgen - 1;
  sweepSpan(state, span, false);
}

/** 7.1. */
function sweepOne(state: State): number {
  while (state.position < state.work.length) {
    const span = state.work[state.position++];
    if (span.state !== "inuse") {
      span.sweepgen = state.sweepgen;
    } else if (span.sweepgen === state.sweepgen - 2) {
      span.sweepgen = state.sweepgen - 1;
      const { npages } = span;
      return sweepSpan(state, span, false) ? npages : 0;
    }
  }
  state.sweepdone = true;
  return -1;
}

/** 7.2. */
function sweepSpan(state: State, span: Span, preserve: boolean): boolean {
  for (const block of span.freelist) span.marked.add(block);
  sweepSpecials(state, span);
  const freed: number[] = [];
  for (let block = 0; block < span.blocks; block++) if (!span.marked.has(block)) freed.push(block);
  span.marked = new Set();
  for (const block of freed) span.masks.delete(block);
  if (freed.length === 0) {
    span.sweepgen = state.sweepgen;
    return false;
  }
  if (span.cls === 0) {
    span.needzero = true;
    span.sweepgen = state.sweepgen;
    state.nlargefree++;
    state.largefree += span.elem;
    state.lowerTrigger(span.elem);
    freePages(state, span, true);
    return true;
  }
  for (const block of freed) {
    if (span.elem > WORD) {
      state.words.set(blockAt(span, block) + WORD, span.elem > 2 * WORD ? DIRTY : 0n);
    }
  }
  state.nsmallfree += freed.length;
  state.localCachealloc -= freed.length * span.elem;
  state.lowerTrigger(freed.length * span.elem);
  return returnBlocks(state, span, freed, preserve);
}

/** 7.2b and 9.5. */
function sweepSpecials(state: State, span: Span): void {
  span.specials = span.specials.filter(({ offset, id, mode }) => {
    const block = Math.floor(offset / span.elem);
    if (span.marked.has(block)) return true;
    const full = state.isGccgo ? GCCGO_QUEUE_BLOCK : QUEUE_BLOCK;
    if (state.queue.length === 0 || state.queue[0].length === full) state.queue.unshift([]);
    state.queue[0].push({ at: span.page * PAGE + offset, id, mode });
    span.marked.add(block);
    return false;
  });
}

/** 3.7. */
function returnBlocks(state: State, span: Span, freed: number[], preserve: boolean): boolean {
  const { nonempty, empty } = state.central[span.cls];
  const wasEmpty = span.freelist.length === 0;
  prepend(state, span, freed);
  span.ref -= freed.length;
  span.sweepgen = state.sweepgen;
  if (preserve) return false;
  if (wasEmpty) {
    unlink(span, empty);
    nonempty.unshift(span);
  }
  if (span.ref > 0) return false;
  unlink(span, nonempty);
  span.needzero = true;
  span.freelist = [];
  freePages(state, span, false);
  return true;
}
