/**
 * Memory profiles as text, in the form in which Go 1.4 writes its own, and which `go tool pprof` reads.
 *
 * ```
 * heap profile: 2: 1792 [5: 2304] @ heap/1048576        in use [allocated] @ heap/twice the rate
 * 2: 1792 [2: 1792] @ 0x400010 0x500010                 a size on a stack, and where its calls return to
 * #	0x400010	makeTable+0x10	file:///src/main.ts:7
 * #	0x500010	main+0x10	file:///src/main.ts:21
 *
 * # runtime.MemStats                                    and what Go's ReadMemStats tells
 * # Alloc = 1792
 * ```
 *
 * Figures are those of the samples; pprof estimates from them, and from the rate, what there was in all. The columns
 * of a stack are aligned with tabs, eight to a stop.
 *
 * @module
 */

import type { MemProfile, MemProfileRecord } from "./mem_profile.ts";
import type { MemStats } from "./mem_stats.ts";
import type { ProfileFrame } from "./profile_stacks.ts";

const TAB_STOP = 8;

/**
 * Writes a memory profile as text, in Go 1.4's form: with `debug` 1, the default, for people too, with the names of
 * functions and the heap's statistics; with 0 the figures alone.
 *
 * @example Every line that begins with # is for people
 * ```ts
 * import { GoHeap, heapProfileText } from "@goheap/goheap";
 * import { assertEquals, assertMatch } from "@std/assert";
 *
 * using heap = new GoHeap({ memProfileRate: 1 });
 * using object = heap.ref(heap.newobject(heap.types.string));
 * const profile = heap.memProfile();
 * const [head, record] = heapProfileText(profile, 0).split("\n");
 * assertEquals(head, "heap profile: 1: 16 [1: 16] @ heap/2");
 * assertMatch(record, /^1: 16 \[1: 16\] @( 0x[0-9a-f]+)+$/);
 * assertMatch(heapProfileText(profile), /^# HeapAlloc = 16$/m);
 * ```
 */
export function heapProfileText(profile: MemProfile, debug: 0 | 1 = 1): string {
  const { records, rate, memStats } = profile;
  const sum = (figure: (record: MemProfileRecord) => number) =>
    records.reduce((total, record) => total + figure(record), 0);
  const total = {
    inuseObjects: sum((record) => record.inuseObjects),
    inuseBytes: sum((record) => record.inuseBytes),
    allocObjects: sum((record) => record.allocObjects),
    allocBytes: sum((record) => record.allocBytes),
  };
  const lines = [`heap profile: ${figuresText(total)} @ heap/${2 * rate}`];
  for (const record of records) {
    const pcs = record.stack.map(({ pc }) => ` ${hex(pc)}`).join("");
    lines.push(`${figuresText(record)} @${pcs}`);
    if (debug > 0) lines.push(...symbolLines(shownFrames(record.stack)), "");
  }
  if (debug > 0) lines.push("", ...memStatsLines(memStats));
  return lines.map((line) => `${line}\n`).join("");
}

/** The frames of a stack that are worth showing: the Go runtime's own are not, where they allocate or where all ends. */
export function shownFrames(stack: readonly ProfileFrame[]): readonly ProfileFrame[] {
  const program = stack.findIndex((frame) => !isOfRuntime(frame));
  return stack.slice(Math.max(program, 0))
    .filter((frame) => !(isOfRuntime(frame) && frame.function === "runtime.goexit"));
}

function isOfRuntime({ function: name, file }: ProfileFrame): boolean {
  return name.startsWith("runtime.") && /\.(?:go|goc|c|s)$/.test(file);
}

type Figures = Pick<
  MemProfileRecord,
  "inuseObjects" | "inuseBytes" | "allocObjects" | "allocBytes"
>;

function figuresText({ inuseObjects, inuseBytes, allocObjects, allocBytes }: Figures): string {
  return `${inuseObjects}: ${inuseBytes} [${allocObjects}: ${allocBytes}]`;
}

function symbolLines(frames: readonly ProfileFrame[]): string[] {
  const rows = frames.map((frame) => [
    hex(frame.pc),
    `${frame.function}+${hex(frame.offset)}`,
    `${frame.file}:${frame.line}`,
  ]);
  const stops = [0, 1].map((column) =>
    Math.ceil((Math.max(...rows.map((row) => row[column].length)) + 1) / TAB_STOP)
  );
  const cell = (text: string, column: number) =>
    text + "\t".repeat(stops[column] - Math.floor(text.length / TAB_STOP));
  return rows.map(([pc, place, source]) => `#\t${cell(pc, 0)}${cell(place, 1)}${source}`);
}

function memStatsLines(m: MemStats): string[] {
  const figures: [string, string | number | boolean][] = [
    ["Alloc", m.Alloc],
    ["TotalAlloc", m.TotalAlloc],
    ["Sys", m.Sys],
    ["Lookups", m.Lookups],
    ["Mallocs", m.Mallocs],
    ["Frees", m.Frees],
    ["HeapAlloc", m.HeapAlloc],
    ["HeapSys", m.HeapSys],
    ["HeapIdle", m.HeapIdle],
    ["HeapInuse", m.HeapInuse],
    ["HeapReleased", m.HeapReleased],
    ["HeapObjects", m.HeapObjects],
    ["Stack", `${m.StackInuse} / ${m.StackSys}`],
    ["MSpan", `${m.MSpanInuse} / ${m.MSpanSys}`],
    ["MCache", `${m.MCacheInuse} / ${m.MCacheSys}`],
    ["BuckHashSys", m.BuckHashSys],
    ["NextGC", m.NextGC],
    ["PauseNs", `[${m.PauseNs.map(Math.floor).join(" ")}]`],
    ["NumGC", m.NumGC],
    ["EnableGC", m.EnableGC],
    ["DebugGC", m.DebugGC],
  ];
  return ["# runtime.MemStats", ...figures.map(([name, figure]) => `# ${name} = ${figure}`)];
}

function hex(n: number): string {
  return `0x${n.toString(16)}`;
}
