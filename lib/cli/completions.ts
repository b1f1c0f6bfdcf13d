/**
 * `goheap completions`: scripts that complete the command's arguments in bash, zsh and fish.
 *
 * They are written from the table of commands and know all of it, so that a shell need not start the
 * command at each press of the key, which takes a Deno a tenth of a second; the libraries for this on npm
 * do. Values of lists are completed one by one, behind the last comma.
 *
 * @module
 */

import { type Terminal, UsageError } from "./command.ts";
import {
  commandEntries,
  type CommandName,
  type CommandSpec,
  COMMON_OPTIONS,
  type OptionSpec,
  SHELLS,
  type ValueSpec,
} from "./command_table.ts";

type Shell = typeof SHELLS[number];
type Entry = readonly [CommandName, CommandSpec];

const SCRIPTS: Readonly<Record<Shell, () => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** Prints the script for `shell`; throws a `UsageError` if there is none. */
export function completions(shell: string, terminal: Terminal): void {
  terminal.out(completionScript(shell));
}

/** The script for `shell`. */
export function completionScript(shell: string): string {
  const known = SHELLS.find((name) => name === shell);
  if (known === undefined) {
    throw new UsageError(`completions are for ${SHELLS.join(", ")}, not '${shell}'`);
  }
  return SCRIPTS[known]();
}

/** All options of a command, those included that every command has. */
function optionsOf({ options }: CommandSpec): readonly OptionSpec[] {
  return [...options, ...COMMON_OPTIONS];
}

/** How an option is typed: `--json`, and `-h` beside `--help`. */
function dashed({ name }: OptionSpec): string[] {
  return name === "help" ? ["-h", "--help"] : [`--${name}`];
}

/** `text` in single quotes, in which bash and zsh take everything as it is. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** What stands for an operand or an option's value, if it is words and not the names of files. */
function words(value: ValueSpec | undefined): readonly string[] {
  return value === undefined || value.offers === "files" ? [] : value.offers;
}

/**
 * bash cuts words at = too, so that an option stands one or two words before its value. Where nothing is
 * offered, `-o default` offers the names of files.
 */
function bashScript(): string {
  const entries = commandEntries();
  const first = [...entries.map(([name]) => name), ...COMMON_OPTIONS.flatMap(dashed)];
  return `# goheap in bash: eval "$(goheap completions bash)"

# Offers words ($1) for what is typed ($2); of a list ($3), for what follows its last comma.
_goheap_offer() {
  local kept=
  [[ \${3-} == list && $2 == *,* ]] && kept=\${2%,*},
  COMPREPLY=($(compgen -P "$kept" -W "$1" -- "\${2#"$kept"}"))
}

_goheap() {
  local typed=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} command= i
  if [[ $typed == = ]]; then
    typed=
  elif [[ $before == = ]]; then
    before=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      ${entries.map(([name]) => name).join("|")}) command=\${COMP_WORDS[i]} && break ;;
    esac
  done
  COMPREPLY=()
  case "$command $before" in
${entries.flatMap(bashValueCases).join("\n")}
    *)
      case "$command $typed" in
        " "*) _goheap_offer "${first.join(" ")}" "$typed" ;;
${entries.flatMap(bashCommandCases).join("\n")}
      esac
      ;;
  esac
}

complete -o default -F _goheap goheap
`;
}

function bashValueCases([command, { options }]: Entry): string[] {
  return options.filter(({ value }) => value !== undefined).map(({ name, value }) => {
    const list = value?.isList === true ? " list" : "";
    return `    "${command} --${name}") ` +
      `_goheap_offer "${words(value).join(" ")}" "$typed"${list} ;;`;
  });
}

function bashCommandCases([name, spec]: Entry): string[] {
  const options = optionsOf(spec).flatMap(dashed).join(" ");
  const cases = [`        "${name} -"*) _goheap_offer "${options}" "$typed" ;;`];
  const offered = words(spec.operand).join(" ");
  if (offered !== "") cases.push(`        "${name} "*) _goheap_offer "${offered}" "$typed" ;;`);
  return cases;
}

/** zsh's _arguments takes a specification for each option, as its manual page zshcompsys tells. */
function zshScript(): string {
  const entries = commandEntries();
  const described = entries.map(([name, { summary }]) => quoted(`${name}:${summary}`));
  return `#compdef goheap
# goheap in zsh: goheap completions zsh > "\${fpath[1]}/_goheap"

_goheap() {
  local curcontext=$curcontext state line
  typeset -A opt_args
  _arguments -C \\
${zshOptions(COMMON_OPTIONS, "    ")} \\
    '1:command:->command' \\
    '*::argument:->argument'
  case $state in
    command)
      local -a commands=(
        ${described.join("\n        ")}
      )
      _describe -t commands command commands
      ;;
    argument)
      case $words[1] in
${entries.map(zshCommandCase).join("\n")}
      esac
      ;;
  esac
}

if [[ $funcstack[1] == _goheap ]]; then
  _goheap "$@"
else
  compdef _goheap goheap
fi
`;
}

function zshCommandCase([name, spec]: Entry): string {
  const { operand } = spec;
  const operands = operand === undefined ? [] : [`            ${quoted(`1${zshAction(operand)}`)}`];
  const specs = [zshOptions(optionsOf(spec), "            "), ...operands].join(" \\\n");
  return `        ${name})\n          _arguments \\\n${specs}\n          ;;`;
}

function zshOptions(options: readonly OptionSpec[], indent: string): string {
  return options.map(({ name, value, help }) => {
    const what = `[${help.replaceAll(/[[\]\\]/g, "\\$&")}]`;
    if (name === "help") return `${indent}'(- *)'{-h,--help}${quoted(what)}`;
    if (value === undefined) return `${indent}${quoted(`--${name}${what}`)}`;
    return `${indent}${quoted(`--${name}=${what}${zshAction(value)}`)}`;
  }).join(" \\\n");
}

/** `:TRACE:_files`, `:SHELL:(bash zsh)`; a list is left to _values, which knows commas. */
function zshAction(value: ValueSpec): string {
  if (value.offers === "files") return `:${value.name}:_files`;
  const offered = words(value).join(" ");
  if (value.isList !== true) return `:${value.name}:(${offered})`;
  // What _values calls its values may not have the marks of a name such as N|off,...
  const [label] = value.name.split(/[|,]/);
  return `:${value.name}:{_values -s , ${label} ${offered}}`;
}

/** fish has one command for each thing that can be completed. */
function fishScript(): string {
  const lines = ["complete -c goheap -f"];
  for (const [name, { summary }] of commandEntries()) {
    lines.push(`complete -c goheap -n __fish_use_subcommand -a ${name} -d ${fishQuoted(summary)}`);
  }
  lines.push(...COMMON_OPTIONS.map((option) => `complete -c goheap${fishOption(option)}`));
  for (const [name, { options, operand }] of commandEntries()) {
    const start = `complete -c goheap -n '__fish_seen_subcommand_from ${name}'`;
    lines.push(...options.map((option) => start + fishOption(option)));
    if (operand?.offers === "files") lines.push(`${start} -F`);
    else if (words(operand).length > 0) lines.push(`${start} -a '${words(operand).join(" ")}'`);
  }
  return `# goheap in fish: goheap completions fish > ~/.config/fish/completions/goheap.fish
${lines.join("\n")}
`;
}

function fishOption({ name, value, help }: OptionSpec): string {
  const short = name === "help" ? " -s h" : "";
  return `${short} -l ${name}${fishValue(value)} -d ${fishQuoted(help)}`;
}

function fishValue(value: ValueSpec | undefined): string {
  if (value === undefined) return "";
  return value.isList === true
    ? ` -x -a "(__fish_complete_list , 'string split , ${words(value).join(",")}')"`
    : ` -x -a '${words(value).join(" ")}'`;
}

/** `text` in single quotes, in which fish takes only backslashes and quotes for more than they are. */
function fishQuoted(text: string): string {
  return `'${text.replaceAll(/[\\']/g, "\\$&")}'`;
}
