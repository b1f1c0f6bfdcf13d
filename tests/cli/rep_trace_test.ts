import { assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { HeapBlocks } from "../../lib/cli/heap_blocks.ts";
import { MAX_LINE_LENGTH, type RepHandler, RepReader } from "../../lib/cli/rep_trace.ts";
import { Replayer } from "../../lib/cli/replayer.ts";
import { GoHeap } from "../../lib/go_heap.ts";
import { gzip, replaySummary, runCommand, withFile } from "./run_command.ts";

/** Three blocks, one of them reallocated twice, all freed. */
const BALANCED = "20000\n3\n8\n1\na 0 512\na 1 128\nr 0 640\na 2 128\nf 1\nr 0 768\nf 0\nf 2\n";

Deno.test("a trace of the malloc lab is replayed, plain or gzip, reallocations as new blocks", async () => {
  for (const content of [BALANCED, BALANCED.replaceAll("\n", "\r\n"), await gzip(BALANCED)]) {
    const summary = await withFile(content, (path) => replaySummary("--gogc", "off", path));
    const { format, lines, allocated, freed, live, peak, memStats } = summary;
    assertEquals([format, lines], ["malloc lab trace", 12]);
    assertEquals(allocated, { objects: 5, bytes: 512 + 128 + 640 + 128 + 768 });
    assertEquals(freed, allocated);
    assertEquals(live, { objects: 0, bytes: 0 });
    // While 640 bytes are copied into 768, both are there, and so is block 2.
    assertEquals(peak, { objects: 3, bytes: 640 + 768 + 128 });
    assertEquals([memStats.Mallocs, memStats.HeapAlloc], [5, 128 + 128 + 512 + 640 + 768]);
  }
});

Deno.test("sizes in a trace of the malloc lab are requests, and the report says so", async () => {
  const { code, out } = await withFile(
    "0\n1\n1\n1\na 0 33\n",
    (path) => runCommand("replay", path),
  );
  assertEquals(code, 0);
  assertMatch(out, /^ +4 +48 +1 +1 +1 +8,192 +15 +32$/m);
  assertMatch(out, /sizes are what the program asked for/);
  assertEquals(out.includes("traced program"), false);
});

Deno.test("a reallocation copies what both blocks hold, and lets the old one become garbage", () => {
  for (const [oldBytes, newBytes] of [[100, 300], [300, 100], [8, 16], [40000, 50000]]) {
    using heap = new GoHeap({ platform: "linux/amd64", collect: "malloc", gcPercent: 100 });
    const blocks = new HeapBlocks(heap);
    const old = blocks.allocate(oldBytes);
    const before = Uint8Array.from({ length: oldBytes }, (_, i) => i * 7);
    heap.bytes(blocks.addressOf(old), oldBytes).set(before);
    const block = blocks.reallocate(old, oldBytes, newBytes);
    const kept = Math.min(oldBytes, newBytes);
    heap.GC();
    assertEquals(heap.bytes(blocks.addressOf(block), kept).slice(), before.subarray(0, kept));
    assertEquals(heap.ReadMemStats().HeapObjects, 1);
    blocks.release(block);
    heap.GC();
    assertEquals(heap.ReadMemStats().HeapObjects, 0);
    heap.verify();
  }
});

/** A trace by what is wrong with it, what is said of it after the file's name, and its faults if lenient. */
const FAULTY: [what: string, trace: string, message: string][] = [
  ["a header alone", "0\n0\n0\n1\n", ": not a malloc lab trace: no record in 4 lines"],
  [
    "half a header",
    "20000\n3\n",
    ":2: the trace ends before its header does: no number of operations",
  ],
  [
    "a word in the header",
    "20000\nthree\n1\n1\na 0 8\n",
    `:2: malformed line, expected the header's number of ids, a whole number: "three"`,
  ],
  [
    "no weight",
    "20000\n3\n1\na 0 8\n",
    `:4: malformed line, expected the header's weight, a whole number: "a 0 8"`,
  ],
  [
    "another operation",
    "0\n1\n1\n1\nm 0 8\n",
    `:5: malformed line, expected a, r or f at its beginning: "m 0 8"`,
  ],
  ["no size", "0\n1\n1\n1\na 0\n", `:5: malformed line, expected an id and a size after a: "a 0"`],
  ["a size too many", "0\n1\n1\n1\nf 0 8", `:5: malformed line, expected an id after f: "f 0 8"`],
  [
    "a negative size",
    "0\n1\n1\n1\na 0 -8\n",
    `:5: malformed line, expected a size, a whole number: "a 0 -8"`,
  ],
  ["no bytes", "0\n1\n1\n1\na 0 0\n", `:5: malformed line, its size is 0: "a 0 0"`],
  [
    "an id too many",
    "0\n1\n1\n1\na 1 8\n",
    `:5: malformed line, its id is not below 1, the number of ids: "a 1 8"`,
  ],
  [
    "operations too many",
    "0\n1\n1\n1\na 0 8\nf 0\n",
    `:6: malformed line, more operations than the 1 that the header announces: "f 0"`,
  ],
  [
    "operations too few",
    "0\n1\n3\n1\na 0 8\nf 0\n",
    ":6: the trace ends after 2 operations of 3 that its header announces",
  ],
  ["free of nothing", "0\n1\n1\n1\nf 0\n", ":5: free of block 0, which is not allocated"],
  [
    "reallocation of nothing",
    "0\n1\n1\n1\nr 0 8\n",
    ":5: reallocation of block 0, which is not allocated",
  ],
  [
    "block on a block",
    "0\n1\n2\n1\na 0 8\na 0 16\n",
    ":6: allocation of block 0, which is a live block of 8 bytes",
  ],
  [
    "huge",
    "0\n1\n1\n1\na 0 99999999999999\n",
    ":5: allocation of 99999999999999 bytes, more than an arena holds",
  ],
  [
    "a long line",
    `0\n1\n1\n1\na 0 8${" ".repeat(MAX_LINE_LENGTH)}\n`,
    `:5: malformed line, longer than ${MAX_LINE_LENGTH} bytes: "a 0 8"...`,
  ],
];

for (const [what, trace, message] of FAULTY) {
  Deno.test(`a trace of the malloc lab is refused in one line: ${what}`, async () => {
    await withFile(trace, async (path) => {
      const expected = { code: 1, out: "", err: `goheap: ${path}${message}\n` };
      assertEquals(await runCommand("replay", path), expected);
    });
  });
}

Deno.test("a lenient replay leaves out faulty lines of a malloc lab trace, in its header too", async () => {
  const trace = "7\n4\ny\n1\na 0 8\na 0 16\na 9 8\nf 3\nr 2 8\nwhat\nr 0 24\na 1 8\n";
  const { faults, allocated, live } = await withFile(
    trace,
    (path) => replaySummary("--lenient", path),
  );
  assertEquals(faults, { malformed: 3, freeOfUnknown: 2, allocationOfLive: 1, sizeMismatch: 0 });
  assertEquals(allocated, { objects: 3, bytes: 8 + 24 + 8 });
  assertEquals(live, { objects: 2, bytes: 24 + 8 });
});

/** What a reader tells its handler, as text. */
function readOps(trace: string, cuts: readonly number[]): string[] {
  const told: string[] = [];
  const handler: RepHandler = {
    malloc: (id, sizeBytes) => told.push(`a ${id} ${sizeBytes}`),
    realloc: (id, sizeBytes) => told.push(`r ${id} ${sizeBytes}`),
    release: (id) => told.push(`f ${id}`),
    malformed: (what) => told.push(what),
  };
  const reader = new RepReader(handler);
  const bytes = new TextEncoder().encode(trace);
  const places = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  for (let i = 1; i < places.length; i++) reader.push(bytes.subarray(places[i - 1], places[i]));
  told.push(`${reader.end()} lines`);
  return told;
}

const operation = fc.oneof(
  fc.tuple(fc.constantFrom("a", "r"), fc.nat(99), fc.integer({ min: 1, max: 1e9 })),
  fc.tuple(fc.constant("f"), fc.nat(99)),
).map((words) => words.join(" "));

Deno.test("a trace of the malloc lab may be cut anywhere", () => {
  fc.assert(fc.property(
    fc.array(operation),
    fc.array(fc.nat(2000)),
    fc.constantFrom("\n", "\r\n", " \n"),
    fc.boolean(),
    (operations, cuts, lineEnd, isClosed) => {
      const lines = ["20000", "100", String(operations.length), "1", ...operations];
      const trace = lines.join(lineEnd) + (isClosed ? lineEnd : "");
      const inside = cuts.filter((cut) => cut < trace.length);
      assertEquals(readOps(trace, inside), [...operations, `${lines.length} lines`]);
    },
  ));
});

Deno.test("after random operations the heap holds what a model of the program does", () => {
  fc.assert(
    fc.property(fc.array(operation, { minLength: 1, maxLength: 200 }), (operations) => {
      using heap = new GoHeap({ platform: "linux/amd64", collect: "malloc", minHeapBytes: 0 });
      const replayer = new Replayer(new HeapBlocks(heap), true);
      const small = operations.map((text) => text.replace(/\d{4,}$/, (size) => size.slice(0, 4)));
      const trace = ["0", "100", String(small.length), "1", ...small].join("\n");
      replayer.push(new TextEncoder().encode(trace));
      replayer.end();
      const model = new Map<string, number>();
      for (const [what, id, size] of small.map((text) => text.split(" "))) {
        if (what === "f") model.delete(id);
        else if (model.has(id) === (what === "r")) model.set(id, Number(size));
      }
      const bytes = [...model.values()].reduce((sum, size) => sum + size, 0);
      assertEquals(replayer.totals.live, { objects: model.size, bytes });
      heap.GC();
      heap.verify();
      assertEquals(heap.ReadMemStats().HeapObjects, model.size);
    }),
    { numRuns: 30 },
  );
});
