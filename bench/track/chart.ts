/**
 * The history as one page of HTML that needs nothing else: data, chart library and style are inside.
 *
 * There is a chart a workload, with a line for each program that runs it: nanoseconds an operation by date,
 * as they would be if the reference had always taken what it took in the last record.
 * Only records that may be compared with one another share a page.
 *
 * @module
 */

import type { TrackRecord } from "./record.ts";

/** The chart library: the text of its script, which defines `uPlot`, and of its style sheet. */
export interface ChartLibrary {
  readonly script: string;
  readonly style: string;
}

/** A chart's data in uPlot's form: dates in seconds, then a row of values a line; null is a gap. */
export interface Chart {
  readonly title: string;
  readonly labels: readonly string[];
  readonly data: readonly (readonly (number | null)[])[];
}

const BETWEEN = ": ";

/** The charts of `history`, in the order of its last record, which is the last by date. */
export function makeCharts(history: readonly TrackRecord[]): Chart[] {
  const last = history.at(-1);
  if (last === undefined) return [];
  const dates = history.map(({ date }) => Date.parse(date) / 1000);
  const byWorkload = Map.groupBy(
    Object.keys(last.benches),
    (name) => name.slice(name.indexOf(BETWEEN) + BETWEEN.length),
  );
  return [...byWorkload].map(([title, names]) => ({
    title,
    labels: names.map((name) => name.slice(0, name.indexOf(BETWEEN))),
    data: [dates, ...names.map((name) => line(history, last, name))],
  }));
}

function line(history: readonly TrackRecord[], last: TrackRecord, name: string): (number | null)[] {
  const { leastNs, relative } = last.benches[name];
  return history.map(({ benches }) =>
    benches[name] === undefined ? null : benches[name].relative * leastNs / relative
  );
}

/** The page that shows `history`, which must be in the order of its dates. */
export function chartPage(history: readonly TrackRecord[], library: ChartLibrary): string {
  const last = history.at(-1);
  const heading = last === undefined ? "" : `${last.machine}, Deno ${last.deno}, V8 ${last.v8}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>goheap: history of the benchmarks</title>
<style>
${library.style}
${PAGE_STYLE}
</style>
</head>
<body>
<h1>goheap: history of the benchmarks</h1>
<p>${escapeHtml(heading)}. Nanoseconds an operation, ${history.length} records; less is better.</p>
<main></main>
<script>${inScript(library.script)}</script>
<script>
const charts = ${inScript(JSON.stringify(makeCharts(history)))};
${PAGE_SCRIPT}
</script>
</body>
</html>
`;
}

const PAGE_STYLE = `body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #222; }
h1 { font-size: 1.4rem; }
main { display: flex; flex-wrap: wrap; gap: 1.5rem; }
.u-title { font-size: 0.95rem; }`;

const PAGE_SCRIPT = `const colours = ["#00758d", "#b5651d", "#777777"];
for (const { title, labels, data } of charts) {
  new uPlot({
    title,
    width: 440,
    height: 240,
    series: [{}, ...labels.map((label, i) => ({
      label,
      stroke: colours[i % colours.length],
      points: { show: true },
      value: (_, ns) => ns === null ? "-" : ns.toPrecision(4) + " ns",
    }))],
    scales: { y: { range: (_, least, most) => [0, most * 1.1] } },
    axes: [{}, { size: 70, values: (_, ticks) => ticks.map((ns) => ns.toLocaleString()) }],
  }, data, document.querySelector("main"));
}`;

/** Keeps text inside a script element from ending it. */
function inScript(text: string): string {
  return text.replaceAll("</", "<\\/");
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
