import { assertEquals, assertMatch } from "@std/assert";
import { gunzipSync } from "node:zlib";
import { Profile } from "pprof-format";
import { traceFrames } from "../../lib/cli/trace_stacks.ts";
import { GoHeap } from "../../mod.ts";
import { replaySummary, runCommand, withFile } from "./run_command.ts";

const EXAMPLE = new URL("../../examples/bintree9.allocfreetrace.txt.gz", import.meta.url).pathname;

/** Calls `use` with the name of an empty folder, and removes it afterwards. */
async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir();
  try {
    return await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The records of a profile in Go's text: `objects: bytes [allocs: bytes] innermost outermost`. */
function recordsOf(text: string): string[] {
  return [...text.matchAll(/^(\d+: \d+ \[\d+: \d+\]) @.*\n((?:#\t.*\n)*)/gm)]
    .map(([, figures, symbols]) => {
      const names = [...symbols.matchAll(/^#\t\S+\t+(.*)\+0x/gm)].map(([, name]) => name);
      return `${figures} ${names.join(" ")}`;
    });
}

Deno.test("replay --profile tells the stacks of the trace, and its figures are those of the report", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/heap.txt`;
    const { memStats, allocated } = await replaySummary("--profile", path, EXAMPLE);
    const text = await Deno.readTextFile(path);
    const head = /^heap profile: (\d+): (\d+) \[(\d+): (\d+)\] @ heap\/2$/m.exec(text)!;
    assertEquals(head.slice(1).map(Number), [
      memStats.Mallocs - memStats.Frees,
      memStats.HeapAlloc,
      allocated.objects,
      allocated.bytes,
    ]);
    // What allocates is not shown, who asked for it is.
    const builds = recordsOf(text).filter((record) => / main\.build /.test(record));
    const objects = builds.map((record) => Number(/\[(\d+)/.exec(record)![1]));
    assertEquals(objects.reduce((sum, n) => sum + n), 11126);
    assertMatch(text, /^#\t0x\w+\tmain\.build\+0x35\t+\/srv\/\S+main\.go:12$/m);
    assertEquals(/runtime\.(?:mallocgc|newobject|goexit)\+/.test(text), false);
  });
});

Deno.test("with .pb.gz it is the same as a profile.proto", async () => {
  await withFolder(async (folder) => {
    await replaySummary("--profile", `${folder}/heap.txt`, EXAMPLE);
    await replaySummary("--profile", `${folder}/heap.pb.gz`, EXAMPLE);
    const head = /(\d+): (\d+) \[(\d+): (\d+)\]/.exec(
      await Deno.readTextFile(`${folder}/heap.txt`),
    )!;
    const { sample } = Profile.decode(gunzipSync(await Deno.readFile(`${folder}/heap.pb.gz`)));
    const sum = (i: number) => sample.reduce((total, { value }) => total + Number(value[i]), 0);
    assertEquals([sum(2), sum(3), sum(0), sum(1)], head.slice(1).map(Number));
    assertEquals(sample.some(({ locationId }) => locationId.length > 2), true);
  });
});

Deno.test("a replay does the same with a profile as without", async () => {
  await withFolder(async (folder) => {
    const plain = await replaySummary(EXAMPLE);
    const profiled = await replaySummary("--profile", `${folder}/heap.txt`, EXAMPLE);
    const { PauseTotalNs: _, ...memStats } = plain.memStats;
    const { PauseTotalNs: _ns, ...other } = profiled.memStats;
    assertEquals({ ...profiled, memStats: other }, { ...plain, memStats });
  });
});

Deno.test("the trace of a heap of ours has the stacks of JavaScript", async () => {
  const lines: string[] = [];
  using heap = new GoHeap({
    platform: "linux/amd64",
    debug: "allocfreetrace=1",
    trace: (line) => lines.push(line),
  });
  function makeString() {
    heap.newobject(heap.types.string);
  }
  makeString();
  makeString();
  await withFolder(async (folder) => {
    await withFile(lines.join("\n"), async (trace) => {
      await replaySummary("--profile", `${folder}/heap.txt`, trace);
    });
    const [first, second] = recordsOf(await Deno.readTextFile(`${folder}/heap.txt`));
    assertMatch(first, /^1: 16 \[1: 16\] makeString /);
    assertMatch(second, /^1: 16 \[1: 16\] makeString /);
  });
});

Deno.test("a trace without stacks has them all in one place", async () => {
  await withFolder(async (folder) => {
    await withFile("20000\n2\n3\n1\na 0 2000\na 1 100\nf 0\n", async (trace) => {
      await replaySummary("--profile", `${folder}/heap.txt`, trace);
    });
    assertEquals(recordsOf(await Deno.readTextFile(`${folder}/heap.txt`)), [
      "1: 2048 [1: 2048] (trace without stacks)",
      "1: 112 [1: 112] (trace without stacks)",
    ]);
  });
});

Deno.test("a profile that cannot be written is an error that names the file", async () => {
  for (const name of ["heap.txt", "heap.pb.gz"]) {
    const { code, err } = await runCommand("replay", "--profile", `/dev/null/${name}`, EXAMPLE);
    assertEquals([code, err.split(":").slice(0, 3).join(":")], [
      1,
      `goheap: /dev/null/${name}: cannot write`,
    ]);
  }
});

Deno.test("frames are told from whoever asked for memory on, without arguments", () => {
  const frames = traceFrames([
    "goroutine 1 [running, locked to thread]:",
    "runtime.mallocgc(0x10, 0x4e9760)",
    "\t/go/src/runtime/malloc.go:327 +0x32a fp=0xc20802bc60 sp=0xc20802bbb0",
    "runtime.newobject(0x4e9760)",
    "\t/go/src/runtime/malloc.go:353 +0x49 fp=0xc20802bc88 sp=0xc20802bc60",
    "text/tabwriter.(*Writer).Flush(0x0, ...)",
    "\tC:/src/a b.go:12 fp=0xc20802bcb8 sp=0xc20802bc88",
    "...additional frames elided...",
    "created by main.start",
    "\t/src/main.go:30 +0x17",
    "",
  ].join("\n"));
  assertEquals(frames, [
    {
      name: "text/tabwriter.(*Writer).Flush",
      file: "C:/src/a b.go",
      line: 12,
      column: 0,
      offset: 0,
    },
  ]);
  assertEquals(traceFrames(""), []);
});

Deno.test("the stack of a record that was left out is nobody's", async () => {
  const record = (first: string, name: string) =>
    `${first}\ngoroutine 1 [running]:\n${name}(0x1)\n\t/a.go:1 +0x5 fp=0x1 sp=0x1\n\n`;
  const trace = [
    record("tracealloc(0x1000, 0x40, T)", "main.first"),
    record("tracealloc(0x1000, 0x40, T)", "main.faulty"),
    "what the program prints\n",
    record("tracefree(0x1000, 0x40)", "runtime.freed"),
    record("tracealloc(0x2000, 0x80)", "main.last"),
  ].join("");
  await withFolder(async (folder) => {
    await withFile(trace, async (path) => {
      await replaySummary("--lenient", "--profile", `${folder}/heap.txt`, path);
    });
    assertEquals(recordsOf(await Deno.readTextFile(`${folder}/heap.txt`)), [
      "1: 128 [1: 128] main.last",
      "1: 64 [1: 64] main.first",
    ]);
  });
});

Deno.test("a page and a profile can be written of one replay", async () => {
  await withFolder(async (folder) => {
    await replaySummary("--profile", `${folder}/alone.txt`, EXAMPLE);
    const files = ["--html", `${folder}/page.html`, "--profile", `${folder}/heap.txt`];
    await replaySummary(...files, EXAMPLE);
    const [alone, together] = await Promise.all(["alone", "heap"].map(async (name) => {
      return (await Deno.readTextFile(`${folder}/${name}.txt`)).replace(/^# PauseNs.*$/m, "");
    }));
    assertEquals(together, alone);
    assertMatch(await Deno.readTextFile(`${folder}/page.html`), /main\.build/);
  });
});
