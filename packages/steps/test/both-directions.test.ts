import {
  afterCheck,
  afterRun,
  CONFIRM_AFTER_MS,
  directionFrom,
  EMPTY_STATE,
  missingTimestamps,
  parseSelectors,
  type SyncState,
  scopeOf,
  shownSurplus,
  startBackfill,
  startReconcile,
  totalConflicts,
} from '@vm-sync/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type CheckResult,
  type CheckSettings,
  checkGaps,
  NOTHING_SET_ASIDE,
  repairChunk,
} from '../src/index.ts';
import { ACTIVE } from './active.ts';
import { FakeDatabase, type FakeOptions, fakeTransfer } from './fake-database.ts';

const STEP_MS = 300_000;
const NOW_MS = 1_795_000_200_000;
const HORIZON_MS = Math.floor((NOW_MS - 180_000) / STEP_MS) * STEP_MS;
const FROM_MS = HORIZON_MS - 3_600_000;

const BOTH: CheckSettings = {
  role: 'primary',
  scope: scopeOf(parseSelectors('{__name__!=""}'), []),
  stepMs: STEP_MS,
  settleMs: 180_000,
  queryWindowMs: 3_600_000,
  threshold: 0.9,
  proveMs: 60_000,
  surveyMs: 60_000,
  surplusMs: 60_000,
  recover: 'everything',
};
const FORWARD: CheckSettings = { ...BOTH, recover: 'asked' };

type Sites = Record<'primary' | 'dr', FakeDatabase>;

const check = (
  sites: Sites,
  state: SyncState,
  nowMs: number,
  settings: CheckSettings,
): Promise<CheckResult> =>
  checkGaps(
    {
      sites,
      resolveActive: async () => ACTIVE,
      now: () => nowMs,
      setAside: async () => NOTHING_SET_ASIDE,
      setAsideRecoveries: async () => NOTHING_SET_ASIDE,
    },
    settings,
    state,
  );

/** A check, what it planned copied by turns of both directions, and what that makes of the state. */
async function round(
  sites: Sites,
  state: SyncState,
  nowMs: number,
  settings: CheckSettings,
): Promise<{ state: SyncState; result: CheckResult; kinds: string[] }> {
  const result = await check(sites, state, nowMs, settings);
  const after = afterCheck(result.state, result.report, 3);
  let next = after.state;
  const orders = result.plans.map((plan) => plan.chunks.map((chunk) => ({ plan, chunk })));
  const longest = Math.max(0, ...orders.map(({ length }) => length));
  for (let at = 0; at < longest; at++) {
    for (const order of orders.flatMap((ofPlan) => ofPlan[at] ?? [])) await copy(sites, order);
  }
  for (const { direction, backfillId, recovery, chunks } of result.plans) {
    const samples = chunks.reduce((sum, chunk) => sum + chunk.samples, 0);
    const windows = chunks.map(({ window }) => window);
    const id = `${nowMs} ${direction.source} ${backfillId}`;
    const run = { id, atMs: nowMs, direction, windows, samples, bytes: 0, backfillId, recovery };
    next = afterRun(next, run);
  }
  const kinds = [...result.events, ...after.events].map(({ kind }) => kind);
  return { state: next, result, kinds };
}

type Plan = CheckResult['plans'][number];

async function copy(
  sites: Sites,
  { plan, chunk }: { readonly plan: Plan; readonly chunk: Plan['chunks'][number] },
): Promise<void> {
  const { direction, stepMs, dedupMs } = plan;
  const [source, destination] = [sites[direction.source], sites[direction.destination]];
  await repairChunk(chunk, {
    pair: { direction, source, destination },
    transfer: fakeTransfer(source, destination),
    stepMs,
    dedupMs,
    attempt: 1,
    mayHaveBegun: false,
    timeouts: 0,
    assertOrderHolds: async () => {},
    say: () => {},
    onBytes: async () => {},
    wait: async () => {},
    signal: new AbortController().signal,
  });
}

/** Which samples each side lost, of series that had one every 15 s for an hour; and series of one side only. */
const losses = fc.array(
  fc.record({
    primary: fc.array(fc.nat(239), { maxLength: 80 }),
    dr: fc.array(fc.nat(239), { maxLength: 80 }),
    only: fc.constantFrom('both', 'both', 'both', 'primary', 'dr'),
    phaseMs: fc.integer({ min: 1, max: 15_000 }),
  }),
  { minLength: 1, maxLength: 6 },
);

type Losses = typeof losses extends fc.Arbitrary<infer T> ? T : never;

function sitesWith(lost: Losses, options: FakeOptions = {}): Sites {
  const sites = {
    primary: new FakeDatabase('primary', options),
    dr: new FakeDatabase('dr', options),
  };
  // One that lost nothing: a source without any samples is unknown, not equal.
  for (const site of [sites.primary, sites.dr]) site.store({ __name__: 'whole' }, every(7));
  for (const [index, { primary, dr, only, phaseMs }] of lost.entries()) {
    const labels = { __name__: `m${index % 2}`, job: `j${index}` };
    const without = (gone: readonly number[]) =>
      every(phaseMs).filter((_, at) => !gone.includes(at));
    if (only !== 'dr') sites.primary.store(labels, without(primary));
    if (only !== 'primary') sites.dr.store(labels, without(dr));
  }
  return sites;
}

const every = (phaseMs: number): number[] =>
  Array.from({ length: 240 }, (_, at) => FROM_MS + at * 15_000 + phaseMs);

/** What one side really lacks of the other, sample by sample. */
function lacking(there: FakeDatabase, here: FakeDatabase, dedupMs: number): number {
  const own = here.raw();
  return [...there.raw()].reduce(
    (sum, [key, timestamps]) =>
      sum + missingTimestamps(timestamps, own.get(key) ?? [], dedupMs).length,
    0,
  );
}

test.each([
  ['no deduplication', 0],
  ['60 s on both sites', 60_000],
])(
  'with both directions both sides come to hold the union, nothing doubled, and READY follows: %s',
  async (_, dedupMs) => {
    await fc.assert(
      fc.asyncProperty(losses, async (lost) => {
        const sites = sitesWith(lost, { dedupMs });
        const exactly = { ...BOTH, threshold: 1 };
        let state = EMPTY_STATE;
        let nowMs = NOW_MS;
        for (let at = 0; at < 8; at++) {
          state = (await round(sites, state, nowMs, exactly)).state;
          const equal =
            lacking(sites.primary, sites.dr, dedupMs) === 0 &&
            lacking(sites.dr, sites.primary, dedupMs) === 0;
          if (!equal) expect(state.failbackReady).toBe(false);
          nowMs += CONFIRM_AFTER_MS;
        }
        expect(lacking(sites.primary, sites.dr, dedupMs)).toBe(0);
        expect(lacking(sites.dr, sites.primary, dedupMs)).toBe(0);
        for (const site of [sites.primary, sites.dr]) {
          for (const timestamps of site.raw().values()) {
            expect(new Set(timestamps).size).toBe(timestamps.length);
          }
        }
        expect(state.reasons).toEqual([]);
        expect(state.failbackReady).toBe(true);
        expect(shownSurplus(state)).toBeUndefined();
      }),
      { numRuns: 25 },
    );
  },
);

test('by default what only the passive site has is counted to the sample, and nothing of it is copied', async () => {
  await fc.assert(
    fc.asyncProperty(losses, async (lost) => {
      const sites = sitesWith(lost);
      const before = sites.primary.raw();
      const wanted = lacking(sites.dr, sites.primary, 0);
      const exactly = { ...FORWARD, threshold: 1 };
      let state = EMPTY_STATE;
      const kinds: string[] = [];
      for (let at = 0; at < 6; at++) {
        const one = await round(sites, state, NOW_MS + at * CONFIRM_AFTER_MS, exactly);
        expect(one.result.plans.every(({ recovery }) => !recovery)).toBe(true);
        kinds.push(...one.kinds);
        state = one.state;
      }
      expect(shownSurplus(state)?.samples ?? 0).toBe(wanted);
      expect(shownSurplus(state)?.atLeast ?? false).toBe(false);
      expect(state.failbackReady).toBe(true);
      expect(sites.primary.raw()).toEqual(before);
      expect(kinds.filter((kind) => kind === 'surplus-found')).toHaveLength(wanted > 0 ? 1 : 0);
    }),
    { numRuns: 25 },
  );
});

test('a reconcile recovers what was open when it was asked for, once, and is done when that is proven', async () => {
  const sites = sitesWith([{ primary: [3, 4, 5], dr: [], only: 'both', phaseMs: 9 }]);
  let { state } = await round(sites, EMPTY_STATE, NOW_MS, FORWARD);
  expect(shownSurplus(state)).toMatchObject({ samples: 3, series: 1 });
  state = startReconcile(state, { id: 'r', requestedMs: NOW_MS }).state;
  expect(() => startReconcile(state, { id: 's', requestedMs: NOW_MS })).toThrow('r is under way');
  const kinds: string[] = [];
  for (let at = 1; at < 5; at++) {
    const one = await round(sites, state, NOW_MS + at * CONFIRM_AFTER_MS, FORWARD);
    kinds.push(...one.kinds);
    state = one.state;
  }
  expect(state.reconcile).toMatchObject({ state: 'done', windows: [], samplesRecovered: 3 });
  expect(kinds).toEqual(expect.arrayContaining(['reconcile-complete', 'surplus-gone']));
  expect(lacking(sites.dr, sites.primary, 0)).toBe(0);
  // What comes to be later is not recovered: it was asked for once.
  sites.dr.store({ __name__: 'late' }, [HORIZON_MS - 1_000]);
  for (let at = 5; at < 8; at++) {
    const one = await round(sites, state, NOW_MS + at * CONFIRM_AFTER_MS, FORWARD);
    expect(one.result.plans).toEqual([]);
    state = one.state;
  }
  expect(shownSurplus(state)).toMatchObject({ samples: 1 });
});

/** Of an hour ten hours before the first check, the active site lacks a sample, and the passive one another. */
function sitesWithOldLosses(): Sites {
  const sites = sitesWith([]);
  const old = every(11).map((atMs) => atMs - 10 * 3_600_000);
  sites.primary.store({ __name__: 'old' }, old.toSpliced(20, 1));
  sites.dr.store({ __name__: 'old' }, old.toSpliced(40, 1));
  return sites;
}

/** Checks, with a backfill over all history after the first one. */
async function backfilled(sites: Sites, settings: CheckSettings): Promise<SyncState> {
  let { state } = await round(sites, EMPTY_STATE, NOW_MS, settings);
  const window = { fromMs: FROM_MS - 12 * 3_600_000, toMs: FROM_MS };
  state = startBackfill(state, { id: 'b', window, match: [], requestedMs: NOW_MS }).state;
  for (let at = 1; at < 9; at++) {
    state = (await round(sites, state, NOW_MS + at * CONFIRM_AFTER_MS, settings)).state;
    if (lacking(sites.primary, sites.dr, 0) > 0) expect(state.failbackReady).toBe(false);
  }
  expect(lacking(sites.primary, sites.dr, 0)).toBe(0);
  expect(state.failbackReady).toBe(true);
  return state;
}

test('what a backfill finds on the passive site only is recovered with both directions, before READY is said', async () => {
  const sites = sitesWithOldLosses();
  const state = await backfilled(sites, { ...BOTH, threshold: 1 });
  expect(lacking(sites.dr, sites.primary, 0)).toBe(0);
  expect(shownSurplus(state)).toBeUndefined();
});

test('what a backfill finds on the passive site only is counted and shown by default', async () => {
  const sites = sitesWithOldLosses();
  const state = await backfilled(sites, { ...FORWARD, threshold: 1 });
  expect(lacking(sites.dr, sites.primary, 0)).toBe(1);
  expect(shownSurplus(state)).toMatchObject({ samples: 1, series: 1 });
});

test('what has been counted is not compared again in every check, but is after a while', async () => {
  const sites = sitesWith([{ primary: [3], dr: [], only: 'both', phaseMs: 9 }]);
  let { state, result } = await round(sites, EMPTY_STATE, NOW_MS, FORWARD);
  expect(result.report).toMatchObject({ surplus: { counted: [{ samples: 1 }] } });
  ({ state, result } = await round(sites, state, NOW_MS + 1_000, FORWARD));
  expect(result.report).toMatchObject({ surplus: { compared: [], counted: [] } });
  expect(shownSurplus(state)).toMatchObject({ samples: 1 });
  sites.primary.store({ __name__: 'm0', job: 'j0' }, [every(9)[3] as number]);
  const laterMs = NOW_MS + 600_000;
  ({ state, result } = await round(sites, state, laterMs, FORWARD));
  expect(shownSurplus(state)).toBeUndefined();
  expect(state.marks['dr-to-primary']?.unproven).toEqual([]);
});

test('a look that is out of time goes on where it stopped, and says at least until it is through', async () => {
  const sites = { primary: new FakeDatabase('primary'), dr: new FakeDatabase('dr') };
  const sinceMs = HORIZON_MS - 24 * 3_600_000;
  const minutes = Array.from({ length: 24 * 60 }, (_, at) => sinceMs + (at + 1) * 60_000);
  sites.primary.store({ __name__: 'whole' }, minutes);
  sites.dr.store({ __name__: 'whole' }, minutes);
  sites.dr.store({ __name__: 'own' }, minutes);
  const mark = { sinceMs, throughMs: HORIZON_MS, unproven: [], earlier: [] };
  const open = { ...mark, unproven: [{ fromMs: sinceMs, toMs: HORIZON_MS }] };
  let state: SyncState = {
    ...EMPTY_STATE,
    marks: { 'primary-to-dr': mark, 'dr-to-primary': open },
  };
  const shortly = { ...FORWARD, surplusMs: 0.001 };
  let nowMs = NOW_MS;
  // Every look at the clock takes a second: one slice in a check.
  const look = async () => {
    const result = await checkGaps(
      {
        sites,
        resolveActive: async () => ACTIVE,
        now: () => (nowMs += 1),
        setAside: async () => NOTHING_SET_ASIDE,
        setAsideRecoveries: async () => NOTHING_SET_ASIDE,
      },
      shortly,
      state,
    );
    state = afterCheck(result.state, result.report, 3).state;
  };
  let [counted, rounds] = [0, 0];
  while (counted < minutes.length && rounds < 50) {
    await look();
    rounds += 1;
    const total = shownSurplus(state);
    expect(total?.samples).toBeGreaterThan(counted);
    counted = total?.samples ?? 0;
    expect(total?.atLeast).toBe(counted < minutes.length);
  }
  expect(rounds).toBeGreaterThan(5);
});

test('values that differ are counted, never planned, and keep nothing away', async () => {
  const differing = fc.array(fc.record({ at: fc.nat(239), by: fc.constantFrom(1e-12, 0.5, 7) }), {
    maxLength: 20,
  });
  await fc.assert(
    fc.asyncProperty(differing, async (changes) => {
      const sites = { primary: new FakeDatabase('primary'), dr: new FakeDatabase('dr') };
      const values = every(9).map((_, at) => at + 1);
      const others = [...values];
      for (const { at, by } of changes) others[at] = (values[at] as number) + by;
      sites.primary.store({ __name__: 'm' }, every(9), values);
      sites.dr.store({ __name__: 'm' }, every(9), others);
      const wanted = values.filter((value, at) => Math.abs(value - (others[at] as number)) > 0.1);
      let state = EMPTY_STATE;
      const kinds: string[] = [];
      for (let at = 0; at < 3; at++) {
        const one = await round(sites, state, NOW_MS + at, BOTH);
        expect(one.result.plans).toEqual([]);
        kinds.push(...one.kinds);
        state = one.state;
      }
      expect(totalConflicts(state.conflicts)).toMatchObject({
        samples: wanted.length,
        series: wanted.length > 0 ? 1 : 0,
        atLeast: false,
      });
      expect(kinds.filter((kind) => kind === 'values-differ')).toHaveLength(
        wanted.length > 0 ? 1 : 0,
      );
      expect(state.failbackReady).toBe(true);
    }),
    { numRuns: 40 },
  );
});

test('values are compared beside gaps and surplus of the same series', async () => {
  const sites = { primary: new FakeDatabase('primary'), dr: new FakeDatabase('dr') };
  const [all, values] = [every(9), every(9).map(() => 5)];
  sites.primary.store({ __name__: 'm' }, all.slice(10), values);
  sites.dr.store({ __name__: 'm' }, all.slice(0, -10), values.with(100, 6));
  const { state } = await round(sites, EMPTY_STATE, NOW_MS, FORWARD);
  expect(totalConflicts(state.conflicts)).toMatchObject({
    samples: 1,
    example: { atMs: all[100], values: { primary: '5', dr: '6' } },
  });
});

test('a site that cannot give values makes no check unknown', async () => {
  const sites = { primary: new FakeDatabase('primary'), dr: new FakeDatabase('dr') };
  for (const site of [sites.primary, sites.dr]) site.store({ __name__: 'm' }, every(9));
  sites.dr.sums = () => {
    throw new Error('no sums today');
  };
  const { result } = await round(sites, EMPTY_STATE, NOW_MS, FORWARD);
  expect(result.report).toMatchObject({ outcome: 'clean', values: { gaveUp: 'no sums today' } });
});

test('where more series differ than are looked at, it says at least', async () => {
  const sites = { primary: new FakeDatabase('primary'), dr: new FakeDatabase('dr') };
  for (let at = 0; at < 80; at++) {
    sites.primary.store({ __name__: 'm', n: `${at}` }, every(9).slice(0, 5));
    sites.dr.store({ __name__: 'm', n: `${at}` }, every(9).slice(0, 5), [2, 1, 1, 1, 1]);
  }
  const { state } = await round(sites, EMPTY_STATE, NOW_MS, FORWARD);
  expect(totalConflicts(state.conflicts)).toMatchObject({ samples: 50, series: 50, atLeast: true });
});

test('what the passive site has is recovered although a gap of the other direction cannot be repaired', async () => {
  const sites = sitesWith([{ primary: [3], dr: [4], only: 'both', phaseMs: 9 }]);
  const exactly = { ...BOTH, threshold: 1 };
  const { plans } = await check(sites, EMPTY_STATE, NOW_MS, exactly);
  expect(plans.map(({ direction, recovery }) => [direction, recovery])).toEqual([
    [directionFrom('primary'), false],
    [directionFrom('dr'), true],
  ]);
});
