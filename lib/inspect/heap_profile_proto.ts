/**
 * Memory profiles as gzipped protocol buffers, `profile.proto`: what `go tool pprof` and most other viewers of
 * profiles read.
 *
 * A sample stands for as many blocks as it took to be picked. Blocks of n bytes, of which one is sampled after r bytes
 * on average, are picked with a probability of 1 - exp(-n / r), so each counts for the reciprocal of that:
 *
 * ```
 *   rate 524288     64 bytes   1 sample stands for 8192.5 blocks, 524320 bytes
 *               524288 bytes   1.58 blocks
 *   rate 1                     1 block: every one is sampled
 * ```
 *
 * Go's tools estimate in this way when they read a profile as text, so both forms of a profile show the same figures.
 *
 * @module
 */

import { gzipSync } from "node:zlib";
import {
  Function as ProtoFunction,
  Label,
  Line,
  Location,
  Mapping,
  Profile,
  Sample,
  StringTable,
  ValueType,
} from "pprof-format";
import { shownFrames } from "./heap_profile_text.ts";
import type { MemProfile, MemProfileRecord } from "./mem_profile.ts";
import type { ProfileFrame } from "./profile_stacks.ts";

/** The kinds of figures, in the order in which each sample has them. */
const SAMPLE_TYPES = [
  ["alloc_objects", "count"],
  ["alloc_space", "bytes"],
  ["inuse_objects", "count"],
  ["inuse_space", "bytes"],
] as const;
const DEFAULT_SAMPLE_TYPE = "inuse_space";
const MAPPING_ID = 1;

/**
 * Writes a memory profile as a gzipped `profile.proto` with the sample types alloc_objects, alloc_space,
 * inuse_objects and inuse_space, all estimated from the samples; the last one is the default.
 *
 * @example A file for `go tool pprof -top heap.pb.gz`
 * ```ts
 * import { GoHeap, heapProfileProto } from "@goheap/goheap";
 * import { assertEquals } from "@std/assert";
 *
 * using heap = new GoHeap({ memProfileRate: 1 });
 * using object = heap.ref(heap.newobject(heap.types.string));
 * const file: Uint8Array = heapProfileProto(heap.memProfile());
 * assertEquals([...file.subarray(0, 2)], [0x1f, 0x8b]);
 * ```
 */
export function heapProfileProto(profile: MemProfile): Uint8Array<ArrayBuffer> {
  return new Uint8Array(gzipSync(new ProtoWriter().write(profile)));
}

/** How many blocks, and bytes, so many samples of `blockBytes` each stand for. */
export function estimate(
  samples: number,
  blockBytes: number,
  rate: number,
): { objects: number; bytes: number } {
  const scale = rate <= 1 || samples === 0 ? 1 : 1 / (1 - Math.exp(-blockBytes / rate));
  return {
    objects: Math.trunc(samples * scale),
    bytes: Math.trunc(samples * blockBytes * scale),
  };
}

/** Writes one profile; functions and places are numbered as they come. */
class ProtoWriter {
  readonly #strings = new StringTable();
  readonly #functions = new Map<string, ProtoFunction>();
  readonly #locations = new Map<number, Location>();

  write({ records, rate, timeMs }: MemProfile): Uint8Array {
    const strings = this.#strings;
    const valueType = (type: string, unit: string) =>
      new ValueType({ type: strings.dedup(type), unit: strings.dedup(unit) });
    const sampleType = SAMPLE_TYPES.map(([type, unit]) => valueType(type, unit));
    const sample = records.map((record) => this.#sample(record, rate));
    return new Profile({
      sampleType,
      sample,
      // With it pprof does not look for a program to find the names in.
      mapping: [
        new Mapping({
          id: MAPPING_ID,
          hasFunctions: true,
          hasFilenames: true,
          hasLineNumbers: true,
          hasInlineFrames: true,
        }),
      ],
      location: [...this.#locations.values()],
      function: [...this.#functions.values()],
      timeNanos: BigInt(timeMs) * 1_000_000n,
      periodType: valueType("space", "bytes"),
      period: rate,
      defaultSampleType: strings.dedup(DEFAULT_SAMPLE_TYPE),
      stringTable: strings,
    }).encode();
  }

  #sample(record: MemProfileRecord, rate: number): Sample {
    const { blockBytes, allocObjects, inuseObjects } = record;
    const allocated = estimate(allocObjects, blockBytes, rate);
    const inuse = estimate(inuseObjects, blockBytes, rate);
    return new Sample({
      locationId: shownFrames(record.stack).map((frame) => this.#location(frame)),
      value: [allocated.objects, allocated.bytes, inuse.objects, inuse.bytes],
      label: [new Label({ key: this.#strings.dedup("bytes"), num: blockBytes })],
    });
  }

  /** The number of a place; its address is one before what the call returns to, so that it lies in the call. */
  #location(frame: ProfileFrame): number {
    let location = this.#locations.get(frame.pc);
    if (location === undefined) {
      location = new Location({
        id: this.#locations.size + 1,
        mappingId: MAPPING_ID,
        address: frame.pc - 1,
        line: [new Line({ functionId: this.#function(frame), line: frame.line })],
      });
      this.#locations.set(frame.pc, location);
    }
    return Number(location.id);
  }

  #function({ function: name, file }: ProfileFrame): number {
    const key = `${name}\n${file}`;
    let known = this.#functions.get(key);
    if (known === undefined) {
      const nameAt = this.#strings.dedup(name);
      known = new ProtoFunction({
        id: this.#functions.size + 1,
        name: nameAt,
        systemName: nameAt,
        filename: this.#strings.dedup(file),
      });
      this.#functions.set(key, known);
    }
    return Number(known.id);
  }
}
