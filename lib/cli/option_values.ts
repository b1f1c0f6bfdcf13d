/**
 * The values of options, read from their texts; one that can't be read is a `UsageError` that says what
 * it must be.
 *
 * @module
 */

import { PLATFORM_NAMES } from "../platform/platform.ts";
import { UsageError } from "./command.ts";

/** The largest GOGC, which Go keeps in an int32. */
const MAX_GOGC = 2 ** 31 - 1;
/** More values than a list of an option ever needs. */
const MAX_LIST = 1000;

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

/** A platform of the table. */
export function platformIn(value: string): string {
  if (PLATFORM_NAMES.includes(value)) return value;
  throw new UsageError(`--platform must be one of ${PLATFORM_NAMES.join(", ")}, not '${value}'`);
}

/** GOGC in percent; -1 for off, and 100 if none is given. */
export function gcPercentIn(value = "100"): number {
  if (value === "off") return -1;
  if (/^\d+$/.test(value) && Number(value) <= MAX_GOGC) return Number(value);
  throw new UsageError(
    `--gogc must be a whole number from 0 to ${MAX_GOGC}, or off, not '${value}'`,
  );
}

/** A number of bytes, as a whole number or one of KiB, MiB or GiB. */
export function bytesIn(option: string, value: string): number {
  const [, digits, unit] = value.match(/^(\d+)(|KiB|MiB|GiB)$/) ?? [];
  const bytes = digits === undefined ? NaN : Number(digits) * UNITS[unit];
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new UsageError(
    `--${option} must be a whole number of bytes, KiB, MiB or GiB (as in 4MiB), not '${value}'`,
  );
}

/** A whole number from 1 to `max`; undefined if none is given. */
export function countIn(
  option: string,
  value: string | undefined,
  max: number,
): number | undefined {
  if (value === undefined) return undefined;
  const count = /^\d+$/.test(value) ? Number(value) : 0;
  if (count >= 1 && count <= max) return count;
  throw new UsageError(`--${option} must be a whole number from 1 to ${max}, not '${value}'`);
}

/** An address, hexadecimal with 0x or decimal; undefined if none is given. */
export function addressIn(option: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const address = /^(0x[0-9a-f]+|\d+)$/i.test(value) ? Number(value) : NaN;
  if (Number.isSafeInteger(address)) return address;
  throw new UsageError(`--${option} must be an address, as in 0xc208000000, not '${value}'`);
}

/** The name of a file; undefined if none is given. */
export function fileIn(option: string, value: string | undefined): string | undefined {
  if (value === undefined || (value !== "" && value !== "-")) return value;
  throw new UsageError(`--${option} must be the name of a file, not '${value}'`);
}

/** What stands between the commas of `value`, each read by `read`, and each once. */
export function listIn<T>(option: string, value: string, read: (item: string) => T): T[] {
  const items = [...new Set(value.split(",").map(read))];
  if (items.length <= MAX_LIST) return items;
  throw new UsageError(`--${option} takes at most ${MAX_LIST} values, got ${items.length}`);
}
