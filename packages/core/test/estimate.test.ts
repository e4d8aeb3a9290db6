import { expect, test } from 'vitest';
import { estimateCopy, measuredSpeed } from '../src/index.ts';

test('the speed of settled runs is theirs together; without any there is none', () => {
  const run = (tookMs: number, samplesCopied: number, bytesCopied: number) => ({
    createdMs: 5_000,
    settledMs: 5_000 + tookMs,
    samplesCopied,
    bytesCopied,
  });
  expect(measuredSpeed([])).toBeUndefined();
  const open = { ...run(0, 0, 0), settledMs: null };
  expect(measuredSpeed([open, run(1_000, 0, 0)])).toBeUndefined();
  expect(measuredSpeed([open, run(1_000, 3_000, 6_000), run(3_000, 1_000, 6_000)])).toEqual({
    runs: 2,
    samplesPerS: 1_000,
    bytesPerSample: 3,
  });
});

test('a copy is estimated by the speed of recent runs, and says so', () => {
  const speed = { runs: 3, samplesPerS: 1_100_000, bytesPerSample: 1.26 };
  expect(estimateCopy(3_300_000, speed, 'unused')).toEqual({
    bytes: 4_158_000,
    bytesBasis: '1.3 bytes a sample in the last 3 runs',
    takesMs: 3_000,
    timeBasis: '1.1 M samples/s in the last 3 runs',
  });
});

test('without a speed no time is promised, and the bytes are the most that it can be', () => {
  expect(estimateCopy(1_000, undefined, 'no repair has been measured yet')).toEqual({
    bytes: 20_000,
    bytesBasis: 'at the most: 20 bytes a sample as JSON lines; no repair has been measured yet',
    takesMs: null,
    timeBasis: 'no repair has been measured yet',
  });
});
