/**
 * Size classes: the 66 block sizes that small objects are rounded up to.
 *
 * A span is cut into blocks of one size. The sizes are chosen so that at most one eighth of a span is
 * lost behind its last block, and so that rounding a request up to its class wastes about as little:
 *
 * ```
 *  class   bytes   pages   blocks          class    bytes   pages   blocks
 *      1       8       1     1024             31     1024       1        8
 *      2      16       1      512             38     2304       2        7
 *      3      32       1      256             44     4608       4        7   (1 would waste 3584)
 *      4      48       1      170             66    32768       4        1
 * ```
 *
 * The table is computed, not written down ({@linkcode initSizes}), and the computation checks itself:
 * every size must map to the smallest class that holds it, and there must be just 67 classes, class 0
 * (large objects, which have spans of their own) included. Two lookup tables turn a size into a class
 * with one shift: a step of 8 bytes up to 1016, a step of 128 from 1024 on.
 *
 * @module
 */

import { GoThrow } from "../errors.ts";
import { PAGE_BYTES, PAGE_SHIFT } from "../platform/platform.ts";

/** How many classes there are, class 0 for large objects included. */
export const NUM_SIZE_CLASSES = 67;
/** The largest small object, in bytes; anything larger gets a span of its own. */
export const MAX_SMALL_BYTES = 32768;
/** Bytes in the block that the tiny allocator fills with several objects. */
export const TINY_BYTES = 16;
/** The class of that block. */
export const TINY_SIZE_CLASS = 2;

const FINE_LIMIT_BYTES = 1024;
const FINE_STEP = 8;
const COARSE_STEP = 128;

/** Everything that is known of the classes; index 0 of the per-class tables stands for large objects. */
export interface SizeClassTables {
  /** Block size by class, in bytes. */
  readonly classToSize: Int32Array;
  /** Span length by class, in pages. */
  readonly classToPages: Int32Array;
  /** Blocks in a span by class. */
  readonly classToBlocks: Int32Array;
  /** Class by (size + 7) / 8, for sizes up to 1016; the last entry stays 0. */
  readonly sizeToClass8: Uint8Array;
  /** Class by (size - 1024 + 127) / 128, for sizes from 1017 to 32768. */
  readonly sizeToClass128: Uint8Array;
}

/**
 * The step from one candidate size to the next. At a power of two it becomes an eighth of it, so that a
 * class is at most 12.5 % larger than the one before, but never below 16 nor above 256.
 */
function alignmentAt(size: number, before: number): number {
  if ((size & (size - 1)) !== 0) return before;
  if (size >= 2048) return 256;
  if (size >= 128) return size / 8;
  if (size >= 16) return 16;
  return before;
}

/** The shortest span, in pages, that loses at most an eighth of itself behind its last block. */
function pagesFor(size: number): number {
  let bytes = PAGE_BYTES;
  while (bytes % size > bytes >> 3) bytes += PAGE_BYTES;
  return bytes >> PAGE_SHIFT;
}

function blocksIn(pages: number, size: number): number {
  return Math.floor((pages * PAGE_BYTES) / size);
}

function chooseSizes(): { sizes: number[]; pages: number[] } {
  const sizes = [0];
  const pages = [0];
  let align = FINE_STEP;
  for (let size = align; size <= MAX_SMALL_BYTES; size += align) {
    align = alignmentAt(size, align);
    const npages = pagesFor(size);
    const last = sizes.length - 1;
    const sameSpan = pages[last] === npages &&
      blocksIn(npages, sizes[last]) === blocksIn(npages, size);
    // A span that holds no more of the smaller blocks than of these may as well hold these.
    if (sameSpan) {
      sizes[last] = size;
    } else {
      sizes.push(size);
      pages.push(npages);
    }
  }
  return { sizes, pages };
}

function fillLookups(
  sizes: readonly number[],
): Pick<SizeClassTables, "sizeToClass8" | "sizeToClass128"> {
  const sizeToClass8 = new Uint8Array(FINE_LIMIT_BYTES / FINE_STEP + 1);
  const sizeToClass128 = new Uint8Array((MAX_SMALL_BYTES - FINE_LIMIT_BYTES) / COARSE_STEP + 1);
  let size = 0;
  for (let cls = 1; cls < sizes.length; cls++) {
    for (; size < FINE_LIMIT_BYTES && size <= sizes[cls]; size += FINE_STEP) {
      sizeToClass8[size / FINE_STEP] = cls;
    }
    for (; size >= FINE_LIMIT_BYTES && size <= sizes[cls]; size += COARSE_STEP) {
      sizeToClass128[(size - FINE_LIMIT_BYTES) / COARSE_STEP] = cls;
    }
  }
  return { sizeToClass8, sizeToClass128 };
}

function checkSizes(t: SizeClassTables): void {
  if (t.classToSize.length !== NUM_SIZE_CLASSES) {
    throw new GoThrow(
      `InitSizes - bad NumSizeClasses: ${t.classToSize.length}, not ${NUM_SIZE_CLASSES}`,
    );
  }
  for (let n = 1; n <= MAX_SMALL_BYTES; n++) {
    const cls = classIn(t, n);
    if (
      cls < 1 || cls >= NUM_SIZE_CLASSES || t.classToSize[cls] < n || t.classToSize[cls - 1] >= n
    ) {
      throw new GoThrow(
        `InitSizes - bad class ${cls} of ${t.classToSize[cls]} bytes for size ${n}`,
      );
    }
  }
  if (t.classToSize[TINY_SIZE_CLASS] !== TINY_BYTES) throw new GoThrow("bad TinySizeClass");
}

function classIn(t: SizeClassTables, size: number): number {
  return size <= FINE_LIMIT_BYTES - 8
    ? t.sizeToClass8[(size + 7) >> 3]
    : t.sizeToClass128[(size - FINE_LIMIT_BYTES + 127) >> 7];
}

/** Computes the tables and checks them; seeds' InitSizes. */
export function initSizes(): SizeClassTables {
  const { sizes, pages } = chooseSizes();
  const tables = {
    classToSize: Int32Array.from(sizes),
    classToPages: Int32Array.from(pages),
    classToBlocks: Int32Array.from(
      sizes,
      (size, cls) => cls === 0 ? 1 : blocksIn(pages[cls], size),
    ),
    ...fillLookups(sizes),
  };
  checkSizes(tables);
  return tables;
}

/** The tables that every heap of the process shares: nothing in them depends on the platform. */
export const SIZE_CLASSES: SizeClassTables = initSizes();

/** Block size by class, in bytes. */
export const CLASS_TO_SIZE: Int32Array = SIZE_CLASSES.classToSize;
/** Span length by class, in pages. */
export const CLASS_TO_PAGES: Int32Array = SIZE_CLASSES.classToPages;
/** Blocks in a span by class. */
export const CLASS_TO_BLOCKS: Int32Array = SIZE_CLASSES.classToBlocks;

/** The class of a small object of `size` bytes (1 to 32768). */
export function sizeToClass(size: number): number {
  return classIn(SIZE_CLASSES, size);
}

/**
 * Block number by division without dividing: for a byte offset in a span of class c,
 * `Math.imul(offset >>> 3, RECIPROCAL[c]) >>> RECIPROCAL_SHIFT[c]` is `floor(offset / size)`.
 *
 * The 32-bit product holds the quotient (10 bits in class 1, one in class 66) and, in all that is left,
 * the fraction. That this is exact for every offset of every class is checked as the table is made.
 */
export const RECIPROCAL: Int32Array = new Int32Array(NUM_SIZE_CLASSES);
/** See {@linkcode RECIPROCAL}. */
export const RECIPROCAL_SHIFT: Int32Array = new Int32Array(NUM_SIZE_CLASSES);
for (let cls = 1; cls < NUM_SIZE_CLASSES; cls++) {
  const units = CLASS_TO_SIZE[cls] >> 3;
  const lastBlock = Math.floor((CLASS_TO_PAGES[cls] * PAGE_BYTES - 1) / CLASS_TO_SIZE[cls]);
  RECIPROCAL_SHIFT[cls] = Math.clz32(lastBlock | 1);
  RECIPROCAL[cls] = Math.ceil(2 ** RECIPROCAL_SHIFT[cls] / units);
  checkReciprocal(cls, units);
}

function checkReciprocal(cls: number, units: number): void {
  const spanUnits = CLASS_TO_PAGES[cls] * (PAGE_BYTES >> 3);
  for (let unit = 0; unit < spanUnits; unit++) {
    const block = Math.imul(unit, RECIPROCAL[cls]) >>> RECIPROCAL_SHIFT[cls];
    if (block !== Math.floor(unit / units)) {
      throw new GoThrow(
        `InitSizes - bad reciprocal for class ${cls} at offset ${unit * 8}: ${block}`,
      );
    }
  }
}

/**
 * Rounds `size` (bytes) up to what an allocation of it would take: its class, or whole pages from 32768
 * on; seeds' roundupsize. A size so near the end of the address space that the page cannot be added
 * (`maxWord` is the largest value of a word) comes back as it is.
 */
export function roundupsize(size: number, maxWord: number): number {
  if (size < MAX_SMALL_BYTES) return CLASS_TO_SIZE[sizeToClass(size)];
  if (size + PAGE_BYTES > maxWord) return size;
  return Math.ceil(size / PAGE_BYTES) * PAGE_BYTES;
}
