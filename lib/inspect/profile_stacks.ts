/**
 * The stacks of a memory profile, each frame and each stack stored once.
 *
 * Profiles know places in a program by addresses. JavaScript has none, so functions get some here, a MiB each, in the
 * order in which they are seen; within its function a frame lies where its source says (what a Go program printed
 * tells that), or 16 bytes behind the one that was seen before it.
 *
 * @module
 */

const FIRST_ADDRESS = 0x400000;
const FUNCTION_BYTES = 0x100000;
const FRAME_BYTES = 16;

/** A frame as it comes from where stacks are taken. */
export interface SourceFrame {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  /** 0 if it is not known. */
  readonly column: number;
  /** Bytes from the function's start, if they are known. */
  readonly offset?: number;
}

/** A call on the stack of an allocation. */
export interface ProfileFrame {
  /** The function's name. */
  readonly function: string;
  /** Where its source is: a URL or a path. */
  readonly file: string;
  /** The line there, from 1. */
  readonly line: number;
  /** The column there, from 1; 0 if it is not known. */
  readonly column: number;
  /** The address of what follows the call. JavaScript has none: the profile makes some up. */
  readonly pc: number;
  /** How many bytes that is behind the function's start. */
  readonly offset: number;
}

/** The stacks of one profile. See the head of the module. */
export class ProfileStacks {
  readonly #frames: ProfileFrame[] = [];
  readonly #frameNumbers = new Map<string, number>();
  readonly #functions = new Map<string, { entry: number; frames: number }>();
  readonly #stacks: Int32Array[] = [];
  readonly #stackNumbers = new Map<string, number>();

  /** The number of the stack that has these frames. */
  numberOf(frames: readonly SourceFrame[]): number {
    const numbers = Int32Array.from(frames, (frame) => this.#frameNumber(frame));
    const key = numbers.join(" ");
    let number = this.#stackNumbers.get(key);
    if (number === undefined) {
      number = this.#stacks.push(numbers) - 1;
      this.#stackNumbers.set(key, number);
    }
    return number;
  }

  /** The frames of a stack, innermost first. */
  frames(stack: number): ProfileFrame[] {
    return Array.from(this.#stacks[stack], (number) => this.#frames[number]);
  }

  #frameNumber(frame: SourceFrame): number {
    const { name, file, line, column, offset } = frame;
    const key = `${name}\n${file}\n${line}:${column}+${offset}`;
    let number = this.#frameNumbers.get(key);
    if (number === undefined) {
      number = this.#frames.push(this.#place(frame)) - 1;
      this.#frameNumbers.set(key, number);
    }
    return number;
  }

  #place({ name, file, line, column, offset }: SourceFrame): ProfileFrame {
    const key = `${name}\n${file}`;
    let place = this.#functions.get(key);
    if (place === undefined) {
      place = { entry: FIRST_ADDRESS + FUNCTION_BYTES * this.#functions.size, frames: 0 };
      this.#functions.set(key, place);
    }
    place.frames++;
    const inFunction = offset ?? FRAME_BYTES * place.frames;
    return { function: name, file, line, column, pc: place.entry + inFunction, offset: inFunction };
  }
}
