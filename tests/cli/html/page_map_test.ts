import { assertEquals, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { type Frame, PAGE_STATES } from "../../../lib/cli/html/frame.ts";
import { FILL_STEPS, MAX_CELLS, pageMap, pagesPerCell } from "../../../lib/cli/html/page_map.ts";

/** A span: pages of nothing before it, its length, state, class, permille of its blocks in use. */
type TestSpan = [gap: number, pages: number, state: number, cls: number, permille: number];

/** A frame of these spans, with pages of nothing behind them. */
function frameOf(spans: readonly TestSpan[], tail: number): Frame {
  let page = 0;
  const numbers = spans.flatMap(([gap, pages, ...what]) => {
    const first = page + gap;
    page = first + pages;
    return [first, pages, ...what];
  });
  return {
    event: 0,
    HeapAlloc: 0,
    HeapInuse: 0,
    HeapIdle: 0,
    HeapSys: 0,
    pages: page + tail,
    classes: [],
    spans: Int32Array.from(numbers),
  };
}

function expand(map: readonly number[]): number[] {
  return map.flatMap((code, i) => i % 2 === 0 ? new Array(map[i + 1]).fill(code) : []);
}

/** The map worked out page by page. */
function slowMap({ pages, spans }: Frame, perCell: number): number[] {
  const kinds = new Array(pages).fill(0);
  const fills = new Array(pages).fill(0);
  for (let i = 0; i < spans.length; i += 5) {
    for (let page = spans[i]; page < spans[i] + spans[i + 1]; page++) {
      kinds[page] = spans[i + 3] * PAGE_STATES.length + spans[i + 2];
      fills[page] = spans[i + 4];
    }
  }
  const cells: number[] = [];
  for (let first = 0; first < pages; first += perCell) {
    const inCell = kinds.slice(first, first + perCell);
    const counts = Map.groupBy(inCell.keys(), (i) => inCell[i]);
    const [[kind, most]] = [...counts].toSorted(([, a], [, b]) => b.length - a.length);
    const fill = most.reduce((sum, i) => sum + fills[first + i], 0) / most.length;
    cells.push(kind * FILL_STEPS + Math.round(fill * (FILL_STEPS - 1) / 1000));
  }
  return cells;
}

const SPAN = fc.tuple(
  fc.nat(3),
  fc.integer({ min: 1, max: 40 }),
  fc.integer({ min: 1, max: PAGE_STATES.length - 1 }),
  fc.nat(3),
  fc.nat(1000),
);

Deno.test("a map has what a look at page after page has, however many pages a cell takes", () => {
  fc.assert(
    fc.property(
      fc.array(SPAN, { maxLength: 20 }),
      fc.nat(20),
      fc.constantFrom(1, 2, 4, 8, 16),
      (spans, tail, perCell) => {
        const frame = frameOf(spans, tail);
        const map = pageMap(frame, perCell);
        assertEquals(expand(map), slowMap(frame, perCell));
        // Runs are as long as they can be.
        const codes = map.filter((_, i) => i % 2 === 0);
        assertEquals(codes.some((code, i) => i > 0 && code === codes[i - 1]), false);
      },
    ),
  );
});

Deno.test("a cell takes as many pages as are needed to keep the map small, and no more", () => {
  for (const [pages, perCell] of [[0, 1], [1, 1], [4096, 1], [4097, 2], [8192, 2], [8193, 4]]) {
    assertEquals(pagesPerCell(pages), perCell);
  }
  const huge = frameOf([[0, 2 ** 24, 3, 0, 1000], [5, 2 ** 22, 2, 0, 0]], 2 ** 20);
  const map = pageMap(huge, pagesPerCell(huge.pages));
  assertLessOrEqual(expand(map).length, MAX_CELLS);
  assertLessOrEqual(map.length, 10);
});
