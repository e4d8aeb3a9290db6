import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  alignDownMs,
  alignUpMs,
  bucketEndsMs,
  formatWindow,
  halve,
  intersect,
  lengthMs,
  makeWindow,
  mergeWindows,
  slicesNewestFirst,
  spanOf,
  subtractWindows,
  type Window,
  windowOrNothing,
} from '../src/index.ts';

/** Windows over a short stretch of time, so that they touch and overlap often. */
const window = fc
  .tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 20 }))
  .map(([fromMs, length]) => makeWindow(fromMs, fromMs + length));
const windows = fc.array(window, { maxLength: 8 });

/** The milliseconds that windows hold: the model of all that follows. */
const held = (some: readonly Window[]): Set<number> =>
  new Set(
    some.flatMap(({ fromMs, toMs }) =>
      Array.from({ length: toMs - fromMs }, (_, at) => fromMs + at + 1),
    ),
  );

const isTidy = (some: readonly Window[]): boolean =>
  some.every(
    (one, at) => one.fromMs < one.toMs && (at === 0 || (some[at - 1] as Window).toMs < one.fromMs),
  );

test('a window has whole milliseconds in ascending order', () => {
  expect(makeWindow(1, 2)).toEqual({ fromMs: 1, toMs: 2 });
  for (const [from, to] of [
    [2, 2],
    [3, 2],
    [1.5, 2],
    [1, Number.NaN],
    [1, Number.POSITIVE_INFINITY],
    [-(2 ** 60), 2 ** 60],
  ] as const) {
    expect(() => makeWindow(from, to)).toThrow(RangeError);
  }
  expect(windowOrNothing(2, 2)).toBeUndefined();
  expect(windowOrNothing(3, 2)).toBeUndefined();
});

test('merged windows hold the same, do not touch, and are in order', () => {
  fc.assert(
    fc.property(windows, (some) => {
      const merged = mergeWindows(some);
      expect(held(merged)).toEqual(held(some));
      expect(isTidy(merged)).toBe(true);
    }),
  );
});

test('a difference holds what the first have and the second have not', () => {
  fc.assert(
    fc.property(windows, windows, (some, taken) => {
      const left = subtractWindows(some, taken);
      expect(held(left)).toEqual(new Set([...held(some)].filter((one) => !held(taken).has(one))));
      expect(isTidy(left)).toBe(true);
    }),
  );
});

test('an intersection holds what both have', () => {
  fc.assert(
    fc.property(window, window, (a, b) => {
      const both = intersect(a, b);
      expect(held(both ? [both] : [])).toEqual(
        new Set([...held([a])].filter((one) => held([b]).has(one))),
      );
    }),
  );
});

test('the windows that were given are left as they were', () => {
  const some = Object.freeze([Object.freeze(makeWindow(5, 9)), Object.freeze(makeWindow(1, 6))]);
  expect(mergeWindows(some)).toEqual([makeWindow(1, 9)]);
  expect(subtractWindows(some, some)).toEqual([]);
});

describe('slices', () => {
  test('cover a window exactly, newest first, on their own grid', () => {
    fc.assert(
      fc.property(window, fc.integer({ min: 1, max: 10 }), (whole, sliceMs) => {
        const slices = slicesNewestFirst(whole, sliceMs);
        expect(held(slices)).toEqual(held([whole]));
        expect(slices.reduce((sum, slice) => sum + lengthMs(slice), 0)).toBe(lengthMs(whole));
        expect([...slices].sort((a, b) => b.toMs - a.toMs)).toEqual(slices);
        for (const { fromMs, toMs } of slices) {
          expect(toMs - fromMs).toBeLessThanOrEqual(sliceMs);
          expect(fromMs === whole.fromMs || fromMs % sliceMs === 0).toBe(true);
          expect(toMs === whole.toMs || toMs % sliceMs === 0).toBe(true);
        }
      }),
    );
  });

  test('halves cover a window exactly and meet on its buckets', () => {
    fc.assert(
      fc.property(window, fc.integer({ min: 1, max: 10 }), (whole, stepMs) => {
        const halves = halve(whole, stepMs);
        expect(halves !== undefined).toBe(whole.toMs - whole.fromMs > stepMs);
        if (!halves) return;
        const [first, second] = halves;
        expect([first.fromMs, first.toMs, second.toMs]).toEqual([
          whole.fromMs,
          second.fromMs,
          whole.toMs,
        ]);
        expect((first.toMs - whole.fromMs) % stepMs).toBe(0);
      }),
    );
  });

  test('an aligned window of many buckets is halved down to single buckets', () => {
    const leaves = (one: Window): Window[] => halve(one, 10)?.flatMap(leaves) ?? [one];
    expect(leaves(makeWindow(30, 200))).toEqual(
      bucketEndsMs(makeWindow(30, 200), 10).map((toMs) => makeWindow(toMs - 10, toMs)),
    );
  });
});

test('instants are aligned to the grid around them', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2 ** 45 }),
      fc.integer({ min: 1, max: 10 ** 8 }),
      (atMs, stepMs) => {
        const [down, up] = [alignDownMs(atMs, stepMs), alignUpMs(atMs, stepMs)];
        expect([down % stepMs, up % stepMs]).toEqual([0, 0]);
        expect(down <= atMs && atMs <= up && up - down <= stepMs).toBe(true);
      },
    ),
  );
});

test('a window is written for people', () => {
  const noon = Date.UTC(2026, 10, 23, 12);
  expect(formatWindow(makeWindow(noon, noon + 3_600_000))).toBe('2026-11-23T12:00:00Z – 13:00:00Z');
  expect(formatWindow(makeWindow(noon, noon + 86_400_001))).toBe(
    '2026-11-23T12:00:00Z – 2026-11-24T12:00:00.001Z',
  );
});

test('the span of windows reaches from the first beginning to the last end', () => {
  expect(spanOf([])).toBeUndefined();
  expect(spanOf([makeWindow(5, 9), makeWindow(1, 2)])).toEqual(makeWindow(1, 9));
});
