import {
  BackfillRefusedError,
  formatSelector,
  leaseWitness,
  PinRefusedError,
  parseSelectors,
  readBackfillWish,
  readPinWish,
  SelectorSyntaxError,
} from '@vm-sync/core';
import { damages, fuzz, mutate } from '@vm-sync/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';

const nowMs = Date.UTC(2026, 10, 26, 3);

const SELECTORS = '{job="a",x=~"b|c"} up{y!~"z.*"}, \\u0041b\\.c{q=\'\\x41"\'}';

const selectorText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(...'{}="\'\\,ax1!~ \n()[*') }),
  damages.map((some) => mutate(Buffer.from(SELECTORS), some).toString()),
  fc.constantFrom(
    '{a="'.repeat(500),
    `{a="${'\\"'.repeat(2_000)}`,
    '\\'.repeat(2_001),
    'a '.repeat(100),
  ),
);

test('selectors of any kind are written and read again as the same, or refused with their place', () =>
  fuzz('selectors', 10_000, selectorText, (text) => {
    const selectors = attempt(() => parseSelectors(text), SelectorSyntaxError);
    if (!selectors) return;
    const written = selectors.map(formatSelector).join(' ');
    expect(parseSelectors(written)).toEqual(selectors);
  }));

const time = fc.oneof(
  fc.string(),
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  damages.map((some) => mutate(Buffer.from('2026-11-01T00:00:00.5+01:00'), some).toString()),
  fc.constantFrom(
    ...['72h', '1e9d', '99999999999999y', '0s', '-1h', '1970-01-01', '0000-01-01', '2026-02-30'],
    ...['2026-11-26', '2026-11-25T24:00Z', '2026-11-25T23:60Z', '2026-11-25T10:00+99:99', 'now'],
    ...['+275760-09-13T00:00:00Z', '9999-12-31', '1', `${'9'.repeat(400)}d`],
  ),
);

test('ranges of any kind are whole buckets of the past, or refused by the field', () => {
  const wish = fc.record({
    from: time,
    to: time,
    match: fc.array(selectorText, { maxLength: 2 }),
  });
  return fuzz('times and ranges', 5_000, wish, (one) => {
    const grid = { nowMs, settleMs: 180_000, stepMs: 300_000 };
    const range = attempt(() => readBackfillWish(one, grid), BackfillRefusedError);
    if (!range) return;
    const { fromMs, toMs } = range.window;
    expect([fromMs % 300_000, toMs % 300_000]).toEqual([0, 0]);
    expect(fromMs).toBeGreaterThanOrEqual(0);
    expect(fromMs).toBeLessThan(toMs);
    expect(toMs).toBeLessThanOrEqual(nowMs);
    const again = {
      from: new Date(fromMs).toISOString(),
      to: new Date(toMs).toISOString(),
      match: range.match,
    };
    expect(readBackfillWish(again, grid)).toEqual(range);
  });
});

test('pins of any kind end within a week, or are refused by the field', () => {
  const wish = fc.record({
    site: fc.oneof(fc.constantFrom('primary', 'dr', 'toString', '__proto__'), fc.string()),
    for: fc.oneof(time, fc.constantFrom('1h', '30m', '7d', '8d', '0.5s', '1e3')),
  });
  return fuzz('pins', 3_000, wish, (one) => {
    const pin = attempt(() => readPinWish(one, nowMs), PinRefusedError);
    if (!pin) return;
    expect(['primary', 'dr']).toContain(pin.site);
    expect(pin.untilMs - nowMs).toBeGreaterThanOrEqual(1_000);
    expect(pin.untilMs - nowMs).toBeLessThanOrEqual(7 * 86_400_000);
  });
});

test('a lease of any text names a site, nobody, or that it cannot be known', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    damages.map((some) => mutate(Buffer.from('owner=primary exp=1795660000'), some).toString()),
    fc.constantFrom('owner=', 'owner=both', 'exp=1', `owner=dr exp=${'9'.repeat(300)}`),
    fc.constantFrom('owner=DR;exp=-1', '"owner=primary"', 'owner=dr exp=0x10', 'owner=__proto__'),
  );
  return fuzz('leases', 5_000, fc.array(text, { maxLength: 4 }), (texts) => {
    const { says, text: told } = leaseWitness('r', { kind: 'texts', texts }, nowMs);
    expect(['primary', 'dr', 'unknown', null]).toContain(says);
    expect(told.length).toBeLessThan(100);
    if (says !== null) expect(texts.join().toLowerCase()).toContain('owner=');
  });
});

/** What it gives, or nothing where it refuses in the way that it should, with a sentence. */
function attempt<T>(act: () => T, refusal: new (...args: never[]) => Error): T | undefined {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof refusal)) throw error;
    expect(error.message).not.toBe('');
    return undefined;
  }
}
