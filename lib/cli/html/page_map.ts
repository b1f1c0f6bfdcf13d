/**
 * The page map: the pages of an arena in a frame, as cells that a picture is made of.
 *
 * A cell is a page, or as many as it takes to have no more than {@linkcode MAX_CELLS}: then it shows what most
 * of its pages are. What a cell is is one number,
 *
 * ```
 *   code = (class x 6 + state) x 11 + fill        fill: tenths of the blocks in use, 0 to 10
 * ```
 *
 * and cells that follow each other with the same code are written once, with their number: a map is a list
 * of code, count, code, count.
 *
 * @module
 */

import { type Frame, PAGE_STATES, SPAN_FIELDS } from "./frame.ts";

/** The most cells of a map. */
export const MAX_CELLS = 4096;
/** How many steps of fullness there are. */
export const FILL_STEPS = 11;

/** How many pages a cell has, a power of two, in a map of `pages` pages. */
export function pagesPerCell(pages: number): number {
  let perCell = 1;
  while (pages / perCell > MAX_CELLS) perCell *= 2;
  return perCell;
}

/** The map of a frame, with so many pages in a cell. */
export function pageMap(frame: Frame, perCell: number): number[] {
  const runs = new Runs();
  const cell = new Cell(perCell);
  let page = 0;
  const add = (pages: number, kind: number, permille: number) => {
    for (let left = pages; left > 0;) {
      const taken = Math.min(left, perCell - page % perCell);
      cell.add(taken, kind, permille);
      page += taken;
      left -= taken;
      if (page % perCell === 0) runs.add(cell.end());
      // All cells within a long span are alike.
      if (page % perCell === 0 && left >= perCell) {
        const cells = Math.floor(left / perCell);
        runs.add(codeOf(kind, permille), cells);
        page += cells * perCell;
        left -= cells * perCell;
      }
    }
  };
  const { spans } = frame;
  for (let i = 0; i < spans.length; i += SPAN_FIELDS) {
    const [first, pages, state, cls, permille] = spans.subarray(i, i + SPAN_FIELDS);
    add(first - page, 0, 0);
    add(pages, cls * PAGE_STATES.length + state, permille);
  }
  add(frame.pages - page, 0, 0);
  if (page % perCell !== 0) runs.add(cell.end());
  return runs.numbers;
}

function codeOf(kind: number, permille: number): number {
  return kind * FILL_STEPS + Math.round(permille * (FILL_STEPS - 1) / 1000);
}

/** Pages that are gathered into one cell. */
class Cell {
  /** Pages and their fill, in permille, by kind. */
  readonly #kinds = new Map<number, { pages: number; permille: number }>();

  constructor(readonly pages: number) {}

  add(pages: number, kind: number, permille: number): void {
    const sum = this.#kinds.get(kind) ?? { pages: 0, permille: 0 };
    this.#kinds.set(kind, {
      pages: sum.pages + pages,
      permille: sum.permille + pages * permille,
    });
  }

  /** The code of the pages so far; the next cell begins. */
  end(): number {
    const kinds = [...this.#kinds].toSorted(([, a], [, b]) => b.pages - a.pages);
    const [[kind, { pages, permille }]] = kinds;
    this.#kinds.clear();
    return codeOf(kind, permille / pages);
  }
}

/** Codes, each with how often it comes in a row. */
class Runs {
  readonly numbers: number[] = [];

  add(code: number, count = 1): void {
    const { numbers } = this;
    if (numbers.at(-2) === code) numbers[numbers.length - 1] += count;
    else numbers.push(code, count);
  }
}
