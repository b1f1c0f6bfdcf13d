/**
 * What the page of a replay shows, as plain data: it stands in the page as JSON, and its script draws it.
 *
 * All of it is bounded, whatever the length of the trace: see timeline.ts and page_map.ts for what is thinned
 * out and merged. What is left out of a list is there in sum, so that every list adds up to the same totals.
 *
 * @module
 */

import { type GoHeap, partsOf } from "../../go_heap.ts";
import { PAGE_BYTES } from "../../platform/platform.ts";
import { CLASS_TO_SIZE } from "../../spans/size_classes.ts";
import { MAX_NAMES } from "../name_table.ts";
import { type HeapSample, SAMPLE_FIELDS } from "../sampler.ts";
import type { StackTotals } from "../stack_totals.ts";
import type { ReplaySummary, TypeSummary } from "../summary.ts";
import { printable } from "../text_table.ts";
import type { Tally } from "../trace_totals.ts";
import { type Frame, PAGE_STATES } from "./frame.ts";
import { FILL_STEPS, pageMap, pagesPerCell } from "./page_map.ts";
import type { Timeline } from "./timeline.ts";

/** How many types and how many stacks are listed one by one. */
export const MAX_GROUPS = 50;
/** The longest name of a type, a function or a place. */
const MAX_NAME_LENGTH = 300;
/** What the stacks are called that came when the table of their texts was full. */
const OTHER_STACKS = "(all other stacks)";

/** The figures of samples, a column each. */
export type SampleColumns = Readonly<Record<Exclude<keyof HeapSample, "cause">, number[]>>;

/** A frame, with its map in place of its spans. */
export interface PageFrame extends Omit<Frame, "spans"> {
  /** As told in page_map.ts. */
  readonly map: readonly number[];
}

/** What was allocated in a group, or in several that are not listed one by one. */
export interface Group {
  readonly allocated: Tally;
  readonly live: Tally;
  /** How many groups this is, if it stands for the rest of the list. */
  readonly rest?: number;
}

/** A type, or the rest of them. */
export interface TypeGroup extends Group {
  /** Null for memory that was allocated without a type. */
  readonly name: string | null;
}

/** A stack, or the rest of them. */
export interface StackGroup extends Group {
  /** Its functions and their places, the innermost first; empty for allocations without a stack. */
  readonly frames: readonly (readonly [name: string, place: string])[];
}

/** All that the page shows. */
export interface PageData {
  readonly summary: Omit<ReplaySummary, "types" | "sizeClasses">;
  readonly pageBytes: number;
  readonly arenaStart: number;
  /** Block size by class. */
  readonly classSizes: readonly number[];
  /** Samples by event, those after collections among them. */
  readonly samples: SampleColumns;
  /** Events of samples after collections, and how many collections each stands for. */
  readonly marks: readonly number[];
  readonly collectionsPerMark: number;
  readonly frames: readonly PageFrame[];
  readonly pagesPerCell: number;
  readonly pageStates: readonly string[];
  readonly fillSteps: number;
  /** Those with most bytes first. */
  readonly types: readonly TypeGroup[];
  readonly stacks: readonly StackGroup[];
}

/** Puts together what the page of a replay that has ended shows. */
export function pageData(
  heap: GoHeap,
  { types, sizeClasses: _, ...summary }: ReplaySummary,
  timeline: Timeline,
  stacks: StackTotals,
): PageData {
  const perCell = pagesPerCell(Math.max(...timeline.frames.map(({ pages }) => pages)));
  return {
    summary: { ...summary, trace: printable(summary.trace, MAX_NAME_LENGTH) },
    pageBytes: PAGE_BYTES,
    arenaStart: partsOf(heap).arena.start,
    classSizes: Array.from(CLASS_TO_SIZE),
    samples: columns([...timeline.samples, ...timeline.marks]),
    marks: timeline.marks.map(({ event }) => event),
    collectionsPerMark: timeline.collectionsPerMark,
    frames: timeline.frames.map(({ spans, ...frame }) => ({
      ...frame,
      map: pageMap({ ...frame, spans }, perCell),
    })),
    pagesPerCell: perCell,
    pageStates: PAGE_STATES,
    fillSteps: FILL_STEPS,
    types: typeGroups(types),
    stacks: stackGroups(stacks),
  };
}

function columns(samples: readonly HeapSample[]): SampleColumns {
  const byEvent = samples.toSorted((a, b) => a.event - b.event);
  return Object.fromEntries(
    SAMPLE_FIELDS
      .filter((field) => field !== "cause")
      .map((field) => [field, byEvent.map((sample) => sample[field])]),
  ) as SampleColumns;
}

function typeGroups(types: readonly TypeSummary[]): TypeGroup[] {
  const listed = types.slice(0, MAX_GROUPS).map(({ name, allocated, live }): TypeGroup => ({
    name: name === null ? null : printable(name, MAX_NAME_LENGTH),
    allocated,
    live,
  }));
  const rest = types.slice(MAX_GROUPS);
  return rest.length === 0 ? listed : [...listed, { name: null, ...inSum(rest) }];
}

function stackGroups({ texts, totals }: StackTotals): StackGroup[] {
  const groups = texts.names
    .map((text, number): Group & { text: string; number: number } => ({
      text,
      number,
      allocated: totals.allocated(number),
      live: totals.live(number),
    }))
    .filter(({ allocated }) => allocated.objects > 0)
    .toSorted((a, b) => b.allocated.bytes - a.allocated.bytes || a.number - b.number);
  const listed = groups.slice(0, MAX_GROUPS).map(({ text, number, ...group }): StackGroup => ({
    frames: number === 0 ? [] : stackFrames(number === MAX_NAMES ? OTHER_STACKS : text),
    ...group,
  }));
  const rest = groups.slice(MAX_GROUPS);
  return rest.length === 0 ? listed : [...listed, { frames: [], ...inSum(rest) }];
}

function stackFrames(text: string): [name: string, place: string][] {
  return text.split("\n").map((line) => {
    const [name, place = ""] = line.split("\t");
    return [printable(name, MAX_NAME_LENGTH), printable(place, MAX_NAME_LENGTH)];
  });
}

function inSum(groups: readonly Group[]): Group {
  const sum = (of: (group: Group) => Tally): Tally => ({
    objects: groups.reduce((total, group) => total + of(group).objects, 0),
    bytes: groups.reduce((total, group) => total + of(group).bytes, 0),
  });
  return {
    allocated: sum(({ allocated }) => allocated),
    live: sum(({ live }) => live),
    rest: groups.length,
  };
}
