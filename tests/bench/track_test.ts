import {
  assertAlmostEquals,
  assertEquals,
  assertFalse,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { chartPage, makeCharts } from "../../bench/track/chart.ts";
import { compareRecords, comparisonText } from "../../bench/track/compare.ts";
import {
  type BenchOutput,
  type BenchRecord,
  benchRecords,
  isComparable,
  toSmallerIsBetter,
  type TrackRecord,
} from "../../bench/track/record.ts";

const REFERENCE = "reference";

/** One run of two suites, each with its reference; times are [avg, min]. */
function output(suites: Record<string, Record<string, [number, number]>>): BenchOutput {
  return {
    benches: Object.entries(suites).flatMap(([origin, benches]) =>
      Object.entries(benches).map(([name, [avg, min]]) => ({
        origin,
        name,
        results: [{ ok: { avg, min } }],
      }))
    ),
  };
}

function record(date: string, benches: Record<string, Partial<BenchRecord>>): TrackRecord {
  const full = Object.entries(benches).map(([name, bench]) => {
    const whole: BenchRecord = { meanNs: 1, leastNs: 1, relative: 1, spread: 0, ...bench };
    return [name, whole] as const;
  });
  return {
    date,
    machine: "a machine",
    deno: "2.9.6",
    v8: "15",
    runs: 3,
    benches: Object.fromEntries(full),
  };
}

Deno.test("a bench is held against the reference of its own suite in its own run", () => {
  const runs = [
    output({ one: { reference: [5, 4], a: [30, 20] }, two: { reference: [50, 40], b: [30, 20] } }),
    output({ one: { reference: [9, 8], a: [50, 40] }, two: { reference: [50, 40], b: [90, 60] } }),
    output({ one: { reference: [5, 4], a: [20, 16] }, two: { reference: [50, 40], b: [60, 40] } }),
  ];
  const { a, b } = benchRecords(runs, REFERENCE, () => 10);
  assertEquals(a, { meanNs: 3, leastNs: 2, relative: 5, spread: 0 });
  assertEquals(b, { meanNs: 6, leastNs: 4, relative: 1, spread: 0.5 });
});

Deno.test("a bench that failed, or that no reference went before, makes no record", () => {
  const failed = { benches: [{ origin: "one", name: "a", results: [{ failed: "why" }] }] };
  assertThrows(() => benchRecords([failed], REFERENCE, () => 1), Error, "a: the bench failed");
  const alone = output({ one: { a: [1, 1] }, two: { reference: [1, 1] } });
  assertThrows(() => benchRecords([alone], REFERENCE, () => 1), Error, "a: no reference");
});

Deno.test("records of another machine or another version are not comparable", () => {
  const one = record("2026-01-01", {});
  assertEquals(isComparable(one, record("2026-02-02", { a: {} })), true);
  assertFalse(isComparable(one, { ...one, machine: "another" }));
  assertFalse(isComparable(one, { ...one, deno: "2.9.7" }));
  assertFalse(isComparable(one, { ...one, v8: "16" }));
});

Deno.test("a change within three spreads, or below 5 %, is noise", () => {
  const before = record("2026-01-01", {
    steady: { relative: 1, spread: 0 },
    noisy: { relative: 1, spread: 0.05 },
  });
  const after = record("2026-01-02", {
    steady: { relative: 1.04, spread: 0 },
    noisy: { relative: 1.29, spread: 0.05 },
  });
  assertEquals(compareRecords(before, after, 0.25), {
    moves: [],
    unchanged: 2,
    added: [],
    removed: [],
  });
});

Deno.test("a change beyond the noise is a move, and one beyond the threshold a regression", () => {
  const before = record("2026-01-01", { a: {}, b: {}, c: {}, gone: {} });
  const after = record("2026-01-02", {
    a: { relative: 0.5 },
    b: { relative: 1.3 },
    c: { relative: 1.2 },
    fresh: {},
  });
  const comparison = compareRecords(before, after, 0.25);
  const seen = comparison.moves.map(({ name, isRegression }) => [name, isRegression]);
  assertEquals(seen, [["b", true], ["c", false], ["a", false]]);
  assertAlmostEquals(comparison.moves[0].change, 0.3);
  assertEquals([comparison.added, comparison.removed], [["fresh"], ["gone"]]);
  const text = comparisonText(before, comparison);
  assertStringIncludes(text, "+30 %  REGRESSION  b (1.00 ns to 1.00 ns, noise 5 %)");
  assertStringIncludes(text, "-50 %  faster      a");
});

Deno.test("plain V8 objects that became slower are told, and no regression", () => {
  const names = ["V8 objects: w", "goheap: w"];
  const all = (fields: Partial<BenchRecord>) =>
    Object.fromEntries(names.map((name) => [name, fields]));
  const before = record("2026-01-01", all({}));
  const { moves } = compareRecords(before, record("2026-01-02", all({ relative: 2 })), 0.25);
  assertEquals(moves.map(({ name, isRegression }) => [name, isRegression]), [
    ["V8 objects: w", false],
    ["goheap: w", true],
  ]);
});

Deno.test("the form for github-action-benchmark has name, unit and value of every bench", () => {
  const [entry] = toSmallerIsBetter(record("2026-01-01", { a: { leastNs: 12.5, spread: 0.021 } }));
  assertEquals(entry, {
    name: "a",
    unit: "ns/op",
    value: 12.5,
    range: "± 2.1 %",
    extra: "1.000 of the reference; a machine, Deno 2.9.6",
  });
});

Deno.test("a chart has a line a program, at the speed of the last record, with gaps", () => {
  const history = [
    record("2026-01-01T00:00:00Z", { "goheap: w": { relative: 3, leastNs: 90 } }),
    record("2026-01-02T00:00:00Z", {
      "goheap: w": { relative: 2, leastNs: 10 },
      "V8 objects: w": { relative: 1, leastNs: 5 },
    }),
  ];
  const day = Date.parse("2026-01-01T00:00:00Z") / 1000;
  assertEquals(makeCharts(history), [{
    title: "w",
    labels: ["goheap", "V8 objects"],
    data: [[day, day + 86400], [15, 10], [null, 5]],
  }]);
});

Deno.test("the page holds library and data, and neither can end its script element", () => {
  const history = [record("2026-01-01T00:00:00Z", { "goheap: </script>": {} })];
  const page = chartPage(history, { script: "var uPlot = '</script>';", style: ".u-title {}" });
  assertStringIncludes(page, "var uPlot = '<\\/script>';");
  assertStringIncludes(page, '"title":"<\\/script>"');
  assertStringIncludes(page, ".u-title {}");
  assertFalse(/(src|href)=/.test(page));
  assertEquals(page.match(/<\/script>/g)?.length, 2);
});
