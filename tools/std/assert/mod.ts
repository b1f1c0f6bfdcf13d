/**
 * `@std/assert` for machines that reach npm and not JSR: the same code, from npm's `deno-std`, which
 * carries no types; `types.d.ts` beside this file gives them.
 *
 * @module
 */

// @ts-types="./types.d.ts"
export * from "deno-std/assert/mod.js";
