/**
 * The texts of unnamed types, as Go 1.4's runtime and `reflect` print them: `[]uint8` and not
 * `[]byte`, a blank inside the braces of `struct {}` and `interface {}`, no names of parameters.
 *
 * @module
 */

import type { GoField, GoMethod, GoType } from "./go_type.ts";

/** `func(int, ...string) bool`, `func() (int, error)`. */
export function funcString(
  params: readonly GoType[],
  results: readonly GoType[],
  variadic: boolean,
): string {
  return `func${signature(params, results, variadic)}`;
}

/** `struct { a int8; b *main.T }`. */
export function structString(fields: readonly GoField[]): string {
  return braced("struct", fields.map(({ name, type }) => `${name} ${type.string}`));
}

/** `interface { Len() int; Swap(int, int) }`. */
export function interfaceString(methods: readonly GoMethod[]): string {
  return braced(
    "interface",
    methods.map(({ name, type }) =>
      `${name}${signature(type.params, type.results, type.variadic)}`
    ),
  );
}

function signature(
  params: readonly GoType[],
  results: readonly GoType[],
  variadic: boolean,
): string {
  const last = params.length - 1;
  const texts = params.map(({ string }, i) =>
    variadic && i === last ? `...${string.slice("[]".length)}` : string
  );
  return `(${texts.join(", ")})${resultString(results)}`;
}

function resultString(results: readonly GoType[]): string {
  if (results.length === 0) return "";
  if (results.length === 1) return ` ${results[0].string}`;
  return ` (${results.map(({ string }) => string).join(", ")})`;
}

function braced(keyword: string, members: readonly string[]): string {
  return members.length === 0 ? `${keyword} {}` : `${keyword} { ${members.join("; ")} }`;
}
