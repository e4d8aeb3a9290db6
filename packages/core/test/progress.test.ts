import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  backfillShare,
  type FinishedChunk,
  formatAmount,
  formatProgress,
  formatShare,
  makeWindow,
  progressOf,
} from '../src/index.ts';

const nowMs = 1_000_000;
const work = { beganMs: nowMs - 300_000, chunks: 4, samplesPlanned: 4_000_000 };
const chunk = (ageMs: number, more: Partial<FinishedChunk> = {}): FinishedChunk => ({
  atMs: nowMs - ageMs,
  planned: 1_000_000,
  samples: 1_000_000,
  bytes: 2_000_000,
  ...more,
});

describe('progress', () => {
  test('before the first chunk is done nothing is reckoned', () => {
    const progress = progressOf(work, [], nowMs);
    expect(progress).toMatchObject({ share: 0, samplesPerS: null, leftMs: null });
    expect(formatProgress(progress)).toBe(
      '0 of 4 chunks, 0 %, time left unknown (4 M samples left; no chunk is done yet)',
    );
  });

  test('the time left comes from the rate of the last minute, and says so', () => {
    const progress = progressOf(work, [chunk(200_000), chunk(30_000)], nowMs);
    expect(progress).toMatchObject({ chunksDone: 2, samplesDone: 2_000_000, share: 0.5 });
    expect(progress.samplesPerS).toBeCloseTo(1_000_000 / 60);
    expect(progress.bytesPerS).toBeCloseTo(2_000_000 / 60);
    expect(formatProgress(progress)).toBe(
      '2 of 4 chunks, 50 %, 2m left (2 M samples left at 17 k/s over the last 1m)',
    );
  });

  test('work younger than a minute is reckoned over its own age', () => {
    const young = { ...work, beganMs: nowMs - 5_000 };
    const progress = progressOf(young, [chunk(1_000)], nowMs);
    expect(progress.samplesPerS).toBe(200_000);
    expect(progress.basis).toBe('3 M samples left at 200 k/s over the last 5s');
  });

  test('when nothing was done for a minute no time is promised', () => {
    const progress = progressOf(work, [chunk(61_000)], nowMs);
    expect(progress).toMatchObject({ samplesPerS: 0, leftMs: null });
    expect(progress.basis).toBe('3 M samples left; no chunk was done over the last 1m');
  });

  test('a chunk that found everything there, or copied twice as much, is one chunk done', () => {
    const nothing = chunk(1_000, { samples: 0, bytes: 0 });
    const twice = chunk(1_000, { samples: 2_000_000 });
    const progress = progressOf(work, [nothing, twice], nowMs);
    expect(progress).toMatchObject({
      share: 0.5,
      samplesDone: 2_000_000,
      samplesCopied: 2_000_000,
    });
  });

  test('with one chunk left it is not 100 %, with none left it is, whatever was planned', () => {
    const large = chunk(1_000, { planned: 9_000_000 });
    expect(formatShare(progressOf(work, [large, large, large], nowMs).share)).toBe('99 %');
    const all = progressOf(work, [large, large, large, large], nowMs);
    expect(all).toMatchObject({ share: 1, samplesDone: 4_000_000, leftMs: 0 });
    const unplanned = { ...work, samplesPlanned: 0 };
    expect(progressOf(unplanned, [chunk(1_000, { planned: 0 })], nowMs).share).toBe(0.25);
  });

  test('never over 100 %, never less done after more was finished, and done only at the end', () => {
    const amount = fc.integer({ min: 0, max: 10 ** 9 });
    const finished = fc.array(
      fc.record({
        atMs: fc.integer({ min: nowMs - 400_000, max: nowMs + 1_000 }),
        planned: amount,
        samples: amount,
        bytes: amount,
      }),
      { maxLength: 12 },
    );
    const plans = fc.record({
      beganMs: fc.integer({ min: nowMs - 400_000, max: nowMs + 1_000 }),
      chunks: fc.integer({ min: 1, max: 10 }),
      samplesPlanned: amount,
    });
    fc.assert(
      fc.property(plans, finished, (plan, chunks) => {
        let before = progressOf(plan, [], nowMs);
        for (let done = 1; done <= chunks.length; done++) {
          const progress = progressOf(plan, chunks.slice(0, done), nowMs);
          expect(progress.share).toBeGreaterThanOrEqual(before.share);
          expect(progress.share).toBeLessThanOrEqual(1);
          expect(progress.share === 1).toBe(done >= plan.chunks);
          expect(progress.chunksDone).toBeLessThanOrEqual(plan.chunks);
          expect(progress.samplesDone).toBeLessThanOrEqual(plan.samplesPlanned);
          expect(progress.samplesDone).toBeGreaterThanOrEqual(before.samplesDone);
          if (progress.leftMs !== null) expect(progress.leftMs).toBeGreaterThanOrEqual(0);
          expect(formatProgress(progress)).not.toMatch(/NaN|Infinity|undefined/);
          before = progress;
        }
      }),
    );
  });
});

describe('the share of a backfill', () => {
  const window = makeWindow(0, 1_000);
  const share = (
    unproven: [number, number][],
    repaired: [number, number][] = [],
    repairing: [number, number][] = [],
  ) => {
    const windows = (of: [number, number][]) => of.map(([from, to]) => makeWindow(from, to));
    const backfill = { window, unproven: windows(unproven), state: 'open' as const };
    return backfillShare(backfill, windows(repaired), windows(repairing));
  };

  test('counts what is proven, and what is repaired and not being repaired again', () => {
    expect(share([[0, 1_000]])).toEqual({ proven: 0, provenOrRepaired: 0 });
    expect(share([[0, 400]])).toEqual({ proven: 0.6, provenOrRepaired: 0.6 });
    expect(share([[0, 400]], [[200, 900]])).toEqual({ proven: 0.6, provenOrRepaired: 0.8 });
    expect(share([[0, 400]], [[200, 900]], [[300, 400]])).toMatchObject({ provenOrRepaired: 0.7 });
  });

  test('is not whole before the backfill is done', () => {
    expect(formatShare(share([[0, 400]], [[0, 400]]).provenOrRepaired)).toBe('99 %');
    expect(formatShare(share([[0, 1]]).proven)).toBe('99 %');
    expect(backfillShare({ window, unproven: [], state: 'done' }, [], [])).toEqual({
      proven: 1,
      provenOrRepaired: 1,
    });
  });
});

test.each([
  [0, '0'],
  [0.54, '0.5'],
  [7, '7'],
  [7.04, '7'],
  [42.4, '42'],
  [999, '999'],
  [999.7, '1 k'],
  [1_000, '1 k'],
  [3_249, '3.2 k'],
  [3_200_000, '3.2 M'],
  [115_000_000, '115 M'],
  [2.5e18, '2500 P'],
])('%d is shown as %j', (amount, text) => {
  expect(formatAmount(amount)).toBe(text);
});
