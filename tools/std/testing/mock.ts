/**
 * A stand-in for `@std/testing/mock`, of which npm has no copy: `spy` and `assertSpyCalls` with the
 * signatures of the real ones, and nothing else. Add to it only what a test uses.
 *
 * @module
 */

/** One call of a spy. */
export interface SpyCall<Args extends unknown[], Return> {
  /** The arguments of the call. */
  args: Args;
  /** What the call returned, if it did. */
  returned?: Return;
  /** What the call threw, if it did. */
  error?: unknown;
}

/** A function that keeps a record of its calls. */
export interface Spy<Args extends unknown[], Return> {
  (...args: Args): Return;
  /** Every call so far, in order. */
  calls: SpyCall<Args, Return>[];
}

/** Wraps `original` (by default a function that does nothing) so that its calls are recorded. */
export function spy(): Spy<unknown[], undefined>;
export function spy<Args extends unknown[], Return>(
  original: (...args: Args) => Return,
): Spy<Args, Return>;
export function spy(original: (...args: unknown[]) => unknown = () => undefined): unknown {
  const calls: SpyCall<unknown[], unknown>[] = [];
  const recorded = (...args: unknown[]): unknown => {
    const call: SpyCall<unknown[], unknown> = { args };
    calls.push(call);
    try {
      return call.returned = original(...args);
    } catch (error) {
      call.error = error;
      throw error;
    }
  };
  return Object.assign(recorded, { calls });
}

/** Throws unless `spy` was called exactly `expected` times. */
export function assertSpyCalls<Args extends unknown[], Return>(
  spy: Spy<Args, Return>,
  expected: number,
): void {
  if (spy.calls.length !== expected) {
    throw new Error(`Spy not called as expected: ${spy.calls.length} calls, not ${expected}`);
  }
}
