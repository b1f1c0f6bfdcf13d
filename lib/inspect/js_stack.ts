/**
 * Stacks of JavaScript calls: taken where something happens, told as text only when somebody wants to read them.
 *
 * Taking one costs some 4 us, and 0.5 to 2 KB as long as it is kept; the text of one costs 20 to 150 us, for the most
 * part because each frame is looked up in the source. What is taken keeps the objects of its calls alive.
 *
 * @module
 */

/** What V8 adds to Error. */
interface StackTraces {
  stackTraceLimit?: number;
  prepareStackTrace?: unknown;
  captureStackTrace?(target: { stack?: string }, above: unknown): void;
}

/** A stack whose text was not asked for yet. */
export interface RawStack {
  readonly stack?: string;
}

/** One call on a stack. */
export interface JsFrame {
  /** The function's name; `func` where it has none. */
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Takes the stack above the function `callee`, at most `frames` of it; it is empty where JavaScript is not V8's. */
export function captureStack(callee: unknown, frames: number): RawStack {
  const traces: StackTraces = Error;
  const holder: { stack?: string } = {};
  if (traces.captureStackTrace === undefined) return holder;
  const limit = traces.stackTraceLimit;
  traces.stackTraceLimit = frames;
  traces.captureStackTrace(holder, callee);
  traces.stackTraceLimit = limit;
  return holder;
}

/** The frames of a stack, innermost first. */
export function framesOf(raw: RawStack): JsFrame[] {
  const traces: StackTraces = Error;
  const { prepareStackTrace } = traces;
  // A program may have its own form of stacks.
  traces.prepareStackTrace = undefined;
  const text = raw.stack ?? "";
  traces.prepareStackTrace = prepareStackTrace;
  return text.split("\n")
    .map((line) => /^ {4}at (?:(.+) \()?(.+?):(\d+):(\d+)\)?$/.exec(line))
    .filter((frame) => frame !== null)
    .map(([, name, file, line, column]) => ({
      name: name ?? "func",
      file,
      line: Number(line),
      column: Number(column),
    }));
}
