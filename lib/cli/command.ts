/**
 * What the commands of goheap share: how they write, and how they fail.
 *
 * A command writes to a {@linkcode Terminal}, which is standard output and standard error, or two
 * strings in a test. It ends in one of three ways: it returns (exit code 0), it throws a
 * {@linkcode CommandError} for an input it can't use (1), or a {@linkcode UsageError} for arguments that
 * make no sense (2). Both are shown as one line; anything else that is thrown is a bug and shows where.
 *
 * @module
 */

/** Where a command writes to. */
export interface Terminal {
  /** Writes to standard output. */
  out(text: string): void;
  /** Writes to standard error. */
  err(text: string): void;
  /** Whether headings on standard output may be bold. */
  readonly isBold: boolean;
  /** Whether standard error is a terminal, on which a progress bar can be drawn. */
  readonly hasProgress: boolean;
}

/** An input that a command cannot use; its message is one line that names it. Exit code 1. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}

/** Arguments that a command does not take. Exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What `error` has to say, in one line. */
export function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.trim().replaceAll(/\s*\n\s*/g, "; ");
}
