/**
 * What `goheap dump` has to tell, for people: tables, and paths a step a line.
 *
 * @module
 */

import type { GraphRoot } from "../inspect/graph_builder.ts";
import { hex } from "../inspect/heap_dump_objects.ts";
import type { GraphObject, ObjectTally, TypeTally } from "../inspect/object_graph.ts";
import type { DumpFindings, DumpOverview } from "./dump_findings.ts";
import { bold, type Column, grouped, printable, tableLines } from "./text_table.ts";

const MAX_NAME_LENGTH = 80;

/** The findings as text, which ends with a line end; headings are bold if `isBold`. */
export function dumpReport(findings: DumpFindings, top: number, isBold: boolean): string {
  const { overview, retained, type, path } = findings;
  const sections: string[][] = [];
  if (overview !== undefined) sections.push(...overviewSections(findings.dump, overview, top));
  if (retained !== undefined) {
    sections.push(
      rootTable(retained.roots),
      objectTable("Objects that retain most", retained.objects),
    );
  }
  if (type !== undefined) {
    sections.push(typeTable([type.tally], 1), objectTable("Those that retain most", type.objects));
  }
  if (path !== undefined) sections.push(...pathSections(path));
  return sections
    .filter((lines) => lines.length > 0)
    .map(([heading, ...lines]) => [bold(heading, isBold), ...lines, ""].join("\n"))
    .join("\n");
}

function overviewSections(name: string, overview: DumpOverview, top: number): string[][] {
  const { params, goroutines, roots, finalizers, queuedFinalizers, finalizerCycles } = overview;
  const rootKinds = Object.entries(roots).map(([kind, count]) => `${grouped(count)} ${kind}`);
  return [
    [
      `${printable(name)}: heap dump, ${8 * params.pointerBytes} bits, processor ${params.thechar}`,
      `arena ${hex(params.arenaStart)} to ${hex(params.arenaUsed)}, goroutines: ${goroutines}`,
      `roots: ${rootKinds.join(", ") || "none"}`,
      `finalizers: ${finalizers} set, ${queuedFinalizers} queued`,
    ],
    heapTable(overview),
    statsTable(overview),
    maskTable(overview, top),
    typeTable(overview.types, top),
    ...finalizerCycles.slice(0, top).map((objects) =>
      objectTable("Finalizer cycle: none of these is ever finalized or freed", objects)
    ),
  ];
}

function heapTable({ objects, reachable }: DumpOverview): string[] {
  const columns: Column[] = [
    { heading: "Heap", align: "left" },
    { heading: "objects" },
    { heading: "bytes" },
  ];
  const row = (name: string, tally: ObjectTally) => [
    name,
    grouped(tally.objects),
    grouped(tally.bytes),
  ];
  return tableLines(columns, [
    row("in the dump", objects),
    row("reachable", reachable),
    row("unreachable", {
      objects: objects.objects - reachable.objects,
      bytes: objects.bytes - reachable.bytes,
    }),
  ]);
}

function statsTable({ memStats }: DumpOverview): string[] {
  const names = [
    "HeapAlloc",
    "HeapInuse",
    "HeapIdle",
    "HeapSys",
    "Sys",
    "TotalAlloc",
    "Mallocs",
    "Frees",
    "NextGC",
    "NumGC",
  ] as const;
  const columns: Column[] = [{ heading: "MemStats", align: "left" }, { heading: "" }];
  return tableLines(columns, names.map((name) => [name, grouped(memStats[name])]));
}

function maskTable({ masks }: DumpOverview, top: number): string[] {
  const columns: Column[] = [
    { heading: "bytes" },
    { heading: "objects" },
    { heading: "size" },
    { heading: "pointer mask", align: "left" },
  ];
  const rows = masks.slice(0, top).map(({ bytes, objects, size, mask }) => [
    grouped(bytes),
    grouped(objects),
    grouped(size),
    shownMask(mask),
  ]);
  return ["By size and pointers", ...tableLines(columns, rows), ...more(masks.length, top)];
}

function typeTable(types: readonly TypeTally[], top: number): string[] {
  const columns: Column[] = [
    { heading: "bytes" },
    { heading: "objects" },
    { heading: "retained" },
    { heading: "type", align: "left" },
  ];
  const rows = types.slice(0, top).map(({ bytes, objects, retainedBytes, type }) => [
    grouped(bytes),
    grouped(objects),
    grouped(retainedBytes),
    type === null ? "(not known)" : printable(type, MAX_NAME_LENGTH),
  ]);
  return ["By type", ...tableLines(columns, rows), ...more(types.length, top)];
}

function rootTable(roots: readonly (GraphRoot & { readonly retainedBytes: number })[]): string[] {
  const columns: Column[] = [{ heading: "retained" }, { heading: "root", align: "left" }];
  const rows = roots.map((root) => [grouped(root.retainedBytes), shownRoot(root)]);
  return ["Roots that retain most", ...tableLines(columns, rows)];
}

function objectTable(heading: string, objects: readonly GraphObject[]): string[] {
  const columns: Column[] = [
    { heading: "retained" },
    { heading: "size" },
    { heading: "address" },
    { heading: "type", align: "left" },
  ];
  const rows = objects.map((object) => [
    grouped(object.retainedBytes),
    grouped(object.size),
    hex(object.address),
    shownType(object),
  ]);
  return [heading, ...tableLines(columns, rows)];
}

function pathSections({ object, path, dominators }: NonNullable<DumpFindings["path"]>): string[][] {
  const what = `${shownObject(object)}, retains ${grouped(object.retainedBytes)} bytes`;
  if (path === null || dominators === null) return [[what, "nothing keeps it alive"]];
  const steps = path.steps.map(({ offset, object }) => `  +${offset} ─▶ ${shownObject(object)}`);
  const keepers = [
    ...(dominators.root === null ? [] : [shownRoot(dominators.root)]),
    ...dominators.objects.map(shownObject),
  ];
  return [
    [what],
    ["Shortest path", shownRoot(path.root), ...steps],
    ["All paths lead through", ...(keepers.length === 0 ? ["nothing in common"] : keepers)],
  ];
}

function shownRoot({ kind, address, name }: GraphRoot): string {
  const where = address === 0 ? "" : ` ${hex(address)}`;
  return `${kind}${where}${name === "" ? "" : ` ${printable(name, MAX_NAME_LENGTH)}`}`;
}

function shownObject(object: GraphObject): string {
  return `${hex(object.address)} ${shownType(object)}, ${grouped(object.size)} bytes`;
}

function shownType({ type, mask }: GraphObject): string {
  return type === null ? `(${shownMask(mask)})` : printable(type, MAX_NAME_LENGTH);
}

function shownMask(mask: string): string {
  return mask === "" ? "no pointers" : mask;
}

function more(count: number, top: number): string[] {
  return count > top ? [`and ${grouped(count - top)} more`] : [];
}
