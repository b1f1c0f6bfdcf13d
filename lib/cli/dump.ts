/**
 * `goheap dump`: what is in a heap dump, and who keeps it alive.
 *
 * @module
 */

import { HeapDump } from "../inspect/heap_dump.ts";
import { type DumpMemStats, HeapDumpError, MEM_STATS_FIELDS } from "../inspect/heap_dump_format.ts";
import { hex } from "../inspect/heap_dump_objects.ts";
import type { ObjectGraph } from "../inspect/object_graph.ts";
import { CommandError, type Terminal } from "./command.ts";
import type { DumpFindings, DumpOverview } from "./dump_findings.ts";
import { dumpReport } from "./dump_report.ts";
import { type Input, InputError, openInput } from "./input.ts";

/** What `goheap dump` can be told. */
export interface DumpOptions {
  /** The dump's file name, or `-` for standard input. */
  readonly dump: string;
  /** How many rows a table has. */
  readonly top: number;
  /** Whether to print what retains most. */
  readonly hasRetained: boolean;
  /** The address of an object whose path to print. */
  readonly path?: number;
  /** The type whose objects to print. */
  readonly type?: string;
  /** Whether to print JSON in place of tables. */
  readonly isJson: boolean;
}

/** Reads a dump and prints what was asked for; throws a `CommandError` if it cannot be read. */
export async function dump(options: DumpOptions, terminal: Terminal): Promise<void> {
  using input = await openInput(options.dump);
  const read = await readDump(input);
  const findings = find(read, input.name, options);
  if (options.isJson) terminal.out(`${JSON.stringify(findings, null, 2)}\n`);
  else terminal.out(dumpReport(findings, options.top, terminal.isBold));
}

async function readDump(input: Input): Promise<HeapDump> {
  try {
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    for await (const chunk of input.chunks()) chunks.push(new Uint8Array(chunk));
    return HeapDump.from(await new Blob(chunks).arrayBuffer());
  } catch (error) {
    if (error instanceof HeapDumpError || error instanceof InputError) {
      throw new CommandError(`${input.name}: ${error.message}`);
    }
    throw error;
  }
}

function find(read: HeapDump, name: string, options: DumpOptions): DumpFindings {
  const graph = read.objectGraph();
  const { top, hasRetained, path, type } = options;
  const isOverview = !hasRetained && path === undefined && type === undefined;
  return {
    dump: name,
    ...(isOverview && { overview: overviewOf(read, graph) }),
    ...(hasRetained && {
      retained: { roots: graph.largestRoots(top), objects: graph.largest(top) },
    }),
    ...(type !== undefined && { type: findType(graph, name, type, top) }),
    ...(path !== undefined && { path: findPath(graph, name, path) }),
  };
}

function overviewOf(read: HeapDump, graph: ObjectGraph): DumpOverview {
  const roots: Record<string, number> = {};
  for (const { kind } of graph.roots) roots[kind] = (roots[kind] ?? 0) + 1;
  const figures = [...MEM_STATS_FIELDS, "NumGC" as const].map((name) =>
    [name, read.memStats[name]] as const
  );
  return {
    params: read.params,
    memStats: Object.fromEntries(figures) as Omit<DumpMemStats, "PauseNs">,
    goroutines: read.goroutines.length,
    roots,
    objects: { objects: graph.objects, bytes: graph.bytes },
    reachable: graph.reachable,
    masks: graph.masks(),
    types: graph.types(),
    finalizers: read.finalizers.length,
    queuedFinalizers: read.queuedFinalizers.length,
    finalizerCycles: graph.finalizerCycles(),
  };
}

function findType(
  graph: ObjectGraph,
  name: string,
  type: string,
  top: number,
): DumpFindings["type"] {
  const tally = graph.types().find((each) => each.type === type);
  if (tally === undefined) {
    throw new CommandError(`${name}: no object is known to be of type '${type}'`);
  }
  return { tally, objects: graph.largest(top, type) };
}

function findPath(graph: ObjectGraph, name: string, address: number): DumpFindings["path"] {
  const object = graph.object(address);
  if (object === null) throw new CommandError(`${name}: no object at ${hex(address)}`);
  return { object, path: graph.path(address), dominators: graph.dominators(address) };
}
