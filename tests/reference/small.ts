/**
 * The reference's central lists and the P's cache: ALGORITHMS chapter 3.
 *
 * @module
 */

import { allocPages, type Sweeper } from "./pages.ts";
import { ARENA, blockAt, CLASSES, PAGE, type Span, type State, unlink } from "./state.ts";

/** 3.2: gives the P a span of class `cls` that has a free block. */
export function refill(state: State, sweeper: Sweeper, cls: number): Span {
  const current = state.cached[cls];
  if (current !== null) current.incache = false;
  const span = (state.isGccgo ? spanForGccgoCache : spanForCache)(state, sweeper, cls);
  if (span.freelist.length === 0) throw new Error(`a span of class ${cls} without a free block`);
  span.incache = true;
  state.cached[cls] = span;
  return span;
}

/** 3.4. With one P no span is ever found while somebody else sweeps it. */
function spanForCache(state: State, sweeper: Sweeper, cls: number): Span {
  const { nonempty, empty } = state.central[cls];
  for (;;) {
    if (nonempty.length > 0) {
      const span = nonempty.shift()!;
      empty.push(span);
      sweepPreserving(state, sweeper, span);
      return span;
    }
    if (empty.length === 0 || empty[0].sweepgen !== state.sweepgen - 2) break;
    const span = empty.shift()!;
    empty.push(span);
    sweepPreserving(state, sweeper, span);
    if (span.freelist.length > 0) return span;
  }
  const span = carve(state, sweeper, cls);
  empty.push(span);
  return span;
}

/** GCCGO, sweep: nothing is preserved, each sweep begins the search again, the first swept span is taken. */
function spanForGccgoCache(state: State, sweeper: Sweeper, cls: number): Span {
  const { nonempty, empty } = state.central[cls];
  for (;;) {
    const [span] = nonempty;
    if (span !== undefined) {
      if (sweepInPlace(state, sweeper, span)) continue;
      nonempty.shift();
      empty.push(span);
      return span;
    }
    const [first] = empty;
    if (first !== undefined && first.sweepgen === state.sweepgen - 2) {
      empty.push(empty.shift()!);
      sweepInPlace(state, sweeper, first);
    } else {
      nonempty.unshift(carve(state, sweeper, cls));
    }
  }
}

function sweepInPlace(state: State, sweeper: Sweeper, span: Span): boolean {
  if (span.sweepgen !== state.sweepgen - 2) return false;
  span.sweepgen = state.sweepgen - 1;
  sweeper.sweepSpan(span, false);
  return true;
}

function sweepPreserving(state: State, sweeper: Sweeper, span: Span): void {
  if (span.sweepgen !== state.sweepgen - 2) return;
  span.sweepgen = state.sweepgen - 1;
  sweeper.sweepSpan(span, true);
}

/** 3.5. */
function carve(state: State, sweeper: Sweeper, cls: number): Span {
  const { size, npages } = CLASSES[cls - 1];
  const span = allocPages(state, sweeper, npages, cls, size, true);
  span.blocks = Math.floor(npages * PAGE / size);
  span.limit = blockAt(span, span.blocks);
  prepend(state, span, Array.from({ length: span.blocks }, (_, i) => i));
  return span;
}

/** Puts a chain of blocks in front of the free list; the links lie in the blocks' first words. */
export function prepend(state: State, span: Span, blocks: number[]): void {
  const list = [...blocks, ...span.freelist];
  for (let i = 0; i < blocks.length; i++) {
    const next = i + 1 < list.length ? BigInt(ARENA + blockAt(span, list[i + 1])) : 0n;
    state.words.set(blockAt(span, list[i]), next);
  }
  span.freelist = list;
}

/** 3.6: takes all spans from the P. */
export function releaseAll(state: State): void {
  state.cached.forEach((span, cls) => {
    if (span === null) return;
    if (span.ref === 0) throw new Error("a cached span that has handed out nothing");
    span.incache = false;
    state.cached[cls] = null;
    if (span.freelist.length === 0) return;
    unlink(span, state.central[cls].empty);
    state.central[cls].nonempty.unshift(span);
  });
}
