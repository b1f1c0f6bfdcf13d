import { assertEquals } from "@std/assert";
import {
  CLASS_TO_BLOCKS,
  CLASS_TO_PAGES,
  CLASS_TO_SIZE,
  MAX_SMALL_BYTES,
  NUM_SIZE_CLASSES,
  RECIPROCAL,
  RECIPROCAL_SHIFT,
  roundupsize,
  SIZE_CLASSES,
  sizeToClass,
  TINY_BYTES,
  TINY_SIZE_CLASS,
} from "../../lib/spans/size_classes.ts";
import { PAGE_BYTES, PAGE_SHIFT } from "../../lib/platform/platform.ts";
import { GoHeap } from "../../mod.ts";
import { readJson } from "../data.ts";

/** [first n, value]: the value holds until the next run begins. */
type Runs = [number, number][];

interface SizeClassData {
  classes: { cls: number; size: number; npages: number; objects: number; tail_waste: number }[];
  size_to_class8: number[];
  size_to_class128: number[];
  roundupsize_runs: { runs: Runs };
  class_runs: { runs: Runs };
  constants: { common: Record<string, number> };
}

const data = await readJson("sizeclasses.json") as SizeClassData;

function valueAt(runs: Runs, n: number): number {
  return runs.findLast(([first]) => first <= n)![1];
}

Deno.test("the size classes are Go 1.4's: block size, pages, blocks and waste of each", () => {
  const classes = Array.from({ length: NUM_SIZE_CLASSES - 1 }, (_, i) => {
    const cls = i + 1;
    const [size, npages, objects] = [CLASS_TO_SIZE[cls], CLASS_TO_PAGES[cls], CLASS_TO_BLOCKS[cls]];
    return { cls, size, npages, objects, tail_waste: npages * PAGE_BYTES - objects * size };
  });
  assertEquals(classes, data.classes);
});

Deno.test("both lookup tables from size to class are Go 1.4's, entry by entry", () => {
  assertEquals([...SIZE_CLASSES.sizeToClass8], data.size_to_class8);
  assertEquals([...SIZE_CLASSES.sizeToClass128], data.size_to_class128);
});

Deno.test("every small size has the class that Go 1.4 gives it", () => {
  const wrong: number[] = [];
  for (let n = 1; n <= MAX_SMALL_BYTES; n++) {
    if (sizeToClass(n) !== valueAt(data.class_runs.runs, n)) wrong.push(n);
  }
  assertEquals(wrong, []);
});

Deno.test("every size up to 33000 is rounded up as in Go 1.4, by the table and by the heap", () => {
  using heap = new GoHeap({ platform: "linux/amd64" });
  const wrong: number[] = [];
  for (let n = 1; n <= 33000; n++) {
    const expected = valueAt(data.roundupsize_runs.runs, n);
    if (roundupsize(n, 2 ** 53) !== expected || heap.roundupsize(n) !== expected) wrong.push(n);
  }
  assertEquals(wrong, []);
});

Deno.test("multiplying by a class's reciprocal divides an offset by its block size exactly", () => {
  for (let cls = 1; cls < NUM_SIZE_CLASSES; cls++) {
    for (let offset = 0; offset < CLASS_TO_PAGES[cls] * PAGE_BYTES; offset += 8) {
      const block = Math.imul(offset >>> 3, RECIPROCAL[cls]) >>> RECIPROCAL_SHIFT[cls];
      const expected = Math.floor(offset / CLASS_TO_SIZE[cls]);
      if (block !== expected) {
        assertEquals({ cls, offset, block }, { cls, offset, block: expected });
      }
    }
  }
});

Deno.test("the constants of pages and size classes are Go 1.4's", () => {
  const { common } = data.constants;
  assertEquals(
    { PAGE_SHIFT, PAGE_BYTES, NUM_SIZE_CLASSES, MAX_SMALL_BYTES, TINY_BYTES, TINY_SIZE_CLASS },
    {
      PAGE_SHIFT: common.PageShift,
      PAGE_BYTES: common.PageSize,
      NUM_SIZE_CLASSES: common.NumSizeClasses,
      MAX_SMALL_BYTES: common.MaxSmallSize,
      TINY_BYTES: common.TinySize,
      TINY_SIZE_CLASS: common.TinySizeClass,
    },
  );
});
