/**
 * Records a replay for its page: what is drawn over time, and the stacks that the other reports leave unread.
 *
 * @module
 */

import type { GoHeap } from "../../go_heap.ts";
import type { Replayer } from "../replayer.ts";
import { StackTotals } from "../stack_totals.ts";
import type { ReplaySummary } from "../summary.ts";
import { htmlPage } from "./page.ts";
import { pageData } from "./page_data.ts";
import { Timeline } from "./timeline.ts";

/** Records one replay. */
export class PageRecorder {
  readonly #heap: GoHeap;
  readonly #stacks = new StackTotals();
  readonly #timeline: Timeline;

  /** Makes a recorder of what `replayer`, which has read nothing yet, does with `heap`. */
  constructor(heap: GoHeap, replayer: Replayer) {
    this.#heap = heap;
    this.#timeline = new Timeline(heap, replayer);
    replayer.stacks = this.#stacks;
  }

  /** Counts an event. */
  event(): void {
    this.#timeline.event();
  }

  /** Takes the end, before anybody else looks at the heap. */
  end(): void {
    this.#timeline.end();
  }

  /** The page of the replay that has ended, with this summary. */
  page(summary: ReplaySummary): Promise<string> {
    return htmlPage(pageData(this.#heap, summary, this.#timeline, this.#stacks));
  }
}
