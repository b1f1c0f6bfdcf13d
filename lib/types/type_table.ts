/**
 * The types of one heap. A table makes descriptors laid out for its platform, and keeps the unnamed
 * ones by their structure: `types.pointer(types.int)` is the same object each time, and a type is
 * identical to another exactly if `===` says so, as Go's identity of types demands. Each call of
 * {@linkcode TypeTable.named} makes a new type, as each declaration in a Go program does.
 *
 * A structure is known by the addresses of the types it is made of, each of which stands for one
 * type of this table (the addresses here are examples):
 *
 * ```text
 *   *int                           *c000001048
 *   map[string]*int                map c000001438 c000001510
 *   struct { a int; b *int }       struct a c000001048 b c000001510
 *   func(int, ...string) bool      func c000001048 c000001588... : c000001000
 * ```
 *
 * A descriptor has an address, since traces, heap dumps and interfaces in memory refer to types by
 * address. It is that of as many bytes as Go 1.4's `runtime._type` has, 72 or 40, which stay unused.
 *
 * @module
 */

import { badArgument, requireInteger } from "../errors.ts";
import type { Platform, Pointer } from "../platform/platform.ts";
import { completeType, type GoMethod, GoType, Kind, type Layout, type Shape } from "./go_type.ts";
import { POINTER, SCALAR } from "./codes.ts";
import { failAssertion, type Itab, ItabTable } from "./itab.ts";
import { arrayLayout, maxTypeBytes, scalarLayout, structLayout, wordsLayout } from "./layout.ts";
import { Patterns } from "./patterns.ts";
import type { LayoutRules } from "./pointer_map.ts";
import { funcString, interfaceString, structString } from "./type_string.ts";

/** Types by the name of the field, in the order of the fields. */
export type Fields = Readonly<Record<string, GoType>>;
/** Signatures, types of kind Func, by the name of the method. */
export type Methods = Readonly<Record<string, GoType>>;

/** The methods of a named type. */
export interface NamedTypeOptions {
  /** Methods that the type and pointers to it have: `func (t T) Name()`. */
  readonly methods?: Methods;
  /** Methods that only pointers to the type have: `func (t *T) Name()`. */
  readonly pointerMethods?: Methods;
}

/** A value, or what makes it from a named type that is being defined. */
export type OfItself<T> = T | ((self: GoType) => T);

const IDENTIFIER = /^[\p{L}_][\p{L}\p{Nd}_]*$/u;

/** What has to be said of a type; the rest is as in {@linkcode NO_PARTS}. */
type Parts = Layout & Pick<Shape, "kind" | "string"> & Partial<Shape>;

const NO_PARTS = {
  elem: null,
  key: null,
  length: 0,
  fields: [],
  params: [],
  results: [],
  variadic: false,
  methods: [],
} as const;

/**
 * Makes the types of a heap, which has one as `heap.types`. Every method throws a `RangeError` that
 * names the argument and its value for what no Go program could declare: a type of another table, a
 * negative length, a type above 2^47 bytes (4 GiB on 32-bit platforms), a type that holds itself, a struct with
 * pointers of more than 32 MiB that are not in arrays.
 *
 * @example A list that points to itself
 * ```ts
 * import { GoHeap } from "@goheap/goheap";
 * import { assertEquals, assertStrictEquals } from "@std/assert";
 *
 * using heap = new GoHeap({ platform: "linux/amd64" });
 * const { types } = heap;
 * const list = types.struct("main.List", (self) => ({
 *   next: types.pointer(self),
 *   value: types.int,
 * }));
 * assertEquals(list.size, 16);
 * assertStrictEquals(list.fields[0].type, types.pointer(list));
 * ```
 */
export class TypeTable {
  /** `bool`: 1 byte. */
  readonly bool: GoType;
  /** `int`: a word. */
  readonly int: GoType;
  /** `int8`: 1 byte. */
  readonly int8: GoType;
  /** `int16`: 2 bytes. */
  readonly int16: GoType;
  /** `int32`: 4 bytes. */
  readonly int32: GoType;
  /** `int64`: 8 bytes. */
  readonly int64: GoType;
  /** `uint`: a word. */
  readonly uint: GoType;
  /** `uint8`, which Go also calls `byte`: 1 byte. */
  readonly uint8: GoType;
  /** `uint16`: 2 bytes. */
  readonly uint16: GoType;
  /** `uint32`: 4 bytes. */
  readonly uint32: GoType;
  /** `uint64`: 8 bytes. */
  readonly uint64: GoType;
  /** `uintptr`: a word that is no pointer. */
  readonly uintptr: GoType;
  /** `float32`: 4 bytes. */
  readonly float32: GoType;
  /** `float64`: 8 bytes. */
  readonly float64: GoType;
  /** `complex64`: 8 bytes. */
  readonly complex64: GoType;
  /** `complex128`: 16 bytes. */
  readonly complex128: GoType;
  /** `string`: a pointer and a length, two words. */
  readonly string: GoType;
  /** `unsafe.Pointer`: a pointer to anything, one word. */
  readonly unsafePointer: GoType;

  readonly #rules: LayoutRules;
  readonly #allocateAddress: (bytes: number) => Pointer;
  readonly #unnamed = new Map<string, GoType>();
  readonly #patterns = new Patterns();
  readonly #itabs: ItabTable;
  readonly #byAddress = new Map<Pointer, GoType>();
  readonly #pointerLayout: Layout;
  readonly #sliceLayout: Layout;
  readonly #interfaceLayout: Layout;

  /**
   * Makes a table of types for a platform.
   *
   * @param platform What decides sizes and alignments
   * @param allocateAddress Returns an address outside the arena, a multiple of 8, with that many
   * bytes behind it
   * @param maxGCMask Bytes of the longest mask that a GC program may make, its flag byte included; a
   * longer one is `maxGCMask too small for now` when an object of the type is allocated, as in seed B.
   * Default: any, as in Go 1.4.3. A heap has what `debug: "maxgcmask=64"` says
   */
  constructor(
    platform: Platform,
    allocateAddress: (bytes: number) => Pointer,
    maxGCMask: number = Infinity,
  ) {
    const rules = { ...platform, maxGCMask };
    this.#rules = rules;
    this.#allocateAddress = allocateAddress;
    this.#itabs = new ItabTable(platform.pointerBytes, allocateAddress);
    this.#pointerLayout = wordsLayout(rules, [POINTER]);
    this.#sliceLayout = wordsLayout(rules, [POINTER, SCALAR, SCALAR]);
    this.#interfaceLayout = wordsLayout(rules, [POINTER, POINTER]);

    const word = platform.pointerBytes;
    const long = platform.int64AlignBytes;
    this.bool = this.#number(Kind.Bool, "bool", 1);
    this.int = this.#number(Kind.Int, "int", word);
    this.int8 = this.#number(Kind.Int8, "int8", 1);
    this.int16 = this.#number(Kind.Int16, "int16", 2);
    this.int32 = this.#number(Kind.Int32, "int32", 4);
    this.int64 = this.#number(Kind.Int64, "int64", 8, long);
    this.uint = this.#number(Kind.Uint, "uint", word);
    this.uint8 = this.#number(Kind.Uint8, "uint8", 1);
    this.uint16 = this.#number(Kind.Uint16, "uint16", 2);
    this.uint32 = this.#number(Kind.Uint32, "uint32", 4);
    this.uint64 = this.#number(Kind.Uint64, "uint64", 8, long);
    this.uintptr = this.#number(Kind.Uintptr, "uintptr", word);
    this.float32 = this.#number(Kind.Float32, "float32", 4);
    this.float64 = this.#number(Kind.Float64, "float64", 8, long);
    this.complex64 = this.#number(Kind.Complex64, "complex64", 8, long);
    this.complex128 = this.#number(Kind.Complex128, "complex128", 16, long);
    this.string = this.#plain(Kind.String, "string", wordsLayout(rules, [POINTER, SCALAR]));
    this.unsafePointer = this.#plain(Kind.UnsafePointer, "unsafe.Pointer", this.#pointerLayout);
  }

  /** `*elem`: one word. */
  pointer(elem: GoType): GoType {
    this.#require("elem", elem);
    return this.#once(`*${id(elem)}`, () => ({
      ...this.#pointerLayout,
      kind: Kind.Ptr,
      string: `*${elem.string}`,
      elem,
    }));
  }

  /** `[]elem`: a pointer, a length and a capacity, three words. */
  slice(elem: GoType): GoType {
    this.#require("elem", elem);
    return this.#once(`[]${id(elem)}`, () => ({
      ...this.#sliceLayout,
      kind: Kind.Slice,
      string: `[]${elem.string}`,
      elem,
    }));
  }

  /** `[length]elem`: `length` elements; costs the same for any length. */
  array(elem: GoType, length: number): GoType {
    this.#requireComplete("elem", elem);
    requireInteger("length", length, 0, maxTypeBytes(this.#rules));
    return this.#once(`[${length}]${id(elem)}`, () => ({
      ...arrayLayout(this.#rules, elem, length),
      kind: Kind.Array,
      string: `[${length}]${elem.string}`,
      elem,
      length,
    }));
  }

  /**
   * A struct type with the given fields, in their order: unnamed if `name` is empty, else a new named
   * type, whose fields may point to itself.
   */
  struct(name: string, fields: OfItself<Fields>): GoType {
    if (name !== "") {
      return this.named(name, (self) => this.#unnamedStruct(definition(fields, self)));
    }
    if (typeof fields === "function") {
      badArgument(
        "fields",
        "a function",
        "an object, since a struct without a name can't refer to itself",
      );
    }
    return this.#unnamedStruct(fields);
  }

  /** `map[key]elem`: one word, a pointer to what the program keeps a map in. */
  map(key: GoType, elem: GoType): GoType {
    this.#require("key", key);
    this.#require("elem", elem);
    return this.#once(`map ${id(key)} ${id(elem)}`, () => ({
      ...this.#pointerLayout,
      kind: Kind.Map,
      string: `map[${key.string}]${elem.string}`,
      key,
      elem,
    }));
  }

  /** `chan elem`: one word, a pointer to what the program keeps a channel in. */
  chan(elem: GoType): GoType {
    this.#require("elem", elem);
    return this.#once(`chan ${id(elem)}`, () => ({
      ...this.#pointerLayout,
      kind: Kind.Chan,
      string: `chan ${elem.string}`,
      elem,
    }));
  }

  /**
   * `func(params) results`: one word, a pointer to a closure. The last parameter of a variadic
   * function is given as the slice it is inside: `func([slice(int)], [], { variadic: true })` is
   * `func(...int)`.
   */
  func(
    params: readonly GoType[],
    results: readonly GoType[] = [],
    options: { readonly variadic?: boolean } = {},
  ): GoType {
    const { variadic = false } = options;
    this.#requireAll("params", params);
    this.#requireAll("results", results);
    if (variadic) requireVariadic(params);
    const key = `func ${params.map(id).join(" ")}${variadic ? "..." : ""} : ${
      results.map(id).join(" ")
    }`;
    return this.#once(key, () => ({
      ...this.#pointerLayout,
      kind: Kind.Func,
      string: funcString(params, results, variadic),
      params: [...params],
      results: [...results],
      variadic,
    }));
  }

  /** An interface type with the given methods; `interface({})` is `interface {}`. Two words. */
  interface(methods: Methods): GoType {
    const sorted = this.#methods("methods", methods, false).sort(byName);
    const key = sorted.map(({ name, type }) => `${name} ${id(type)}`).join(" ");
    return this.#once(`interface ${key}`, () => ({
      ...this.#interfaceLayout,
      kind: Kind.Interface,
      string: interfaceString(sorted),
      methods: sorted,
    }));
  }

  /**
   * A new type with a name and a method set, as `type name underlying` declares it. `name` is what Go
   * prints, with the package: `"main.T"`. The type and its methods may be given by functions of the
   * type itself, whose pointers, slices, maps, channels and functions can be made at once, arrays
   * and structs only when it is complete.
   *
   * @example A type with methods
   * ```ts
   * import { GoHeap } from "@goheap/goheap";
   * import { assertEquals } from "@std/assert";
   *
   * using heap = new GoHeap();
   * const { types } = heap;
   * const celsius = types.named("main.Celsius", types.float64, (self) => ({
   *   methods: { String: types.func([], [types.string]) },
   *   pointerMethods: { Add: types.func([self]) },
   * }));
   * assertEquals(celsius.methods.map(({ name }) => name), ["Add", "String"]);
   * ```
   */
  named(
    name: string,
    type: OfItself<GoType>,
    options: OfItself<NamedTypeOptions> = {},
  ): GoType {
    if (typeof name !== "string" || name === "") badArgument("name", name, "a string with a name");
    const self = this.#make(name, {
      ...scalarLayout(this.#rules, 0, 1),
      kind: Kind.Invalid,
      string: name,
    });
    const underlying = definition(type, self);
    this.#requireComplete("type", underlying);
    // Completed before its methods are known, so that those can mention arrays of it.
    const methods: GoMethod[] = underlying.kind === Kind.Interface ? [...underlying.methods] : [];
    completeType(self, underlying, methods);
    methods.push(...this.#declaredMethods(self, definition(options, self)));
    methods.sort(byName);
    return self;
  }

  /**
   * Which words of a value are pointers, in the form that Go 1.4 copies to its heap bitmap: two words a
   * byte, the first one in the low half, 4 for a scalar and 8 for a pointer. Behind an odd number of words
   * comes the first one again. All zero for a type without pointers. Seeds' `loadPtrMask`.
   *
   * @throws {GoThrow} `maxGCMask too small for now` for masks above 1 GiB
   *
   * @example The mask of a slice, three words
   * ```ts
   * import { GoHeap } from "@goheap/goheap";
   * import { assertEquals } from "@std/assert";
   *
   * using heap = new GoHeap({ platform: "linux/amd64" });
   * const { types } = heap;
   * assertEquals([...types.loadPtrMask(types.slice(types.int))], [0x48, 0x84]);
   * ```
   */
  loadPtrMask(type: GoType): Uint8Array {
    this.#requireComplete("type", type);
    return type.pointers.load();
  }

  /**
   * What an `interface {}` value of that type, null if it is nil, becomes in an interface with methods: its
   * itab, which the value in memory begins with. The same one each time. Seeds' `assertE2I`.
   *
   * @throws {GoPanic} `interface conversion: T is not I: missing method M`, or
   * `interface conversion: interface is nil, not I`
   * @throws {GoThrow} `internal error - misuse of itab` if the interface has no methods
   *
   * @example A method found through an interface
   * ```ts
   * import { GoHeap } from "@goheap/goheap";
   * import { assertEquals } from "@std/assert";
   *
   * using heap = new GoHeap();
   * const { types } = heap;
   * const methods = { String: types.func([], [types.string]) };
   * const stringer = types.named("fmt.Stringer", types.interface(methods));
   * const celsius = types.named("main.Celsius", types.float64, { methods });
   * assertEquals(types.assertE2I(stringer, celsius).methods.map(({ name }) => name), ["String"]);
   * assertEquals(types.assertE2I2(stringer, types.int), null);
   * ```
   */
  assertE2I(inter: GoType, type: GoType | null): Itab {
    return this.assertE2I2(inter, type) ?? failAssertion(inter, type);
  }

  /** As {@linkcode TypeTable.assertE2I}; null where that panics. Seeds' `assertE2I2`. */
  assertE2I2(inter: GoType, type: GoType | null): Itab | null {
    this.#requireComplete("inter", inter);
    if (type !== null) this.#requireComplete("type", type);
    return this.#itabs.getitab(inter, type);
  }

  /** The type whose descriptor has that address, as interfaces in memory refer to it; null if there is none. */
  typeAt(address: Pointer): GoType | null {
    return this.#byAddress.get(address) ?? null;
  }

  /** The itabs that were asked for so far. */
  get itabs(): readonly Itab[] {
    return this.#itabs.all();
  }

  #declaredMethods(self: GoType, options: NamedTypeOptions): GoMethod[] {
    const declared = [
      ...this.#methods("methods", options.methods ?? {}, false),
      ...this.#methods("pointerMethods", options.pointerMethods ?? {}, true),
    ];
    const taken = new Set(self.fields.map(({ name }) => name));
    for (const { name } of declared) {
      if (self.kind === Kind.Ptr || self.kind === Kind.Interface) {
        badArgument("methods", name, `no methods on ${self.string}, a pointer or an interface`);
      }
      if (taken.has(name)) badArgument("methods", name, `one field or method of that name`);
      taken.add(name);
    }
    return declared;
  }

  #methods(argument: string, methods: Methods, pointerReceiver: boolean): GoMethod[] {
    return entries(argument, methods).map(([name, type]): GoMethod => {
      this.#require(`${argument}.${name}`, type);
      if (type.kind !== Kind.Func || type.name !== "") {
        badArgument(`${argument}.${name}`, type.string, "a func type without a name");
      }
      return { name, type, pointerReceiver };
    });
  }

  #unnamedStruct(fields: Fields): GoType {
    const types = entries("fields", fields);
    for (const [name, type] of types) this.#requireComplete(`fields.${name}`, type);
    const key = types.map(([name, type]) => `${name} ${id(type)}`).join(" ");
    return this.#once(`struct ${key}`, () => {
      const layout = structLayout(this.#rules, types);
      const string = structString(layout.fields);
      return { ...layout, kind: Kind.Struct, string };
    });
  }

  #number(kind: Kind, name: string, size: number, align = size): GoType {
    return this.#plain(kind, name, scalarLayout(this.#rules, size, align));
  }

  #plain(kind: Kind, name: string, layout: Layout): GoType {
    return this.#make(name, { ...layout, kind, string: name });
  }

  #once(key: string, parts: () => Parts): GoType {
    let type = this.#unnamed.get(key);
    if (type === undefined) {
      type = this.#make("", parts());
      this.#unnamed.set(key, type);
    }
    return type;
  }

  #make(name: string, parts: Parts): GoType {
    const address = this.#allocateAddress(8 * this.#rules.pointerBytes + 8);
    requireInteger("address / 8", address / 8, 1);
    const shape = { ...NO_PARTS, ...parts };
    const type = new GoType(this, address, name, this.#patterns, shape);
    this.#byAddress.set(address, type);
    return type;
  }

  #require(argument: string, type: GoType): void {
    if (!(type instanceof GoType)) badArgument(argument, type, "a type");
    if (type.owner !== this) badArgument(argument, type.string, "a type made by this table");
  }

  #requireAll(argument: string, types: readonly GoType[]): void {
    if (!Array.isArray(types)) badArgument(argument, types, "an array of types");
    types.forEach((type, i) => this.#require(`${argument}[${i}]`, type));
  }

  #requireComplete(argument: string, type: GoType): void {
    this.#require(argument, type);
    if (type.kind === Kind.Invalid) {
      badArgument(argument, type.string, "a complete type, since no type can hold itself");
    }
  }
}

function definition<T>(value: OfItself<T>, self: GoType): T {
  return typeof value === "function" ? (value as (self: GoType) => T)(self) : value;
}

/** The address of a type stands for it in the keys of those that are made of it. */
function id(type: GoType): string {
  return type.address.toString(16);
}

/** Members by name, in order; identifiers, which JavaScript does not sort as it does numbers. */
function entries(argument: string, members: Readonly<Record<string, GoType>>): [string, GoType][] {
  if (typeof members !== "object" || members === null) {
    badArgument(argument, members, "an object of types by name");
  }
  const list = Object.entries(members);
  for (const [name] of list) {
    if (!IDENTIFIER.test(name)) badArgument(`a name in ${argument}`, name, "an identifier of Go");
  }
  return list;
}

function requireVariadic(params: readonly GoType[]): void {
  const last = params.at(-1);
  if (last === undefined || last.kind !== Kind.Slice || last.name !== "") {
    badArgument("params", last?.string, "a slice as the last one of a variadic function");
  }
}

function byName(a: GoMethod, b: GoMethod): number {
  return a.name < b.name ? -1 : 1;
}
