import {
  directionFrom,
  EMPTY_STATE,
  makeWindow,
  missingIn,
  parseSelectors,
  scopeOf,
} from '@vm-sync/core';
import { expect, test } from 'vitest';
import type { Comparison } from '../src/compare-windows.ts';
import { drawGapMap } from '../src/draw-gap-map.ts';
import { type CheckSettings, checkGaps, NOTHING_SET_ASIDE } from '../src/index.ts';
import { ACTIVE } from './active.ts';
import { FakeDatabase } from './fake-database.ts';

const STEP_MS = 300_000;
const NOW_MS = 1_795_000_200_000;
const HORIZON_MS = Math.floor((NOW_MS - 180_000) / STEP_MS) * STEP_MS;
const HOURS = 6;

const SETTINGS: CheckSettings = {
  role: 'primary',
  scope: scopeOf(parseSelectors('{__name__!=""}'), parseSelectors('{__name__=~"vmsync_.+"}')),
  stepMs: STEP_MS,
  settleMs: 180_000,
  queryWindowMs: HOURS * 3_600_000,
  threshold: 1,
  proveMs: 60_000,
  surveyMs: 0,
  surplusMs: 0,
  recover: 'asked',
};

/** Counts what is asked of the source beside the comparison. */
class WatchedDatabase extends FakeDatabase {
  asked = 0;
  fails = false;

  override async countsBy(...of: Parameters<FakeDatabase['countsBy']>) {
    this.asked += 1;
    if (this.fails) throw new Error('too slow');
    return super.countsBy(...of);
  }
}

/** Five devices with three series each, a sample a minute; `isLost` says what the destination lacks. */
function sitesWith(isLost: (device: number, ageMs: number, name: string) => boolean) {
  const primary = new WatchedDatabase('primary');
  const dr = new FakeDatabase('dr');
  const minutes = Array.from(
    { length: HOURS * 60 },
    (_, at) => HORIZON_MS - HOURS * 3_600_000 + (at + 1) * 60_000,
  );
  for (let device = 0; device < 5; device++) {
    for (const __name__ of ['cpu', 'memory', 'disk']) {
      const labels = { __name__, job: 'otel', instance: `bigip-${device}` };
      primary.store(labels, minutes);
      dr.store(
        labels,
        minutes.filter((at) => !isLost(device, HORIZON_MS - at, __name__)),
      );
    }
  }
  return { primary, dr };
}

const HOUR_MS = 3_600_000;

async function check(
  sites: ReturnType<typeof sitesWith>,
  mapLabels: readonly string[] | undefined = ['job', 'instance'],
) {
  const { report, gapMap } = await checkGaps(
    {
      sites,
      resolveActive: async () => ACTIVE,
      now: () => NOW_MS,
      setAside: async () => NOTHING_SET_ASIDE,
      setAsideRecoveries: async () => NOTHING_SET_ASIDE,
      mapLabels,
    },
    SETTINGS,
    EMPTY_STATE,
  );
  if (report.outcome === 'unknown') throw new Error(report.reason);
  return { tallied: report.tallied, gapMap };
}

test('a check draws what it found missing, by the first label that tells devices apart', async () => {
  // All for an hour, and of one device a single metric for longer.
  const sites = sitesWith(
    (device, ageMs, name) =>
      (ageMs >= HOUR_MS && ageMs < 2 * HOUR_MS) ||
      (device === 3 && name === 'cpu' && ageMs < 3 * HOUR_MS),
  );
  const { tallied, gapMap } = await check(sites);
  expect(gapMap).toMatchObject({ label: 'instance', basis: 'group', direction: 'primary-to-dr' });
  if (!gapMap) return;
  expect(missingIn(gapMap)).toBe(tallied.missing);
  expect(tallied.missing).toBe(5 * 3 * 60 + 2 * 60);
  expect(gapMap.rows.map(({ group }) => group)).toEqual([3, 0, 1, 2, 4].map((at) => `bigip-${at}`));
  const [worst, other] = gapMap.rows;
  const shares = (row: typeof worst) =>
    new Set(row?.missing.map((lost, at) => lost / (row.expected[at] as number)));
  expect(shares(worst)).toEqual(new Set([0, 1 / 3, 1]));
  expect(shares(other)).toEqual(new Set([0, 1]));
  expect(worst?.expected.every((held) => held === worst.expected[0])).toBe(true);
});

test('a clean check draws nothing and asks nothing more', async () => {
  const sites = sitesWith(() => false);
  const { gapMap } = await check(sites);
  expect(gapMap).toBeUndefined();
  expect(sites.primary.asked).toBe(0);
});

test('nobody asked for a map: none is drawn', async () => {
  const sites = sitesWith(() => true);
  const { primary, dr } = sites;
  dr.store({ __name__: 'cpu', job: 'otel', instance: 'bigip-0' }, [HORIZON_MS]);
  const { report, gapMap } = await checkGaps(
    {
      sites,
      resolveActive: async () => ACTIVE,
      now: () => NOW_MS,
      setAside: async () => NOTHING_SET_ASIDE,
      setAsideRecoveries: async () => NOTHING_SET_ASIDE,
    },
    SETTINGS,
    EMPTY_STATE,
  );
  expect(report.outcome).toBe('gaps');
  expect(gapMap).toBeUndefined();
  expect(primary.asked).toBe(0);
});

test('a source that does not say how much there should be fails no check', async () => {
  const sites = sitesWith((device, ageMs) => device === 1 && ageMs < HOUR_MS);
  sites.primary.fails = true;
  const { tallied, gapMap } = await check(sites, ['instance']);
  expect(gapMap).toMatchObject({ basis: 'affected', label: 'instance' });
  expect(gapMap && missingIn(gapMap)).toBe(tallied.missing);
  expect(gapMap?.rows).toHaveLength(1);
});

test('without a useful label it is drawn by metric', async () => {
  const sites = sitesWith((_, ageMs, name) => name === 'disk' && ageMs < HOUR_MS);
  const { gapMap } = await check(sites, ['job', 'absent']);
  expect(gapMap?.label).toBe('__name__');
  expect(gapMap?.rows.map(({ group }) => group)).toEqual(['disk', null]);
  expect(gapMap?.basis).toBe('group');
});

test('over very many samples nothing is asked: the map is of the series with a gap', async () => {
  const { primary, dr } = sitesWith(() => false);
  const comparison: Comparison = {
    pair: { direction: directionFrom('primary'), source: primary, destination: dr },
    scope: SETTINGS.scope,
    measure: { stepMs: STEP_MS, threshold: 1, dedupMs: 0, dedupDiffers: false },
  };
  const last = makeWindow(HORIZON_MS - HOUR_MS, HORIZON_MS);
  const labels = { __name__: 'cpu', instance: 'bigip-1' };
  const gap = { labels, fromMs: HORIZON_MS - STEP_MS, toMs: HORIZON_MS, missing: 5, held: 0 };
  const drawn = (samples: number) =>
    drawGapMap(comparison, { gaps: [gap], samples }, last, ['instance'], NOW_MS);
  expect(await drawn(20_000_001)).toMatchObject({
    basis: 'affected',
    label: 'instance',
    rows: [{ group: 'bigip-1' }],
  });
  expect(primary.asked).toBe(0);
  expect(await drawn(20_000_000)).toMatchObject({ basis: 'group' });
  expect(primary.asked).toBeGreaterThan(0);
});
