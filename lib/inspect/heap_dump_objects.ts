/**
 * The objects of a dump: a table of where in the dump they are. What is in them is not copied.
 *
 * ```
 *   the dump    tag │ address │ length │ contents ...          │ fields ... 0 │ tag ...
 *                                      └ contentsAt              └ fieldsAt
 * ```
 *
 * The table is in the order of the dump, which is by address within each span. By address throughout it is got
 * at through an index, that is made of the ascending stretches: there are about as many as spans.
 *
 * @module
 */

import type { Pointer } from "../platform/platform.ts";
import type { DumpCursor } from "./heap_dump_cursor.ts";
import { FieldKind } from "./heap_dump_format.ts";
import { Float64Column } from "./growable.ts";

/** The table. See the head of the module. */
export class DumpedObjects {
  readonly #addresses = new Float64Column();
  readonly #sizes = new Float64Column();
  readonly #contentsAt = new Float64Column();
  readonly #fieldsAt = new Float64Column();

  /** How many there are. */
  get length(): number {
    return this.#addresses.length;
  }

  /** The address of an object. */
  address(i: number): Pointer {
    return this.#addresses.room[i];
  }

  /** Its bytes. */
  size(i: number): number {
    return this.#sizes.room[i];
  }

  /** Where in the dump its contents are. */
  contentsAt(i: number): number {
    return this.#contentsAt.room[i];
  }

  /** Where in the dump its fields are. */
  fieldsAt(i: number): number {
    return this.#fieldsAt.room[i];
  }

  /** Reads an object, whose tag was read. */
  read(cursor: DumpCursor, pointerBytes: number): void {
    const { at } = cursor;
    const address = cursor.exact("the address of an object");
    const size = cursor.span("an object");
    if (size === 0) cursor.fail("an object of 0 bytes", at);
    if (address + size > Number.MAX_SAFE_INTEGER) {
      cursor.fail(`an object at ${hex(address)}, which ends above 2^53`, at);
    }
    this.#addresses.push(address);
    this.#sizes.push(size);
    this.#contentsAt.push(cursor.at);
    cursor.at += size;
    this.#fieldsAt.push(cursor.at);
    readFields(cursor, size, pointerBytes, () => {});
  }

  /** The objects by address; fails if two lie on each other. */
  sorted(cursor: DumpCursor): Uint32Array {
    const order = this.#order();
    for (let i = 1; i < order.length; i++) {
      const [before, after] = [order[i - 1], order[i]];
      if (this.address(before) + this.size(before) <= this.address(after)) continue;
      const [first, second] = before < after ? [before, after] : [after, before];
      cursor.fail(
        `an object at ${hex(this.address(second))}, where one of ${this.size(first)} bytes ` +
          `at ${hex(this.address(first))} lies`,
        this.contentsAt(second),
      );
    }
    return order;
  }

  #order(): Uint32Array {
    const addresses = this.#addresses.room;
    const stretches: number[] = [];
    for (let i = 0; i < this.length; i++) {
      if (i === 0 || addresses[i] < addresses[i - 1]) stretches.push(i);
    }
    const ends = new Map(stretches.map((first, i) => [first, stretches[i + 1] ?? this.length]));
    stretches.sort((a, b) => addresses[a] - addresses[b]);
    const order = new Uint32Array(this.length);
    let made = 0;
    let isAscending = true;
    for (const first of stretches) {
      isAscending &&= made === 0 || addresses[order[made - 1]] <= addresses[first];
      for (let i = first; i < ends.get(first)!; i++) order[made++] = i;
    }
    return isAscending ? order : order.sort((a, b) => addresses[a] - addresses[b]);
  }
}

/** Reads the fields of a piece of memory of `size` bytes, and tells `visit` of each. */
export function readFields(
  cursor: DumpCursor,
  size: number,
  pointerBytes: number,
  visit: (kind: number, offset: number) => void,
): void {
  for (;;) {
    const { at } = cursor;
    const kind = cursor.varint("the kind of a field");
    if (kind === FieldKind.End) return;
    if (kind > FieldKind.EmptyInterface) cursor.fail(`a field of kind ${kind}`, at);
    const offset = cursor.exact("the offset of a field");
    const bytes = kind === FieldKind.Pointer ? pointerBytes : 2 * pointerBytes;
    if (offset % pointerBytes !== 0 || offset + bytes > size) {
      cursor.fail(`a field of ${bytes} bytes at ${offset} in ${size} bytes`, at);
    }
    visit(kind, offset);
  }
}

/** An address as Go prints it. */
export function hex(address: Pointer): string {
  return `0x${address.toString(16)}`;
}
