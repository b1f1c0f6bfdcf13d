/**
 * The write barrier: how a collection that is done in slices finds all that is reachable, though the program
 * changes the graph between its slices.
 *
 * A block is white (neither marked nor queued), grey (in the marker's queue) or black (marked, and followed). A root is
 * grey until the scan has come by, then black. What must hold whenever the program runs:
 *
 * > No black block and no black root points to a white block.
 *
 * For then every path from a root to a white block leads over something grey, and when nothing is grey any
 * more, what is white cannot be reached. Marking itself keeps that. The program could break it in two ways:
 *
 * ```
 *   it stores a pointer to a white block        the block is shaded: put in the marker's queue
 *     into a black one, or into a black root    (Dijkstra's barrier; what it is stored into is not looked at)
 *   it makes a new block or a new root          a block is born black, and nil; a global or a frame is nil;
 *                                               what a new reference points to, and what an object refers
 *                                               to that is given a finalizer, is shaded
 * ```
 *
 * In Go the stack of a goroutine has no barrier, so the stacks, and with them all roots, are scanned a second
 * time while the world is stopped, which takes as long as they are large. Here every root is memory that only
 * the heap's own methods write to: globals and frames by `storePointer`, references by `ref`. All of them
 * shade, so no root is ever looked at twice, and mark termination has nothing left to do. For the same
 * reason the barrier goes on before the roots are scanned, and not after as in the seeds, whose second scan
 * makes up for what was stored in between.
 *
 * What JavaScript's own variables hold is no root. That is sound because the collector runs only where the
 * program has promised not to need them: between two turns of the event loop, and in `safepoint()`. Within a turn an
 * address that was loaded into a variable, and perhaps wiped out in the heap, is harmless: either it is
 * stored again before the next slice, and shaded by that, or nobody can use it any more. An address that is kept in
 * a variable across a turn is as unsafe here as with a collection in one piece. A bulk store has to come
 * here too ({@linkcode TypedCopy}); writing to the bytes of a pointer in another way than as a pointer is
 * a program's own risk, as it is in Go.
 *
 * Shading keeps alive until the next collection what the program has dropped since: floating garbage. That,
 * and what is born black and dropped, is all that a collection in slices frees later than one in one piece.
 *
 * When it is off, the barrier costs nothing. `storePointer` has to ask whether an address lies in the part of the
 * arena that is used; while the barrier is on, that part is empty for it ({@linkcode Memory.plainWords}), and
 * its slow path comes here. Allocations are seen by their one test for everything optional (ATTENTION).
 *
 * @module
 */

import type { Memory } from "../platform/memory.ts";
import type { Pointer } from "../platform/platform.ts";
import type { Cache } from "../spans/cache.ts";
import type { Marker } from "./marker.ts";

/** A bit of the cache's ATTENTION: new blocks have to be marked. */
export const ALLOCATE_BLACK = 1 << 6;

/** The write barrier of one heap. See the head of the module. */
export class WriteBarrier {
  readonly #memory: Memory;
  readonly #cache: Cache;
  readonly #marker: Marker;
  #isOn = false;

  constructor(memory: Memory, cache: Cache, marker: Marker) {
    this.#memory = memory;
    this.#cache = cache;
    this.#marker = marker;
  }

  /** Whether stores have to be told to {@linkcode WriteBarrier.shade}. */
  get isOn(): boolean {
    return this.#isOn;
  }

  /** Sees every store and every allocation from now on. */
  install(): void {
    this.#isOn = true;
    this.#memory.hasBarrier = true;
    this.#cache.attend(ALLOCATE_BLACK);
  }

  /** Sees nothing any more. */
  remove(): void {
    this.#isOn = false;
    this.#memory.hasBarrier = false;
    this.#cache.ignore(ALLOCATE_BLACK);
  }

  /** The program stores `value` somewhere, or made it a root. */
  shade(value: Pointer): void {
    if (this.#isOn && value !== 0) this.#marker.shade(value);
  }

  /** What block `block` of a span refers to is to live on for its finalizer. */
  shadeReferents(span: number, block: number): void {
    if (!this.#isOn) return;
    this.#marker.greyReferents(span, block);
    this.#marker.flush();
  }

  /** The program was given the new block at `p`, which may hold the pointers of its last owner if `isDirty`. */
  bornBlack(p: Pointer, isDirty: boolean): void {
    if (isDirty) this.#marker.shade(p);
    else this.#marker.blacken(p);
  }
}
