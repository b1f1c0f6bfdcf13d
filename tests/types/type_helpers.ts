import { platformNamed, type Pointer } from "../../lib/platform/platform.ts";
import type { GoType } from "../../lib/types/go_type.ts";
import { POINTER, wordCode } from "../../lib/types/layout.ts";
import { TypeTable } from "../../lib/types/type_table.ts";

/** A table of types whose addresses count upward from a place outside of any arena. */
export function typesFor(platform: string): TypeTable {
  let next: Pointer = 0x1000;
  return new TypeTable(platformNamed(platform), (bytes) => {
    next += bytes;
    return next - bytes;
  });
}

/** The first words of a value as the recorded data writes them: p and s. */
export function maskString(type: GoType, words = type.words): string {
  if (type.pointerFree) return "";
  return Array.from({ length: words }, (_, w) => wordCode(type, w) === POINTER ? "p" : "s").join(
    "",
  );
}
