import { isUtf8 } from 'node:buffer';
import type { Labels } from '@vm-sync/core';

/**
 * One line of the JSON line format: a series with some of its samples. Values stay text, as the server wrote them:
 * nothing is lost on the way through a floating point number, and 1.79 writes numbers that are no JSON (`+Inf`).
 */
export interface ExportLine {
  readonly labels: Labels;
  /** The label set as the server wrote it, byte by byte. */
  readonly metric: Buffer;
  readonly timestamps: readonly number[];
  /** The text of every value, on demand. */
  values(): string[];
  /** The whole line without its line break. */
  readonly bytes: Buffer;
}

/** A line that is none: cut off, or an error text that 1.79 appends to an answer that began well. */
export class LineError extends Error {
  override name = 'LineError';
}

const METRIC = '{"metric":';
const VALUES = ',"values":[';
const TIMESTAMPS = '],"timestamps":[';
const END = ']}';

/** Hundred times the longest line of 10,000 samples: what is longer is no export, and must not fill the memory. */
const LINE_BYTES_MOST = 64 * 1024 * 1024;

/**
 * Cuts a byte stream into lines; a last line without line break counts too. Memory is bounded by the longest line.
 * Throws a `LineError` when a line does not end.
 */
export async function* readLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of body) {
    let rest = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
    for (let at = rest.indexOf(10); at >= 0; at = rest.indexOf(10)) {
      const piece = rest.subarray(0, at);
      const line = parts.length === 0 ? piece : Buffer.concat([...parts, piece]);
      parts = [];
      bytes = 0;
      if (line.length > 0) yield line;
      rest = rest.subarray(at + 1);
    }
    if (rest.length > 0) parts.push(rest);
    bytes += rest.length;
    if (bytes > LINE_BYTES_MOST) fault(Buffer.concat(parts.slice(0, 1)));
  }
  const last = Buffer.concat(parts);
  if (last.length > 0) yield last;
}

/**
 * Reads a line. The landmarks cannot occur inside of a label's value, where every quote stands behind a backslash.
 * Throws a `LineError`.
 */
export function parseLine(bytes: Buffer): ExportLine {
  const valuesAt = bytes.indexOf(VALUES);
  const timestampsAt = bytes.indexOf(TIMESTAMPS, valuesAt);
  const endAt = bytes.length - END.length;
  if (!bytes.subarray(0, METRIC.length).equals(Buffer.from(METRIC)) || valuesAt < 0) fault(bytes);
  if (timestampsAt < 0 || !bytes.subarray(endAt).equals(Buffer.from(END))) fault(bytes);
  const metric = bytes.subarray(METRIC.length, valuesAt);
  const labels = parseJson(metric.toString(isUtf8(metric) ? 'utf8' : 'latin1'), bytes) as Labels;
  const list = bytes.toString('latin1', timestampsAt + TIMESTAMPS.length - 1, endAt + 1);
  const timestamps = parseJson(list, bytes) as number[];
  const values = () => bytes.toString('latin1', valuesAt + VALUES.length, timestampsAt).split(',');
  return { labels, metric, timestamps, values, bytes };
}

/** Values that the plain number grammar does not cover: infinities, not-a-numbers and staleness markers (`null`). */
export function hasSpecialValues(line: ExportLine): boolean {
  const from = METRIC.length + line.metric.length;
  return (['null', 'Inf', 'NaN'] as const).some((word) => line.bytes.indexOf(word, from) >= 0);
}

/**
 * A value as every version reads it, or undefined for what no import can store: staleness markers and not-a-numbers.
 * `Infinity` in quotes makes 1.79 drop the whole line with a 204; the bare word is read by all (measured).
 */
export function portableValue(text: string): string | undefined {
  const word = text.replaceAll('"', '');
  if (word === 'null' || word === 'NaN') return undefined;
  if (/^\+?Inf(?:inity)?$/.test(word)) return '+Inf';
  if (/^-Inf(?:inity)?$/.test(word)) return '-Inf';
  return word;
}

/** Longest list of samples on one line: with 20 bytes a sample far below the 10 MB line limit of newer versions. */
const SAMPLES_PER_LINE = 10_000;

/** Lines with those samples of `line` whose timestamps are wanted, every value in the portable spelling. */
export function linesWith(
  line: ExportLine,
  wanted: (timestampMs: number) => boolean,
): { lines: Buffer[]; samples: number } {
  const texts = line.values();
  if (texts.length !== line.timestamps.length) fault(line.bytes);
  const values: string[] = [];
  const timestamps: number[] = [];
  line.timestamps.forEach((timestampMs, at) => {
    const value = portableValue(texts[at] as string);
    // In this order: `wanted` is asked about samples only, a staleness marker at the same instant is none.
    if (value === undefined || !wanted(timestampMs)) return;
    values.push(value);
    timestamps.push(timestampMs);
  });
  const lines: Buffer[] = [];
  for (let at = 0; at < values.length; at += SAMPLES_PER_LINE) {
    const to = at + SAMPLES_PER_LINE;
    const tail = `${VALUES}${values.slice(at, to)}${TIMESTAMPS}${timestamps.slice(at, to)}${END}\n`;
    lines.push(Buffer.concat([Buffer.from(METRIC), line.metric, Buffer.from(tail, 'latin1')]));
  }
  return { lines, samples: values.length };
}

function parseJson(text: string, bytes: Buffer): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return fault(bytes);
  }
}

function fault(bytes: Buffer): never {
  throw new LineError(`a line that cannot be read: ${bytes.toString('utf8', 0, 200)}`);
}
