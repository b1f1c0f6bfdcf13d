/**
 * The rows of docs/seeds.md that are still to be built, in the order of the page. A row that is built leaves
 * this list and gets its place and its test there.
 *
 * @module
 */

export const OPEN_ROWS: readonly string[] = [];
