import { assertEquals } from "@std/assert";
import { gzip, runCommand, withFile } from "./run_command.ts";

const ALLOC = "tracealloc(0xc208000000, 0x20, int)\ngoroutine 1 [running]:\n\n";
const FREE = "tracefree(0xc208000000, 0x20)\ngoroutine 0 [idle]:\n\n";

/** A trace by what is wrong with it, and what is said of it after the file's name. */
const TRACES: [what: string, trace: string | Uint8Array<ArrayBuffer>, message: string][] = [
  ["empty", "", ": not an allocfreetrace: it is empty"],
  ["other text", "hello\nworld\n", ": not an allocfreetrace: no record in 2 lines"],
  [
    "binary",
    Uint8Array.from({ length: 5000 }, (_, i) => i * i >> 3 | 0x80),
    ": not an allocfreetrace: no record in 1 lines",
  ],
  [
    "malformed",
    `${ALLOC}tracealloc(0x10, what)\n`,
    ':4: malformed record, expected a hexadecimal size: "tracealloc(0x10, what)"',
  ],
  [
    "cut short",
    `${ALLOC}tracefree(0xc208`,
    ':4: malformed record, expected ) at its end: "tracefree(0xc208"',
  ],
  ["double free", ALLOC + FREE + FREE, ":7: free of 0xc208000000, which is not allocated"],
  ["free of nothing", FREE, ":1: free of 0xc208000000, which is not allocated"],
  [
    "block on a block",
    ALLOC + ALLOC,
    ":4: allocation at 0xc208000000, where a live block of 32 bytes lies",
  ],
  [
    "other size",
    ALLOC + FREE.replace("0x20", "0x30"),
    ":4: free of 0xc208000000 with 48 bytes, allocated with 32",
  ],
  [
    "huge",
    "tracealloc(0x10, 0xfffffffff000)\n",
    ":1: allocation of 281474976706560 bytes, more than an arena holds",
  ],
  [
    "control characters",
    "tracefree(\x1b[2J\u009b)",
    ':1: malformed record, expected a hexadecimal address: "tracefree(\\u001b[2J\\x9b)"',
  ],
  ["line feeds only", "\n\n\n", ": not an allocfreetrace: no record in 3 lines"],
];

for (const [what, trace, message] of TRACES) {
  Deno.test(`a trace is refused in one line, plain or gzip: ${what}`, async () => {
    for (const content of [trace, await gzip(trace)]) {
      await withFile(content, async (path) => {
        const expected = { code: 1, out: "", err: `goheap: ${path}${message}\n` };
        assertEquals(await runCommand("replay", path), expected);
        assertEquals(await runCommand("replay", "--json", path), expected);
      });
    }
  });
}

Deno.test("a gzip file that was cut off says where its text ended", async () => {
  const whole = await gzip((ALLOC + FREE).repeat(50_000));
  await withFile(whole.subarray(0, whole.length - 9), async (path) => {
    const { code, out, err } = await runCommand("replay", path);
    const reached = err.match(/after line (\d+)\n$/)?.[1];
    assertEquals([code, out], [1, ""]);
    assertEquals(err, `goheap: ${path}: truncated gzip data, after line ${reached}\n`);
  });
});

Deno.test("a file that is not there and a directory are named", async () => {
  assertEquals(await runCommand("replay", "no/such/file"), {
    code: 1,
    out: "",
    err: "goheap: no/such/file: cannot open: No such file or directory\n",
  });
  const directory = new URL(".", import.meta.url).pathname;
  assertEquals(await runCommand("replay", directory), {
    code: 1,
    out: "",
    err: `goheap: ${directory}: cannot read: Is a directory\n`,
  });
});

const USAGE: [args: string[], message: string][] = [
  [[], "no command"],
  [["frob"], "unknown command 'frob'"],
  [["toString"], "unknown command 'toString'"],
  [["replay"], "replay takes one trace, got 0"],
  [["replay", "a", "b"], "replay takes one trace, got 2"],
  [["replay", "--bogus", "a"], "unknown option '--bogus'"],
  [["replay", "-x", "a"], "unknown option '-x'"],
  [["--bogus"], "unknown option '--bogus'"],
  [["classes", "a"], "classes takes no file"],
  [["classes", "--gogc", "50"], "classes takes no --gogc"],
  [["classes", "--lenient"], "classes takes no --lenient"],
  [["replay", "a", "--min-heap", "0"], "replay takes no --min-heap"],
  [["tune", "a", "--gctrace"], "tune takes no --gctrace"],
  [["tune"], "tune takes one trace, got 0"],
  [["replay", "a", "--html="], "--html must be the name of a file, not ''"],
  [["replay", "a", "--heapdump="], "--heapdump must be the name of a file, not ''"],
  [["replay", "a", "--profile="], "--profile must be the name of a file, not ''"],
  [["replay", "a", "--html=-"], "--html must be the name of a file, not '-'"],
  [["tune", "a", "--html", "b"], "tune takes no --html"],
  [["layout"], "layout takes one type, got 0"],
  [["layout", "struct", "{", "}"], "layout takes one type, got 3"],
  [["layout", "--gogc=50", "int"], "layout takes no --gogc"],
  [["completions"], "completions takes one shell, got 0"],
  [["completions", "csh"], "completions are for bash, zsh, fish, not 'csh'"],
  [["completions", "--json", "bash"], "completions takes no --json"],
  [
    ["tune", "a", "--gogc=50,,100"],
    "--gogc must be a whole number from 0 to 2147483647, or off, not ''",
  ],
  [
    ["tune", "a", `--gogc=${Array.from({ length: 1001 }, (_, i) => i)}`],
    "--gogc takes at most 1000 values, got 1001",
  ],
];
for (const value of ["", "-1", "4MB", "1.5MiB", "4 MiB", "9999999999GiB", "0,x"]) {
  USAGE.push([
    ["tune", "a", `--min-heap=${value}`],
    "--min-heap must be a whole number of bytes, KiB, MiB or GiB (as in 4MiB), " +
    `not '${value === "0,x" ? "x" : value}'`,
  ]);
}
for (const value of ["", "0", "-1", "1.5", "x", "9007199254740992"]) {
  USAGE.push([
    ["replay", "a", `--sample-interval=${value}`],
    `--sample-interval must be a whole number from 1 to 9007199254740991, not '${value}'`,
  ]);
}
for (const value of ["0", "1025", "two"]) {
  USAGE.push([
    ["tune", "a", `--jobs=${value}`],
    `--jobs must be a whole number from 1 to 1024, not '${value}'`,
  ]);
}
for (const value of ["", "x", "1.5", "1e3", "2147483648", "0x10"]) {
  USAGE.push([
    ["replay", "a", `--gogc=${value}`],
    `--gogc must be a whole number from 0 to 2147483647, or off, not '${value}'`,
  ]);
}

for (const [args, message] of USAGE) {
  const line = args.join(" ").slice(0, 60);
  Deno.test(`arguments that make no sense are a usage error: goheap ${line}`, async () => {
    assertEquals(await runCommand(...args), {
      code: 2,
      out: "",
      err: `goheap: ${message}\nTry 'goheap --help'.\n`,
    });
  });
}

Deno.test("an unknown platform is a usage error that names the known ones", async () => {
  for (const command of [["classes"], ["replay", "a"], ["layout", "int"], ["tune", "a"]]) {
    const { code, err } = await runCommand(...command, "--platform", "linux/vax");
    assertEquals(code, 2);
    assertEquals(
      err.replace(/one of .*linux\/amd64.*,/, "one of them,"),
      "goheap: --platform must be one of them, not 'linux/vax'\nTry 'goheap --help'.\n",
    );
  }
});
