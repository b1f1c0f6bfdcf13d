/**
 * A type descriptor says what the collector and the allocator have to know of a Go type: how large
 * its values are, and which of their words hold pointers. It is what `runtime._type` is in Go 1.4,
 * with what `reflect` adds to it: fields, parameters, methods, the type's text.
 *
 * The words of a value are coded in two bits each, with the numbers that the heap bitmap uses:
 * 0 dead (the object ends here), 1 scalar, 2 pointer. Within a value nothing is dead: padding and numbers
 * are scalars. Both words of an interface are pointers, though the first one holds a type, which lies
 * outside the arena and is ignored there:
 *
 * ```text
 *   *int p     string p s     []byte p s s     interface {} p p     struct { a int8; b *int } s p
 * ```
 *
 * A type of 16 words or less has its whole pattern in one number, `typeBits`, which costs the allocation of a
 * small object one load. Any type has a mask or a GC program in `pointers` (pointer_map.ts).
 *
 * Every descriptor is an object of one class with one hidden class, whatever its kind: allocation
 * reads them from a single inline cache. (Sizes are small integers in it. The first type of 2 GiB or
 * more makes V8 widen them, once.) They are made by a type table and never change.
 *
 * @module
 */

import type { Pointer } from "../platform/platform.ts";
import { MAX_SMALL_BYTES, sizeToClass } from "../spans/size_classes.ts";
import { ArrayPatterns, NO_PATTERN, type Patterns } from "./patterns.ts";
import type { PointerMap } from "./pointer_map.ts";

/**
 * Go's numbers of the kinds of types, as `reflect.Kind` has them.
 *
 * `Invalid` is the kind of a named type whose definition is not finished yet.
 */
export const Kind = {
  Invalid: 0,
  Bool: 1,
  Int: 2,
  Int8: 3,
  Int16: 4,
  Int32: 5,
  Int64: 6,
  Uint: 7,
  Uint8: 8,
  Uint16: 9,
  Uint32: 10,
  Uint64: 11,
  Uintptr: 12,
  Float32: 13,
  Float64: 14,
  Complex64: 15,
  Complex128: 16,
  Array: 17,
  Chan: 18,
  Func: 19,
  Interface: 20,
  Map: 21,
  Ptr: 22,
  Slice: 23,
  String: 24,
  Struct: 25,
  UnsafePointer: 26,
} as const;

/** One of the numbers in {@linkcode Kind}. */
export type Kind = typeof Kind[keyof typeof Kind];

const KIND_NAMES = Object.keys(Kind);
const MAX_SHOWN_WORDS = 32;

/** A field of a struct type. */
export interface GoField {
  /** Its name, an identifier. */
  readonly name: string;
  /** Its type. */
  readonly type: GoType;
  /** Where it begins, in bytes from the start of the struct. */
  readonly offset: number;
}

/** A method of an interface or of a named type. */
export interface GoMethod {
  /** Its name, an identifier. */
  readonly name: string;
  /** Its signature without the receiver: a type of kind Func. */
  readonly type: GoType;
  /** Whether only a pointer to the type has it; always false in an interface. */
  readonly pointerReceiver: boolean;
}

/** What the layout of a type decides: sizes and pointers. */
export interface Layout {
  readonly size: number;
  readonly align: number;
  readonly fieldAlign: number;
  readonly words: number;
  readonly pointerFree: boolean;
  readonly typeBits: number;
  readonly pointers: PointerMap;
  readonly directIface: boolean;
}

/** What the structure of a type decides: all but its identity (owner, address, name). */
export interface Shape extends Layout {
  readonly kind: Kind;
  readonly string: string;
  readonly elem: GoType | null;
  readonly key: GoType | null;
  readonly length: number;
  readonly fields: readonly GoField[];
  readonly params: readonly GoType[];
  readonly results: readonly GoType[];
  readonly variadic: boolean;
  readonly methods: readonly GoMethod[];
}

/**
 * The descriptor of a Go type, laid out for the platform of the table that made it. Unnamed types of
 * the same structure are the same object, so `===` is Go's identity of types.
 *
 * @example What a descriptor knows
 * ```ts
 * import { GoHeap } from "@goheap/goheap";
 * import { assertEquals } from "@std/assert";
 *
 * using heap = new GoHeap({ platform: "linux/amd64" });
 * const { types } = heap;
 * const pair = types.struct("main.Pair", { id: types.int8, next: types.pointer(types.int) });
 * assertEquals(pair.string, "main.Pair");
 * assertEquals(pair.size, 16);
 * assertEquals(pair.fields[1].offset, 8);
 * assertEquals(pair.typeBits, 0b10_01);
 * assertEquals(types.pointer(pair).string, "*main.Pair");
 * ```
 */
export class GoType {
  // `declare`, since a field that begins as undefined is never again read as a small integer, which
  // takes up to three times as long.

  /** The table that made it; a heap takes the types of its own table only. */
  declare readonly owner: object;
  /** The address that stands for it in traces, dumps and interfaces: a multiple of 8, outside the arena. */
  declare readonly address: Pointer;
  /** The name of a named or predeclared type, as in `"main.T"` or `"int"`; else empty. */
  declare readonly name: string;
  /** Its kind; that of the underlying type if it is named. */
  declare readonly kind: Kind;
  /** The type as Go prints it: `"map[string]int"`, `"struct { a int8; b *main.T }"`. */
  declare readonly string: string;
  /** Bytes in a value, a multiple of `align`. */
  declare readonly size: number;
  /** The size class of a value; 0 if it is empty or larger than all of them. */
  declare readonly sizeClass: number;
  /** Alignment of a variable, in bytes. */
  declare readonly align: number;
  /** Alignment of a field, in bytes; always `align` in the gc compiler. */
  declare readonly fieldAlign: number;
  /** Words in a value, the last one perhaps in part. */
  declare readonly words: number;
  /** Whether no word of a value is a pointer: seeds' kindNoPointers. */
  declare readonly pointerFree: boolean;
  /** The codes of all words as an int32, word 0 lowest; 0 if there are over 16 words or no pointers. */
  declare readonly typeBits: number;
  /**
   * The types of a stretch of blocks are written at once, and this number says what has been written: one for all types of
   * the same `typeBits`, one for each type that has over 16 words; -1 if there are no pointers. See patterns.ts.
   */
  declare readonly pattern: number;
  declare private readonly arrays: ArrayPatterns | null;
  /** Which words of a value are pointers: seeds' gc mask or program. */
  declare readonly pointers: PointerMap;
  /** Whether a value is one pointer, which an interface then holds itself: seeds' kindDirectIface. */
  declare readonly directIface: boolean;
  /** What a pointer, slice, array or channel has as its element, and a map as its value; else null. */
  declare readonly elem: GoType | null;
  /** The key of a map; else null. */
  declare readonly key: GoType | null;
  /** The number of elements of an array; else 0. */
  declare readonly length: number;
  /** The fields of a struct, in order; else empty. */
  declare readonly fields: readonly GoField[];
  /** The parameters of a function; the last one is a slice if it is variadic. */
  declare readonly params: readonly GoType[];
  /** The results of a function. */
  declare readonly results: readonly GoType[];
  /** Whether a function takes any number of last parameters. */
  declare readonly variadic: boolean;
  /** The methods of an interface or of a named type, by name; those of pointer receivers too. */
  declare readonly methods: readonly GoMethod[];

  /** Called by type tables only. */
  constructor(owner: object, address: Pointer, name: string, patterns: Patterns, shape: Shape) {
    this.owner = owner;
    this.address = address;
    this.name = name;
    this.kind = shape.kind;
    this.string = shape.string;
    this.size = shape.size;
    this.align = shape.align;
    this.fieldAlign = shape.fieldAlign;
    this.words = shape.words;
    this.pointerFree = shape.pointerFree;
    this.typeBits = shape.typeBits;
    this.pointers = shape.pointers;
    this.directIface = shape.directIface;
    this.elem = shape.elem;
    this.key = shape.key;
    this.length = shape.length;
    this.fields = shape.fields;
    this.params = shape.params;
    this.results = shape.results;
    this.variadic = shape.variadic;
    this.methods = shape.methods;
    // Written once, and never for a type that is still to be completed: V8 compiles both into a program that has the type as
    // a constant.
    if (shape.kind === Kind.Invalid) return;
    this.sizeClass = shape.size > 0 && shape.size <= MAX_SMALL_BYTES ? sizeToClass(shape.size) : 0;
    this.pattern = patterns.of(shape.pointers, shape.typeBits);
    this.arrays = this.pattern === NO_PATTERN
      ? null
      : new ArrayPatterns(patterns, shape.words, shape.typeBits);
  }

  /** The pattern of an array of `n` values, 2 or more; -1 if it has none, as one of over 128 words. */
  arrayPattern(n: number): number {
    return this.arrays === null ? NO_PATTERN : this.arrays.of(n);
  }

  /** What `console.log` shows: all that matters of the type, without the types it is made of. */
  [Symbol.for("nodejs.util.inspect.custom")](
    _depth: number,
    options: unknown,
    inspect: (value: unknown, options: unknown) => string,
  ): string {
    const { string, size, align, fields, methods } = this;
    const shown = {
      kind: KIND_NAMES[this.kind],
      size,
      align,
      address: `0x${this.address.toString(16)}`,
      words: this.#wordCodes(),
      ...(fields.length > 0 &&
        { fields: fields.map(({ name, type, offset }) => `${offset}: ${name} ${type.string}`) }),
      ...(methods.length > 0 &&
        { methods: methods.map(({ name, type }) => name + type.string.slice("func".length)) }),
    };
    return `GoType ${string} ${inspect(shown, options)}`;
  }

  /** The first words of a value: p for a pointer, s for a scalar. */
  #wordCodes(): string {
    const shown = Math.min(this.words, MAX_SHOWN_WORDS);
    const codes = Array.from({ length: shown }, (_, word) => this.pointers.has(word) ? "p" : "s");
    return codes.join("") + (shown < this.words ? "..." : "");
  }
}

/**
 * Gives a named type, made with kind Invalid so that its own definition could point to it, what its
 * underlying type has. This happens once, before the type is handed out.
 */
export function completeType(
  type: GoType,
  underlying: GoType,
  methods: readonly GoMethod[],
): void {
  const { address, name } = type;
  Object.assign(type, underlying, { address, name, string: name, methods });
}
