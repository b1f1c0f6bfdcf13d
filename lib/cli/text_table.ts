/**
 * Tables in plain text: columns as wide as their widest cell, numbers on the right of theirs.
 *
 * @module
 */

/** A column: its heading, and on which side its cells stand. */
export interface Column {
  readonly heading: string;
  readonly align?: "left" | "right";
}

const BETWEEN_COLUMNS = "  ";

/**
 * Lays out `rows` below the headings of `columns`; returns the lines, that of the headings first. Cells
 * stand on the right unless their column says left.
 */
export function tableLines(columns: readonly Column[], rows: readonly string[][]): string[] {
  const headings = columns.map((column) => column.heading);
  const lines = [headings, ...rows];
  const widths = columns.map((_, i) => Math.max(...lines.map((cells) => cells[i].length)));
  return lines.map((cells) =>
    cells
      .map((cell, i) =>
        columns[i].align === "left" ? cell.padEnd(widths[i]) : cell.padStart(widths[i])
      )
      .join(BETWEEN_COLUMNS)
      .trimEnd()
  );
}

/** A whole number with commas between thousands. */
export function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

/** `text` in bold, if `isBold`. */
export function bold(text: string, isBold: boolean): string {
  return isBold ? `\x1b[1m${text}\x1b[22m` : text;
}

/** `text` with control characters, which could drive a terminal, spelled out, cut to `maxLength`. */
export function printable(text: string, maxLength: number = Infinity): string {
  // deno-lint-ignore no-control-regex
  const plain = text.replaceAll(/[\x00-\x1f\x7f-\x9f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
  return plain.length > maxLength ? `${plain.slice(0, maxLength - 3)}...` : plain;
}
