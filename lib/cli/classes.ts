/**
 * `goheap classes`: the table of size classes, and what each can waste.
 *
 * @module
 */

import { hostPlatform, PAGE_BYTES } from "../platform/platform.ts";
import {
  CLASS_TO_BLOCKS,
  CLASS_TO_PAGES,
  CLASS_TO_SIZE,
  NUM_SIZE_CLASSES,
} from "../spans/size_classes.ts";
import type { Terminal } from "./command.ts";
import { bold, grouped, tableLines } from "./text_table.ts";

/** What `goheap classes` can be told. */
export interface ClassesOptions {
  /** The platform whose classes to print; the host's if undefined. */
  readonly platform?: string;
  /** Whether to print JSON in place of the table. */
  readonly isJson: boolean;
}

/** One row of the table. */
export interface ClassRow {
  readonly class: number;
  readonly sizeBytes: number;
  readonly spanPages: number;
  /** Objects in a span. */
  readonly objects: number;
  /** Bytes behind the last object of a span. */
  readonly tailWasteBytes: number;
  /** The share of a span that is lost when every object is as small as the class allows. */
  readonly maxWastePercent: number;
}

/** Prints the table. */
export function classes(options: ClassesOptions, terminal: Terminal): void {
  const platform = options.platform ?? hostPlatform().name;
  const rows = classRows();
  if (options.isJson) {
    const table = { platform, pageBytes: PAGE_BYTES, sizeClasses: rows };
    return terminal.out(`${JSON.stringify(table, null, 2)}\n`);
  }
  const columns = ["class", "size", "pages", "objects", "tail waste", "max waste"];
  const [headings, ...lines] = tableLines(
    columns.map((heading) => ({ heading })),
    rows.map((row) => [
      String(row.class),
      grouped(row.sizeBytes),
      String(row.spanPages),
      grouped(row.objects),
      grouped(row.tailWasteBytes),
      `${row.maxWastePercent.toFixed(2)} %`,
    ]),
  );
  const title = `Size classes on ${platform}: pages of ${grouped(PAGE_BYTES)} bytes`;
  terminal.out([title, "", bold(headings, terminal.isBold), ...lines, ""].join("\n"));
}

/** The table, from class 1 on. */
function classRows(): ClassRow[] {
  return Array.from({ length: NUM_SIZE_CLASSES - 1 }, (_, i) => classRow(i + 1));
}

function classRow(cls: number): ClassRow {
  const spanBytes = CLASS_TO_PAGES[cls] * PAGE_BYTES;
  const objects = CLASS_TO_BLOCKS[cls];
  const tailWasteBytes = spanBytes - objects * CLASS_TO_SIZE[cls];
  const slotWasteBytes = CLASS_TO_SIZE[cls] - (CLASS_TO_SIZE[cls - 1] + 1);
  return {
    class: cls,
    sizeBytes: CLASS_TO_SIZE[cls],
    spanPages: CLASS_TO_PAGES[cls],
    objects,
    tailWasteBytes,
    maxWastePercent: 100 * (objects * slotWasteBytes + tailWasteBytes) / spanBytes,
  };
}
