/**
 * Writes a heap dump of a live heap, in the order of Go 1.4's `writeheapdump_m`.
 *
 * What a Go program has and this heap has not is as if it were empty. The rest has these places:
 *
 * ```
 *   global variables   bss segments: stretches of variables that lie close to each other
 *   frames             one frame, "goheap.frames", of goroutine 1, which runs
 *   references         roots of other kinds: "reference", and what only gccgo has
 *   finalizers         without their functions, which are JavaScript's
 *   types              those of the objects, of finalizers, and of what lies in interfaces
 * ```
 *
 * Where the pointers of an object are, the heap's bitmap says. Which of them are interfaces, it does not: that
 * is known of global variables, and of objects whose types are recorded.
 *
 * @module
 */

import type { Pointer } from "../platform/platform.ts";
import { type GoType, Kind } from "../types/go_type.ts";
import { DumpEncoder } from "./heap_dump_encoder.ts";
import { DUMP_MAGIC, FieldKind, MEM_STATS_FIELDS, Tag, TYPES_MAGIC } from "./heap_dump_format.ts";
import type { LiveHeap } from "./live_heap.ts";
import { readMemStats } from "./read_mem_stats.ts";

const LITTLE_ENDIAN = 0;
/** A heap is one thread's. */
const CPUS = 1;
const MAIN_GOROUTINE = 1;
const RUNNING = 2;
/** Variables further apart than this are in different segments. */
const MAX_GAP_BYTES = 4096;

/** The second word of an interface. */
const DATA_WORD = -1;

/** Writes a dump. */
export function heapDump(heap: LiveHeap): Uint8Array<ArrayBuffer> {
  return new HeapDumpWriter(heap).write();
}

class HeapDumpWriter {
  readonly #heap: LiveHeap;
  readonly #out = new DumpEncoder();
  /** Types that were written. */
  readonly #types = new Set<GoType>();

  constructor(heap: LiveHeap) {
    this.#heap = heap;
  }

  write(): Uint8Array<ArrayBuffer> {
    const { parts } = this.#heap;
    // What this takes is counted below.
    parts.profiler.tellAll();
    const memStats = readMemStats(parts);
    this.#out.magic(DUMP_MAGIC);
    this.#writeParams();
    this.#writeItabs();
    this.#heap.forEachObjectBySpan((address, bytes, span) => {
      this.#writeObject(address, bytes, span);
    });
    this.#writeGoroutine();
    this.#out.varints(Tag.OSThread, 0, 0, 0);
    this.#writeGlobals();
    this.#heap.forEachOtherRoot((kind, p) => {
      this.#out.varint(Tag.OtherRoot);
      this.#out.string(kind);
      this.#out.varint(p);
    });
    this.#writeFinalizers();
    this.#out.varint(Tag.MemStats);
    for (const name of MEM_STATS_FIELDS) this.#out.varint(Math.floor(memStats[name]));
    for (const pauseNs of memStats.PauseNs) this.#out.varint(Math.floor(pauseNs));
    this.#out.varint(memStats.NumGC);
    this.#writeProfile();
    this.#out.varint(Tag.End);
    if (this.#heap.knowsTypes) this.#writeRecordedTypes();
    return this.#out.finish();
  }

  #writeParams(): void {
    const { arena } = this.#heap.parts;
    this.#out.varints(Tag.Params, LITTLE_ENDIAN, this.#heap.pointerBytes, arena.start, arena.used);
    this.#out.varint(arena.platform.thechar.charCodeAt(0));
    this.#out.string("");
    this.#out.varint(CPUS);
  }

  #writeItabs(): void {
    const { types } = this.#heap.parts;
    for (const { address, type } of types.itabs) {
      const stored = type.directIface ? type : types.pointer(type);
      this.#writeType(stored);
      this.#out.varints(Tag.Itab, address, stored.address);
    }
  }

  #writeType(type: GoType): void {
    if (this.#types.has(type)) return;
    this.#types.add(type);
    this.#out.varints(Tag.Type, type.address, type.size);
    this.#out.string(type.string);
    this.#out.bool(!type.directIface || !type.pointerFree);
  }

  #writeObject(address: Pointer, bytes: number, span: number): void {
    const { parts: { arena } } = this.#heap;
    const type = this.#heap.typeOf(address);
    const words: number[] = [];
    this.#heap.forEachPointerWord(address, bytes, span, (word) => words.push(word));
    if (type !== null) {
      this.#writeType(type);
      this.#writeInterfaceTypes(type, words, (offset) => this.#heap.word(address + offset));
    }
    this.#out.varints(Tag.Object, address);
    this.#out.contents(arena.viewAt(address, bytes));
    this.#writeFields(0, type, words);
    this.#out.varint(FieldKind.End);
  }

  /** Writes the types that the empty interfaces among the words of a value hold. */
  #writeInterfaceTypes(
    type: GoType,
    words: readonly number[],
    wordAt: (offset: number) => Pointer,
  ): void {
    for (const word of words) {
      const offset = word * this.#heap.pointerBytes;
      if (fieldKind(type, offset) !== FieldKind.EmptyInterface) continue;
      const dynamic = this.#heap.parts.types.typeAt(wordAt(offset));
      if (dynamic !== null) this.#writeType(dynamic);
    }
  }

  /** Writes the fields of a value that begins at `base`: of pointer words, with the interfaces of the type. */
  #writeFields(base: number, type: GoType | null, words: readonly number[]): void {
    for (const word of words) {
      const offset = word * this.#heap.pointerBytes;
      const kind = type === null ? FieldKind.Pointer : fieldKind(type, offset);
      if (kind !== DATA_WORD) this.#out.varints(kind, base + offset);
    }
  }

  #writeGoroutine(): void {
    const { pointerBytes, parts: { roots } } = this.#heap;
    const slots = roots.stackSlots;
    const stackPointer = slots > 0 ? roots.stackBase : 0;
    const out = this.#out;
    out.varints(Tag.Goroutine, 0, stackPointer, MAIN_GOROUTINE, 0, RUNNING, 0, 0, 0);
    out.string("");
    out.varints(0, 0, 0, 0);
    if (slots === 0) return;
    out.varints(Tag.StackFrame, stackPointer, 0, 0);
    out.contents(this.#heap.systemBytes(stackPointer, slots * pointerBytes));
    out.varints(0, 0, 0);
    out.string("goheap.frames");
    for (let slot = 0; slot < slots; slot++) out.varints(FieldKind.Pointer, slot * pointerBytes);
    out.varint(FieldKind.End);
  }

  #writeGlobals(): void {
    const globals = [...this.#heap.parts.roots.globals].sort((a, b) => a.address - b.address);
    for (let first = 0; first < globals.length;) {
      let end = first + 1;
      let to = globals[first].address + globals[first].type.size;
      for (; end < globals.length && globals[end].address <= to + MAX_GAP_BYTES; end++) {
        to = globals[end].address + globals[end].type.size;
      }
      this.#writeSegment(globals.slice(first, end), to);
      first = end;
    }
  }

  #writeSegment(
    globals: readonly { readonly address: Pointer; readonly type: GoType }[],
    to: Pointer,
  ): void {
    const from = globals[0].address;
    const words = globals.map(({ address, type }) => {
      const found: number[] = [];
      type.pointers.forEach((word) => found.push(word));
      this.#writeInterfaceTypes(type, found, (offset) => this.#heap.systemWord(address + offset));
      return found;
    });
    this.#out.varints(Tag.Bss, from);
    this.#out.contents(this.#heap.systemBytes(from, to - from));
    globals.forEach(({ address, type }, i) => this.#writeFields(address - from, type, words[i]));
    this.#out.varint(FieldKind.End);
  }

  #writeFinalizers(): void {
    const writer = (tag: number) => (p: Pointer, types: { parameter: GoType; object: GoType }) => {
      this.#writeType(types.parameter);
      this.#writeType(types.object);
      this.#out.varints(tag, p, 0, 0, types.parameter.address, types.object.address);
    };
    this.#heap.forEachFinalizer(writer(Tag.Finalizer));
    this.#heap.forEachQueued(writer(Tag.QueuedFinalizer));
  }

  #writeProfile(): void {
    const out = this.#out;
    const { profiler } = this.#heap.parts;
    for (const { address, record } of profiler.buckets()) {
      out.varints(Tag.MemProf, address, record.blockBytes, record.stack.length);
      for (const frame of record.stack) {
        out.string(frame.function);
        out.string(frame.file);
        out.varint(frame.line);
      }
      out.varints(record.allocObjects, record.freeObjects);
    }
    for (const { block, bucket } of profiler.samples()) {
      out.varints(Tag.AllocSample, block, bucket);
    }
  }

  #writeRecordedTypes(): void {
    const out = this.#out;
    const numbers = new Map<GoType, number>();
    let objects = 0;
    this.#heap.forEachObject((address) => {
      objects++;
      const type = this.#heap.typeOf(address);
      if (type !== null && !numbers.has(type)) numbers.set(type, numbers.size + 1);
    });
    out.magic(TYPES_MAGIC);
    out.varint(numbers.size);
    for (const { address, string } of numbers.keys()) {
      out.varint(address);
      out.string(string);
    }
    out.varint(objects);
    let before = 0;
    this.#heap.forEachObject((address) => {
      const type = this.#heap.typeOf(address);
      out.varints(address - before, type === null ? 0 : numbers.get(type)!);
      before = address;
    });
  }
}

/** What kind of field is `offset` bytes behind the beginning of values of `type` that follow each other. */
function fieldKind(type: GoType, offset: number): number {
  let inner = type;
  let at = offset % type.size;
  for (;;) {
    if (inner.kind === Kind.Interface) {
      if (at !== 0) return DATA_WORD;
      return inner.methods.length > 0 ? FieldKind.Interface : FieldKind.EmptyInterface;
    }
    if (inner.kind === Kind.Struct) {
      const end = at;
      const field = inner.fields.find(({ offset, type }) => end < offset + type.size)!;
      at -= field.offset;
      inner = field.type;
    } else if (inner.kind === Kind.Array) {
      inner = inner.elem!;
      at %= inner.size;
    } else {
      return FieldKind.Pointer;
    }
  }
}
