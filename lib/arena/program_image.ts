/**
 * What a Go program has in memory besides its heap: type descriptors, global variables, and a stack.
 *
 * All of it lies in the system memory, outside the arena, in segments that grow by
 * chunks:
 *
 * ```
 *   rodata      addresses of type descriptors (nothing is stored there)
 *   bss         global variables with pointers: roots
 *   noptrbss    global variables without; its first word is zerobase, the address of all empty objects
 *   stack       the frames' pointer slots, 8 MiB of addresses, never moved
 * ```
 *
 * @module
 */

import { GoThrow } from "../errors.ts";
import type { Memory } from "../platform/memory.ts";
import { PAGE_BYTES, type Pointer } from "../platform/platform.ts";
import type { SystemMemory } from "./system_memory.ts";

const CHUNK_BYTES = 64 * 1024;
const STACK_BYTES = 8 * 1024 * 1024;

/** Memory of one kind, handed out in order and never freed. */
class Segment {
  readonly #system: SystemMemory;
  readonly #chunks: { base: Pointer; end: Pointer }[] = [];
  #pos = 0;

  constructor(system: SystemMemory) {
    this.#system = system;
  }

  alloc(bytes: number, align: number): Pointer {
    const pos = Math.ceil(this.#pos / align) * align;
    const chunk = this.#chunks.at(-1);
    if (chunk !== undefined && pos + bytes <= chunk.end) {
      this.#pos = pos + bytes;
      return pos;
    }
    const chunkBytes = Math.max(CHUNK_BYTES, Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES);
    const base = this.#system.alloc(chunkBytes);
    if (base === 0) throw new GoThrow("runtime: cannot allocate memory");
    this.#chunks.push({ base, end: base + chunkBytes });
    this.#pos = base + bytes;
    return base;
  }

  contains(p: Pointer): boolean {
    return this.#chunks.some(({ base, end }) => base <= p && p < end);
  }
}

/** Segments and stack of one heap. See the head of the module. */
export class ProgramImage {
  /** The system memory: segments, stack and persistent memory are all in it. */
  readonly memory: Memory;
  /** The address of every object of no bytes. */
  readonly zeroBase: Pointer;
  readonly #system: SystemMemory;
  readonly #rodata: Segment;
  readonly #bss: Segment;
  readonly #noptrbss: Segment;
  #stack: Pointer = 0;

  constructor(system: SystemMemory) {
    this.#system = system;
    this.#rodata = new Segment(system);
    this.#bss = new Segment(system);
    this.#noptrbss = new Segment(system);
    this.zeroBase = this.#noptrbss.alloc(8, 8);
    this.memory = system.memory;
  }

  /** An address for a type descriptor of `bytes` bytes. */
  typeAddress(bytes: number): Pointer {
    return this.#rodata.alloc(bytes, 8);
  }

  /** The address of a new global variable, all zero. */
  variable(bytes: number, align: number, pointerFree: boolean): Pointer {
    if (bytes === 0) return this.zeroBase;
    return (pointerFree ? this.#noptrbss : this.#bss).alloc(bytes, align);
  }

  /** Whether `bytes` bytes from `p` on are system memory that somebody has been given. */
  holds(p: Pointer, bytes: number): boolean {
    return this.#system.has(p, bytes);
  }

  /** Whether `p` points into the data segments, where objects may lie that the heap did not allocate. */
  isInData(p: Pointer): boolean {
    return this.#bss.contains(p) || this.#noptrbss.contains(p);
  }

  /** Where the stack is; it is reserved when it is first asked for. */
  get stack(): { base: Pointer; bytes: number } {
    if (this.#stack === 0) this.#stack = this.#system.alloc(STACK_BYTES);
    if (this.#stack === 0) throw new GoThrow("runtime: cannot allocate memory");
    return { base: this.#stack, bytes: STACK_BYTES };
  }
}
