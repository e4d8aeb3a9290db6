import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type BucketTally,
  differenceByBucket,
  gapsOfSeries,
  judgeRows,
  judgeTallies,
  missingTimestamps,
  sampleSlot,
} from '../src/index.ts';

const bucketMs = 300_000;
const fromMs = 1_795_460_400_000;

/** A true tally, as a database computes it with sub-intervals of `slotMs`. */
function tallyOf(timestamps: readonly number[], slotMs: number): BucketTally {
  let occupied = 0;
  let print = 0;
  for (let endMs = fromMs + slotMs; endMs <= fromMs + bucketMs; endMs += slotMs) {
    const last = timestamps.filter((time) => time > endMs - slotMs && time <= endMs).at(-1);
    if (last === undefined) continue;
    occupied += 1;
    print += Math.sin(last / 1000);
  }
  return { samples: timestamps.length, occupied, print };
}

const ascending = (times: readonly number[]): number[] => [...times].sort((a, b) => a - b);
const free = fc
  .uniqueArray(fc.integer({ min: 1, max: bucketMs }), { maxLength: 25 })
  .map((offsets) => ascending(offsets.map((offset) => fromMs + offset)));
const regular = fc
  .shuffledSubarray(Array.from({ length: 20 }, (_, at) => fromMs + (at + 1) * 15_000))
  .map(ascending);
const pair = fc.oneof(
  fc.tuple(regular, regular),
  fc.tuple(free, free),
  fc.tuple(
    free,
    free.map((times) => times),
  ),
  free.chain((times) => fc.tuple(fc.constant(times), fc.shuffledSubarray(times).map(ascending))),
);
const slot = fc.constantFrom(1_000, 5_000, 15_000, 60_000, 300_000);

describe('tallies', () => {
  test('never call different samples equal', () => {
    fc.assert(
      fc.property(
        pair,
        slot,
        fc.double({ min: 0.1, max: 1, noNaN: true }),
        ([source, destination], slotMs, threshold) => {
          const verdict = judgeTallies(
            tallyOf(source, slotMs),
            tallyOf(destination, slotMs),
            threshold,
          );
          const same =
            source.length === destination.length &&
            source.every((time, at) => time === destination[at]);
          if (verdict === 'equal') expect(same).toBe(true);
          // What is said without a look at the rows is right.
          if (verdict === 'missing') {
            expect(destination.length === 0 || destination.length < threshold * source.length).toBe(
              true,
            );
          }
          if (verdict === 'extra') expect(source.length).toBe(0);
          expect(verdict).not.toBe('tolerated');
        },
      ),
      { numRuns: 5_000 },
    );
  });

  test('call the same samples equal wherever no sub-interval holds two', () => {
    fc.assert(
      fc.property(regular, fc.constantFrom(1_000, 5_000, 15_000), (times, slotMs) => {
        expect(judgeTallies(tallyOf(times, slotMs), tallyOf(times, slotMs), 1)).toBe('equal');
      }),
    );
  });

  test('every pair of single losses on a regular grid is told apart', () => {
    const grid = Array.from({ length: 20 }, (_, at) => fromMs + (at + 1) * 15_000);
    for (const a of grid) {
      for (const b of grid) {
        const [one, other] = [a, b].map((lost) =>
          tallyOf(
            grid.filter((time) => time !== lost),
            15_000,
          ),
        );
        const verdict = judgeTallies(one as BucketTally, other as BucketTally, 0.9);
        expect(verdict).toBe(a === b ? 'equal' : 'suspect');
      }
    }
  });

  test.each<[string, BucketTally, BucketTally, number, string]>([
    ['nothing on both sides', { samples: 0 }, { samples: 0 }, 0.9, 'equal'],
    ['nothing at the source', { samples: 0 }, { samples: 1 }, 0.9, 'extra'],
    ['nothing at the destination', { samples: 1 }, { samples: 0 }, 0.9, 'missing'],
    ['equal counts without prints', { samples: 5 }, { samples: 5 }, 0.9, 'suspect'],
    [
      'equal counts, a print on one side',
      { samples: 5, occupied: 5, print: 0 },
      { samples: 5 },
      0.9,
      'suspect',
    ],
    [
      'an occupied count without a print',
      { samples: 5, occupied: 5 },
      { samples: 5, occupied: 5 },
      0.9,
      'suspect',
    ],
    [
      'doubled samples',
      { samples: 10, occupied: 5, print: 1 },
      { samples: 10, occupied: 5, print: 1 },
      0.9,
      'suspect',
    ],
    [
      'more at the destination',
      { samples: 5, occupied: 5, print: 1 },
      { samples: 6, occupied: 6, print: 2 },
      0.9,
      'suspect',
    ],
    [
      'less within the threshold',
      { samples: 20, occupied: 20, print: 1 },
      { samples: 19, occupied: 19, print: 2 },
      0.9,
      'suspect',
    ],
    [
      'less, threshold 1',
      { samples: 20, occupied: 20, print: 1 },
      { samples: 19, occupied: 19, print: 2 },
      1,
      'missing',
    ],
    [
      'far less',
      { samples: 20, occupied: 20, print: 1 },
      { samples: 8, occupied: 8, print: 2 },
      0.9,
      'missing',
    ],
    [
      'far less, but doubled',
      { samples: 20, occupied: 10, print: 1 },
      { samples: 10, occupied: 10, print: 1 },
      0.9,
      'suspect',
    ],
  ])('%s', (_, source, destination, threshold, verdict) => {
    expect(judgeTallies(source, destination, threshold)).toBe(verdict);
  });
});

test.each([
  [{ source: 10, missing: 0, extra: 0 }, 0.9, 'equal'],
  [{ source: 10, missing: 0, extra: 3 }, 0.9, 'extra'],
  [{ source: 10, missing: 1, extra: 0 }, 0.9, 'tolerated'],
  [{ source: 10, missing: 2, extra: 5 }, 0.9, 'missing'],
  [{ source: 10, missing: 1, extra: 0 }, 1, 'missing'],
  [{ source: 1, missing: 1, extra: 0 }, 0.1, 'missing'],
  [{ source: 0, missing: 0, extra: 1 }, 1, 'extra'],
] as const)('rows %j, threshold %d: %s', (difference, threshold, verdict) => {
  expect(judgeRows(difference, threshold)).toBe(verdict);
});

const without = (a: Set<number>, b: Set<number>): Set<number> =>
  new Set([...a].filter((one) => !b.has(one)));

const dedup = fc.constantFrom(0, 1, 1_000, 15_000, 60_000);
/** Duplicates, and samples outside of the grid as well. */
const rows = fc
  .array(fc.integer({ min: -100_000, max: 4 * bucketMs }), { maxLength: 60 })
  .map((offsets) => ascending(offsets.map((offset) => fromMs + offset)));

describe('rows', () => {
  test('differ bucket by bucket as the sets of their samples do', () => {
    fc.assert(
      fc.property(rows, rows, dedup, (source, destination, dedupMs) => {
        const grid = { fromMs, stepMs: bucketMs, buckets: 3 };
        const found = differenceByBucket(source, destination, grid, dedupMs);
        const slots = (times: readonly number[], bucket: number) =>
          new Set(
            times
              .filter((time) => Math.ceil((time - fromMs) / bucketMs) === bucket + 1)
              .map((time) => (dedupMs > 1 ? Math.ceil(time / dedupMs) * dedupMs : time)),
          );
        const expected = [0, 1, 2].map((bucket) => {
          const [a, b] = [slots(source, bucket), slots(destination, bucket)];
          return { source: a.size, missing: without(a, b).size, extra: without(b, a).size };
        });
        expect(found).toEqual(expected);
      }),
      { numRuns: 1_000 },
    );
  });

  test('lack what no row of the same interval stands for, each once', () => {
    fc.assert(
      fc.property(rows, rows, dedup, (source, destination, dedupMs) => {
        const missing = missingTimestamps(source, destination, dedupMs);
        const slots = (times: readonly number[]) =>
          new Set(times.map((time) => sampleSlot(time, dedupMs)));
        expect(slots(missing)).toEqual(without(slots(source), slots(destination)));
        expect(slots(missing).size).toBe(missing.length);
        expect(missing.every((time) => source.includes(time))).toBe(true);
        // What is lacking, once added, leaves nothing lacking.
        expect(missingTimestamps(source, [...destination, ...missing], dedupMs)).toEqual([]);
      }),
    );
  });

  test('an interval of deduplication begins behind its beginning', () => {
    expect(sampleSlot(60_000, 60_000)).toBe(1);
    expect(sampleSlot(60_001, 60_000)).toBe(2);
    expect(sampleSlot(120_000, 60_000)).toBe(2);
  });
});

test('gaps join neighbouring buckets, and nothing else', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom<number>(0, 0, 1, 7)), (missing) => {
      const labels = { __name__: 'm' };
      const gaps = gapsOfSeries(labels, missing, { fromMs, stepMs: bucketMs });
      const covered = missing.map((_, at) => {
        const endMs = fromMs + (at + 1) * bucketMs;
        return gaps.filter((gap) => gap.fromMs < endMs && endMs <= gap.toMs).length;
      });
      expect(covered).toEqual(missing.map((lost) => (lost > 0 ? 1 : 0)));
      expect(gaps.reduce((sum, gap) => sum + gap.missing, 0)).toBe(
        missing.reduce((sum, lost) => sum + lost, 0),
      );
      expect(gaps.every((gap, at) => at === 0 || (gaps[at - 1]?.toMs ?? 0) < gap.fromMs)).toBe(
        true,
      );
      expect(gaps.every((gap) => gap.labels === labels)).toBe(true);
    }),
  );
});

test('a stretch that the destination lacks wholly is a gap of its own', () => {
  const labels = { __name__: 'm' };
  const grid = { fromMs, stepMs: bucketMs };
  const gaps = gapsOfSeries(labels, [3, 20, 20, 4, 0, 20], grid, [17, 0, 0, 16, 20, 0]);
  const at = (bucket: number) => fromMs + bucket * bucketMs;
  expect(gaps).toEqual([
    { labels, fromMs: at(0), toMs: at(1), missing: 3, held: 17 },
    { labels, fromMs: at(1), toMs: at(3), missing: 40, held: 0 },
    { labels, fromMs: at(3), toMs: at(4), missing: 4, held: 16 },
    { labels, fromMs: at(5), toMs: at(6), missing: 20, held: 0 },
  ]);
});
