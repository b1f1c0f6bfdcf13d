import { assert, assertEquals, assertThrows } from "@std/assert";
import { NUM_GC } from "../lib/arena/stats.ts";
import { partsOf } from "../lib/go_heap.ts";
import { PAGE_BYTES } from "../lib/platform/platform.ts";
import {
  CHAIN_HEAD,
  CLASS,
  DEAD,
  FREE_BLOCKS,
  nonemptyList,
  STATE,
  SWEEPGEN,
} from "../lib/spans/span_record.ts";
import { FlagNoScan, GoHeap, type GoHeapOptions, GoThrow, type Pointer } from "../mod.ts";
import { RefusingAddressSpace } from "./refusing_address_space.ts";

const OPTIONS = { platform: "linux/amd64" } as const;
const DEADLOCK = "malloc deadlock";

/** Every method that needs the allocator, called as a program would. */
const CALLS: Record<string, (heap: GoHeap, p: Pointer) => unknown> = {
  mallocgc: (heap) => heap.mallocgc(100, null, FlagNoScan),
  "mallocgc of a tiny object": (heap) => heap.mallocgc(1, null, FlagNoScan),
  "mallocgc of a large object": (heap) => heap.mallocgc(100000, null, FlagNoScan),
  newobject: (heap) => heap.newobject(heap.types.unsafePointer),
  "newobject of a tiny object": (heap) => heap.newobject(heap.types.int8),
  newarray: (heap) => heap.newarray(heap.types.string, 3),
  rawmem: (heap) => heap.rawmem(1000),
  persistentalloc: (heap) => heap.persistentalloc(8, 8, "gc_sys"),
  findObject: (heap, p) => heap.findObject(p),
  mlookup: (heap, p) => heap.mlookup(p),
  SetGCPercent: (heap) => heap.SetGCPercent(50),
  FreeOSMemory: (heap) => heap.FreeOSMemory(),
  SetFinalizer: (heap, p) =>
    heap.SetFinalizer({ type: heap.types.pointer(heap.types.unsafePointer), data: p }, null),
  runFinalizers: (heap) => heap.runFinalizers(),
  global: (heap) => heap.global(heap.types.int),
  frame: (heap) => heap.frame(1),
  ref: (heap, p) => heap.ref(p),
  ReadMemStats: (heap) => heap.ReadMemStats(),
  verify: (heap) => heap.verify(),
  snapshot: (heap) => heap.snapshot(),
  objectGraph: (heap) => heap.objectGraph(),
  writeHeapDump: (heap) => heap.writeHeapDump(),
};
const COLLECTIONS: Record<string, (heap: GoHeap) => unknown> = {
  GC: (heap) => heap.GC(),
  gogc: (heap) => heap.gogc(1),
  safepoint: (heap) => heap.safepoint(),
};

/** A heap whose hook, one of several, is `hook` while it is armed, and what has the hook called. */
const HOOKS: Record<
  string,
  { options: (hook: () => void) => GoHeapOptions; call: (heap: GoHeap) => void }
> = {
  "the trace of a collection": {
    options: (trace) => ({ debug: "gctrace=1", trace }),
    call: (heap) => heap.GC(),
  },
  "the trace of an allocation": {
    options: (trace) => ({ debug: "allocfreetrace=1", trace }),
    call: (heap) => void heap.newobject(heap.types.unsafePointer),
  },
  "the trace of a block that is freed": {
    options: (trace) => ({ debug: "allocfreetrace=1", trace }),
    call: (heap) => heap.GC(),
  },
  "the trace of scavenging": {
    options: (trace) => ({ debug: "gctrace=1", trace }),
    call: (heap) => heap.FreeOSMemory(),
  },
  "the clock": {
    options: (tick) => ({ clock: () => (tick(), 1e9) }),
    call: (heap) => heap.safepoint(),
  },
  racemalloc: {
    options: (racemalloc) => ({ race: { racemalloc, racefingo() {} } }),
    call: (heap) => void heap.newobject(heap.types.unsafePointer),
  },
  racefingo: {
    options: (racefingo) => ({ race: { racemalloc() {}, racefingo } }),
    call: (heap) => {
      const { types } = heap;
      const type = types.pointer(types.unsafePointer);
      const data = heap.newobject(types.unsafePointer);
      heap.SetFinalizer({ type, data }, { type: types.func([type], []), data: () => {} });
      heap.GC();
      heap.runFinalizers();
    },
  },
};

for (const [where, { options, call }] of Object.entries(HOOKS)) {
  Deno.test(`malloc deadlock: ${where} cannot call the heap that calls it`, () => {
    let armed: (() => void) | null = null;
    using heap = new GoHeap({ ...OPTIONS, ...options(() => armed?.()) });
    using kept = heap.ref(heap.newarray(heap.types.unsafePointer, 4));
    for (let i = 0; i < 100; i++) heap.rawmem(i);
    let calls = 0;
    for (const [name, forbidden] of Object.entries(CALLS)) {
      armed = () => {
        calls++;
        assertThrows(() => forbidden(heap, kept.pointer), GoThrow, DEADLOCK, name);
      };
      call(heap);
      armed = null;
      heap.verify();
    }
    for (const [name, leftOut] of Object.entries(COLLECTIONS)) {
      let before = -1;
      armed = () => {
        calls++;
        before = partsOf(heap).stats[NUM_GC];
        leftOut(heap);
        assertEquals(partsOf(heap).stats[NUM_GC], before, name);
      };
      call(heap);
      armed = null;
      heap.verify();
    }
    armed = () => {
      calls++;
      assertThrows(() => heap[Symbol.dispose](), GoThrow, DEADLOCK);
      heap.storePointer(kept.pointer, kept.pointer);
      assertEquals(heap.loadPointer(kept.pointer), kept.pointer);
    };
    call(heap);
    armed = null;
    assert(calls >= Object.keys(CALLS).length + Object.keys(COLLECTIONS).length + 1, "no hook ran");
    heap.GC();
    heap.verify();
  });
}

Deno.test("what a hook throws is reported as an uncaught error, and the heap goes on", () => {
  const reported: string[] = [];
  const listener = (event: ErrorEvent) => {
    event.preventDefault();
    reported.push(event.error.message);
  };
  globalThis.addEventListener("error", listener);
  try {
    let isArmed = true;
    const throwing = (what: string) => {
      if (isArmed) throw new Error(what);
    };
    using heap = new GoHeap({
      ...OPTIONS,
      debug: "allocfreetrace=1,gctrace=1",
      trace: () => throwing("trace"),
      clock: () => (throwing("clock"), 1000),
      race: { racemalloc: () => throwing("racemalloc"), racefingo() {} },
    });
    const p = heap.mallocgc(100, null, FlagNoScan);
    assertEquals(heap.findObject(p)?.base, p);
    heap.GC();
    isArmed = false;
    heap.verify();
    assertEquals(heap.ReadMemStats().HeapObjects, 0);
    assertEquals([...new Set(reported)].toSorted(), ["clock", "racemalloc", "trace"]);
  } finally {
    globalThis.removeEventListener("error", listener);
  }
});

Deno.test("an address space that calls the heap which asks it gets an error, not an endless wait", () => {
  using space = new RefusingAddressSpace();
  using heap = new GoHeap({ ...OPTIONS, addressSpace: space });
  const messages: string[] = [];
  for (const [name, call] of Object.entries(CALLS)) {
    space.onRequest = () => {
      // The call may ask for memory in its turn.
      space.onRequest = () => {};
      try {
        call(heap, 0);
      } catch (error) {
        assert(error instanceof GoThrow, `${name}: ${error}`);
        messages.push(error.message);
      }
    };
    heap.rawmem(1 << 20);
    space.onRequest = () => {};
    heap.verify();
  }
  assert(messages.some((message) => message.includes("deadlock: lock held by this thread")));
});

/** Ways to break a heap from inside, and the words that its next collection or allocation finds for it. */
const BREAKS: Record<string, { words: string; break: (heap: GoHeap) => void }> = {
  "a free list that counts wrong": {
    words: "blocks linked, not",
    break: (heap) => {
      const { spans } = partsOf(heap);
      const span = chainedSpan(heap);
      spans.ints[span + CHAIN_HEAD] = 0;
    },
  },
  "a free list that links to where no block is": {
    words: "links to 0x",
    break: (heap) => {
      const { spans, arena } = partsOf(heap);
      const span = chainedSpan(heap);
      const start = heap.snapshot().spans.findIndex((each) => each.state === "inuse");
      const head = spans.ints[span + CHAIN_HEAD] - 1;
      heap.storeBig64(arena.pageAddress(start) + head * 1024, 12345n);
    },
  },
  "a span that is swept in a wrong state": {
    words: "MSpan_Sweep: bad span state",
    break: (heap) => {
      const { spans: { ints } } = partsOf(heap);
      const span = spanOf(heap);
      ints[span + SWEEPGEN] -= 2;
      ints[span + STATE] = DEAD;
    },
  },
  "a span without the free block that it promised": {
    words: "MCentral_CacheSpan - no free block",
    break: (heap) => {
      heap.GC();
      const { spans } = partsOf(heap);
      const span = spanOf(heap);
      assertEquals(spans.ints[nonemptyList(spans.ints[span + CLASS])], span);
      spans.ints[span + FREE_BLOCKS] = 0;
    },
  },
};

/** A span of 1024-byte blocks that is in use. */
function spanOf(heap: GoHeap): number {
  const { arena } = partsOf(heap);
  const found = heap.snapshot().spans.find((span) => span.state === "inuse" && span.npages === 1)!;
  return arena.pageSpan[found.page];
}

/** The same, with a chain in its free list. */
function chainedSpan(heap: GoHeap): number {
  const span = spanOf(heap);
  assert(partsOf(heap).spans.ints[span + CHAIN_HEAD] !== 0, "there is no chain");
  return span;
}

/** A heap with one span of 1024-byte blocks, in which some are in use and others were freed in two collections. */
function makeHeap(options: GoHeapOptions = {}): { heap: GoHeap; kept: Pointer } {
  const heap = new GoHeap({ ...OPTIONS, ...options });
  const table = heap.global(heap.types.array(heap.types.unsafePointer, 8));
  const blocks = Array.from({ length: 8 }, () => heap.mallocgc(1024, null, FlagNoScan));
  assertEquals(blocks[7] - blocks[0], PAGE_BYTES - 1024);
  blocks.forEach((p, i) => heap.storePointer(table + 8 * i, p));
  heap.storePointer(table + 8, 0);
  heap.storePointer(table + 8 * 5, 0);
  heap.GC();
  heap.storePointer(table + 8 * 3, 0);
  heap.GC();
  heap.verify();
  return { heap, kept: blocks[0] };
}

for (const [what, { words, break: breakHeap }] of Object.entries(BREAKS)) {
  Deno.test(`a heap that finds ${what} refuses further work, and says so`, () => {
    const { heap, kept } = makeHeap();
    using _ = heap;
    heap.storeInt32(kept, 4711);
    breakHeap(heap);
    // The thread's cache holds blocks that could be handed out without a look at anything.
    for (const size of [1, 8, 100]) heap.mallocgc(size, null, FlagNoScan);
    heap.newobject(heap.types.unsafePointer);
    const found = assertThrows(
      () => {
        heap.mallocgc(1024, null, FlagNoScan);
        heap.GC();
      },
      GoThrow,
      words,
    );
    const refusal = `Cannot use heap: it was found to be corrupted: ${found.message}`;
    for (const [name, call] of Object.entries({ ...CALLS, ...COLLECTIONS })) {
      assertThrows(() => call(heap, kept), GoThrow, refusal, name);
    }
    assertEquals(heap.loadInt32(kept), 4711, "what it holds can still be saved");
    heap[Symbol.dispose]();
    assertThrows(() => heap.rawmem(1000), GoThrow, "Cannot use heap: it was disposed of");
  });
}

Deno.test("a collection that meets an invalid pointer is given up, and the heap is not taken for corrupted", () => {
  using heap = new GoHeap(OPTIONS);
  const { types } = heap;
  const root = heap.global(types.unsafePointer);
  const p = heap.newobject(types.unsafePointer);
  heap.storePointer(root, p);
  heap.storePointer(p, 123);
  for (let i = 0; i < 2; i++) {
    assertThrows(() => heap.GC(), GoThrow, "found invalid heap pointer");
    heap.verify();
  }
  heap.storePointer(p, 0);
  heap.GC();
  heap.verify();
  assertEquals(heap.ReadMemStats().HeapObjects, 1);
});
