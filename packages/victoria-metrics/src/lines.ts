import type { Labels } from '@vm-sync/core';
import { readLabelSet } from './label-set.ts';
import { portableValue, readValue } from './number.ts';

/** A line that is none: cut off, or an error text that 1.79 appends to an answer that began well. */
export class LineError extends Error {
  override name = 'LineError';
}

const METRIC = Buffer.from('{"metric":');
const VALUES = Buffer.from(',"values":[');
const TIMESTAMPS = Buffer.from('],"timestamps":[');
const END = Buffer.from(']}');

/** Hundred times the longest line of 10,000 samples: what is longer is no export, and must not fill the memory. */
const LINE_BYTES_MOST = 64 * 1024 * 1024;

/** Lines that came after one another. */
export interface LineBlock {
  /** The lines as they came, each with its line break. */
  readonly bytes: Buffer;
  /** Each without its line break; empty ones are left out. */
  readonly lines: readonly Buffer[];
}

/** Enough that what is done for each block, here and on its way to a socket, costs little. */
const BLOCK_BYTES = 262_144;

/**
 * Cuts a byte stream into lines, many at a time, with no more copying than joining the parts of a block; a last line
 * without line break counts too. Memory is bounded by the longest line. Throws a `LineError` when a line does not end.
 */
export async function* readLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<LineBlock> {
  let begun: Buffer[] = [];
  let begunBytes = 0;
  for await (const part of body) {
    const bytes = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
    begun.push(bytes);
    begunBytes += bytes.length;
    if (begunBytes < BLOCK_BYTES) continue;
    const end = bytes.lastIndexOf(LINE_BREAK) + 1;
    if (end > 0) {
      begun[begun.length - 1] = bytes.subarray(0, end);
      yield blockOf(Buffer.concat(begun));
      begun = [bytes.subarray(end)];
      begunBytes = bytes.length - end;
    } else if (begunBytes > LINE_BYTES_MOST) fault(Buffer.concat(begun.slice(0, 1)));
  }
  if (begunBytes === 0) return;
  if (begun.at(-1)?.at(-1) !== LINE_BREAK) begun.push(Buffer.of(LINE_BREAK));
  yield blockOf(Buffer.concat(begun));
}

const LINE_BREAK = 10;

/** The block of these lines, which have no line breaks. */
export const blockOfLines = (lines: readonly Buffer[]): LineBlock => ({
  bytes: Buffer.concat(lines.flatMap((line) => [line, Buffer.of(LINE_BREAK)])),
  lines,
});

function blockOf(bytes: Buffer): LineBlock {
  const lines: Buffer[] = [];
  for (let from = 0; from < bytes.length; ) {
    const at = bytes.indexOf(LINE_BREAK, from);
    if (at > from) lines.push(bytes.subarray(from, at));
    from = at + 1;
  }
  return { bytes, lines };
}

/**
 * One line of the JSON line format: a series with some of its samples. Values stay text, as the server wrote them:
 * nothing is lost on the way through a floating point number, and 1.79 writes numbers that are no JSON (`+Inf`).
 * Whatever is asked of it is read then, and throws a `LineError` where it cannot be: most lines are only passed on.
 */
export class ExportLine {
  /** The whole line without its line break. */
  readonly bytes: Buffer;
  readonly #valuesAt: number;
  readonly #timestampsAt: number;

  constructor(bytes: Buffer, valuesAt: number, timestampsAt: number) {
    this.bytes = bytes;
    this.#valuesAt = valuesAt;
    this.#timestampsAt = timestampsAt;
  }

  /** The label set as the server wrote it, byte by byte. */
  get metric(): Buffer {
    return this.bytes.subarray(METRIC.length, this.#valuesAt);
  }

  get labels(): Labels {
    return readLabelSet(this.metric) ?? fault(this.bytes);
  }

  /** How many timestamps there are; much cheaper than reading them. */
  get length(): number {
    const { bytes } = this;
    return lengthOfPlain(bytes, this.#listAt, this.#listEnd) ?? this.timestamps.length;
  }

  get timestamps(): Float64Array {
    const { bytes } = this;
    const [from, to] = [this.#listAt, this.#listEnd];
    return readPlain(bytes, from, to) ?? readAny(bytes, from, to);
  }

  /** The text of every value; there must be so many as timestamps were read. */
  values(length: number): string[] {
    const from = this.#valuesAt + VALUES.length;
    const values = this.bytes.toString('latin1', from, this.#timestampsAt).split(',');
    if (values.length !== length || !values.every(isValue)) fault(this.bytes);
    return values;
  }

  /** The same without reading them: throws where one of the values is no plain number, or there are not so many. */
  assertPlainValues(length: number): void {
    const from = this.#valuesAt + VALUES.length;
    if (countNumbers(this.bytes, from, this.#timestampsAt) !== length) fault(this.bytes);
  }

  /** Values that the plain number grammar does not cover: infinities, not-a-numbers and staleness markers (`null`). */
  get hasSpecialValues(): boolean {
    const { bytes } = this;
    const from = this.#valuesAt;
    return bytes.indexOf(NULL_OR_INF, from) >= 0 || bytes.indexOf(NAN, from) >= 0;
  }

  get #listAt(): number {
    return this.#timestampsAt + TIMESTAMPS.length;
  }

  get #listEnd(): number {
    return this.bytes.length - END.length;
  }
}

/** Letters that every special value has one of and no plain number has: the `n` of `null` and `Inf`, the `N` of `NaN`. */
const NULL_OR_INF = 0x6e;
const NAN = 0x4e;

/**
 * Finds out where in a line everything stands. The landmarks cannot occur inside of a label's value, where every quote
 * stands behind a backslash. Throws a `LineError`.
 */
export function parseLine(bytes: Buffer): ExportLine {
  const valuesAt = bytes.indexOf(VALUES);
  const timestampsAt = valuesAt < 0 ? -1 : bytes.indexOf(TIMESTAMPS, valuesAt);
  if (timestampsAt < 0 || !standsAt(bytes, METRIC, 0)) fault(bytes);
  if (!standsAt(bytes, END, bytes.length - END.length)) fault(bytes);
  if (!looksLikeLabels(bytes, METRIC.length, valuesAt)) fault(bytes);
  return new ExportLine(bytes, valuesAt, timestampsAt);
}

function standsAt(bytes: Buffer, landmark: Buffer, at: number): boolean {
  for (let i = 0; i < landmark.length; i++) if (bytes[at + i] !== landmark[i]) return false;
  return true;
}

const [OPEN, CLOSE, QUOTE, COMMA] = [0x7b, 0x7d, 0x22, 0x2c] as const;

/** A quick look: labels are read only where somebody asks for them. */
function looksLikeLabels(bytes: Buffer, from: number, to: number): boolean {
  if (bytes[from] !== OPEN || bytes[to - 1] !== CLOSE) return false;
  return to - from === 2 || (bytes[from + 1] === QUOTE && bytes[to - 2] === QUOTE);
}

/** Digits of a timestamp in milliseconds between 2001 and 2286, and its comma. */
const DIGITS = 13;
const STRIDE = DIGITS + 1;

/**
 * The number of timestamps where all are as long as those of our days; undefined otherwise. They come in the order of
 * time, so when the first and the last are that long, no shorter ones can stand between them.
 */
function lengthOfPlain(bytes: Buffer, from: number, to: number): number | undefined {
  if ((to - from + 1) % STRIDE !== 0) return undefined;
  if (digits(bytes, from, from + DIGITS) < 0 || digits(bytes, to - DIGITS, to) < 0)
    return undefined;
  for (let at = from + DIGITS; at < to; at += STRIDE) if (bytes[at] !== COMMA) return undefined;
  return (to - from + 1) / STRIDE;
}

function readPlain(bytes: Buffer, from: number, to: number): Float64Array | undefined {
  const length = lengthOfPlain(bytes, from, to);
  if (length === undefined) return undefined;
  const timestamps = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    const at = from + i * STRIDE;
    // In two halves, which both are small integers, and fast.
    const high = digits(bytes, at, at + 6);
    const low = digits(bytes, at + 6, at + DIGITS);
    if (high < 0 || low < 0 || bytes[at] === ZERO) return undefined;
    timestamps[i] = high * 1e7 + low;
  }
  return timestamps;
}

/** The number that the digits are, or a negative one where something else is among them. */
function digits(bytes: Buffer, from: number, to: number): number {
  let number = 0;
  for (let at = from; at < to; at++) {
    const digit = (bytes[at] as number) - 48;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number;
}

const isValue = (text: string): boolean => readValue(text) !== undefined;

/** How many numbers stand there with commas between them, in the grammar of JSON; -1 where something else does. */
function countNumbers(bytes: Buffer, from: number, to: number): number {
  let count = 0;
  for (let at = from; ; at++) {
    if (bytes[at] === MINUS) at++;
    const wholeAt = at;
    at = endOfDigits(bytes, at, to);
    if (at === wholeAt || (bytes[wholeAt] === ZERO && at > wholeAt + 1)) return -1;
    if (at < to && bytes[at] === POINT) {
      const digitsAt = at + 1;
      at = endOfDigits(bytes, digitsAt, to);
      if (at === digitsAt) return -1;
    }
    // `e` and `E` differ in this bit.
    if (at < to && ((bytes[at] as number) | 0x20) === EXPONENT) {
      const isSigned = bytes[at + 1] === MINUS || bytes[at + 1] === PLUS;
      const digitsAt = isSigned ? at + 2 : at + 1;
      at = endOfDigits(bytes, digitsAt, to);
      if (at <= digitsAt) return -1;
    }
    count++;
    if (at === to) return count;
    if (bytes[at] !== COMMA) return -1;
  }
}

const [ZERO, MINUS, PLUS, POINT, EXPONENT] = [0x30, 0x2d, 0x2b, 0x2e, 0x65] as const;

function endOfDigits(bytes: Buffer, from: number, to: number): number {
  let at = from;
  while (at < to && (bytes[at] as number) >= ZERO && (bytes[at] as number) <= ZERO + 9) at++;
  return at;
}

function readAny(bytes: Buffer, from: number, to: number): Float64Array {
  try {
    const list: unknown = JSON.parse(`[${bytes.toString('latin1', from, to)}]`);
    if (Array.isArray(list) && list.every(Number.isSafeInteger)) return Float64Array.from(list);
  } catch {
    // Told below.
  }
  return fault(bytes);
}

/** Longest list of samples on one line: with 20 bytes a sample far below the 10 MB line limit of newer versions. */
const SAMPLES_PER_LINE = 10_000;

/** Lines (without line breaks) with those samples of `line` whose timestamps are wanted, in the portable spelling. */
export function linesWith(
  line: ExportLine,
  wanted: (timestampMs: number) => boolean,
): { lines: Buffer[]; samples: number } {
  const { timestamps } = line;
  const special = line.hasSpecialValues
    ? line.values(timestamps.length).map(portableValue)
    : undefined;
  const chosen: number[] = [];
  for (let at = 0; at < timestamps.length; at++) {
    // In this order: `wanted` is asked about samples only, a staleness marker at the same instant is none.
    if (special && special[at] === undefined) continue;
    if (wanted(timestamps[at] as number)) chosen.push(at);
  }
  if (chosen.length === 0) return { lines: [], samples: 0 };
  const values = special ?? line.values(timestamps.length);
  if (!special && chosen.length === timestamps.length) {
    return { lines: [line.bytes], samples: chosen.length };
  }
  const lines: Buffer[] = [];
  for (let from = 0; from < chosen.length; from += SAMPLES_PER_LINE) {
    lines.push(
      lineOf(line.metric, values, timestamps, chosen.slice(from, from + SAMPLES_PER_LINE)),
    );
  }
  return { lines, samples: chosen.length };
}

/** The line with those of its samples that are not younger than `toMs`, as they were written; undefined when none is. */
export function lineThrough(line: ExportLine, toMs: number): ExportLine | undefined {
  const { timestamps } = line;
  const kept = [...timestamps.keys()].filter((at) => (timestamps[at] as number) <= toMs);
  if (kept.length === timestamps.length) return line;
  if (kept.length === 0) return undefined;
  return parseLine(lineOf(line.metric, line.values(timestamps.length), timestamps, kept));
}

/** A line with the values and timestamps that stand at these places of the lists. */
function lineOf(
  metric: Buffer,
  values: readonly (string | undefined)[],
  timestamps: Float64Array,
  places: readonly number[],
): Buffer {
  const valueList = Buffer.from(places.map((at) => values[at]).join(), 'latin1');
  const timestampList = Buffer.from(places.map((at) => timestamps[at]).join(), 'latin1');
  return Buffer.concat([METRIC, metric, VALUES, valueList, TIMESTAMPS, timestampList, END]);
}

function fault(bytes: Buffer): never {
  throw new LineError(`a line that cannot be read: ${bytes.toString('utf8', 0, 200)}`);
}
