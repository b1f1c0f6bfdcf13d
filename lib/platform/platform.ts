/**
 * The table of platforms: what differs by operating system and processor for Go's allocator.
 *
 * Most of the allocator is the same everywhere: pages of 8 KiB, 67 size classes. A platform decides the
 * word (8 or 4 bytes), the size of the arena, where the arena may lie, and how types are laid out.
 *
 * 64-bit platforms reserve one arena of MaxMem bytes (128 GiB, 32 GiB on Windows) and ask for it at
 * addresses of the form 0xXXc000000000, XX = 00 ... 7f: read as little-endian bytes such an address
 * holds c0 00, c1 00, ..., none of which is valid UTF-8, so that text is not mistaken for a pointer.
 * arm64 can choose only 39 bits of an address, so it begins at 0x4000000000: the one place that gccgo
 * tries, where gc, which came to arm64 with Go 1.5, goes on with 0x14000000000 and so on (on darwin from
 * 0x130000000). 32-bit platforms take 512 MiB behind the program's image and grow from there, within
 * 2 GiB; so do 64-bit ones that find none of their bases free.
 *
 * ```
 *                 image begins at    arena begins at (386: image of 1 MiB, 1 MiB of spans, 256 MiB of bitmap)
 *   386           0x08048000         0x18300000
 *   386 windows   0x00400000         0x10700000
 *   arm           0x00010000         0x10300000
 *   nacl          0x00020000         0x10300000
 * ```
 *
 * @module
 */

import { badArgument } from "../errors.ts";

/** A virtual address in a heap; 0 is nil. */
export type Pointer = number;

/** log2 of the page size, on every platform. */
export const PAGE_SHIFT = 13;
/** Bytes in a page of the heap (not of the processor). */
export const PAGE_BYTES = 1 << PAGE_SHIFT;

/** The compiler whose rules a heap follows where the two differ. */
export type Compiler = "gc" | "gccgo";

/**
 * One row of the table of platforms.
 *
 * @example The platform of a heap
 * ```ts
 * import { GoHeap } from "@goheap/goheap";
 * import { assertEquals } from "@std/assert";
 *
 * using heap = new GoHeap({ platform: "linux/amd64" });
 * assertEquals(heap.platform.pointerBytes, 8);
 * assertEquals(heap.platform.heapBases[0], 0xc000000000);
 * ```
 */
export interface Platform {
  /** GOOS/GOARCH, as in `"linux/amd64"`. */
  readonly name: string;
  /** The operating system, as GOOS names it. */
  readonly goos: string;
  /** The processor, as GOARCH names it. */
  readonly goarch: string;
  /** Bytes in a word, which is a pointer: 8 or 4. */
  readonly pointerBytes: 8 | 4;
  /** Alignment of 64-bit integers and floats in structs, in bytes: 8, but 4 on 386 and arm. */
  readonly int64AlignBytes: 8 | 4;
  /** Bytes in a page of the processor; a value below it is never a pointer. */
  readonly physPageBytes: number;
  /** The largest arena, in bytes: seeds' MaxMem. */
  readonly maxMemBytes: number;
  /** Where the 64-bit arena may begin, in the order in which they are tried; empty on 32-bit platforms. */
  readonly heapBases: readonly Pointer[];
  /** Every address is below it: 2 ** 32 on 32-bit platforms, 2 ** 48 on the others. */
  readonly addressEnd: Pointer;
  /** Where the program's image ends: an arena that finds no heap base begins some way behind it. */
  readonly imageEnd: Pointer;
  /** The sizes of such an arena, in bytes, in the order in which they are tried. */
  readonly firstArenaBytes: readonly number[];
  /** The processor's letter in heap dumps: "6" amd64, "8" 386, "5" arm, "7" arm64. */
  readonly thechar: string;
}

const MiB = 2 ** 20;
const GiB = 2 ** 30;

interface Processor {
  readonly pointerBytes: 8 | 4;
  readonly int64AlignBytes: 8 | 4;
  readonly thechar: string;
}

const PROCESSORS: Readonly<Record<string, Processor>> = {
  "386": { pointerBytes: 4, int64AlignBytes: 4, thechar: "8" },
  "arm": { pointerBytes: 4, int64AlignBytes: 4, thechar: "5" },
  "amd64p32": { pointerBytes: 4, int64AlignBytes: 8, thechar: "6" },
  "amd64": { pointerBytes: 8, int64AlignBytes: 8, thechar: "6" },
  "arm64": { pointerBytes: 8, int64AlignBytes: 8, thechar: "7" },
};

/** GOOS by GOARCH, as Go 1.4 supported them, and arm64 as Go 1.5 added it. */
const SYSTEMS: Readonly<Record<string, readonly string[]>> = {
  "386": ["darwin", "freebsd", "linux", "nacl", "netbsd", "openbsd", "plan9", "windows"],
  "arm": ["freebsd", "linux", "nacl", "netbsd"],
  "amd64p32": ["nacl"],
  "amd64": [
    "darwin",
    "dragonfly",
    "freebsd",
    "linux",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "windows",
  ],
  "arm64": ["darwin", "linux"],
};

/** How many heap bases are tried on most 64-bit platforms: 0 to 0x7f inclusive. */
const HEAP_BASE_OPTIONS = 0x80;

function heapBases(goos: string, goarch: string, compiler: Compiler): Pointer[] {
  if (PROCESSORS[goarch].pointerBytes === 4) return [];
  let first = 0xc0 * 2 ** 32;
  let options = HEAP_BASE_OPTIONS;
  if (goarch === "arm64" && compiler === "gccgo") {
    first = 0x40 * 2 ** 32;
    options = 1;
  } else if (goarch === "arm64") {
    first = goos === "darwin" ? 0x13 * 2 ** 28 : 0x40 * 2 ** 32;
  }
  return Array.from({ length: options }, (_, i) => i * 2 ** 40 + first);
}

/** What the text, data and bss of a small program take. */
const IMAGE_BYTES = MiB;

/** Where Go's linkers put the image: what is most particular decides. */
const IMAGE_STARTS: Readonly<Record<string, Pointer>> = {
  "plan9/amd64": 0x200000,
  darwin: 0x1000,
  nacl: 0x20000,
  plan9: 0x1000,
  windows: 0x400000,
  "386": 0x8048000,
  amd64: 0x400000,
  arm: 0x10000,
  arm64: 0x10000,
};

function imageEnd(goos: string, goarch: string): Pointer {
  const start = IMAGE_STARTS[`${goos}/${goarch}`] ?? IMAGE_STARTS[goos] ?? IMAGE_STARTS[goarch];
  return start + IMAGE_BYTES;
}

/** gc tries smaller arenas too, for processes that share their addresses with a greedy neighbour. */
const FIRST_ARENA_BYTES: Readonly<Record<Compiler, readonly number[]>> = {
  gc: Object.freeze([512 * MiB, 256 * MiB, 128 * MiB]),
  gccgo: Object.freeze([512 * MiB]),
};

function maxMemBytes(goos: string, goarch: string): number {
  if (PROCESSORS[goarch].pointerBytes === 4) return 4 * GiB - 1;
  return goos === "windows" ? 32 * GiB : 128 * GiB;
}

function platformOf(goos: string, goarch: string, compiler: Compiler): Platform {
  return Object.freeze({
    name: `${goos}/${goarch}`,
    goos,
    goarch,
    ...PROCESSORS[goarch],
    physPageBytes: goos === "nacl" ? 65536 : 4096,
    maxMemBytes: maxMemBytes(goos, goarch),
    heapBases: Object.freeze(heapBases(goos, goarch, compiler)),
    addressEnd: PROCESSORS[goarch].pointerBytes === 4 ? 2 ** 32 : 2 ** 48,
    imageEnd: imageEnd(goos, goarch),
    firstArenaBytes: FIRST_ARENA_BYTES[compiler],
  });
}

/** Every platform of the table, in the order of GOARCH, then GOOS. */
export const PLATFORM_NAMES: readonly string[] = Object.entries(SYSTEMS)
  .flatMap(([goarch, systems]) => systems.map((goos) => `${goos}/${goarch}`));

/**
 * Looks up a platform by its GOOS/GOARCH name, as `compiler` has it; throws a `RangeError` for one that is not
 * in the table.
 */
export function platformNamed(name: string, compiler: Compiler = "gc"): Platform {
  if (!PLATFORM_NAMES.includes(name)) {
    badArgument("platform", name, `one of ${PLATFORM_NAMES.join(", ")}`);
  }
  const [goos, goarch] = name.split("/");
  return platformOf(goos, goarch, compiler);
}

/** What hosts' systems and processors are called in this table, in the words of Deno and Node. */
const HOST_SYSTEMS: Readonly<Record<string, string>> = {
  android: "linux",
  illumos: "solaris",
  sunos: "solaris",
  win32: "windows",
};
const HOST_PROCESSORS: Readonly<Record<string, string>> = {
  x86_64: "amd64",
  x64: "amd64",
  aarch64: "arm64",
  ia32: "386",
  x86: "386",
};

/**
 * The name in the table for a host's system and processor, as Deno and Node call them: what it is where the
 * table has it, else linux on the same processor, else linux/amd64 (in a browser, say).
 */
export function hostPlatformName(os: string, arch: string): string {
  const goos = HOST_SYSTEMS[os] ?? os;
  const goarch = HOST_PROCESSORS[arch] ?? arch;
  const candidates = [`${goos}/${goarch}`, `linux/${goarch}`];
  return candidates.find((name) => PLATFORM_NAMES.includes(name)) ?? "linux/amd64";
}

/** The platform that this program runs on, as `compiler` has it. */
export function hostPlatform(compiler: Compiler = "gc"): Platform {
  const host = globalThis as {
    Deno?: { build: { os: string; arch: string } };
    process?: { platform: string; arch: string };
  };
  const os = host.Deno?.build.os ?? host.process?.platform ?? "";
  const arch = host.Deno?.build.arch ?? host.process?.arch ?? "";
  return platformNamed(hostPlatformName(os, arch), compiler);
}
