import { EMPTY_STATE, parseSelectors, type Site, scopeOf } from '@vm-sync/core';
import { expect, test } from 'vitest';
import { checkGaps, lookAtFreshness, NOTHING_SET_ASIDE } from '../src/index.ts';
import { ACTIVE } from './active.ts';
import { FakeDatabase } from './fake-database.ts';

const nowMs = 1_795_000_200_000;
const settings = {
  role: 'primary',
  scope: scopeOf(parseSelectors('{__name__!=""}'), parseSelectors('{__name__=~"vmsync_.+"}')),
  stepMs: 60_000,
  settleMs: 60_000,
  queryWindowMs: 3_600_000,
  threshold: 1,
  proveMs: 60_000,
  surveyMs: 60_000,
  surplusMs: 60_000,
  recover: 'asked',
} as const;

/** A sample a minute for two hours, up to so many seconds ago. */
function siteUntil(site: Site, agoS: number): FakeDatabase {
  const database = new FakeDatabase(site);
  const lastMs = nowMs - agoS * 1_000;
  database.store(
    { __name__: 'up' },
    Array.from({ length: 120 }, (_, at) => lastMs - at * 60_000),
  );
  return database;
}

const sitesUntil = (primaryS: number, drS: number) => ({
  primary: siteUntil('primary', primaryS),
  dr: siteUntil('dr', drS),
});

test.each([
  [20, 20, null],
  [20, 190, null],
  [20, 211, 'primary'],
  [900, 20, 'dr'],
  [3_590, 3_590, null],
  [90_000, 90_000, null],
] as const)('the newest are %i s and %i s old: %s', async (primaryS, drS, says) => {
  const witness = await lookAtFreshness({ sites: sitesUntil(primaryS, drS) }, settings, nowMs);
  expect(witness.says).toBe(says);
});

test('of a site that is written to a few names are asked, of another one all', async () => {
  const sites = sitesUntil(20, 200);
  const asked = { primary: [] as string[], dr: [] as string[] };
  for (const site of ['primary', 'dr'] as const) {
    for (let at = 0; at < 10; at++) {
      sites[site].store({ __name__: `name${at}` }, [
        nowMs - (site === 'primary' ? 25_000 : 250_000),
      ]);
    }
    const newest = sites[site].newestSample.bind(sites[site]);
    sites[site].newestSample = (request) => {
      asked[site].push(...request.selectors);
      return newest(request);
    };
  }
  const witness = await lookAtFreshness({ sites }, settings, nowMs);
  expect(witness.text).toContain(`dr ${new Date(nowMs - 200_000).toISOString().slice(0, 19)}`);
  expect(asked.primary.every((text) => text.includes('__name__=~"'))).toBe(true);
  expect(asked.dr.some((text) => !text.includes('__name__=~"'))).toBe(true);
});

test('where names cannot be listed all series are asked', async () => {
  const sites = sitesUntil(20, 900);
  for (const site of ['primary', 'dr'] as const) {
    sites[site].labelValues = async () => {
      throw new Error('no route');
    };
  }
  expect((await lookAtFreshness({ sites }, settings, nowMs)).says).toBe('primary');
});

test('what vm-sync writes itself is no fresh data', async () => {
  const sites = sitesUntil(900, 900);
  sites.dr.store({ __name__: 'vmsync_heartbeat' }, [nowMs - 1_000]);
  expect((await lookAtFreshness({ sites }, settings, nowMs)).says).toBeNull();
});

test('a site that cannot say is unknown, not stale', async () => {
  const sites = sitesUntil(20, 20);
  sites.primary.newestSample = async () => {
    throw new Error('no answer');
  };
  const witness = await lookAtFreshness({ sites }, settings, nowMs);
  expect(witness).toEqual({ name: 'freshness', says: 'unknown', text: 'no answer' });
});

test('a check shows it among the witnesses', async () => {
  const { report } = await checkGaps(
    {
      sites: sitesUntil(900, 20),
      resolveActive: async () => ACTIVE,
      now: () => nowMs,
      setAside: async () => NOTHING_SET_ASIDE,
      setAsideRecoveries: async () => NOTHING_SET_ASIDE,
    },
    settings,
    EMPTY_STATE,
  );
  expect(report.active.witnesses).toMatchObject([{ name: 'freshness', says: 'dr' }]);
});
