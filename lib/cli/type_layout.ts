/**
 * How a Go type lies in memory: the fields and the padding between them, which words are pointers, the
 * block that a value is allocated in, and the order of fields that wastes least.
 *
 * Sizes and offsets are those of the descriptor that a heap of the platform would make. Whatever is one
 * pointer to the heap is laid out as unsafe.Pointer, so that names behind it need not be known.
 *
 * ```
 *   struct { a int8; b *T; n int16 }                struct { b *T; n int16; a int8 }
 *  ┌─┬───────┬────────┬──┬──────┐                  ┌────────┬──┬─┬─────┐
 *  │a│ 7     │ b      │n │ 6    │ 24 bytes         │ b      │n │a│ 5   │ 16 bytes
 *  └─┴───────┴────────┴──┴──────┘                  └────────┴──┴─┴─────┘
 * ```
 *
 * The best order is by falling alignment. Every size is a multiple of its alignment, so each field then
 * ends where the next one may begin: all padding that is left stands at the end, less than one alignment of
 * it, and no order has less.
 *
 * @module
 */

import { PAGE_BYTES, type Platform } from "../platform/platform.ts";
import {
  CLASS_TO_BLOCKS,
  CLASS_TO_PAGES,
  MAX_SMALL_BYTES,
  TINY_BYTES,
} from "../spans/size_classes.ts";
import type { GoType } from "../types/go_type.ts";
import { TypeTable } from "../types/type_table.ts";
import { UsageError } from "./command.ts";
import { placeIn } from "./go_type_lexer.ts";
import { type FieldNode, type StructNode, type TypeNode, typeText } from "./go_type_node.ts";
import { blockBytes, classOf } from "./trace_totals.ts";

/** How many words of a type are told one by one. */
export const MAX_WORDS = 1024;

/** A stretch of a value; bytes. */
export interface LayoutRow {
  readonly offset: number;
  readonly sizeBytes: number;
  /** What lies there; null for padding. */
  readonly field: FieldLayout | null;
}

/** A field of a struct, or of one in it. */
export interface FieldLayout {
  /** Its name after those of what it lies in: `a.b`, `list[0].n`. */
  readonly path: string;
  readonly type: string;
  readonly alignBytes: number;
  /** Its words, as in `TypeLayout.pointerMask`; empty if it has no pointers. */
  readonly pointerMask: string;
}

/** Where a value of a type is allocated; bytes unless the name says otherwise. */
export interface BlockLayout {
  /** Size class; 0 for a large object, -1 for one that takes no memory. */
  readonly class: number;
  readonly blockBytes: number;
  /** Whether the tiny allocator puts several values into a block. */
  readonly isTiny: boolean;
  /** How many, if nothing else comes between them. */
  readonly valuesPerBlock: number;
  readonly blocksPerSpan: number;
  readonly spanPages: number;
}

/** The layout of a type. */
export interface TypeLayout {
  readonly type: string;
  readonly sizeBytes: number;
  readonly alignBytes: number;
  readonly words: number;
  /** A letter a word, p for a pointer and s for a scalar, of the first {@linkcode MAX_WORDS}. */
  readonly pointerMask: string;
  /** In order, those of structs in it, and of the first element of arrays of structs, behind the whole. */
  readonly rows: readonly LayoutRow[];
  readonly paddingBytes: number;
  readonly block: BlockLayout;
}

/** Lays out types for a platform. */
export class TypeLayouts {
  readonly #source: string;
  readonly #types: TypeTable;

  /** Makes layouts for types that were read from `source`, which messages point into. */
  constructor(platform: Platform, source: string) {
    // The table tells types apart by their addresses; there is nothing at these.
    let made = 0;
    this.#types = new TypeTable(platform, () => ++made * 8);
    this.#source = source;
  }

  /** The layout of a type; throws a `UsageError` if its size depends on a name that is not known. */
  layout(node: TypeNode): TypeLayout {
    const type = this.#described(node);
    const rows: LayoutRow[] = [];
    this.#addRows(rows, node, type, "", 0);
    return {
      type: typeText(node),
      sizeBytes: type.size,
      alignBytes: type.align,
      words: type.words,
      pointerMask: maskText(type, MAX_WORDS),
      rows,
      paddingBytes: this.#padding(node, type),
      block: blockLayout(type),
    };
  }

  /** The type with the fields of every struct in it in the best order; equal fields keep theirs. */
  bestOrder(node: TypeNode): TypeNode {
    if (node.kind === "array") return { ...node, elem: this.bestOrder(node.elem) };
    if (node.kind !== "struct") return node;
    const fields = node.fields
      .map((field): FieldNode => ({ ...field, type: this.bestOrder(field.type) }))
      .map((field) => ({ field, align: this.#descriptor(field.type).align }))
      .sort((a, b) => b.align - a.align)
      .map(({ field }) => field);
    return { kind: "struct", fields };
  }

  /** The descriptor, or what the type table has against the type. */
  #described(node: TypeNode): GoType {
    try {
      return this.#descriptor(node);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new UsageError(`cannot lay out the type: ${error.message}`);
    }
  }

  #descriptor(node: TypeNode): GoType {
    const types = this.#types;
    switch (node.kind) {
      case "basic":
        return this.#basic(node.name);
      case "unknown":
        throw new UsageError(
          `cannot lay out the type: the size of ${node.name} at ${
            placeIn(this.#source, node.at)
          } is not known; behind a pointer it would not matter`,
        );
      case "slice":
        return types.slice(types.uint8);
      case "interface":
        return types.interface({});
      case "array":
        return types.array(this.#descriptor(node.elem), node.length);
      case "struct":
        return this.#struct(node);
      case "pointer":
      case "map":
      case "chan":
      case "func":
        return types.unsafePointer;
    }
  }

  #basic(name: string): GoType {
    const types = this.#types;
    switch (name) {
      case "byte":
        return types.uint8;
      case "rune":
        return types.int32;
      case "unsafe.Pointer":
        return types.unsafePointer;
      case "error":
      case "any":
        return types.interface({});
      default:
        return types[name as "int"];
    }
  }

  /** A struct whose fields have numbers for names: several of a Go struct's may be called `_`. */
  #struct({ fields }: StructNode): GoType {
    const types = fields.map(({ type }, i) => [`f${i}`, this.#descriptor(type)]);
    return this.#types.struct("", Object.fromEntries(types));
  }

  /** Adds what lies in a value at `offset`, if it is a struct or an array of them. */
  #addRows(rows: LayoutRow[], node: TypeNode, type: GoType, path: string, offset: number): void {
    if (node.kind === "array" && node.length > 0) {
      this.#addRows(rows, node.elem, this.#descriptor(node.elem), `${path}[0]`, offset);
    }
    if (node.kind !== "struct") return;
    let end = offset;
    const addPadding = (start: number) => {
      if (start > end) rows.push({ offset: end, sizeBytes: start - end, field: null });
    };
    node.fields.forEach((field, i) => {
      const part = type.fields[i];
      const start = offset + part.offset;
      addPadding(start);
      const fieldPath = path === "" ? field.name : `${path}.${field.name}`;
      rows.push({
        offset: start,
        sizeBytes: part.type.size,
        field: fieldLayout(fieldPath, field, part.type),
      });
      this.#addRows(rows, field.type, part.type, fieldPath, start);
      end = start + part.type.size;
    });
    addPadding(offset + type.size);
  }

  /** Bytes of padding in a value, whatever they are nested in. */
  #padding(node: TypeNode, type: GoType): number {
    if (node.kind === "array") {
      return node.length * this.#padding(node.elem, this.#descriptor(node.elem));
    }
    if (node.kind !== "struct") return 0;
    const own = type.fields.reduce((rest, field) => rest - field.type.size, type.size);
    const inner = node.fields.map((field, i) => this.#padding(field.type, type.fields[i].type));
    return inner.reduce((sum, bytes) => sum + bytes, own);
  }
}

function fieldLayout(path: string, { type }: FieldNode, descriptor: GoType): FieldLayout {
  return {
    path,
    type: typeText(type),
    alignBytes: descriptor.align,
    pointerMask: descriptor.pointerFree ? "" : maskText(descriptor, MAX_WORDS),
  };
}

function maskText({ pointers, words }: GoType, maxWords: number): string {
  const shown = Math.min(words, maxWords);
  return Array.from({ length: shown }, (_, word) => pointers.has(word) ? "p" : "s").join("");
}

/** A block with one value. */
const ALONE = { isTiny: false, valuesPerBlock: 1 } as const;

function blockLayout({ size, pointerFree }: GoType): BlockLayout {
  if (size === 0) {
    return { ...ALONE, class: -1, blockBytes: 0, blocksPerSpan: 0, spanPages: 0 };
  }
  if (size > MAX_SMALL_BYTES) {
    const bytes = blockBytes(size);
    const spanPages = bytes / PAGE_BYTES;
    return { ...ALONE, class: 0, blockBytes: bytes, blocksPerSpan: 1, spanPages };
  }
  const isTiny = pointerFree && size < TINY_BYTES;
  const cls = isTiny ? classOf(TINY_BYTES) : classOf(size);
  return {
    class: cls,
    blockBytes: isTiny ? TINY_BYTES : blockBytes(size),
    isTiny,
    valuesPerBlock: isTiny ? tinyValues(size) : 1,
    blocksPerSpan: CLASS_TO_BLOCKS[cls],
    spanPages: CLASS_TO_PAGES[cls],
  };
}

/** How many values of `size` go into a tiny block, which aligns them as their size suggests. */
function tinyValues(size: number): number {
  const align = size % 8 === 0 ? 8 : size % 4 === 0 ? 4 : size % 2 === 0 ? 2 : 1;
  return Math.floor(TINY_BYTES / (Math.ceil(size / align) * align));
}
