import fc from "fast-check";
import { platformNamed, type Pointer } from "../../lib/platform/platform.ts";
import { type GoType, Kind } from "../../lib/types/go_type.ts";
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
  const codes = Array.from(
    { length: words },
    (_, w) => type.pointers.has(w % type.words) ? "p" : "s",
  );
  return codes.join("");
}

/** Words in text, or a repetition of such. */
export type Program = (string | { array: number; of: Program })[];

/** Takes the bytes of a GC program apart; m is what Go 1.4.3 has for interfaces. */
export function decodeProgram(bytes: Uint8Array, countBytes: number): Program {
  let at = 0;
  const steps = (): Program => {
    const program: Program = [];
    for (;;) {
      const instruction = bytes[at++];
      if (instruction === 1) {
        const length = bytes[at++];
        const code = (i: number) => "dspm"[(bytes[at + (i >> 2)] >> (2 * (i % 4))) & 3];
        program.push(Array.from({ length }, (_, i) => code(i)).join(""));
        at += Math.ceil(length / 4);
      } else if (instruction === 2) {
        const digits = [...bytes.subarray(at, at + countBytes)];
        at += countBytes;
        const array = digits.reduceRight((sum, digit) => 256 * sum + digit, 0);
        program.push({ array, of: steps() });
      } else {
        return program;
      }
    }
  };
  const program = steps();
  if (at !== bytes.length) throw new Error(`${bytes.length - at} bytes behind the end`);
  return program;
}

/** The words that a program makes. */
export function unrolled(program: Program): string {
  return program.map((step) =>
    typeof step === "string" ? step : unrolled(step.of).repeat(step.array)
  ).join("");
}

/** Up to three levels of types, over all sizes, alignments and pointer patterns. */
export function arbitraryType(t: TypeTable): fc.Arbitrary<GoType> {
  const plain = fc.constantFrom(t.bool, t.int16, t.float32, t.int64, t.complex128, t.uintptr);
  const pointers = fc.constantFrom(t.string, t.unsafePointer, t.slice(t.int), t.interface({}));
  return fc.letrec<{ type: GoType }>((tie) => ({
    type: fc.oneof(
      { maxDepth: 3 },
      plain,
      pointers,
      fc.tuple(tie("type"), fc.nat(5)).map(([elem, n]) => t.array(elem, n)),
      fc.array(tie("type"), { maxLength: 6 }).map((types) => structOf(t, types)),
    ),
  })).type;
}

/** A struct of fields f0, f1, ... */
export function structOf(t: TypeTable, types: GoType[]): GoType {
  return t.struct("", Object.fromEntries(types.map((type, i) => [`f${i}`, type])));
}

/** Byte offsets of the pointers in a value, found field by field and element by element. */
export function pointerOffsets(t: TypeTable, type: GoType): Set<number> {
  const offsets = new Set<number>();
  const visit = (type: GoType, base: number) => {
    if (type.pointerFree) return;
    if (type.fields.length > 0) {
      for (const field of type.fields) visit(field.type, base + field.offset);
    } else if (type.length > 0) {
      for (let i = 0; i < type.length; i++) visit(type.elem!, base + i * type.elem!.size);
    } else {
      offsets.add(base);
      if (type.kind === Kind.Interface) offsets.add(base + t.uintptr.size);
    }
  };
  visit(type, 0);
  return offsets;
}
