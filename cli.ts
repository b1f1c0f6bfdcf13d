#!/usr/bin/env -S deno run --allow-read --allow-write
/**
 * The `goheap` command: replays allocation traces of programs, compares settings of the collector by them,
 * looks into heap dumps, shows how Go types lie in memory, prints the size classes. What it takes is in lib/cli/command_table.ts.
 *
 * Exit codes: 0 all went well, 1 the input could not be used, 2 the arguments make no sense. Needs no
 * permission but to read the trace, and to write the files that it is asked for.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import config from "./deno.json" with { type: "json" };
import { classes } from "./lib/cli/classes.ts";
import { CommandError, type Terminal, UsageError } from "./lib/cli/command.ts";
import {
  allOptions,
  type CommandName,
  COMMANDS,
  type CommandSpec,
  COMMON_OPTIONS,
} from "./lib/cli/command_table.ts";
import { completions } from "./lib/cli/completions.ts";
import { dump } from "./lib/cli/dump.ts";
import { commandHelp, generalHelp } from "./lib/cli/help.ts";
import { layout } from "./lib/cli/layout.ts";
import {
  addressIn,
  bytesIn,
  countIn,
  fileIn,
  gcPercentIn,
  listIn,
  platformIn,
} from "./lib/cli/option_values.ts";
import { replay } from "./lib/cli/replay.ts";
import { tune } from "./lib/cli/tune.ts";
import { isTuneWorker } from "./lib/cli/tune_worker.ts";

/** Rows of a table of dump. */
const DEFAULT_TOP = 10;
/** More runs at a time than any machine has processors for. */
const MAX_JOBS = 1024;

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
  const [command, ...operands] = flags._.map(String);
  const isKnown = command !== undefined && Object.hasOwn(COMMANDS, command);
  const name = command as CommandName;
  if (flags.help) return terminal.out(isKnown ? commandHelp(name) : generalHelp());
  if (flags.version) return terminal.out(`goheap ${config.version}\n`);
  if (command === undefined) throw new UsageError("no command");
  if (!isKnown) throw new UsageError(`unknown command '${command}'`);
  refuseForeign(name, flags);
  await DOORS[name](flags, operandOf(name, operands), terminal);
}

/** The options that were given, by name: text, or true for a flag. */
type Flags = Readonly<Record<string, unknown>> & { readonly _: readonly (string | number)[] };

/** What runs each command, with its operand; one without an operand gets an empty text. */
const DOORS: Readonly<
  Record<
    CommandName,
    (flags: Flags, operand: string, terminal: Terminal) => void | Promise<void>
  >
> = {
  replay: (flags, trace, terminal) =>
    replay({
      trace,
      platform: platformOf(flags),
      gcPercent: gcPercentIn(text(flags, "gogc")),
      hasGctrace: isSet(flags, "gctrace"),
      isLenient: isSet(flags, "lenient"),
      sampleInterval: countIn(
        "sample-interval",
        text(flags, "sample-interval"),
        Number.MAX_SAFE_INTEGER,
      ),
      isJson: isSet(flags, "json"),
      heapDumpFile: fileIn("heapdump", text(flags, "heapdump")),
      htmlFile: fileIn("html", text(flags, "html")),
      profileFile: fileIn("profile", text(flags, "profile")),
    }, terminal),
  tune: (flags, trace, terminal) => {
    const platforms = text(flags, "platform");
    return tune({
      trace,
      platforms: platforms === undefined ? undefined : listIn("platform", platforms, platformIn),
      gcPercents: listIn("gogc", text(flags, "gogc") ?? "25,50,100,200,400", gcPercentIn),
      minHeaps: listIn("min-heap", text(flags, "min-heap") ?? "0,4MiB", (bytes) => {
        return bytesIn("min-heap", bytes);
      }),
      jobs: countIn("jobs", text(flags, "jobs"), MAX_JOBS),
      isLenient: isSet(flags, "lenient"),
      isJson: isSet(flags, "json"),
    }, terminal);
  },
  dump: (flags, file, terminal) =>
    dump({
      dump: file,
      top: countIn("top", text(flags, "top"), Number.MAX_SAFE_INTEGER) ?? DEFAULT_TOP,
      hasRetained: isSet(flags, "retained"),
      path: addressIn("path", text(flags, "path")),
      type: text(flags, "type"),
      isJson: isSet(flags, "json"),
    }, terminal),
  layout: (flags, type, terminal) =>
    layout({ type, platform: platformOf(flags), isJson: isSet(flags, "json") }, terminal),
  classes: (flags, _operand, terminal) =>
    classes({ platform: platformOf(flags), isJson: isSet(flags, "json") }, terminal),
  completions: (_flags, shell, terminal) => completions(shell, terminal),
};

function parse(args: string[]): Flags {
  const options = allOptions();
  const names = (isFlag: boolean) =>
    options.filter(({ value }) => (value === undefined) === isFlag).map(({ name }) => name);
  return parseArgs(args, {
    boolean: names(true),
    string: ["_", ...names(false)],
    alias: { h: "help" },
    unknown: (arg, key) => {
      if (key !== undefined) throw new UsageError(`unknown option '${arg}'`);
    },
  });
}

/** The value of an option that has one. */
function text(flags: Flags, option: string): string | undefined {
  const value = flags[option];
  return typeof value === "string" ? value : undefined;
}

/** The platform; undefined, which stands for this machine's, if none is given. */
function platformOf(flags: Flags): string | undefined {
  const name = text(flags, "platform");
  return name === undefined ? undefined : platformIn(name);
}

function isSet(flags: Flags, option: string): boolean {
  return flags[option] === true;
}

/** Refuses an option that belongs to another command. */
function refuseForeign(command: CommandName, flags: Flags): void {
  const own = [...COMMANDS[command].options, ...COMMON_OPTIONS].map(({ name }) => name);
  for (const { name } of allOptions()) {
    const isGiven = flags[name] !== undefined && flags[name] !== false;
    if (isGiven && !own.includes(name)) throw new UsageError(`${command} takes no --${name}`);
  }
}

/** The one operand of a command that takes one, or an empty text. */
function operandOf(command: CommandName, operands: readonly string[]): string {
  const { operand }: CommandSpec = COMMANDS[command];
  if (operand === undefined) {
    if (operands.length > 0) throw new UsageError(`${command} takes no file`);
    return "";
  }
  if (operands.length === 1) return operands[0];
  const what = operand.name.toLowerCase();
  throw new UsageError(`${command} takes one ${what}, got ${operands.length}`);
}

function writeAll(stream: typeof Deno.stdout | typeof Deno.stderr, text: string): void {
  let rest = new TextEncoder().encode(text);
  while (rest.length > 0) rest = rest.subarray(stream.writeSync(rest));
}

// In the bundle, a worker of tune is this very file, and main in its thread.
if (import.meta.main && !isTuneWorker()) {
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
