import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Conflicts,
  conflictsAfter,
  conflictText,
  makeWindow,
  NO_CONFLICTS,
  type SyncEvent,
  sumsDiffer,
  tell,
  totalConflicts,
  type ValuesFound,
  valuesConflict,
} from '../src/index.ts';

describe('two values of one sample', () => {
  test.each([
    ['equal', 5, 5, 5, false],
    ['zero of either sign', 0, -0, 0, false],
    ['what a block rounds beside a large value', 0.123456789, 0.123456, 1e12, false],
    ['what a block makes 0', 3.3e-10, 0, 1e15, false],
    ['the last digits of a double', 0.1 + 0.2, 0.3, 1, false],
    ['small ones without a large neighbour', 0.123456789, 0.123456, 1, true],
    ['a sign', 1, -1, 1, true],
    ['a counter that was reset', 0, 1e9, 1e9, true],
    ['an infinity and a number', Number.POSITIVE_INFINITY, 5, Number.POSITIVE_INFINITY, true],
    ['both infinities', Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1, true],
    ['the same infinity', Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, 1, false],
  ])('%s', (_, a, b, peak, wanted) => {
    expect(valuesConflict(a, b, peak)).toBe(wanted);
    expect(valuesConflict(b, a, peak)).toBe(wanted);
  });

  test('no rounding to 18 digits of a block and 12 of a value is a conflict', () => {
    const value = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 });
    fc.assert(
      fc.property(value, value, fc.double({ min: -1, max: 1, noNaN: true }), (a, big, part) => {
        const peak = Math.max(Math.abs(a), Math.abs(big));
        const rounded = a + part * (Math.abs(a) * 3.2e-13 + peak * 1e-17);
        expect(valuesConflict(a, rounded, peak)).toBe(false);
      }),
    );
  });
});

test.each([
  [1e6, 1e6 + 1e-7, false],
  [1e6, 1e6 + 1, true],
  [Number.NaN, Number.NaN, false],
  [Number.NaN, 5, true],
  [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, false],
  [Number.POSITIVE_INFINITY, 5, true],
  [0, 0, false],
])('the sums %d and %d differ: %s', (a, b, wanted) => {
  expect(sumsDiffer(a, b)).toBe(wanted);
});

const minuteMs = 60_000;
const nowMs = 30_000_000 * minuteMs;
const bucket = (at: number) => makeWindow(nowMs - (at + 1) * minuteMs, nowMs - at * minuteMs);
const example = { series: '{a="b"}', atMs: nowMs, values: { primary: '1', dr: '2' } };

const found = (more: Partial<ValuesFound>): ValuesFound => ({
  compared: [makeWindow(nowMs - 60 * minuteMs, nowMs)],
  buckets: [],
  example: null,
  gaveUp: null,
  ...more,
});

function step(before: Conflicts, seen: ValuesFound | undefined, atMs = nowMs) {
  const events: SyncEvent[] = [];
  return { after: conflictsAfter(before, seen, atMs, events), events };
}

test('conflicts are told once, counted anew where values are compared again, and forgotten after a month', () => {
  const seen = found({
    buckets: [{ window: bucket(3), series: 2, samples: 4, unread: 0 }],
    example,
  });
  const first = step(NO_CONFLICTS, seen);
  expect(first.events.map(({ kind }) => kind)).toEqual(['values-differ']);
  expect(tell(first.events[0] as SyncEvent).text).toContain(
    'the sites hold different values for 4 samples of 2 series, such as {a="b"} at ',
  );
  const again = step(first.after, seen);
  expect([again.events, again.after]).toEqual([[], first.after]);
  const nothing = step(first.after, undefined);
  expect([nothing.events, nothing.after]).toEqual([[], first.after]);
  expect(step(first.after, found({})).after).toEqual(NO_CONFLICTS);
  const month = 31 * 24 * 60 * minuteMs;
  expect(step(first.after, undefined, nowMs + month).after).toEqual(NO_CONFLICTS);
});

test('sums that nobody looked into are no conflict, and make a number the least there is', () => {
  const unread = found({ buckets: [{ window: bucket(1), series: 0, samples: 0, unread: 9 }] });
  const only = step(NO_CONFLICTS, unread);
  expect(only.events).toEqual([]);
  expect(totalConflicts(only.after)).toMatchObject({ samples: 0, atLeast: true });
  const both = step(
    NO_CONFLICTS,
    found({ buckets: [{ window: bucket(1), series: 1, samples: 2, unread: 9 }] }),
  );
  expect(conflictText(totalConflicts(both.after))).toContain(
    'at least 2 samples of at least 1 series',
  );
});
