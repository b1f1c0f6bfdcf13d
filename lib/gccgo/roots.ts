/**
 * What gccgo's collections mark beyond the roots that both compilers have.
 *
 * ```
 *   objects that are never freed     marked first, so that nothing follows them       see no_gc.ts
 *   tables of span types             marked; there is nothing in them to follow       see span_types.ts
 *   objects with a finalizer         followed word by word, if they are not to be scanned otherwise
 * ```
 *
 * The last of these is a habit of gccgo's: it takes what has a finalizer for an object of unknown contents, even
 * one without pointers. Objects that can be scanned are followed by what their codes say, as in gc. Functions and
 * types that a finalizer has are no objects of this heap.
 *
 * @module
 */

import type { Arena } from "../arena/arena.ts";
import type { Marker } from "../gc/marker.ts";
import { KIND_FINALIZER } from "../gc/special_record.ts";
import type { Specials } from "../gc/specials.ts";
import * as platforms from "../platform/platform.ts";
import * as spanRecord from "../spans/span_record.ts";
import type { SpanTable } from "../spans/span_table.ts";
import type { NoGC } from "./no_gc.ts";
import type { ScanBits } from "./scan_bits.ts";
import type { SpanTypes } from "./span_types.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { PAGE_BYTES } = platforms;
const { IN_USE, START, STATE } = spanRecord;

/** The further roots of a heap that follows gccgo. See the head of the module. */
export class GccgoRoots {
  readonly #arena: Arena;
  readonly #spans: SpanTable;
  readonly #specials: Specials;
  readonly #marker: Marker;
  readonly #noGC: NoGC;
  readonly #spanTypes: SpanTypes;
  readonly #scanBits: ScanBits;

  constructor(parts: {
    arena: Arena;
    spans: SpanTable;
    specials: Specials;
    marker: Marker;
    noGC: NoGC;
    spanTypes: SpanTypes;
    scanBits: ScanBits;
  }) {
    this.#arena = parts.arena;
    this.#spans = parts.spans;
    this.#specials = parts.specials;
    this.#marker = parts.marker;
    this.#noGC = parts.noGC;
    this.#spanTypes = parts.spanTypes;
    this.#scanBits = parts.scanBits;
  }

  /** Greys from these roots; called before any other root is looked at. */
  mark(): void {
    this.#noGC.mark();
    this.#spanTypes.forEachTable((table) => this.#marker.grey(table));
    this.#markFinalized();
  }

  #markFinalized(): void {
    if (this.#specials.count(KIND_FINALIZER) === 0) return;
    const { ints } = this.#spans;
    for (let i = 0; i < this.#spans.made; i++) {
      const span = this.#spans.handle(i);
      if (ints[span + STATE] !== IN_USE || !this.#specials.has(span)) continue;
      const bytes = this.#scanBits.blockBytes(span);
      for (const { offset, kind } of this.#specials.list(span)) {
        const block = Math.floor(offset / bytes);
        if (kind !== KIND_FINALIZER || this.#scanBits.isScannable(span, block)) continue;
        this.#greyWords(ints[span + START] * PAGE_BYTES + block * bytes, bytes);
      }
    }
  }

  /** Greys what any of the words in `bytes` bytes points to, from `offset` in the arena on. */
  #greyWords(offset: number, bytes: number): void {
    const { pointerBytes } = this.#arena.platform;
    const first = offset / pointerBytes;
    for (let word = first; word < first + bytes / pointerBytes; word++) {
      const value = this.#arena.readWord(word);
      if (value !== 0) this.#marker.grey(value);
    }
  }
}
