/**
 * The memory profile: who allocated what is there, and what was there, by samples.
 *
 * profile_sampler.ts picks the blocks. Each one's stack is taken, a bucket counts it, and a special on the block has
 * the sweep count it again when it is freed:
 *
 * ```
 *   block ── special ──▶ bucket (64 bytes, stack 7: 12 allocated, 3 freed) ──▶ stack 7 ──▶ main.ts:12, main.ts:40
 * ```
 *
 * Telling which stack a stack is costs ten times as much as taking it (see js_stack.ts). So samples wait with what
 * was taken, each in a bucket of its own, until somebody reads the profile. Then equal stacks become one, and their
 * buckets too. Should {@linkcode JS_STACKS_WAITING} of them wait, which is at Go's rate after 32 GiB, the oldest is
 * told with each new one.
 *
 * Go keeps its buckets in persistent memory, behind a table of 179999 chains; MemStats counts here what they would
 * take there, each when its stack is told.
 *
 * @module
 */

import type { Arena } from "../arena/arena.ts";
import type { PersistentMemory } from "../arena/persistent.ts";
import { BUCKHASH_SYS } from "../arena/stats.ts";
import { GoThrow } from "../errors.ts";
import { DATA, KIND_PROFILE } from "../gc/special_record.ts";
import type { Specials } from "../gc/specials.ts";
import type { Malloc } from "../malloc.ts";
import { PAGE_BYTES, type Pointer } from "../platform/platform.ts";
import type { ProfileSampler } from "../profile_sampler.ts";
import { IN_USE, START, STATE } from "../spans/span_record.ts";
import type { SpanTable } from "../spans/span_table.ts";
import { captureStack, framesOf, type RawStack } from "./js_stack.ts";
import type { MemStats } from "./mem_stats.ts";
import { ProfileBuckets } from "./profile_buckets.ts";
import { type ProfileFrame, ProfileStacks, type SourceFrame } from "./profile_stacks.ts";

/** How many stacks of JavaScript's wait to be told apart. */
const JS_STACKS_WAITING = 65536;
/** The innermost frames of a stack are the heap's own: so many more are taken. */
const OWN_FRAMES = 12;
/** Go looks at as many frames of a stack. */
export const MAX_PROFILE_FRAMES = 32;

/** What Go's table of buckets and one of them take, in words; a bucket has its frames behind it. */
const TABLE_WORDS = 179999;
const BUCKET_WORDS = 18;

/** Where the stacks of a profile come from. */
export interface StackSource {
  /** How many may wait before they are told apart. */
  readonly maxWaiting: number;
  /** Takes the stack that allocates. */
  take(): RawStack;
  /** The frames of one that was taken, innermost first. */
  framesOf(stack: RawStack): SourceFrame[];
}

/** Sampled blocks of one size that were allocated on one stack. */
export interface MemProfileRecord {
  /** The size of each, in bytes. */
  readonly blockBytes: number;
  /** Blocks that were sampled. */
  readonly allocObjects: number;
  /** Their bytes. */
  readonly allocBytes: number;
  /** Those of them that were freed since. */
  readonly freeObjects: number;
  /** Their bytes. */
  readonly freeBytes: number;
  /** Those that were not. */
  readonly inuseObjects: number;
  /** Their bytes. */
  readonly inuseBytes: number;
  /** Where they were allocated, innermost call first, at most 32. */
  readonly stack: readonly ProfileFrame[];
}

/** A memory profile, as `memProfile()` returns it. Figures are those of the samples: writers estimate the rest. */
export interface MemProfile {
  /** Bytes between two samples on average; of the last ones, if the heap takes none any more. */
  readonly rate: number;
  /** When it was read, in ms since 1970. */
  readonly timeMs: number;
  /** By bytes in use, then by bytes allocated, largest first. */
  readonly records: readonly MemProfileRecord[];
  /** The heap's statistics at that time. */
  readonly memStats: MemStats;
}

/** The folder of this module's source; empty where it was bundled with other code. */
const OWN_FILES = /^.*\/lib\/(?=inspect\/[^/]+$)/.exec(import.meta.url)?.[0] ?? "";

/** Whether a file is one of this module's; what has a fragment is an example from the documentation in it. */
function isOwn(file: string): boolean {
  return OWN_FILES !== "" && file.startsWith(OWN_FILES) && !file.includes("#");
}

const jsStacks: StackSource = {
  maxWaiting: JS_STACKS_WAITING,
  take: () => captureStack(MemProfiler.prototype.sample, MAX_PROFILE_FRAMES + OWN_FRAMES),
  framesOf(stack) {
    const frames = framesOf(stack);
    return frames.slice(Math.max(frames.findIndex(({ file }) => !isOwn(file)), 0));
  },
};

/** Makes the memory profile of one heap. See the head of the module. */
export class MemProfiler {
  /** Where stacks come from. */
  source: StackSource = jsStacks;
  readonly sampler: ProfileSampler;
  readonly #malloc: Malloc;
  readonly #arena: Arena;
  readonly #spans: SpanTable;
  readonly #specials: Specials;
  readonly #persistent: PersistentMemory;
  readonly #stacks = new ProfileStacks();
  /** Made with the first sample. */
  #buckets: ProfileBuckets | null = null;
  /** Samples whose stacks are not told, oldest first; what is before #firstWaiting was told. */
  #waiting: { bucket: number; stack: RawStack }[] = [];
  #firstWaiting = 0;
  #lastRate = 0;
  /** Where Go would have the buckets whose stacks are told. */
  readonly #addresses = new Map<number, Pointer>();

  constructor(parts: {
    malloc: Malloc;
    sampler: ProfileSampler;
    arena: Arena;
    spans: SpanTable;
    specials: Specials;
    persistent: PersistentMemory;
  }) {
    this.sampler = parts.sampler;
    this.#malloc = parts.malloc;
    this.#arena = parts.arena;
    this.#spans = parts.spans;
    this.#specials = parts.specials;
    this.#persistent = parts.persistent;
    this.sampler.onSample = (p, bytes) => this.sample(p, bytes);
  }

  /** Bytes between two samples on average; 0 for none. */
  get rate(): number {
    return this.sampler.rate;
  }

  set rate(rate: number) {
    this.sampler.rate = rate;
    this.#malloc.sampler = rate === 0 ? null : this.sampler;
    if (rate > 0) this.#lastRate = rate;
  }

  /** Takes the block of `bytes` at `p`, which was just allocated, into the profile. Seeds' MProf_Malloc. */
  sample(p: Pointer, bytes: number): void {
    const buckets = this.#buckets ?? this.#makeBuckets();
    const bucket = buckets.add(bytes);
    try {
      this.#attach(p, bucket);
    } catch (error) {
      buckets.withdraw(bucket);
      throw error;
    }
    this.#waiting.push({ bucket, stack: this.source.take() });
    if (this.#waiting.length - this.#firstWaiting > this.source.maxWaiting) this.#tellNext(buckets);
  }

  /** A block of `bucket` was freed. Seeds' MProf_Free. */
  free(bucket: number): void {
    this.#buckets?.free(bucket);
  }

  /** A collection has ended: what is known of the one before is final. Seeds' MProf_GC. */
  collected(isEager: boolean): void {
    this.#buckets?.turn();
    if (isEager) this.#buckets?.turn();
  }

  /** Tells all stacks apart; buckets and samples are complete then. */
  tellAll(): void {
    while (this.#firstWaiting < this.#waiting.length) this.#tellNext(this.#buckets!);
  }

  /** Reads the profile. */
  read(readMemStats: () => MemStats): MemProfile {
    this.tellAll();
    const buckets = this.#buckets;
    if (buckets?.known.every((bucket) => isEmpty(buckets.final(bucket)))) {
      // No collection yet: what would two of them make known?
      buckets.turn();
      buckets.turn();
    }
    const records = this.buckets().map(({ record }) => record);
    records.sort((a, b) => b.inuseBytes - a.inuseBytes || b.allocBytes - a.allocBytes);
    return { rate: this.#lastRate, timeMs: Date.now(), records, memStats: readMemStats() };
  }

  /** The buckets whose stacks are told, the newest first. */
  buckets(): { address: Pointer; record: MemProfileRecord }[] {
    const buckets = this.#buckets;
    return buckets?.known.map((bucket) => ({
      address: this.#addresses.get(bucket)!,
      record: this.#record(buckets, bucket),
    })) ?? [];
  }

  /** Sampled blocks that are not freed, with the addresses of their buckets, whose stacks must be told. */
  *samples(): Generator<{ block: Pointer; bucket: Pointer }, void> {
    if (this.#buckets === null) return;
    for (let i = 0; i < this.#spans.made; i++) {
      const span = this.#spans.handle(i);
      if (this.#spans.ints[span + STATE] !== IN_USE) continue;
      const base = this.#arena.pageAddress(this.#spans.ints[span + START]);
      for (const { offset, kind, data } of this.#specials.list(span)) {
        if (kind !== KIND_PROFILE) continue;
        const bucket = this.#addresses.get(this.#buckets.countingFor(data))!;
        yield { block: base + offset, bucket };
      }
    }
  }

  /** Sampled blocks that are not freed, by their buckets and by their specials; they are the same. */
  get liveBlocks(): { inBuckets: number; specials: number } {
    return {
      inBuckets: this.#buckets?.liveBlocks ?? 0,
      specials: this.#specials.count(KIND_PROFILE),
    };
  }

  #makeBuckets(): ProfileBuckets {
    const { pointerBytes } = this.#arena.platform;
    const table = this.#persistent.alloc(TABLE_WORDS * pointerBytes, 0, BUCKHASH_SYS);
    if (table === 0) throw new GoThrow("runtime: cannot allocate memory");
    return this.#buckets = new ProfileBuckets();
  }

  #attach(p: Pointer, bucket: number): void {
    const page = Math.floor((p - this.#arena.start) / PAGE_BYTES);
    const span = this.#arena.pageSpan[page];
    const offset = p - this.#arena.pageAddress(this.#spans.ints[span + START]);
    const special = this.#specials.add(span, offset, KIND_PROFILE);
    if (special === 0) throw new GoThrow("setprofilebucket: profile already set");
    this.#specials.ints[special + DATA] = bucket;
  }

  /** Tells which stack the sample that has waited longest has. */
  #tellNext(buckets: ProfileBuckets): void {
    const { bucket, stack } = this.#waiting[this.#firstWaiting];
    const frames = this.source.framesOf(stack).slice(0, MAX_PROFILE_FRAMES);
    const number = this.#stacks.numberOf(frames);
    if (!buckets.has(bucket, number)) {
      const { pointerBytes } = this.#arena.platform;
      const bytes = (BUCKET_WORDS + frames.length) * pointerBytes;
      this.#addresses.set(bucket, this.#persistent.alloc(bytes, 0, BUCKHASH_SYS));
    }
    buckets.tellStack(bucket, number);
    this.#firstWaiting++;
    if (2 * this.#firstWaiting > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#firstWaiting);
      this.#firstWaiting = 0;
    }
  }

  #record(buckets: ProfileBuckets, bucket: number): MemProfileRecord {
    const blockBytes = buckets.blockBytes(bucket);
    const { allocated, freed } = buckets.final(bucket);
    return {
      blockBytes,
      allocObjects: allocated,
      allocBytes: allocated * blockBytes,
      freeObjects: freed,
      freeBytes: freed * blockBytes,
      inuseObjects: allocated - freed,
      inuseBytes: (allocated - freed) * blockBytes,
      stack: this.#stacks.frames(buckets.stackOf(bucket)),
    };
  }
}

function isEmpty({ allocated, freed }: { allocated: number; freed: number }): boolean {
  return allocated === 0 && freed === 0;
}
