import { assertEquals, assertMatch } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { gzip, type Outcome } from "./run_command.ts";

/**
 * Runs the command in a process of its own, for what only that shows; the other tests run it in theirs.
 * Standard input is `input`; if that is not all, it stays open, and whoever reads on waits for ever.
 */
async function runProcess(args: string[], input: Uint8Array, isAll: boolean): Promise<Outcome> {
  const cli = new URL("../../cli.ts", import.meta.url).href;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--allow-read", cli, ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(input);
  if (isAll) await writer.close();
  const { code, stdout, stderr } = await child.output();
  if (!isAll) await writer.abort().catch(() => {});
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

const EXAMPLE = new URL("../../examples/bintree9.allocfreetrace.txt.gz", import.meta.url);

Deno.test("as a process, the command replays a compressed trace from a pipe, and needs only to read", async () => {
  const { code, out, err } = await runProcess(
    ["replay", "--json", "-"],
    await Deno.readFile(EXAMPLE),
    true,
  );
  assertEquals([code, err], [0, ""]);
  const { trace, allocated } = JSON.parse(out);
  assertEquals([trace, allocated], ["<stdin>", { objects: 11290, bytes: 219144 }]);
});

Deno.test("as a process, the command writes a page only if it may", async () => {
  const args = ["replay", "--html", "no/such/page.html", "-"];
  const { code, out, err } = await runProcess(args, await Deno.readFile(EXAMPLE), true);
  assertEquals([code, out], [1, ""]);
  assertMatch(err, /^goheap: no\/such\/page.html: cannot write: .*--allow-write.*\n$/);
});

Deno.test("as a process, the command ends at the first bad line of a pipe that goes on", async () => {
  const expected = {
    code: 1,
    out: "",
    err: "goheap: <stdin>:2: free of 0x10, which is not allocated\n",
  };
  const text = "tracegc()\ntracefree(0x10, 0x8)\n";
  for (const input of [new TextEncoder().encode(text), await gzip(text)]) {
    assertEquals(await runProcess(["replay", "-"], input, false), expected);
  }
});

Deno.test("as a process, the command exits with 2 for an unknown option, with 0 for help and version", async () => {
  const nothing = new Uint8Array(0);
  const [usage, help, version] = await Promise.all([
    runProcess(["replay", "--bogus"], nothing, true),
    runProcess(["replay", "-h"], nothing, true),
    runProcess(["--version"], nothing, true),
  ]);
  assertEquals(usage, {
    code: 2,
    out: "",
    err: "goheap: unknown option '--bogus'\nTry 'goheap --help'.\n",
  });
  assertEquals([help.code, help.err], [0, ""]);
  assertMatch(help.out, /^Usage:\n {2}goheap replay \[options\] TRACE /m);
  assertEquals(version, { code: 0, out: `goheap ${config.version}\n`, err: "" });
});
