/**
 * mallocgc for heaps that are watched or fenced, which others pay nothing for.
 *
 * ```
 *   watched   every block that is handed out is told to somebody, with its size and type: allocation
 *             traces, race detectors. A tiny object that fits into the current block is not, as in the seeds
 *   fenced    every object, however small, takes the way of the large ones: pages of its own. Together with
 *             a page heap that never hands out freed pages again, and a memory that looks where every access
 *             goes, each use of a freed object is found (seed A's efence)
 * ```
 *
 * @module
 */

import type { Arena } from "./arena/arena.ts";
import { INFO_CLASS_SHIFT } from "./arena/arena.ts";
import { FlagNoScan } from "./flags.ts";
import { Malloc } from "./malloc.ts";
import { PAGE_BYTES, type Pointer } from "./platform/platform.ts";
import { CLASS_TO_SIZE } from "./spans/size_classes.ts";
import { PAGES } from "./spans/span_record.ts";
import type { SpanTable } from "./spans/span_table.ts";
import type { GoType } from "./types/go_type.ts";

/** A bit of the cache's attention: every allocation goes through {@linkcode Malloc.finish}. */
const WATCHED = 1 << 8;

/** Sees the blocks that are handed out. */
export interface AllocationWatch {
  /** The block of `bytes` at `p` was handed out, to hold values of `type`; null if no type was given. */
  allocated(p: Pointer, bytes: number, type: GoType | null): void;
}

type MallocParts = ConstructorParameters<typeof Malloc>[0];

/** The allocator of a heap that is watched or fenced. See the head of the module. */
export class DebugMalloc extends Malloc {
  readonly #arena: Arena;
  readonly #spans: SpanTable;
  readonly #typeOwner: object;
  readonly #isFenced: boolean;
  readonly #watch: AllocationWatch | null;
  /** The type of the allocation that is under way. */
  #type: GoType | null = null;

  constructor(parts: MallocParts, watch: AllocationWatch | null, isFenced: boolean) {
    super(parts);
    this.#arena = parts.arena;
    this.#spans = parts.spans;
    this.#typeOwner = parts.typeOwner;
    this.#isFenced = isFenced;
    this.#watch = watch;
    if (watch !== null) parts.cache.attend(WATCHED);
  }

  override mallocgc(size: number, type: GoType | null, flags = 0): Pointer {
    this.#type = type;
    if (!this.#isFenced) return super.mallocgc(size, type, flags);
    this.checkRequest(size, type, flags);
    return this.large(size, type, flags);
  }

  override newobject(type: GoType): Pointer {
    this.#type = type;
    if (!this.#isFenced || type?.owner !== this.#typeOwner) return super.newobject(type);
    return this.mallocgc(type.size, type, type.pointerFree ? FlagNoScan : 0);
  }

  override finish(p: Pointer, flags: number): void {
    this.#watch?.allocated(p, blockBytes(this.#arena, this.#spans, p), this.#type);
    super.finish(p, flags);
  }
}

/** The size of the block that begins at `p`. */
function blockBytes(arena: Arena, spans: SpanTable, p: Pointer): number {
  const page = Math.floor((p - arena.start) / PAGE_BYTES);
  const cls = arena.pageInfo[page] >> INFO_CLASS_SHIFT;
  return cls === 0 ? spans.ints[arena.pageSpan[page] + PAGES] * PAGE_BYTES : CLASS_TO_SIZE[cls];
}
