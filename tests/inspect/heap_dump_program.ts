/**
 * A heap with a bit of everything that a dump can hold, for tests of writing and reading dumps.
 *
 * @module
 */

import { GoHeap, type GoHeapOptions, type GoType, type Pointer, type Ref } from "../../mod.ts";

/** The heap, and what is known of it. */
export interface DumpedProgram extends Disposable {
  readonly heap: GoHeap;
  readonly node: GoType;
  /** A list of nodes from a global variable on: [0] is in the variable. */
  readonly list: readonly Pointer[];
  /** Held by an interface variable, by a frame, by a reference, by a queued finalizer. */
  readonly boxed: Pointer;
  readonly framed: Pointer;
  readonly referred: Pointer;
  readonly queued: Pointer;
  /** Has a finalizer and is in the variable that the list is in, too. */
  readonly finalized: Pointer;
  /** Only its finalizer keeps what it refers to. */
  readonly garbage: Pointer;
}

/** Makes such a heap. */
export function dumpedProgram(options: GoHeapOptions = {}): DumpedProgram {
  const stack = new DisposableStack();
  const heap = stack.use(new GoHeap({ platform: "linux/amd64", ...options }));
  const { types, platform: { pointerBytes: word } } = heap;
  const node = types.struct("main.Node", (self) => ({
    value: types.int,
    next: types.pointer(self),
  }));
  const stringer = types.interface({ String: types.func([], [types.string]) });
  const named = types.named("main.Name", types.int64, {
    methods: { String: types.func([], [types.string]) },
  });
  const list = Array.from({ length: 5 }, () => heap.newobject(node));
  list.forEach((p, i) => heap.storePointer(p + word, list[i + 1] ?? 0));
  const roots = heap.global(types.array(types.pointer(node), 2));
  heap.storePointer(roots, list[0]);

  const any = heap.global(types.struct("main.Vars", {
    count: types.int,
    any: types.interface({}),
    name: stringer,
  }));
  const boxed = heap.newobject(types.array(types.float64, 5));
  heap.storePointer(any + word, types.array(types.float64, 5).address);
  heap.storePointer(any + 2 * word, boxed);
  const name = heap.newobject(named);
  heap.storePointer(any + 3 * word, types.assertE2I(stringer, named).address);
  heap.storePointer(any + 4 * word, name);

  const frame = stack.use(heap.frame(2));
  const framed = heap.newobject(types.array(types.string, 3));
  frame.set(1, framed);
  const referred = heap.newobject(types.struct("main.Large", {
    before: types.array(types.uint64, 4000),
    data: types.unsafePointer,
    behind: types.array(types.uint64, 999),
  }));
  const ref: Ref = stack.use(heap.ref(referred));
  heap.storePointer(ref.pointer + 32_000, heap.rawmem(100));

  const type = types.pointer(node);
  const finalize = (p: Pointer) =>
    heap.SetFinalizer({ type, data: p }, { type: types.func([type]), data: () => {} });
  const queued = heap.newobject(node);
  finalize(queued);
  heap.storePointer(queued + word, heap.newobject(node));
  heap.GC();

  const finalized = heap.newobject(node);
  heap.storePointer(roots + word, finalized);
  finalize(finalized);
  const garbage = heap.newobject(node);
  finalize(garbage);
  heap.storePointer(garbage + word, heap.newobject(node));
  // Two tiny objects in one block, which nobody refers to.
  heap.newobject(types.int8);
  heap.newobject(types.int8);
  return {
    heap,
    node,
    list,
    boxed,
    framed,
    referred,
    queued,
    finalized,
    garbage,
    [Symbol.dispose]: () => stack.dispose(),
  };
}
