/**
 * The table of platforms: what differs by operating system and processor for Go's allocator.
 *
 * Most of the allocator is the same everywhere: pages of 8 KiB, 67 size classes. A platform decides the
 * word (8 or 4 bytes), the size of the arena, where the arena may lie, and how types are laid out.
 *
 * 64-bit platforms reserve one arena of MaxMem bytes (128 GiB, 32 GiB on Windows) and ask for it at
 * addresses of the form 0xXXc000000000, XX = 00 ... 7f: read as little-endian bytes such an address
 * holds c0 00, c1 00, ..., none of which is valid UTF-8, so that text is not mistaken for a pointer.
 * arm64 can choose only 39 bits of an address, so it begins at 0x4000000000. 32-bit platforms take
 * 512 MiB after the program's image and grow from there, within 2 GiB.
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
  /** The processor's letter in heap dumps: "6" amd64, "8" 386, "5" arm, "7" arm64. */
  readonly thechar: string;
}

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

/** How many heap bases gc tries: 0 to 0x7f inclusive. */
const HEAP_BASE_OPTIONS = 0x80;

function heapBases(goos: string, goarch: string): Pointer[] {
  if (PROCESSORS[goarch].pointerBytes === 4) return [];
  let first = 0xc0 * 2 ** 32;
  if (goarch === "arm64") first = goos === "darwin" ? 0x13 * 2 ** 28 : 0x40 * 2 ** 32;
  return Array.from({ length: HEAP_BASE_OPTIONS }, (_, i) => i * 2 ** 40 + first);
}

function maxMemBytes(goos: string, goarch: string): number {
  if (PROCESSORS[goarch].pointerBytes === 4) return 4 * GiB - 1;
  return goos === "windows" ? 32 * GiB : 128 * GiB;
}

function platformOf(goos: string, goarch: string): Platform {
  return Object.freeze({
    name: `${goos}/${goarch}`,
    goos,
    goarch,
    ...PROCESSORS[goarch],
    physPageBytes: goos === "nacl" ? 65536 : 4096,
    maxMemBytes: maxMemBytes(goos, goarch),
    heapBases: Object.freeze(heapBases(goos, goarch)),
  });
}

/** Every platform of the table, in the order of GOARCH, then GOOS. */
export const PLATFORM_NAMES: readonly string[] = Object.entries(SYSTEMS)
  .flatMap(([goarch, systems]) => systems.map((goos) => `${goos}/${goarch}`));

/** Looks up a platform by its GOOS/GOARCH name; throws a `RangeError` for one that is not in the table. */
export function platformNamed(name: string): Platform {
  if (!PLATFORM_NAMES.includes(name)) {
    badArgument("platform", name, `one of ${PLATFORM_NAMES.join(", ")}`);
  }
  const [goos, goarch] = name.split("/");
  return platformOf(goos, goarch);
}

/** What the host's system and processor are called in this table, in the words that Deno and Node use for them. */
const HOST_SYSTEMS: Readonly<Record<string, string>> = { win32: "windows", sunos: "solaris" };
const HOST_PROCESSORS: Readonly<Record<string, string>> = {
  x86_64: "amd64",
  x64: "amd64",
  aarch64: "arm64",
  ia32: "386",
  x86: "386",
};

/** The platform this program runs on; linux/amd64 where the host is not in the table (a browser, say). */
export function hostPlatform(): Platform {
  const host = globalThis as {
    Deno?: { build: { os: string; arch: string } };
    process?: { platform: string; arch: string };
  };
  const os = host.Deno?.build.os ?? host.process?.platform ?? "linux";
  const arch = host.Deno?.build.arch ?? host.process?.arch ?? "x64";
  const name = `${HOST_SYSTEMS[os] ?? os}/${HOST_PROCESSORS[arch] ?? arch}`;
  return platformNamed(PLATFORM_NAMES.includes(name) ? name : "linux/amd64");
}
