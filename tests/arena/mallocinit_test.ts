import { assertEquals, assertThrows } from "@std/assert";
import { mallocinit } from "../../lib/arena/mallocinit.ts";
import { type Compiler, platformNamed } from "../../lib/platform/platform.ts";
import { type AddressSpace, GoHeap, GoThrow, type Pointer, SharedAddressSpace } from "../../mod.ts";
import { RecordingSpace } from "./recording_space.ts";

const KiB = 2 ** 10;
const MiB = 2 ** 20;
const GiB = 2 ** 30;
const PAGE = 8192;
const CANNOT_RESERVE = "runtime: cannot reserve arena virtual address space";
const I386_HINT = 0x820_0000;

/** All heap bases of amd64 and no more: the system's memory is to be had. */
const ALL_BASES: [number, number][] = Array.from(
  { length: 0x80 },
  (_, i) => [i * 2 ** 40 + 0xc0 * 2 ** 32, 4096],
);

interface Setting {
  compiler?: Compiler;
  limitBytes?: number;
  refuses?: (bytes: number) => boolean;
  shiftBytes?: number;
  taken?: [number, number][];
}

/** What is reserved on a platform: the calls, and what came of them. */
function reserve(name: string, setting: Setting = {}) {
  using space = spaceFor(setting);
  const platform = platformNamed(name, setting.compiler);
  const found = mallocinit(platform, space, setting.limitBytes ?? Infinity);
  return { ...found, calls: space.take("reserve") };
}

/** The calls that were in vain. */
function reserveInVain(name: string, setting: Setting): number[][] {
  using space = spaceFor(setting);
  const platform = platformNamed(name, setting.compiler);
  assertThrows(() => mallocinit(platform, space, Infinity), GoThrow, CANNOT_RESERVE);
  return space.take("reserve");
}

function spaceFor({ taken = [], refuses, shiftBytes = 0 }: Setting): RecordingSpace {
  const space = new RecordingSpace({ taken });
  space.refuses = refuses ?? space.refuses;
  space.shiftBytes = shiftBytes;
  return space;
}

Deno.test("on 64-bit spans, bitmap, arena and a page are reserved at the first base that is free", () => {
  const bytes = 128 * MiB + 8 * GiB + 128 * GiB + PAGE;
  const base = 0xc0_0000_0000;
  const first = reserve("linux/amd64");
  assertEquals(first, {
    base,
    bytes,
    start: 0xc2_0800_0000,
    calls: [[base, bytes, base]],
  });
  const third = reserve("linux/amd64", { taken: ALL_BASES.slice(0, 2) });
  assertEquals(third.calls.map(([, , answer]) => answer), [0, 0, 2 * 2 ** 40 + base]);
  assertEquals(third.start, 2 * 2 ** 40 + 0xc2_0800_0000);
});

Deno.test("on Windows the arena has 32 GiB, so the tables are a quarter", () => {
  const { bytes, start } = reserve("windows/amd64");
  assertEquals(bytes, 32 * MiB + 2 * GiB + 32 * GiB + PAGE);
  assertEquals(start, 0xc0_0000_0000 + 32 * MiB + 2 * GiB);
});

Deno.test("on 32-bit 512 MiB are reserved behind the image, with spans and bitmap for 2 GiB", () => {
  const bytes = MiB + 256 * MiB + 512 * MiB + PAGE;
  assertEquals(reserve("linux/386"), {
    base: I386_HINT,
    bytes,
    start: I386_HINT + 257 * MiB,
    calls: [[I386_HINT, bytes, I386_HINT]],
  });
  for (const name of ["linux/arm", "nacl/amd64p32", "windows/386", "plan9/386", "darwin/386"]) {
    const { base, calls } = reserve(name);
    assertEquals(calls, [[base, bytes, base]], name);
    const distance = base - platformNamed(name).imageEnd;
    assertEquals([base % MiB, distance >= 256 * KiB, distance < MiB + 256 * KiB], [0, true, true]);
  }
});

Deno.test("gc asks for 512, 256 and 128 MiB in turn, gccgo for 512 only", () => {
  const tables = 257 * MiB + PAGE;
  const upTo = (most: number) => ({ refuses: (bytes: number) => bytes > tables + most });
  const sizes = (calls: number[][]) => calls.map(([, bytes]) => (bytes - tables) / MiB);
  assertEquals(sizes(reserve("linux/386", upTo(512 * MiB)).calls), [512]);
  assertEquals(sizes(reserve("linux/386", upTo(256 * MiB)).calls), [512, 256]);
  const last = reserve("linux/386", upTo(128 * MiB));
  assertEquals([sizes(last.calls), last.start], [[512, 256, 128], I386_HINT + 257 * MiB]);
  assertEquals(sizes(reserveInVain("linux/386", upTo(0))), [512, 256, 128]);
  const gccgo = { ...upTo(256 * MiB), compiler: "gccgo" } as const;
  assertEquals(sizes(reserveInVain("linux/386", gccgo)), [512]);
});

Deno.test("a 64-bit platform with no base to be had goes the 32-bit way, on words of 8 bytes", () => {
  const bytes = 2 * MiB + 128 * MiB + 512 * MiB + PAGE;
  const { base, start, calls } = reserve("linux/amd64", { taken: ALL_BASES });
  assertEquals([base, start], [0x60_0000, 0x60_0000 + 130 * MiB]);
  assertEquals(calls.length, 0x81);
  assertEquals(calls.at(-1), [0x60_0000, bytes, 0x60_0000]);
  const gccgo = reserve("linux/arm64", { compiler: "gccgo", taken: [[0x40_0000_0000, PAGE]] });
  assertEquals(gccgo.calls.length, 2);
});

Deno.test("a reservation that is not aligned to the heap's pages is rounded up", () => {
  const { base, start } = reserve("linux/386", { shiftBytes: 4096 });
  assertEquals([base, start], [I386_HINT + 4096, I386_HINT + PAGE + 257 * MiB]);
  const long = reserve("linux/amd64", { shiftBytes: 4096 });
  assertEquals(long.start, 0xc2_0800_0000 + PAGE);
});

Deno.test("a limit that is too small for the tables gives a ninth to the bitmap, eight to the arena", () => {
  const unlimited = MiB + 256 * MiB + 512 * MiB;
  assertEquals(reserve("linux/386", { limitBytes: unlimited }).bytes, unlimited + PAGE);
  for (const limitBytes of [unlimited - 1, 100 * MiB, 1000 * PAGE, PAGE, 1]) {
    const bitmap = Math.floor(limitBytes / 9 / PAGE) * PAGE;
    const spans = Math.ceil((8 * bitmap / PAGE) * 4 / PAGE) * PAGE;
    const { base, bytes, start } = reserve("linux/386", { limitBytes });
    assertEquals([bytes, start - base], [spans + bitmap + 8 * bitmap + PAGE, spans + bitmap]);
  }
});

Deno.test("a limit of 1 GiB sends a 64-bit heap the 32-bit way, one above does not", () => {
  const low = reserve("linux/amd64", { limitBytes: GiB });
  assertEquals(low.calls, [[0x60_0000, 642 * MiB + PAGE, 0x60_0000]]);
  assertEquals(reserve("linux/amd64", { limitBytes: GiB + 1 }).base, 0xc0_0000_0000);
  const small = reserve("linux/amd64", { limitBytes: 9 * MiB });
  assertEquals(small.bytes, 8 * KiB + MiB + 8 * MiB + PAGE);

  using heap = new GoHeap({ platform: "linux/amd64", limitBytes: 9 * MiB });
  const p = heap.newobject(heap.types.pointer(heap.types.int));
  assertEquals(p, 0x60_0000 + 8 * KiB + MiB);
  heap.verify();
});

Deno.test("a heap that finds no place throws and leaves nothing behind", () => {
  const everything: [number, number][] = [[1, 2 ** 48]];
  using space = new RecordingSpace({ taken: everything });
  for (const platform of ["linux/386", "linux/amd64"]) {
    const make = () => new GoHeap({ platform, addressSpace: space });
    assertThrows(make, GoThrow, CANNOT_RESERVE);
  }
  assertEquals(space.take("alloc"), []);
});

Deno.test("a 32-bit heap refuses an address space that gives it addresses it cannot hold", () => {
  using space = new SharedAddressSpace();
  const calls: [Pointer, number][] = [];
  /** An address space that knows nothing of 32-bit heaps. */
  const long = (reserve: AddressSpace["reserve"]): AddressSpace => ({
    reserve,
    map: (address, bytes) => space.map(address, bytes),
    alloc: (bytes) => space.alloc(bytes),
    free: (address, bytes) => {
      calls.push([address, bytes]);
      space.free(address, bytes);
    },
    unused: () => {},
    window: (address) => space.window(address),
    [Symbol.dispose]: () => {},
  });
  const make = (addressSpace: AddressSpace) => new GoHeap({ platform: "linux/386", addressSpace });
  const expected = "expected one that gives out addresses of linux/386";
  const far = long((hint, bytes) => space.reserve(2 ** 40 + hint, bytes));
  assertThrows(() => make(far), RangeError, expected);
  assertEquals(calls.splice(0), [[2 ** 40 + I386_HINT, 769 * MiB + PAGE]]);
  const near = long((hint, bytes) => space.reserve(hint, bytes, 2 ** 32));
  assertThrows(() => make(near), RangeError, expected);
  assertEquals(calls.map(([, bytes]) => bytes), [64 * KiB, 769 * MiB + PAGE]);
});

Deno.test("a heap that finds a place, but no memory beside it, gives the place back", () => {
  using space = new RecordingSpace({ limitBytes: PAGE });
  for (const platform of ["linux/386", "linux/amd64"]) {
    const make = () => new GoHeap({ platform, addressSpace: space });
    assertThrows(make, GoThrow, "runtime: cannot allocate memory");
    const [[, bytes, base]] = space.take("reserve");
    assertEquals(space.take("free"), [[base, bytes]]);
  }
  assertThrows(() => new GoHeap({ platform: "linux/amd64", limitBytes: PAGE }), GoThrow);
  using heap = new GoHeap({ platform: "linux/amd64" });
  assertEquals(heap.newobject(heap.types.int) < 2 ** 40, true, "the first base is free again");
});
