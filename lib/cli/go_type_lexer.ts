/**
 * The words of a Go type, as text: names, numbers, tags, and marks. As Go's own scanner does, this one
 * puts a semicolon at the end of a line that could end there, so that fields may stand in lines:
 *
 * ```
 * struct {                    struct {
 *   a, b int8       ──▶         a , b int8 ;
 *   next *T // list             next * T ;
 * }                           } ;
 * ```
 *
 * @module
 */

import { UsageError } from "./command.ts";

/** A word of a type. */
export interface Token {
  readonly kind: "name" | "keyword" | "number" | "tag" | "mark" | "end";
  /** The word itself; empty at the end. */
  readonly text: string;
  /** Where it begins in the source. */
  readonly at: number;
}

/** The words that no name may be; those that begin a type are among them. */
const KEYWORDS = new Set(
  ("break case chan const continue default defer else fallthrough for func go goto if import " +
    "interface map package range return select struct switch type var").split(" "),
);

const PATTERNS: readonly (readonly [kind: Token["kind"] | "space", pattern: RegExp])[] = [
  ["space", /[ \t\r\n]+|\/\/[^\n]*|\/\*[^]*?\*\//y],
  ["name", /[\p{L}_][\p{L}\p{Nd}_]*/uy],
  ["number", /\d[\w.]*/y],
  ["tag", /`[^`]*`|"(?:[^"\\\n]|\\.)*"/y],
  ["mark", /\.\.\.|<-|[*[\]{}();,.]/y],
];

const SEMICOLON = ";";

/** A `UsageError` that says what is wrong at a place of `source`, which need not be one line. */
export function typeError(source: string, at: number, what: string): UsageError {
  return new UsageError(`cannot read the type at ${placeIn(source, at)}: ${what}`);
}

/** Line and column of a place in `source`, from 1 on. */
export function placeIn(source: string, at: number): string {
  const lines = source.slice(0, at).split("\n");
  return `${lines.length}:${(lines.at(-1) ?? "").length + 1}`;
}

/** Cuts `source` into words; the last one is of kind "end". */
export function tokens(source: string): Token[] {
  const found: Token[] = [];
  const add = (kind: Token["kind"], text: string, at: number) => found.push({ kind, text, at });
  for (let at = 0; at < source.length;) {
    const { kind, text } = match(source, at);
    if (kind !== "space") add(KEYWORDS.has(text) ? "keyword" : kind, text, at);
    else if (isLineEnd(text) && mayEndLine(found.at(-1))) add("mark", SEMICOLON, at);
    at += text.length;
  }
  if (mayEndLine(found.at(-1))) add("mark", SEMICOLON, source.length);
  add("end", "", source.length);
  return found;
}

function match(source: string, at: number): { kind: Token["kind"] | "space"; text: string } {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = at;
    const text = pattern.exec(source)?.[0];
    if (text !== undefined) return { kind, text };
  }
  const [character] = source.slice(at);
  throw typeError(source, at, `no Go type has ${JSON.stringify(character)} there`);
}

/** A comment up to the end of its line leaves that to the space behind it. */
function isLineEnd(space: string): boolean {
  return space.includes("\n");
}

function mayEndLine(last: Token | undefined): boolean {
  if (last === undefined || last.kind === "keyword") return false;
  return last.kind !== "mark" || /^[\])}]$/.test(last.text);
}
