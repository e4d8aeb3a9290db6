import { type Labels, seriesKey } from '@vm-sync/core';
import {
  diffRaw,
  noDifference,
  type RawSamples,
  type Series,
  startVictoriaMetrics,
  type VmServer,
  vmVersions,
} from '@vm-sync/testkit';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { copyLines, copyMissing, copyNative, nativeIsShared } from '../src/index.ts';
import { writeRemotely } from './remote-write.ts';
import { client, countsOf, hour, load, minute, printsOf, talliesBy } from './support.ts';

const day = 24 * hour;
const midnightMs = Math.floor(Date.now() / day) * day - day;
const window = { fromMs: midnightMs - hour, toMs: midnightMs };
const stepMs = 5 * minute;

const series = (at: string, ...offsets: number[]): Series => ({
  labels: { __name__: 'midnight', at },
  timestamps: offsets.map((offset) => midnightMs + offset),
  values: offsets.map((_, index) => index),
});

/** Those of which 1.79 knows nothing on the day before are overlooked by what ends at midnight (measured). */
const fixtures = [
  series('only at midnight', 0),
  series('from midnight on', 0, 1, minute, 2 * minute),
  series('until midnight', -minute, 0),
  series('over midnight', -minute, -1, 0, 1, minute),
  series('before', -1),
  series('after', 1),
];
/** Two at each instant, as a database without deduplication has them after a second import. */
const twice = series('twice', 0, 0, 1, 1);
const inside = fixtures.filter(({ labels }) => labels['at'] !== 'after');
const selectors = ['{__name__="midnight",at!="twice"}'];
const request = { selectors, window };

const within = (all: readonly Series[]): RawSamples =>
  new Map(
    all.map(({ labels, timestamps, values }) => {
      const kept = [...timestamps.keys()].filter((at) => (timestamps[at] as number) <= midnightMs);
      const cut = {
        labels,
        timestamps: kept.map((at) => timestamps[at] as number),
        values: kept.map((at) => values[at] as number),
      };
      return [JSON.stringify(Object.entries(labels).sort()), cut];
    }),
  );

describe.each(vmVersions)('windows that end at midnight UTC, %s', (version) => {
  let vm: VmServer;
  const marked: Labels = { __name__: 'marked' };
  beforeAll(async () => {
    vm = await startVictoriaMetrics({ version });
    await load(vm, fixtures);
    await load(vm, [
      { ...twice, timestamps: twice.timestamps.filter((_, at) => at % 2 === 0), values: [0, 0] },
    ]);
    await load(vm, [
      { ...twice, timestamps: twice.timestamps.filter((_, at) => at % 2 === 1), values: [0, 0] },
    ]);
    await writeRemotely(vm.url, { ...marked }, [
      [midnightMs, 1],
      [midnightMs + 1, undefined],
    ]);
    await vm.flush();
  });
  afterAll(() => vm.stop());

  const empty = async (): Promise<VmServer> => {
    const other = await startVictoriaMetrics({ version });
    onTestFinished(() => other.stop());
    return other;
  };

  test('counts per bucket see a series that begins there, and nothing behind', async () => {
    const found = await talliesBy('at', client(vm.url), {
      selector: selectors[0] as string,
      window,
      stepMs,
    });
    expect(Object.fromEntries(found)).toEqual(
      Object.fromEntries(inside.map((one) => [one.labels['at'], countsOf(one, window, stepMs)])),
    );
  });

  test.each([1_000, minute, hour, day, 16 * day])(
    'counts and totals in one bucket of %d ms',
    async (lengthMs) => {
      const database = client(vm.url);
      const asked = { selectors, window: { fromMs: midnightMs - lengthMs, toMs: midnightMs } };
      const expected = inside.flatMap((one) => {
        const [count = 0] = countsOf(one, asked.window, lengthMs);
        return count > 0 ? [[seriesKey(one.labels), count] as const] : [];
      });
      expect(await database.counts(asked)).toEqual(new Map(expected));
      const total = expected.reduce((sum, [, count]) => sum + count, 0);
      expect(await database.totalSamples(asked)).toBe(total);
    },
  );

  test('prints cover what is counted', async () => {
    const found = await printsOf(client(vm.url), {
      selector: selectors[0] as string,
      window,
      stepMs,
      slotMs: 15_000,
    });
    const occupied = [...found].map(([key, one]) => [key, one.occupied.at(-1)] as const);
    const last = { fromMs: midnightMs - stepMs, toMs: midnightMs };
    const slots = inside.map(({ labels, timestamps }) => {
      const own = timestamps.filter((time) => time > last.fromMs && time <= last.toMs);
      return [
        seriesKey(labels),
        new Set(own.map((time) => Math.ceil(time / 15_000))).size,
      ] as const;
    });
    expect(new Map(occupied)).toEqual(new Map(slots));
  });

  test('rows hold every sample up to midnight and none behind it', async () => {
    const database = client(vm.url);
    const rows = await database.timestamps(request);
    expect(new Map([...rows].map(([key, times]) => [key, [...times]]))).toEqual(
      new Map(
        inside.map(({ labels, timestamps }) => [
          seriesKey(labels),
          timestamps.filter((time) => time <= midnightMs),
        ]),
      ),
    );
    const doubled = await database.timestamps({ ...request, selectors: ['{at="twice"}'] });
    expect([...doubled.values()].map((times) => [...times])).toEqual([[midnightMs, midnightMs]]);
    const withMarker = await database.timestamps({
      ...request,
      selectors: ['{__name__="marked"}'],
    });
    expect([...withMarker.values()].map((times) => [...times])).toEqual([[midnightMs]]);
  });

  test.each([
    ['lines', copyLines],
    ['native blocks', copyNative],
    [
      'what is missing',
      (...[a, b, asked]: Parameters<typeof copyLines>) => copyMissing(a, b, new Map(), 0, asked),
    ],
  ] as const)(
    'a copy as %s brings every sample up to midnight and none behind it',
    async (_, copy) => {
      const [source, other] = [client(vm.url), await empty()];
      const moved = await copy(source.endpoint, client(other.url).endpoint, request);
      await other.flush();
      expect(diffRaw(within(inside), await other.export())).toEqual(noDifference);
      const samples = inside.flatMap(({ timestamps }) =>
        timestamps.filter((at) => at <= midnightMs),
      );
      expect(moved.samples ?? samples.length).toBe(samples.length);
      const again = client(other.url);
      // A series of which only what lies behind was exported has not come into being.
      expect(await again.labelValues('at', { selector: '{__name__="midnight"}', window })).toEqual(
        inside.map(({ labels }) => labels['at']).sort(),
      );
    },
  );

  test('native blocks of a series that begins there can be tried', async () => {
    const other = await empty();
    const asked = { selectors: ['{at="only at midnight"}'], window };
    const [source, destination] = [client(vm.url).endpoint, client(other.url).endpoint];
    expect(await nativeIsShared(source, destination, asked)).toBe(true);
    await other.flush();
    expect((await other.export()).size).toBe(0);
  });

  test('the next window holds what lies behind, and each sample is in one of both', async () => {
    const database = client(vm.url);
    const next = { fromMs: midnightMs, toMs: midnightMs + hour };
    const all = fixtures.reduce((sum, { timestamps }) => sum + timestamps.length, 0);
    const both = await Promise.all(
      [window, next].map((one) => database.totalSamples({ selectors, window: one })),
    );
    expect(both.reduce((sum, count) => sum + count)).toBe(all);
    const rows = await database.timestamps({ selectors, window: next });
    expect([...rows.values()].flatMap((times) => [...times]).every((at) => at > midnightMs)).toBe(
      true,
    );
  });
});

test.each(vmVersions)(
  'with deduplication the last sample of an interval that ends at midnight counts, %s',
  async (version) => {
    const vm = await startVictoriaMetrics({ version, dedup: '60s' });
    onTestFinished(() => vm.stop());
    await load(vm, [series('a', -30_000, -15_000, 0, 1, 15_000), series('b', 0, 1)]);
    const database = client(vm.url);
    const rows = await database.timestamps(request);
    expect([...rows.values()].map((times) => [...times])).toEqual([[midnightMs], [midnightMs]]);
    expect(await database.totalSamples(request)).toBe(2);
  },
);
