/**
 * What the records of Go's own runtime take, in bytes, which is what its statistics count. Ours are fields in
 * typed arrays, and larger.
 *
 * ```
 *                        64-bit   386, arm   amd64p32
 *   span                    104         60         64      has an int64, aligned as the platform has it
 *   cache                  1200        600        600      150 words
 *   finalizer special        48         24         24
 *   profile special          24         12         12
 *   finalizer queue block    24         16         16      its header: two pointers, two int32
 * ```
 *
 * @module
 */

import type { Platform } from "./platform.ts";

/** Sizes of Go's records. See the head of the module. */
export interface GoRecordBytes {
  readonly span: number;
  readonly cache: number;
  readonly finalizerSpecial: number;
  readonly profileSpecial: number;
  readonly queueHeader: number;
}

const LONG: GoRecordBytes = {
  span: 104,
  cache: 1200,
  finalizerSpecial: 48,
  profileSpecial: 24,
  queueHeader: 24,
};

const SHORT: GoRecordBytes = {
  span: 60,
  cache: 600,
  finalizerSpecial: 24,
  profileSpecial: 12,
  queueHeader: 16,
};

/** The sizes on a platform. */
export function goRecordBytes({ pointerBytes, int64AlignBytes }: Platform): GoRecordBytes {
  if (pointerBytes === 8) return LONG;
  return int64AlignBytes === 4 ? SHORT : { ...SHORT, span: 64 };
}
