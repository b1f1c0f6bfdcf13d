/**
 * Runs of `goheap tune` in workers, as many at a time as there are processors.
 *
 * ```
 *  this thread                                     worker
 *      │ ── new Worker(this very module) ──────────▶ │ loads
 *      │ ◀──────────────────────────────── "ready" ─ │
 *      │ ── recorded blocks (shared), a setting ───▶ │ runTune
 *      │ ◀──────────────────────────────── result ── │
 *      │ ── the next setting, ... then terminate ──▶ │
 * ```
 *
 * A worker is started from this module's own address. In the bundled command that is the bundle: it loads
 * whole in the worker, and the worker's name tells this module to serve and cli.ts to do nothing. Where no worker can
 * be started (no permission to read the program's own file, say), the runs are done here, one by one; so
 * they are if only one is to run at a time.
 *
 * @module
 */

import type { RecordedBlocks } from "./recording.ts";
import { runTune, type TuneResult, type TuneSetting } from "./tune_run.ts";

/** The name by which a worker knows what it is for. */
const WORKER_NAME = "goheap tune";

interface Task extends TuneSetting {
  readonly recorded: RecordedBlocks;
}

/** What a worker has of the global scope, which is typed as a window's. */
interface WorkerScope {
  readonly name?: string;
  onmessage: ((message: { data: Task }) => void) | null;
  postMessage(message: TuneResult | "ready"): void;
}

/** All runs, in the order of their settings, and the number of workers that did them: 0 if none. */
export interface TuneRuns {
  readonly results: readonly TuneResult[];
  readonly workers: number;
}

/** Whether this thread is a worker of this module, which serves and does nothing else. */
export function isTuneWorker(): boolean {
  return "DedicatedWorkerGlobalScope" in globalThis && workerScope().name === WORKER_NAME;
}

/** Does a run for each setting, at most `jobs` at a time; tells `onDone` how many have ended. */
export async function runAll(
  recorded: RecordedBlocks,
  settings: readonly TuneSetting[],
  jobs: number,
  onDone: (done: number) => void,
): Promise<TuneRuns> {
  const workers = await startWorkers(Math.min(jobs, settings.length));
  const results = new Array<TuneResult>(settings.length);
  let next = 0;
  let done = 0;
  /** Takes settings as long as there are any. */
  const work = async (run: (setting: TuneSetting) => TuneResult | Promise<TuneResult>) => {
    while (next < settings.length) {
      const i = next++;
      results[i] = await run(settings[i]);
      onDone(++done);
    }
  };
  try {
    if (workers.length === 0) await work((setting) => runTune(recorded, setting));
    else await Promise.all(workers.map((worker) => work((s) => runIn(worker, recorded, s))));
  } finally {
    for (const worker of workers) worker.terminate();
  }
  return { results, workers: workers.length };
}

/** Starts `count` workers; none if one would do, or if they can't be started. */
async function startWorkers(count: number): Promise<Worker[]> {
  if (count < 2 || !await mayLoadThisModule()) return [];
  const started = await Promise.allSettled(Array.from({ length: count }, startWorker));
  return started.flatMap((start) => start.status === "fulfilled" ? [start.value] : []);
}

/** Asked first, since a refusal would be printed to standard error. */
async function mayLoadThisModule(): Promise<boolean> {
  const { protocol, pathname } = new URL(import.meta.url);
  if (protocol !== "file:") return true;
  const path = decodeURIComponent(pathname);
  const { state } = await Deno.permissions.query({ name: "read", path });
  return state === "granted";
}

function startWorker(): Promise<Worker> {
  const worker = new Worker(import.meta.url, { type: "module", name: WORKER_NAME });
  const { promise, resolve, reject } = Promise.withResolvers<Worker>();
  worker.onmessage = () => resolve(worker);
  worker.onerror = (event) => {
    event.preventDefault();
    worker.terminate();
    reject(new Error(event.message));
  };
  return promise;
}

function runIn(
  worker: Worker,
  recorded: RecordedBlocks,
  setting: TuneSetting,
): Promise<TuneResult> {
  const { promise, resolve, reject } = Promise.withResolvers<TuneResult>();
  worker.onmessage = ({ data }: MessageEvent<TuneResult>) => resolve(data);
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new Error(event.message));
  };
  const task: Task = { ...setting, recorded };
  worker.postMessage(task);
  return promise;
}

function workerScope(): WorkerScope {
  return globalThis as unknown as WorkerScope;
}

if (isTuneWorker()) {
  const scope = workerScope();
  scope.onmessage = ({ data: { recorded, ...setting } }) => {
    scope.postMessage(runTune(recorded, setting));
  };
  scope.postMessage("ready");
}
