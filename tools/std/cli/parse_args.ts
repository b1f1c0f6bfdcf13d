/**
 * `@std/cli/parse-args` for machines that reach npm and not JSR: the same code, from npm's `deno-std`,
 * which carries no types; `parse_args.d.ts` beside this file gives them. The rest of `@std/cli` is left
 * out: that package lacks the data of unicode-width and everything marked unstable, progress bars too.
 *
 * @module
 */

// @ts-types="./parse_args.d.ts"
export * from "deno-std/cli/parse_args.js";
