import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  MAX_RECORD_BYTES,
  type StackHandler,
  type TraceHandler,
  TraceReader,
} from "../../lib/inspect/allocfreetrace.ts";

/** Writes down each record with the line it stood on. */
class Recorder implements TraceHandler, StackHandler {
  readonly records: string[] = [];
  readonly reader: TraceReader;

  constructor(readsStacks: boolean) {
    this.reader = new TraceReader(this, readsStacks ? this : null);
  }

  allocation(address: number, size: number, bytes: Uint8Array, start: number, end: number): void {
    const type = new TextDecoder().decode(bytes.subarray(start, end));
    this.#note(`alloc ${address.toString(16)} ${size} [${type}]`);
  }
  free(address: number, size: number): void {
    this.#note(`free ${address.toString(16)} ${size}`);
  }
  collection(): void {
    this.#note("gc");
  }
  malformed(what: string): void {
    this.#note(`malformed ${what}`);
  }
  stackLine(bytes: Uint8Array, start: number, end: number): void {
    this.#note(`stack ${new TextDecoder().decode(bytes.subarray(start, end))}`);
  }
  #note(what: string): void {
    this.records.push(`${this.reader.line}: ${what}`);
  }
}

function readChunks(
  chunks: Uint8Array[],
  readsStacks = false,
): { records: string[]; lines: number } {
  const recorder = new Recorder(readsStacks);
  for (const chunk of chunks) recorder.reader.push(chunk);
  return { lines: recorder.reader.end(), records: recorder.records };
}

function read(text: string): { records: string[]; lines: number } {
  return readChunks([new TextEncoder().encode(text)]);
}

const TRACE = `hello from the program
tracealloc(0xc208010000, 0x70, runtime.parfor)
goroutine 0 [idle]:
testing.tRunner(0xc208010000)
\t/usr/local/go1.4.3/src/runtime/malloc.go:327 +0x32a fp=0x7fff503d49b0 sp=0x7fff503d4900

tracealloc(0xc208012000, 0x900)
goroutine 1 [running]:

tracefree(0xc208010000, 0x70)
trace of something else: tracefree(0x1, 0x1)
tracegc()

goroutine 1 [garbage collection]:
end tracegc

tracealloc(0xc208014000, 0x10, struct { a int; f func(int, string) (bool, error) })
`;

const RECORDS = [
  "2: alloc c208010000 112 [runtime.parfor]",
  "7: alloc c208012000 2304 []",
  "10: free c208010000 112",
  "12: gc",
  "17: alloc c208014000 16 [struct { a int; f func(int, string) (bool, error) }]",
];

Deno.test("a trace is read record by record, and program output between records is passed over", () => {
  assertEquals(read(TRACE), { records: RECORDS, lines: 17 });
});

Deno.test("a trace reads the same when it is cut in two at any byte", () => {
  const bytes = new TextEncoder().encode(TRACE);
  for (let cut = 0; cut <= bytes.length; cut++) {
    const { records, lines } = readChunks([bytes.slice(0, cut), bytes.slice(cut)]);
    assertEquals([cut, lines, ...records], [cut, 17, ...RECORDS]);
  }
});

Deno.test("a trace reads the same when it comes one byte at a time", () => {
  const bytes = new TextEncoder().encode(TRACE);
  assertEquals(readChunks(Array.from(bytes, (byte) => Uint8Array.of(byte))).records, RECORDS);
});

Deno.test("a trace whose lines end in carriage return and line feed reads the same", () => {
  assertEquals(read(TRACE.replaceAll("\n", "\r\n")).records, RECORDS);
});

Deno.test("a last line without a line end is read", () => {
  assertEquals(read("tracefree(0x10, 0x8)"), { records: ["1: free 10 8"], lines: 1 });
  assertEquals(read("tracegc()\ntracefree(0x10, 0x8)").lines, 2);
  assertEquals(read(""), { records: [], lines: 0 });
});

Deno.test("a type's name goes up to the last parenthesis of the line", () => {
  const types = [
    "map.bucket[string]*unicode.RangeTable",
    "func(int)",
    "func(int) (a, b)",
    "interface { F(int) }",
    ")",
    "chan<- (chan int)",
    "main.größe",
  ];
  for (const type of types) {
    assertEquals(read(`tracealloc(0x10, 0x8, ${type})\n`).records, [`1: alloc 10 8 [${type}]`]);
  }
});

Deno.test("numbers are exact up to the largest integer and malformed above it", () => {
  assertEquals(read("tracefree(0x1fffffffffffff, 0x8)").records, ["1: free 1fffffffffffff 8"]);
  for (const address of ["0x20000000000000", "0x100000000000000", "0xffffffffffffffff"]) {
    assertMatch(read(`tracefree(${address}, 0x8)`).records[0], /^1: malformed/);
  }
});

Deno.test("a line that begins as a record and goes on as none is malformed, and says why", () => {
  const cases: [string, string][] = [
    ["tracealloc(", "expected ) at its end"],
    ["tracealloc()", "expected a hexadecimal address"],
    ["tracealloc(0x10, 0x8, int", "expected ) at its end"],
    ["tracealloc(0x10, 0x8, int) and more", "expected ) at its end"],
    ["tracealloc(0x10, 0x8, )", "expected a comma, a space and a type after the size"],
    ["tracealloc(0x10, 0x8 int)", "expected a comma, a space and a type after the size"],
    ["tracealloc(10, 0x8)", "expected a hexadecimal address"],
    ["tracealloc(0xC2, 0x8)", "expected a hexadecimal address"],
    ["tracealloc(0x, 0x8)", "expected a hexadecimal address"],
    ["tracealloc(0x10 0x8)", "expected a comma and a space after the address"],
    ["tracealloc(0x10, )", "expected a hexadecimal size"],
    ["tracealloc(0x10, 8)", "expected a hexadecimal size"],
    ["tracealloc(0x0, 0x8)", "its address is nil"],
    ["tracealloc(0x10, 0x0)", "its size is 0"],
    ["tracefree(0x10)", "expected a comma and a space after the address"],
    ["tracefree(0x10, 0x8, int)", "expected ) after the size"],
    ["tracegc(now)", "expected )"],
  ];
  for (const [line, why] of cases) {
    assertEquals(read(`${line}\ntracegc()\n`).records, [
      `1: malformed malformed record, ${why}: ${JSON.stringify(line)}`,
      "2: gc",
    ]);
  }
});

Deno.test("lines that are no record's first are passed over, whatever they begin with", () => {
  const lines = [
    "t",
    "trace",
    "traceallo(0x1, 0x1)",
    "tracefreeze()",
    " tracegc()",
    "tracegc",
    "end tracegc",
  ];
  assertEquals(read(lines.join("\n")).records, []);
});

Deno.test("a line without end costs no memory, and a record of that length is malformed", () => {
  const long = new Uint8Array(MAX_RECORD_BYTES).fill(0x61);
  const start = new TextEncoder().encode("tracealloc(0x10, 0x8, ");
  const end = new TextEncoder().encode(")\ntracegc()\n");
  const { records } = readChunks([start, long, long, long, end]);
  assertEquals(records.length, 2);
  assertStringIncludes(records[0], `record is longer than ${MAX_RECORD_BYTES} bytes`);
  assertEquals(records[1], "2: gc");
  const whole = new Uint8Array([...start, ...long, ...end]);
  assertEquals(readChunks([whole]).records, records);
  assertEquals(readChunks([long, long, end]).records, ["2: gc"]);
});

Deno.test("the longest record that fits is read, cut or whole", () => {
  const type = "a".repeat(MAX_RECORD_BYTES - "tracealloc(0x10, 0x8, )".length);
  const bytes = new TextEncoder().encode(`tracealloc(0x10, 0x8, ${type})\n`);
  const expected = [`1: alloc 10 8 [${type}]`];
  assertEquals(readChunks([bytes]).records, expected);
  assertEquals(readChunks([bytes.slice(0, 40000), bytes.slice(40000)]).records, expected);
});

/** The records and, behind those of allocations, the lines of their stacks. */
const WITH_STACKS = [
  RECORDS[0],
  "3: stack goroutine 0 [idle]:",
  "4: stack testing.tRunner(0xc208010000)",
  "5: stack \t/usr/local/go1.4.3/src/runtime/malloc.go:327 +0x32a fp=0x7fff503d49b0 sp=0x7fff503d4900",
  RECORDS[1],
  "8: stack goroutine 1 [running]:",
  ...RECORDS.slice(2),
];

Deno.test("stacks of allocations are read where somebody wants them, however the trace is cut", () => {
  const bytes = new TextEncoder().encode(TRACE);
  for (let cut = 0; cut <= bytes.length; cut++) {
    const { records } = readChunks([bytes.slice(0, cut), bytes.slice(cut)], true);
    assertEquals([cut, ...records], [cut, ...WITH_STACKS]);
  }
  const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
  assertEquals(readChunks(single, true).records, WITH_STACKS);
  const other = new TextEncoder().encode(TRACE.replaceAll("\n", "\r\n"));
  assertEquals(readChunks([other], true).records, WITH_STACKS);
});

Deno.test("a long line of a stack is cut, and what follows is read", () => {
  const start = new TextEncoder().encode("tracealloc(0x10, 0x8)\n");
  const long = new Uint8Array(MAX_RECORD_BYTES + 5).fill(0x61);
  const end = new TextEncoder().encode("\nf()\n\ng()\ntracegc()\n");
  const expected = [
    "1: alloc 10 8 []",
    `2: stack ${"a".repeat(MAX_RECORD_BYTES)}`,
    "3: stack f()",
    "6: gc",
  ];
  assertEquals(readChunks([start, long, end], true).records, expected);
  const whole = new Uint8Array([...start, ...long, ...end]);
  assertEquals(readChunks([whole], true).records, expected);
  assertEquals(readChunks([whole.slice(0, 100), whole.slice(100)], true).records, expected);
});
