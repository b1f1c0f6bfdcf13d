/**
 * Compiles the command to one program, dist/goheap, that needs no Deno: the script behind
 * `deno task compile`.
 *
 * `deno compile` appends the command to `denort`, a Deno without its tools, which it downloads once
 * for each release, or takes from the path in DENORT_BIN. Where it can get none, this says so in one
 * line that names the way that works everywhere, in place of a page about the network.
 *
 * @module
 */

const compiler = new Deno.Command(Deno.execPath(), {
  args: [
    "compile",
    "--no-check",
    "--allow-read",
    "--allow-write",
    "--exclude-unused-npm",
    "--output=dist/goheap",
    "cli.ts",
  ],
  cwd: new URL("..", import.meta.url),
  stderr: "piped",
});
const { code, stderr } = await compiler.output();
const report = new TextDecoder().decode(stderr);
if (code === 0) {
  console.error(report.trimEnd());
} else if (report.includes("denort")) {
  console.error(
    "Cannot compile: denort could not be had (no network, or a wrong DENORT_BIN); " +
      "`deno task bundle` writes the command as one JavaScript file without it",
  );
} else {
  console.error(report.trimEnd());
}
Deno.exit(code);
