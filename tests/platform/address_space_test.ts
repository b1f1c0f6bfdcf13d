import { assert, assertEquals, assertThrows } from "@std/assert";
import { GoHeap, GoThrow, type Pointer, SharedAddressSpace } from "../../mod.ts";

const MiB = 2 ** 20;
const PAGE = 8192;
const SHORT_END = 2 ** 32;
const LONG_END = 2 ** 48;

Deno.test("below 4 GiB a reservation goes to its hint, or else as high as there is room", () => {
  using space = new SharedAddressSpace({ taken: [[0xf000_0000, 0x0fff_0000 - 16 * MiB]] });
  assertEquals(space.reserve(0x1000_0000, 64 * MiB, SHORT_END), 0x1000_0000);
  const top = 0xffff_0000 - 16 * MiB;
  assertEquals(space.reserve(0x1000_0000, 16 * MiB, SHORT_END), top);
  assertEquals(space.reserve(0x1200_0000, 16 * MiB, SHORT_END), 0xf000_0000 - 16 * MiB);
  assertEquals(space.reserve(0x1000_0000, 4095 * MiB, SHORT_END), 0);
  space.free(top, 16 * MiB);
  assertEquals(space.alloc(MiB, SHORT_END), 0xffff_0000 - MiB);
});

Deno.test("above 4 GiB a small reservation goes to its hint, or else to a later segment, a large one nowhere", () => {
  using space = new SharedAddressSpace();
  using other = new SharedAddressSpace();
  const hint = 0x1234_0000;
  assertEquals(space.reserve(hint, MiB, LONG_END), hint);
  assertEquals(other.reserve(hint, MiB, LONG_END), hint + 2 ** 32);
  assertEquals(other.reserve(hint, 2 ** 33, LONG_END), 0);
  // A 32-bit heap has these addresses for itself.
  assertEquals(other.reserve(hint, MiB, SHORT_END), hint);
});

Deno.test("memory that was given back is zero when it is given out again, wherever it lies", () => {
  for (const end of [SHORT_END, LONG_END]) {
    using space = new SharedAddressSpace();
    const view = (p: Pointer, bytes: number) => {
      const { base, buffer } = space.window(p);
      return new Uint8Array(buffer, p - base, bytes);
    };
    const p = space.alloc(3 * PAGE, end);
    view(p, 3 * PAGE).fill(0x55);
    space.free(p, 3 * PAGE);
    const q = space.alloc(3 * PAGE, end);
    assertEquals([q, view(q, 3 * PAGE).some((byte) => byte !== 0)], [p, false]);

    const hint = 0x2000_0000;
    assertEquals(space.reserve(hint, MiB, end), hint);
    assert(space.map(hint + PAGE, 2 * PAGE));
    view(hint + PAGE, 2 * PAGE).fill(0x55);
    space.free(hint, MiB);
    assertThrows(() => space.window(hint), RangeError, String(hint));
    assertEquals(space.reserve(hint, MiB, end), hint);
    assert(space.map(hint, MiB));
    assert(view(hint, MiB).every((byte) => byte === 0));
  }
});

Deno.test("what is mapped counts against the limit once, until it is given back", () => {
  using space = new SharedAddressSpace({ limitBytes: 4 * PAGE });
  const hint = 0x2000_0000;
  space.reserve(hint, MiB, SHORT_END);
  assert(space.map(hint, 2 * PAGE));
  assert(space.map(hint + PAGE, 2 * PAGE), "one page of them is new");
  assertEquals(space.map(hint + 3 * PAGE, 2 * PAGE), false);
  assertEquals(space.alloc(2 * PAGE, SHORT_END), 0);
  assert(space.alloc(PAGE, SHORT_END) > 0);
  assertEquals(space.map(hint + 4 * PAGE, PAGE), false);
  space.free(hint, MiB);
  assert(space.alloc(3 * PAGE, SHORT_END) > 0);
  assertEquals(space.map(hint, PAGE), false, "what is not reserved cannot be mapped");
});

for (const platform of ["linux/386", "linux/amd64"]) {
  Deno.test(`heap after heap on ${platform} lives in one address space, which a heap leaves as it was`, () => {
    using space = new SharedAddressSpace({ limitBytes: 32 * MiB });
    const seen: Pointer[] = [];
    for (let i = 0; i < 5; i++) {
      using heap = new GoHeap({ platform, addressSpace: space });
      const { types } = heap;
      const root = heap.global(types.unsafePointer);
      assertEquals(heap.loadPointer(root), 0);
      const bytes = 16 * MiB;
      const p = heap.rawmem(bytes);
      assert(heap.bytes(p, bytes).every((byte) => byte === 0), `heap ${i}`);
      heap.bytes(p, bytes).fill(0xff);
      heap.storePointer(root, p);
      seen.push(root, p);
      using frame = heap.frame(1);
      assertEquals(frame.get(0), 0);
      frame.set(0, p);
    }
    assertEquals(new Set(seen).size, 2);
  });

  Deno.test(`two heaps on ${platform} share an address space, and neither sees the other's objects`, () => {
    using space = new SharedAddressSpace();
    using first = new GoHeap({ platform, addressSpace: space });
    using second = new GoHeap({ platform, addressSpace: space });
    const [p, q] = [first, second].map((heap) => heap.newarray(heap.types.int, 100));
    assert(p !== q);
    assertEquals([first.findObject(q), second.findObject(p)], [null, null]);
    using _ = first.ref(q);
    first.GC();
    second.GC();
    first.verify();
    second.verify();
    assertEquals(first.ReadMemStats().HeapObjects, 0);
  });
}

Deno.test("a limited heap on 4-byte words runs into its limit, and goes on after a collection", () => {
  using heap = new GoHeap({ platform: "linux/386", limitBytes: 8 * MiB });
  let count = 0;
  assertThrows(
    () => {
      for (;; count++) heap.rawmem(100_000);
    },
    GoThrow,
    "out of memory",
  );
  assert(count > 50 && count < 84, `${count} blocks of 100000 bytes in 8 MiB`);
  heap.verify();
  heap.GC();
  heap.verify();
  heap.rawmem(5 * MiB);
});
