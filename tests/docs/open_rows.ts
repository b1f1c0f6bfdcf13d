/**
 * The rows of docs/seeds.md that are still to be built, in the order of the page. A row that is built leaves
 * this list and gets its place and its test there.
 *
 * @module
 */

export const OPEN_ROWS: readonly string[] = [
  "Constants / HeapBase, HeapBaseOptions on arm64: one place, 0x40 << 32",
  "Constants / MaxArena32: 2 GiB",
  "Variables / MemProfileRate",
  "mallocgc: the way out / a profile rate: small enough objects are taken off next_sample",
  "mallocgc: the way out / FlagNoProfiling: no look at the rate",
  "mallocgc: the way out / the others are sampled",
  'largealloc (A); B\'s largeAlloc is called and not in the text / size + PageSize overflows: "out of memory"',
  "profilealloc / a size below the rate: the next sample is drawn anew",
  "profilealloc / a rate above 0x3fffffff is cut to that",
  "profilealloc / drawn from up to twice the rate",
  "profilealloc / less what this object was over; not below 0",
  "profilealloc / MProf_Malloc: the object gets its record",
  "findObject (B) and mlookup (A) / a page without a span (a hole in a 32-bit arena): nothing",
  "mallocinit (A; B's is not in the text) / 8-byte words and a limit of 1 GiB or less: as on 4-byte words",
  "mallocinit (A; B's is not in the text) / no base was free: as on 4-byte words",
  "mallocinit (A; B's is not in the text) / 4-byte words: bitmap for 2 GiB, spans for 2 GiB, an arena of 512 MiB",
  "mallocinit (A; B's is not in the text) / a limit that this exceeds: the bitmap is a ninth of it, the arena 8 times that",
  "mallocinit (A; B's is not in the text) / the hint: 256 KiB behind the program, rounded up to 1 MiB",
  'mallocinit (A; B\'s is not in the text) / SysReserve refuses: "runtime: cannot reserve arena virtual address space"',
  "MHeap_SysAlloc (A; B's is not in the text) / it does not fit: reserve n and a page more, in steps of 256 MiB, behind the arena, as far as MaxArena32 goes",
  "MHeap_SysAlloc (A; B's is not in the text) / that came where it was asked for: arena_end moves on",
  "MHeap_SysAlloc (A; B's is not in the text) / it came elsewhere, within MaxArena32: the arena goes on there, from a page's start",
  "MHeap_SysAlloc (A; B's is not in the text) / it came outside: given back",
  "MHeap_SysAlloc (A; B's is not in the text) / the result not at a page's start: \"misrounded allocation in MHeap_SysAlloc\"",
  "MHeap_SysAlloc (A; B's is not in the text) / 4-byte words, the reservation used up: SysAlloc anywhere; nil if that has none",
  "MHeap_SysAlloc (A; B's is not in the text) / it came outside the usable range: a line is printed, and it is given back",
  "MHeap_SysAlloc (A; B's is not in the text) / it came within: rounded to a page; arena_used and arena_end move on if it lies behind them",
  "SetFinalizer (B), KeepAlive (A) / the bytes of the results, each aligned, then rounded to words",
  "Go's own tests / TestMemoryProfiler",
];
