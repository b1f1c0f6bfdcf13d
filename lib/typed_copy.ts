/**
 * Copies of values that hold pointers.
 *
 * A copy by bytes would pass the write barrier by. So while a collection is marking, every pointer that is copied is
 * shaded first; where the pointers are, the type's mask says. Otherwise it is a plain move of memory.
 *
 * @module
 */

import type { Arena } from "./arena/arena.ts";
import type { ProgramImage } from "./arena/program_image.ts";
import { badArgument, requireInteger } from "./errors.ts";
import type { Fence } from "./fence.ts";
import type { WriteBarrier } from "./gc/write_barrier.ts";
import type { Memory } from "./platform/memory.ts";
import type { Pointer } from "./platform/platform.ts";
import type { GoType } from "./types/go_type.ts";

/** Copying for one heap. See the head of the module. */
export class TypedCopy {
  readonly #arena: Arena;
  readonly #image: ProgramImage;
  readonly #barrier: WriteBarrier;
  readonly #fence: Fence | null;

  constructor(arena: Arena, image: ProgramImage, barrier: WriteBarrier, fence: Fence | null) {
    this.#arena = arena;
    this.#image = image;
    this.#barrier = barrier;
    this.#fence = fence;
  }

  /** Copies `n` values of `type` from `src` to `dst`; the two may overlap. */
  copy(type: GoType, dst: Pointer, src: Pointer, n: number): void {
    requireInteger("n", n, 0, type.size === 0 ? undefined : this.#arena.platform.maxMemBytes);
    const bytes = n * type.size;
    if (bytes === 0) return;
    const from = this.#memoryOf("src", src, bytes, type.align);
    const to = this.#memoryOf("dst", dst, bytes, type.align);
    if (this.#barrier.isOn && !type.pointerFree) this.#shade(type, from, src, n);
    to.copy(dst, from, src, bytes);
  }

  #shade(type: GoType, memory: Memory, src: Pointer, n: number): void {
    const { pointerBytes } = this.#arena.platform;
    for (let i = 0; i < n; i++) {
      type.pointers.forEach((word) => {
        const at = (src + i * type.size + word * pointerBytes - memory.base) / 4;
        const high = pointerBytes === 8 ? memory.u32[at + 1] : 0;
        this.#barrier.shade(memory.u32[at] + high * 2 ** 32);
      });
    }
  }

  #memoryOf(name: string, p: Pointer, bytes: number, align: number): Memory {
    const system = this.#image.memory;
    const isAligned = typeof p === "number" && p % align === 0;
    if (isAligned && this.#arena.holds(p, bytes)) {
      return this.#fence?.memoryAt(p, bytes) ?? this.#arena.memoryAt(p);
    }
    const isInside = p >= system.base && p + bytes <= system.base + system.bytes;
    const isHeld = this.#arena.platform.pointerBytes === 8 || this.#image.holds(p, bytes);
    if (isAligned && isInside && isHeld) return system;
    return badArgument(
      name,
      p,
      `an address that is a multiple of ${align}, with ${bytes} bytes of this heap's memory behind it`,
    );
  }
}
