import { assertEquals, assertMatch } from "@std/assert";
import { readJson } from "../data.ts";
import { runCommand } from "./run_command.ts";

interface GoClass {
  cls: number;
  size: number;
  npages: number;
  objects: number;
  tail_waste: number;
}

Deno.test("the size classes printed as JSON are those of Go", async () => {
  const { code, out, err } = await runCommand("classes", "--json", "--platform", "linux/arm64");
  assertEquals([code, err], [0, ""]);
  const { sizeClasses, ...rest } = JSON.parse(out);
  assertEquals(rest, { platform: "linux/arm64", pageBytes: 8192 });
  const expected = await readJson("sizeclasses.json") as { classes: GoClass[] };
  assertEquals(
    sizeClasses.map((
      { maxWastePercent: _, ...row }: { maxWastePercent: number } & Record<string, number>,
    ) => row),
    expected.classes.map((c) => ({
      class: c.cls,
      sizeBytes: c.size,
      spanPages: c.npages,
      objects: c.objects,
      tailWasteBytes: c.tail_waste,
    })),
  );
});

Deno.test("the table of size classes shows what a class can waste", async () => {
  const { code, out, err } = await runCommand("classes", "--platform", "linux/amd64");
  assertEquals([code, err], [0, ""]);
  const lines = out.split("\n");
  assertEquals(lines[0], "Size classes on linux/amd64: pages of 8,192 bytes");
  assertEquals(lines.length, 3 + 66 + 1);
  // Class 1: seven of eight bytes. Class 4: objects of 33 in slots of 48, 170 a span, and 32 behind.
  assertMatch(lines[3], /^ +1 +8 +1 +1,024 +0 +87\.50 %$/);
  assertMatch(lines[6], /^ +4 +48 +1 +170 +32 +31\.52 %$/);
});
