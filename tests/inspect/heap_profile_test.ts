import { assert, assertEquals, assertMatch } from "@std/assert";
import { gunzipSync } from "node:zlib";
import { Profile } from "pprof-format";
import { estimate } from "../../lib/inspect/heap_profile_proto.ts";
import {
  FlagNoScan,
  GoHeap,
  heapProfileProto,
  heapProfileText,
  type MemProfile,
  type MemProfileRecord,
  type MemStats,
  type ProfileFrame,
} from "../../mod.ts";

const DATA = new URL("../data/heap_profiles/", import.meta.url);
/** Profiles that Go 1.4.3 wrote. */
const GO_PROFILES = ["bintree14", "bintree8.rate1", "json.rate1"];

async function goProfile(name: string): Promise<string> {
  const bytes = await Deno.readFile(new URL(`${name}.heap.txt.gz`, DATA));
  return new TextDecoder().decode(gunzipSync(bytes));
}

/** Reads a profile that Go wrote. A frame that it does not show is one of the runtime's. */
function parseGoProfile(text: string): MemProfile {
  const rate = Number(/@ heap\/(\d+)/.exec(text)![1]) / 2;
  const records = [...text.matchAll(/^(\d+): (\d+) \[(\d+): (\d+)\] @(.*)\n((?:#\t.*\n)*)\n/gm)]
    .map(([, ...fields]) => parseRecord(fields));
  const figures = [...text.matchAll(/^# (\w+) = (.*)$/gm)]
    .map(([, name, value]) => [name, value] as const);
  return { rate, records, timeMs: 0, memStats: parseMemStats(new Map(figures)) };
}

function parseRecord([objects, bytes, allocs, allocBytes, pcs, symbols]: string[]) {
  const inuse = { inuseObjects: Number(objects), inuseBytes: Number(bytes) };
  const allocated = { allocObjects: Number(allocs), allocBytes: Number(allocBytes) };
  const shown = new Map<number, ProfileFrame>();
  for (
    const [, pc, name, offset, file, line] of symbols.matchAll(
      /^#\t0x([0-9a-f]+)\t+(.+)\+0x([0-9a-f]+)\t+(.*):(\d+)$/gm,
    )
  ) {
    shown.set(parseInt(pc, 16), {
      function: name,
      file,
      line: Number(line),
      column: 0,
      pc: parseInt(pc, 16),
      offset: parseInt(offset, 16),
    });
  }
  const stack = pcs.trim().split(" ").map((text) => {
    const pc = parseInt(text, 16);
    const hidden = { function: "runtime.goexit", file: "x.s", line: 1, column: 0, pc, offset: 0 };
    return shown.get(pc) ?? hidden;
  });
  return {
    ...inuse,
    ...allocated,
    blockBytes: allocated.allocBytes / allocated.allocObjects,
    freeObjects: allocated.allocObjects - inuse.inuseObjects,
    freeBytes: allocated.allocBytes - inuse.inuseBytes,
    stack,
  };
}

function parseMemStats(figures: ReadonlyMap<string, string>): MemStats {
  const known: Record<string, unknown> = {};
  for (const [name, value] of figures) {
    if (value.includes("/")) {
      [known[`${name}Inuse`], known[`${name}Sys`]] = value.split(" / ").map(Number);
    } else if (name === "PauseNs") {
      known[name] = value.slice(1, -1).split(" ").map(Number);
    } else {
      known[name] = /^\d+$/.test(value) ? Number(value) : value === "true";
    }
  }
  return known as unknown as MemStats;
}

for (const name of GO_PROFILES) {
  Deno.test(`a profile of Go's is written as Go wrote it: ${name}`, async () => {
    const text = await goProfile(name);
    assertEquals(heapProfileText(parseGoProfile(text)), text);
  });
}

/** What Go's buckets take for the records of a profile. */
function bucketBytes(records: readonly MemProfileRecord[]): number {
  return 8 * (179999 + records.reduce((words, { stack }) => words + 18 + stack.length, 0));
}

Deno.test("Go's buckets take what a heap's count as", async () => {
  const { records, memStats } = parseGoProfile(await goProfile("bintree14"));
  assertEquals(bucketBytes(records), memStats.BuckHashSys);
});

/** A heap with some sampled blocks in it, and garbage. */
function usedHeap(rate: number): GoHeap {
  const heap = new GoHeap({ platform: "linux/amd64", memProfileRate: rate, collect: "malloc" });
  const table = heap.global(heap.types.array(heap.types.unsafePointer, 1000));
  function keepSmall(i: number) {
    heap.storePointer(table + 8 * i, heap.mallocgc(16 + i, null, FlagNoScan));
  }
  function keepLarge() {
    heap.storePointer(table, heap.rawmem(2_200_000_000));
  }
  function drop() {
    for (let i = 0; i < 5000; i++) heap.rawmem(64);
  }
  for (let i = 1; i < 1000; i++) keepSmall(i);
  drop();
  keepLarge();
  heap.GC();
  return heap;
}

Deno.test("without debug there are only figures", () => {
  using heap = usedHeap(1);
  const profile = heap.memProfile();
  const lines = heapProfileText(profile, 0).trimEnd().split("\n");
  assertEquals(lines.length, 1 + profile.records.length);
  const shown = heapProfileText(profile).split("\n").filter((line) => /^\d+:/.test(line));
  assertEquals(lines.slice(1), shown);
});

Deno.test("columns are aligned with tabs, eight to a stop", () => {
  const frame = (name: string, pc: number) => ({
    function: name,
    file: "a.ts",
    line: 1,
    column: 1,
    pc,
    offset: 16,
  });
  const stack = [frame("f", 0x1000010), frame("abc", 0x10), frame("abcd", 0x10)];
  const figures = {
    blockBytes: 8,
    allocObjects: 1,
    allocBytes: 8,
    freeObjects: 0,
    freeBytes: 0,
    inuseObjects: 1,
    inuseBytes: 8,
  };
  using heap = new GoHeap();
  const profile = { ...heap.memProfile(), rate: 1, records: [{ ...figures, stack }] };
  assertEquals(heapProfileText(profile).split("\n").slice(2, 5), [
    "#\t0x1000010\tf+0x10\t\ta.ts:1",
    "#\t0x10\t\tabc+0x10\ta.ts:1",
    "#\t0x10\t\tabcd+0x10\ta.ts:1",
  ]);
});

Deno.test("a profile.proto says what the profile says", () => {
  using heap = usedHeap(1);
  const profile = heap.memProfile();
  const proto = Profile.decode(gunzipSync(heapProfileProto(profile)));
  const text = (at: number | bigint) => proto.stringTable.strings[Number(at)];
  assertEquals(proto.sampleType.map(({ type, unit }) => `${text(type)}/${text(unit)}`), [
    "alloc_objects/count",
    "alloc_space/bytes",
    "inuse_objects/count",
    "inuse_space/bytes",
  ]);
  assertEquals(text(proto.defaultSampleType), "inuse_space");
  assertEquals([text(proto.periodType!.type), text(proto.periodType!.unit)], ["space", "bytes"]);
  assertEquals(Number(proto.period), 1);
  assertEquals(BigInt(proto.timeNanos), BigInt(profile.timeMs) * 1_000_000n);
  const functions = new Map(proto.function.map((f) => [Number(f.id), f]));
  const locations = new Map(proto.location.map((location) => [Number(location.id), location]));
  const samples = proto.sample.map(({ value, locationId, label }) => ({
    value: value.map(Number),
    bytes: label.map(({ key, num }) => [text(key), Number(num)]),
    stack: locationId.map((id) => {
      const { address, line: [{ functionId, line }] } = locations.get(Number(id))!;
      const { name, filename } = functions.get(Number(functionId))!;
      return [text(name), text(filename), Number(line), Number(address)];
    }),
  }));
  assertEquals(
    samples,
    profile.records.map((r) => ({
      value: [r.allocObjects, r.allocBytes, r.inuseObjects, r.inuseBytes],
      bytes: [["bytes", r.blockBytes]],
      stack: r.stack.map(({ function: name, file, line, pc }) => [name, file, line, pc - 1]),
    })),
  );
});

Deno.test("estimates are what a sample stands for", () => {
  assertEquals(estimate(3, 64, 1), { objects: 3, bytes: 192 });
  assertEquals(estimate(0, 64, 524288), { objects: 0, bytes: 0 });
  assertEquals(estimate(1, 64, 524288), { objects: 8192, bytes: 524320 });
  assertEquals(estimate(100, 524288, 524288).objects, 158);
  assertEquals(estimate(2, 2 ** 40, 524288), { objects: 2, bytes: 2 ** 41 });
});

const go = ["go", "/usr/lib/go-1.19/bin/go", "/usr/local/go/bin/go"].find((path) => {
  try {
    return new Deno.Command(path, { args: ["version"] }).outputSync().success;
  } catch {
    return false;
  }
});

/** Runs `go tool pprof`, which must go well, and returns what it prints. */
async function pprof(...args: string[]): Promise<string> {
  const home = await Deno.makeTempDir();
  try {
    const command = new Deno.Command(go!, {
      args: ["tool", "pprof", ...args],
      env: { HOME: home, PPROF_TMPDIR: home },
    });
    const { success, stdout, stderr } = await command.output();
    assert(success, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

/** The figures of the samples that `pprof -raw` prints, with the sizes of their blocks. */
function rawSamples(raw: string): string[] {
  return [...raw.matchAll(/^ +((?:\d+ +)*\d+): [\d ]*\n +bytes:\[(\d+)\]/gm)]
    .map(([, values, bytes]) => `${bytes}: ${values.replaceAll(/ +/g, " ")}`);
}

Deno.test({
  name: "go tool pprof reads both forms, and estimates what the proto says (needs go)",
  ignore: go === undefined,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      for (const rate of [1, 4096]) {
        using heap = usedHeap(rate);
        const profile = heap.memProfile();
        await Deno.writeTextFile(`${folder}/heap.txt`, heapProfileText(profile));
        await Deno.writeFile(`${folder}/heap.pb.gz`, heapProfileProto(profile));
        const fromText = await pprof("-raw", `${folder}/heap.txt`);
        const fromProto = await pprof("-raw", `${folder}/heap.pb.gz`);
        assertMatch(fromText, new RegExp(`^PeriodType: space bytes\nPeriod: ${rate}\n`));
        assertMatch(fromProto, new RegExp(`^PeriodType: space bytes\nPeriod: ${rate}\n`));
        assertMatch(fromProto, /inuse_space\/bytes\[dflt\]/);
        assertEquals(rawSamples(fromText).length, profile.records.length);
        assertEquals(rawSamples(fromProto), rawSamples(fromText));
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "go tool pprof tells who holds the memory, by any of the four figures (needs go)",
  ignore: go === undefined,
  async fn() {
    const file = await Deno.makeTempFile({ suffix: ".pb.gz" });
    try {
      using heap = usedHeap(1);
      await Deno.writeFile(file, heapProfileProto(heap.memProfile()));
      const inSpace = await pprof("-top", file);
      assertMatch(inSpace, /^Type: inuse_space$/m);
      assertMatch(inSpace, /keepLarge$/m);
      // Counts, too, are shown with the unit that was asked for.
      const flat = async (index: string, name: string) => {
        const top = await pprof(
          "-top",
          "-nodefraction=0",
          "-unit=B",
          `-sample_index=${index}`,
          file,
        );
        return new RegExp(`^ *([\\d.]+\\S*) .* ${name}$`, "m").exec(top)?.[1];
      };
      assertEquals(await flat("alloc_objects", "drop"), "5000B");
      assertEquals(await flat("alloc_space", "drop"), "320000B");
      assertEquals(await flat("inuse_objects", "drop"), undefined);
      assertEquals(await flat("inuse_objects", "keepSmall"), "999B");
      assertEquals(await flat("inuse_space", "keepLarge"), "2200002560B");
    } finally {
      await Deno.remove(file);
    }
  },
});
