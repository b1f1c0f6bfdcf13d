/**
 * A Go type as it is written: what the parser makes and layouts are computed from.
 *
 * @module
 */

/** A Go type. */
export type TypeNode =
  /** One that Go knows by itself: `int`, `error`, `unsafe.Pointer`. */
  | { readonly kind: "basic"; readonly name: string }
  /** A name that it does not know, and where that stands in the source. */
  | { readonly kind: "unknown"; readonly name: string; readonly at: number }
  | { readonly kind: "pointer" | "slice"; readonly elem: TypeNode }
  | { readonly kind: "array"; readonly length: number; readonly elem: TypeNode }
  | { readonly kind: "map"; readonly key: TypeNode; readonly elem: TypeNode }
  | { readonly kind: "chan"; readonly direction: ChanDirection; readonly elem: TypeNode }
  | ({ readonly kind: "func" } & Signature)
  | { readonly kind: "interface"; readonly members: readonly InterfaceMember[] }
  | StructNode;

/** A struct type. */
export interface StructNode {
  readonly kind: "struct";
  readonly fields: readonly FieldNode[];
}

/** The beginning of a channel type. */
export type ChanDirection = "chan" | "chan<-" | "<-chan";

/** What a function takes and returns. */
export interface Signature {
  readonly params: readonly TypeNode[];
  /** Whether the last parameter is any number of its type. */
  readonly isVariadic: boolean;
  readonly results: readonly TypeNode[];
}

/** A method of an interface, or the name of an interface whose methods it has. */
export type InterfaceMember = string | { readonly name: string; readonly signature: Signature };

/** A field of a struct; one that is embedded is named after its type. */
export interface FieldNode {
  readonly name: string;
  readonly type: TypeNode;
  readonly isEmbedded: boolean;
}

/** The type as Go's formatter would write it in one line, without tags and names of parameters. */
export function typeText(node: TypeNode): string {
  switch (node.kind) {
    case "basic":
    case "unknown":
      return node.name;
    case "pointer":
      return `*${typeText(node.elem)}`;
    case "slice":
      return `[]${typeText(node.elem)}`;
    case "array":
      return `[${node.length}]${typeText(node.elem)}`;
    case "map":
      return `map[${typeText(node.key)}]${typeText(node.elem)}`;
    case "chan":
      return `${node.direction} ${chanElemText(node.elem)}`;
    case "func":
      return `func${signatureText(node)}`;
    case "interface":
      return braced("interface", node.members.map(memberText));
    case "struct":
      return braced("struct", node.fields.map(fieldText));
  }
}

/** A channel of channels that only receive needs parentheses: `chan <-chan int` is one that only sends. */
function chanElemText(elem: TypeNode): string {
  const text = typeText(elem);
  return elem.kind === "chan" && elem.direction === "<-chan" ? `(${text})` : text;
}

function memberText(member: InterfaceMember): string {
  return typeof member === "string" ? member : `${member.name}${signatureText(member.signature)}`;
}

function fieldText({ name, type, isEmbedded }: FieldNode): string {
  return isEmbedded ? typeText(type) : `${name} ${typeText(type)}`;
}

function signatureText({ params, isVariadic, results }: Signature): string {
  const last = params.length - 1;
  const texts = params.map((type, i) =>
    `${isVariadic && i === last ? "..." : ""}${typeText(type)}`
  );
  return `(${texts.join(", ")})${resultText(results.map(typeText))}`;
}

function resultText(results: readonly string[]): string {
  if (results.length === 0) return "";
  return results.length === 1 ? ` ${results[0]}` : ` (${results.join(", ")})`;
}

function braced(keyword: string, members: readonly string[]): string {
  return members.length === 0 ? `${keyword} {}` : `${keyword} { ${members.join("; ")} }`;
}
