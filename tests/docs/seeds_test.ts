import { assertEquals, assertThrows } from "@std/assert";
import { OPEN_ROWS } from "./open_rows.ts";
import {
  codeOf,
  isListOfPlaces,
  isOpen,
  labelOf,
  linesOf,
  occursIn,
  placesIn,
  readRows,
  reasonOf,
  ROOT,
  type Row,
} from "./seeds_page.ts";

const MIN_REASON_CHARACTERS = 20;
const SEEDS = new URL("../shared/seeds/", ROOT);

const page = Deno.readTextFileSync(new URL("docs/seeds.md", ROOT));
const rows = readRows(page);

/** What is wrong with the rows: `find` says it of one of them. */
function faults(find: (row: Row) => (string | null)[]): string[] {
  return rows.flatMap((row) =>
    find(row).flatMap((fault) => fault === null ? [] : [`${labelOf(row)}: ${fault}`])
  );
}

/** The names of a file's tests, by having it register them with somebody who does not run them. */
async function testNames(file: string): Promise<string[]> {
  const names: string[] = [];
  const { test } = Deno;
  const recorder = (definition: string | { name: string }) => {
    names.push(typeof definition === "string" ? definition : definition.name);
  };
  recorder.ignore = recorder;
  Object.defineProperty(Deno, "test", { value: recorder, configurable: true, writable: true });
  try {
    await import(new URL(file, ROOT).href);
  } finally {
    Object.defineProperty(Deno, "test", { value: test, configurable: true, writable: true });
  }
  return names;
}

const testFiles = [...new Set(rows.flatMap((row) => placesIn(row.test).map(({ file }) => file)))]
  .filter((file) => codeOf(file) !== null);
const testsByFile = new Map<string, string[]>();
for (const file of testFiles) testsByFile.set(file, await testNames(file));

Deno.test("every row of the seeds has a place here, or says why it has none, or is open", () => {
  assertEquals(
    faults((row) => {
      const reason = reasonOf(row);
      if (reason !== null) {
        return [reason.length < MIN_REASON_CHARACTERS ? `no reason in "${row.here}"` : null];
      }
      return [isOpen(row) || isListOfPlaces(row.here) ? null : `no place in "${row.here}"`];
    }),
    [],
  );
  const labels = rows.map(labelOf);
  assertEquals(labels.filter((label, i) => labels.indexOf(label) !== i), [], "two rows alike");
});

Deno.test("every place that a row of the seeds names exists", () => {
  assertEquals(
    faults((row) =>
      placesIn(row.here).flatMap(({ file, names }) => {
        const code = codeOf(file);
        if (code === null) return [`no file ${file}`];
        return names.map((name) => occursIn(name, code) ? null : `no ${name} in ${file}`);
      })
    ),
    [],
  );
});

Deno.test("every row of the seeds that has a place has a test, and every test that is named exists", () => {
  assertEquals(
    faults((row) => {
      const needsNone = isOpen(row) || reasonOf(row) !== null;
      if (row.test === "" && needsNone) return [];
      if (!isListOfPlaces(row.test)) return [`no test in "${row.test}"`];
      return placesIn(row.test).flatMap(({ file, names }) => {
        const found = testsByFile.get(file);
        if (found === undefined) return [`no file ${file}`];
        return names.map((name) => found.includes(name) ? null : `no "${name}" in ${file}`);
      });
    }),
    [],
  );
});

Deno.test("the rows of the seeds that are open are those that are listed as open", () => {
  assertEquals(rows.filter(isOpen).map(labelOf), [...OPEN_ROWS]);
});

Deno.test("a row with other columns than the rest is refused", () => {
  const table = (row: string) =>
    `## f\n\n| Seed | What | Here | Test |\n| --- | --- | --- | --- |\n${row}`;
  assertEquals(readRows(table("| A | b | open (c) | |")).map(isOpen), [true]);
  assertThrows(() => readRows(table("| A | b | open (c) |")), Error, "four columns");
  assertThrows(() => readRows("## f\n| Seed | What |\n| --- | --- |\n| A | b |"), Error, "columns");
});

/** A seed's text, where it lies beside the project; null elsewhere. */
function readSeed(name: string): string | null {
  try {
    return Deno.readTextFileSync(new URL(name, SEEDS));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

const seedA = readSeed("seed-a-gccgo-malloc.goc.txt");
const seedB = readSeed("seed-b-go-malloc.go.txt");

/** Line 1 of seed B is this one of the file: a web page's line numbers stand before it. */
const FIRST_LINE = 889;

Deno.test({
  name: "every line of seed B that declares or decides something is in a row",
  ignore: seedB === null,
  fn: () => {
    const ranges = rows.map(linesOf).filter((range) => range !== null);
    const deciding =
      /^func |\b(if|else|for|switch|case|default|goto|return|gothrow|panic)\b|^\t?\w+ += |^(var|type) \w/;
    const uncovered = seedB!.split("\n").slice(FIRST_LINE - 1).flatMap((line, i) => {
      const decides = deciding.test(line.replace(/\/\/.*/, "").replace(/"[^"]*"/g, '""'));
      const isCovered = ranges.some(([first, last]) => first <= i + 1 && i + 1 <= last);
      return decides && !isCovered ? [`${i + 1}: ${line}`] : [];
    });
    assertEquals(uncovered, []);
  },
});

Deno.test({
  name: "every function and constant of seed A is named",
  ignore: seedA === null,
  fn: () => {
    const functions = seedA!.matchAll(
      /(?:void\*?|MSpan\*|int32|uintptr|func) (\w+) ?\([^;{}]*?\) (?:\([^)]*\) )?\{/g,
    );
    const constants = seedA!.matchAll(
      /#define (\w+)|\b(Persistent\w+|MTypes_\w+|TypeInfo_\w+|Flag\w+)\b/g,
    );
    const named = [...functions, ...constants].map(([, first, second]) =>
      (first ?? second).replace(/^runtime_/, "")
    );
    const missing = [...new Set(named)].filter((name) => !page.includes(name.replace(/^Flag/, "")));
    assertEquals(missing, []);
    assertEquals(named.length > 20, true, named.join(" "));
  },
});

/** All code of lib/. */
function libraryCode(directory = "lib"): string {
  return [...Deno.readDirSync(new URL(directory, ROOT))].map(({ name, isDirectory }) =>
    isDirectory ? libraryCode(`${directory}/${name}`) : codeOf(`${directory}/${name}`)
  ).join("\n");
}

Deno.test({
  name:
    "what the seeds throw is thrown here in the same words, or quoted in a row that is open or has no place",
  ignore: seedA === null || seedB === null,
  fn: () => {
    const elsewhere = rows.filter((row) => isOpen(row) || reasonOf(row) !== null)
      .map(({ what }) => what).join("\n");
    const known = libraryCode() + elsewhere;
    const thrown = `${seedA}${seedB}`.matchAll(
      /(?:runtime_throw|runtime_panicstring|gothrow|panic)\("([^"]+)"/g,
    );
    const texts = [...new Set(Array.from(thrown, ([, text]) => text))];
    assertEquals(texts.length > 20, true, texts.join("\n"));
    assertEquals(texts.filter((text) => !known.includes(text)), []);
  },
});
