import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  alignDownMs,
  BackfillRefusedError,
  directionFrom,
  makeWindow,
  readBackfillWish,
  type SiteObservation,
  settledThroughMs,
  withinRetention,
} from '../src/index.ts';

const nowMs = Date.parse('2026-11-24T00:10:00Z');
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const grid = { nowMs, settleMs: 180_000, stepMs: 300_000 };
const read = (from: string, to: string, match: readonly string[] = []) =>
  readBackfillWish({ from, to, match }, grid);

describe('a range', () => {
  test.each([
    ['2026-11-01T00:00:00Z', '2026-11-01'],
    ['2026-11-01', '2026-11-01'],
    ['2026-11-01 00:00', '2026-11-01'],
    ['2026-11-01T00:00', '2026-11-01'],
    ['2026-11-01t02:00:00.000+02:00', '2026-11-01'],
    [' 2026-11-01T00:00:00.123456789Z ', '2026-11-01'],
    ['23d10m', '2026-11-01'],
  ])('%j begins where it says', (from, day) => {
    const { window } = read(from, '2026-11-02');
    expect(window).toEqual(makeWindow(Date.parse(day), Date.parse('2026-11-02')));
  });

  test('is widened to whole buckets', () => {
    const { window } = read('2026-11-01T00:04:59Z', '2026-11-01T01:00:01Z');
    expect(new Date(window.fromMs).toISOString()).toBe('2026-11-01T00:00:00.000Z');
    expect(new Date(window.toMs).toISOString()).toBe('2026-11-01T01:05:00.000Z');
  });

  test('may be told by how long ago', () => {
    const { window } = read('72h', '1h');
    expect(window).toEqual(makeWindow(nowMs - 72 * hourMs, nowMs - hourMs));
  });

  test.each([
    ['yesterday', '1h', /^from: expected a time such as/],
    ['', '1h', /^from: expected a time such as/],
    ['1', '1h', /^from: expected/],
    ['3600', '1h', /^from: expected/],
    ['2026', '1h', /^from: expected/],
    ['2026-13-01', '1h', /^from: expected/],
    ['2026-02-30', '1h', /^from: expected/],
    ['2026-11-01T25:00:00Z', '1h', /^from: expected/],
    ['1969-12-31', '1h', /^from: expected/],
    ['99999999y', '1h', /^from: expected/],
    ['-72h', '1h', /^from: expected/],
    ['72h', 'now', /^to: expected a time such as/],
    ['1h', '1h', /^from: .*empty/],
    ['1h', '72h', /^from: must be earlier/],
    ['2026-11-02', '2026-11-01', /^from: must be earlier/],
    ['72h', '2026-11-25', /^to: lies in the future/],
    [
      '72h',
      '1m',
      /^to: samples younger than SETTLE_SECONDS are still in flight; at the latest 2026-11-24T00:05:00Z$/,
    ],
    ['72h', '0s', /^to: samples younger/],
  ])('from %j to %j is refused with a sentence', (from, to, sentence) => {
    expect(() => read(from, to)).toThrow(sentence);
    expect(() => read(from, to)).toThrow(BackfillRefusedError);
  });

  test('holds what was asked for, on the grid, and nothing that is not settled', () => {
    const instant = fc.integer({ min: 0, max: nowMs });
    fc.assert(
      fc.property(instant, instant, fc.integer({ min: 0, max: 3 }), (a, b, unit) => {
        const [fromMs, toMs] = a < b ? [a, b] : [b, a];
        const written = (atMs: number) =>
          unit === 0 ? `${nowMs - atMs}ms` : new Date(atMs).toISOString();
        const horizonMs = settledThroughMs(nowMs, grid.settleMs, grid.stepMs);
        try {
          const { window } = read(written(fromMs), written(toMs));
          expect(window.fromMs).toBe(alignDownMs(fromMs, grid.stepMs));
          expect(window.toMs).toBeGreaterThanOrEqual(toMs);
          expect(window.toMs).toBeLessThan(toMs + grid.stepMs);
          expect(window.toMs).toBeLessThanOrEqual(horizonMs);
        } catch (error) {
          expect(error).toBeInstanceOf(BackfillRefusedError);
          expect(fromMs === toMs || toMs > horizonMs).toBe(true);
        }
      }),
    );
  });

  test('any text is read or refused, never anything else', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (from, to, match) => {
        try {
          const { window } = read(from, to, [match]);
          expect(window.fromMs).toBeLessThan(window.toMs);
        } catch (error) {
          expect(error).toBeInstanceOf(BackfillRefusedError);
        }
      }),
    );
  });
});

describe('selectors', () => {
  test('come one text for each', () => {
    const { match } = read('72h', '1h', ['up{job="a"} {b=~"c|d"}', "x{y!='z'}"]);
    expect(match).toEqual(['{__name__="up",job="a"}', '{b=~"c|d"}', '{__name__="x",y!="z"}']);
  });

  test.each([
    ['', /^match: expected a selector/],
    ['{', /^match: .*, in "\{"$/],
    ['{}', /^match: expected at least one matcher/],
    ['{job="a"', /^match: /],
    ['{job=~"("}', /^match: not a regular expression/],
    ['{job=~"(?=a)"}', /^match: VictoriaMetrics knows no look-around/],
    ['{job!~"(?<!a)b"}', /^match: VictoriaMetrics knows no look-around/],
    ['{job=~"(a)\\\\1"}', /^match: VictoriaMetrics knows no look-around/],
  ])('%j is refused', (match, sentence) => {
    expect(() => read('72h', '1h', [match])).toThrow(sentence);
  });

  test('what only looks like look-around is read', () => {
    expect(read('72h', '1h', ['{a=~"\\\\(?=b",b=~"(?:a|b)",c=~"\\\\d+"}']).match).toHaveLength(1);
  });
});

describe('retention', () => {
  const observed = (site: 'primary' | 'dr', retentionMs: number | undefined): SiteObservation => ({
    site,
    url: `http://${site}`,
    startedMs: undefined,
    dedupMs: 0,
    retentionMs,
    maxBackfillAgeMs: undefined,
    readOnly: false,
  });
  const sites = [observed('primary', 90 * dayMs), observed('dr', 30 * dayMs)];
  const direction = directionFrom('primary');

  test('a range wholly older than what both keep is told as beyond repair', () => {
    expect(() => withinRetention(read('60d', '40d'), direction, sites, grid)).toThrow(
      /^to: the whole range is beyond repair: what is older than 2026-10-26T00:10:00Z .*primary keeps 90d, dr keeps 30d/,
    );
  });

  test('of a range that reaches out of it the rest is left', () => {
    const { window } = withinRetention(read('60d', '10d'), direction, sites, grid);
    expect(window).toEqual(makeWindow(nowMs - 29 * dayMs, nowMs - 10 * dayMs));
  });

  test('inside of it, and where no site says how long it keeps, all of it is left', () => {
    const inside = read('20d', '10d');
    expect(withinRetention(inside, direction, sites, grid)).toEqual(inside);
    const old = read('600d', '500d');
    const silent = [observed('primary', undefined), observed('dr', undefined)];
    expect(withinRetention(old, direction, silent, grid)).toEqual(old);
  });
});
