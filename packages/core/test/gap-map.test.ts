import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  coarser,
  type Gap,
  type GapMap,
  gapMapAxis,
  gapMapOf,
  gapsByGroup,
  missingIn,
  namedGroups,
  nextGapMaps,
  onAxis,
  sharedAxis,
  spread,
  withFewerRows,
  worstGroups,
} from '../src/index.ts';

const STEP_MS = 300_000;
const NOON_MS = Date.UTC(2026, 10, 26, 12);
const LAST = { fromMs: NOON_MS - 3_600_000, toMs: NOON_MS };

const gap = (instance: string | undefined, from: number, to: number, missing: number): Gap => ({
  labels: { __name__: 'up', ...(instance === undefined ? {} : { instance }) },
  fromMs: LAST.fromMs + from * STEP_MS,
  toMs: LAST.fromMs + to * STEP_MS,
  missing,
  held: 0,
});

function draw(gaps: readonly Gap[], counts?: Parameters<typeof gapMapOf>[3], known: string[] = []) {
  const axis = gapMapAxis([LAST, ...gaps], STEP_MS);
  const found = gapsByGroup(gaps, axis, 'instance');
  const about = { atMs: NOON_MS, direction: 'dr-to-primary', label: 'instance', ...axis } as const;
  return gapMapOf(about, found, namedGroups(found, known), counts);
}

test('what lacks most is named in a few words', () => {
  const of = (names: readonly string[]) =>
    worstGroups(draw(names.map((name, at) => gap(name, 0, 1, 100 - at))));
  expect(of(['a'])).toBe('instance a');
  expect(of(['a', 'b', 'c'])).toBe('instance a, b, c');
  expect(of(['a', 'b', 'c', 'd', 'e'])).toBe('instance a, b, c and 2 more');
  expect(of(Array.from({ length: 40 }, (_, at) => `bigip-${at}`))).toMatch(
    /^instance bigip-0, bigip-1, bigip-2 and others$/,
  );
  expect(worstGroups({ label: '__name__', rows: [] })).toBe('');
});

const gaps = fc.array(
  fc
    .record({
      instance: fc.option(
        fc.integer({ min: 0, max: 60 }).map((at) => `i${at}`),
        { nil: undefined },
      ),
      from: fc.integer({ min: -2_000, max: 10 }),
      buckets: fc.integer({ min: 1, max: 300 }),
      missing: fc.integer({ min: 1, max: 10_000 }),
    })
    .map(({ instance, from, buckets, missing }) =>
      gap(instance, from, Math.min(12, from + buckets), missing),
    ),
  { minLength: 1, maxLength: 40 },
);

const total = (all: readonly Gap[]): number => all.reduce((sum, one) => sum + one.missing, 0);

describe('the axis', () => {
  test('an hour is twelve columns of a bucket, three days are doubled until they fit', () => {
    expect(gapMapAxis([LAST], STEP_MS)).toEqual({
      fromMs: LAST.fromMs,
      columnMs: STEP_MS,
      columns: 12,
    });
    const days = { fromMs: NOON_MS - 3 * 86_400_000, toMs: NOON_MS };
    const axis = gapMapAxis([LAST, days], STEP_MS);
    expect(axis.columnMs).toBe(16 * STEP_MS);
    expect(axis.columns).toBe(54);
  });
});

describe('spreading', () => {
  test('an amount goes evenly over its columns, in whole numbers', () => {
    const into = [0, 0, 0, 0];
    spread(into, { fromMs: 0, columnMs: 10 }, { fromMs: 10, toMs: 40 }, 10);
    expect(into).toEqual([0, 3, 4, 3]);
  });

  test('nothing is lost, nothing is negative, wherever it lies', () => {
    const ends = fc.tuple(fc.integer({ min: -500, max: 500 }), fc.integer({ min: 1, max: 500 }));
    fc.assert(
      fc.property(ends, fc.nat(1_000), ([fromMs, lengthMs], amount) => {
        const into = [0, 0, 0, 0, 0];
        spread(into, { fromMs: 0, columnMs: 10 }, { fromMs, toMs: fromMs + lengthMs }, amount);
        expect(into.reduce((sum, one) => sum + one, 0)).toBe(amount);
        expect(Math.min(...into)).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

describe('the map', () => {
  test('the worst group comes first, those that lack nothing after it, the rest last', () => {
    const found = [gap('a', 2, 4, 10), gap('b', 2, 4, 20), gap(undefined, 0, 1, 5)];
    const counts = {
      byGroup: new Map([
        ['a', new Float64Array(12).fill(50)],
        ['b', new Float64Array(12).fill(20)],
        ['c', new Float64Array(12).fill(30)],
      ]),
      total: new Float64Array(12).fill(110),
    };
    const map = draw(found, counts, ['a', 'b', 'c']);
    expect(map.rows.map(({ group }) => group)).toEqual(['b', 'a', 'c', null]);
    expect(map.rows[0]?.missing.slice(0, 5)).toEqual([0, 0, 10, 10, 0]);
    expect(map.rows[0]?.expected).toEqual(Array(12).fill(20));
    expect(map.rows[3]?.expected).toEqual(Array(12).fill(10));
    expect(map.basis).toBe('group');
  });

  test('without counts it knows of what has a gap only, and says so', () => {
    const map = draw([{ ...gap('a', 2, 4, 10), held: 6 }]);
    expect(map.basis).toBe('affected');
    expect(map.rows).toEqual([
      {
        group: 'a',
        missing: [0, 0, 5, 5, ...Array(8).fill(0)],
        expected: [0, 0, 8, 8, ...Array(8).fill(0)],
      },
    ]);
  });

  test('every missing sample is in one cell, within bounds, and never more than was expected', () => {
    fc.assert(
      fc.property(gaps, (found) => {
        const map = draw(found);
        expect(missingIn(map)).toBe(total(found));
        expect(map.columns).toBeLessThanOrEqual(96);
        expect(map.rows.length).toBeLessThanOrEqual(31);
        for (const { missing, expected } of map.rows) {
          expect(missing).toHaveLength(map.columns);
          for (const [at, lost] of missing.entries()) {
            expect(lost).toBeLessThanOrEqual(expected[at] as number);
          }
        }
      }),
    );
  });

  test('a thousand groups are told apart, and more are not held', () => {
    const many = Array.from({ length: 1_500 }, (_, at) => gap(`i${at}`, 0, 1, 1));
    const found = gapsByGroup(many, gapMapAxis([LAST], STEP_MS), 'instance');
    expect(found.size).toBe(1_001);
    expect(missingIn(draw(many))).toBe(1_500);
  });
});

describe('maps in other shapes', () => {
  test('other columns and fewer rows hold the same samples', () => {
    fc.assert(
      fc.property(gaps, gaps, fc.integer({ min: 1, max: 31 }), (some, others, rows) => {
        const [one, other] = [draw(some), draw(others)];
        const axis = sharedAxis(one, other);
        expect(axis.columns).toBeLessThanOrEqual(96);
        for (const map of [one, other]) {
          expect(missingIn(onAxis(map, axis))).toBe(missingIn(map));
          expect(missingIn(coarser(map))).toBe(missingIn(map));
          const fewer = withFewerRows(map, rows);
          expect(missingIn(fewer)).toBe(missingIn(map));
          expect(fewer.rows.length).toBeLessThanOrEqual(rows);
        }
      }),
    );
  });

  test('columns twice as wide are half as many', () => {
    const map = draw([gap('a', 2, 4, 10)]);
    expect(coarser(map)).toMatchObject({ columns: 6, columnMs: 2 * STEP_MS });
    expect(coarser(map).rows[0]?.missing).toEqual([0, 10, 0, 0, 0, 0]);
  });
});

describe('before and now', () => {
  const found = { checkedMs: NOON_MS, sinceMs: NOON_MS };
  const later = { checkedMs: NOON_MS + 120_000, sinceMs: NOON_MS };
  const worse = draw([gap('a', 2, 6, 40), gap('b', 2, 6, 40)]);
  const better = draw([gap('a', 2, 4, 20)]);

  test('a clean check before any gap leaves nothing', () => {
    const clean = { checkedMs: NOON_MS, sinceMs: null };
    expect(nextGapMaps(undefined, null, clean)).toEqual({ before: null, now: null, ...clean });
  });

  test('what was found is kept while it is repaired, and after it', () => {
    const first = nextGapMaps(undefined, worse, found);
    expect(first).toEqual({ before: worse, now: worse, ...found });
    const second = nextGapMaps(first, better, later);
    expect(second.before).toEqual(worse);
    expect(second.now).toEqual(better);
    const third = nextGapMaps(second, null, { checkedMs: NOON_MS + 240_000, sinceMs: null });
    expect(third).toEqual({
      before: worse,
      now: null,
      checkedMs: NOON_MS + 240_000,
      sinceMs: NOON_MS,
    });
  });

  test('a divergence that grows is remembered at its worst, cell by cell', () => {
    const { before } = nextGapMaps(
      nextGapMaps(undefined, better, found),
      draw([gap('a', 4, 6, 8), gap('c', 0, 1, 3)]),
      later,
    );
    expect(missingIn(before as GapMap)).toBe(31);
    expect(before?.rows.map(({ group }) => group)).toEqual(['a', 'c']);
  });

  test('the next divergence takes the place of the last', () => {
    const first = nextGapMaps(undefined, worse, found);
    const next = nextGapMaps(first, better, { checkedMs: NOON_MS + 9e6, sinceMs: NOON_MS + 9e6 });
    expect(next.before).toEqual(better);
  });

  test('where the labels differ, the one that lacks more is kept', () => {
    const first = nextGapMaps(undefined, better, found);
    const other = { ...worse, label: 'job' };
    expect(nextGapMaps(first, other, later).before).toEqual(other);
    expect(
      nextGapMaps({ ...first, before: worse }, { ...better, label: 'job' }, later).before,
    ).toEqual(worse);
  });
});
