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
import {
  type CheckProgress,
  type CheckSettings,
  checkGaps,
  NOTHING_SET_ASIDE,
  type Plan,
  repairChunk,
} from '../src/index.ts';
import { ACTIVE } from './active.ts';
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
  proveMs: 60_000,
  surveyMs: 60_000,
  surplusMs: 60_000,
  recover: 'asked',
};

type Sites = Record<'primary' | 'dr', FakeDatabase>;

const check = (
  sites: Sites,
  state: SyncState,
  nowMs = NOW_MS,
  settings = SETTINGS,
  progress: (seen: CheckProgress) => void = () => {},
) =>
  checkGaps(
    {
      sites,
      resolveActive: async () => ACTIVE,
      now: () => nowMs,
      setAside: async () => NOTHING_SET_ASIDE,
      setAsideRecoveries: async () => NOTHING_SET_ASIDE,
      progress,
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

type ChunkContext = Parameters<typeof repairChunk>[1];

const contextFor = (sites: Sites, plan: Partial<Plan>, more: Partial<ChunkContext> = {}) => ({
  pair: { direction: directionFrom('primary'), source: sites.primary, destination: sites.dr },
  transfer: fakeTransfer(sites.primary, sites.dr),
  stepMs: plan.stepMs ?? STEP_MS,
  dedupMs: plan.dedupMs ?? 0,
  attempt: 1,
  mayHaveBegun: false,
  timeouts: 0,
  assertOrderHolds: async () => {},
  say: () => {},
  onBytes: async () => {},
  wait: async () => {},
  signal: new AbortController().signal,
  ...more,
});

async function repair(
  sites: Sites,
  state: SyncState,
  nowMs: number,
  more: Partial<ChunkContext> = {},
): Promise<number> {
  const { plans } = await check(sites, state, nowMs);
  for (const plan of plans) {
    for (const chunk of plan.chunks) await repairChunk(chunk, contextFor(sites, plan, more));
  }
  return plans.flatMap(({ chunks }) => chunks).length;
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

async function firstChunk(sites: Sites): Promise<Plan['chunks'][number]> {
  const [chunk] = (await check(sites, EMPTY_STATE)).plans.flatMap(({ chunks }) => chunks);
  if (!chunk) throw new Error('nothing planned');
  return chunk;
}

test('a destination that drops what it accepted is told so, and given up after three tries', async () => {
  const sites = sitesWith([{ source: [], destination: [1, 2, 3], phaseMs: 1 }]);
  const chunk = await firstChunk(sites);
  const attempt = (number: number) =>
    repairChunk(
      chunk,
      contextFor(
        sites,
        {},
        {
          transfer: fakeTransfer(sites.primary, sites.dr, () => false),
          attempt: number,
          mayHaveBegun: number > 1,
        },
      ),
    );
  await expect(attempt(1)).rejects.toMatchObject({ kind: 'retryable', name: 'ShortError' });
  await expect(attempt(3)).rejects.toMatchObject({ kind: 'final', name: 'ShortError' });
});

test('what becomes visible only while it is read back is told as well', async () => {
  const lost = Array.from({ length: 240 }, (_, at) => at);
  const sites = sitesWith([{ source: [], destination: lost, phaseMs: 1 }]);
  const chunk = await firstChunk(sites);
  const inAll = sites.dr.totalSamples.bind(sites.dr);
  // Sums know of a part only; counts by series, a moment later, of everything.
  sites.dr.totalSamples = async (request) => Math.floor((await inAll(request)) / 2);
  const done = await repairChunk(chunk, contextFor(sites, {}));
  expect(done).toMatchObject({ outcome: 'repaired', samples: chunk.samples });
  expect(chunk.samples).toBeGreaterThan(0);
});

test('an order that no longer holds writes nothing', async () => {
  const sites = sitesWith([{ source: [], destination: [1, 2, 3], phaseMs: 1 }]);
  const before = sites.dr.raw();
  const chunk = await firstChunk(sites);
  await expect(
    repairChunk(
      chunk,
      contextFor(sites, {}, { assertOrderHolds: () => Promise.reject(new Error('turned')) }),
    ),
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

/** A pair of which the last three days are due: a series of one sample in ten minutes for every loss. */
function longOutage(lost: readonly LongLoss[]): { sites: Sites; state: SyncState } {
  const sites = { primary: new FakeDatabase('primary'), dr: new FakeDatabase('dr') };
  const sinceMs = HORIZON_MS - 72 * HOUR_MS;
  // One that lost nothing: a source without any samples is unknown, not equal.
  const whole = Array.from({ length: 72 * 6 }, (_, at) => sinceMs + at * 600_000 + 7);
  for (const site of [sites.primary, sites.dr]) site.store({ __name__: 'whole' }, whole);
  for (const [index, { fromH, hours, strewn, onSource }] of lost.entries()) {
    const labels = { __name__: `m${index % 3}`, job: `j${index}` };
    const gone = (atMs: number) =>
      atMs > sinceMs + fromH * HOUR_MS &&
      atMs <= sinceMs + (fromH + hours) * HOUR_MS &&
      (!strewn || Math.floor(atMs / 600_000) % 3 === 0);
    sites.primary.store(labels, onSource ? whole.filter((atMs) => !gone(atMs)) : whole);
    sites.dr.store(labels, onSource ? whole : whole.filter((atMs) => !gone(atMs)));
  }
  const mark = { sinceMs, throughMs: sinceMs, unproven: [], earlier: [] };
  const marks = { 'primary-to-dr': mark, 'dr-to-primary': mark };
  return { sites, state: { ...EMPTY_STATE, marks } };
}

interface LongLoss {
  readonly fromH: number;
  readonly hours: number;
  readonly strewn: boolean;
  /** Samples that only the destination has, at other times than it lacks any: they are no gap. */
  readonly onSource: boolean;
}

const longLosses: fc.Arbitrary<LongLoss[]> = fc.array(
  fc.record({
    fromH: fc.constantFrom(0, 3, 24, 47.5, 70),
    hours: fc.constantFrom(0, 0.1, 2, 5, 24, 48, 72),
    strewn: fc.boolean(),
    onSource: fc.boolean(),
  }),
  { minLength: 1, maxLength: 6 },
);

test('outages of days are found from coarse to fine, repaired once, and proven', async () => {
  await fc.assert(
    fc.asyncProperty(longLosses, async (lost) => {
      const { sites, state } = longOutage(lost);
      const before = sites.dr.raw();
      const copied: string[] = [];
      const say = (text: string) => void copied.push(text);
      await repair(sites, state, NOW_MS, { say });
      expect(lacking(sites)).toEqual([]);
      for (const [key, timestamps] of sites.dr.raw()) {
        expect(new Set(timestamps).size).toBe(timestamps.length);
        expect(timestamps).toEqual(expect.arrayContaining([...(before.get(key) ?? [])]));
      }
      let seen = state;
      for (let round = 1; round < 5; round++) {
        seen = await next(sites, seen, NOW_MS + round * CONFIRM_AFTER_MS);
      }
      expect(seen.failbackReady).toBe(true);
      expect(seen.marks['primary-to-dr']?.unproven).toEqual([]);
    }),
    { numRuns: 20 },
  );
});

test('equal counts of different samples in the middle of long windows are found by proving', async () => {
  const { sites, state } = longOutage([{ fromH: 0, hours: 0, strewn: false, onSource: false }]);
  const lateMs = HORIZON_MS - 40 * HOUR_MS;
  sites.primary.store({ __name__: 'm0', job: 'j0' }, [lateMs + 1_000]);
  sites.dr.store({ __name__: 'm0', job: 'j0' }, [lateMs + 2_000]);
  const { report } = await check(sites, state);
  expect(report).toMatchObject({ outcome: 'gaps', tallied: { missing: 1 } });
  await repair(sites, state, NOW_MS);
  expect(lacking(sites)).toEqual([]);
});

test('proving a long window ends when its time is up, or when something waits, and goes on later', async () => {
  const { sites, state } = longOutage([{ fromH: 0, hours: 0, strewn: false, onSource: false }]);
  const unprovenMs = (one: SyncState) =>
    (one.marks['primary-to-dr']?.unproven ?? []).reduce((sum, w) => sum + w.toMs - w.fromMs, 0);
  const shortly = { ...SETTINGS, proveMs: -1 };
  let seen = state;
  let leftMs = Number.POSITIVE_INFINITY;
  for (let round = 1; round < 50 && leftMs > 0; round++) {
    const result = await check(sites, seen, NOW_MS + round, shortly);
    seen = afterCheck(result.state, result.report, 3).state;
    expect(unprovenMs(seen)).toBeLessThan(leftMs);
    expect(seen.failbackReady).toBe(false);
    leftMs = unprovenMs(seen);
  }
  expect(leftMs).toBe(0);
});

test('a long check tells how far it is, and what it is doing', async () => {
  const { sites, state } = longOutage([{ fromH: 0, hours: 0, strewn: false, onSource: false }]);
  const told: { act: string; share: number | null }[] = [];
  await check(sites, state, NOW_MS, SETTINGS, (seen) => told.push(seen));
  expect([...new Set(told.map(({ act }) => act))]).toEqual([
    'seeking',
    'proving',
    'looking backwards',
    'surveying',
  ]);
  // Seeking takes few questions, however long the window is.
  for (const [wanted, least] of [
    ['seeking', 1],
    ['proving', 4],
  ] as const) {
    const shares = told.flatMap(({ act, share }) =>
      act === wanted && share !== null ? share : [],
    );
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
    expect([shares.length >= least, shares.at(-1)]).toEqual([true, 1]);
  }
});
