/**
 * The help of goheap and of each command, written from the table of commands.
 *
 * @module
 */

import {
  commandEntries,
  type CommandName,
  COMMANDS,
  type CommandSpec,
  COMMON_OPTIONS,
  type OptionSpec,
} from "./command_table.ts";

const END = `NO_COLOR=1 in the environment turns bold headings off.
Exit codes: 0 success, 1 failure, 2 usage.
`;

/** What `goheap --help` prints. */
export function generalHelp(): string {
  const commands = commandEntries().map(([name, spec]) => [usage(name, spec), spec.summary]);
  return `goheap: Go's memory allocator and garbage collector, in TypeScript

Usage:
${inColumns(commands)}

${optionLines(COMMON_OPTIONS)}

'goheap COMMAND --help' tells what a command takes.
${END}`;
}

/** What `goheap COMMAND --help` prints. */
export function commandHelp(name: CommandName): string {
  const spec: CommandSpec = COMMANDS[name];
  const examples = spec.examples.map(([args, what]) => [
    args.startsWith(name) ? `goheap ${args}` : args,
    what,
  ]);
  const sections = [
    `Usage:\n${inColumns([[usage(name, spec), spec.summary]])}`,
    ...(spec.notes === undefined ? [] : [spec.notes.join("\n")]),
    `Options:\n${optionLines([...spec.options, ...COMMON_OPTIONS])}`,
    `Examples:\n${inColumns(examples)}`,
  ];
  return `${sections.join("\n\n")}\n\n${END}`;
}

function usage(name: string, { operand, options }: CommandSpec): string {
  return ["goheap", name, options.length > 0 ? "[options]" : "", operand?.name ?? ""]
    .filter((word) => word !== "")
    .join(" ");
}

function optionLines(options: readonly OptionSpec[]): string {
  return inColumns(options.map(({ name, value, help }) => {
    const dashed = name === "help" ? "-h, --help" : `--${name}`;
    return [value === undefined ? dashed : `${dashed} ${value.name}`, help];
  }));
}

function inColumns(rows: readonly (readonly string[])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}   ${right}`).join("\n");
}
