/**
 * `goheap layout`: how a Go type lies in memory, what it wastes, and how its fields would lie better.
 *
 * @module
 */

import { hostPlatform, platformNamed } from "../platform/platform.ts";
import type { Terminal } from "./command.ts";
import { parseGoType } from "./go_type_parser.ts";
import { bold, type Column, grouped, tableLines } from "./text_table.ts";
import {
  type BlockLayout,
  type LayoutRow,
  MAX_WORDS,
  type TypeLayout,
  TypeLayouts,
} from "./type_layout.ts";

/** What `goheap layout` can be told. */
export interface LayoutOptions {
  /** The text of a Go type. */
  readonly type: string;
  /** The platform that lays it out; the host's if undefined. */
  readonly platform?: string;
  /** Whether to print JSON in place of the table. */
  readonly isJson: boolean;
}

/** What `goheap layout --json` prints. */
export interface LayoutReport extends TypeLayout {
  readonly platform: string;
  /** What a value leaves unused of its share of a block, padding included. */
  readonly wasteBytes: number;
  /** The type with its fields in the best order. */
  readonly best: {
    readonly type: string;
    readonly sizeBytes: number;
    readonly blockBytes: number;
    /** What a value is smaller by, and what it takes less of its block. */
    readonly savedBytes: number;
    readonly savedBlockBytes: number;
  };
}

const MAX_MASK_LENGTH = 64;
const MAX_FIELD_MASK_LENGTH = 16;

/** Prints the layout of a type; throws a `UsageError` if it can't be read or its size is not known. */
export function layout(options: LayoutOptions, terminal: Terminal): void {
  const platform = options.platform ?? hostPlatform().name;
  const report = layoutReport(options.type, platform);
  if (options.isJson) terminal.out(`${JSON.stringify(report, null, 2)}\n`);
  else terminal.out(layoutText(report, terminal.isBold));
}

/** All that there is to say of the type that `source` is. */
export function layoutReport(source: string, platform: string): LayoutReport {
  const node = parseGoType(source);
  const layouts = new TypeLayouts(platformNamed(platform), source);
  const found = layouts.layout(node);
  const best = layouts.layout(layouts.bestOrder(node));
  const savedBytes = found.sizeBytes - best.sizeBytes;
  const share = shareBytes(found.block);
  return {
    platform,
    ...found,
    wasteBytes: share - found.sizeBytes + found.paddingBytes,
    best: {
      // What gains nothing stays as it is.
      type: savedBytes > 0 ? best.type : found.type,
      sizeBytes: best.sizeBytes,
      blockBytes: best.block.blockBytes,
      savedBytes,
      savedBlockBytes: share - shareBytes(best.block),
    },
  };
}

/** What of a block each of its values has. */
function shareBytes({ blockBytes, valuesPerBlock }: BlockLayout): number {
  return blockBytes / valuesPerBlock;
}

function layoutText(report: LayoutReport, isBold: boolean): string {
  const { type, platform, sizeBytes, alignBytes, rows } = report;
  const title = `${type} on ${platform}: ${bytes(sizeBytes)}, aligned to ${alignBytes}`;
  const facts = tableLines(
    [{ heading: "", align: "left" }, { heading: "", align: "left" }],
    [
      ["words", wordsText(report)],
      ["padding", bytes(report.paddingBytes)],
      ["allocated", blockText(report.block)],
      ["waste", wasteText(report)],
      ["best order", bestText(report)],
    ],
  ).slice(1);
  if (rows.length === 0) return [title, "", ...facts, ""].join("\n");
  const [headings, ...lines] = rowLines(rows);
  return [title, "", bold(headings, isBold), ...lines, "", ...facts, ""].join("\n");
}

function rowLines(rows: readonly LayoutRow[]): string[] {
  const columns: Column[] = [
    { heading: "offset" },
    { heading: "size" },
    { heading: "align" },
    { heading: "field", align: "left" },
    { heading: "type", align: "left" },
    { heading: "words", align: "left" },
  ];
  return tableLines(
    columns,
    rows.map(({ offset, sizeBytes, field }) => [
      grouped(offset),
      grouped(sizeBytes),
      ...(field === null ? ["", "(padding)", "", ""] : [
        String(field.alignBytes),
        field.path,
        field.type,
        cut(field.pointerMask, MAX_FIELD_MASK_LENGTH),
      ]),
    ]),
  );
}

function wordsText({ words, pointerMask }: TypeLayout): string {
  if (words === 0) return "none";
  if (words <= MAX_WORDS && !pointerMask.includes("p")) return `${grouped(words)}, no pointers`;
  return `${cut(pointerMask, MAX_MASK_LENGTH)} (p pointer, s scalar)`;
}

function blockText({ class: cls, blockBytes, valuesPerBlock, ...span }: BlockLayout): string {
  if (cls < 0) return "nowhere: all values have one address";
  if (cls === 0) return `by itself, in ${count(span.spanPages, "page")}, ${bytes(blockBytes)}`;
  const spans = `${grouped(span.blocksPerSpan)} in a span of ${count(span.spanPages, "page")}`;
  const block = `in a block of ${bytes(blockBytes)}, size class ${cls}, ${spans}`;
  return span.isTiny ? `by the tiny allocator, up to ${valuesPerBlock} ${block}` : block;
}

function wasteText({ wasteBytes, paddingBytes, block }: LayoutReport): string {
  if (block.blockBytes === 0) return "none";
  const share = shareBytes(block);
  const behind = wasteBytes - paddingBytes;
  const percent = Math.round(100 * wasteBytes / share);
  return `${rounded(wasteBytes)} of ${rounded(share)} byte${
    share === 1 ? "" : "s"
  }, ${percent} %: ` +
    `${rounded(paddingBytes)} padding, ${rounded(behind)} behind the value`;
}

function bestText({ best, block }: LayoutReport): string {
  if (best.savedBytes === 0) return "no order of the fields is smaller";
  const blocks = best.savedBlockBytes === 0
    ? `still in blocks of ${bytes(block.blockBytes)}`
    : `and ${rounded(best.savedBlockBytes)} of its block`;
  return `${best.type}: ${bytes(best.sizeBytes)}, saves ${grouped(best.savedBytes)}, ${blocks}`;
}

function bytes(value: number): string {
  return count(value, "byte");
}

function count(value: number, what: string): string {
  return `${grouped(value)} ${what}${value === 1 ? "" : "s"}`;
}

/** A share of a block need not be whole. */
function rounded(value: number): string {
  return grouped(Math.round(value * 10) / 10);
}

function cut(mask: string, maxLength: number): string {
  return mask.length > maxLength ? `${mask.slice(0, maxLength)}...` : mask;
}
