import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { HeapDump, HeapDumpError } from "../../mod.ts";
import { readDump } from "../data.ts";
import { dumpedProgram } from "./heap_dump_program.ts";

/** Reads a dump and all that can be asked of it; returns the error if it is refused in the proper way. */
function readOrRefuse(bytes: Uint8Array): HeapDumpError | null {
  try {
    const dump = HeapDump.from(bytes);
    const graph = dump.objectGraph();
    for (let i = 0; i < dump.objectCount; i += 1 + (dump.objectCount >> 5)) dump.object(i);
    const { objects, bytes: reachableBytes } = graph.reachable;
    assert(objects <= graph.objects && reachableBytes <= graph.bytes);
    graph.masks();
    graph.types();
    graph.finalizerCycles();
    for (const { address } of graph.largest(3)) {
      assertEquals(graph.path(address) === null, graph.dominators(address) === null);
    }
    return null;
  } catch (error) {
    if (!(error instanceof HeapDumpError)) throw error;
    assert(error.offset >= 0 && error.offset <= bytes.length, `offset ${error.offset}`);
    assertStringIncludes(error.message, `Cannot read heap dump: at offset ${error.offset}: `);
    return error;
  }
}

function ownDump(recordTypes: boolean): Uint8Array {
  using program = dumpedProgram({ recordTypes });
  return program.heap.writeHeapDump();
}

for (const recordTypes of [false, true]) {
  const dump = ownDump(recordTypes);
  // The contents of the large object are all alike.
  const cuts = Array.from(dump, (_, cut) => cut)
    .filter((cut) => cut < 1500 || cut > dump.length - 1500 || cut % 500 === 0);

  Deno.test(`a dump that ends too early says where, types recorded: ${recordTypes}`, () => {
    const end = new TextDecoder("latin1").decode(dump).indexOf("goheap types 1\n");
    assertEquals(end >= 0, recordTypes);
    for (const cut of [...cuts, ...(recordTypes ? [end] : [])]) {
      const error = readOrRefuse(dump.subarray(0, cut));
      // Without the types of the objects it is a dump like Go's.
      if (cut === end) assertEquals(error, null);
      else assert(error !== null, `the first ${cut} of ${dump.length} bytes`);
    }
    assertEquals(readOrRefuse(dump), null);
  });
}

Deno.test("a dump of Go's that ends too early says where", async () => {
  const dump = await readDump("bintree10.rate0");
  for (let cut = 0; cut < dump.length; cut += 977) {
    assert(readOrRefuse(dump.subarray(0, cut)) !== null, `the first ${cut} bytes`);
  }
});

Deno.test("a dump with bytes changed is read or refused, and nothing else", async () => {
  const dumps = [ownDump(false), ownDump(true), await readDump("bintree10.rate0")];
  const change = fc.record({
    which: fc.nat({ max: dumps.length - 1 }),
    bytes: fc.array(fc.tuple(fc.noBias(fc.nat({ max: 2 ** 24 })), fc.nat({ max: 255 })), {
      minLength: 1,
      maxLength: 4,
    }),
  });
  let refused = 0;
  fc.assert(
    fc.property(change, ({ which, bytes }) => {
      const changed = dumps[which].slice();
      for (const [place, byte] of bytes) changed[place % changed.length] = byte;
      if (readOrRefuse(changed) !== null) refused++;
    }),
    { numRuns: 400, seed: 1414 },
  );
  // Most bytes are the contents of objects, any of which is a legal dump.
  assert(refused > 30, `${refused} were refused`);
});

Deno.test("a dump with any byte of its small records changed is read or refused, and nothing else", () => {
  const dump = ownDump(true);
  const start = dump.length - 900;
  for (let at = 0; at < dump.length; at = at === 600 ? start : at + 1) {
    for (const byte of [0, 0x7f, 0xff]) {
      const changed = dump.slice();
      changed[at] = byte;
      readOrRefuse(changed);
    }
  }
});

/** A dump made by hand: the header, params, and whatever follows. */
function dumpOf(...rest: (number | string)[]): Uint8Array {
  const parts = ["go1.4 heap dump\n", 6, 0, 8, 0x10, 0x20, 54, 0, 1, ...rest];
  return Uint8Array.from(
    parts.flatMap((part) =>
      typeof part === "number" ? [part] : [...new TextEncoder().encode(part)]
    ),
  );
}

const MEM_STATS = [10, ...new Array(24 + 256 + 1).fill(0)];
/** Where the first record behind the params is. */
const FIRST = dumpOf().length;

const BAD_DUMPS: [what: string, dump: Uint8Array, offset: number, message: string][] = [
  ["nothing", new Uint8Array(0), 0, "the dump ends within its header"],
  ["gzip", Uint8Array.of(0x1f, 0x8b, 8), 0, "gzip data, which has to be decompressed first"],
  ["other text", new TextEncoder().encode("go1.3 heap dump\n"), 4, "no header of a heap dump"],
  ["an unknown tag", dumpOf(18), FIRST, "a record with tag 18, which is none"],
  ["params twice", dumpOf(6), FIRST, "params for a second time"],
  ["no statistics", dumpOf(0), FIRST + 1, "the dump ends without memory statistics"],
  [
    "statistics twice",
    dumpOf(...MEM_STATS, 10),
    FIRST + 282,
    "memory statistics for a second time",
  ],
  ["a frame of nobody", dumpOf(5), FIRST, "a frame before the first goroutine"],
  ["an empty object", dumpOf(1, 16, 0, 0), FIRST + 1, "an object of 0 bytes"],
  [
    "a long object",
    dumpOf(1, 16, 9, 0),
    FIRST + 2,
    "an object has 9 bytes, and the dump only 1 more",
  ],
  [
    "a huge length",
    dumpOf(1, 16, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1),
    FIRST + 2,
    "the length of an object is 18446744073709552000, which is above 2^53",
  ],
  [
    "a number without end",
    dumpOf(1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2),
    FIRST + 1,
    "the address of an object has more than 64 bits",
  ],
  ["a field of no kind", dumpOf(1, 16, 8, "12345678", 4), FIRST + 11, "a field of kind 4"],
  [
    "a field outside",
    dumpOf(1, 16, 8, "12345678", 2, 0),
    FIRST + 11,
    "a field of 16 bytes at 0 in 8 bytes",
  ],
  [
    "a field between words",
    dumpOf(1, 16, 9, "123456789", 1, 1),
    FIRST + 12,
    "a field of 8 bytes at 1 in 9 bytes",
  ],
  [
    "objects on each other",
    dumpOf(1, 32, 8, "12345678", 0, 1, 28, 8, "12345678", 0, ...MEM_STATS, 0),
    FIRST + 15,
    "an object at 0x1c, where one of 8 bytes at 0x20 lies",
  ],
  ["neither true nor false", dumpOf(3, 8, 8, 0, 2), FIRST + 4, "is 2, neither 0 nor 1"],
  ["something behind the end", dumpOf(...MEM_STATS, 0, 7), FIRST + 283, "something behind the end"],
  [
    "types of other objects",
    dumpOf(...MEM_STATS, 0, "goheap types 1\n", 0, 1, 0, 0),
    FIRST + 283 + 16,
    "the types of another number of objects than 0",
  ],
  [
    "a type of no object",
    dumpOf(1, 8, 1, 0, 0, ...MEM_STATS, 0, "goheap types 1\n", 0, 1, 9, 0),
    FIRST + 5 + 283 + 17,
    "the type of an object at 0x9, where none begins",
  ],
  [
    "a type that is none",
    dumpOf(1, 8, 1, 0, 0, ...MEM_STATS, 0, "goheap types 1\n", 0, 1, 8, 1),
    FIRST + 5 + 283 + 18,
    "type 1 of 0",
  ],
];

for (const [what, dump, offset, message] of BAD_DUMPS) {
  Deno.test(`a dump is refused where it is wrong: ${what}`, () => {
    const error = readOrRefuse(dump);
    assert(error !== null, "it was read");
    assertStringIncludes(error.message, message);
    assertEquals(error.offset, offset);
  });
}

Deno.test("a dump with the high byte first, and pointers of four bytes, is read", () => {
  const bytes = Uint8Array.from([
    ...new TextEncoder().encode("go1.4 heap dump\n"),
    ...[6, 1, 4, 0x10, 0x40, 53, 0, 1],
    ...[1, 0x10, 8, 0, 0, 0, 0, 0, 0, 0, 0x23, 1, 4, 0],
    ...[1, 0x20, 4, 1, 2, 3, 4, 0],
    ...[13, 0x60, 4, 0, 0, 0, 0x10, 1, 0, 0],
    ...MEM_STATS,
    0,
  ]);
  const path = HeapDump.from(bytes).objectGraph().path(0x20)!;
  assertEquals(path.root, { kind: "bss", address: 0x60, name: "" });
  assertEquals(path.steps.map(({ offset, object }) => [offset, object.address]), [[0, 0x10], [
    4,
    0x20,
  ]]);
});

Deno.test("the function of a finalizer, and the context of a goroutine, are kept alive", () => {
  const object = (address: number) => [1, address, 8, "12345678", 0] as const;
  const goroutine = [4, 0, 0, 7, 0, 4, 0, 0, 0, 0, 0x30, 0, 0, 0];
  const finalizers = [7, 0x20, 0x40, 0, 0, 0, 11, 0x50, 0x58, 0, 0, 0];
  const objects = [0x20, 0x30, 0x40, 0x50, 0x58].flatMap((address) => object(address));
  const graph = HeapDump.from(dumpOf(...objects, ...goroutine, ...finalizers, ...MEM_STATS, 0))
    .objectGraph();
  const roots = [0x30, 0x40, 0x50, 0x58].map((p) => graph.path(p)?.root);
  assertEquals(roots, [
    { kind: "goroutine", address: 0, name: "context of goroutine 7" },
    { kind: "finalizer", address: 0x20, name: "" },
    { kind: "queued finalizer", address: 0x50, name: "" },
    { kind: "queued finalizer", address: 0x50, name: "" },
  ]);
  assertEquals(graph.reachable.objects, 4);
});
