import { assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import { HeapBlocks } from "../../lib/cli/heap_blocks.ts";
import { Replayer } from "../../lib/cli/replayer.ts";
import { MAX_STACK_BYTES, StackTotals } from "../../lib/cli/stack_totals.ts";
import { GoHeap } from "../../mod.ts";

const encoder = new TextEncoder();

/** Replays chunks of a trace and reads the stacks; objects allocated and live by stack. */
function replay(chunks: readonly Uint8Array[]): Record<string, [allocated: number, live: number]> {
  using heap = new GoHeap({ platform: "linux/amd64", collect: "malloc" });
  const replayer = new Replayer(new HeapBlocks(heap), true);
  const { texts, totals } = replayer.stacks = new StackTotals();
  for (const chunk of chunks) replayer.push(chunk);
  replayer.end();
  const groups = texts.names.map((text, number): [string, [number, number]] => {
    const [allocated, live] = [totals.allocated(number), totals.live(number)];
    // Every block has 16 bytes.
    assertEquals([allocated.bytes, live.bytes], [16 * allocated.objects, 16 * live.objects]);
    return [text, [allocated.objects, live.objects]];
  });
  return Object.fromEntries(groups.filter(([, [allocated]]) => allocated > 0));
}

function replayText(text: string): Record<string, [number, number]> {
  return replay([encoder.encode(text)]);
}

/** A record with the stack that a call of main.f with `argument` has. */
function allocation(address: number, argument: number): string {
  return `tracealloc(0x${address.toString(16)}, 0x10, main.T)
goroutine ${argument} [running]:
runtime.mallocgc(0x10, 0x${argument}, 0x0)
\t/go/src/runtime/malloc.go:327 +0x32a fp=0xc20802f${argument} sp=0xc20802f000
main.(*T).f(0x${argument}, 0xc208034000, ...)
\t/src/main.go:27 +0x4f fp=0xc208037d28 sp=0xc208037ce8
main.func·001()
\t/src/a b.go:5
created by main.main
\t/src/main.go:51 +0x2a1

`;
}

const TEXT = [
  "runtime.mallocgc\t/go/src/runtime/malloc.go:327",
  "main.(*T).f\t/src/main.go:27",
  "main.func·001\t/src/a b.go:5",
  "created by main.main\t/src/main.go:51",
].join("\n");

const OTHER = TEXT.replace("main.go:27", "main.go:28");

const TRACE = allocation(0x1000, 1) + allocation(0x2000, 2) +
  "tracefree(0x1000, 0x10)\n" + allocation(0x9999, 9).split("\n").slice(1).join("\n") +
  allocation(0x3000, 3).replace("main.go:27", "main.go:28") +
  "tracealloc(0x4000, 0x10)\n\nmain.g()\n\t/src/main.go:1 +0x1\n" +
  "tracefree(0x3000, 0x10)\n";

const EXPECTED = { [TEXT]: [2, 1], [OTHER]: [1, 0], "": [1, 1] };

Deno.test("equal stacks are one, whatever their goroutines and arguments, and frees find theirs", () => {
  assertEquals<unknown>(replayText(TRACE), EXPECTED);
});

Deno.test("stacks read the same byte by byte, and with other line ends", () => {
  const single = Array.from(encoder.encode(TRACE), (byte) => Uint8Array.of(byte));
  assertEquals<unknown>(replay(single), EXPECTED);
  assertEquals<unknown>(replayText(TRACE.replaceAll("\n", "\r\n")), EXPECTED);
});

Deno.test("the stack of a record that is left out goes to no other one", () => {
  const twice = allocation(0x1000, 1) +
    allocation(0x1000, 2).replaceAll("main.go", "other.go") +
    allocation(0x2000, 3);
  assertEquals(replayText(twice), { [TEXT]: [2, 2] });
  const malformed = allocation(0x1000, 1).replace("\n\n", "\n") +
    allocation(0x2000, 2).replace("0x10,", "16,").replaceAll("main.go", "other.go");
  assertEquals(replayText(malformed), { [TEXT]: [1, 1] });
});

Deno.test("a stack without end is cut behind a frame, and is the same each time", () => {
  const endless = (address: number) =>
    `tracealloc(0x${address}, 0x10)\ngoroutine 1 [running]:\n` +
    Array.from({ length: 5000 }, (_, i) => `main.f${i}()\n\t/src/main.go:${i} +0x1\n`).join("") +
    `${"x".repeat(100_000)}\nf()\n\n`;
  const stacks = Object.entries(replayText(endless(1000) + endless(2000)));
  assertEquals(stacks.length, 1);
  const [[text, counts]] = stacks;
  assertEquals(counts, [2, 2]);
  assertGreater(text.length, MAX_STACK_BYTES - 100);
  assertLessOrEqual(text.length, MAX_STACK_BYTES);
  assertEquals(text.startsWith("main.f0\t/src/main.go:0\nmain.f1\t"), true);
});

Deno.test("blocks that move are without a stack, and their frees are counted there", () => {
  assertEquals(replayText("0\n2\n4\n1\na 0 16\na 1 16\nr 0 16\nf 0\n"), { "": [3, 1] });
});
