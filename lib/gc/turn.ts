/**
 * Work for the end of the event-loop turn.
 *
 * Collections that nobody called for, and finalizers that nobody ran, are done by themselves after the
 * current turn. That must cost a program nothing that it does not see: the timer does not keep the process
 * alive, it is set only when there is something to do, it holds the heap through a WeakRef only, and it is
 * cleared when the heap is disposed of.
 *
 * @module
 */

/** What a turn's work is: returns whether more is left for another turn. */
export interface TurnWork {
  runTurn(): boolean;
}

type Timer = ReturnType<typeof setTimeout>;

/** A timer that runs its owner's work once after the current turn, whenever it was asked to. */
export class Turn {
  readonly #work: WeakRef<TurnWork>;
  #timer: Timer | null = null;

  constructor(work: TurnWork) {
    this.#work = new WeakRef(work);
  }

  /** Has the work run after this turn, if it is not going to already. */
  request(): void {
    if (this.#timer === null) this.#set();
  }

  /** By itself, since V8 makes an object for what a function lends to one inside it, whenever it is called. */
  #set(): void {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#work.deref()?.runTurn()) this.request();
    }, 0);
    letProcessEnd(this.#timer);
  }

  /** Forgets a request. */
  cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

/**
 * Has a timer not keep the process alive. Deno's timers are numbers, Node's are objects, a browser has no process
 * that could end.
 */
export function letProcessEnd(timer: Timer): void {
  const deno = (globalThis as { Deno?: { unrefTimer?(id: number): void } }).Deno;
  if (typeof timer === "number") deno?.unrefTimer?.(timer);
  else (timer as { unref?(): void }).unref?.();
}
