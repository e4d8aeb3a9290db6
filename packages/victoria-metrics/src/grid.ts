import type { Window } from '@vm-sync/core';
import { MatrixError } from './matrix.ts';
import { readNumber } from './number.ts';

/** Buckets of equal width that a window is divided into. */
export interface Grid {
  readonly window: Window;
  readonly stepMs: number;
}

/** More than enough for the few patterns that regular samples make, and little where every series has its own. */
const CACHE_CHARACTERS_MOST = 1024 * 1024;

const SLAB_BUCKETS = 1024;

/**
 * Reads counts: the points of series into a whole number for each bucket, 0 where there is no point. Most series of a
 * check have the same counts at the same times: each such text is read once, and its numbers are shared.
 */
export class GridReader {
  readonly #grid: Grid;
  readonly #known = new Map<string, Float64Array>();
  #knownCharacters = 0;
  #lastText: string | undefined;
  /** What is left of the memory for the next numbers. */
  #slab: Float64Array = new Float64Array();
  #last: Float64Array = new Float64Array();

  constructor(grid: Grid) {
    this.#grid = grid;
  }

  /**
   * Throws a `MatrixError` where the points are none, no counts, or not on the grid in the order of time. The result may
   * be shared.
   */
  read(values: string): Float64Array {
    // Comparing texts is several times cheaper than looking one up.
    if (values !== this.#lastText) {
      this.#last = this.#known.get(values) ?? this.#add(values);
      this.#lastText = values;
    }
    return this.#last;
  }

  #add(values: string): Float64Array {
    const read = readInto(this.#empty(), values, this.#grid, isCount);
    // Once full it stays as it is: where nearly every series has its own counts, replacing would only cost memory.
    this.#knownCharacters += values.length + 8 * read.length;
    if (this.#knownCharacters > CACHE_CHARACTERS_MOST) return read;
    // A copy, for a slice keeps the whole of what it was cut from.
    this.#known.set(Buffer.from(values, 'latin1').toString('latin1'), read);
    return read;
  }

  /** Arrays with memory of their own take longer to make than to fill, and more of it than their numbers do. */
  #empty(): Float64Array {
    const buckets = bucketsOf(this.#grid);
    if (this.#slab.length < buckets) this.#slab = new Float64Array(Math.max(SLAB_BUCKETS, buckets));
    const numbers = this.#slab.subarray(0, buckets);
    this.#slab = this.#slab.subarray(buckets);
    return numbers;
  }
}

/** Reads points of any numbers, without remembering them; see `GridReader`. */
export const readGrid = (values: string, grid: Grid): Float64Array =>
  readInto(emptyGrid(grid), values, grid, () => true);

type Fits = (value: number) => boolean;

const isCount: Fits = (value) => Number.isSafeInteger(value) && value >= 0;

function readInto(numbers: Float64Array, values: string, grid: Grid, fits: Fits): Float64Array {
  if (!readPlain(values, grid, numbers)) readAny(values, grid, numbers.fill(0), fits);
  return numbers;
}

const bucketsOf = ({ window, stepMs }: Grid): number =>
  Math.round((window.toMs - window.fromMs) / stepMs);

export const emptyGrid = (grid: Grid): Float64Array => new Float64Array(bucketsOf(grid));

function readAny(values: string, grid: Grid, numbers: Float64Array, fits: Fits): void {
  for (const { at, text } of readPoints(values, grid)) {
    const value = readNumber(text);
    if (value === undefined || !fits(value)) {
      throw new MatrixError(`a number that is none, or none of this kind: ${text.slice(0, 100)}`);
    }
    // Without a sign where it is zero.
    numbers[at] = value + 0;
  }
}

/** A point of a series: its bucket, and what stands there. */
interface Point {
  readonly at: number;
  readonly text: string;
}

/** Throws a `MatrixError` where they are none, or not on the grid in the order of time: a server gives no others. */
export function readPoints(values: string, { window, stepMs }: Grid): Point[] {
  const most = bucketsOf({ window, stepMs });
  let before = -1;
  return parsePoints(values).map((point) => {
    const [seconds, text] = point;
    if (typeof seconds !== 'number' || typeof text !== 'string' || point.length !== 2) {
      throw new MatrixError('a series that cannot be read');
    }
    const atMs = Math.round(seconds * 1000) - window.fromMs;
    const at = atMs / stepMs - 1;
    if (!Number.isInteger(at) || at <= before || at >= most) {
      throw new MatrixError(`a point outside of what was asked: ${seconds} ${text.slice(0, 100)}`);
    }
    before = at;
    return { at, text };
  });
}

function parsePoints(values: string): unknown[][] {
  try {
    const points: unknown = JSON.parse(`[${values}]`);
    if (Array.isArray(points) && points.every(Array.isArray)) return points;
  } catch {
    // Told below.
  }
  throw new MatrixError('a series that cannot be read');
}

const ZERO = 0x30;
const COMMA = 0x2c;
const QUOTE = 0x22;
const OPEN = 0x5b;
const CLOSE = 0x5d;

/** Reads points of whole numbers on the grid's own times, which is what counts are. False where one is different. */
function readPlain(values: string, { window, stepMs }: Grid, numbers: Float64Array): boolean {
  let before = -1;
  for (let at = 0; at < values.length; ) {
    if (at > 0 && values.charCodeAt(at++) !== COMMA) return false;
    if (values.charCodeAt(at++) !== OPEN) return false;
    const secondsAt = at;
    let seconds = 0;
    let digit = values.charCodeAt(at) - ZERO;
    while (digit >= 0 && digit <= 9) {
      seconds = seconds * 10 + digit;
      digit = values.charCodeAt(++at) - ZERO;
    }
    if (!isWhole(values, secondsAt, at)) return false;
    if (values.charCodeAt(at++) !== COMMA || values.charCodeAt(at++) !== QUOTE) return false;
    const valueAt = at;
    let value = 0;
    digit = values.charCodeAt(at) - ZERO;
    while (digit >= 0 && digit <= 9) {
      value = value * 10 + digit;
      digit = values.charCodeAt(++at) - ZERO;
    }
    if (!isWhole(values, valueAt, at)) return false;
    if (values.charCodeAt(at++) !== QUOTE || values.charCodeAt(at++) !== CLOSE) return false;
    const bucket = (seconds * 1000 - window.fromMs) / stepMs - 1;
    if (!(bucket > before && bucket < numbers.length) || !Number.isInteger(bucket)) return false;
    before = bucket;
    numbers[bucket] = value;
  }
  return true;
}

/** So many digits make a number that is exact; JSON knows none that begins with a zero for nothing. */
const isWhole = (values: string, from: number, to: number): boolean =>
  to > from && to - from < 16 && (to === from + 1 || values.charCodeAt(from) !== ZERO);
