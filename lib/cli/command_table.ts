/**
 * The commands of goheap and their options: the one table that arguments are read by, and that help and
 * completions are written from. A command or an option that is not here does not exist.
 *
 * @module
 */

import { PLATFORM_NAMES } from "../platform/platform.ts";

/** What stands for one argument: an option's value, or what a command is about. */
export interface ValueSpec {
  /** What help calls it: `TRACE`, `N|off`. */
  readonly name: string;
  /** What a shell offers for it: the names of files, these words, or nothing. */
  readonly offers: "files" | readonly string[];
  /** Whether several can be given with commas between them. */
  readonly isList?: boolean;
}

/** An option of a command. */
export interface OptionSpec {
  /** Its name, without dashes. */
  readonly name: string;
  /** Its value; an option without one is a flag. */
  readonly value?: ValueSpec;
  /** What it does, in one line. */
  readonly help: string;
}

/** A command. */
export interface CommandSpec {
  /** What it does, in one line. */
  readonly summary: string;
  /** What it is about; a command without one takes only options. */
  readonly operand?: ValueSpec;
  /** Its options, besides those that every command has. */
  readonly options: readonly OptionSpec[];
  /** What there is to know beyond the options. */
  readonly notes?: readonly string[];
  /** Arguments worth trying, and what they show. */
  readonly examples: readonly (readonly [args: string, what: string])[];
}

/** What a shell offers for GOGC. */
const GOGC_VALUES = ["25", "50", "100", "200", "400", "off"];
/** The shells that completions are written for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

const TRACE: ValueSpec = { name: "TRACE", offers: "files" };

const TRACE_NOTES = [
  "TRACE is what a Go program writes to standard error under GODEBUG=allocfreetrace=1, or a .rep",
  "trace of CS:APP's malloc lab: a file, plain or gzip, or - for standard input.",
];

const PLATFORM: OptionSpec = {
  name: "platform",
  value: { name: "P", offers: PLATFORM_NAMES },
  help: "the platform whose heap it is, as GOOS/GOARCH (this machine's)",
};

const JSON_FLAG: OptionSpec = { name: "json", help: "print one JSON object" };

const LENIENT: OptionSpec = {
  name: "lenient",
  help: "count malformed records and leave them out, in place of stopping",
};

/** The options that every command has, and goheap by itself. */
export const COMMON_OPTIONS: readonly OptionSpec[] = [
  { name: "help", help: "print this" },
  { name: "version", help: "print the version" },
];

/** The commands by name, in the order in which help lists them. */
export const COMMANDS = {
  replay: {
    summary: "replay a program's allocations through a heap",
    operand: TRACE,
    options: [
      {
        name: "gogc",
        value: { name: "N|off", offers: GOGC_VALUES },
        help: "collect when the heap has grown by N percent (100); off: never",
      },
      { name: "gctrace", help: "print a line for each collection, as GODEBUG=gctrace=1 does" },
      {
        name: "sample-interval",
        value: { name: "N", offers: ["100", "1000", "10000"] },
        help: "print the heap's size after every N events and each collection, as CSV",
      },
      {
        name: "heapdump",
        value: { name: "FILE", offers: "files" },
        help: "write a dump of the heap at the end, for goheap dump; .gz is compressed",
      },
      {
        name: "html",
        value: { name: "FILE", offers: "files" },
        help: "write a page with charts of the heap over time, to be opened in a browser",
      },
      {
        name: "profile",
        value: { name: "FILE", offers: "files" },
        help: "write who allocated what, for go tool pprof: .pb.gz, or Go's old text",
      },
      LENIENT,
      PLATFORM,
      { ...JSON_FLAG, help: "print one JSON object; with --sample-interval one a line" },
    ],
    notes: TRACE_NOTES,
    examples: [
      ["replay --gctrace trace.txt.gz", "what the heap did, collection by collection"],
      ["replay --gogc 50 --json trace.txt.gz", "the same as data, with half the garbage"],
      ["replay --html report.html trace.txt.gz", "a page with charts"],
      ["replay --sample-interval 1000 short1-bal.rep", "the heap's size over time, for a chart"],
      ["replay --heapdump end.heapdump trace.txt.gz", "what is left at the end, for goheap dump"],
      ["replay --profile heap.pb.gz trace.txt.gz", "who allocated it, for go tool pprof"],
    ],
  },
  tune: {
    summary: "compare settings of the collector by a program's allocations",
    operand: TRACE,
    options: [
      {
        name: "gogc",
        value: { name: "N|off,...", offers: GOGC_VALUES, isList: true },
        help: "the values of GOGC to try (25,50,100,200,400)",
      },
      {
        name: "min-heap",
        value: { name: "BYTES,...", offers: ["0", "1MiB", "4MiB", "16MiB", "64MiB"], isList: true },
        help: "heaps too small to be collected (0,4MiB): 0 is Go 1.4, 4MiB is Go since 1.5",
      },
      {
        ...PLATFORM,
        value: { name: "P,...", offers: PLATFORM_NAMES, isList: true },
        help: "the platforms to try (this machine's)",
      },
      {
        name: "jobs",
        value: { name: "N", offers: ["1", "2", "4", "8"] },
        help: "runs at a time (one a processor); 1 starts no worker",
      },
      LENIENT,
      JSON_FLAG,
    ],
    notes: [
      ...TRACE_NOTES,
      "",
      "Each row is a replay of the whole trace, with the sizes that the trace has, on every platform.",
      "peak is the most that spans of objects took at once; waste is what of it was not live: garbage,",
      "free blocks, and what objects leave of their blocks.",
    ],
    examples: [
      ["tune trace.txt.gz", "what GOGC costs and saves"],
      ["tune --gogc 50,100,off --min-heap 0 short1-bal.rep", "three rows"],
      ["tune --platform linux/amd64,windows/amd64 --json trace.txt.gz", "two platforms, as data"],
    ],
  },
  dump: {
    summary: "tell what is in a heap dump, and who keeps it alive",
    operand: { name: "DUMP", offers: "files" },
    options: [
      { name: "retained", help: "print the roots and the objects that keep most alive" },
      {
        name: "path",
        value: { name: "ADDRESS", offers: [] },
        help: "print the shortest path from a root to an object, and what all paths share",
      },
      {
        name: "type",
        value: { name: "T", offers: [] },
        help: "print the objects of a type, as Go prints it",
      },
      {
        name: "top",
        value: { name: "N", offers: ["10", "20", "50"] },
        help: "print so many rows of a table (10)",
      },
      JSON_FLAG,
    ],
    notes: [
      "DUMP is what debug.WriteHeapDump of Go 1.4 writes, or writeHeapDump() of a GoHeap: a file, plain or",
      "gzip, or - for standard input. Retained bytes are what would go if the object, or the root, did.",
      "Types are known where the heap recorded them, else of what interfaces and finalizers refer to.",
    ],
    examples: [
      ["dump heap.dump", "statistics, objects by size and by type"],
      ["dump --retained --top 20 heap.dump", "where the memory is kept"],
      ["dump --path 0xc208066a00 heap.dump", "why an object is still there"],
    ],
  },
  layout: {
    summary: "show how a Go type lies in memory, and what order of fields is best",
    operand: { name: "TYPE", offers: [] },
    options: [
      { ...PLATFORM, help: "the platform that lays it out, as GOOS/GOARCH (this machine's)" },
      JSON_FLAG,
    ],
    notes: [
      "TYPE is a Go type, in quotes for the shell, or a declaration such as type T struct { ... }.",
      "Names that Go does not know by itself can stand where the size does not depend on them: behind a",
      "pointer, in a slice, map, channel, function or interface.",
    ],
    examples: [
      ["layout 'struct { a int8; b *T; c []byte }'", "offsets, padding, pointers, size class"],
      ["layout --platform linux/386 '[4]struct { n int64; ok bool }'", "the same on 32 bits"],
    ],
  },
  classes: {
    summary: "print the size classes",
    options: [PLATFORM, JSON_FLAG],
    examples: [["classes", "block sizes, and what each can waste"]],
  },
  completions: {
    summary: "print a script that completes goheap's arguments in a shell",
    operand: { name: "SHELL", offers: SHELLS },
    options: [],
    notes: [`SHELL is one of ${SHELLS.join(", ")}.`],
    examples: [
      ['eval "$(goheap completions bash)"', "in ~/.bashrc"],
      ['completions zsh > "${fpath[1]}/_goheap"', "once, for zsh"],
      ["completions fish > ~/.config/fish/completions/goheap.fish", "once, for fish"],
    ],
  },
} as const satisfies Readonly<Record<string, CommandSpec>>;

/** The name of a command. */
export type CommandName = keyof typeof COMMANDS;

/** Every command with its name. */
export function commandEntries(): readonly (readonly [CommandName, CommandSpec])[] {
  return Object.entries(COMMANDS) as [CommandName, CommandSpec][];
}

/** The options of all commands, and those that every one has; each name once. */
export function allOptions(): OptionSpec[] {
  const byName = new Map<string, OptionSpec>();
  for (const option of COMMON_OPTIONS) byName.set(option.name, option);
  for (const [, { options }] of commandEntries()) {
    for (const option of options) byName.set(option.name, option);
  }
  return [...byName.values()];
}
