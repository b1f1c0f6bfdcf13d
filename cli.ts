#!/usr/bin/env -S deno run --allow-read
/**
 * The `goheap` command: replays allocation traces of Go programs, prints the size classes.
 *
 * Exit codes: 0 all went well, 1 the input could not be used, 2 the arguments make no sense. Needs no
 * permission but to read the trace.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import config from "./deno.json" with { type: "json" };
import { classes } from "./lib/cli/classes.ts";
import { CommandError, type Terminal, UsageError } from "./lib/cli/command.ts";
import { replay } from "./lib/cli/replay.ts";
import { PLATFORM_NAMES } from "./lib/platform/platform.ts";

const HELP = `goheap: Go's memory allocator and garbage collector, in TypeScript

Usage:
  goheap replay [options] TRACE   replay a Go program's allocations through a heap
  goheap classes [options]        print the size classes

TRACE is what a Go program writes to standard error under GODEBUG=allocfreetrace=1:
a file, plain or gzip, or - for standard input.

Options of replay:
  --gogc N|off     collect when the heap has grown by N percent (100); off: never
  --gctrace        print a line for each collection, as GODEBUG=gctrace=1 does
  --lenient        count malformed records and leave them out, in place of stopping

Options of both:
  --platform P     the platform whose heap it is, as GOOS/GOARCH (this machine's)
  --json           print one JSON object

  -h, --help       print this
  --version        print the version

NO_COLOR=1 in the environment turns bold headings off.
Exit codes: 0 success, 1 failure, 2 usage.
`;

/** The options of each command, besides --help and --version. */
const COMMANDS = {
  replay: ["platform", "json", "gogc", "gctrace", "lenient"],
  classes: ["platform", "json"],
} as const;

/** The largest GOGC, which Go keeps in an int32. */
const MAX_GOGC = 2 ** 31 - 1;

/** Runs the command with `args`, writing to `terminal`; returns the exit code. */
export async function main(args: string[], terminal: Terminal): Promise<number> {
  try {
    await run(args, terminal);
    return 0;
  } catch (error) {
    if (error instanceof CommandError) {
      terminal.err(`goheap: ${error.message}\n`);
      return 1;
    }
    if (error instanceof UsageError) {
      terminal.err(`goheap: ${error.message}\nTry 'goheap --help'.\n`);
      return 2;
    }
    throw error;
  }
}

async function run(args: string[], terminal: Terminal): Promise<void> {
  const flags = parse(args);
  if (flags.help) return terminal.out(HELP);
  if (flags.version) return terminal.out(`goheap ${config.version}\n`);
  const [command, ...operands] = flags._.map(String);
  if (command === undefined) throw new UsageError("no command");
  if (!Object.hasOwn(COMMANDS, command)) throw new UsageError(`unknown command '${command}'`);
  refuseForeign(command as keyof typeof COMMANDS, flags);
  const platform = platformIn(flags.platform);
  if (command === "classes") {
    if (operands.length > 0) throw new UsageError("classes takes no file");
    return classes({ platform, isJson: flags.json }, terminal);
  }
  if (operands.length !== 1) {
    throw new UsageError(`replay takes one trace, got ${operands.length}`);
  }
  await replay({
    trace: operands[0],
    platform,
    gcPercent: gcPercentIn(flags.gogc),
    hasGctrace: flags.gctrace,
    isLenient: flags.lenient,
    isJson: flags.json,
  }, terminal);
}

type Flags = ReturnType<typeof parse>;

function parse(args: string[]) {
  return parseArgs(args, {
    boolean: ["help", "version", "json", "gctrace", "lenient"],
    string: ["_", "platform", "gogc"],
    alias: { h: "help" },
    unknown: (arg, key) => {
      if (key !== undefined) throw new UsageError(`unknown option '${arg}'`);
    },
  });
}

/** Refuses an option that belongs to another command. */
function refuseForeign(command: keyof typeof COMMANDS, flags: Flags): void {
  const own: readonly string[] = COMMANDS[command];
  for (const name of COMMANDS.replay) {
    const isGiven = flags[name] !== undefined && flags[name] !== false;
    if (isGiven && !own.includes(name)) throw new UsageError(`${command} takes no --${name}`);
  }
}

function platformIn(value: string | undefined): string | undefined {
  if (value === undefined || PLATFORM_NAMES.includes(value)) return value;
  throw new UsageError(`--platform must be one of ${PLATFORM_NAMES.join(", ")}, not '${value}'`);
}

function gcPercentIn(value = "100"): number {
  if (value === "off") return -1;
  if (/^\d+$/.test(value) && Number(value) <= MAX_GOGC) return Number(value);
  throw new UsageError(
    `--gogc must be a whole number from 0 to ${MAX_GOGC}, or off, not '${value}'`,
  );
}

function writeAll(stream: typeof Deno.stdout | typeof Deno.stderr, text: string): void {
  let rest = new TextEncoder().encode(text);
  while (rest.length > 0) rest = rest.subarray(stream.writeSync(rest));
}

if (import.meta.main) {
  const terminal: Terminal = {
    out: (text) => writeAll(Deno.stdout, text),
    err: (text) => writeAll(Deno.stderr, text),
    isBold: Deno.stdout.isTerminal() && !Deno.noColor,
    hasProgress: Deno.stderr.isTerminal(),
  };
  try {
    Deno.exit(await main(Deno.args, terminal));
  } catch (error) {
    // Whoever read the other end of a pipe, head for one, has seen enough.
    if (error instanceof Deno.errors.BrokenPipe) Deno.exit(1);
    throw error;
  }
}
