import { type Labels, seriesKey } from '@vm-sync/core';
import { startVictoriaMetrics, vmVersions } from '@vm-sync/testkit';
import { openDatabases } from '@vm-sync/victoria-metrics';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SiteDatabase } from '../src/ports.ts';
import { FakeDatabase } from './fake-database.ts';

const STEP_MS = 60_000;
const TO_MS = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 7_200_000;
const FROM_MS = TO_MS - 10 * STEP_MS;
const WINDOW = { fromMs: FROM_MS, toMs: TO_MS };

const SERIES = [
  { labels: { __name__: 'regular', job: 'a' }, timestamps: every(15_000) },
  {
    labels: { __name__: 'regular', job: 'b' },
    timestamps: every(15_000).filter((_, at) => at % 3),
  },
  {
    labels: { __name__: 'sparse', job: 'a' },
    timestamps: [FROM_MS, FROM_MS + 1, TO_MS, TO_MS + 1],
  },
  { labels: { __name__: 'dense', job: 'a' }, timestamps: every(250).slice(0, 400) },
  { labels: { __name__: 'elsewhere', job: 'a' }, timestamps: [FROM_MS - 5_000, TO_MS + 5_000] },
];

function every(intervalMs: number): number[] {
  return Array.from(
    { length: (10 * STEP_MS) / intervalMs },
    (_, at) => FROM_MS + (at + 1) * intervalMs,
  );
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const keysOf = (series: readonly { readonly labels: Labels }[]): string[] =>
  series.map(({ labels }) => seriesKey(labels));

/** What every database does that the steps are given. */
function contract(
  open: (dedup: string | undefined) => Promise<SiteDatabase>,
  dedupMs: number,
): void {
  let database: SiteDatabase;
  const reference = new FakeDatabase('primary', { dedupMs });
  for (const { labels, timestamps } of SERIES)
    reference.store(labels, timestamps, [...timestamps.keys()]);
  beforeAll(async () => {
    database = await open(dedupMs === 0 ? undefined : `${dedupMs}ms`);
  }, 60_000);

  const selector = '{__name__!="",job=~"a|b"}';
  const sorted = <T>(map: ReadonlyMap<string, T>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  const tallies = async (one: SiteDatabase) => {
    const found = new Map<string, Float64Array>();
    for await (const { labels, samples } of one.tally({
      selector,
      window: WINDOW,
      stepMs: STEP_MS,
    })) {
      found.set(seriesKey(labels), samples);
    }
    return sorted(found);
  };

  test('tallies count every sample in exactly one bucket', async () => {
    expect(await tallies(database)).toEqual(await tallies(reference));
  });

  test('prints have the same occupied slots, and the same digits up to rounding', async () => {
    for (const slotMs of dedupMs >= 1_000 ? [dedupMs] : [1_000, 10_000]) {
      const request = { selector, window: WINDOW, stepMs: STEP_MS, slotMs };
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
    const request = { selector, window: WINDOW, stepMs: STEP_MS };
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
    const rows = { selectors: ['{__name__="regular"}', '{job="a"}'], window: WINDOW };
    expect(sorted(await database.counts(rows))).toEqual(sorted(await reference.counts(rows)));
    expect(sorted(await database.timestamps(rows))).toEqual(
      sorted(await reference.timestamps(rows)),
    );
    const apart = { selectors: ['{__name__="regular"}', '{__name__="sparse"}'], window: WINDOW };
    for (const request of [apart, { selectors: [selector], window: WINDOW }]) {
      expect(await database.totalSamples(request)).toBe(await reference.totalSamples(request));
    }
  });

  test('sums, values and peaks are those of the samples that count', async () => {
    const found = new Map<string, Float64Array>();
    const expected = new Map<string, Float64Array>();
    const request = { selector, window: WINDOW, stepMs: STEP_MS };
    for await (const one of database.sums(request)) found.set(seriesKey(one.labels), one.sums);
    for await (const one of reference.sums(request)) expected.set(seriesKey(one.labels), one.sums);
    expect(sorted(found)).toEqual(sorted(expected));
    const rows = { selectors: ['{__name__="regular"}', '{job="a"}'], window: WINDOW };
    expect(sorted(await database.values(rows))).toEqual(sorted(await reference.values(rows)));
    expect(sorted(await database.peaks(rows))).toEqual(sorted(await reference.peaks(rows)));
  });

  test('lists of labels hold at least what is in the window', async () => {
    const request = { selector, window: WINDOW };
    expect(await database.labelValues('__name__', request)).toEqual(
      expect.arrayContaining(['regular', 'sparse', 'dense']),
    );
    expect(await database.labelNames(request)).toEqual(expect.arrayContaining(['__name__', 'job']));
  });
}

for (const dedupMs of [0, 60_000]) {
  describe(`fake, deduplication ${dedupMs} ms`, () => {
    contract(async () => {
      const fake = new FakeDatabase('primary', { dedupMs });
      for (const { labels, timestamps } of SERIES) {
        fake.store(labels, timestamps, [...timestamps.keys()]);
      }
      return fake;
    }, dedupMs);
  });

  describe.each(vmVersions)(`VictoriaMetrics %s, deduplication ${dedupMs} ms`, (version) => {
    const close: (() => Promise<unknown>)[] = [];
    afterAll(async () => {
      for (const one of close) await one();
    });
    contract(async (dedup) => {
      const server = await startVictoriaMetrics({ version, ...(dedup ? { dedup } : {}) });
      await server.import(
        SERIES.map((series) => ({ ...series, values: series.timestamps.map((_, at) => at) })),
      );
      await server.flush();
      const databases = openDatabases({ primary: { url: server.url }, dr: { url: server.url } });
      close.push(
        () => databases.primary.close(),
        () => databases.dr.close(),
        () => server.stop(),
      );
      return databases.primary;
    }, dedupMs);
  });
}
