/**
 * The programs that are held against each other: what each is made of, how it is built, and how it is
 * run. Each is a process that reads a {@linkcode PeerInput} and prints {@linkcode PeerLine}s.
 *
 * - `go` compiles `go/main.go` with the `go` of the machine and runs it with GOMAXPROCS=1;
 * - `assemblyscript` compiles `assemblyscript/workloads.as` with AssemblyScript from npm;
 * - `v8` and `goheap` are Deno processes with default flags, but for `gc()` in the former.
 *
 * @module
 */

import type { PeerInput, PeerLine } from "../workloads.ts";
import type { PeerName } from "./report.ts";

/** A program that is ready to be run. */
export interface Peer {
  readonly name: PeerName;
  readonly version: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Keeps what Deno says on standard error free of escapes. */
const NO_COLOR = { NO_COLOR: "1" };

const ASSEMBLYSCRIPT = "assemblyscript@0.28.20";

/** Builds what can be built, in `directory`; for the rest, says why not. */
export async function buildPeers(directory: string): Promise<{ peers: Peer[]; leftOut: string[] }> {
  const peers: Peer[] = [];
  const leftOut: string[] = [];
  for (const build of [buildGo, buildV8, buildAssemblyScript, buildGoheap]) {
    const built = await build(directory);
    if (typeof built === "string") leftOut.push(built);
    else peers.push(built);
  }
  return { peers, leftOut };
}

/** What came of running a program: the lines it printed, and what it said if it failed after them. */
export interface Ran {
  readonly lines: readonly PeerLine[];
  readonly error: string | null;
}

/** Runs a program over some workloads. */
export async function runProgram(peer: Peer, input: PeerInput): Promise<Ran> {
  const child = new Deno.Command(peer.command, {
    args: [...peer.args],
    env: peer.env,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  // A program that failed reads nothing; what it says then is worth more than a broken pipe.
  const sent = new Response(JSON.stringify(input)).body!.pipeTo(child.stdin).catch(() => {});
  const { success, stdout, stderr } = await child.output();
  await sent;
  const lines = text(stdout).split("\n").filter((line) => line !== "");
  return {
    lines: lines.map((line) => JSON.parse(line)),
    error: success ? null : errorLine(stderr),
  };
}

async function buildGo(directory: string): Promise<Peer | string> {
  const go = await findGo();
  if (go === null) return "Go: no go on the PATH or in /usr/lib/go-*/bin";
  const version = (await outputOf(go, ["version"])).out.replace("go version ", "");
  const program = `${directory}/go_peer`;
  // Since 1.23 the linker refuses names of the runtime unless it is told not to.
  const minor = Number(/go1\.(\d+)/.exec(version)?.[1] ?? 0);
  const linking = minor >= 23 ? ["-ldflags=-checklinkname=0"] : [];
  const built = await outputOf(go, ["build", ...linking, "-o", program, "."], {
    cwd: here("go/"),
    env: { GO111MODULE: "off", GOCACHE: `${directory}/go_cache`, GOTOOLCHAIN: "local" },
  });
  if (built.error !== null) return `Go: ${version} can't build the program: ${built.error}`;
  const env = { GOMAXPROCS: "1", GOGC: "100" };
  return { name: "go", version: `${version}, GOMAXPROCS=1`, command: program, args: [], env };
}

/** The `go` on the PATH, or the newest of Debian's. */
async function findGo(): Promise<string | null> {
  const candidates = ["go"];
  try {
    const names = [...Deno.readDirSync("/usr/lib")].map(({ name }) => name);
    const versioned = names.filter((name) => /^go-1\.\d+$/.test(name));
    const newestFirst = versioned.sort((a, b) => Number(b.slice(5)) - Number(a.slice(5)));
    candidates.push(...newestFirst.map((name) => `/usr/lib/${name}/bin/go`));
  } catch {
    // A system that has no /usr/lib has no Debian package either.
  }
  for (const candidate of candidates) {
    if ((await outputOf(candidate, ["version"])).error === null) return candidate;
  }
  return null;
}

async function buildAssemblyScript(directory: string): Promise<Peer | string> {
  const wasm = `${directory}/workloads.wasm`;
  const compiler = here("assemblyscript/compile.ts");
  const source = here("assemblyscript/workloads.as");
  const args = ["run", "--allow-all", "--no-lock", compiler, `npm:${ASSEMBLYSCRIPT}`, source, wasm];
  const built = await outputOf(Deno.execPath(), args, { env: NO_COLOR });
  if (built.error !== null) return `AssemblyScript: ${built.error}`;
  return deno("assemblyscript", `${ASSEMBLYSCRIPT}, incremental runtime, -O3`, [
    `--allow-read=${wasm}`,
    here("assemblyscript/program.ts"),
    wasm,
  ]);
}

function buildV8(): Peer {
  const version = `V8 ${Deno.version.v8}`;
  return deno("v8", version, ["--v8-flags=--expose-gc", here("v8.ts")]);
}

function buildGoheap(): Peer {
  return deno("goheap", `Deno ${Deno.version.deno}`, ["--allow-read", here("goheap.ts")]);
}

function deno(name: PeerName, version: string, args: readonly string[]): Peer {
  return { name, version, command: Deno.execPath(), args: ["run", ...args], env: NO_COLOR };
}

function here(file: string): string {
  return decodeURIComponent(new URL(file, import.meta.url).pathname);
}

interface Output {
  readonly out: string;
  /** What went wrong, in one line. */
  readonly error: string | null;
}

async function outputOf(
  command: string,
  args: string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Output> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(command, { args, ...options })
      .output();
    return { out: text(stdout).trim(), error: success ? null : errorLine(stderr) };
  } catch (error) {
    return { out: "", error: error instanceof Error ? error.message : String(error) };
  }
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** The first line that speaks of an error, or else the last one. */
function errorLine(stderr: Uint8Array): string {
  const lines = text(stderr).trim().split("\n");
  return lines.find((line) => /error/i.test(line)) ?? (lines.at(-1) || "failed without a word");
}
