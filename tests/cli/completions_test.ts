import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { commandEntries, type CommandSpec, COMMON_OPTIONS } from "../../lib/cli/command_table.ts";
import { completionScript } from "../../lib/cli/completions.ts";
import { PLATFORM_NAMES } from "../../lib/platform/platform.ts";
import { runCommand, withFile } from "./run_command.ts";

async function hasProgram(program: string): Promise<boolean> {
  try {
    const args = ["--version"];
    return (await new Deno.Command(program, { args, stdout: "null", stderr: "null" }).output())
      .success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const hasBash = await hasProgram("bash");

/**
 * What bash offers for the last word of each line, a line being the words as bash cuts them. The shell
 * is started once for all lines.
 */
async function offeredByBash(lines: readonly (readonly string[])[]): Promise<string[][]> {
  const quoted = (word: string) => `'${word}'`;
  const calls = lines.map((words) =>
    `COMP_WORDS=(${words.map(quoted).join(" ")}) COMP_CWORD=${words.length - 1}; ` +
    `_goheap; echo "\${COMPREPLY[*]}"`
  );
  const script = [completionScript("bash"), ...calls].join("\n");
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: ["--norc", "-u", "-c", script],
  }).output();
  const decoder = new TextDecoder();
  assertEquals([code, decoder.decode(stderr)], [0, ""]);
  return decoder.decode(stdout).trimEnd().split("\n")
    .map((line) => line.split(" ").filter((word) => word !== ""));
}

const COMMON = COMMON_OPTIONS.map(({ name }) => `--${name}`);

function optionNames({ options }: CommandSpec): string[] {
  return [...options.map(({ name }) => `--${name}`), ...COMMON];
}

Deno.test({
  name:
    "bash completes every option of every command, and no other (ignored where bash is not at hand)",
  ignore: !hasBash,
  fn: async () => {
    const entries = commandEntries();
    const offered = await offeredByBash(entries.map(([name]) => ["goheap", name, "--"]));
    for (const [i, [name, spec]] of entries.entries()) {
      assertEquals([name, ...offered[i]], [name, ...optionNames(spec)]);
    }
  },
});

Deno.test({
  name:
    "bash completes the values of every option that has some (ignored where bash is not at hand)",
  ignore: !hasBash,
  fn: async () => {
    const cases = commandEntries().flatMap(([command, { options }]) =>
      options.flatMap(({ name, value }) =>
        value === undefined || value.offers === "files"
          ? []
          : [{ command, name, offers: [...value.offers] }]
      )
    );
    const apart = cases.map(({ command, name }) => ["goheap", command, `--${name}`, ""]);
    const joined = cases.map(({ command, name }) => ["goheap", command, `--${name}`, "="]);
    const offers = cases.map(({ offers }) => offers);
    assertEquals(cases.length > 5, true);
    assertEquals(await offeredByBash(apart), offers);
    assertEquals(await offeredByBash(joined), offers);
  },
});

Deno.test({
  name: "bash completes words where they stand (ignored where bash is not at hand)",
  ignore: !hasBash,
  fn: async () => {
    const cases: [words: string[], offered: string[]][] = [
      [["goheap", ""], [...commandEntries().map(([name]) => name), "-h", ...COMMON]],
      [["goheap", "re"], ["replay"]],
      [["goheap", "replay", "--gog"], ["--gogc"]],
      [["goheap", "replay", "--json", "--le"], ["--lenient"]],
      [["goheap", "--json", "tune", "--j"], ["--jobs", "--json"]],
      [["goheap", "replay", "--gogc", "o"], ["off"]],
      [["goheap", "replay", "--gogc", "=", "2"], ["25", "200"]],
      [["goheap", "tune", "--gogc", "25,4"], ["25,400"]],
      [["goheap", "tune", "--gogc", "=", "25,off,10"], ["25,off,100"]],
      [
        ["goheap", "tune", "--platform", "linux/386,darwin/"],
        PLATFORM_NAMES.filter((name) => name.startsWith("darwin/"))
          .map((name) => `linux/386,${name}`),
      ],
      // One value is no list, and a file's name is left to bash.
      [["goheap", "replay", "--gogc", "25,"], []],
      [["goheap", "replay", ""], []],
      [["goheap", "layout", "st"], []],
      [["goheap", "completions", ""], ["bash", "zsh", "fish"]],
      [["goheap", "completions", "z"], ["zsh"]],
    ];
    // An empty line at the end would be lost.
    const offered = await offeredByBash(cases.map(([words]) => words));
    assertEquals(offered, cases.map(([, words]) => words));
  },
});

for (const shell of ["zsh", "fish"]) {
  Deno.test(`the script for ${shell} names every command, option and value`, () => {
    const script = completionScript(shell);
    for (const [name, spec] of commandEntries()) {
      const own = shell === "zsh"
        ? script.slice(script.indexOf(`        ${name})\n`)).split(";;")[0]
        : script.split("\n").filter((line) => line.includes(`_from ${name}'`)).join("\n");
      assertStringIncludes(script, name);
      for (const option of spec.options) {
        const given = shell === "zsh" ? `'--${option.name}` : ` -l ${option.name} `;
        assertStringIncludes(own, given);
        const value: CommandSpec["operand"] = option.value;
        if (value === undefined || value.offers === "files") continue;
        const separator = shell === "fish" && value.isList === true ? "," : " ";
        assertStringIncludes(own, value.offers.join(separator));
      }
    }
    for (const { name } of COMMON_OPTIONS) {
      assertMatch(
        script,
        shell === "zsh" ? new RegExp(`--${name}\\b`) : new RegExp(`-l ${name}\\b`),
      );
    }
  });

  const hasShell = await hasProgram(shell);
  Deno.test({
    name: `${shell} can read its script (ignored where ${shell} is not at hand)`,
    ignore: !hasShell,
    fn: () =>
      withFile(completionScript(shell), async (path) => {
        const { code, stderr } = await new Deno.Command(shell, { args: ["-n", path] }).output();
        assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
      }),
  });
}

Deno.test("the command prints the script of the shell that is named", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const expected = { code: 0, out: completionScript(shell), err: "" };
    assertEquals(await runCommand("completions", shell), expected);
  }
});
