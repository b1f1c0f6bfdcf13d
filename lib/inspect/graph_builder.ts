/**
 * Makes an object graph of what is found in a heap or in a dump.
 *
 * Three steps: all objects, by address; the pointers of each, in the same order; the roots with theirs. Nodes
 * are numbered in this order, and the last one stands for the program, which has all roots:
 *
 * ```
 *   node     0 ... objects - 1 │ objects ... objects + roots - 1 │ objects + roots
 *            objects           │ roots                           │ the program
 *   starts   │ first edge of node 0 │ of node 1 │ ... │ how many edges there are │
 *   targets  │ node │ node │ ...            words  │ the word of the node that points there │ ...
 * ```
 *
 * @module
 */

import type { Pointer } from "../platform/platform.ts";
import { Float64Column, Int32Column } from "./growable.ts";
import { PointerMasks } from "./pointer_masks.ts";

/** A place outside the heap from which objects are kept alive. */
export interface GraphRoot {
  /**
   * What it is: of a heap `"global"`, `"frame"` or `"reference"`, under gccgo's rules `"no-gc"` and `"span types"` too; of a dump `"data"`, `"bss"`, `"frame"`,
   * `"goroutine"` or `"other"`; of both `"queued finalizer"`, which keeps an object for the call, and `"finalizer"`,
   * which keeps what its object refers to, and not the object.
   */
  readonly kind: string;
  /** Its address, if it has one; else that of the object it is about. */
  readonly address: Pointer;
  /** What is known of it besides: a type, a function. */
  readonly name: string;
}

/** The type number of an object whose type is not known. */
export const NO_TYPE = -1;

/** The columns of a graph. See the head of the module. */
export interface GraphColumns {
  readonly pointerBytes: number;
  readonly addresses: Float64Array;
  readonly sizes: Float64Array;
  /** By object, its type, as an index of `typeNames`, or NO_TYPE. */
  readonly types: Int32Array;
  readonly typeNames: readonly string[];
  /** By object, its mask, as an index of `maskTexts`. */
  readonly masks: Int32Array;
  readonly maskTexts: readonly string[];
  readonly starts: Int32Array;
  readonly targets: Int32Array;
  readonly words: Int32Array;
  readonly roots: readonly GraphRoot[];
  /** Objects that have a finalizer. */
  readonly finalizable: readonly number[];
}

/** Makes a graph. See the head of the module. */
export class GraphBuilder {
  readonly masks: PointerMasks = new PointerMasks();
  readonly #pointerBytes: number;
  readonly #addresses = new Float64Column();
  readonly #sizes = new Float64Column();
  readonly #types = new Int32Column();
  readonly #maskOf = new Int32Column();
  readonly #typeNames: string[] = [];
  readonly #typeNumbers = new Map<string, number>();
  readonly #starts = new Int32Column();
  readonly #targets = new Int32Column();
  readonly #words = new Int32Column();
  readonly #roots: GraphRoot[] = [];
  /** A root of which no pointer was found yet. */
  #nextRoot: GraphRoot | null = null;
  readonly #finalizable: number[] = [];

  constructor(pointerBytes: number) {
    this.#pointerBytes = pointerBytes;
  }

  /** The number of a type, by its name. */
  typeNumber(name: string): number {
    let number = this.#typeNumbers.get(name);
    if (number === undefined) {
      number = this.#typeNames.length;
      this.#typeNames.push(name);
      this.#typeNumbers.set(name, number);
    }
    return number;
  }

  /** Adds an object behind those so far, with the mask that was made last. */
  object(address: Pointer, bytes: number, type: number): void {
    this.#addresses.push(address);
    this.#sizes.push(bytes);
    this.#types.push(type);
    this.#maskOf.push(this.masks.finish());
  }

  /** Objects so far. */
  get objects(): number {
    return this.#addresses.length;
  }

  /** Gives the object that begins at `p` a type, unless it has one. */
  guessType(p: Pointer, name: string): void {
    const object = this.find(p);
    if (object < 0 || this.#addresses.room[object] !== p) return;
    const types = this.#types.room;
    if (types[object] === NO_TYPE) types[object] = this.typeNumber(name);
  }

  /** The object that `p` points into, or -1. */
  find(p: Pointer): number {
    const addresses = this.#addresses.room;
    const at = lastUpTo(addresses, this.#addresses.length, p);
    return at >= 0 && p < addresses[at] + this.#sizes.room[at] ? at : -1;
  }

  /** The next pointers are those of the next object. */
  nextObject(): void {
    this.#starts.push(this.#targets.length);
  }

  /**
   * The next pointers are those of this root, when the objects' are all there. A root that leads to no object is
   * left out.
   */
  root(kind: string, address: Pointer, name: string): void {
    this.#nextRoot = { kind, address, name };
  }

  /** A pointer, `offset` bytes from the beginning of the object or root. */
  pointer(offset: number, p: Pointer): void {
    const target = this.find(p);
    if (target >= 0) this.#addEdge(target, Math.floor(offset / this.#pointerBytes));
  }

  #addEdge(target: number, word: number): void {
    if (this.#nextRoot !== null) {
      this.#roots.push(this.#nextRoot);
      this.#starts.push(this.#targets.length);
      this.#nextRoot = null;
    }
    this.#targets.push(target);
    this.#words.push(word);
  }

  /** The object at `p` has a finalizer: the root that was made last has the same pointers as the object. */
  finalizer(p: Pointer): void {
    const object = this.find(p);
    if (object < 0) return;
    this.#finalizable.push(object);
    const starts = this.#starts.room;
    const end = object + 1 < this.#starts.length ? starts[object + 1] : this.#targets.length;
    for (let at = starts[object]; at < end; at++) {
      this.#addEdge(this.#targets.room[at], this.#words.room[at]);
    }
  }

  /** Ends the graph: adds the program behind the roots. */
  finish(): GraphColumns {
    const first = this.objects;
    this.#starts.push(this.#targets.length);
    this.#roots.forEach((_, i) => {
      this.#targets.push(first + i);
      this.#words.push(0);
    });
    this.#starts.push(this.#targets.length);
    return {
      pointerBytes: this.#pointerBytes,
      addresses: this.#addresses.finish(),
      sizes: this.#sizes.finish(),
      types: this.#types.finish(),
      typeNames: this.#typeNames,
      masks: this.#maskOf.finish(),
      maskTexts: this.masks.texts,
      starts: this.#starts.finish(),
      targets: this.#targets.finish(),
      words: this.#words.finish(),
      roots: this.#roots,
      finalizable: this.#finalizable,
    };
  }
}

/** The index of the last of `length` ascending numbers that is not above `value`; -1 if there is none. */
export function lastUpTo(numbers: Float64Array, length: number, value: number): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numbers[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
