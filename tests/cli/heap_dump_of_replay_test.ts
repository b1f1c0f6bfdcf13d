import { assertEquals } from "@std/assert";
import { gunzipSync } from "node:zlib";
import { HeapDump } from "../../mod.ts";
import { replaySummary, runCommand } from "./run_command.ts";

const EXAMPLE = new URL("../../examples/bintree9.allocfreetrace.txt.gz", import.meta.url).pathname;

Deno.test("replay --heapdump writes the heap at the end, with the numbers that replay prints", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { memStats } = await replaySummary("--heapdump", `${folder}/end`, EXAMPLE);
    const dump = HeapDump.from(await Deno.readFile(`${folder}/end`));
    assertEquals(dump.memStats.Mallocs, memStats.Mallocs);
    // What was still to be swept is swept by then.
    assertEquals(dump.memStats.Frees > memStats.Frees, true);
    assertEquals(dump.objectCount <= memStats.Mallocs - memStats.Frees, true);
    assertEquals(dump.memStats.NumGC, memStats.NumGC);

    await replaySummary("--heapdump", `${folder}/end.gz`, EXAMPLE);
    const compressed = HeapDump.from(gunzipSync(await Deno.readFile(`${folder}/end.gz`)));
    assertEquals(compressed.objectCount, dump.objectCount);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a dump that cannot be written is an error that names the file", async () => {
  const { code, err } = await runCommand("replay", "--heapdump", "/dev/null/end", EXAMPLE);
  assertEquals(code, 1);
  assertEquals(err.startsWith("goheap: /dev/null/end: cannot write: "), true, err);
});
