import fc from 'fast-check';
import { expect, test } from 'vitest';
import { halvingMatcher, meets } from '../src/index.ts';

const value = fc.string({ unit: 'grapheme', minLength: 0, maxLength: 12 });

test('any two values that differ within reach are told apart, and both halves are real', () => {
  fc.assert(
    fc.property(fc.uniqueArray(value, { minLength: 2, maxLength: 40 }), (values) => {
      const matcher = halvingMatcher('a', values);
      if (!matcher) return;
      const matching = values.filter((one) => meets([matcher], { a: one }));
      expect(matching.length).toBeGreaterThan(0);
      expect(matching.length).toBeLessThan(values.length);
      const others = values.filter((one) => meets([{ ...matcher, operator: '!~' }], { a: one }));
      expect([...matching, ...others].sort()).toEqual([...values].sort());
    }),
  );
});

test('values of the usual kinds are halved evenly, however many there are', () => {
  for (const count of [2, 3, 100, 5_000]) {
    const values = Array.from({ length: count }, (_, at) => `host-${at}.example.com:9100`);
    const matcher = halvingMatcher('instance', values);
    if (!matcher) throw new Error('not halved');
    const share = values.filter((one) => meets([matcher], { instance: one })).length / count;
    expect(share).toBeGreaterThan(0.15);
    expect(share).toBeLessThan(0.85);
    expect(matcher.value.length).toBeLessThan(200);
  }
});

test('nothing is halved where there is one value, or none', () => {
  expect(halvingMatcher('a', [])).toBeUndefined();
  expect(halvingMatcher('a', ['x'])).toBeUndefined();
});
