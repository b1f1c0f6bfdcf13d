/**
 * Makes pages of traces, and reads the data in them.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { PageData } from "../../../lib/cli/html/page_data.ts";
import type { ReplaySummary } from "../../../lib/cli/summary.ts";
import { runCommand } from "../run_command.ts";

/** The trace that comes with the command, of a program that builds binary trees. */
export const EXAMPLE: string =
  new URL("../../../examples/bintree9.allocfreetrace.txt.gz", import.meta.url).pathname;

/** What a replay with a page leaves behind. */
export interface PageOutcome {
  readonly path: string;
  readonly html: string;
  readonly data: PageData;
  /** What the replay printed. */
  readonly summary: ReplaySummary;
}

/** Runs `goheap replay --html` with more arguments, calls `use`, and removes the page afterwards. */
export async function withHtml<T>(
  args: readonly string[],
  use: (page: PageOutcome) => T | Promise<T>,
): Promise<T> {
  const path = await Deno.makeTempFile({ suffix: ".html" });
  try {
    const { code, out, err } = await runCommand("replay", "--json", "--html", path, ...args);
    assertEquals([code, err], [0, ""]);
    const html = await Deno.readTextFile(path);
    return await use({ path, html, data: pageDataIn(html), summary: JSON.parse(out) });
  } finally {
    await Deno.remove(path);
  }
}

/** The data in a page. */
export function pageDataIn(html: string): PageData {
  const [, json] = html.match(/<script type="application\/json" id="data">([^<]*)<\/script>/) ?? [];
  return JSON.parse(json);
}

/** Numbers from 0 up to 1, the same each time: those of a linear congruential generator. */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

/** A trace of the malloc lab with about so many operations, in blocks of `sizeOf` a random number. */
export function repTrace(operations: number, sizeOf: (random: number) => number): string {
  const random = randomNumbers(operations);
  const live: number[] = [];
  const lines: string[] = [];
  let ids = 0;
  while (lines.length < operations) {
    const chance = random();
    if (live.length === 0 || chance < 0.55) {
      live.push(ids);
      lines.push(`a ${ids++} ${sizeOf(random())}`);
    } else if (chance < 0.9) {
      const [id] = live.splice(Math.floor(random() * live.length), 1);
      lines.push(`f ${id}`);
    } else {
      lines.push(`r ${live[Math.floor(random() * live.length)]} ${sizeOf(random())}`);
    }
  }
  return [0, ids, lines.length, 1, ...lines, ""].join("\n");
}
