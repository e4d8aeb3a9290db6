import { type Labels, seriesKey } from '@vm-sync/core';
import {
  diffRaw,
  filterSamples,
  makeSeries,
  noDifference,
  type RawSamples,
  type Series,
  startVictoriaMetrics,
  type VmServer,
  type VmVersion,
  vmVersions,
} from '@vm-sync/testkit';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { copyLines, copyMissing, copyNative } from '../src/index.ts';
import { writeRemotely } from './remote-write.ts';
import { client, everything, hour, load, minute, topMs, versionPairs } from './support.ts';

const window = { fromMs: topMs - hour, toMs: topMs };
const edgesOf = ({ fromMs, toMs }: typeof window) => [
  fromMs - 1,
  fromMs,
  fromMs + 1,
  toMs - 1,
  toMs,
  toMs + 1,
];

const regular = makeSeries({
  count: 9,
  names: ['one', 'two', 'three'],
  fromMs: window.fromMs - hour,
  toMs: window.toMs + hour,
  stepMs: 15_000,
  jitterMs: 900,
});
/** More than one line of an export holds. */
const dense = makeSeries({
  count: 1,
  names: ['dense'],
  fromMs: window.fromMs,
  toMs: window.toMs,
  stepMs: 300,
});
const edges: Series = {
  labels: { __name__: 'edge' },
  timestamps: edgesOf(window),
  values: edgesOf(window).map((_, at) => at),
};
const infinite: Series = {
  labels: { __name__: 'infinite' },
  timestamps: [0, 1, 2, 3].map((at) => topMs - at * minute).reverse(),
  values: [1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2],
};
const stale: Labels = { __name__: 'stale', kind: 'marked' };
const onlyStale: Labels = { __name__: 'stale', kind: 'markers only' };
const fixtures = [...regular, ...dense, edges, infinite];
const isStale = (value: number | undefined): boolean => Number.isNaN(value);

/** What a copy of the window must have brought: everything in `(from, to]`, without staleness markers. */
async function wanted(vm: VmServer): Promise<RawSamples> {
  const stored = await vm.export({ fromMs: window.fromMs + 1, toMs: window.toMs });
  const counted = [...stored.values()].map(({ labels, timestamps, values }) => {
    const kept = timestamps.flatMap((_, at) => (isStale(values[at]) ? [] : [at]));
    return {
      labels,
      timestamps: kept.map((at) => timestamps[at] as number),
      values: kept.map((at) => values[at] as number),
    };
  });
  return raw(counted.filter(({ timestamps }) => timestamps.length > 0));
}

const raw = (series: readonly Series[]): RawSamples =>
  new Map(series.map((one) => [JSON.stringify(Object.entries(one.labels).sort()), one]));

describe('copies', () => {
  const sources: VmServer[] = [];
  const sourceOf = (version: VmVersion) => sources[vmVersions.indexOf(version)] as VmServer;
  beforeAll(async () => {
    for (const version of vmVersions) {
      const vm = await startVictoriaMetrics({ version });
      sources.push(vm);
      await load(vm, fixtures);
      const marked = [0, 1, 2, 3, 4].map(
        (at) => [topMs - (4 - at) * minute, at % 2 ? undefined : at] as const,
      );
      await writeRemotely(vm.url, { ...stale }, marked);
      await writeRemotely(vm.url, { ...onlyStale }, [[topMs - minute, undefined]]);
      await vm.flush();
      const stored = await vm.export({ match: ['stale'] });
      expect([...stored.values()].flatMap(({ values }) => values.filter(isStale))).toHaveLength(3);
    }
  });
  afterAll(() => Promise.all(sources.map((vm) => vm.stop())));

  const emptyServer = async (version: VmVersion): Promise<VmServer> => {
    const vm = await startVictoriaMetrics({ version });
    onTestFinished(() => vm.stop());
    return vm;
  };

  describe.each(versionPairs)('%s to %s', (from, to) => {
    test('as lines: every sample of the window, nothing else, and the count is told', async () => {
      const [source, vm] = [sourceOf(from), await emptyServer(to)];
      const expected = await wanted(source);
      let heard = 0;
      let heardSamples = 0;
      const moved = await copyLines(client(source.url).endpoint, client(vm.url).endpoint, {
        selectors: [everything],
        window,
        onBytes: (bytes, samples = 0) => {
          heard += bytes;
          heardSamples += samples;
        },
      });
      await vm.flush();
      const stored = await vm.export();
      expect(diffRaw(expected, stored, { valueTolerance: 1e-9 })).toEqual(noDifference);
      expect(moved.samples).toBe(total(expected));
      expect(heardSamples).toBe(moved.samples);
      expect(moved.bytes).toBe(heard);
      expect(moved.bytes).toBeGreaterThan(0);
    });

    test('by difference into a part of it: what lacks comes, nothing comes twice, and again adds nothing', async () => {
      const [source, vm] = [sourceOf(from), await emptyServer(to)];
      const expected = await wanted(source);
      const part = filterSamples([...expected.values()], (time, labels) => {
        if (labels['__name__'] === 'three') return false;
        return labels['__name__'] === 'edge' || Math.floor(time / 100) % 3 !== 0;
      });
      const finite = part.filter(({ labels }) => labels['__name__'] !== 'infinite');
      await load(vm, finite);
      const database = client(vm.url);
      const request = { selectors: [everything], window };
      const copy = async () =>
        copyMissing(
          client(source.url).endpoint,
          database.endpoint,
          await database.timestamps(request),
          0,
          request,
        );
      const moved = await copy();
      await vm.flush();
      const stored = await vm.export();
      expect(diffRaw(expected, stored)).toEqual(noDifference);
      expect(moved.samples).toBe(total(expected) - total(raw(finite)));
      expect(await copy()).toEqual({ bytes: 0, samples: 0 });
      await vm.flush();
      expect(diffRaw(expected, await vm.export())).toEqual(noDifference);
    });
  });

  test.each(vmVersions)(
    'as native blocks, %s: every sample and staleness marker of the window',
    async (version) => {
      const [source, vm] = [sourceOf(version), await emptyServer(version)];
      const moved = await copyNative(client(source.url).endpoint, client(vm.url).endpoint, {
        selectors: [everything],
        window,
      });
      await vm.flush();
      const there = await source.export({ fromMs: window.fromMs + 1, toMs: window.toMs });
      expect(diffRaw(there, await vm.export())).toEqual(noDifference);
      expect(moved.samples).toBeUndefined();
      expect(moved.bytes).toBeGreaterThan(16);
    },
  );

  test.each(vmVersions)('of nothing, %s: nothing is written', async (version) => {
    const [source, vm] = [sourceOf(version), await emptyServer(version)];
    const [a, b] = [client(source.url).endpoint, client(vm.url).endpoint];
    const request = { selectors: ['{__name__="nobody"}'], window };
    expect(await copyLines(a, b, request)).toEqual({ bytes: 0, samples: 0 });
    expect((await copyNative(a, b, request)).bytes).toBeLessThanOrEqual(16);
    expect(await copyMissing(a, b, new Map(), 0, request)).toEqual({ bytes: 0, samples: 0 });
    await vm.flush();
    expect((await vm.export()).size).toBe(0);
  });

  test.each(vmVersions)(
    'by difference, %s: a source that holds samples several times sends each once',
    async (version) => {
      const [source, vm] = [await emptyServer(version), await emptyServer(version)];
      const series = makeSeries({ count: 1, names: ['thrice'], ...window, stepMs: 300 });
      // Three of each: the longest line that an export makes ends in the middle of three.
      for (let round = 0; round < 3; round++) await load(source, series);
      expect(total(await source.export())).toBe(3 * 12_000);
      const request = { selectors: [everything], window };
      const moved = await copyMissing(
        client(source.url).endpoint,
        client(vm.url).endpoint,
        new Map(),
        0,
        request,
      );
      await vm.flush();
      expect(diffRaw(raw(series), await vm.export())).toEqual(noDifference);
      expect(moved.samples).toBe(12_000);
    },
  );

  test.each(vmVersions)(
    'by difference, %s: one sample of a deduplication interval stands for all',
    async (version) => {
      const vm = await startVictoriaMetrics({ version, dedup: '60s' });
      onTestFinished(() => vm.stop());
      const early = makeSeries({
        count: 1,
        names: ['slots'],
        fromMs: window.fromMs,
        toMs: window.toMs,
        stepMs: minute,
        jitterMs: 30_000,
      });
      const source = await emptyServer(version);
      await load(source, early);
      const half = filterSamples(early, (time) => time <= window.fromMs + hour / 2).map((one) => ({
        ...one,
        // The same interval, another instant.
        timestamps: one.timestamps.map((time) => Math.ceil(time / minute) * minute),
      }));
      await load(vm, half);
      const database = client(vm.url);
      const request = { selectors: [everything], window };
      const present = await database.timestamps(request);
      const moved = await copyMissing(
        client(source.url).endpoint,
        database.endpoint,
        present,
        minute,
        request,
      );
      expect(moved.samples).toBe(30);
      await vm.flush();
      expect(await database.totalSamples(request)).toBe(60);
    },
  );

  test.each(vmVersions)(
    'several selectors that meet the same series bring it once, %s',
    async (version) => {
      const [source, vm] = [sourceOf(version), await emptyServer(version)];
      const request = {
        selectors: ['{__name__="one"}', '{__name__=~"one|two"}', '{instance!=""}'],
        window,
      };
      await copyMissing(
        client(source.url).endpoint,
        client(vm.url).endpoint,
        new Map(),
        0,
        request,
      );
      await vm.flush();
      const stored = await vm.export();
      expect(
        [...stored.values()].every(
          ({ timestamps }) => new Set(timestamps).size === timestamps.length,
        ),
      ).toBe(true);
      expect(stored.size).toBe(10);
    },
  );

  test.each([
    ['lines', copyLines],
    ['native blocks', copyNative],
  ] as const)(
    'several selectors as %s: all that they meet, once, and nothing else',
    async (_, copy) => {
      const [source, vm] = [sourceOf('newest'), await emptyServer('newest')];
      const request = {
        selectors: ['{__name__="one"}', '{__name__="edge"}', '{__name__=~"on."}'],
        window,
      };
      await copy(client(source.url).endpoint, client(vm.url).endpoint, request);
      await vm.flush();
      const expected = [...(await wanted(source)).values()].filter(({ labels }) =>
        ['one', 'edge'].includes(labels['__name__'] ?? ''),
      );
      expect(expected).toHaveLength(4);
      expect(diffRaw(raw(expected), await vm.export())).toEqual(noDifference);
    },
  );

  test.each(vmVersions)('staleness markers are no samples, %s', async (version) => {
    const database = client(sourceOf(version).url);
    const request = { selectors: ['{__name__="stale"}'], window };
    const rows = await database.timestamps(request);
    expect(rows.get(seriesKey(stale))).toHaveLength(3);
    expect(rows.get(seriesKey(onlyStale)) ?? []).toHaveLength(0);
    expect(await database.totalSamples(request)).toBe(3);
  });
});

function total(samples: RawSamples): number {
  let count = 0;
  for (const { timestamps } of samples.values()) count += timestamps.length;
  return count;
}
