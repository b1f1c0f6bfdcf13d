/**
 * The object graph of a heap dump.
 *
 * Which type an object has, a dump says only if a GoHeap with `recordTypes` wrote it. Otherwise it is guessed
 * from what refers to the object: a finalizer's type, the table of methods or the type in an interface. That
 * finds the types of the objects that programs handle through interfaces, and of no others.
 *
 * ```
 *   interface, type or itab ─▶ *bufio.Writer     data ─▶ a bufio.Writer
 *                              map[string]int             what the runtime keeps such a map in
 *                              main.Point                 a copy of the value, if the block is as large as one
 * ```
 *
 * @module
 */

import type { Pointer } from "../platform/platform.ts";
import { roundupsize } from "../spans/size_classes.ts";
import { GraphBuilder, NO_TYPE } from "./graph_builder.ts";
import {
  type DumpField,
  type DumpFinalizer,
  type DumpGoroutine,
  type DumpItab,
  type DumpOtherRoot,
  type DumpParams,
  type DumpSegment,
  type DumpType,
  FieldKind,
} from "./heap_dump_format.ts";
import { ObjectGraph } from "./object_graph.ts";

/** What is behind the end of a dump: types, and by object in order of address, the number of its type, from 1 on. */
export interface RecordedTypes {
  readonly types: readonly { readonly address: Pointer; readonly name: string }[];
  readonly numbers: Int32Array;
}

/** What a graph is made of, besides the objects. */
export interface DumpRecords {
  readonly params: DumpParams;
  readonly types: readonly DumpType[];
  readonly itabs: readonly DumpItab[];
  readonly goroutines: readonly DumpGoroutine[];
  readonly segments: readonly DumpSegment[];
  readonly otherRoots: readonly DumpOtherRoot[];
  readonly finalizers: readonly DumpFinalizer[];
  readonly queuedFinalizers: readonly DumpFinalizer[];
}

/** The objects of a dump, and its memory. */
export interface DumpMemory {
  /** The objects by address; all else takes their numbers in the dump. */
  readonly byAddress: Uint32Array;
  readonly recorded: RecordedTypes | null;
  address(i: number): Pointer;
  size(i: number): number;
  forEachField(i: number, visit: (kind: number, offset: number) => void): void;
  /** The word at `offset` of object `i`. */
  word(i: number, offset: number): Pointer;
  /** The word at `offset` of a piece of the dump. */
  wordOf(contents: Uint8Array, offset: number): Pointer;
}

/** Makes the graph. */
export function dumpGraph(records: DumpRecords, memory: DumpMemory): ObjectGraph {
  return new DumpGraph(records, memory).make();
}

class DumpGraph {
  readonly #records: DumpRecords;
  readonly #memory: DumpMemory;
  readonly #builder: GraphBuilder;
  readonly #pointerBytes: number;
  /** What a type word or an itab stands for. */
  readonly #types: ReadonlyMap<Pointer, DumpType>;
  readonly #itabs: ReadonlyMap<Pointer, DumpType>;

  constructor(records: DumpRecords, memory: DumpMemory) {
    this.#records = records;
    this.#memory = memory;
    this.#pointerBytes = records.params.pointerBytes;
    this.#builder = new GraphBuilder(this.#pointerBytes);
    const types = new Map(records.types.map((type) => [type.address, type]));
    this.#types = types;
    this.#itabs = new Map(
      records.itabs.flatMap(({ address, type }) => {
        const found = types.get(type);
        return found === undefined ? [] : [[address, found]];
      }),
    );
  }

  make(): ObjectGraph {
    this.#addObjects();
    if (this.#memory.recorded === null) this.#guessTypes();
    this.#addPointers();
    this.#addRoots();
    return new ObjectGraph(this.#builder.finish());
  }

  #addObjects(): void {
    const builder = this.#builder;
    const { masks } = builder;
    const { byAddress, recorded } = this.#memory;
    const numbers = recorded?.types.map(({ name }) => builder.typeNumber(name)) ?? [];
    const addToMask = (kind: number, offset: number) => {
      const word = offset / this.#pointerBytes;
      masks.add(word);
      if (kind !== FieldKind.Pointer) masks.add(word + 1);
    };
    byAddress.forEach((i, place) => {
      this.#memory.forEachField(i, addToMask);
      const recordedType = recorded?.numbers[place] ?? 0;
      const type = recordedType === 0 ? NO_TYPE : numbers[recordedType - 1];
      builder.object(this.#memory.address(i), this.#memory.size(i), type);
    });
  }

  #addPointers(): void {
    const builder = this.#builder;
    for (const i of this.#memory.byAddress) {
      builder.nextObject();
      this.#memory.forEachField(i, (kind, offset) => {
        const at = kind === FieldKind.Pointer ? offset : offset + this.#pointerBytes;
        builder.pointer(at, this.#memory.word(i, at));
      });
    }
  }

  #addRoots(): void {
    const builder = this.#builder;
    const { segments, goroutines, otherRoots, queuedFinalizers, finalizers } = this.#records;
    for (const segment of segments) {
      this.#forEachPointer(segment, (offset, p) => {
        builder.root(segment.name, segment.address + offset, "");
        builder.pointer(0, p);
      });
    }
    for (const goroutine of goroutines) this.#addStack(goroutine);
    for (const { description, pointer } of otherRoots) {
      builder.root("other", 0, description);
      builder.pointer(0, pointer);
    }
    for (const { object, functionValue } of queuedFinalizers) {
      builder.root("queued finalizer", object, "");
      builder.pointer(0, object);
      builder.pointer(0, functionValue);
    }
    for (const finalizer of finalizers) this.#addFinalizer(finalizer);
  }

  #addStack({ context, frames, id }: DumpGoroutine): void {
    const builder = this.#builder;
    builder.root("goroutine", 0, `context of goroutine ${id}`);
    builder.pointer(0, context);
    for (const frame of frames) {
      builder.root("frame", frame.stackPointer, frame.function);
      this.#forEachPointer(frame, (offset, p) => builder.pointer(offset, p));
    }
  }

  /** A finalizer keeps its function, and what the object refers to. */
  #addFinalizer({ object, functionValue }: DumpFinalizer): void {
    const builder = this.#builder;
    builder.root("finalizer", object, "");
    builder.finalizer(object);
    builder.pointer(0, functionValue);
  }

  /** The pointers of a segment or a frame. */
  #forEachPointer(
    { contents, fields }: { readonly contents: Uint8Array; readonly fields: readonly DumpField[] },
    visit: (offset: number, p: Pointer) => void,
  ): void {
    for (const { kind, offset } of fields) {
      const at = kind === FieldKind.Pointer ? offset : offset + this.#pointerBytes;
      visit(at, this.#memory.wordOf(contents, at));
    }
  }

  #guessTypes(): void {
    const { finalizers, queuedFinalizers, segments, goroutines } = this.#records;
    for (const { object, objectType } of [...finalizers, ...queuedFinalizers]) {
      this.#guess(object, this.#types.get(objectType));
    }
    const guessAt = (kind: number, word: (offset: number) => Pointer, offset: number) => {
      if (kind === FieldKind.Pointer) return;
      const types = kind === FieldKind.Interface ? this.#itabs : this.#types;
      this.#guess(word(offset + this.#pointerBytes), types.get(word(offset)));
    };
    for (const i of this.#memory.byAddress) {
      const word = (offset: number) => this.#memory.word(i, offset);
      this.#memory.forEachField(i, (kind, offset) => guessAt(kind, word, offset));
    }
    for (const { contents, fields } of [...segments, ...goroutines.flatMap((g) => g.frames)]) {
      const word = (offset: number) => this.#memory.wordOf(contents, offset);
      for (const { kind, offset } of fields) guessAt(kind, word, offset);
    }
  }

  /** The object at `p`, if one begins there, is the data of an interface that holds a value of `type`. */
  #guess(p: Pointer, type: DumpType | undefined): void {
    const node = this.#builder.find(p);
    if (type === undefined || node < 0) return;
    const name = this.#pointedTo(type, this.#memory.size(this.#memory.byAddress[node]));
    if (name !== null) this.#builder.guessType(p, name);
  }

  /** What the data word of such a value points to, in a block of `bytes`; null if that is not clear. */
  #pointedTo({ name, size }: DumpType, bytes: number): string | null {
    if (name.startsWith("*")) return name.slice(1);
    if (/^(map\[|chan |<-chan |chan<- |func\()/.test(name)) return name;
    if (size === 0) return null;
    return roundupsize(size, 2 ** (8 * this.#pointerBytes) - 1) === bytes ? name : null;
  }
}
