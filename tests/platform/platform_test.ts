import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  hostPlatform,
  hostPlatformName,
  PLATFORM_NAMES,
  platformNamed,
} from "../../lib/platform/platform.ts";
import { GoHeap } from "../../mod.ts";

const GiB = 2 ** 30;

function basesOf(name: string, compiler: "gc" | "gccgo" = "gc"): readonly number[] {
  return platformNamed(name, compiler).heapBases;
}

Deno.test("most 64-bit platforms try 128 heap bases, from 0x00c0 << 32 on", () => {
  const bases = Array.from({ length: 0x80 }, (_, i) => i * 2 ** 40 + 0xc0 * 2 ** 32);
  for (const name of PLATFORM_NAMES.filter((each) => each.endsWith("/amd64"))) {
    assertEquals(basesOf(name), bases, name);
    assertEquals(basesOf(name, "gccgo"), bases, name);
  }
});

Deno.test("gccgo tries one base on arm64, gc as many as elsewhere, and darwin's lie lower", () => {
  assertEquals(basesOf("linux/arm64", "gccgo"), [0x40_0000_0000]);
  assertEquals(basesOf("linux/arm64").length, 0x80);
  assertEquals(basesOf("linux/arm64").slice(0, 2), [0x40_0000_0000, 0x140_0000_0000]);
  assertEquals(basesOf("darwin/arm64").slice(0, 2), [0x1_3000_0000, 0x101_3000_0000]);
});

Deno.test("the second gccgo heap on arm64 finds its one base taken, and lives behind the image", () => {
  const options = { platform: "linux/arm64", compiler: "gccgo" } as const;
  using first = new GoHeap(options);
  using second = new GoHeap(options);
  const [p, q] = [first, second].map((heap) => {
    const made = heap.newobject(heap.types.pointer(heap.types.int));
    heap.GC();
    heap.verify();
    return made;
  });
  assertEquals(p, 0x40_0000_0000 + 2 ** 27 + 2 ** 33);
  // The image ends at 0x110000; then 2 MiB of spans and 128 MiB of bitmap.
  assertEquals(q % 2 ** 32, 0x20_0000 + 130 * 2 ** 20);
});

Deno.test("an arena has 128 GiB, 32 GiB on Windows, and less than 4 GiB on 32-bit", () => {
  for (const name of PLATFORM_NAMES) {
    const { goos, pointerBytes, maxMemBytes, heapBases } = platformNamed(name);
    const long = goos === "windows" ? 32 * GiB : 128 * GiB;
    assertEquals(maxMemBytes, pointerBytes === 8 ? long : 4 * GiB - 1, name);
    assertEquals(heapBases.length > 0, pointerBytes === 8, name);
  }
});

Deno.test("whatever the host is, its platform is one of the table, of the same processor if that is", () => {
  assertEquals(hostPlatformName("linux", "x86_64"), "linux/amd64");
  assertEquals(hostPlatformName("darwin", "aarch64"), "darwin/arm64");
  assertEquals(hostPlatformName("win32", "x64"), "windows/amd64");
  assertEquals(hostPlatformName("windows", "aarch64"), "linux/arm64");
  assertEquals(hostPlatformName("android", "arm64"), "linux/arm64");
  assertEquals(hostPlatformName("sunos", "x64"), "solaris/amd64");
  assertEquals(hostPlatformName("linux", "arm"), "linux/arm");
  assertEquals(hostPlatformName("win32", "ia32"), "windows/386");
  assertEquals(hostPlatformName("aix", "ppc64"), "linux/amd64");
  assertEquals(hostPlatformName("", ""), "linux/amd64");
  assert(PLATFORM_NAMES.includes(hostPlatform().name));
  assertThrows(() => platformNamed("linux/ppc64"), RangeError, "linux/ppc64");
});

for (const name of PLATFORM_NAMES) {
  Deno.test(`the first object on ${name} lies where Go's arena begins`, () => {
    using heap = new GoHeap({ platform: name });
    const p = heap.newobject(heap.types.pointer(heap.types.int));
    const { goos, pointerBytes, heapBases, imageEnd, addressEnd } = heap.platform;
    const behindImage = Math.ceil((imageEnd + 2 ** 18) / 2 ** 20) * 2 ** 20;
    // Spans, and one byte of bitmap for 16 or 8 of arena.
    const tables = pointerBytes === 4
      ? 2 ** 20 + 2 ** 28
      : goos === "windows"
      ? 2 ** 25 + 2 ** 31
      : 2 ** 27 + 2 ** 33;
    const base = heapBases.find((each) => each + tables <= p && p < each + 2 ** 40) ?? behindImage;
    assertEquals(p, base + tables);
    assert(p < addressEnd && heap.global(heap.types.int) < addressEnd);
  });
}

Deno.test("32-bit heaps have addresses of their own, however many there are, up to 4 GiB", () => {
  const heaps = Array.from({ length: 20 }, () => new GoHeap({ platform: "linux/386" }));
  const roots = heaps.map((heap, i) => {
    const { types } = heap;
    const root = heap.global(types.pointer(types.int));
    heap.storePointer(root, heap.newobject(types.int));
    heap.storeInt32(heap.loadPointer(root), i);
    return root;
  });
  heaps.forEach((heap, i) => {
    const p = heap.loadPointer(roots[i]);
    assertEquals([p, heap.loadInt32(p)], [0x18300000, i]);
    heap.GC();
    heap.verify();
    assertEquals(heap.ReadMemStats().HeapObjects, 1);
    heap[Symbol.dispose]();
  });
});
