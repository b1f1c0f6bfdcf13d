/**
 * The buckets of a memory profile: how many blocks of one size were sampled on one stack, and how many of these
 * were freed.
 *
 * What is allocated is known at once, what is garbage only when it is swept. To have both of the same time, a bucket
 * counts in three generations:
 *
 * ```
 *   malloc ──▶ RECENT      since the last collection
 *                │ a collection ends
 *   sweep ───▶ PREVIOUS    in the collection before; the sweep that goes on finds its garbage
 *                │ the next one ends
 *              FINAL       what is reported: frees are complete
 * ```
 *
 * A collection that sweeps everything at once turns twice, so that all up to then is reported. Most buckets see
 * nothing from one turn to the next, so each notes when it turned last, and catches up when it is touched.
 *
 * ```
 *   floats, 8 a bucket                      ints, 2 a bucket
 *   +0 BLOCK_BYTES                          +0 STACK   number of its stack; see the constants below 0
 *   +1 FINAL     +2  blocks allocated,      +1 TURN    when it turned last
 *   +3 PREVIOUS  +4    blocks freed
 *   +5 RECENT    +6
 * ```
 *
 * A bucket whose stack is not known yet has one block. When it turns out that there is a bucket for that stack, what
 * it has counted goes there, and whatever else happens to its block.
 *
 * @module
 */

import { GrowingInts } from "../arena/bitmap.ts";
import { GoThrow } from "../errors.ts";
import { growableBuffer } from "../platform/address_space.ts";

const BLOCK_BYTES = 0;
const FINAL = 1;
const PREVIOUS = 3;
const RECENT = 5;
/** Behind each of the three: the blocks of that generation that were freed. */
const FREED = 1;
const FLOATS_SHIFT = 3;
const BUCKET_BYTES = 8 << FLOATS_SHIFT;

const STACK = 0;
const TURN = 1;
const INTS_SHIFT = 1;

/** STACK: it is not known yet. */
const UNKNOWN = -1;
/** STACK: it is not known yet, and the one block was freed. */
const UNKNOWN_FREED = -2;
/** STACK: nobody uses the bucket. */
const UNUSED = -3;
/** STACK: what happens to the block is counted in bucket n, as FIRST_FORWARD - n. */
const FIRST_FORWARD = -4;

const FIRST_BUCKETS = 256;
const MAX_BUCKETS = 2 ** 26;

/** Sampled blocks of a bucket. */
export interface BucketCounts {
  readonly allocated: number;
  readonly freed: number;
}

/** The buckets of one profile. See the head of the module. */
export class ProfileBuckets {
  #floats: Float64Array = new Float64Array(0);
  readonly #floatBuffer: SharedArrayBuffer;
  readonly #ints = new GrowingInts(MAX_BUCKETS << INTS_SHIFT);
  /** Buckets that nobody uses. */
  readonly #unused: number[] = [];
  /** Buckets by size, by stack. */
  readonly #byStack: Map<number, number>[] = [];
  /** Buckets with a stack, in the order in which they were found. */
  readonly #known: number[] = [];
  #made = 0;
  #turn = 0;

  /** Makes a profile without buckets. */
  constructor() {
    const buffer = growableBuffer(BUCKET_BYTES * MAX_BUCKETS);
    if (buffer === null) throw new GoThrow("runtime: cannot reserve heap metadata");
    this.#floatBuffer = buffer;
  }

  /** Makes a bucket for a block of `bytes` that was just allocated, on a stack that is not known yet. */
  add(bytes: number): number {
    const bucket = this.#unused.pop() ?? this.#make();
    const at = bucket << FLOATS_SHIFT;
    this.#floats.fill(0, at, at + (1 << FLOATS_SHIFT));
    this.#floats[at + BLOCK_BYTES] = bytes;
    this.#floats[at + RECENT] = 1;
    this.#ints.ints[(bucket << INTS_SHIFT) + STACK] = UNKNOWN;
    this.#ints.ints[(bucket << INTS_SHIFT) + TURN] = this.#turn;
    return bucket;
  }

  /** Forgets a bucket that was just added. */
  withdraw(bucket: number): void {
    this.#ints.ints[(bucket << INTS_SHIFT) + STACK] = UNUSED;
    this.#unused.push(bucket);
  }

  /** Whether a bucket that was added has the size and the stack of another one: if so, that one counts for both. */
  has(bucket: number, stack: number): boolean {
    return this.#byStack[stack]?.has(this.#floats[(bucket << FLOATS_SHIFT) + BLOCK_BYTES]) ?? false;
  }

  /** Says what the stack of a bucket is that was added. */
  tellStack(bucket: number, stack: number): void {
    const { ints } = this.#ints;
    const bytes = this.#floats[(bucket << FLOATS_SHIFT) + BLOCK_BYTES];
    const bySize = this.#byStack[stack] ??= new Map();
    const known = bySize.get(bytes);
    if (known === undefined) {
      bySize.set(bytes, bucket);
      this.#known.push(bucket);
      ints[(bucket << INTS_SHIFT) + STACK] = stack;
      return;
    }
    const from = this.#catchUp(bucket);
    const to = this.#catchUp(known);
    for (let i = FINAL; i <= RECENT + FREED; i++) this.#floats[to + i] += this.#floats[from + i];
    const isFreed = ints[(bucket << INTS_SHIFT) + STACK] === UNKNOWN_FREED;
    if (isFreed) this.withdraw(bucket);
    else ints[(bucket << INTS_SHIFT) + STACK] = FIRST_FORWARD - known;
  }

  /** A block of `bucket` was freed. */
  free(bucket: number): void {
    const { ints } = this.#ints;
    const stack = ints[(bucket << INTS_SHIFT) + STACK];
    this.#floats[this.#catchUp(this.countingFor(bucket)) + PREVIOUS + FREED]++;
    if (stack === UNKNOWN) ints[(bucket << INTS_SHIFT) + STACK] = UNKNOWN_FREED;
    if (stack <= FIRST_FORWARD) this.withdraw(bucket);
  }

  /** All generations turn. */
  turn(): void {
    this.#turn++;
  }

  /** Buckets with a stack, the one that was found last first. */
  get known(): number[] {
    return this.#known.toReversed();
  }

  /** The bucket that counts what happens to the block of `bucket`. */
  countingFor(bucket: number): number {
    const stack = this.#ints.ints[(bucket << INTS_SHIFT) + STACK];
    return stack <= FIRST_FORWARD ? FIRST_FORWARD - stack : bucket;
  }

  /** The size of the blocks of a bucket. */
  blockBytes(bucket: number): number {
    return this.#floats[(bucket << FLOATS_SHIFT) + BLOCK_BYTES];
  }

  /** The stack of a bucket that has one. */
  stackOf(bucket: number): number {
    return this.#ints.ints[(bucket << INTS_SHIFT) + STACK];
  }

  /** What is reported of a bucket. */
  final(bucket: number): BucketCounts {
    const at = this.#catchUp(bucket) + FINAL;
    return { allocated: this.#floats[at], freed: this.#floats[at + FREED] };
  }

  /** Sampled blocks that are not freed yet, in all buckets and generations. */
  get liveBlocks(): number {
    let live = 0;
    for (let bucket = 0; bucket < this.#made; bucket++) {
      if (this.#ints.ints[(bucket << INTS_SHIFT) + STACK] === UNUSED) continue;
      if (this.#ints.ints[(bucket << INTS_SHIFT) + STACK] <= FIRST_FORWARD) continue;
      const at = bucket << FLOATS_SHIFT;
      for (const generation of [FINAL, PREVIOUS, RECENT]) {
        live += this.#floats[at + generation] - this.#floats[at + generation + FREED];
      }
    }
    return live;
  }

  #make(): number {
    const bucket = this.#made;
    if ((bucket + 1) << INTS_SHIFT > this.#ints.ints.length) {
      const buckets = Math.max(FIRST_BUCKETS, 2 * bucket);
      this.#ints.cover(buckets << INTS_SHIFT);
      this.#floatBuffer.grow(BUCKET_BYTES * buckets);
      this.#floats = new Float64Array(this.#floatBuffer, 0, buckets << FLOATS_SHIFT);
    }
    this.#made++;
    return bucket;
  }

  /** Turns a bucket as often as it has to; returns where its floats begin. */
  #catchUp(bucket: number): number {
    const at = bucket << FLOATS_SHIFT;
    const { ints } = this.#ints;
    const turns = this.#turn - ints[(bucket << INTS_SHIFT) + TURN];
    ints[(bucket << INTS_SHIFT) + TURN] = this.#turn;
    for (let turn = 0; turn < Math.min(turns, 2); turn++) {
      for (const i of [0, FREED]) {
        this.#floats[at + FINAL + i] += this.#floats[at + PREVIOUS + i];
        this.#floats[at + PREVIOUS + i] = this.#floats[at + RECENT + i];
        this.#floats[at + RECENT + i] = 0;
      }
    }
    return at;
  }
}
