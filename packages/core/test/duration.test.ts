import { expect, test } from 'vitest';
import { formatDuration, parseDurationMs } from '../src/index.ts';

test.each<[string, number | undefined]>([
  ['90', 90_000],
  ['1.5', 1_500],
  ['0', 0],
  ['90s', 90_000],
  [' 2m ', 120_000],
  ['1h30m', 5_400_000],
  ['90d', 7_776_000_000],
  ['1w', 604_800_000],
  ['1y', 31_536_000_000],
  ['250ms', 250],
  ['1m500ms', 60_500],
  ['1.5h', 5_400_000],
  ['1m0s', 60_000],
  ['', undefined],
  ['-5', undefined],
  ['5 m', undefined],
  ['5M', undefined],
  ['five', undefined],
  ['1e3', undefined],
  ['Infinity', undefined],
  ['1h30', undefined],
  ['s', undefined],
  // No date reaches so far.
  ['99999999999y', undefined],
  ['9'.repeat(400), undefined],
])('%j is %s ms', (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms);
});

test.each([
  [0, '0ms'],
  [40, '40ms'],
  [999.6, '1000ms'],
  [1_000, '1s'],
  [1_500, '1.5s'],
  [59_999, '1m'],
  [250_000, '4m 10s'],
  [90_000_000, '1d 1h'],
  [86_400_000, '1d'],
  [86_399_999, '1d'],
])('%i ms are %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});
