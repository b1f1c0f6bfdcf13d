/**
 * The page of a replay: one file of HTML that needs nothing else, and may load nothing else.
 *
 * ```
 *  ┌ head ── policy: no source but the style and the three scripts below, by their hashes
 *  │         style of the chart library, style of the page
 *  ├ body ── page.html, empty
 *  ├ data ── JSON, which is not run                      <  written as \u003c
 *  ├ chart library
 *  └ page.js: reads the data, fills the page
 * ```
 *
 * The chart library is uPlot, 50 KB. Its text and the page's own reach this module by imports of type text,
 * so that they are in the module graph: they need no network and no permission at run time, and are inside of what
 * `deno bundle` and `deno compile` write.
 *
 * Names in a trace are not to be trusted. They are in the data only, in which no tag can end; the script
 * puts them on the page as text; and were one of them a script all the same, the policy would not run it.
 *
 * @module
 */

import chartLicense from "uplot/LICENSE" with { type: "text" };
import chartScript from "uplot/dist/uPlot.iife.min.js" with { type: "text" };
import chartStyle from "uplot/dist/uPlot.min.css" with { type: "text" };
import body from "./page.html" with { type: "text" };
import pageScript from "./page.js" with { type: "text" };
import pageStyle from "./page.css" with { type: "text" };
import type { PageData } from "./page_data.ts";

/** The page that shows `data`. */
export async function htmlPage(data: PageData): Promise<string> {
  const style = `\n${chartStyle}\n${pageStyle}`;
  const library = `\n/*\n${chartLicense.trim()}\n*/\n${chartScript}\n`;
  const script = `\n${pageScript}`;
  const [styleHash, ...scriptHashes] = await Promise.all([style, library, script].map(sourceHash));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src ${styleHash}; ${""}script-src ${
    scriptHashes.join(" ")
  }">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>goheap replay: ${escapeHtml(data.summary.trace)}</title>
<style>${style}</style>
</head>
<body>
${body}
<script type="application/json" id="data">${inScript(JSON.stringify(data))}</script>
<script>${library}</script>
<script type="module">${script}</script>
</body>
</html>
`;
}

/** What a policy calls an inline source. */
async function sourceHash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `'sha256-${new Uint8Array(digest).toBase64()}'`;
}

/** JSON such that nothing in it ends a script element, or begins a comment in one. */
function inScript(json: string): string {
  return json.replaceAll("<", "\\u003c");
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
