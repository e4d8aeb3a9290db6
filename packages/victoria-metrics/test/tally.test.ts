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
import {
  client,
  collect,
  countsOf,
  hour,
  load,
  minute,
  printsOf,
  talliesBy,
  topMs,
} from './support.ts';

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
    expect(await database.totalSamples({ selectors: [request.selector], window })).toBe(
      inside.length,
    );
  });

  test('neighbouring windows count every sample once', async () => {
    const database = client(vm.url);
    const selector = '{__name__="ragged"}';
    let inParts = 0;
    for (let fromMs = window.fromMs; fromMs < window.toMs; fromMs += stepMs) {
      inParts += await database.totalSamples({
        selectors: [selector],
        window: { fromMs, toMs: fromMs + stepMs },
      });
    }
    expect(inParts).toBe(await database.totalSamples({ selectors: [selector], window }));
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
    const rows = { selectors: [request.selector], window: request.window };
    expect(await database.totalSamples(rows)).toBe(0);
    expect(await database.counts(rows)).toEqual(new Map());
    expect(await collect(database.prints({ ...request, stepMs, slotMs: 15_000 }))).toEqual([]);
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

  test('totals of any number of selectors, each summed by itself', async () => {
    const database = client(vm.url);
    const total = (...selectors: string[]) => database.totalSamples({ selectors, window });
    const [edge, raggeds, regular] = await Promise.all(
      ['edge', 'ragged', 'regular'].map((name) => total(`{__name__="${name}"}`)),
    );
    expect(regular).toBe(720);
    expect(await total('{__name__="edge"}', '{__name__="nobody"}', '{__name__="ragged"}')).toBe(
      (edge ?? 0) + (raggeds ?? 0),
    );
    expect(await total('{__name__="nobody"}', '{__name__="nothing"}')).toBe(0);
    // More text than one query may have (16 KiB), so that it is asked in several.
    const many = Array.from(
      { length: 300 },
      () => '{__name__="regular",instance!="no such thing"}',
    );
    expect(await total(...many)).toBe(300 * 720);
    expect(await total('{only!=""}', '{__name__="regular"}')).toBe(721);
  });

  test('series with the same counts share them', async () => {
    const request = { selector: '{__name__="regular"}', window, stepMs };
    const tallied = await collect(client(vm.url).tally(request));
    expect(tallied).toHaveLength(3);
    expect(new Set(tallied.map(({ samples }) => samples)).size).toBe(1);
    expect(new Set(tallied.map(({ metric }) => metric)).size).toBe(3);
  });

  test('whoever stops listening in the middle leaves nothing behind', async () => {
    const database = client(vm.url);
    for (let round = 0; round < 20; round++) {
      for await (const _ of database.tally({ selector: '{__name__!=""}', window, stepMs })) break;
    }
    expect(await database.totalSamples({ selectors: ['{__name__="regular"}'], window })).toBe(720);
  });

  test('a window that is no whole number of buckets is refused, not miscounted', async () => {
    const database = client(vm.url);
    const odd = { fromMs: window.fromMs, toMs: window.toMs - 1 };
    await expect(
      collect(database.tally({ selector: '{__name__!=""}', window: odd, stepMs })),
    ).rejects.toThrow(RangeError);
    await expect(
      collect(database.prints({ selector: '{__name__!=""}', window: odd, stepMs, slotMs: 15_000 })),
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
    const prints = await printsOf(database, { ...request, slotMs: minute });
    for (const { labels } of series) {
      expect(prints.get(seriesKey(labels))?.occupied).toEqual(new Array(12).fill(5));
    }
  });
});
