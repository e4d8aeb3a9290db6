import { formatSelector, selectorOf, seriesKey } from '@vm-sync/core';
import {
  makeSeries,
  type Series,
  startVictoriaMetrics,
  type VmServer,
  vmVersions,
} from '@vm-sync/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { client, collect, countsOf, hour, load, minute, talliesBy, topMs } from './support.ts';

const stepMs = 5 * minute;
const window = { fromMs: topMs - hour, toMs: topMs };

/** Series with samples at random milliseconds in and around the window, from dense to a single one. */
const ragged = fc.sample(
  fc.uniqueArray(fc.integer({ min: -stepMs, max: hour + stepMs }), { maxLength: 200 }),
  { numRuns: 30, seed: 7 },
);
const raggedSeries: Series[] = ragged.map((offsets, index) => {
  const timestamps = offsets.map((offset) => window.fromMs + offset).sort((a, b) => a - b);
  return {
    labels: { __name__: 'ragged', n: String(index) },
    timestamps,
    values: timestamps.map((_, at) => at),
  };
});

const at = (name: string, ...timestamps: number[]): Series => ({
  labels: { __name__: 'edge', at: name },
  timestamps,
  values: timestamps.map(() => 1),
});

const edges: Series[] = [
  at('before from', window.fromMs - 1),
  at('from', window.fromMs),
  at('after from', window.fromMs + 1),
  at('before inner end', window.fromMs + stepMs - 1),
  at('inner end', window.fromMs + stepMs),
  at('after inner end', window.fromMs + stepMs + 1),
  at('before to', window.toMs - 1),
  at('to', window.toMs),
  at('after to', window.toMs + 1),
];

describe.each(vmVersions)('counts, %s', (version) => {
  let vm: VmServer;
  beforeAll(async () => {
    vm = await startVictoriaMetrics({ version });
    const regular = { fromMs: window.fromMs, toMs: window.toMs, stepMs: 15_000 };
    await load(vm, [
      ...raggedSeries.filter(({ timestamps }) => timestamps.length > 0),
      ...edges,
      ...makeSeries({ count: 3, names: ['regular'], ...regular }),
      { labels: { only: 'a label' }, timestamps: [window.toMs], values: [1] },
    ]);
  });
  afterAll(() => vm.stop());

  test('every bucket of sparse and dense series is counted exactly', async () => {
    const found = await talliesBy('n', client(vm.url), {
      selector: '{__name__="ragged"}',
      window,
      stepMs,
    });
    const expected = raggedSeries
      .map((series) => [series.labels['n'], countsOf(series, window, stepMs)] as const)
      .filter(([, counts]) => counts.some((count) => count > 0));
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));
  });

  test('a window is open at its beginning and closed at its end', async () => {
    const database = client(vm.url);
    const request = { selector: '{__name__="edge"}', window };
    const found = await talliesBy('at', database, { ...request, stepMs });
    const expected = edges
      .map((series) => [series.labels['at'], countsOf(series, window, stepMs)] as const)
      .filter(([, counts]) => counts.some((count) => count > 0));
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));

    const inside = edges.filter(
      ({ timestamps: [time = 0] }) => time > window.fromMs && time <= window.toMs,
    );
    const rows = await database.timestamps({ selectors: [request.selector], window });
    expect(new Map([...rows].map(([key, times]) => [key, [...times]]))).toEqual(
      new Map(inside.map(({ labels, timestamps }) => [seriesKey(labels), timestamps])),
    );
    expect(await database.totalSamples(request)).toBe(inside.length);
  });

  test('neighbouring windows count every sample once', async () => {
    const database = client(vm.url);
    const selector = '{__name__="ragged"}';
    let inParts = 0;
    for (let fromMs = window.fromMs; fromMs < window.toMs; fromMs += stepMs) {
      inParts += await database.totalSamples({
        selector,
        window: { fromMs, toMs: fromMs + stepMs },
      });
    }
    expect(inParts).toBe(await database.totalSamples({ selector, window }));
    const all = raggedSeries.flatMap((series) => countsOf(series, window, stepMs));
    expect(inParts).toBe(all.reduce((sum, count) => sum + count, 0));
  });

  test('a window without samples has no series', async () => {
    const request = {
      selector: '{__name__!=""}',
      window: { fromMs: window.fromMs - 100 * hour, toMs: window.fromMs - 99 * hour },
    };
    const database = client(vm.url);
    expect(await collect(database.tally({ ...request, stepMs }))).toEqual([]);
    expect(await database.totalSamples(request)).toBe(0);
    const rows = { selectors: [request.selector], window: request.window };
    expect(await database.counts(rows)).toEqual(new Map());
    expect(await database.prints({ ...request, stepMs, slotMs: 15_000 })).toEqual(new Map());
    expect(
      await database.timestamps({ selectors: [request.selector], window: request.window }),
    ).toEqual(new Map());
  });

  test('counts of every series, each once, through any number of overlapping selectors', async () => {
    const database = client(vm.url);
    const known = [...edges, ...raggedSeries].filter((one) => countsOf(one, window, hour)[0] !== 0);
    const expected = new Map(
      known.map((one) => [seriesKey(one.labels), countsOf(one, window, hour)[0]]),
    );
    const exact = known.map((one) => formatSelector(selectorOf(one.labels)));
    // More text than one query may have (16 KiB), so that it is asked in several.
    const many = Array.from({ length: 40 }, () => exact).flat();
    const found = await database.counts({
      selectors: ['{__name__=~"edge|ragged"}', ...many],
      window,
    });
    expect(found).toEqual(expected);
  });

  test('whoever stops listening in the middle leaves nothing behind', async () => {
    const database = client(vm.url);
    for (let round = 0; round < 20; round++) {
      for await (const _ of database.tally({ selector: '{__name__!=""}', window, stepMs })) break;
    }
    expect(await database.totalSamples({ selector: '{__name__="regular"}', window })).toBe(720);
  });

  test('a window that is no whole number of buckets is refused, not miscounted', async () => {
    const database = client(vm.url);
    const odd = { fromMs: window.fromMs, toMs: window.toMs - 1 };
    await expect(
      collect(database.tally({ selector: '{__name__!=""}', window: odd, stepMs })),
    ).rejects.toThrow(RangeError);
    await expect(
      database.prints({ selector: '{__name__!=""}', window: odd, stepMs, slotMs: 15_000 }),
    ).rejects.toThrow(RangeError);
  });
});

describe.each(vmVersions)('counts with deduplication, %s', (version) => {
  let vm: VmServer;
  beforeAll(async () => {
    vm = await startVictoriaMetrics({ version, dedup: '60s' });
  });
  afterAll(() => vm.stop());

  test('one sample counts in each interval, however often it was imported', async () => {
    const shape = { count: 5, names: ['often'], fromMs: window.fromMs, toMs: window.toMs };
    const series = makeSeries({ ...shape, stepMs: 15_000, jitterMs: 9_000 });
    await load(vm, series);
    await load(vm, series);
    const database = client(vm.url);
    const request = { selector: '{__name__="often"}', window, stepMs };
    const found = await talliesBy('instance', database, request);
    expect([...found.values()]).toEqual(series.map(() => new Array(12).fill(5)));
    const prints = await database.prints({ ...request, slotMs: minute });
    for (const { labels } of series) {
      expect([...(prints.get(seriesKey(labels))?.occupied ?? [])]).toEqual(new Array(12).fill(5));
    }
  });
});
