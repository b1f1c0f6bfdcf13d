import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { hasChromium, type Page, withPage } from "../../browser.ts";
import { runCommand, withFile } from "../run_command.ts";
import { EXAMPLE, pageDataIn, type PageOutcome, repTrace, withHtml } from "./read_page.ts";

const IN_CHROMIUM = "(ignored where chromium is not installed)";

/** What would run, or break out of where it stands, if it were taken for anything but a name. */
const HOSTILE = [
  "</script><script>document.title='owned'</script>",
  "<!--<script>",
  "<img src=x onerror=document.title='owned'>",
  "]]>&lt;\\u003c${1}`\u2028",
  "\x1b[2J\u0000",
];

const HOSTILE_TRACE = HOSTILE.map((text, i) =>
  `tracealloc(0x${
    i + 1
  }000, 0x20, ${text})\ngoroutine 1 [running]:\n${text}()\n\t/src/${text}.go:1 +0x1\n\n`
).join("");

/** A whole number as the page writes it. */
function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

Deno.test("a page has no place for what is not its own", async () => {
  await withHtml([EXAMPLE], async ({ html }) => {
    const [, policy] = html.match(/Content-Security-Policy" content="([^"]*)"/) ?? [];
    const sources = policy.split(/[; ]+/);
    assertEquals(sources.slice(0, 2), ["default-src", "'none'"]);
    const hashes = sources.filter((source) => source.startsWith("'sha256-"));
    const names = ["default-src", "'none'", "style-src", "script-src"];
    assertEquals(sources.filter((source) => !hashes.includes(source)), names);
    // All that may run or style is there, and nothing else.
    const inline = [
      ...html.matchAll(/<(?:style|script|script type="module")>([^]*?)<\/(?:style|script)>/g),
    ];
    const found = await Promise.all(inline.map(async ([, text]) => {
      const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
      return `'sha256-${new Uint8Array(digest).toBase64()}'`;
    }));
    assertEquals(found, hashes);
    assertEquals(html.match(/<(script|style|link|img|iframe)\b/g)?.length, hashes.length + 1);
    assertStringIncludes(html, "Copyright (c) 2022 Leon Sorokin");
  });
});

Deno.test("names of a trace are text in the page's data, and end nothing", async () => {
  await withFile(HOSTILE_TRACE, (path) =>
    withHtml([path], ({ html, data }) => {
      assertEquals(data.types.length, HOSTILE.length);
      assertEquals(data.stacks.length, HOSTILE.length);
      const names = data.types.map(({ name }) => name);
      // But for what could drive a terminal.
      const expected = [...HOSTILE.slice(0, 4), "\\x1b[2J\\x00"];
      assertEquals<unknown>(names.toSorted(), expected.toSorted());
      assertEquals(html.includes("<img"), false);
      assertEquals(html.match(/<\/script>/g)?.length, 3);
      assertEquals(pageDataIn(html), data);
    }));
});

Deno.test("a page that cannot be written is an error that names it", async () => {
  const { code, err } = await runCommand("replay", "--html", "no/such/directory.html", EXAMPLE);
  assertEquals([code, err], [
    1,
    "goheap: no/such/directory.html: cannot write: No such file or directory\n",
  ]);
});

Deno.test("a replay that fails writes no page", async () => {
  await withFile("tracefree(0x10, 0x8)\n", async (path) => {
    const { code } = await runCommand("replay", "--html", `${path}.html`, path);
    assertEquals(code, 1);
    assertEquals(await Deno.stat(`${path}.html`).then(() => true, () => false), false);
  });
});

Deno.test("samples and the report are printed beside a page as without one", async () => {
  const withoutPauses = (text: string) => text.replaceAll(/[\d.]+ ms paused|,[\d.]+$/gm, "");
  for (const args of [[EXAMPLE], ["--sample-interval", "1000", EXAMPLE]]) {
    const plain = await runCommand("replay", ...args);
    const path = await Deno.makeTempFile();
    const beside = await runCommand("replay", "--html", path, ...args);
    await Deno.remove(path);
    assertEquals([beside.code, beside.err], [0, ""]);
    assertEquals(withoutPauses(beside.out), withoutPauses(plain.out));
  }
});

/** The text of the first element that a selector finds. */
function textOf(page: Page, selector: string): Promise<string> {
  return page.evaluate(`document.querySelector(${JSON.stringify(selector)}).textContent`);
}

/** The texts of all elements that a selector finds. */
function textsOf(page: Page, selector: string): Promise<string[]> {
  const found = `document.querySelectorAll(${JSON.stringify(selector)})`;
  return page.evaluate(`Array.from(${found}, (element) => element.textContent)`);
}

/** Holds what the page shows of a moment against the data. */
async function assertShows(page: Page, { data }: PageOutcome, index: number): Promise<void> {
  const { event, classes, HeapInuse, pages } = data.frames[index];
  const last = data.frames.at(-1)?.event ?? 0;
  assertEquals(await textOf(page, "#event"), `${grouped(event)} of ${grouped(last)}`);
  assertEquals((await textsOf(page, "#classes tbody tr")).length, classes.length);
  assertEquals((await textsOf(page, "#classes tfoot td"))[5], grouped(HeapInuse));
  const inUse = grouped(HeapInuse / data.pageBytes);
  const map = await page.evaluate<string>("document.querySelector('#map').ariaLabel");
  assert(map.startsWith(`Page map: ${inUse} pages in use, `), map);
  assert(map.endsWith(`of ${grouped(pages)}`), map);
}

/** How many different colours a canvas has. */
function coloursOf(page: Page, selector: string): Promise<number> {
  return page.evaluate(`(() => {
    const canvas = document.querySelector(${JSON.stringify(selector)});
    const copy = new OffscreenCanvas(canvas.width, canvas.height);
    const context = copy.getContext("2d", { willReadFrequently: true });
    context.drawImage(canvas, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size;
  })()`);
}

Deno.test({
  name:
    `in a browser a page draws itself, follows its slider, and complains of nothing ${IN_CHROMIUM}`,
  ignore: !hasChromium,
  fn: () =>
    withHtml([EXAMPLE], (outcome) =>
      withPage(outcome.path, async (page) => {
        const { frames, types, stacks, summary } = outcome.data;
        const last = frames.length - 1;
        await assertShows(page, outcome, last);
        const sums = await textsOf(page, "#sum small");
        assertEquals(sums[1], `${grouped(summary.memStats.HeapInuse)} bytes`);
        assertGreater(await coloursOf(page, "#map"), 5);
        assertGreater(await coloursOf(page, "#chart canvas"), 5);

        await page.evaluate("document.querySelector('#frame').focus()");
        for (const [key, index] of [["Home", 0], ["ArrowRight", 1], ["End", last]] as const) {
          await page.press(key);
          await assertShows(page, outcome, index);
        }
        for (let index = last - 1; index > last - 10; index--) {
          await page.press("ArrowLeft");
          await assertShows(page, outcome, index);
        }

        await page.evaluate("document.querySelector('#map').focus()");
        await page.press("ArrowRight");
        assertStringIncludes(await textOf(page, "#cell"), "Page 0 at 0x");

        assertEquals((await textsOf(page, "#types tbody tr")).length, types.length);
        assertEquals((await textsOf(page, "#stacks tbody tr")).length, stacks.length);
        assertStringIncludes(await textOf(page, "#stacks ol"), "bintree");
        await page.evaluate("document.querySelectorAll('#types button')[3].click()");
        const most = Math.max(...types.map(({ live }) => live.objects));
        assertEquals((await textsOf(page, "#types tbody tr:first-child td"))[3], grouped(most));
        const allocated = await textOf(page, "#stacks tfoot td");
        assertEquals(allocated, grouped(summary.allocated.bytes));

        await page.setScheme("dark");
        assertGreater(await coloursOf(page, "#chart canvas"), 5);
        assertEquals(page.complaints, []);
      })),
});

Deno.test({
  name: `in a browser hostile names are shown as what they are, and run nothing ${IN_CHROMIUM}`,
  ignore: !hasChromium,
  fn: () =>
    withFile(
      HOSTILE_TRACE,
      (path) =>
        withHtml([path], (outcome) =>
          withPage(outcome.path, async (page) => {
            const names = await textsOf(page, "#types tbody td.name");
            for (const name of HOSTILE.slice(0, 4)) assertEquals(names.includes(name), true, name);
            assertEquals(await page.evaluate("document.title"), `goheap replay: ${path}`);
            assertEquals(await page.evaluate("document.images.length"), 0);
            assertEquals(page.complaints, []);
          })),
    ),
});

Deno.test({
  name: `in a browser pages of an empty and of a large heap complain of nothing ${IN_CHROMIUM}`,
  ignore: !hasChromium,
  fn: async () => {
    const large = repTrace(3000, (random) => 1 + Math.floor(random * 400_000));
    for (const trace of ["tracegc()\n", large]) {
      await withFile(
        trace,
        (path) =>
          withHtml(["--gogc", "off", path], (outcome) =>
            withPage(outcome.path, async (page) => {
              await assertShows(page, outcome, outcome.data.frames.length - 1);
              assertEquals(page.complaints, []);
            })),
      );
    }
  },
});
