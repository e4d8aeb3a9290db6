import fc from 'fast-check';
import { expect, test } from 'vitest';
import { learnRates, NO_RATES, PLAN_LIMITS, planLimits, type TimedChunk } from '../src/index.ts';

const copy = (samples: number, tookMs: number): TimedChunk => ({ mode: 'native', samples, tookMs });

test('without experience the plan has its usual sizes', () => {
  expect(planLimits(NO_RATES)).toEqual(PLAN_LIMITS);
});

test('chunks come to last about five seconds', () => {
  fc.assert(
    fc.property(fc.integer({ min: 30_000, max: 9_000_000 }), (perS) => {
      let rates = NO_RATES;
      let samples = 0;
      for (let chunk = 0; chunk < 30; chunk++) {
        samples = planLimits(rates).samplesPerCopy;
        rates = learnRates(rates, [copy(samples, (samples * 1_000) / perS)]);
      }
      expect(samples / perS).toBeGreaterThan(4.5);
      expect(samples / perS).toBeLessThan(5.5);
    }),
  );
});

test('small chunks do not make chunks small', () => {
  const quick = Array.from({ length: 100 }, () => copy(2_000, 120));
  expect(learnRates(NO_RATES, quick)).toEqual(NO_RATES);
});

test('chunks that had nothing to do say nothing', () => {
  expect(learnRates(NO_RATES, [{ mode: 'none', samples: 0, tookMs: 9_000 }])).toEqual(NO_RATES);
});

test('sizes stay within bounds, whatever was measured', () => {
  const chunk = fc.record({
    mode: fc.constantFrom('native', 'lines', 'difference', 'none'),
    samples: fc.nat(1_000_000_000),
    tookMs: fc.nat(10_000_000),
  });
  fc.assert(
    fc.property(fc.array(chunk), (chunks) => {
      const limits = planLimits(learnRates(NO_RATES, chunks as TimedChunk[]));
      expect(limits.samplesPerCopy).toBeGreaterThanOrEqual(100_000);
      expect(limits.samplesPerCopy).toBeLessThanOrEqual(50_000_000);
      expect(limits.samplesPerDifference).toBeGreaterThanOrEqual(100_000);
      // A worker holds the timestamps of such a chunk in memory.
      expect(limits.samplesPerDifference).toBeLessThanOrEqual(PLAN_LIMITS.samplesPerDifference);
    }),
  );
});
