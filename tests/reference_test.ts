import { assertSame } from "./conformance/differences.ts";
import { expandRuns, type Script } from "./conformance/script.ts";
import { readJson } from "./data.ts";
import { ReferenceRun } from "./reference/run.ts";

const SCRIPTS = new URL("./data/alloc/", import.meta.url);

for (const { name } of [...Deno.readDirSync(SCRIPTS)].sort((a, b) => a.name < b.name ? -1 : 1)) {
  const script = await readJson(`alloc/${name.replace(/\.gz$/, "")}`) as Script;
  Deno.test(`the reference does as Go did (${script.name})`, () => {
    const run = new ReferenceRun(script, script.freelists_recorded);
    script.ops.forEach((op, i) => {
      const { freed, spans, ...rest } = script.expect[i] ?? {};
      const expected = {
        ...rest,
        ...freed && { freed: expandRuns(freed) },
        ...spans && {
          spans: spans.map((span) =>
            span.freelist ? { ...span, freelist: expandRuns(span.freelist) } : span
          ),
        },
      };
      assertSame(run.step(op) ?? {}, expected, `operation ${i}: ${JSON.stringify(op)}`);
    });
  });
}
