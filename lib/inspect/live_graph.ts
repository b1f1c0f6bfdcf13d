/**
 * The object graph of a live heap.
 *
 * @module
 */

import { GraphBuilder, NO_TYPE } from "./graph_builder.ts";
import type { LiveHeap } from "./live_heap.ts";
import { ObjectGraph } from "./object_graph.ts";

/** Makes the graph. What is not recorded, types, is known only of objects with a finalizer. */
export function liveGraph(heap: LiveHeap): ObjectGraph {
  const builder = new GraphBuilder(heap.pointerBytes);
  const { pointerBytes } = heap;
  heap.forEachObject((address, bytes, span) => {
    heap.forEachPointerWord(address, bytes, span, (word) => builder.masks.add(word));
    const type = heap.typeOf(address);
    builder.object(address, bytes, type === null ? NO_TYPE : builder.typeNumber(type.string));
  });
  heap.forEachObject((address, bytes, span) => {
    builder.nextObject();
    heap.forEachPointerWord(address, bytes, span, (word) => {
      const offset = word * pointerBytes;
      builder.pointer(offset, heap.word(address + offset));
    });
  });
  addRoots(heap, builder);
  addFinalizers(heap, builder);
  return new ObjectGraph(builder.finish());
}

function addRoots(heap: LiveHeap, builder: GraphBuilder): void {
  const { roots } = heap.parts;
  const { pointerBytes } = heap;
  for (const { address, type } of roots.globals) {
    builder.root("global", address, type.string);
    type.pointers.forEach((word) => {
      const offset = word * pointerBytes;
      builder.pointer(offset, heap.systemWord(address + offset));
    });
  }
  for (let slot = 0; slot < roots.stackSlots; slot++) {
    const address = roots.stackBase + slot * pointerBytes;
    builder.root("frame", address, "");
    builder.pointer(0, heap.systemWord(address));
  }
  heap.forEachOtherRoot((kind, p) => {
    builder.root(kind, 0, "");
    builder.pointer(0, p);
  });
}

function addFinalizers(heap: LiveHeap, builder: GraphBuilder): void {
  heap.forEachQueued((object, { object: { elem } }) => {
    builder.root("queued finalizer", object, "");
    builder.pointer(0, object);
    builder.guessType(object, elem!.string);
  });
  heap.forEachFinalizer((object, { object: { elem } }) => {
    builder.root("finalizer", object, "");
    builder.finalizer(object);
    builder.guessType(object, elem!.string);
  });
}
