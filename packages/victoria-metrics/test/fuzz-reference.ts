import { isUtf8 } from 'node:buffer';
import { type Labels, seriesKey, type Window } from '@vm-sync/core';

/** A range query's series as the simplest reader there is reads them: the whole answer at once, by JSON.parse. */
export interface ReferenceSeries {
  readonly labels: Labels;
  readonly numbers: number[];
}

interface Grid {
  readonly window: Window;
  readonly stepMs: number;
}

/** What points may say: whole numbers, any numbers (0 where there is no point), or sums (not a number where there is none). */
export type Kind = 'counts' | 'numbers' | 'sums';

/** Undefined for what is no complete, successful answer. */
export function referenceMatrix(
  body: Buffer,
  grid: Grid,
  kind: Kind,
): ReferenceSeries[] | undefined {
  const answer = parsed(textOf(body));
  if (!isObject(answer) || answer['status'] !== 'success' || !isObject(answer['data'])) return;
  const { resultType, result } = answer['data'];
  if (![undefined, false].includes(answer['isPartial'] as undefined)) return;
  if (resultType !== 'matrix' || !Array.isArray(result)) return;
  const series = result.map((one) => seriesOf(one, grid, kind));
  return series.includes(undefined) ? undefined : (series as ReferenceSeries[]);
}

function seriesOf(one: unknown, { window, stepMs }: Grid, kind: Kind): ReferenceSeries | undefined {
  if (!isObject(one) || !isLabels(one['metric']) || !Array.isArray(one['values'])) return;
  const buckets = (window.toMs - window.fromMs) / stepMs;
  const numbers = new Array<number>(buckets).fill(kind === 'sums' ? Number.NaN : 0);
  let before = -1;
  for (const point of one['values'] as unknown[]) {
    if (!Array.isArray(point) || point.length !== 2) return;
    const [seconds, text] = point as unknown[];
    if (typeof seconds !== 'number' || typeof text !== 'string') return;
    const at = (Math.round(seconds * 1000) - window.fromMs) / stepMs - 1;
    const value = kind === 'sums' ? valueIn(text) : decimal(text);
    if (!Number.isInteger(at) || at <= before || at >= buckets || value === undefined) return;
    if (kind === 'counts' && !(Number.isSafeInteger(value) && value >= 0)) return;
    numbers[at] = value + 0;
    before = at;
  }
  return { labels: one['metric'], numbers };
}

/**
 * The samples of an export: by series, and each with its value; undefined where a line is none. Of timestamps alone the
 * values are only looked at: one that is too large for a number is none the less written as one.
 */
export function referenceLines(
  body: Buffer,
  isOfValues: boolean,
): Map<string, [number, number][]> | undefined {
  const found = new Map<string, [number, number][]>();
  for (const bytes of linesOf(body)) {
    const samples = lineOf(bytes, isOfValues);
    if (!samples) return;
    const key = seriesKey(samples.labels);
    found.set(key, [...(found.get(key) ?? []), ...samples.samples]);
  }
  for (const samples of found.values()) samples.sort(([a], [b]) => a - b);
  return found;
}

function* linesOf(body: Buffer): Generator<Buffer> {
  for (let from = 0; from < body.length; ) {
    const at = body.indexOf(10, from);
    const to = at < 0 ? body.length : at;
    if (to > from) yield body.subarray(from, to);
    from = to + 1;
  }
}

function lineOf(
  bytes: Buffer,
  isOfValues: boolean,
): { labels: Labels; samples: [number, number][] } | undefined {
  const text = textOf(bytes);
  const from = text.indexOf(',"values":[');
  const to = text.indexOf('],"timestamps":[', from);
  // 1.79 writes words that are no JSON.
  const values = text
    .slice(from, to)
    .replaceAll(/(?<=[[,])(?:[+-]?Inf(?:inity)?|NaN)(?=,|$)/g, '"$&"');
  const line = parsed(text.slice(0, from) + values + text.slice(to));
  if (from < 0 || to < 0 || !isObject(line) || !isLabels(line['metric'])) return;
  const { values: numbers, timestamps } = line;
  if (!Array.isArray(numbers) || !Array.isArray(timestamps)) return;
  if (numbers.length !== timestamps.length || !timestamps.every(Number.isSafeInteger)) return;
  const read = numbers.map((one) =>
    typeof one === 'number' && !(isOfValues && finite(one) === undefined) ? one : valueIn(one),
  );
  if (read.includes(undefined)) return;
  const samples = timestamps.map((time, at): [number, number] => [time, read[at] as number]);
  return { labels: line['metric'], samples: samples.filter(([, value]) => !Number.isNaN(value)) };
}

const finite = (value: number) => (Number.isFinite(value) ? value : undefined);

function valueIn(text: unknown): number | undefined {
  if (text === null || text === 'null' || text === 'NaN') return Number.NaN;
  const [, sign, word] = /^([+-]?)(Inf|Infinity)$/.exec(String(text)) ?? [];
  if (word) return sign === '-' ? -1 / 0 : 1 / 0;
  return typeof text === 'string' ? decimal(text) : undefined;
}

/** As JSON writes a number. */
export function decimal(text: string): number | undefined {
  const value = /^[-\d]/.test(text) && /\d$/.test(text) ? parsed(text) : undefined;
  return typeof value === 'number' ? finite(value) : undefined;
}

/** True for what a server could have written: its own order of names, no space, nothing said twice. */
export function isServersFormat(body: Buffer): boolean {
  const text = textOf(body);
  const answer = parsed(text);
  if (!isObject(answer) || !isObject(answer['data']) || JSON.stringify(answer) !== text)
    return false;
  const { result } = answer['data'];
  const begin = '"data":{"resultType":"matrix","result":[';
  const entries = Array.isArray(result) ? result : [];
  return (
    text.includes(begin) &&
    entries.every((one) => isObject(one) && Object.keys(one).join() === 'metric,values')
  );
}

export const textOf = (bytes: Buffer): string => bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1');

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isLabels = (value: unknown): value is Labels =>
  isObject(value) && Object.values(value).every((one) => typeof one === 'string');
