/**
 * The rows of docs/seeds.md that are still to be built, in the order of the page. A row that is built leaves
 * this list and gets its place and its test there.
 *
 * @module
 */

export const OPEN_ROWS: readonly string[] = [
  "Variables / MemProfileRate",
  "mallocgc: the way out / a profile rate: small enough objects are taken off next_sample",
  "mallocgc: the way out / FlagNoProfiling: no look at the rate",
  "mallocgc: the way out / the others are sampled",
  "profilealloc / a size below the rate: the next sample is drawn anew",
  "profilealloc / a rate above 0x3fffffff is cut to that",
  "profilealloc / drawn from up to twice the rate",
  "profilealloc / less what this object was over; not below 0",
  "profilealloc / MProf_Malloc: the object gets its record",
  "Go's own tests / TestMemoryProfiler",
];
