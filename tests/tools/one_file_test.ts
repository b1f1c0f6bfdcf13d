/**
 * The command as one file: what `deno task bundle` and `deno task compile` write, and what the latter
 * says where denort, which it is made of, can't be had.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";

const root = new URL("../../", import.meta.url);

async function run(
  program: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const command = new Deno.Command(program, { args, cwd: root, env: { NO_COLOR: "1", ...env } });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

const deno = Deno.execPath();

/** Whether denort lies here already: a test downloads nothing unless it is told to. */
async function hasDenort(): Promise<boolean> {
  if (Deno.env.has("DENORT_BIN") || Deno.env.has("REQUIRE_COMPILE")) return true;
  const { denoDir } = JSON.parse((await run(deno, ["info", "--json"])).stdout);
  const { deno: release } = Deno.version;
  const archive = `${denoDir}/dl/release/v${release}/denort-${Deno.build.target}.zip`;
  return await Deno.stat(archive).then((file) => file.isFile, () => false);
}

async function expectVersion(program: string, args: string[]): Promise<void> {
  const fromSource = await run(deno, ["run", "--allow-read", "cli.ts", "--version"]);
  assertEquals(await run(program, [...args, "--version"]), fromSource);
  assertEquals(fromSource.code, 0);
  assertMatch(fromSource.stdout, /^goheap \d+\.\d+\.\d+/);
}

Deno.test("the bundled command is one file that runs by itself", async () => {
  assertEquals((await run(deno, ["task", "bundle"])).code, 0);
  const lines = (await Deno.readTextFile(new URL("dist/cli.js", root))).split("\n");
  assertMatch(lines[0], /^#!.*deno run/);
  assertEquals(lines.filter((line) => /^import .* from "\.|^import .* from "@/.test(line)), []);
  await expectVersion(deno, ["run", "--no-config", "--allow-read", "dist/cli.js"]);
  await expectWorkers("--allow-read", 2);
  // A worker is made of the bundle itself; without leave to read that, there is none.
  await expectWorkers("--allow-read=examples", 0);
  await expectPage();
});

/** Has the bundle write a page, with nothing in Deno's cache and no way to get it. */
async function expectPage(): Promise<void> {
  const directory = await Deno.makeTempDir();
  const page = `${directory}/page.html`;
  const replay = ["replay", "--html", page, "examples/bintree9.allocfreetrace.txt.gz"];
  const flags = ["--no-config", "--cached-only", "--no-prompt", "--allow-read", "--allow-write"];
  const { code, stderr } = await run(deno, ["run", ...flags, "dist/cli.js", ...replay], {
    DENO_DIR: `${directory}/cache`,
  });
  assertEquals([code, stderr], [0, ""]);
  const html = await Deno.readTextFile(page);
  await Deno.remove(directory, { recursive: true });
  assertMatch(html, /^<!doctype html>/);
  assertMatch(html, /var uPlot=function/);
  assertMatch(html, /<\/html>\n$/);
}

/**
 * Runs tune from the bundle with two runs at a time; it comes to the same with workers and without. The trace
 * comes from a pipe: a worker that took itself for the command would find that empty, and say so.
 */
async function expectWorkers(permission: string, workers: number): Promise<void> {
  const tune = ["tune", "--json", "--jobs=2", "--gogc=50,off", "--min-heap=0", "-"];
  const child = new Deno.Command(deno, {
    args: ["run", "--no-config", "--no-prompt", permission, "dist/cli.js", ...tune],
    cwd: root,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const trace = await Deno.open(new URL("examples/bintree9.allocfreetrace.txt.gz", root));
  await trace.readable.pipeTo(child.stdin);
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  assertEquals([code, text.decode(stderr)], [0, ""]);
  const report = JSON.parse(text.decode(stdout));
  assertEquals(report.workers, workers);
  assertEquals(report.runs.map((run: { gcPercent: number }) => run.gcPercent), [50, -1]);
  assertEquals(report.runs[1].collections, 0);
}

Deno.test({
  name: "the compiled command runs without deno (ignored where denort is not at hand)",
  ignore: !await hasDenort(),
  fn: async () => {
    assertEquals((await run(deno, ["task", "compile"])).code, 0);
    await expectVersion(Deno.build.os === "windows" ? "dist/goheap.exe" : "dist/goheap", []);
  },
});

Deno.test("without denort, compile points at the bundle in one line", async () => {
  const { code, stderr } = await run(
    deno,
    ["run", "--allow-read", "--allow-run", "tools/compile.ts"],
    { DENORT_BIN: "/nowhere/denort" },
  );
  assertEquals(code, 1);
  assertMatch(stderr, /^Cannot compile: .*`deno task bundle`.*\n$/);
});
