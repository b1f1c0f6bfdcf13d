/**
 * Reads docs/seeds.md: the rows of its tables, and what their cells name.
 *
 * @module
 */

/** A row of the page. */
export interface Row {
  /** The heading that its table stands under. */
  readonly section: string;
  /** Where it stands in the seeds. */
  readonly seed: string;
  /** The function, constant or branch, in words. */
  readonly what: string;
  /** Where this heap has it; `none: ...` or `open (...)`. */
  readonly here: string;
  /** Which test shows it. */
  readonly test: string;
}

/** A file, and what is named of it. */
export interface Place {
  readonly file: string;
  readonly names: readonly string[];
}

/** Where the project lies. */
export const ROOT = new URL("../../", import.meta.url);

const HEADER = "| Seed | What | Here | Test |";
/** A file in code marks, and the names in code marks that follow it. */
const PLACE = /`((?:lib|tests)\/[\w./]+\.ts)`((?: `[^`]+`)*)/g;

/** The rows of the page, in order; throws if a table has other columns. */
export function readRows(page: string): Row[] {
  const rows: Row[] = [];
  let section = "";
  let header = "";
  for (const line of page.split("\n")) {
    if (line.startsWith("## ")) section = line.slice(3);
    if (!line.startsWith("|")) header = "";
    else if (header === "") header = line;
    else if (!line.startsWith("| ---")) rows.push(rowOf(section, header, line));
  }
  return rows;
}

function rowOf(section: string, header: string, line: string): Row {
  const cells = line.split("|").slice(1, -1).map((cell) => cell.trim());
  if (header !== HEADER || cells.length !== 4) {
    throw new Error(`Cannot read a row of "${section}": not four columns as in ${HEADER}: ${line}`);
  }
  const [seed, what, here, test] = cells;
  return { section, seed, what, here, test };
}

/** What a row is called in messages and lists. */
export function labelOf({ section, what }: Row): string {
  return `${section} / ${what}`;
}

/** Whether the row says that somebody still has to build it. */
export function isOpen({ here }: Row): boolean {
  return here.startsWith("open");
}

/** The reason why a row has no meaning here; null if it has one. */
export function reasonOf({ here }: Row): string | null {
  return here.startsWith("none:") ? here.slice("none:".length).trim() : null;
}

/** The places that a cell names, wherever in the text they stand. */
export function placesIn(cell: string): Place[] {
  return Array.from(cell.matchAll(PLACE), ([, file, names]) => ({
    file,
    names: Array.from(names.matchAll(/`([^`]+)`/g), ([, name]) => name),
  }));
}

/** Whether a cell is a list of places with at least one name each, and nothing else. */
export function isListOfPlaces(cell: string): boolean {
  const places = placesIn(cell);
  return places.length > 0 && places.every(({ names }) => names.length > 0) &&
    cell.replace(PLACE, "").replaceAll(",", "").trim() === "";
}

/** A file's code, without its comments; null if there is no such file. */
export function codeOf(file: string): string | null {
  try {
    const text = Deno.readTextFileSync(new URL(file, ROOT));
    return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Whether `name`, a whole identifier, occurs in code. */
export function occursIn(name: string, code: string): boolean {
  return new RegExp(`(?<![\\w$#])${name}(?![\\w$])`).test(code);
}

/** The lines of seed B that a row covers, counted as the seed does, from both ends. */
export function linesOf({ seed }: Row): [first: number, last: number] | null {
  const found = seed.match(/\bB (\d+)(?:-(\d+))?/);
  return found === null ? null : [Number(found[1]), Number(found[2] ?? found[1])];
}
