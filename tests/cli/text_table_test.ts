import { assertEquals } from "@std/assert";
import { progressLine } from "../../lib/cli/progress.ts";
import { bold, printable, tableLines } from "../../lib/cli/text_table.ts";

Deno.test("columns are as wide as their widest cell, and no line ends in spaces", () => {
  const columns = [{ heading: "name", align: "left" as const }, { heading: "n" }, {
    heading: "",
    align: "left" as const,
  }];
  assertEquals(tableLines(columns, [["a", "1,000", ""], ["longer", "7", "note"]]), [
    "name        n",
    "a       1,000",
    "longer      7  note",
  ]);
});

Deno.test("bold is left out where it is not wanted", () => {
  assertEquals(bold("Heap", true), "\x1b[1mHeap\x1b[22m");
  assertEquals(bold("Heap", false), "Heap");
});

Deno.test("text is cut to length and its control characters are spelled out", () => {
  assertEquals(printable("a\tb\x1b\x9bc", 80), "a\\x09b\\x1b\\x9bc");
  assertEquals(printable("abcdefgh", 8), "abcdefgh");
  assertEquals(printable("abcdefghi", 8), "abcde...");
});

Deno.test("a progress bar shows how far it is, or how much there was", () => {
  assertEquals(progressLine(0, "0 MB of text"), `[${" ".repeat(30)}]   0 %  0 MB of text`);
  assertEquals(
    progressLine(0.5, "61 MB of text"),
    `[${"=".repeat(15)}${" ".repeat(15)}]  50 %  61 MB of text`,
  );
  assertEquals(progressLine(1, "2000 MB of text"), `[${"=".repeat(30)}] 100 %  2000 MB of text`);
  assertEquals(progressLine(null, "61 MB of text"), " 61 MB of text");
});
