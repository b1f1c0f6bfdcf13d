/**
 * The data that tests compare with: what real Go did, or would say, kept as gzipped JSON in tests/data.
 *
 * @module
 */

/** Reads tests/data/dumps/`name`.heapdump.gz: a heap dump that a Go 1.4.3 program wrote, decompressed. */
export async function readDump(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = await Deno.open(new URL(`./data/dumps/${name}.heapdump.gz`, import.meta.url));
  return await new Response(file.readable.pipeThrough(new DecompressionStream("gzip"))).bytes();
}

/** Reads tests/data/`name`.gz, as in `readJson("alloc/best_fit.json")`. */
export async function readJson(name: string): Promise<unknown> {
  const file = await Deno.open(new URL(`./data/${name}.gz`, import.meta.url));
  return await new Response(file.readable.pipeThrough(new DecompressionStream("gzip"))).json();
}
