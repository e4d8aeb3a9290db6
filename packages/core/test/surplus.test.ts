import { expect, test } from 'vitest';
import {
  afterCheck,
  beforeCheck,
  type CheckReport,
  cancelReconcile,
  directionFrom,
  EMPTY_STATE,
  type History,
  makeWindow,
  NOTHING_TALLIED,
  type Site,
  type Step,
  type SurplusFound,
  type SyncState,
  shownSurplus,
  startReconcile,
  tell,
  type Window,
  whyNoReconcile,
  whyReconcileWaits,
} from '../src/index.ts';

const stepMs = 300_000;
const horizonMs = 6_000 * stepMs;
const nowMs = horizonMs + stepMs;
const window = makeWindow(horizonMs - stepMs, horizonMs);

/** A clean check of everything forward; backward `open` is damaged, and counted where `samples` says so. */
function check(
  before: SyncState,
  {
    open = [],
    samples = 0,
    wanted = false,
    source = 'primary',
    failed = null,
  }: {
    open?: readonly Window[];
    samples?: number;
    wanted?: boolean;
    source?: Site;
    failed?: string | null;
  },
): Step {
  const direction = directionFrom(source);
  const at = { nowMs, horizonMs, direction, observations: [], queryWindowMs: 12 * stepMs, stepMs };
  const { state } = beforeCheck(before, at);
  const history = state.history[source === 'primary' ? 'primary-to-dr' : 'dr-to-primary'];
  const proven = [makeWindow(0, horizonMs)];
  const counted = samples > 0 ? [{ windows: open, series: 3, samples, countedMs: nowMs }] : [];
  const surplus: SurplusFound = { wanted, compared: [...open], counted, setAside: [], failed };
  const report: CheckReport = {
    atMs: nowMs,
    tookMs: 1,
    active: {
      site: source,
      reason: 'r',
      witnesses: [],
      mayWrite: true,
      whyNoWriting: null,
      epoch: 1,
    },
    sites: { primary: undefined, dr: undefined },
    outcome: 'clean',
    direction,
    horizonMs,
    forward: { proven, damaged: [] },
    backward: { proven: [], damaged: [...open] },
    backfills: [],
    tallied: NOTHING_TALLIED,
    leftOut: false,
    history: { ...(history as History), complete: true },
    setAside: [],
    surplus,
  };
  return afterCheck(state, { ...report, backward: backwardOf(open) }, 1);
}

/** What is not open is proven. */
const backwardOf = (open: readonly Window[]) => ({
  proven: open.length === 0 ? [makeWindow(0, horizonMs)] : [makeWindow(0, window.fromMs)],
  damaged: [...open],
});

const kinds = ({ events }: Step) => events.map(({ kind }) => kind);

test('by default a surplus is told once, keeps READY from nothing, and is said beside it', () => {
  const first = check(EMPTY_STATE, { open: [window], samples: 1_234 });
  expect(first.state.failbackReady).toBe(true);
  const said = 'the passive site has 1,234 samples that the active one lacks (vm-sync reconcile)';
  expect(kinds(first)).toEqual(['direction-changed', 'surplus-found', 'failback-ready']);
  for (const event of first.events.slice(1)) expect(tell(event).text).toContain(said);
  const second = check(first.state, { open: [window], samples: 1_235 });
  expect(kinds(second)).toEqual([]);
  expect(shownSurplus(second.state)).toMatchObject({ samples: 1_235, atLeast: false });
  const third = check(second.state, {});
  expect(kinds(third)).toEqual(['surplus-gone']);
  expect(shownSurplus(third.state)).toBeUndefined();
});

test('with both directions READY waits for everything that is open backward', () => {
  const counted = check(EMPTY_STATE, { open: [window], samples: 2, wanted: true });
  expect(counted.state.failbackReady).toBe(false);
  expect(counted.state.reasons).toEqual([
    'the passive site has 2 samples that the active one lacks (being recovered)',
  ]);
  const unseen = check(EMPTY_STATE, { open: [window], wanted: true, failed: 'dr: 503' });
  expect(unseen.state.reasons).toEqual([
    expect.stringMatching(/^not yet proven that primary holds everything that dr has: /),
    'what only dr has was not looked at: dr: 503',
  ]);
  expect(check(counted.state, { wanted: true }).state.failbackReady).toBe(true);
});

test('when the direction turns, what was counted the other way is not shown as a surplus', () => {
  const { state } = check(EMPTY_STATE, { open: [window], samples: 2 });
  const turned = check(state, { source: 'dr' });
  expect(shownSurplus(turned.state)).toBeUndefined();
});

test('a reconcile is refused without a direction, twice, and with nothing to do; a cancelled one ends', () => {
  expect(whyNoReconcile(EMPTY_STATE)).toMatch(/no direction is known/);
  expect(whyNoReconcile(check(EMPTY_STATE, {}).state)).toMatch(/^nothing to reconcile: primary/);
  const { state } = check(EMPTY_STATE, { open: [window], samples: 2 });
  const open = startReconcile(state, { id: 'r', requestedMs: nowMs });
  expect(open.state.reconcile).toMatchObject({ direction: 'dr-to-primary', windows: [window] });
  expect(startReconcile(open.state, { id: 'r', requestedMs: nowMs })).toEqual({
    state: open.state,
    events: [],
  });
  expect(() => startReconcile(open.state, { id: 's', requestedMs: nowMs })).toThrow(/under way/);
  expect(check(open.state, { open: [window], samples: 2 }).state.reconcile?.state).toBe('open');
  const done = check(open.state, {});
  expect(done.state.reconcile).toMatchObject({ state: 'done', windows: [], endedMs: nowMs });
  expect(kinds(done)).toContain('reconcile-complete');
  const cancelled = cancelReconcile(open.state, nowMs);
  expect(cancelled.state.reconcile).toMatchObject({ state: 'cancelled' });
  expect(cancelReconcile(cancelled.state, nowMs).events).toEqual([]);
  expect(() => cancelReconcile(done.state, nowMs)).toThrow('no reconcile is under way');
  expect(whyReconcileWaits({ direction: 'dr-to-primary' }, 'primary')).toBeNull();
  expect(whyReconcileWaits({ direction: 'dr-to-primary' }, 'dr')).toMatch(/regular repairs/);
  expect(whyReconcileWaits({ direction: 'dr-to-primary' }, 'unknown')).toMatch(/waits until/);
});
