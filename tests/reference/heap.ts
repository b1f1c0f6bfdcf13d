/**
 * A heap that does what Go 1.4.3's does in the plainest way: the door to the parts beside it, with
 * allocation (ALGORITHMS 3.8, 4, 7.4, 8), finalizers and the snapshot.
 *
 * @module
 */

import { collect, ensureSwept, sweeperOf } from "./collect.ts";
import { allocPages } from "./pages.ts";
import { refill, releaseAll } from "./small.ts";
import { ARENA, blockAt, classFor, type Due, PAGE, type Span, State, WORD } from "./state.ts";

const TINY_BYTES = 16;
const TINY_CLASS = 2;
/** Bytes of Go's span record. */
const RECORD_BYTES = 104;

/** Which words of a kind's type are pointers; kinds that are not here have none. `u` has no type. */
const MASKS: Record<string, boolean[]> = {
  u: [true],
  p: [true],
  ps: [true, false],
  sp: [false, true],
  sps: [false, true, false],
};

/** A place in the heap. */
export interface Place {
  off: number;
  cls: number;
  elem: number;
}

/** The heap. */
export class ReferenceHeap {
  readonly state: State;
  /** Full addresses in the table of roots, by number. */
  readonly roots: number[] = [];
  readonly #typeWordBytes: number;

  /** `typeWordBytes` are those of a word in gccgo's tables of types. */
  constructor(gcpercent: number, isGccgo: boolean, typeWordBytes: number) {
    this.#typeWordBytes = typeWordBytes;
    this.state = new State(gcpercent, isGccgo);
  }

  /** Allocates `size` bytes and collects if that is due; the new object is kept then. */
  allocate(size: number, kind: string): Place {
    const { state } = this;
    if (state.isForced) this.collect(1);
    state.isForced = false;
    const isTiny = size < TINY_BYTES && MASKS[kind] === undefined;
    const hit = isTiny ? this.#tinyHit(size) : undefined;
    if (hit !== undefined) return { off: hit, cls: TINY_CLASS, elem: TINY_BYTES };
    const place = isTiny ? this.#newTiny(size) : this.#allocateBlock(size, kind);
    if (state.isGccgo && kind !== "u" && MASKS[kind] !== undefined) {
      const isArray = size > MASKS[kind].length * WORD;
      this.#setType(place, isArray ? `[]${kind}` : kind);
    }
    if (BigInt(state.heapAlloc) >= state.nextGC) this.collect(0, place.off);
    return place;
  }

  /** Collects; `kept` is the offset of an object that is reachable besides. */
  collect(force: 0 | 1 | 2, kept?: number): void {
    const roots = this.roots.filter((root) => root !== 0);
    collect(this.state, force, kept === undefined ? roots : [...roots, ARENA + kept]);
  }

  /** ReadMemStats, as far as it changes the heap. */
  readMemStats(): void {
    releaseAll(this.state);
    this.state.purge();
  }

  /** Sets the finalizer of what lies at `at`, which has none. */
  setFinalizer({ at, id, mode }: Due): void {
    const span = this.state.spanAt(at)!;
    ensureSwept(this.state, span);
    span.specials.push({ offset: at - span.page * PAGE, id, mode });
    span.specials.sort((a, b) => a.offset - b.offset);
  }

  /** Removes the finalizer of what lies at `at`, if there is one. */
  clearFinalizer(at: number): void {
    const span = this.state.spanAt(at)!;
    ensureSwept(this.state, span);
    span.specials = span.specials.filter(({ offset }) => offset !== at - span.page * PAGE);
  }

  /** Takes all finalizers that are due, in the order in which they run. */
  takeDue(): Due[] {
    return this.state.queue.splice(0).flat();
  }

  /** GCCGO, types of objects: which tables there are. What is in them nothing depends on. */
  #setType({ off, cls }: Place, type: string): void {
    if (cls === 0) return;
    const span = this.state.spanAt(off)!;
    const { types, blocks } = span;
    if (types === undefined) {
      span.types = {
        table: this.#allocateBlock(8 * this.#typeWordBytes + blocks, "n").off,
        seen: [type],
      };
    } else if (types.seen !== null && !types.seen.includes(type)) {
      if (types.seen.push(type) < 8) return;
      span.types = {
        table: this.#allocateBlock(blocks * this.#typeWordBytes, "n").off,
        seen: null,
      };
    }
  }

  #tinyHit(size: number): number | undefined {
    const { tiny } = this.state;
    if (tiny === null) return undefined;
    const align = size % 8 === 0 ? 8 : size % 4 === 0 ? 4 : size % 2 === 0 ? 2 : 1;
    const at = Math.ceil(tiny.at / align) * align;
    if (at + size > tiny.at + tiny.left) return undefined;
    this.state.tiny = { at: at + size, left: tiny.at + tiny.left - at - size };
    this.state.localTinyallocs++;
    return at;
  }

  #newTiny(size: number): Place {
    const { state } = this;
    const { span, block } = this.#takeBlock(TINY_CLASS);
    const off = blockAt(span, block);
    state.words.clear(off, TINY_BYTES);
    if (TINY_BYTES - size > (state.tiny?.left ?? 0)) {
      state.tiny = { at: off + size, left: TINY_BYTES - size };
    }
    return { off, cls: TINY_CLASS, elem: TINY_BYTES };
  }

  #allocateBlock(size: number, kind: string): Place {
    const cls = classFor(size)?.cls ?? 0;
    const isZeroed = kind !== "w";
    const { span, block } = cls === 0 ? this.#allocateLarge(size, isZeroed) : this.#takeBlock(cls);
    const { elem } = span;
    const off = blockAt(span, block);
    if (cls !== 0 && isZeroed) {
      this.state.words.set(off, 0n);
      if (elem > 2 * WORD && this.state.words.get(off + WORD) !== 0n) {
        this.state.words.clear(off, elem);
      }
    }
    const mask = MASKS[kind];
    if (mask !== undefined) {
      // Without a type the whole block counts.
      const bytes = kind === "u" && cls > 0 ? elem : size;
      const words = Array.from({ length: bytes / WORD }, (_, i) => mask[i % mask.length]);
      span.masks.set(block, elem === WORD && !this.state.isGccgo ? [true] : words);
    }
    return { off, cls, elem };
  }

  #takeBlock(cls: number): { span: Span; block: number } {
    const { state } = this;
    let span = state.cached[cls];
    if (span === null || span.freelist.length === 0) {
      span = refill(state, sweeperOf(state), cls);
    }
    const block = span.freelist.shift()!;
    span.ref++;
    state.localCachealloc += span.elem;
    return { span, block };
  }

  #allocateLarge(size: number, isZeroed: boolean): { span: Span; block: number } {
    const { state } = this;
    const npages = Math.ceil(size / PAGE);
    const span = allocPages(state, sweeperOf(state), npages, 0, npages * PAGE, isZeroed);
    span.limit = span.page * PAGE + size;
    return { span, block: 0 };
  }

  /** The statistics of a snapshot; heap_alloc counts `baseline` bytes more. */
  stats(baseline: number): Record<string, number> {
    const { state } = this;
    return {
      heap_alloc: state.heapAlloc - baseline,
      local_cachealloc: state.localCachealloc,
      heap_alloc_total: state.heapAlloc - baseline + state.localCachealloc,
      sys_growth: state.heapSys,
      heap_idle: state.heapIdle,
      heap_inuse: state.heapInuse,
      heap_released: 0,
      next_gc: Number(state.nextGC),
      numgc: state.numgc,
      tinyallocs: state.tinyallocs,
      local_tinyallocs: state.localTinyallocs,
      nlargefree: state.nlargefree,
      largefree: state.largefree,
      nsmallfree: state.nsmallfree,
      sweepdone: state.sweepdone ? 1 : 0,
      nspan: state.records.length,
      spanalloc_inuse: (state.records.length - state.recycled.length) * RECORD_BYTES,
    };
  }

  /** The spans of a snapshot, in address order. */
  spans(): ReturnType<ReferenceHeap["shownSpan"]>[] {
    return this.state.records.filter((span) => span.state !== "dead")
      .sort((a, b) => a.page - b.page).map((span) => this.shownSpan(span));
  }

  /** One span as a snapshot has it. */
  shownSpan(span: Span) {
    const { page, npages, cls, ref, incache } = span;
    if (span.state !== "inuse") {
      return { page, npages, state: "free", needzero: span.needzero ? 1 : 0 };
    }
    return {
      page,
      npages,
      state: "inuse",
      cls,
      ref,
      sweepgen_delta: span.sweepgen - this.state.sweepgen,
      incache,
      nfree: span.freelist.length,
      ...cls > 0 && { freelist: [...span.freelist] },
      ...span.specials.length > 0 && { specials: span.specials.map(({ offset }) => [offset, 1]) },
    };
  }

  /** All but the statistics and spans of a snapshot. */
  lists(): object {
    const { state } = this;
    const pages = (spans: Span[]) => spans.map((span) => span.page);
    const byLength = (lists: Span[][]) =>
      Object.fromEntries(
        [...lists.entries()].filter(([, list]) => list.length > 0)
          .map(([n, list]) => [n, pages(list)]),
      );
    const central = [...state.central.entries()]
      .filter(([, { nonempty, empty }]) => nonempty.length + empty.length > 0)
      .map(([cls, { nonempty, empty }]) => [cls, {
        nonempty: pages(nonempty),
        empty: pages(empty),
        cached: state.cached[cls]?.page ?? null,
      }]);
    const hasTiny = state.tiny !== null && state.tiny.left > 0;
    return {
      arena_used: state.arenaUsed,
      // The recorder showed a tiny block that is used up as none.
      tiny: hasTiny ? { pos: state.tiny!.at, left: state.tiny!.left } : null,
      free: byLength(state.free),
      freelarge: pages(state.freeLarge),
      busy: byLength(state.busy),
      busylarge: pages(state.busyLarge),
      central: Object.fromEntries(central),
    };
  }
}
