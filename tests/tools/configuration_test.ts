import { assertEquals } from "@std/assert";
import linked from "../../deno.json" with { type: "json" };
import unlinked from "../../deno.jsr.json" with { type: "json" };

Deno.test("deno.jsr.json says what deno.json says, but for the links", () => {
  const { links: _, ...rest } = linked;
  const common = Object.entries(rest).filter(([key]) => Object.hasOwn(unlinked, key));
  assertEquals<unknown>(unlinked, Object.fromEntries(common));
});
