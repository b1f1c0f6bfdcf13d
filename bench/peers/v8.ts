/**
 * The V8 peer: the workloads as plain objects. Needs `--v8-flags=--expose-gc`.
 *
 * @module
 */

import { runPeer } from "../measure.ts";
import { prepareV8 } from "../v8_workloads.ts";

await runPeer(prepareV8);
