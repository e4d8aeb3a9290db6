import { makeSeries, type RawSamples, type Series, seriesKey } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import type { Disturbance } from '../src/chaos/inject.ts';
import { auditSite } from '../src/chaos/ledger.ts';

const written = makeSeries({ count: 2, fromMs: 0, toMs: 600_000, stepMs: 1_000 });
const books = { written, delivered: written };

const held = (series: readonly Series[]): RawSamples =>
  new Map(series.map((one) => [seriesKey(one.labels), one]));

/** The same without the sample at an instant. */
const without = (atMs: number): Series[] =>
  written.map(({ labels, timestamps, values }) => ({
    labels,
    timestamps: timestamps.filter((time) => time !== atMs),
    values: values.filter((_, at) => timestamps[at] !== atMs),
  }));

const took = (kind: Disturbance['kind'], fromMs: number, toMs: number): Disturbance => ({
  site: 'dr',
  kind,
  fromMs,
  toMs,
});

test('a site that holds what it was given has no fault', () => {
  expect(auditSite('dr', held(written), books, [])).toEqual([]);
});

test('a sample that is gone is a fault, but for what a kill or a wipe of this site took', () => {
  const audit = (...disturbances: Disturbance[]) =>
    auditSite('dr', held(without(300_000)), books, disturbances).length;
  expect(audit()).toBe(2); // one of each series
  expect(audit(took('vm-kill', 304_000, 304_100))).toBe(0);
  expect(audit(took('vm-kill', 299_000, 299_100))).toBe(2);
  expect(audit(took('vm-kill', 400_000, 400_100))).toBe(2);
  expect(audit(took('vm-wiped', 400_000, 400_100))).toBe(0);
  expect(audit({ ...took('vm-wiped', 400_000, 400_100), site: 'primary' })).toBe(2);
});

test('a sample that nobody wrote is a fault, and so is another value', () => {
  const [first, second] = written as [Series, Series];
  const invented = {
    ...first,
    timestamps: [...first.timestamps, 600_500],
    values: [...first.values, 1],
  };
  expect(auditSite('dr', held([invented, second]), books, [])).toHaveLength(1);
  const changed = {
    ...first,
    values: first.values.map((value, at) => (at === 5 ? value + 1 : value)),
  };
  expect(auditSite('dr', held([changed, second]), books, [])).toHaveLength(1);
});
