import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { DumpFindings } from "../../lib/cli/dump_findings.ts";
import { readDump } from "../data.ts";
import { dumpedProgram } from "../inspect/heap_dump_program.ts";
import { runCommand, withFile } from "./run_command.ts";

const TREE = new URL("../data/dumps/bintree10.rate0.heapdump.gz", import.meta.url).pathname;

async function findings(...args: string[]): Promise<DumpFindings> {
  const { code, out, err } = await runCommand("dump", "--json", ...args);
  assertEquals([code, err], [0, ""]);
  return JSON.parse(out);
}

async function report(...args: string[]): Promise<string[]> {
  const { code, out, err } = await runCommand("dump", ...args);
  assertEquals([code, err], [0, ""]);
  return out.split("\n");
}

Deno.test("dump tells what is in a dump that Go wrote, compressed or not", async () => {
  const { overview, ...rest } = await findings(TREE);
  assertEquals(rest, { dump: TREE });
  const { params, memStats, objects, reachable, masks, types, finalizers } = overview!;
  assertEquals(params.arenaStart, 0xc208000000);
  assertEquals(memStats.HeapAlloc, 58544);
  assertEquals([objects, reachable], [{ objects: 2150, bytes: 58544 }, {
    objects: 2149,
    bytes: 58496,
  }]);
  assertEquals(masks[0], { size: 16, mask: "pp", objects: 2047, bytes: 32752 });
  assertEquals(types.reduce((sum, type) => sum + type.bytes, 0), 58544);
  assertEquals(finalizers, 4);
  const plain = await withFile(await readDump("bintree10.rate0"), (path) => findings(path));
  assertEquals(plain.overview, overview);
});

Deno.test("dump prints the overview as tables with as many rows as --top says", async () => {
  const lines = await report(TREE, "--top", "2");
  assertEquals(lines[1], "arena 0xc208000000 to 0xc208100000, goroutines: 4");
  assertEquals(lines[3], "finalizers: 4 set, 0 queued");
  const masks = lines.indexOf("By size and pointers");
  assertEquals(lines.slice(masks + 1, masks + 3), [
    " bytes  objects   size  pointer mask",
    "32,752    2,047     16  pp",
  ]);
  assertMatch(lines[masks + 4], /^and \d+ more$/);
  const types = lines.indexOf("By type");
  assertMatch(lines[types + 2], /^57,824 +2,105 +57,776 +\(not known\)$/);
});

Deno.test("dump --retained prints the roots and objects that retain most", async () => {
  const { retained, overview } = await findings(TREE, "--retained", "--top=3");
  assertEquals(overview, undefined);
  assertEquals(retained!.roots[0].kind, "bss");
  assertEquals(retained!.objects.map((object) => object.retainedBytes), [32752, 16368, 16368]);
  const lines = await report(TREE, "--retained", "--top=1");
  assertEquals(lines[0], "Roots that retain most");
  assertEquals(lines[2], "  32,752  bss 0x59f4b8");
  assertMatch(lines[6], /^ {2}32,752 +16 +0xc208[0-9a-f]+ +\(pp\)$/);
});

Deno.test("dump --path prints the way from a root to an object, and what all ways share", async () => {
  const { retained } = await findings(TREE, "--retained", "--top=2");
  const [top, half] = retained!.objects;
  const address = `0x${(half.address + 3).toString(16)}`;
  const { path } = await findings(TREE, "--path", address);
  assertEquals(path!.path!.steps.map(({ object }) => object), [top, half]);
  assertEquals(path!.dominators!.objects, [top]);
  const lines = await report(TREE, "--path", address);
  const shown = (object: typeof top) => `0x${object.address.toString(16)} (pp), 16 bytes`;
  assertEquals(lines, [
    `${shown(half)}, retains 16,368 bytes`,
    "",
    "Shortest path",
    "bss 0x59f4b8",
    `  +0 ─▶ ${shown(top)}`,
    `  +${path!.path!.steps[1].offset} ─▶ ${shown(half)}`,
    "",
    "All paths lead through",
    "bss 0x59f4b8",
    shown(top),
    "",
  ]);
});

Deno.test("dump --type prints the objects of a type, dump --path that nothing keeps one", async () => {
  using program = dumpedProgram({ recordTypes: true });
  const { heap, garbage } = program;
  await withFile(heap.writeHeapDump(), async (file) => {
    const { type } = await findings(file, "--type", "main.Node", "--top=1");
    assertEquals([type!.tally.objects, type!.objects.length], [10, 1]);
    assertEquals(type!.objects[0].address, program.list[0]);
    const lines = await report(file, "--type", "main.Large");
    assertMatch(lines[2], /^40,960 +1 +41,072 +main\.Large$/);
    assertEquals((await report(file, "--path", String(garbage))).at(-2), "nothing keeps it alive");
    assertStringIncludes(
      (await report(file)).join("\n"),
      "roots: 4 bss, 1 frame, 1 other, 1 queued finalizer, 1 finalizer",
    );
    assertEquals(await runCommand("dump", file, "--type", "main.Other"), {
      code: 1,
      out: "",
      err: `goheap: ${file}: no object is known to be of type 'main.Other'\n`,
    });
    assertEquals(await runCommand("dump", file, "--path", "0x10"), {
      code: 1,
      out: "",
      err: `goheap: ${file}: no object at 0x10\n`,
    });
  });
});

Deno.test("dump refuses what is no dump in one line that says where it is wrong", async () => {
  const tree = await readDump("bintree10.rate0");
  const cases: [Uint8Array, string][] = [
    [new Uint8Array(0), "at offset 0: the dump ends within its header"],
    [tree.subarray(0, 1000), "at offset "],
    [new TextEncoder().encode("tracegc()"), "at offset 0: no header of a heap dump"],
  ];
  for (const [bytes, message] of cases) {
    await withFile(bytes, async (file) => {
      const { code, out, err } = await runCommand("dump", file);
      assertEquals([code, out], [1, ""]);
      assertStringIncludes(err, `goheap: ${file}: Cannot read heap dump: ${message}`);
      assertEquals(err.split("\n").length, 2);
    });
  }
  const packed = await Deno.readFile(TREE);
  await withFile(packed.subarray(0, 2000), async (file) => {
    assertEquals((await runCommand("dump", file)).err, `goheap: ${file}: truncated gzip data\n`);
  });
});

for (
  const [args, message] of [
    [["dump"], "dump takes one dump, got 0"],
    [["dump", "a", "b"], "dump takes one dump, got 2"],
    [
      ["dump", "a", "--top=-1"],
      "--top must be a whole number from 1 to 9007199254740991, not '-1'",
    ],
    [["dump", "a", "--path=x"], "--path must be an address, as in 0xc208000000, not 'x'"],
    [
      ["dump", "a", "--path=0xfffffffffffffffff"],
      "--path must be an address, as in 0xc208000000, not '0xfffffffffffffffff'",
    ],
    [["dump", "a", "--gogc=1"], "dump takes no --gogc"],
    [["replay", "a", "--retained"], "replay takes no --retained"],
  ] as [string[], string][]
) {
  Deno.test(`arguments that make no sense are a usage error: goheap ${args.join(" ")}`, async () => {
    assertEquals(await runCommand(...args), {
      code: 2,
      out: "",
      err: `goheap: ${message}\nTry 'goheap --help'.\n`,
    });
  });
}
