import { assertEquals, assertRejects } from "@std/assert";
import { Input, InputError, type Source } from "../../lib/cli/input.ts";
import { gzip } from "./run_command.ts";

/** A source that hands out `bytes` at most `pieceBytes` at a time, as a pipe may. */
function sourceOf(bytes: Uint8Array, pieceBytes: number): Source {
  let at = 0;
  return {
    read: (buffer) => {
      if (at === bytes.length) return Promise.resolve(null);
      const piece = bytes.subarray(at, at + Math.min(pieceBytes, buffer.length));
      buffer.set(piece);
      at += piece.length;
      return Promise.resolve(piece.length);
    },
    close: () => {},
  };
}

async function textOf(bytes: Uint8Array, pieceBytes = 65536): Promise<string> {
  using input = new Input("test", sourceOf(bytes, pieceBytes), bytes.length);
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of input.chunks()) text += decoder.decode(chunk, { stream: true });
  assertEquals(input.readBytes, bytes.length);
  return text;
}

const TEXT = "tracegc()\n".repeat(20_000);

Deno.test("an input is inflated if its first two bytes say gzip, however they arrive", async () => {
  const compressed = await gzip(TEXT);
  for (const pieceBytes of [1, 2, 3, 65536]) {
    assertEquals(await textOf(compressed, pieceBytes), TEXT);
  }
  assertEquals(await textOf(new TextEncoder().encode(TEXT), 1000), TEXT);
  assertEquals(await textOf(new Uint8Array(0)), "");
  assertEquals(await textOf(Uint8Array.of(0x1f), 1), "\x1f");
});

Deno.test("gzip files put one after the other are one input", async () => {
  const compressed = await gzip(TEXT);
  assertEquals(await textOf(new Uint8Array([...compressed, ...compressed])), TEXT + TEXT);
});

Deno.test("what a small piece of gzip inflates to comes in small chunks", async () => {
  const bomb = await gzip(TEXT.repeat(20));
  using input = new Input("test", sourceOf(bomb, 65536), null);
  let largest = 0;
  for await (const chunk of input.chunks()) largest = Math.max(largest, chunk.length);
  assertEquals(largest, 65536);
});

Deno.test("gzip that ends early is called truncated, gzip that is wrong damaged", async () => {
  const compressed = await gzip(TEXT);
  for (const length of [2, 10, compressed.length >> 1, compressed.length - 1]) {
    await assertRejects(
      () => textOf(compressed.subarray(0, length)),
      InputError,
      "truncated gzip data",
    );
  }
  const wrongCheck = compressed.slice();
  wrongCheck[wrongCheck.length - 5] ^= 1;
  await assertRejects(
    () => textOf(wrongCheck),
    InputError,
    "damaged gzip data: incorrect data check",
  );
});

Deno.test("an input that fails half way says so, plain or gzip", async () => {
  for (const content of [new TextEncoder().encode(TEXT), await gzip(TEXT)]) {
    const { read } = sourceOf(content, 20);
    let reads = 0;
    const failing: Source = {
      read: (buffer) => {
        reads++;
        if (reads > 2) return Promise.reject(new Error("I/O error (os error 5)"));
        return read(buffer);
      },
      close: () => {},
    };
    using input = new Input("test", failing, null);
    await assertRejects(
      async () => {
        for await (const _chunk of input.chunks());
      },
      InputError,
      "cannot read: I/O error",
    );
  }
});
