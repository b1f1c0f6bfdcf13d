/**
 * What a trace says in sum: objects and bytes allocated, freed and live, by size class and by type.
 *
 * All of it is counted record by record in typed arrays, indexed by the number of the class (0 stands
 * for large objects) or of the type, so that it takes the same memory for any length of trace.
 *
 * @module
 */

import { PAGE_BYTES } from "../platform/platform.ts";
import {
  CLASS_TO_SIZE,
  MAX_SMALL_BYTES,
  NUM_SIZE_CLASSES,
  sizeToClass,
} from "../spans/size_classes.ts";
import { MAX_NAMES } from "./name_table.ts";

/** A number of objects and the bytes they have together. */
export interface Tally {
  /** How many there are. */
  objects: number;
  /** Their bytes. */
  bytes: number;
}

/** What was allocated, and what of it is live, in each of several groups. */
export class GroupTotals {
  readonly #allocatedObjects: Float64Array;
  readonly #allocatedBytes: Float64Array;
  readonly #liveObjects: Float64Array;
  readonly #liveBytes: Float64Array;

  /** Makes totals of 0 for groups 0 to `groups - 1`. */
  constructor(groups: number) {
    this.#allocatedObjects = new Float64Array(groups);
    this.#allocatedBytes = new Float64Array(groups);
    this.#liveObjects = new Float64Array(groups);
    this.#liveBytes = new Float64Array(groups);
  }

  /** Counts an allocation. */
  add(group: number, bytes: number): void {
    this.#allocatedObjects[group]++;
    this.#allocatedBytes[group] += bytes;
    this.#liveObjects[group]++;
    this.#liveBytes[group] += bytes;
  }

  /** Counts a free. */
  remove(group: number, bytes: number): void {
    this.#liveObjects[group]--;
    this.#liveBytes[group] -= bytes;
  }

  /** All that was ever allocated in a group. */
  allocated(group: number): Tally {
    return { objects: this.#allocatedObjects[group], bytes: this.#allocatedBytes[group] };
  }

  /** What is still live in a group. */
  live(group: number): Tally {
    return { objects: this.#liveObjects[group], bytes: this.#liveBytes[group] };
  }
}

/** The totals of a whole trace. */
export class TraceTotals {
  /** Everything that was allocated. */
  readonly allocated: Tally = { objects: 0, bytes: 0 };
  /** Everything that was freed. */
  readonly freed: Tally = { objects: 0, bytes: 0 };
  /** The most that was live at one time: the largest number of bytes, and the objects these were. */
  readonly peak: Tally = { objects: 0, bytes: 0 };
  /** Totals by size class. */
  readonly byClass: GroupTotals = new GroupTotals(NUM_SIZE_CLASSES);
  /** By size class, the bytes that live objects leave unused in their blocks. */
  readonly slotWasteBytes: Float64Array = new Float64Array(NUM_SIZE_CLASSES);
  /** Totals by type, the numbers being those of a NameTable. */
  readonly byType: GroupTotals = new GroupTotals(MAX_NAMES + 1);
  /** Collections that the traced program began. */
  collections = 0;

  /** What is allocated and not freed. */
  get live(): Tally {
    return {
      objects: this.allocated.objects - this.freed.objects,
      bytes: this.allocated.bytes - this.freed.bytes,
    };
  }

  /** Counts the allocation of a block. */
  add(bytes: number, type: number): void {
    this.allocated.objects++;
    this.allocated.bytes += bytes;
    const cls = classOf(bytes);
    this.byClass.add(cls, bytes);
    this.slotWasteBytes[cls] += blockBytes(bytes) - bytes;
    this.byType.add(type, bytes);
    const liveBytes = this.allocated.bytes - this.freed.bytes;
    if (liveBytes <= this.peak.bytes) return;
    this.peak.objects = this.allocated.objects - this.freed.objects;
    this.peak.bytes = liveBytes;
  }

  /** Counts the free of a block that was counted by `add`. */
  remove(bytes: number, type: number): void {
    this.freed.objects++;
    this.freed.bytes += bytes;
    const cls = classOf(bytes);
    this.byClass.remove(cls, bytes);
    this.slotWasteBytes[cls] -= blockBytes(bytes) - bytes;
    this.byType.remove(type, bytes);
  }
}

/** The size class of an object of `bytes`, which is not 0; 0 for a large one. */
export function classOf(bytes: number): number {
  return bytes <= MAX_SMALL_BYTES ? sizeToClass(bytes) : 0;
}

/** The bytes that an object of `bytes`, which is not 0, takes: a block of its class, or whole pages. */
export function blockBytes(bytes: number): number {
  const cls = classOf(bytes);
  return cls === 0 ? Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES : CLASS_TO_SIZE[cls];
}
