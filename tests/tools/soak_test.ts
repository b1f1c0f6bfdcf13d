import { assert } from "@std/assert";
import { Soak } from "../../tools/soak.ts";

const OPERATIONS = 100_000;

for (const collect of ["safepoint", "malloc"] as const) {
  Deno.test(`the soak runs with collect "${collect}", a little`, async () => {
    using soak = new Soak(collect);
    for (let i = 0; i < 10; i++) {
      soak.run(OPERATIONS / 10);
      await new Promise((resolve) => setTimeout(resolve));
    }
    soak.check();
    await new Promise((resolve) => setTimeout(resolve));
    soak.check();
    assert(soak.finalized > 0, "no finalizer ran");
  });
}
