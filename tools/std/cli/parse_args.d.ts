/**
 * Types of `@std/cli/parse-args` 1.0, simplified: option lists must be arrays, a name with a dot is an
 * ordinary name, and an alias gets no property of its own in the result.
 *
 * @module
 */

/** What {@linkcode parseArgs} takes: each list holds the names of flags, without dashes. */
export interface ParseOptions<
  B extends string = string,
  S extends string = string,
  C extends string = string,
  N extends string = string,
  D extends Record<string, unknown> = Record<string, unknown>,
  DD extends boolean = boolean,
> {
  "--"?: DD;
  alias?: Record<string, string | readonly string[]>;
  boolean?: readonly B[];
  string?: readonly S[];
  collect?: readonly C[];
  negatable?: readonly N[];
  default?: D;
  stopEarly?: boolean;
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** The value of flag `K`: booleans are always there, strings only if given or with a default. */
type Value<K extends string, C extends string, V, Absent> = K extends C ? V[] : V | Absent;
type Default<K extends string, D, Otherwise> = K extends keyof D ? D[K] : Otherwise;

/** What {@linkcode parseArgs} returns. */
export type Args<
  B extends string,
  S extends string,
  C extends string,
  D extends Record<string, unknown>,
  DD extends boolean,
> =
  & { [K in Exclude<B, "_">]: Value<K, C, boolean, Default<K, D, never>> }
  & { [K in Exclude<S, "_">]: Value<K, C, string, Default<K, D, undefined>> }
  & { [K in Exclude<C, B | S>]: unknown[] }
  & { [K in Exclude<keyof D & string, B | S | C>]: unknown }
  & { _: "_" extends S ? string[] : (string | number)[] }
  & ([DD] extends [true] ? { "--": string[] } : unknown);

export function parseArgs<
  B extends string = never,
  S extends string = never,
  C extends string = never,
  N extends B = never,
  D extends Record<string, unknown> = Record<never, never>,
  DD extends boolean = false,
>(args: string[], options?: ParseOptions<B, S, C, N, D, DD>): Args<B, S, C, D, DD>;
