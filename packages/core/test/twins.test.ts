import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  findingText,
  judgeTwins,
  noteTwins,
  type Site,
  type SiteObservation,
  TOLD_MEMORY_MS,
  tell,
} from '../src/index.ts';

const DAY_MS = 86_400_000;
const settings = { settleMs: 180_000 };

const observed = (site: Site, more: Partial<SiteObservation> = {}): SiteObservation => ({
  site,
  url: `http://${site}`,
  startedMs: 1,
  dedupMs: 60_000,
  retentionMs: 31 * DAY_MS,
  maxBackfillAgeMs: undefined,
  readOnly: false,
  clock: { offsetMs: 3, uncertaintyMs: 20 },
  version: 'v1.145.0',
  limits: {
    maxLabelsPerTimeseries: 40,
    maxLabelValueLen: 4_096,
    'storage.maxHourlySeries': 0,
    'storage.maxDailySeries': 0,
  },
  rewrites: [],
  ...more,
});

const judge = (primary: Partial<SiteObservation>, dr: Partial<SiteObservation> = {}) =>
  judgeTwins(observed('primary', primary), observed('dr', dr), settings);

const said = (...of: Parameters<typeof judge>) =>
  judge(...of).map((found) => `${found.severity}: ${findingText(found)}`);

test('of two that are alike nothing is said', () => {
  expect(judge({})).toEqual([]);
});

test('what a site does not say is no difference', () => {
  const silent: Partial<SiteObservation> = {
    startedMs: undefined,
    dedupMs: undefined,
    retentionMs: undefined,
    readOnly: undefined,
    clock: undefined,
    version: undefined,
    limits: undefined,
    rewrites: undefined,
  };
  expect(judge(silent)).toEqual([]);
  expect(judge({ rewrites: ['relabelConfig'], maxBackfillAgeMs: DAY_MS, ...silent })).toEqual([
    expect.objectContaining({ key: 'backfill-age-primary' }),
  ]);
});

test.each<[Partial<SiteObservation>, Partial<SiteObservation>, string]>([
  [
    { dedupMs: 0 },
    {},
    'fault: both sites deduplicate differently (primary off, dr 1m): set -dedup.minScrapeInterval alike',
  ],
  [
    { retentionMs: 90 * DAY_MS },
    {},
    'advice: both sites keep data for different times (primary 90d, dr 31d): what is older than the shorter -retentionPeriod is not compared',
  ],
  [
    {},
    { maxBackfillAgeMs: 12 * 3_600_000 },
    'advice: dr accepts nothing older than 12h (-maxBackfillAge): what an outage leaves behind for longer is beyond repair there',
  ],
  [
    { limits: { maxLabelsPerTimeseries: 30 } },
    {},
    'advice: both sites accept different numbers of labels (-maxLabelsPerTimeseries: primary 30, dr 40): a series with more labels than 30 cannot become equal; set it alike',
  ],
  [
    { limits: { maxLabelValueLen: 16_384 } },
    {},
    'advice: both sites accept label values of different lengths (-maxLabelValueLen: primary 16384, dr 4096): a series with a longer label value than 4096 cannot become equal; set it alike',
  ],
  [
    { limits: { 'storage.maxHourlySeries': 100 } },
    {},
    'advice: primary drops series beyond 100 an hour (-storage.maxHourlySeries): those that the other site takes stay missing',
  ],
  [
    {},
    { limits: { 'storage.maxDailySeries': 7 } },
    'advice: dr drops series beyond 7 a day (-storage.maxDailySeries): those that the other site takes stay missing',
  ],
  [
    { rewrites: ['relabelConfig'] },
    {},
    'advice: primary changes what it is sent (-relabelConfig), and the other site does not: series that it renames or drops cannot become equal',
  ],
  [
    { rewrites: ['streamAggr.config', 'usePromCompatibleNaming'] },
    { rewrites: ['streamAggr.config', 'usePromCompatibleNaming'] },
    'advice: both sites change what they are sent (-streamAggr.config): keep their files alike, vm-sync cannot compare them',
  ],
  [
    { version: 'v1.79.5' },
    {},
    'advice: both sites run different versions (primary v1.79.5, dr v1.145.0): the defaults of their limits differ, and repairs may have to do without native blocks',
  ],
])('%j beside %j', (primary, dr, sentence) => {
  expect(said(primary, dr)).toEqual([sentence]);
});

test('a limit to the age of what is accepted is no matter where nothing older is kept', () => {
  expect(judge({ maxBackfillAgeMs: 31 * DAY_MS }, { maxBackfillAgeMs: 40 * DAY_MS })).toEqual([]);
});

describe('clocks', () => {
  const at = (offsetMs: number, uncertaintyMs = 20) => ({ clock: { offsetMs, uncertaintyMs } });

  test.each<[number, number]>([
    [0, 0],
    [4_900, 0],
    [-4_900, 0],
    [2_400, -2_400],
  ])('%d and %d ms off are close enough', (primary, dr) => {
    expect(judge(at(primary), at(dr))).toEqual([]);
  });

  test('an answer that took long proves no difference', () => {
    expect(judge(at(9_000, 4_500))).toEqual([]);
    expect(judge(at(9_600, 4_500))).toHaveLength(1);
  });

  test('seconds apart: said, and READY does not wait for it', () => {
    expect(judge(at(12_000), at(10))).toEqual([
      {
        severity: 'advice',
        subject: 'the clocks',
        key: 'clocks',
        text: "are 12s apart (primary's is 12s ahead of this machine's, dr's agrees with this machine's): what is younger than SETTLE_SECONDS by the slowest of them is not judged; run NTP on both sites and on this machine",
        keepsReadyAway: false,
      },
    ]);
  });

  test.each<[string, number, number, string]>([
    ['of a site behind', 0, -600_000, "dr's is 10m behind this machine's"],
    ['of a site ahead', 600_000, 0, "primary's is 10m ahead of this machine's"],
    ['of this machine', -600_000, -600_000, "primary's is 10m behind this machine's, dr's is 10m"],
    ['both ways', 300_000, -300_000, 'are 10m apart'],
  ])('farther apart than samples settle, %s: a fault, and READY waits', (_, primary, dr, words) => {
    const [found, ...more] = judge(at(primary), at(dr));
    expect(more).toEqual([]);
    expect(found).toMatchObject({ severity: 'fault', keepsReadyAway: true });
    expect(found?.text).toContain(words);
    expect(found?.text).toContain('READY waits until they agree');
  });

  test('one clock that is not known hides no other', () => {
    expect(judge(at(-600_000), { clock: undefined })).toEqual([
      expect.objectContaining({ text: expect.stringContaining("dr's is not known") }),
    ]);
  });
});

test('both orders of the sites bring the same findings', () => {
  const clock = fc.option(
    fc.record({ offsetMs: fc.integer({ min: -1e6, max: 1e6 }), uncertaintyMs: fc.nat(10_000) }),
    { nil: undefined },
  );
  const one = fc.record({
    dedupMs: fc.constantFrom(undefined, 0, 60_000),
    retentionMs: fc.constantFrom(undefined, DAY_MS, 31 * DAY_MS),
    maxBackfillAgeMs: fc.constantFrom(undefined, DAY_MS / 2),
    clock,
  });
  const keys = (a: SiteObservation, b: SiteObservation) =>
    judgeTwins(a, b, settings)
      .map(({ key, severity }) => `${key} ${severity}`)
      .sort();
  fc.assert(
    fc.property(one, one, (a, b) => {
      const [primary, dr] = [observed('primary', a), observed('dr', b)];
      expect(keys(primary, dr)).toEqual(keys(dr, primary));
    }),
  );
});

describe('telling', () => {
  const differ = judge({ dedupMs: 0 });
  const events = (step: ReturnType<typeof noteTwins>) => step.events.map((event) => tell(event));

  test('once, a fault to people, advice to the log', () => {
    const first = noteTwins([], [...differ, ...judge({ version: 'v1.79.5' })], 1_000);
    expect(events(first)).toEqual([
      {
        severity: 'error',
        notify: true,
        text: expect.stringMatching(/^⚠️ VM-Sync: both sites deduplicate differently/),
      },
      {
        severity: 'warn',
        notify: false,
        text: expect.stringMatching(/: both sites run different/),
      },
    ]);
    expect(noteTwins(first.told, differ, 2_000).events).toEqual([]);
  });

  test('what comes and goes is not told each time, what comes back later is', () => {
    const first = noteTwins([], differ, 0);
    const away = noteTwins(first.told, [], TOLD_MEMORY_MS - 1);
    const back = noteTwins(away.told, differ, TOLD_MEMORY_MS);
    expect(back.events).toEqual([]);
    const gone = noteTwins(back.told, [], 2 * TOLD_MEMORY_MS);
    expect(gone.told).toEqual([]);
    expect(noteTwins(gone.told, differ, 2 * TOLD_MEMORY_MS + 1).events).toHaveLength(1);
  });

  test('what gets worse is told again', () => {
    const clock = (offsetMs: number) => judge({ clock: { offsetMs, uncertaintyMs: 1 } });
    const first = noteTwins([], clock(30_000), 0);
    expect(first.events).toHaveLength(1);
    expect(noteTwins(first.told, clock(40_000), 1).events).toEqual([]);
    expect(noteTwins(first.told, clock(400_000), 1).events).toHaveLength(1);
  });
});
