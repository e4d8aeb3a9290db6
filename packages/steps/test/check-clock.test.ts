import { EMPTY_STATE, parseSelectors, type SyncState, scopeOf } from '@vm-sync/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CheckSettings, checkGaps, NOTHING_SET_ASIDE } from '../src/index.ts';
import { ACTIVE } from './active.ts';
import { FakeDatabase } from './fake-database.ts';

const STEP_MS = 60_000;
const MINUTE_MS = 60_000;
/** What a right clock shows. */
const TRUE_MS = 1_795_000_200_000;

const SETTINGS: CheckSettings = {
  role: 'primary',
  scope: scopeOf(parseSelectors('{__name__!=""}'), []),
  stepMs: STEP_MS,
  settleMs: 3 * MINUTE_MS,
  queryWindowMs: 60 * MINUTE_MS,
  threshold: 1,
  proveMs: 60_000,
  surveyMs: 60_000,
  surplusMs: 60_000,
  recover: 'asked',
};

/** Both sites hold the last hour; of the last two minutes dr has not been sent anything yet. */
function sitesInFlight() {
  const sites = { primary: new FakeDatabase('primary'), dr: new FakeDatabase('dr') };
  const all = Array.from({ length: 240 }, (_, at) => TRUE_MS - at * 15_000);
  const labels = { __name__: 'm', job: 'a' };
  sites.primary.store(labels, all);
  sites.dr.store(
    labels,
    all.filter((at) => at <= TRUE_MS - 2 * MINUTE_MS),
  );
  return sites;
}

/** A check by a machine whose clock is off by `ourMs`, and sites whose clocks are off by these, all against a right one. */
async function check(
  sites: ReturnType<typeof sitesInFlight>,
  off: { ourMs: number; primaryMs: number; drMs: number },
  state: SyncState = EMPTY_STATE,
) {
  sites.primary.clockOffsetMs = off.primaryMs - off.ourMs;
  sites.dr.clockOffsetMs = off.drMs - off.ourMs;
  const context = {
    sites,
    resolveActive: async () => ACTIVE,
    now: () => TRUE_MS + off.ourMs,
    setAside: async () => NOTHING_SET_ASIDE,
    setAsideRecoveries: async () => NOTHING_SET_ASIDE,
  };
  const result = await checkGaps(context, SETTINGS, state);
  if (result.report.outcome === 'unknown') throw new Error(result.report.reason);
  return { ...result, report: result.report };
}

const TEN_MS = 10 * MINUTE_MS;

test.each([
  ['this machine is 10 minutes fast', { ourMs: TEN_MS, primaryMs: 0, drMs: 0 }],
  ['this machine and the source are', { ourMs: TEN_MS, primaryMs: TEN_MS, drMs: 0 }],
  ['the source is', { ourMs: 0, primaryMs: TEN_MS, drMs: 0 }],
  ['the destination is', { ourMs: 0, primaryMs: 0, drMs: TEN_MS }],
  ['this machine is 10 minutes slow', { ourMs: -TEN_MS, primaryMs: 0, drMs: 0 }],
  ['the source is slow', { ourMs: 0, primaryMs: -TEN_MS, drMs: 0 }],
])('%s: noticed, no false gap, and no time proven that is in flight', async (_, off) => {
  const { report, plans } = await check(sitesInFlight(), off);
  expect(report.twins).toEqual([
    expect.objectContaining({ key: 'clocks', severity: 'fault', keepsReadyAway: true }),
  ]);
  expect([report.outcome, plans]).toEqual(['clean', []]);
  expect(report.horizonMs).toBeLessThanOrEqual(TRUE_MS - SETTINGS.settleMs);
  for (const { toMs } of report.forward.proven) {
    expect(toMs).toBeLessThanOrEqual(TRUE_MS - SETTINGS.settleMs);
  }
});

test('a clock that nobody can compare with misleads: this is what the others are asked for', async () => {
  const sites = sitesInFlight();
  const context = {
    sites,
    resolveActive: async () => ACTIVE,
    now: () => TRUE_MS + TEN_MS,
    setAside: async () => NOTHING_SET_ASIDE,
    setAsideRecoveries: async () => NOTHING_SET_ASIDE,
  };
  const { report } = await checkGaps(context, SETTINGS, EMPTY_STATE);
  expect(report.outcome).toBe('gaps');
});

test('the horizon lies before the settle time of every clock, within the tolerance', async () => {
  const offset = fc.integer({ min: -20 * MINUTE_MS, max: 20 * MINUTE_MS });
  await fc.assert(
    fc.asyncProperty(offset, offset, offset, async (ourMs, primaryMs, drMs) => {
      const { report } = await check(sitesInFlight(), { ourMs, primaryMs, drMs });
      const slowestMs = TRUE_MS + Math.min(ourMs, primaryMs, drMs);
      expect(report.horizonMs).toBeLessThanOrEqual(slowestMs - SETTINGS.settleMs + 5_000);
    }),
    { numRuns: 40 },
  );
});

test('what is open and lies behind a horizon that went back is left alone, and stays open', async () => {
  const sites = sitesInFlight();
  const right = { ourMs: 0, primaryMs: 0, drMs: 0 };
  const first = await check(sites, right);
  const { horizonMs } = first.report;
  const open = { fromMs: horizonMs - 5 * MINUTE_MS, toMs: horizonMs };
  const mark = { sinceMs: horizonMs - 60 * MINUTE_MS, throughMs: horizonMs, unproven: [open] };
  const state: SyncState = {
    ...first.state,
    marks: { ...first.state.marks, 'primary-to-dr': { ...mark, earlier: [] } },
  };
  const { report } = await check(sites, { ...right, drMs: -TEN_MS }, state);
  expect(report.outcome).toBe('clean');
  expect(report.forward.proven).toEqual([]);
  const after = await check(sites, right, state);
  expect(after.report.forward.proven).toEqual([open]);
});
