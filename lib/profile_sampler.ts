/**
 * Which blocks the memory profile is made from: about one for each `rate` bytes that are allocated.
 *
 * A counter goes down by the size of each block. The block that it does not suffice for is sampled, and the
 * counter begins anew, at a random number below twice the rate; less what this block was over, since objects
 * almost as large as the rate would be sampled too seldom otherwise. A block as large as the rate is always
 * sampled, and leaves the counter alone. Seeds' profilealloc.
 *
 * Blocks are taken from the cache's runs without anybody looking (see cache_record.ts), so the counter is behind.
 * What is known for certain is that no sample is due before as many bytes were taken as it says. They are promised
 * to the runs, each up to its LIMIT:
 *
 * ```
 *   next sample in 20000 bytes          run of 64-byte blocks     │ CURSOR ▒▒▒▒▒▒▒▒▒▒▒▒▒▒ LIMIT = END │   8192
 *   promised 8192 + 4096, spare 7711    run of 16-byte blocks     │ CURSOR ▒▒▒▒▒▒ LIMIT = END │           4096
 *
 *   next sample in 1000 bytes           run of 64-byte blocks     │ CURSOR ▒▒▒▒ LIMIT ........... END │    960
 * ```
 *
 * A new run is promised what it holds, as long as that is there to spare: a subtraction, and all that most runs
 * cost. When there is not enough, what was really taken is added up, and what is left is shared out. So
 * of the 8192 blocks of 64 bytes between two samples at Go's rate, 2 to 10 are looked at one by one, and still each
 * sample is the very block that the seeds' comparison picks.
 *
 * The state is two int32:
 *
 * ```
 *   0 NEXT_SAMPLE   bytes to the next sample, as of when it was last added up
 *   1 RANDOM        the last random number
 * ```
 *
 * @module
 */

import * as mallocFlags from "./flags.ts";
import type { AllocationSampler } from "./malloc.ts";
import type { Pointer } from "./platform/platform.ts";
import * as cacheRecord from "./spans/cache_record.ts";
import type { Cache } from "./spans/cache.ts";
import * as sizeClasses from "./spans/size_classes.ts";

// An imported constant is read and checked at each use, one of the module's own is compiled in.
const { FlagNoProfiling } = mallocFlags;
const { BLOCK_BYTES, CLASS_SHIFT, COUNTED, CURSOR, END, LOCAL_TAKEN, SPARE, STOP } = cacheRecord;
const { MAX_SMALL_BYTES, TINY_SIZE_CLASS } = sizeClasses;

const NEXT_SAMPLE = 0;
const RANDOM = 1;

/** A larger rate is cut to this where twice the rate has to be an int32. */
const MAX_DRAWN_RATE = 0x3fffffff;
/** What Go's first thread begins its random numbers with; Go adds the time, this heap repeats itself. */
const RANDOM_SEED = 0x49f6428a;

/** Go 1.4's random numbers: the one after `x`, below 2^31. */
export function fastrand1(x: number): number {
  const doubled = x << 1;
  const reduced = doubled ^ 0x88888eef;
  return (reduced >= 0 ? reduced : doubled) >>> 0;
}

/** gccgo's, at the time of seed A: below 2^32. */
export function laterFastrand(x: number): number {
  return ((x << 1) ^ ((x >> 31) & 0xa8888eef)) >>> 0;
}

/** The sampling of one heap's allocations. See the head of the module. */
export class ProfileSampler implements AllocationSampler {
  /** Called with each block that is sampled. */
  onSample: (p: Pointer, bytes: number) => void = () => {};
  readonly #cache: Cache;
  readonly #runs: Float64Array;
  readonly #isGccgo: boolean;
  readonly #state = new Int32Array(new SharedArrayBuffer(8));
  #rate = 0;

  constructor(cache: Cache, compiler: "gc" | "gccgo") {
    this.#cache = cache;
    this.#runs = cache.floats;
    this.#isGccgo = compiler === "gccgo";
    this.#state[RANDOM] = RANDOM_SEED;
  }

  /** Bytes between two samples on average; 0 if there are none. */
  get rate(): number {
    return this.#rate;
  }

  /** Begins to count anew, as the first allocation of a thread does. */
  set rate(rate: number) {
    const cache = this.#cache;
    cache.takeTaken();
    this.#rate = rate;
    this.#state[NEXT_SAMPLE] = rate === 0 ? 0 : this.#draw();
    if (rate > 0) {
      this.#shareOut(0);
    } else {
      this.#runs[SPARE] = Infinity;
      for (const cls of cache.heldClasses) cache.setLimit(cls, Infinity);
    }
  }

  /** Where sampling stands; tests put it where Go's stood. */
  get state(): { nextSample: number; random: number } {
    return { nextSample: this.#bytesToNext(), random: this.#state[RANDOM] >>> 0 };
  }

  set state({ nextSample, random }: { nextSample: number; random: number }) {
    this.#cache.takeTaken();
    this.#state[NEXT_SAMPLE] = nextSample;
    this.#state[RANDOM] = random;
    this.#shareOut(0);
  }

  /** How many bytes may be taken without anybody looking before a sample is due, and how many can be. */
  get promise(): { allowedBytes: number; takeableBytes: number } {
    const takeable = this.#cache.heldClasses.map((cls) => {
      const at = cls << CLASS_SHIFT;
      return this.#runs[at + STOP] - this.#runs[at + CURSOR];
    });
    return {
      allowedBytes: Math.max(0, this.#bytesToNext() - 1),
      takeableBytes: takeable.reduce((sum, bytes) => sum + bytes, 0),
    };
  }

  /** The block at `p`, the last one before the cursor of `cls`, was taken from behind LIMIT, or is not to be sampled. */
  took(cls: number, p: Pointer, flags: number): void {
    const at = cls << CLASS_SHIFT;
    const bytes = this.#runs[at + BLOCK_BYTES];
    const isProfiled = (flags & FlagNoProfiling) === 0;
    this.#state[NEXT_SAMPLE] -= this.#cache.takeTaken() - bytes;
    const isSample = isProfiled && this.#isSample(bytes);
    this.#shareOut(cls);
    if (isSample) this.onSample(p, bytes);
  }

  /** The large object of `bytes` at `p` was allocated. */
  tookLarge(p: Pointer, bytes: number, flags: number): void {
    if ((flags & FlagNoProfiling) !== 0) return;
    this.#state[NEXT_SAMPLE] -= this.#cache.takeTaken();
    const isSample = this.#isSample(bytes);
    this.#shareOut(0);
    if (isSample) this.onSample(p, bytes);
  }

  /** Has the next tiny block be taken by somebody who looks. */
  closeTiny(): void {
    this.#cache.setLimit(TINY_SIZE_CLASS, 0);
  }

  /** Counts a block, in Go's int32, and says whether it is a sample. */
  #isSample(bytes: number): boolean {
    if (bytes >= this.#rate) return true;
    const state = this.#state;
    const nextSample = state[NEXT_SAMPLE];
    const isBefore = (this.#isGccgo ? bytes : bytes | 0) < nextSample;
    state[NEXT_SAMPLE] = isBefore
      ? nextSample - bytes
      : Math.max(0, (this.#draw() - (bytes - nextSample)) | 0);
    return !isBefore;
  }

  /** A random number below twice the rate. */
  #draw(): number {
    const state = this.#state;
    const random = this.#isGccgo ? laterFastrand(state[RANDOM]) : fastrand1(state[RANDOM]);
    state[RANDOM] = random;
    return random % (2 * Math.min(this.#rate, MAX_DRAWN_RATE));
  }

  /**
   * Promises the runs what may be taken before the next sample. If they hold more, `cls`, which asked, gets half of
   * it and the others equal parts of the rest: whoever allocates will ask again, and nobody has to ask often.
   */
  #shareOut(cls: number): void {
    const runs = this.#runs;
    const open = this.#cache.heldClasses;
    let runBytes = 0;
    for (const held of open) {
      const at = held << CLASS_SHIFT;
      if (runs[at + BLOCK_BYTES] < this.#rate) runBytes += runs[at + END] - runs[at + CURSOR];
    }
    const allowed = Math.max(0, this.#state[NEXT_SAMPLE] - 1);
    // A class of larger blocks, of which each is a sample, must not be promised any.
    runs[SPARE] = this.#rate > MAX_SMALL_BYTES ? Math.max(0, allowed - runBytes) : 0;
    const favour = Math.max(1, open.length - 1);
    const parts = open.length + (open.includes(cls) ? favour - 1 : 0);
    for (const held of open) {
      const at = held << CLASS_SHIFT;
      const bytes = runs[at + BLOCK_BYTES];
      const share = runBytes <= allowed ? Infinity : allowed * (held === cls ? favour : 1) / parts;
      const blocks = bytes < this.#rate ? Math.floor(share / bytes) : 0;
      this.#cache.setLimit(held, runs[at + CURSOR] + blocks * bytes);
    }
  }

  /** The counter, with what was taken since it was added up. */
  #bytesToNext(): number {
    const runs = this.#runs;
    let taken = runs[LOCAL_TAKEN];
    for (const cls of this.#cache.heldClasses) {
      taken += runs[(cls << CLASS_SHIFT) + CURSOR] - runs[(cls << CLASS_SHIFT) + COUNTED];
    }
    return this.#state[NEXT_SAMPLE] - taken;
  }
}
