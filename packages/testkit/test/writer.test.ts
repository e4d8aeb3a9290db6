import { expect, onTestFinished, test } from 'vitest';
import {
  countSamples,
  diffRaw,
  noDifference,
  type Series,
  seriesKey,
  startVictoriaMetrics,
  startWriter,
  until,
} from '../src/index.ts';

function raw(series: readonly Series[]): Map<string, Series> {
  return new Map(series.map((one) => [seriesKey(one.labels), one]));
}

test('both targets get everything but what was cut, and the books agree', async () => {
  const [a, b] = await Promise.all([
    startVictoriaMetrics({ version: 'oldest' }),
    startVictoriaMetrics({ version: 'newest' }),
  ]);
  onTestFinished(async () => {
    await a.stop();
    await b.stop();
  });
  const writer = startWriter({ targets: [a.url, b], seriesCount: 5, intervalMs: 20 });
  const samples = (target: number): number => countSamples(writer.delivered(target));
  await until('some samples', () => samples(0) > 20 && samples(1) > 20, { everyMs: 10 });
  writer.cut(1);
  const before = samples(0);
  await until('a gap', () => samples(0) > before + 50, { everyMs: 10 });
  writer.mend(1);
  const after = samples(1);
  await until('samples after the gap', () => samples(1) > after + 20, { everyMs: 10 });
  await writer.stop();

  await a.flush();
  await b.flush();
  const [inA, inB] = [await a.export(), await b.export()];
  expect(diffRaw(raw(writer.delivered(0)), inA)).toEqual(noDifference);
  expect(diffRaw(raw(writer.delivered(1)), inB)).toEqual(noDifference);
  expect(diffRaw(raw(writer.written()), inA)).toEqual(noDifference);
  expect(diffRaw(inA, inB).onlyA).toBeGreaterThanOrEqual(50);
});

test('a target that is down holds up nobody', async () => {
  const vm = await startVictoriaMetrics();
  onTestFinished(() => vm.stop());
  const writer = startWriter({
    targets: ['http://127.0.0.1:9', vm],
    seriesCount: 1,
    intervalMs: 10,
  });
  await until('samples', () => countSamples(writer.delivered(1)) > 5, { everyMs: 10 });
  await writer.stop();
  expect(countSamples(writer.delivered(0))).toBe(0);
});
