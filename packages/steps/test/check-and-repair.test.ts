import {
  afterCheck,
  CONFIRM_AFTER_MS,
  directionFrom,
  EMPTY_STATE,
  missingTimestamps,
  parseSelectors,
  type SyncState,
  scopeOf,
  type Window,
} from '@vm-sync/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CheckSettings, checkGaps, NOTHING_SET_ASIDE, repairChunk } from '../src/index.ts';
import { FakeDatabase, type FakeOptions, fakeTransfer } from './fake-database.ts';

const STEP_MS = 300_000;
const NOW_MS = 1_795_000_200_000;
const HORIZON_MS = Math.floor((NOW_MS - 180_000) / STEP_MS) * STEP_MS;
const WINDOW: Window = { fromMs: HORIZON_MS - 3_600_000, toMs: HORIZON_MS };

const SETTINGS: CheckSettings = {
  role: 'primary',
  scope: scopeOf(parseSelectors('{__name__!=""}'), parseSelectors('{__name__=~"vmsync_.+"}')),
  stepMs: STEP_MS,
  settleMs: 180_000,
  queryWindowMs: 3_600_000,
  threshold: 1,
  surveyMs: 60_000,
};

type Sites = Record<'primary' | 'dr', FakeDatabase>;

const check = (sites: Sites, state: SyncState, nowMs = NOW_MS, settings = SETTINGS) =>
  checkGaps(
    {
      sites,
      resolveActive: async () => ({ site: 'primary', reason: 'test' }),
      now: () => nowMs,
      setAside: async () => NOTHING_SET_ASIDE,
    },
    settings,
    state,
  );

/** Which samples each side lost, of series that had one every 15 s for an hour: a bit for each. */
const losses = fc.array(
  fc.record({
    source: fc.array(fc.nat(239), { maxLength: 60 }),
    destination: fc.array(fc.nat(239), { maxLength: 60 }),
    phaseMs: fc.integer({ min: 1, max: 15_000 }),
  }),
  { minLength: 1, maxLength: 6 },
);

type Losses = typeof losses extends fc.Arbitrary<infer T> ? T : never;

function sitesWith(lost: Losses, options: { primary?: FakeOptions; dr?: FakeOptions } = {}): Sites {
  const sites = {
    primary: new FakeDatabase('primary', options.primary),
    dr: new FakeDatabase('dr', options.dr),
  };
  for (const [index, { source, destination, phaseMs }] of lost.entries()) {
    const labels = { __name__: `m${index % 2}`, job: `j${index}` };
    const all = Array.from({ length: 240 }, (_, at) => WINDOW.fromMs + at * 15_000 + phaseMs);
    const without = (gone: readonly number[]) => all.filter((_, at) => !gone.includes(at));
    sites.primary.store(labels, without(source));
    sites.dr.store(labels, without(destination));
  }
  return sites;
}

/** What the destination really lacks, sample by sample. */
function lacking(sites: Sites, dedupMs = 0): number[] {
  const there = sites.dr.raw();
  return [...sites.primary.raw()].flatMap(([key, timestamps]) =>
    missingTimestamps(timestamps, there.get(key) ?? [], dedupMs),
  );
}

test('a check finds exactly what is missing, whatever both sides lost', async () => {
  await fc.assert(
    fc.asyncProperty(losses, async (lost) => {
      const sites = sitesWith(lost);
      const { report } = await check(sites, EMPTY_STATE);
      if (report.outcome === 'unknown') throw new Error(report.reason);
      const missing = lacking(sites);
      expect(report.outcome).toBe(missing.length === 0 ? 'clean' : 'gaps');
      // Counts of buckets below the threshold are a lower bound; the windows are exact.
      expect(report.tallied.missing).toBeLessThanOrEqual(missing.length);
      const inside = (atMs: number, windows: readonly Window[]) =>
        windows.some(({ fromMs, toMs }) => atMs > fromMs && atMs <= toMs);
      for (const atMs of missing) {
        expect(inside(atMs, report.forward.damaged)).toBe(true);
        expect(inside(atMs, report.forward.proven)).toBe(false);
      }
    }),
    { numRuns: 60 },
  );
});

test('limits of the server change nothing in the result', async () => {
  await fc.assert(
    fc.asyncProperty(losses, fc.integer({ min: 1, max: 4 }), async (lost, mostSeries) => {
      const free = await check(sitesWith(lost), EMPTY_STATE);
      const limited = await check(sitesWith(lost, { dr: { mostSeries } }), EMPTY_STATE);
      if (free.report.outcome === 'unknown') throw new Error(free.report.reason);
      if (limited.report.outcome === 'unknown') throw new Error(limited.report.reason);
      expect(limited.report.tallied.missing).toBe(free.report.tallied.missing);
      expect(limited.report.forward).toEqual(free.report.forward);
      expect(limited.report.backward).toEqual(free.report.backward);
    }),
    { numRuns: 25 },
  );
});

async function repair(sites: Sites, state: SyncState, nowMs: number): Promise<number> {
  const { chunks, plannedFor } = await check(sites, state, nowMs);
  for (const chunk of chunks) {
    await repairChunk(chunk, {
      pair: { direction: directionFrom('primary'), source: sites.primary, destination: sites.dr },
      transfer: fakeTransfer(sites.primary, sites.dr),
      stepMs: plannedFor?.stepMs ?? STEP_MS,
      dedupMs: plannedFor?.dedupMs ?? 0,
      attempt: 1,
      mayHaveBegun: false,
      assertOrderHolds: async () => {},
      say: () => {},
      onBytes: () => {},
      wait: async () => {},
      signal: new AbortController().signal,
    });
  }
  return chunks.length;
}

test.each([
  ['no deduplication', {}],
  ['60 s on both sites', { primary: { dedupMs: 60_000 }, dr: { dedupMs: 60_000 } }],
  ['60 s on the destination only', { dr: { dedupMs: 60_000 } }],
])('one run repairs everything and doubles nothing: %s', async (_, options) => {
  const dedupMs = 'dr' in options ? 60_000 : 0;
  await fc.assert(
    fc.asyncProperty(losses, async (lost) => {
      const sites = sitesWith(lost, options);
      const before = sites.dr.raw();
      await repair(sites, EMPTY_STATE, NOW_MS);
      expect(lacking(sites, dedupMs)).toEqual([]);
      expect(await repair(sites, EMPTY_STATE, NOW_MS)).toBe(0);
      for (const [key, timestamps] of sites.dr.raw()) {
        expect(new Set(timestamps).size).toBe(timestamps.length);
        expect(timestamps).toEqual(expect.arrayContaining([...(before.get(key) ?? [])]));
      }
    }),
    { numRuns: 30 },
  );
});

test('READY comes after the wanted clean checks, and never while a sample is missing', async () => {
  await fc.assert(
    fc.asyncProperty(losses, fc.array(fc.boolean(), { maxLength: 8 }), async (lost, repairs) => {
      const sites = sitesWith(lost);
      let state = EMPTY_STATE;
      let nowMs = NOW_MS;
      for (const repairNow of [...repairs, true, false, false, false, false]) {
        if (repairNow) await repair(sites, state, nowMs);
        nowMs += CONFIRM_AFTER_MS;
        const result = await check(sites, state, nowMs);
        state = afterCheck(result.state, result.report, 3).state;
        if (lacking(sites).length > 0) expect(state.failbackReady).toBe(false);
      }
      expect(state.failbackReady).toBe(true);
    }),
    { numRuns: 20 },
  );
});

test('a source without a single sample is not called equal', async () => {
  const sites = { primary: new FakeDatabase('primary'), dr: new FakeDatabase('dr') };
  const { report } = await check(sites, EMPTY_STATE);
  expect(report).toMatchObject({
    outcome: 'unknown',
    reason: expect.stringContaining('holds no samples'),
  });
});

test('a destination that drops what it accepted is told so, and given up after three tries', async () => {
  const sites = sitesWith([{ source: [], destination: [1, 2, 3], phaseMs: 1 }]);
  const { chunks } = await check(sites, EMPTY_STATE);
  const [chunk] = chunks;
  if (!chunk) throw new Error('nothing planned');
  const attempt = (number: number) =>
    repairChunk(chunk, {
      pair: { direction: directionFrom('primary'), source: sites.primary, destination: sites.dr },
      transfer: fakeTransfer(sites.primary, sites.dr, () => false),
      stepMs: STEP_MS,
      dedupMs: 0,
      attempt: number,
      mayHaveBegun: number > 1,
      assertOrderHolds: async () => {},
      say: () => {},
      onBytes: () => {},
      wait: async () => {},
      signal: new AbortController().signal,
    });
  await expect(attempt(1)).rejects.toMatchObject({ kind: 'retryable', name: 'ShortError' });
  await expect(attempt(3)).rejects.toMatchObject({ kind: 'final', name: 'ShortError' });
});

test('an order that no longer holds writes nothing', async () => {
  const sites = sitesWith([{ source: [], destination: [1, 2, 3], phaseMs: 1 }]);
  const before = sites.dr.raw();
  const { chunks } = await check(sites, EMPTY_STATE);
  await expect(
    repairChunk(chunks[0] as (typeof chunks)[number], {
      pair: { direction: directionFrom('primary'), source: sites.primary, destination: sites.dr },
      transfer: fakeTransfer(sites.primary, sites.dr),
      stepMs: STEP_MS,
      dedupMs: 0,
      attempt: 1,
      mayHaveBegun: false,
      assertOrderHolds: () => Promise.reject(new Error('turned')),
      say: () => {},
      onBytes: () => {},
      wait: async () => {},
      signal: new AbortController().signal,
    }),
  ).rejects.toThrow('turned');
  expect(sites.dr.raw()).toEqual(before);
});

const HOUR_MS = 3_600_000;

/** Both sites equal for twelve hours, and READY said about them. */
async function readyPair(): Promise<{ sites: Sites; state: SyncState }> {
  const sites = { primary: new FakeDatabase('primary'), dr: new FakeDatabase('dr') };
  const all = Array.from({ length: 12 * 60 }, (_, at) => HORIZON_MS - at * 60_000);
  for (const site of [sites.primary, sites.dr]) site.store({ __name__: 'm' }, all);
  let state = EMPTY_STATE;
  for (let round = 0; round < 3; round++) state = await next(sites, state, NOW_MS + round);
  expect(state.failbackReady).toBe(true);
  return { sites, state };
}

async function next(sites: Sites, state: SyncState, nowMs: number): Promise<SyncState> {
  const result = await check(sites, state, nowMs);
  return afterCheck(result.state, result.report, 3).state;
}

test('a destination that comes back from an old backup is not READY: what is older than the look-back counts too', async () => {
  const { sites, state } = await readyPair();
  const restored = new FakeDatabase('dr');
  restored.startedMs = 2;
  const kept = [...sites.primary.raw().values()].flat().filter((atMs) => atMs > WINDOW.fromMs);
  restored.store({ __name__: 'm' }, kept);
  const after = { primary: sites.primary, dr: restored };
  let seen = state;
  for (let round = 1; round < 6; round++) {
    seen = await next(after, seen, NOW_MS + round * 1_000);
    expect(seen.failbackReady).toBe(false);
  }
  expect(seen.reasons.join()).toContain('backfill');
});

test('a restart that lost nothing is READY again as soon as all has been surveyed', async () => {
  const { sites, state } = await readyPair();
  sites.dr.startedMs = 2;
  expect((await next(sites, state, NOW_MS + 1_000)).failbackReady).toBe(true);
});

test('samples that reach the source hours late are found by the hourly survey, and repaired', async () => {
  const { sites, state } = await readyPair();
  // READY goes on for two hours, so that the late samples lie in time that has been proven.
  const moreMs = Array.from({ length: 180 }, (_, at) => HORIZON_MS + (at + 1) * 60_000);
  for (const site of [sites.primary, sites.dr]) site.store({ __name__: 'm' }, moreMs);
  let seen = await next(sites, state, NOW_MS + 3 * HOUR_MS);
  sites.primary.store({ __name__: 'm' }, [HORIZON_MS + 30_000, HORIZON_MS + 90_000]);
  seen = await next(sites, { ...seen, history: aged(seen.history) }, NOW_MS + 3 * HOUR_MS + 1);
  expect(seen.failbackReady).toBe(false);
  expect(seen.reasons.join()).toContain('dr lacks 2 samples');
  await repair(sites, seen, NOW_MS + 3 * HOUR_MS + 2);
  expect(lacking(sites)).toEqual([]);
});

/** The same history, its last pass an hour ago. */
const aged = (history: SyncState['history']): SyncState['history'] => {
  const one = history['primary-to-dr'];
  return { ...history, 'primary-to-dr': one && { ...one, begunMs: NOW_MS } };
};
