/**
 * A progress bar on standard error: one line that is drawn over itself, at most ten times a second.
 *
 * ```
 * [==============                ]  47 %  60 MB of text
 *  61 MB of text                                             from a pipe, whose end is not known
 * ```
 *
 * @module
 */

import type { Terminal } from "./command.ts";

const BAR_CELLS = 30;
const REDRAW_MS = 100;
const CLEAR_LINE = "\r\x1b[K";

/** Draws how far the reading of an input has come; draws nothing where nobody sees it. */
export class Progress {
  readonly #terminal: Terminal;
  #isShown = false;
  #drawnAtMs = performance.now();

  /** Makes a bar that first appears after a moment. */
  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Draws the bar anew if it is time: `fraction` of the input is read, null if that is not known. */
  update(fraction: number | null, textBytes: number): void {
    this.#draw(() => progressLine(fraction, `${Math.floor(textBytes / 1e6)} MB of text`));
  }

  /** The same for a number of things, of which `done` of `total` are done. */
  updateCount(done: number, total: number, what: string): void {
    this.#draw(() => progressLine(done / total, `${done} of ${total} ${what}`));
  }

  /** Takes the bar away, so that something else can be written. */
  hide(): void {
    if (this.#isShown) this.#terminal.err(CLEAR_LINE);
    this.#isShown = false;
  }

  #draw(line: () => string): void {
    if (!this.#terminal.hasProgress || performance.now() - this.#drawnAtMs < REDRAW_MS) return;
    this.#terminal.err(CLEAR_LINE + line());
    this.#isShown = true;
    this.#drawnAtMs = performance.now();
  }
}

/** The bar as text, with `text` beside it. */
export function progressLine(fraction: number | null, text: string): string {
  if (fraction === null) return ` ${text}`;
  const done = Math.floor(Math.min(fraction, 1) * BAR_CELLS);
  const percent = Math.floor(Math.min(fraction, 1) * 100);
  return `[${"=".repeat(done).padEnd(BAR_CELLS)}] ${String(percent).padStart(3)} %  ${text}`;
}
