/**
 * The report at the end of a replay, for people: four tables and what has to be said to read them.
 *
 * @module
 */

import type { ClassSummary, ReplaySummary, TypeSummary } from "./summary.ts";
import { bold, type Column, grouped, printable, tableLines } from "./text_table.ts";
import type { Tally } from "./trace_totals.ts";

/** How many types the report lists. */
const TYPES_SHOWN = 10;
const MAX_NAME_LENGTH = 80;

const ROUNDED_NOTE = [
  "Slot waste is what live objects leave of their blocks by the sizes in the trace. Those are",
  "rounded already: what the program asked for inside them, the trace does not say.",
];
const REQUESTED_NOTE = [
  "Slot waste is what live objects leave of their blocks: sizes are what the program asked for.",
];

/** The report as text, which ends with a line end; headings are bold if `isBold`. */
export function reportText(summary: ReplaySummary, isBold: boolean): string {
  const gogc = summary.gcPercent < 0 ? "off" : String(summary.gcPercent);
  const sections = [
    [`${printable(summary.trace)} on ${summary.platform}, GOGC=${gogc}, ${
      grouped(summary.lines)
    } lines`],
    traceSection(summary),
    faultSection(summary),
    heapSection(summary),
    collectionSection(summary),
    classSection(summary),
    typeSection(summary),
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .map(([heading, ...lines]) => [bold(heading, isBold), ...lines, ""].join("\n"))
    .join("\n");
}

function traceSection({ allocated, freed, live, peak }: ReplaySummary): string[] {
  const row = (name: string, { objects, bytes }: Tally) => [name, grouped(objects), grouped(bytes)];
  const columns: Column[] = [
    { heading: "Trace", align: "left" },
    { heading: "objects" },
    { heading: "bytes" },
  ];
  return tableLines(columns, [
    row("allocated", allocated),
    row("freed", freed),
    row("live at the end", live),
    row("most live at once", peak),
  ]);
}

/** Only a lenient replay gets here with faults. */
function faultSection({ faults }: ReplaySummary): string[] {
  const rows = [
    ["malformed", grouped(faults.malformed)],
    ["free of no block", grouped(faults.freeOfUnknown)],
    ["allocation on a block", grouped(faults.allocationOfLive)],
    ["free with another size", grouped(faults.sizeMismatch)],
  ].filter(([, count]) => count !== "0");
  if (rows.length === 0) return [];
  return tableLines([{ heading: "Skipped", align: "left" }, { heading: "records" }], rows);
}

function heapSection({ memStats }: ReplaySummary): string[] {
  const columns: Column[] = [
    { heading: "Heap", align: "left" },
    { heading: "bytes" },
    { heading: "", align: "left" },
  ];
  return tableLines(columns, [
    ["HeapAlloc", grouped(memStats.HeapAlloc), "live objects and garbage not yet swept"],
    ["HeapInuse", grouped(memStats.HeapInuse), "spans that hold objects"],
    ["HeapIdle", grouped(memStats.HeapIdle), "free spans"],
    ["HeapSys", grouped(memStats.HeapSys), "all spans: the most the heap ever needed"],
  ]);
}

function collectionSection({ format, memStats, traceCollections }: ReplaySummary): string[] {
  const columns: Column[] = [
    { heading: "Collections", align: "left" },
    { heading: "number" },
    { heading: "", align: "left" },
  ];
  const freed = `${grouped(memStats.Frees)} of ${grouped(memStats.Mallocs)} objects freed`;
  const paused = `${(memStats.PauseTotalNs / 1e6).toFixed(1)} ms paused`;
  return tableLines(columns, [
    ["this heap", grouped(memStats.NumGC), `${freed}, ${paused}`],
    // A program of the malloc lab frees what it allocates.
    ...(format === "allocfreetrace" ? [["traced program", grouped(traceCollections), ""]] : []),
  ]);
}

function classSection(summary: ReplaySummary): string[] {
  const columns = [
    "class",
    "size",
    "allocated",
    "live",
    "spans",
    "span bytes",
    "slot waste",
    "tail waste",
  ].map((heading) => ({ heading }));
  const rows = summary.sizeClasses.map((c) => [
    c.class === 0 ? "large" : String(c.class),
    c.class === 0 ? "" : grouped(c.sizeBytes),
    ...classFigures(c),
  ]);
  const sum = (figure: (c: ClassSummary) => number) =>
    summary.sizeClasses.reduce((total, c) => total + figure(c), 0);
  rows.push([
    "all",
    "",
    ...classFigures({
      allocatedObjects: sum((c) => c.allocatedObjects),
      liveObjects: sum((c) => c.liveObjects),
      spans: sum((c) => c.spans),
      spanBytes: sum((c) => c.spanBytes),
      slotWasteBytes: summary.slotWasteBytes,
      tailWasteBytes: summary.tailWasteBytes,
    }),
  ]);
  return [
    "Size classes",
    ...tableLines(columns, rows),
    ...(summary.format === "allocfreetrace" ? ROUNDED_NOTE : REQUESTED_NOTE),
  ];
}

function classFigures(c: Omit<ClassSummary, "class" | "sizeBytes">): string[] {
  return [
    c.allocatedObjects,
    c.liveObjects,
    c.spans,
    c.spanBytes,
    c.slotWasteBytes,
    c.tailWasteBytes,
  ].map(grouped);
}

function typeSection({ types }: ReplaySummary): string[] {
  const columns: Column[] = [
    { heading: "bytes" },
    { heading: "objects" },
    { heading: "live bytes" },
    { heading: "live objects" },
    { heading: "type", align: "left" },
  ];
  const rows = types.slice(0, TYPES_SHOWN).map((type) => [
    grouped(type.allocated.bytes),
    grouped(type.allocated.objects),
    grouped(type.live.bytes),
    grouped(type.live.objects),
    typeName(type),
  ]);
  const more = types.length - rows.length;
  return [
    "Largest types",
    ...tableLines(columns, rows),
    ...(more > 0 ? [`and ${grouped(more)} more`] : []),
  ];
}

function typeName({ name }: TypeSummary): string {
  return name === null ? "(no type: raw memory)" : printable(name, MAX_NAME_LENGTH);
}
