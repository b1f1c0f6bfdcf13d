import { assertEquals } from "@std/assert";
import { MAX_NAMES, NameTable, OTHER_NAMES } from "../../lib/cli/name_table.ts";

function numberOf(table: NameTable, name: string): number {
  const bytes = new TextEncoder().encode(`<${name}>`);
  return table.numberOf(bytes, 1, bytes.length - 1);
}

Deno.test("a name keeps the number it got first, however many come after it", () => {
  const table = new NameTable();
  const names = Array.from({ length: 5000 }, (_, i) => `package${i % 70}.type${i}`);
  const numbers = names.map((name) => numberOf(table, name));
  assertEquals(numbers, names.map((_, i) => i + 1));
  assertEquals(names.map((name) => numberOf(table, name)), numbers);
  assertEquals(names.map((_, i) => table.names[i + 1]), names);
});

Deno.test("two names with the same hash are two names", () => {
  const table = new NameTable();
  assertEquals([numberOf(table, "main.t2ya8"), numberOf(table, "main.tzki6")], [1, 2]);
  assertEquals([numberOf(table, "main.tzki6"), numberOf(table, "main.t2ya8")], [2, 1]);
});

Deno.test("the empty name has number 0", () => {
  const table = new NameTable();
  assertEquals(numberOf(table, ""), 0);
  assertEquals(table.names[0], "");
});

Deno.test("names that come when the table is full share one number", () => {
  const table = new NameTable();
  for (let i = 1; i < MAX_NAMES; i++) numberOf(table, `t${i}`);
  assertEquals(numberOf(table, "one too many"), MAX_NAMES);
  assertEquals(numberOf(table, "two too many"), MAX_NAMES);
  assertEquals(table.names[MAX_NAMES], OTHER_NAMES);
  assertEquals(numberOf(table, `t${MAX_NAMES - 1}`), MAX_NAMES - 1);
  assertEquals(table.names.length, MAX_NAMES + 1);
});
