/**
 * This project's own process among the peers.
 *
 * @module
 */

import { prepareHeap } from "../heap_workloads.ts";
import { runPeer } from "../measure.ts";

await runPeer(prepareHeap);
