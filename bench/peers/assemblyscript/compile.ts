/**
 * Compiles AssemblyScript: `compile.ts COMPILER SOURCE WASM`, where COMPILER is `npm:assemblyscript@...`.
 * The compiler is imported by a name that only this process knows, so that nothing else of the
 * project loads it or depends on it.
 *
 * @module
 */

interface Compiler {
  main(
    args: string[],
    host: {
      readFile(name: string): string | null;
      writeFile(name: string, contents: Uint8Array | string): void;
      listFiles(): string[];
    },
  ): Promise<{ error: Error | null; stderr: { toString(): string } }>;
}

const [packageName, sourceFile, wasmFile] = Deno.args;
const { default: compiler }: { default: Compiler } = await import(`${packageName}/asc`);
const source = Deno.readTextFileSync(sourceFile);

const options = ["--runtime", "incremental", "-O3", "--noAssert", "--outFile", "workloads.wasm"];
const { error, stderr } = await compiler.main(["workloads.ts", ...options], {
  readFile: (name) => name === "workloads.ts" ? source : null,
  writeFile: (_name, contents) => Deno.writeFileSync(wasmFile, contents as Uint8Array),
  listFiles: () => [],
});
if (error !== null) {
  console.error(stderr.toString() || error.message);
  Deno.exit(1);
}
