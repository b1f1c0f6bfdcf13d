/**
 * The state of the reference heap: what Go 1.4.3's allocator keeps, as plain objects and arrays, for one P
 * on linux/amd64. Nothing here is fast, and nothing is shared with the heap under test: a list is an array
 * in list order, a counter is a number, and the words of the arena lie in a Map of pages.
 *
 * ```
 *   records  [ span 0 | span 1 | ... ]   every record ever made, in that order: the order of sweeping
 *   recycled [ ... ]                     records that are free to be used again, the last one first
 *   free[n], freeLarge, busy[n], busyLarge, central[cls].nonempty, .empty: arrays of records, head first
 * ```
 *
 * Addresses are offsets from the start of the arena; only words of memory hold full ones.
 *
 * @module
 */

import { readJson } from "../data.ts";

/** Bytes of a page. */
export const PAGE = 8192;
/** Bytes of a word. */
export const WORD = 8;
/** Where the arena starts. */
export const ARENA = 0xc2_0800_0000;
/** Lengths from here on, in pages, share one list. */
export const LARGE_LIST_PAGES = 128;

/** One row of Go's table of size classes. */
interface SizeClass {
  cls: number;
  size: number;
  npages: number;
  objects: number;
}

/** Go's size classes, as Go itself printed them, in ascending order. */
export const CLASSES = (await readJson("sizeclasses.json") as { classes: SizeClass[] }).classes;

/** The smallest class for `size` bytes, undefined if there is none. */
export function classFor(size: number): SizeClass | undefined {
  return CLASSES.find((row) => row.size >= size);
}

/** A finalizer that is set. */
export interface Special {
  /** Bytes from the start of the span. */
  offset: number;
  id: number;
  mode: string;
}

/** A finalizer that is due. */
export interface Due {
  /** Offset of the object. */
  at: number;
  id: number;
  mode: string;
}

/** What a span knows of its blocks' types, under gccgo's rules. */
export interface SpanTypes {
  /** Offset of the table. */
  table: number;
  /** The types in a table of bytes; null for one of words. */
  seen: string[] | null;
}

/** A span record. */
export interface Span {
  /** First page. */
  page: number;
  npages: number;
  state: "inuse" | "free" | "stack" | "dead";
  cls: number;
  elem: number;
  blocks: number;
  /** Block numbers in list order. */
  freelist: number[];
  ref: number;
  sweepgen: number;
  incache: boolean;
  needzero: boolean;
  /** End of the usable bytes, an offset from the start of the arena. */
  limit: number;
  specials: Special[];
  /** Which words of a block are pointers, by block number; none for blocks without pointers. */
  masks: Map<number, boolean[]>;
  types?: SpanTypes;
  marked: Set<number>;
}

/** The lists of a size class. */
export interface Central {
  nonempty: Span[];
  empty: Span[];
}

/** Words of memory, by page; pages that are not there are zero. */
export class Words {
  readonly #pages = new Map<number, BigUint64Array>();

  get(at: number): bigint {
    return this.#pages.get(Math.floor(at / PAGE))?.[(at % PAGE) / WORD] ?? 0n;
  }

  set(at: number, value: bigint): void {
    const page = Math.floor(at / PAGE);
    if (!this.#pages.has(page)) this.#pages.set(page, new BigUint64Array(PAGE / WORD));
    this.#pages.get(page)![(at % PAGE) / WORD] = value;
  }

  clear(at: number, bytes: number): void {
    if (at % PAGE === 0 && bytes % PAGE === 0) {
      for (let i = 0; i < bytes / PAGE; i++) this.#pages.delete(at / PAGE + i);
      return;
    }
    for (let i = 0; i < bytes; i += WORD) if (this.get(at + i) !== 0n) this.set(at + i, 0n);
  }
}

/** Everything there is. */
export class State {
  readonly gcpercent: number;
  /** Whether gccgo's rules hold. */
  readonly isGccgo: boolean;
  readonly words = new Words();

  readonly records: Span[] = [];
  readonly recycled: Span[] = [];
  readonly free: Span[][] = Array.from({ length: LARGE_LIST_PAGES }, () => []);
  readonly busy: Span[][] = Array.from({ length: LARGE_LIST_PAGES }, () => []);
  readonly freeLarge: Span[] = [];
  readonly busyLarge: Span[] = [];
  readonly central: Central[] = [{ nonempty: [], empty: [] }];
  /** The span of each class that the P holds. */
  readonly cached: (Span | null)[] = [null];
  tiny: { at: number; left: number } | null = null;

  sweepgen = 0;
  sweepdone = false;
  work: Span[] = [];
  position = 0;

  /** Blocks of the finalizer queue, the front one first. */
  queue: Due[][] = [];

  arenaUsed = 0;
  heapAlloc = 0;
  nextGC = 0n;
  /** gccgo: finalizers ran, and a collection is to follow. */
  isForced = false;
  heapIdle = 0;
  heapInuse = 0;
  heapSys = 0;
  numgc = 0;
  tinyallocs = 0;
  nlargefree = 0;
  largefree = 0;
  nsmallfree = 0;
  localCachealloc = 0;
  localTinyallocs = 0;

  constructor(gcpercent: number, isGccgo: boolean) {
    this.gcpercent = gcpercent;
    this.isGccgo = isGccgo;
    for (let i = 0; i < CLASSES.length; i++) {
      this.central.push({ nonempty: [], empty: [] });
      this.cached.push(null);
    }
  }

  /** 2.1b: what the P counted by itself is added up. */
  purge(): void {
    this.heapAlloc += this.localCachealloc;
    this.localCachealloc = 0;
    this.tinyallocs += this.localTinyallocs;
    this.localTinyallocs = 0;
  }

  /** Takes what was freed off the trigger: unsigned 64-bit arithmetic, the division truncates. */
  lowerTrigger(freedBytes: number): void {
    const share = BigInt(freedBytes) * BigInt(this.gcpercent + 100) / 100n;
    this.nextGC = BigInt.asUintN(64, this.nextGC - share);
  }

  /** The span in use that `at` lies in. */
  spanAt(at: number): Span | undefined {
    const page = Math.floor(at / PAGE);
    return this.records.find((span) =>
      span.state === "inuse" && page >= span.page && page < span.page + span.npages
    );
  }
}

/** Offset of a block. */
export function blockAt(span: Span, block: number): number {
  return span.page * PAGE + block * span.elem;
}

/** Takes `span` out of whichever of the lists it is in. */
export function unlink(span: Span, ...lists: Span[][]): void {
  for (const list of lists) {
    const at = list.indexOf(span);
    if (at >= 0) list.splice(at, 1);
  }
}
