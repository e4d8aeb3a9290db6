import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  afterCheck,
  aheadOfUsMs,
  beforeCheck,
  behindUsMs,
  type CheckReport,
  CLOCK_TOLERANCE_MS,
  clocksApartMs,
  directionFrom,
  EMPTY_STATE,
  judgeTwins,
  makeWindow,
  NOTHING_TALLIED,
  repairEdgeMs,
  SITES,
  type Site,
  type SiteObservation,
  type SyncState,
} from '../src/index.ts';

const observed = (
  site: Site,
  offsetMs: number | undefined,
  uncertaintyMs = 10,
): SiteObservation => ({
  site,
  url: `http://${site}`,
  startedMs: 1,
  dedupMs: 0,
  retentionMs: undefined,
  maxBackfillAgeMs: undefined,
  readOnly: false,
  clock: offsetMs === undefined ? undefined : { offsetMs, uncertaintyMs },
});

const pair = (primary: number | undefined, dr: number | undefined) => [
  observed('primary', primary),
  observed('dr', dr),
];

test('the slowest and the fastest clock count, ours among them', () => {
  expect([behindUsMs(pair(-60_000, 30_000)), aheadOfUsMs(pair(-60_000, 30_000))]).toEqual([
    59_990, 29_990,
  ]);
  expect([behindUsMs(pair(60_000, 30_000)), aheadOfUsMs(pair(60_000, 30_000))]).toEqual([
    0, 59_990,
  ]);
  expect([behindUsMs(pair(undefined, undefined)), aheadOfUsMs([])]).toEqual([0, 0]);
});

test('what the reading leaves open, or the tolerance, moves nothing', () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e7, max: 1e7 }), fc.nat(1e6), (offsetMs, uncertaintyMs) => {
      const seen = [observed('dr', offsetMs, uncertaintyMs)];
      const certain = Math.max(0, Math.abs(offsetMs) - uncertaintyMs);
      const counts = certain > CLOCK_TOLERANCE_MS ? certain : 0;
      expect(behindUsMs(seen)).toBe(offsetMs < 0 ? counts : 0);
      expect(aheadOfUsMs(seen)).toBe(offsetMs > 0 ? counts : 0);
      expect(clocksApartMs(seen)).toBe(certain);
    }),
  );
});

test('what a site keeps goes by its own clock', () => {
  const day = 86_400_000;
  const nowMs = 20_000 * day;
  const edgeMs = (primary: number | undefined, dr: number | undefined) =>
    repairEdgeMs(
      nowMs,
      directionFrom('primary'),
      pair(primary, dr).map((one) => ({ ...one, retentionMs: 30 * day })),
    );
  const right = nowMs - 29 * day;
  expect(edgeMs(undefined, undefined)).toBe(right);
  expect(edgeMs(4_000, -4_000)).toBe(right);
  // This machine is 3 days fast: nothing has become too old by that.
  expect(edgeMs(-3 * day, -3 * day)).toBe(right - 3 * day);
  expect(edgeMs(0, 3 * day)).toBe(right + 3 * day);
});

describe('READY', () => {
  const stepMs = 300_000;
  const settleMs = 180_000;
  const startMs = 5_000 * stepMs;
  const direction = directionFrom('primary');

  function check(
    state: SyncState,
    nowMs: number,
    offsets: readonly [number, number],
    failed = false,
  ): SyncState {
    const [primary, dr] = [observed('primary', offsets[0]), observed('dr', offsets[1])];
    const common = {
      atMs: nowMs,
      tookMs: 5,
      active: {
        site: 'primary',
        reason: 'test',
        witnesses: [],
        mayWrite: true,
        whyNoWriting: null,
        epoch: 1,
      } as const,
      sites: {
        primary: { healthy: true, observation: primary },
        dr: { healthy: true, observation: dr },
      },
    } as const;
    if (failed) {
      const unknown = { outcome: 'unknown', reason: 'dr: 503', siteFailed: true } as const;
      return afterCheck(state, { ...common, ...unknown }, 1).state;
    }
    const observations = [primary, dr];
    const horizonMs = Math.floor((nowMs - behindUsMs(observations) - settleMs) / stepMs) * stepMs;
    const now = { nowMs, horizonMs, direction, observations, queryWindowMs: 12 * stepMs, stepMs };
    const before = beforeCheck(state, now).state;
    const proven = [makeWindow(before.marks['primary-to-dr']?.sinceMs ?? 0, horizonMs)];
    const report: CheckReport = {
      ...common,
      twins: judgeTwins(primary, dr, { settleMs }),
      outcome: 'clean',
      direction,
      horizonMs,
      forward: { proven, damaged: [] },
      backward: { proven, damaged: [] },
      backfills: [],
      tallied: NOTHING_TALLIED,
      leftOut: false,
      history: {
        begunMs: nowMs,
        surveyedFromMs: 0,
        passDone: true,
        complete: true,
        differing: [],
      },
      setAside: [],
    };
    return afterCheck(before, report, 1).state;
  }

  test.each(SITES)(
    'waits while the clock of %s is wrong by more than samples settle in',
    (site) => {
      for (const offsetMs of [-600_000, 600_000]) {
        const offsets = site === 'primary' ? ([offsetMs, 0] as const) : ([0, offsetMs] as const);
        const state = check(EMPTY_STATE, startMs, offsets);
        expect(state.failbackReady).toBe(false);
        expect(state.reasons).toEqual([expect.stringMatching(/^the clocks are 10m apart/)]);
        expect(check(state, startMs + 120_000, [0, 0]).failbackReady).toBe(true);
      }
      expect(check(EMPTY_STATE, startMs, [-60_000, 60_000]).failbackReady).toBe(true);
    },
  );

  test('after a failure waits until its time has settled by the fastest clock', () => {
    const failedMs = startMs + 1;
    const failed = check(check(EMPTY_STATE, startMs, [0, 0]), failedMs, [120_000, 0], true);
    const readyMs = (aheadMs: number): number => {
      for (let nowMs = failedMs; ; nowMs += 1_000) {
        if (check(failed, nowMs, [aheadMs, 0]).failbackReady) return nowMs;
      }
    };
    // Whole buckets settle at a time.
    expect(readyMs(0) - failedMs).toBeLessThanOrEqual(stepMs + settleMs);
    expect(readyMs(120_000)).toBeGreaterThanOrEqual(failedMs + 120_000 + settleMs - 10);
  });
});
