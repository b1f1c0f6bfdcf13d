/**
 * Reads a Go type from its text: the types of Go 1.4, in any form that Go accepts.
 *
 * ```
 * Type      = Name | "*" Type | "[" [ Number ] "]" Type | "map" "[" Type "]" Type | Chan
 *           | "func" Signature | "interface" "{" ... "}" | "struct" "{" { Field ";" } "}" | "(" Type ")"
 * Chan      = ( "chan" | "chan" "<-" | "<-" "chan" ) Type
 * Signature = "(" ... ")" [ Type | "(" ... ")" ]
 * Field     = ( Name { "," Name } Type | [ "*" ] Name ) [ Tag ]
 * ```
 *
 * A declaration, `type T struct { ... }`, is read as what T is. Names that Go does not know are kept as
 * such; whether their size is needed is for the layout to say.
 *
 * @module
 */

import { type Token, tokens, typeError } from "./go_type_lexer.ts";
import type {
  ChanDirection,
  FieldNode,
  InterfaceMember,
  Signature,
  TypeNode,
} from "./go_type_node.ts";

/** The types that Go knows by name, with what `any` became later. */
const BASIC = new Set(
  ("bool byte rune int int8 int16 int32 int64 uint uint8 uint16 uint32 uint64 uintptr " +
    "float32 float64 complex64 complex128 string error any unsafe.Pointer").split(" "),
);

/** Types in types in types: as deep as any program's, and no deeper than the stack. */
const MAX_DEPTH = 200;

const NUMBER = /^(?:0|[1-9](?:_?\d)*|0[xX](?:_?[\da-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+)$/;

const TYPE_KEYWORDS = new Set(["struct", "map", "chan", "func", "interface"]);
const TYPE_MARKS = new Set(["*", "[", "(", "<-"]);

/** A parameter as far as it can be understood before the others are read. */
interface Parameter {
  readonly name: Token | null;
  readonly type: TypeNode;
  readonly isVariadic: boolean;
}

/** Reads a type; throws a `UsageError` that names the place where `source` is none. */
export function parseGoType(source: string): TypeNode {
  return new Parser(source).whole();
}

class Parser {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
    this.#tokens = tokens(source);
  }

  whole(): TypeNode {
    if (this.#take("type")) this.#name("the name of the type that is declared");
    const type = this.#type("a type");
    this.#take(";");
    if (this.#peek.kind !== "end") this.#fail("the end");
    return type;
  }

  /** Reads a type, which messages call `what`. */
  #type(what: string): TypeNode {
    if (++this.#depth > MAX_DEPTH) {
      throw typeError(this.#source, this.#peek.at, `types are nested more than ${MAX_DEPTH} deep`);
    }
    const type = this.#oneType(what);
    this.#depth--;
    return type;
  }

  #oneType(what: string): TypeNode {
    if (this.#peek.kind === "name") return this.#named(what);
    if (this.#take("*")) return { kind: "pointer", elem: this.#type("what the pointer points to") };
    if (this.#take("[")) return this.#arrayOrSlice();
    if (this.#take("struct")) return { kind: "struct", fields: this.#fields() };
    if (this.#take("map")) return this.#map();
    if (this.#take("func")) return { kind: "func", ...this.#signature() };
    if (this.#take("interface")) return { kind: "interface", members: this.#members() };
    if (this.#take("<-")) {
      this.#expect("chan", "chan after <-");
      return this.#chan("<-chan");
    }
    if (this.#take("chan")) return this.#chan(this.#take("<-") ? "chan<-" : "chan");
    if (this.#take("(")) {
      const type = this.#type("a type");
      this.#expect(")", ") after the type");
      return type;
    }
    return this.#fail(what);
  }

  #named(what: string): TypeNode {
    const { at } = this.#peek;
    const name = this.#qualifiedName(what);
    return BASIC.has(name) ? { kind: "basic", name } : { kind: "unknown", name, at };
  }

  #qualifiedName(what: string): string {
    const { text } = this.#name(what);
    return this.#take(".") ? `${text}.${this.#name("a name after the dot").text}` : text;
  }

  #arrayOrSlice(): TypeNode {
    if (this.#take("]")) return { kind: "slice", elem: this.#type("the slice's element") };
    const { kind, text } = this.#peek;
    const length = kind === "number" && NUMBER.test(text) ? Number(text.replaceAll("_", "")) : -1;
    if (!Number.isSafeInteger(length) || length < 0) {
      this.#fail("the array's length as a whole number");
    }
    this.#next++;
    this.#expect("]", "] after the array's length");
    return { kind: "array", length, elem: this.#type("the array's element") };
  }

  #map(): TypeNode {
    this.#expect("[", "[ after map");
    const { at } = this.#peek;
    const key = this.#type("the map's key");
    if (key.kind === "slice" || key.kind === "map" || key.kind === "func") {
      throw typeError(this.#source, at, `a ${key.kind} cannot be the key of a map`);
    }
    this.#expect("]", "] after the map's key");
    return { kind: "map", key, elem: this.#type("the map's element") };
  }

  #chan(direction: ChanDirection): TypeNode {
    return { kind: "chan", direction, elem: this.#type("the channel's element") };
  }

  #fields(): FieldNode[] {
    this.#expect("{", "{ after struct");
    const fields: FieldNode[] = [];
    const taken = new Set<string>();
    while (!this.#take("}")) {
      const { at } = this.#peek;
      for (const field of this.#fieldLine()) {
        if (field.name !== "_" && taken.has(field.name)) {
          throw typeError(this.#source, at, `field ${field.name} is declared twice`);
        }
        taken.add(field.name);
        fields.push(field);
      }
      if (this.#peek.kind === "tag") this.#next++;
      if (!this.#is("}")) this.#expect(";", "; or } after the field");
    }
    return fields;
  }

  /** Reads what stands between two semicolons: names with a type, or an embedded type. */
  #fieldLine(): FieldNode[] {
    const what = "a field's name or }";
    if (this.#take("*")) {
      const elem = this.#named("the embedded type's name");
      return [embedded({ kind: "pointer", elem }, elem)];
    }
    const after = this.#tokens[this.#next + 1];
    const isEmbedded = this.#peek.kind === "name" &&
      (after.kind === "tag" || /^[.;}]$/.test(after.text));
    if (isEmbedded) {
      const type = this.#named(what);
      return [embedded(type, type)];
    }
    const names = [this.#name(what).text];
    while (this.#take(",")) names.push(this.#name("another field's name").text);
    const type = this.#type(`the type of field ${names.at(-1)}`);
    return names.map((name) => ({ name, type, isEmbedded: false }));
  }

  #members(): InterfaceMember[] {
    this.#expect("{", "{ after interface");
    const members: InterfaceMember[] = [];
    while (!this.#take("}")) {
      const name = this.#qualifiedName("a method's name or }");
      members.push(this.#is("(") ? { name, signature: this.#signature() } : name);
      if (!this.#is("}")) this.#expect(";", "; or } after the method");
    }
    return members;
  }

  #signature(): Signature {
    const { types: params, isVariadic } = this.#parameters();
    if (this.#is("(")) {
      const { types: results, isVariadic: isBad } = this.#parameters();
      if (isBad) {
        throw typeError(this.#source, this.#tokens[this.#next - 1].at, "a result cannot have ...");
      }
      return { params, isVariadic, results };
    }
    return { params, isVariadic, results: this.#beginsType() ? [this.#type("a result")] : [] };
  }

  #parameters(): { types: TypeNode[]; isVariadic: boolean } {
    this.#expect("(", "( before the parameters");
    const parameters: Parameter[] = [];
    while (!this.#take(")")) {
      parameters.push(this.#parameter());
      if (!this.#is(")")) this.#expect(",", ", or ) after the parameter");
    }
    const isMixed = parameters.some(({ isVariadic }, i) => isVariadic && i < parameters.length - 1);
    if (isMixed) {
      throw typeError(this.#source, this.#tokens[this.#next - 1].at, "only the last may have ...");
    }
    return {
      types: parameterTypes(parameters),
      isVariadic: parameters.at(-1)?.isVariadic ?? false,
    };
  }

  /** Reads `Type`, `name Type` or, of `a, b Type`, `a`, which looks like the first. */
  #parameter(): Parameter {
    const first = this.#peek;
    if (this.#take("...")) {
      return { name: null, type: this.#type("the last parameter's type"), isVariadic: true };
    }
    const type = this.#type("a parameter or )");
    const isName = first.kind === "name" && this.#tokens[this.#next - 1] === first;
    const isVariadic = isName && this.#take("...");
    if (!isVariadic && !(isName && this.#beginsType())) {
      return { name: null, type, isVariadic: false };
    }
    return { name: first, type: this.#type(`the type of parameter ${first.text}`), isVariadic };
  }

  get #peek(): Token {
    return this.#tokens[this.#next];
  }

  #is(text: string): boolean {
    const { kind } = this.#peek;
    return (kind === "mark" || kind === "keyword") && this.#peek.text === text;
  }

  #take(text: string): boolean {
    const isThere = this.#is(text);
    if (isThere) this.#next++;
    return isThere;
  }

  #expect(text: string, what: string): void {
    if (!this.#take(text)) this.#fail(what);
  }

  #name(what: string): Token {
    if (this.#peek.kind !== "name") this.#fail(what);
    return this.#tokens[this.#next++];
  }

  #beginsType(): boolean {
    const { kind, text } = this.#peek;
    if (kind === "keyword") return TYPE_KEYWORDS.has(text);
    return kind === "name" || (kind === "mark" && TYPE_MARKS.has(text));
  }

  #fail(expected: string): never {
    const { at, text } = this.#peek;
    const got = at === this.#source.length ? "the end" : JSON.stringify(text);
    throw typeError(this.#source, at, `expected ${expected}, got ${got}`);
  }
}

function embedded(type: TypeNode, named: TypeNode): FieldNode {
  const name = "name" in named ? named.name : "";
  return { name: name.slice(name.lastIndexOf(".") + 1), type, isEmbedded: true };
}

/** If one parameter has a name all have, and those without a type of their own have that of the next one. */
function parameterTypes(parameters: readonly Parameter[]): TypeNode[] {
  const types = parameters.map(({ type }) => type);
  if (parameters.every(({ name }) => name === null)) return types;
  for (let i = types.length - 2; i >= 0; i--) {
    if (parameters[i].name === null) types[i] = types[i + 1];
  }
  return types;
}
