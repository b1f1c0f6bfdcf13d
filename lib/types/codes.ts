/**
 * Runs of words' codes, two bits each, packed into int32: how masks and the heap bitmap say which words of
 * an object are pointers.
 *
 * ```text
 *    31 30   29 28                       5  4    3  2    1  0
 *   +-------+-------+-- ... ----------+-------+-------+-------+
 *   |word 15|word 14|                 |word 2 |word 1 |word 0 |   codes[base]
 *   +-------+-------+-- ... ----------+-------+-------+-------+
 *   |word 31|word 30|                 |word 18|word 17|word 16|   codes[base + 1]
 *   +-------+-------+-- ... ----------+-------+-------+-------+
 *
 *   0 dead (the object ends before it)     1 scalar     2 pointer
 * ```
 *
 * Codes are written over dead words only, by or, so that what lies beside them in the same int32 stays.
 * Sixteen words go at a time. That takes about as long as one word would, so all that repeats is made of long
 * runs: a run of one word is copied behind itself until it has 16, and from there on whole int32 are copied,
 * 0.5 ns for 16 words. Words are counted in doubles: an object of 16 GiB has 2^31 of them.
 *
 * @module
 */

/** The code of a word that is no pointer. */
export const SCALAR = 1;
/** The code of a word that is a pointer. */
export const POINTER = 2;

/** Words in an int32. */
export const WORDS_PER_INT32 = 16;

/** The code of word `word`, counted from `codes[0]`. */
export function codeAt(codes: Int32Array, word: number): number {
  return (codes[intOf(word)] >>> shiftOf(word)) & 3;
}

/** Adds up to 16 codes, the first in the lowest bits, to dead words from word `word` after `base` on. */
export function addCodes(target: Int32Array, base: number, word: number, codes: number): void {
  const at = base + intOf(word);
  const shift = shiftOf(word);
  target[at] |= codes << shift;
  if (shift !== 0) {
    const carried = codes >>> (32 - shift);
    if (carried !== 0) target[at + 1] |= carried;
  }
}

/**
 * Adds the first `period` of 16 codes, over and over, to `words` dead words from word `word` after `base` on.
 * There are 16 in a period at most.
 */
export function addRepeated(
  target: Int32Array,
  base: number,
  word: number,
  codes: number,
  period: number,
  words: number,
): void {
  const repeated = repeatedCodes(codes, period);
  const whole = WORDS_PER_INT32 - WORDS_PER_INT32 % period;
  if (words <= whole) {
    addCodes(target, base, word, firstCodes(repeated, words));
  } else {
    addCodes(target, base, word, firstCodes(repeated, whole));
    repeatCodes(target, base, word, whole, words);
  }
}

/** 16 codes: the first `period` of `codes`, behind which there are none, over and over. */
export function repeatedCodes(codes: number, period: number): number {
  let repeated = codes;
  for (let known = period; known < WORDS_PER_INT32; known *= 2) repeated |= repeated << (2 * known);
  return repeated;
}

/** Adds the first `words` codes of `source` to dead words from word `word` after `base` on. */
export function addMask(
  target: Int32Array,
  base: number,
  word: number,
  source: Int32Array,
  words: number,
): void {
  for (let done = 0; done < words; done += WORDS_PER_INT32) {
    addCodes(target, base, word + done, firstCodes(source[intOf(done)], words - done));
  }
}

/**
 * Fills `words` words from word `word` after `base` on with what the first `period` of them hold; the rest of
 * them are dead.
 */
export function repeatCodes(
  target: Int32Array,
  base: number,
  word: number,
  period: number,
  words: number,
): void {
  const end = word + words;
  let done = word + period;
  let distance = period;
  // A word is the same as the one `distance` before it. Doubled four times at most, that is whole int32.
  for (; done < end && distance % WORDS_PER_INT32 !== 0; distance *= 2) {
    const copied = Math.min(distance, end - done);
    copyCodes(target, base, done - distance, done, copied);
    done += copied;
  }
  if (done < end) copyInts(target, base, distance / WORDS_PER_INT32, done, end);
}

/** The first `words` of 16 codes, dead ones behind them. */
export function firstCodes(codes: number, words: number): number {
  return words < WORDS_PER_INT32 ? codes & ~(-1 << (2 * words)) : codes;
}

/** Adds the codes of `words` words at `from` to dead words at `to`, which begin behind them. */
function copyCodes(
  target: Int32Array,
  base: number,
  from: number,
  to: number,
  words: number,
): void {
  for (let done = 0; done < words; done += WORDS_PER_INT32) {
    const at = base + intOf(from + done);
    const shift = shiftOf(from + done);
    let codes = target[at] >>> shift;
    if (shift !== 0) codes |= target[at + 1] << (32 - shift);
    addCodes(target, base, to + done, firstCodes(codes, words - done));
  }
}

/** Gives the words from `first` up to `end` the codes of those `ints` int32 before them. */
function copyInts(
  target: Int32Array,
  base: number,
  ints: number,
  first: number,
  end: number,
): void {
  let at = base + intOf(first);
  const last = base + intOf(end);
  const fromFirst = -1 << shiftOf(first);
  const beforeEnd = ~(-1 << shiftOf(end));
  if (at === last) {
    target[at] |= target[at - ints] & fromFirst & beforeEnd;
    return;
  }
  target[at] |= target[at - ints] & fromFirst;
  for (at++; at < last; at++) target[at] = target[at - ints];
  if (beforeEnd !== 0) target[at] |= target[at - ints] & beforeEnd;
}

/** The int32 that has the code of a word. */
function intOf(word: number): number {
  return (word - (word & (WORDS_PER_INT32 - 1))) / WORDS_PER_INT32;
}

/** Where in its int32 the code of a word begins. */
function shiftOf(word: number): number {
  return (word & (WORDS_PER_INT32 - 1)) << 1;
}
