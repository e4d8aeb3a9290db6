import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import {
  diffRaw,
  exportRaw,
  filterSamples,
  importSeries,
  makeSeries,
  noDifference,
  type Series,
  seriesKey,
  startVictoriaMetrics,
  until,
  type VmServer,
  vmVersions,
} from '../src/index.ts';

const hour = 3_600_000;
const toMs = Math.floor(Date.now() / hour) * hour;
const fromMs = toMs - hour;

/** Series as `exportRaw` gives them. */
function raw(series: readonly Series[]): Map<string, Series> {
  return new Map(series.map((one) => [seriesKey(one.labels), one]));
}

describe.each(vmVersions)('VictoriaMetrics, %s', (version) => {
  let vm: VmServer;
  beforeAll(async () => {
    vm = await startVictoriaMetrics({ version });
  });
  afterAll(() => vm.stop());

  test('gives back every sample that was imported', async () => {
    const shape = { count: 20, names: ['one', 'two'], fromMs, toMs, stepMs: 15_000, jitterMs: 900 };
    const series = makeSeries(shape);
    await vm.import(series);
    await vm.flush();
    const stored = await exportRaw(vm.url, { fromMs: fromMs + 1, toMs });
    expect(diffRaw(raw(series), stored)).toEqual(noDifference);
    const twos = await exportRaw(vm.url, { match: ['two'], fromMs: fromMs + 1, toMs });
    expect(twos.size).toBe(10);
  });

  test('keeps infinities and odd labels', async () => {
    const labels = { __name__: 'odd', text: 'a"b\\c\nd\u2028e', path: '"values":[NaN]' };
    const values = [1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    const odd = { labels, timestamps: [toMs, toMs + 1, toMs + 2], values };
    const unnamed = { labels: { only: 'a label' }, timestamps: [toMs], values: [7] };
    await importSeries(vm.url, [odd, unnamed]);
    await vm.flush();
    const stored = await vm.export({ match: ['odd', '{__name__="",only!=""}'] });
    expect(diffRaw(raw([odd, unnamed]), stored)).toEqual(noDifference);
  });

  test('shows a sample that is stored twice', async () => {
    const series = makeSeries({ count: 1, names: ['twice'], fromMs, toMs, stepMs: 60_000 });
    await vm.import(series);
    await vm.import(series);
    await vm.flush();
    const stored = await vm.export({ match: ['twice'] });
    expect(diffRaw(raw(series), stored)).toEqual({ ...noDifference, duplicatesB: 60 });
  });

  test('keeps its data and port over a restart', async () => {
    const { pid, url } = vm;
    await vm.import(makeSeries({ count: 3, names: ['kept'], fromMs, toMs, stepMs: 60_000 }));
    await vm.restart();
    expect(vm.pid).not.toBe(pid);
    expect(vm.url).toBe(url);
    expect((await vm.export({ match: ['kept'] })).size).toBe(3);
  });

  test('deduplicates when told to', async () => {
    const one = await startVictoriaMetrics({ version, dedup: '1ms', pathPrefix: '/vm' });
    onTestFinished(() => one.stop());
    const series = makeSeries({ count: 1, fromMs, toMs, stepMs: 60_000 });
    await one.import(series);
    await one.import(series);
    await one.flush();
    expect(diffRaw(raw(series), await one.export())).toEqual(noDifference);
  });
});

test('a killed server refuses, a paused one does not answer, and both come back', async () => {
  const vm = await startVictoriaMetrics();
  onTestFinished(() => vm.stop());
  await vm.kill();
  await expect(fetch(`${vm.url}/health`)).rejects.toThrow('fetch failed');
  await vm.start();
  vm.pause();
  const slow = fetch(`${vm.url}/health`, { signal: AbortSignal.timeout(300) });
  await expect(slow).rejects.toThrow('timeout');
  vm.resume();
  await until('health', async () => (await fetch(`${vm.url}/health`)).ok);
});

test('a wrong flag is reported with what the server printed', async () => {
  const start = startVictoriaMetrics({ flags: ['-noSuchFlag'] });
  await expect(start).rejects.toThrow(/ended at once[\s\S]*noSuchFlag/);
});

test('differences are counted by sample', () => {
  const series = makeSeries({ count: 2, fromMs: 0, toMs: 10_000, stepMs: 1000 });
  const early = filterSamples(series, (time) => time <= 8000);
  const late = filterSamples(series, (time) => time > 3000);
  const changed = late.map((one) => ({ ...one, values: one.values.with(0, -1) }));
  const { examples, ...counts } = diffRaw(raw(early), raw(changed));
  expect(counts).toEqual({ onlyA: 6, onlyB: 4, differing: 2, duplicatesA: 0, duplicatesB: 0 });
  expect(examples).toHaveLength(5);
});
