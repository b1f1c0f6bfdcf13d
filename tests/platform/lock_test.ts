import { assertEquals, assertThrows } from "@std/assert";
import { GoThrow } from "../../lib/errors.ts";
import { Lock } from "../../lib/platform/lock.ts";

const WORKER = `
  import { Lock } from "${new URL("../../lib/platform/lock.ts", import.meta.url)}";
  onmessage = ({ data: { word, counter, rounds } }) => {
    const lock = new Lock(word);
    for (let i = 0; i < rounds; i++) {
      lock.lock();
      counter[0] = counter[0] + 1;
      lock.unlock();
    }
    postMessage("done");
  };
`;

Deno.test("a lock that is held cannot be taken again by its thread", () => {
  const lock = new Lock();
  lock.lock();
  assertThrows(() => lock.lock(), GoThrow, "deadlock");
  lock.unlock();
  lock.lock();
});

Deno.test("a lock that is free cannot be unlocked", () => {
  assertThrows(() => new Lock().unlock(), GoThrow, "unlock of unlocked lock");
  const shared = new Lock();
  shared.share();
  assertThrows(() => shared.unlock(), GoThrow, "unlock of unlocked lock");
});

Deno.test("threads that share a lock never hold it at once", async () => {
  const lock = new Lock();
  lock.share();
  assertEquals(lock.isShared, true);
  const counter = new Int32Array(new SharedArrayBuffer(4));
  const rounds = 100_000;
  const url = URL.createObjectURL(new Blob([WORKER], { type: "text/javascript" }));
  const worker = new Worker(url, { type: "module" });
  const done = new Promise((resolve) => worker.onmessage = resolve);
  worker.postMessage({ word: lock.word, counter, rounds });
  for (let i = 0; i < rounds; i++) {
    lock.lock();
    counter[0] = counter[0] + 1;
    lock.unlock();
  }
  await done;
  worker.terminate();
  URL.revokeObjectURL(url);
  assertEquals(counter[0], 2 * rounds);
});
