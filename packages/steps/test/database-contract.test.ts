import {
  deviceGroups,
  formatSelector,
  type Labels,
  makeWindow,
  seriesKey,
  type Window,
} from '@vm-sync/core';
import { startVictoriaMetrics, vmVersions } from '@vm-sync/testkit';
import { openDatabases } from '@vm-sync/victoria-metrics';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SiteDatabase } from '../src/ports.ts';
import { FakeDatabase } from './fake-database.ts';

const STEP_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Windows end here: at a full hour of any day, and at midnight, where 1.79 looks for series in the day before. */
const ENDS = {
  'a full hour': Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 2 * HOUR_MS,
  midnight: Math.floor(Date.now() / DAY_MS) * DAY_MS,
};

const windowTo = (toMs: number): Window => makeWindow(toMs - 10 * STEP_MS, toMs);

function seriesAround({ fromMs, toMs }: Window) {
  const every = (intervalMs: number) =>
    Array.from({ length: (toMs - fromMs) / intervalMs }, (_, at) => fromMs + (at + 1) * intervalMs);
  return [
    { labels: { __name__: 'regular', job: 'a' }, timestamps: every(15_000) },
    {
      labels: { __name__: 'regular', job: 'b' },
      timestamps: every(15_000).filter((_, at) => at % 3),
    },
    { labels: { __name__: 'sparse', job: 'a' }, timestamps: [fromMs, fromMs + 1, toMs, toMs + 1] },
    { labels: { __name__: 'begins', job: 'a' }, timestamps: [toMs] },
    { labels: { __name__: 'begins', job: 'b' }, timestamps: [toMs, toMs + 1, toMs + 15_000] },
    { labels: { __name__: 'dense', job: 'a' }, timestamps: every(250).slice(0, 400) },
    { labels: { __name__: 'jobless one', x: 'a' }, timestamps: every(30_000) },
    { labels: { __name__: 'jobless one', x: 'b' }, timestamps: [toMs] },
    { labels: { __name__: 'elsewhere', job: 'a' }, timestamps: [fromMs - 5_000, toMs + 5_000] },
  ];
}

/** By job, and by name what has none. */
const byJob = deviceGroups([{ label: '__name__', operator: '!=', value: '' }], ['job']).map(
  ({ label, selector }) => ({ label, selector: formatSelector(selector) }),
);

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const keysOf = (series: readonly { readonly labels: Labels }[]): string[] =>
  series.map(({ labels }) => seriesKey(labels));

/** What every database does that the steps are given. */
function contract(
  open: (series: ReturnType<typeof seriesAround>, dedupMs: number) => Promise<SiteDatabase>,
  { window, dedupMs }: { window: Window; dedupMs: number },
): void {
  let database: SiteDatabase;
  const series = seriesAround(window);
  const reference = fakeWith(series, dedupMs);
  beforeAll(async () => {
    database = await open(series, dedupMs);
  }, 60_000);

  const selector = '{__name__!="",job=~"a|b"}';
  const sorted = <T>(map: ReadonlyMap<string, T>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  const tallies = async (one: SiteDatabase) => {
    const found = new Map<string, Float64Array>();
    for await (const { labels, samples } of one.tally({
      selector,
      window,
      stepMs: STEP_MS,
    })) {
      found.set(seriesKey(labels), samples);
    }
    return sorted(found);
  };

  test('tallies count every sample in exactly one bucket', async () => {
    expect(await tallies(database)).toEqual(await tallies(reference));
  });

  test('the newest sample is the last one in the window, of all selectors', async () => {
    const { fromMs, toMs } = window;
    const [late, before] = ['{__name__="sparse"}', '{__name__="regular",job="b"}'];
    const windows = [
      window,
      { fromMs, toMs: toMs - STEP_MS - 1 },
      { fromMs: toMs + 60_000, toMs: toMs + 120_000 },
    ];
    for (const looked of windows) {
      for (const selectors of [[late], [before], [before, late], ['{__name__="absent"}']]) {
        const request = { selectors, window: looked };
        expect(await database.newestSample(request)).toBe(await reference.newestSample(request));
      }
    }
    expect(await database.newestSample({ selectors: [late], window })).toBe(toMs);
  });

  test('prints have the same occupied slots, and the same digits up to rounding', async () => {
    for (const slotMs of dedupMs >= 1_000 ? [dedupMs] : [1_000, 10_000]) {
      const request = { selector, window, stepMs: STEP_MS, slotMs };
      const own = await collect(database.prints(request));
      const expected = await collect(reference.prints(request));
      expect(keysOf(own)).toEqual(keysOf(expected));
      for (const [index, { occupied, print }] of expected.entries()) {
        expect(own[index]?.occupied).toEqual(occupied);
        for (const [at, sum] of print.entries()) {
          expect(own[index]?.print[at]).toBeCloseTo(sum, 8);
        }
      }
    }
  });

  test('series come in one order, under the text by which they are known, with the same each time', async () => {
    const request = { selector, window, stepMs: STEP_MS };
    const tallied = await collect(database.tally(request));
    const printed = await collect(database.prints({ ...request, slotMs: 10_000 }));
    expect(keysOf(tallied)).toEqual(keysOf(await collect(reference.tally(request))));
    expect(keysOf(printed)).toEqual(keysOf(tallied));
    const texts = tallied.map(({ metric }) => metric);
    expect(printed.map(({ metric }) => metric)).toEqual(texts);
    expect(new Set(texts).size).toBe(texts.length);
    const again = await collect(database.prints({ ...request, slotMs: 10_000 }));
    expect(again.map(({ printText }) => printText)).toEqual(
      printed.map(({ printText }) => printText),
    );
  });

  test('counts, totals and rows agree with one another', async () => {
    const rows = { selectors: ['{__name__="regular"}', '{job="a"}'], window };
    expect(sorted(await database.counts(rows))).toEqual(sorted(await reference.counts(rows)));
    expect(sorted(await database.timestamps(rows))).toEqual(
      sorted(await reference.timestamps(rows)),
    );
    const apart = { selectors: ['{__name__="regular"}', '{__name__="sparse"}'], window };
    for (const request of [apart, { selectors: [selector], window }]) {
      expect(await database.totalSamples(request)).toBe(await reference.totalSamples(request));
    }
  });

  test('counts by a label, and of all, are those of the tallies', async () => {
    const request = { selector, window, stepMs: STEP_MS };
    for (const label of ['job', '__name__', 'absent', undefined]) {
      const own = await database.countsBy(label, request);
      expect(sorted(own)).toEqual(sorted(await reference.countsBy(label, request)));
    }
  });

  test('sums, values and peaks are those of the samples that count', async () => {
    const found = new Map<string, Float64Array>();
    const expected = new Map<string, Float64Array>();
    const request = { selector, window, stepMs: STEP_MS };
    for await (const one of database.sums(request)) found.set(seriesKey(one.labels), one.sums);
    for await (const one of reference.sums(request)) expected.set(seriesKey(one.labels), one.sums);
    expect(sorted(found)).toEqual(sorted(expected));
    const rows = { selectors: ['{__name__="regular"}', '{job="a"}'], window };
    expect(sorted(await database.values(rows))).toEqual(sorted(await reference.values(rows)));
    expect(sorted(await database.peaks(rows))).toEqual(sorted(await reference.peaks(rows)));
  });

  test('series and samples by device are those of the samples that count', async () => {
    const request = { groups: byJob, window };
    const sortedCounts = async (one: SiteDatabase) =>
      (await one.deviceCounts(request)).sort((a, b) => (a.name < b.name ? -1 : 1));
    const expected = await sortedCounts(reference);
    expect(expected.map(({ label, name }) => [label, name])).toEqual([
      ['job', 'a'],
      ['job', 'b'],
      ['__name__', 'jobless one'],
    ]);
    expect(await sortedCounts(database)).toEqual(expected);
  });

  test('lists of labels hold at least what is in the window', async () => {
    const request = { selector, window };
    expect(await database.labelValues('__name__', request)).toEqual(
      expect.arrayContaining(['regular', 'sparse', 'begins', 'dense']),
    );
    expect(await database.labelNames(request)).toEqual(expect.arrayContaining(['__name__', 'job']));
  });
}

function fakeWith(series: ReturnType<typeof seriesAround>, dedupMs: number): FakeDatabase {
  const fake = new FakeDatabase('primary', { dedupMs });
  for (const { labels, timestamps } of series) {
    fake.store(labels, timestamps, [...timestamps.keys()]);
  }
  return fake;
}

const close: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const one of close) await one();
});

const cases = Object.entries(ENDS).flatMap(([end, toMs]) =>
  [0, 60_000].map((dedupMs) => ({ end, dedupMs, window: windowTo(toMs) })),
);

describe.each(cases)('a window to $end, deduplication $dedupMs ms', (one) => {
  describe('fake', () => contract(async (...of) => fakeWith(...of), one));

  describe.each(vmVersions)('VictoriaMetrics %s', (version) => {
    contract(async (series, dedupMs) => {
      const dedup = dedupMs === 0 ? {} : { dedup: `${dedupMs}ms` };
      const server = await startVictoriaMetrics({ version, ...dedup });
      close.push(() => server.stop());
      await server.import(
        series.map((of) => ({ ...of, values: of.timestamps.map((_, at) => at) })),
      );
      await server.flush();
      const databases = openDatabases({ primary: { url: server.url }, dr: { url: server.url } });
      close.unshift(
        () => databases.primary.close(),
        () => databases.dr.close(),
      );
      return databases.primary;
    }, one);
  });
});
