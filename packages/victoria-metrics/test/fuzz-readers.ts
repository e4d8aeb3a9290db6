import { isUtf8 } from 'node:buffer';
import { seriesKey } from '@vm-sync/core';
import type { VictoriaMetrics } from '../src/index.ts';
import type { Answer } from './fuzz-player.ts';
import {
  decimal,
  isObject,
  type Kind,
  parsed,
  type ReferenceSeries,
  referenceLines,
  referenceMatrix,
  textOf,
} from './fuzz-reference.ts';
import { collect, hour, minute, topMs } from './support.ts';

export const window = { fromMs: topMs - hour, toMs: topMs };
const stepMs = 5 * minute;
const selectors = ['{__name__="testkit_samples"}', '{__name__="odd"}'];
const [selector = ''] = selectors;
const request = { selector, window, stepMs };
const selection = { selectors, window };
const groups = selectors.map((one) => ({ label: 'instance', selector: one }));

/** A way of asking, in plain values, and the same made of the bodies by the simplest reader; undefined: to be refused. */
export interface Reader {
  readonly ask: (database: VictoriaMetrics) => Promise<unknown>;
  readonly expected?: (bodies: readonly Buffer[]) => unknown;
}

const grid = { window, stepMs };
const whole = { window, stepMs: hour };

/** What is not UTF-8 is read byte by byte; the simple reader would need to know of which series it is. */
const labelsIn = (bodies: readonly Buffer[]) => bodies.every((body) => isUtf8(body));

const matrixOf =
  (kind: Kind, of: typeof grid, make: (series: ReferenceSeries[]) => unknown) =>
  (bodies: readonly Buffer[]) => {
    if (!labelsIn(bodies)) return 'not compared';
    const read = bodies.map((body) => referenceMatrix(body, of, kind));
    return read.includes(undefined) ? undefined : make((read as ReferenceSeries[][]).flat());
  };

const pairs = (series: ReferenceSeries[]) =>
  series.map(({ labels, numbers }) => [seriesKey(labels), numbers]);

/** Every reader of the database's answers. */
export const readers: Readonly<Record<string, Reader>> = {
  tally: {
    ask: async (database) =>
      (await collect(database.tally(request))).map(({ labels, samples }) => [
        seriesKey(labels),
        [...samples],
      ]),
    expected: matrixOf('counts', grid, pairs),
  },
  sums: {
    ask: async (database) =>
      (await collect(database.sums(request))).map(({ labels, sums }) => [
        seriesKey(labels),
        [...sums],
      ]),
    expected: matrixOf('sums', grid, pairs),
  },
  prints: {
    ask: async (database) =>
      (await collect(database.prints({ ...request, slotMs: minute }))).map(
        ({ labels, occupied, print }) => [seriesKey(labels), [...occupied], [...print]],
      ),
  },
  'total samples': {
    ask: (database) => database.totalSamples(selection),
    expected: matrixOf('counts', whole, (series) => {
      const asked = series.map(({ labels }) => labels['selector'] ?? 'none');
      if (!asked.every((one) => ['0', '1'].includes(one)) || new Set(asked).size < asked.length) {
        return undefined;
      }
      return series.reduce((sum, { numbers }) => sum + (numbers[0] ?? 0), 0);
    }),
  },
  counts: {
    ask: async (database) => [...(await database.counts(selection))],
    expected: matrixOf('counts', whole, (series) => [
      ...new Map(series.map(({ labels, numbers }) => [seriesKey(labels), numbers[0]])),
    ]),
  },
  'counts by label': {
    ask: async (database) =>
      [...(await database.countsBy('instance', request))].map(([name, some]) => [name, [...some]]),
    expected: matrixOf('counts', grid, (series) => {
      const found = series.map(
        ({ labels, numbers }) => [labels['instance'] ?? '', numbers] as const,
      );
      return new Set(found.map(([name]) => name)).size < found.length ? undefined : found;
    }),
  },
  'device counts': { ask: (database) => database.deviceCounts({ groups, window }) },
  peaks: { ask: async (database) => [...(await database.peaks(selection))] },
  timestamps: {
    ask: async (database) =>
      [...(await database.timestamps(selection))].map(([key, times]) => [key, [...times]]),
    expected: ([body = Buffer.alloc(0)]) => {
      if (!labelsIn([body])) return 'not compared';
      const read = referenceLines(body, false);
      return read && [...read].map(([key, samples]) => [key, samples.map(([time]) => time)]);
    },
  },
  values: {
    ask: async (database) =>
      [...(await database.values(selection))].map(([key, { timestamps, values }]) => [
        key,
        [...timestamps].map((time, at) => [time, values[at]]),
      ]),
    expected: ([body = Buffer.alloc(0)]) => {
      if (!labelsIn([body])) return 'not compared';
      const read = referenceLines(body, true);
      return read && [...read];
    },
  },
  newest: {
    ask: (database) => database.newestSample({ selectors: [selector], window }),
    expected: ([body = Buffer.alloc(0)]) => {
      const results = vectorOf(body);
      const times = results?.map((one) => Math.round((decimal(one.text) ?? Number.NaN) * 1000));
      if (!times?.every((time) => time >= window.fromMs && time <= window.toMs)) return undefined;
      return times.length === 0 ? 'none' : Math.max(...times);
    },
  },
  'own series': { ask: (database) => database.own() },
  'label values': {
    ask: (database) => database.labelValues('instance', { selector, window }),
    expected: ([body = Buffer.alloc(0)]) => {
      const answer = parsed(body.toString('utf8'));
      if (!isObject(answer) || answer['status'] !== 'success') return undefined;
      const list = answer['data'];
      return Array.isArray(list) && list.every((one) => typeof one === 'string') ? list : undefined;
    },
  },
  'what it says of itself': { ask: (database) => database.observe() },
  load: { ask: (database) => database.load() },
  'rejected rows': { ask: async (database) => [...((await database.rejectedRows()) ?? [])] },
};

function vectorOf(body: Buffer): { text: string }[] | undefined {
  const answer = parsed(textOf(body));
  if (!isObject(answer) || answer['status'] !== 'success' || !isObject(answer['data'])) return;
  if (![undefined, false].includes(answer['isPartial'] as undefined)) return;
  const { resultType, result } = answer['data'];
  if (resultType !== 'vector' || !Array.isArray(result)) return;
  const texts = result.map((one) => {
    const point = isObject(one) ? one['value'] : undefined;
    if (!Array.isArray(point) || point.length !== 2) return undefined;
    const [at, text] = point as unknown[];
    return typeof at === 'number' && Number.isFinite(at) && typeof text === 'string'
      ? { text }
      : undefined;
  });
  return texts.includes(undefined) ? undefined : (texts as { text: string }[]);
}

/** Every number of what was read is one that can be counted and dated with. */
export function assertSound(value: unknown, path = ''): void {
  if (typeof value === 'function') throw new Error(`a function at ${path}`);
  if (typeof value === 'number' && path.endsWith('Ms') && !(Math.abs(value) <= 8.64e15)) {
    throw new Error(`${value} at ${path}`);
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [name, one] of Object.entries(value)) assertSound(one, `${path}.${name}`);
}

export const isPlain = ({ status }: Answer): boolean => status === 200;
