import { assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "@std/assert";
import { allOptions, commandEntries, COMMON_OPTIONS } from "../../lib/cli/command_table.ts";
import { runCommand } from "./run_command.ts";

Deno.test("help lists every command, and the help of each its options and examples", async () => {
  const { code, out, err } = await runCommand("--help");
  assertEquals([code, err], [0, ""]);
  assertEquals(await runCommand("-h"), { code, out, err });
  for (const [name, { summary, options, operand, examples }] of commandEntries()) {
    assertMatch(out, new RegExp(`^ {2}goheap ${name} .*${summary}$`, "m"));
    const own = await runCommand(name, "--help");
    assertEquals([own.code, own.err], [0, ""]);
    assertMatch(own.out, new RegExp(`^Usage:\n {2}goheap ${name} .*${operand?.name ?? ""}`));
    for (const option of [...options, ...COMMON_OPTIONS]) {
      const value = option.value === undefined ? "" : ` ${option.value.name}`;
      assertStringIncludes(own.out, `--${option.name}${value} `);
      assertStringIncludes(own.out, option.help);
    }
    assertEquals(examples.length > 0, true);
    for (const [args, what] of examples) {
      assertStringIncludes(own.out, args);
      assertStringIncludes(own.out, what);
    }
  }
});

Deno.test("no line of help is too long for a terminal", async () => {
  const names = commandEntries().map(([name]) => [name]);
  for (const command of [[], ...names]) {
    const { out } = await runCommand(...command, "--help");
    const tooLong = out.split("\n").filter((line) => line.length > 110);
    assertEquals(tooLong, []);
  }
});

/** The words of a line as a shell cuts it, up to where its output goes. */
function shellWords(line: string): string[] {
  return [...line.split(" > ")[0].matchAll(/'([^']*)'|(\S+)/g)]
    .map(([, quoted, plain]) => quoted ?? plain);
}

Deno.test("the examples of help are arguments that make sense", async () => {
  for (const [name, { examples }] of commandEntries()) {
    for (const [args] of examples) {
      if (!args.startsWith(name)) continue;
      const { code, err } = await runCommand(...shellWords(args));
      assertNotEquals(code, 2, `${args}: ${err}`);
    }
  }
});

Deno.test("an option that several commands have is a flag in all of them or in none", () => {
  const isFlag = new Map(allOptions().map(({ name, value }) => [name, value === undefined]));
  for (const [command, { options }] of commandEntries()) {
    for (const { name, value } of options) {
      assertEquals([command, name, value === undefined], [command, name, isFlag.get(name)]);
    }
  }
});
