import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FAULTS, type FaultKind, PARTS } from '../src/chaos/fault-kinds.ts';
import { planFaults } from '../src/chaos/plan-faults.ts';
import { seededRandom } from '../src/chaos/random.ts';

const seeds = fc.integer({ min: 0, max: 2 ** 31 });
const minutes = fc.integer({ min: 1, max: 15 });

test('the same seed breaks the same things at the same times, another one others', () => {
  fc.assert(
    fc.property(seeds, minutes, (seed, length) => {
      const lengthMs = length * 60_000;
      const planned = planFaults({ seed, lengthMs });
      expect(planFaults({ seed, lengthMs })).toEqual(planned);
      expect(planFaults({ seed: seed + 1, lengthMs })).not.toEqual(planned);
    }),
  );
});

test('no part has two faults at once, each lasts as long as its kind says, and all end within the run', () => {
  fc.assert(
    fc.property(seeds, minutes, (seed, length) => {
      const lengthMs = length * 60_000;
      const freeMs = new Map<string, number>();
      for (const { kind, part, atMs, endMs } of planFaults({ seed, lengthMs })) {
        const [leastMs, mostMs] = FAULTS[kind].lastsMs;
        expect(FAULTS[kind].parts).toContain(part);
        expect(atMs).toBeGreaterThanOrEqual(freeMs.get(part) ?? 0);
        expect(endMs - atMs).toBeGreaterThanOrEqual(leastMs);
        expect(endMs - atMs).toBeLessThanOrEqual(mostMs);
        expect(endMs).toBeLessThanOrEqual(lengthMs);
        freeMs.set(part, endMs);
      }
    }),
    { numRuns: 30 },
  );
});

test('ten hours of one seed break every part in every way', () => {
  const planned = planFaults({ seed: 1, lengthMs: 36_000_000 });
  const kinds = Object.keys(FAULTS) as FaultKind[];
  expect(new Set(planned.map(({ kind }) => kind))).toEqual(new Set(kinds));
  expect(new Set(planned.map(({ part }) => part))).toEqual(new Set(PARTS));
});

test('chance repeats itself, and has no favourites', () => {
  const counts = Array.from({ length: 10 }, () => 0);
  const [one, same] = [seededRandom(7), seededRandom(7)];
  for (let drawn = 0; drawn < 10_000; drawn += 1) {
    const number = one.whole(0, 9);
    expect(same.whole(0, 9)).toBe(number);
    counts[number] = (counts[number] ?? 0) + 1;
  }
  // 1,000 each; five standard deviations are 150.
  for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
});
