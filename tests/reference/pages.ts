/**
 * The reference's page heap: ALGORITHMS chapter 2. Whoever needs pages takes them from the front of the
 * shortest sufficient free span; what is freed merges with free neighbours and goes to the head of its list.
 *
 * @module
 */

import { LARGE_LIST_PAGES, PAGE, type Span, type State, unlink } from "./state.ts";

const CHUNK_PAGES = 128;
const GROWTH_STEP_PAGES = 8;
const GCCGO_GROWTH_STEP_PAGES = 16;

/** Sweeps one span, and the next one in global order; given by the sweeper, which stands above. */
export interface Sweeper {
  /** Whether the span went back to the page heap. */
  sweepSpan(span: Span, preserve: boolean): boolean;
  /** Pages given back, or -1 when there is nothing left to sweep. */
  sweepOne(): number;
}

/** 2.1: pages for blocks of class `cls` and size `elem`, or for one large object (class 0). */
export function allocPages(
  state: State,
  sweeper: Sweeper,
  npages: number,
  cls: number,
  elem: number,
  zeroed: boolean,
): Span {
  if (!state.sweepdone) reclaim(state, sweeper, npages);
  state.purge();
  const span = takeSpan(state, npages);
  Object.assign(span, { state: "inuse", sweepgen: state.sweepgen, ref: 0, cls, elem, blocks: 1 });
  span.types = undefined;
  if (cls === 0) {
    state.heapAlloc += npages * PAGE;
    listOf(npages, state.busy, state.busyLarge).push(span);
  }
  if (zeroed && span.needzero) state.words.clear(span.page * PAGE, npages * PAGE);
  span.needzero = false;
  return span;
}

/** MHeap_Free: gives the pages of a swept span back; those of a large object are counted here. */
export function freePages(state: State, span: Span, isLarge: boolean): void {
  state.purge();
  if (isLarge) {
    state.heapAlloc -= span.npages * PAGE;
    unlink(span, listOf(span.npages, state.busy, state.busyLarge));
  }
  state.heapInuse -= span.npages * PAGE;
  state.heapIdle += span.npages * PAGE;
  insertFree(state, span);
}

/** 2.4b to d. */
function insertFree(state: State, span: Span): void {
  span.state = "free";
  const before = state.records.find((other) =>
    other !== span && other.state === "free" && other.page + other.npages === span.page
  );
  if (before !== undefined) {
    span.page = before.page;
    absorb(state, span, before);
  }
  const after = state.records.find((other) =>
    other !== span && other.state === "free" && other.page === span.page + span.npages
  );
  if (after !== undefined) absorb(state, span, after);
  listOf(span.npages, state.free, state.freeLarge).unshift(span);
}

function absorb(state: State, span: Span, neighbour: Span): void {
  unlink(neighbour, listOf(neighbour.npages, state.free, state.freeLarge));
  span.npages += neighbour.npages;
  span.needzero ||= neighbour.needzero;
  neighbour.state = "dead";
  state.recycled.push(neighbour);
}

/** 2.2. */
function takeSpan(state: State, npages: number): Span {
  let span = state.free.slice(npages).find((list) => list.length > 0)?.[0];
  span ??= bestLarge(state, npages);
  if (span === undefined) {
    grow(state, npages);
    span = bestLarge(state, npages)!;
  }
  unlink(span, listOf(span.npages, state.free, state.freeLarge));
  if (span.npages > npages) {
    const tail = newRecord(state, span.page + npages, span.npages - npages);
    tail.needzero = span.needzero;
    span.npages = npages;
    span.state = "stack";
    insertFree(state, tail);
  }
  state.heapInuse += npages * PAGE;
  state.heapIdle -= npages * PAGE;
  return span;
}

function bestLarge(state: State, npages: number): Span | undefined {
  return state.freeLarge.filter((span) => span.npages >= npages)
    .sort((a, b) => a.npages - b.npages || a.page - b.page)[0];
}

/** 2.3. */
function grow(state: State, npages: number): void {
  const step = state.isGccgo ? GCCGO_GROWTH_STEP_PAGES : GROWTH_STEP_PAGES;
  const ask = Math.max(Math.ceil(npages / step) * step, CHUNK_PAGES);
  const span = newRecord(state, state.arenaUsed / PAGE, ask);
  state.arenaUsed += ask * PAGE;
  state.heapSys += ask * PAGE;
  state.heapIdle += ask * PAGE;
  insertFree(state, span);
}

/** 1.5: the record recycled last, else a new one, which goes into the array. */
function newRecord(state: State, page: number, npages: number): Span {
  const fresh: Span = {
    page,
    npages,
    state: "dead",
    cls: 0,
    elem: 0,
    blocks: 0,
    freelist: [],
    ref: 0,
    sweepgen: 0,
    incache: false,
    needzero: false,
    limit: 0,
    specials: [],
    masks: new Map(),
    marked: new Set(),
  };
  const recycled = state.recycled.pop();
  if (recycled !== undefined) return Object.assign(recycled, fresh);
  state.records.push(fresh);
  return fresh;
}

/** 2.5: counts spans given back, though it compares them with pages. */
function reclaim(state: State, sweeper: Sweeper, npages: number): void {
  for (let n = npages; n < LARGE_LIST_PAGES; n++) {
    if (reclaimList(state, sweeper, state.busy[n], npages) > 0) return;
  }
  if (reclaimList(state, sweeper, state.busyLarge, npages) > 0) return;
  let reclaimed = 0;
  for (let n = 0; n < Math.min(npages, LARGE_LIST_PAGES); n++) {
    reclaimed += reclaimList(state, sweeper, state.busy[n], npages - reclaimed);
    if (reclaimed >= npages) return;
  }
  while (reclaimed < npages) {
    const pages = sweeper.sweepOne();
    if (pages < 0) return;
    reclaimed += pages;
  }
}

function reclaimList(state: State, sweeper: Sweeper, list: Span[], npages: number): number {
  let spans = 0;
  while (list.length > 0 && list[0].sweepgen === state.sweepgen - 2) {
    const span = list.shift()!;
    span.sweepgen = state.sweepgen - 1;
    list.push(span);
    if (sweeper.sweepSpan(span, false)) spans++;
    if (spans >= npages) break;
  }
  return spans;
}

function listOf(npages: number, lists: Span[][], large: Span[]): Span[] {
  return npages < LARGE_LIST_PAGES ? lists[npages] : large;
}
