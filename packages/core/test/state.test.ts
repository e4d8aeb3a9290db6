import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ActiveSite,
  afterCheck,
  afterRun,
  type BackfillFound,
  beforeCheck,
  type CheckReport,
  changeBackfill,
  type DirectionKey,
  directionFrom,
  directionKey,
  EMPTY_STATE,
  type History,
  type Mark,
  makeWindow,
  NOTHING_TALLIED,
  noteRepaired,
  otherSite,
  REPAIR_MEMORY_MS,
  SITES,
  type Site,
  type SiteObservation,
  type Step,
  type SyncEvent,
  type SyncState,
  setAsideStuck,
  siteIsComplete,
  startBackfill,
  tell,
  type Window,
} from '../src/index.ts';

const stepMs = 300_000;
const queryWindowMs = 12 * stepMs;
const startMs = 5_000 * stepMs;
const cleanChecks = 3;

const observed = (site: Site, startedMs: number | undefined): SiteObservation => ({
  site,
  url: `http://${site}`,
  startedMs,
  dedupMs: 0,
  retentionMs: undefined,
  maxBackfillAgeMs: undefined,
  readOnly: false,
});

interface CheckOptions {
  readonly nowMs: number;
  readonly source?: Site;
  readonly outcome?: 'clean' | 'gaps' | 'unknown';
  readonly reason?: string;
  /** Due windows that are found lacking; all others are proven. */
  readonly damaged?: readonly Window[];
  readonly backwardDamaged?: readonly Window[];
  readonly proves?: boolean;
  readonly gaps?: number;
  readonly history?: Partial<History>;
  readonly setAside?: readonly string[];
  readonly backfills?: readonly BackfillFound[];
  readonly started?: Partial<Record<Site, number>>;
  readonly active?: Partial<ActiveSite>;
}

/** One check as the scheduler makes it: before, and after with a report. */
function check(state: SyncState, options: CheckOptions): Step {
  const { nowMs, source = 'primary', outcome = 'clean' } = options;
  const active: ActiveSite = {
    site: source,
    reason: `the ${source} site`,
    witnesses: [],
    mayWrite: true,
    whyNoWriting: null,
    epoch: 1,
    ...options.active,
  };
  const common = { atMs: nowMs, tookMs: 5, active, sites: { primary: undefined, dr: undefined } };
  if (outcome === 'unknown') {
    const reason = options.reason ?? 'a site does not answer';
    return afterCheck(state, { ...common, outcome, reason, siteFailed: true }, cleanChecks);
  }
  const direction = directionFrom(source);
  const key = directionKey(direction);
  const horizonMs = Math.floor(nowMs / stepMs) * stepMs - stepMs;
  const observations = SITES.map((site) => observed(site, options.started?.[site]));
  const before = beforeCheck(state, {
    nowMs,
    horizonMs,
    direction,
    observations,
    queryWindowMs,
    stepMs,
  });
  const { sinceMs } = before.state.marks[key] as Mark;
  // No more than what a check compares: history is not among it.
  const proven = options.proves === false ? [] : [makeWindow(sinceMs, horizonMs)];
  const damaged = options.damaged ?? [];
  const gaps = options.gaps ?? damaged.length;
  const report: CheckReport = {
    ...common,
    outcome,
    direction,
    horizonMs,
    forward: { proven, damaged },
    backward: { proven, damaged: options.backwardDamaged ?? [] },
    backfills: options.backfills ?? [],
    tallied: { ...NOTHING_TALLIED, gaps, missing: gaps * 20 },
    leftOut: false,
    history: { ...(before.state.history[key] as History), complete: true, ...options.history },
    setAside: options.setAside ?? [],
  };
  const after = afterCheck(before.state, report, cleanChecks);
  return { state: after.state, events: [...before.events, ...after.events] };
}

const kinds = ({ events }: Step): string[] => events.map(({ kind }) => kind);

/** Clean checks one after another, from `nowMs` on. */
function cleanFor(
  state: SyncState,
  times: number,
  nowMs: number,
  options: Partial<CheckOptions> = {},
): Step {
  let step: Step = { state, events: [] };
  for (let at = 0; at < times; at++) {
    step = check(step.state, { nowMs: nowMs + at * 120_000, ...options });
  }
  return step;
}

test.each<[string, Partial<ActiveSite>]>([
  ['not evidence enough for writing', { mayWrite: false, whyNoWriting: 'the lease contradicts' }],
  [
    'doubted by fresher data on the passive site',
    { witnesses: [{ name: 'freshness', says: 'dr', text: 'the lease contradicts' }] },
  ],
])('READY is withheld while the direction is %s, and withdrawn', (_, active) => {
  const doubted = cleanFor(EMPTY_STATE, 5, startMs, { active });
  expect(doubted.state.failbackReady).toBe(false);
  expect(doubted.state.reasons).toEqual([expect.stringContaining('the lease contradicts')]);
  const laterMs = startMs + 600_000;
  const ready = check(doubted.state, { nowMs: laterMs });
  expect(ready.state).toMatchObject({ failbackReady: true, reasons: [] });
  const again = check(ready.state, { nowMs: laterMs + 120_000, active });
  expect(kinds(again)).toEqual(['ready-withdrawn']);
});

test('the first check begins the proof, and says so once', () => {
  const first = check(EMPTY_STATE, { nowMs: startMs });
  expect(kinds(first)).toEqual(['mark-started', 'direction-changed']);
  expect(first.state.marks['primary-to-dr']?.sinceMs).toBe(startMs - stepMs - queryWindowMs);
  expect(first.state.failbackReady).toBe(false);
  const second = check(first.state, { nowMs: startMs + 120_000 });
  expect(kinds(second)).toEqual([]);
});

test('READY is said after enough clean checks in a row, once', () => {
  const second = cleanFor(EMPTY_STATE, 2, startMs);
  expect(second.state).toMatchObject({ failbackReady: false, consecutiveClean: 2 });
  expect(second.state.reasons).toEqual(['2 of 3 clean checks in a row']);
  const third = check(second.state, { nowMs: startMs + 400_000 });
  expect(third.state).toMatchObject({ failbackReady: true, reasons: [] });
  expect(kinds(third)).toEqual(['failback-ready']);
  expect(kinds(check(third.state, { nowMs: startMs + 600_000 }))).toEqual([]);
});

test('an unknown check is no clean one: the count begins again, and READY is withdrawn with the reason', () => {
  const ready = cleanFor(EMPTY_STATE, 4, startMs).state;
  const unknown = check(ready, { nowMs: startMs + 10 ** 6, outcome: 'unknown', reason: 'dr: 503' });
  expect(unknown.state).toMatchObject({
    failbackReady: false,
    consecutiveClean: 0,
    lastError: 'dr: 503',
    reasons: ['dr: 503'],
  });
  expect(unknown.events).toEqual([
    { kind: 'check-unknown', reason: 'dr: 503', siteFailed: true },
    { kind: 'ready-withdrawn', reason: 'dr: 503' },
  ]);
  expect(unknown.state.marks).toEqual(ready.marks);
  const again = check(unknown.state, {
    nowMs: startMs + 2 * 10 ** 6,
    outcome: 'unknown',
    reason: 'dr: 503',
  });
  expect(kinds(again)).toEqual([]);
  const clean = check(again.state, { nowMs: startMs + 3 * 10 ** 6 });
  expect(clean.state).toMatchObject({ failbackReady: false, consecutiveClean: 1, lastError: null });
});

test('an episode is told at its first gap and at its end, with what was repaired', () => {
  const nowMs = startMs + 10 ** 6;
  const ready = cleanFor(EMPTY_STATE, 4, startMs).state;
  const lost = makeWindow(startMs - 4 * stepMs, startMs - 2 * stepMs);
  const found = check(ready, { nowMs, outcome: 'gaps', damaged: [lost] });
  expect(kinds(found)).toEqual(['gap-detected', 'ready-withdrawn']);
  expect(found.state.reasons[0]).toBe('dr lacks 20 samples in 1 gaps');
  expect(found.state.marks['primary-to-dr']?.unproven).toEqual([lost]);
  const still = check(found.state, { nowMs: nowMs + 120_000, outcome: 'gaps', damaged: [lost] });
  expect(kinds(still)).toEqual([]);
  const run = {
    id: 'r',
    atMs: nowMs + 130_000,
    direction: directionFrom('primary'),
    windows: [lost],
    samples: 20,
    bytes: 40,
    backfillId: null,
  };
  const settled = afterRun(still.state, run);
  // Its settling died before it was noted as settled, and is done again.
  expect(afterRun(settled, { ...run, atMs: run.atMs + 5_000 })).toBe(settled);
  expect(settled).toMatchObject({ lastSyncMs: run.atMs, samplesSynced: 20, failbackReady: false });
  expect(settled.marks).toEqual(still.state.marks);

  // Within seconds after a repair the destination may still forget it.
  const early = check(settled, { nowMs: nowMs + 131_000 });
  expect(early.state.marks['primary-to-dr']?.unproven).toEqual([lost]);
  expect(kinds(early)).toEqual([]);
  const end = check(early.state, { nowMs: nowMs + 240_000 });
  expect(end.events).toEqual([
    {
      kind: 'sync-complete',
      direction: directionFrom('primary'),
      samples: 20,
      tookMs: 240_000,
      remains: [],
    },
  ]);
  expect(end.state.episode).toBeNull();
  expect(kinds(cleanFor(end.state, 2, nowMs + 400_000))).toEqual(['failback-ready']);
});

test('a turned direction begins to count anew, and its READY is said anew', () => {
  const ready = cleanFor(EMPTY_STATE, 4, startMs).state;
  const turned = check(ready, { nowMs: startMs + 10 ** 6, source: 'dr' });
  expect(turned.state).toMatchObject({
    activeSite: 'dr',
    consecutiveClean: 1,
    failbackReady: false,
  });
  expect(kinds(turned)).toEqual(['direction-changed', 'ready-withdrawn']);
  const again = cleanFor(turned.state, 2, startMs + 2 * 10 ** 6, { source: 'dr' });
  expect(again.events).toEqual([
    {
      kind: 'failback-ready',
      direction: directionFrom('dr'),
      cleanChecks: 3,
      tolerated: 0,
      beyondRepair: 0,
    },
  ]);
});

test.each<[string, Partial<CheckOptions>, string]>([
  ['what is set aside', { setAside: ['3 chunks failed'], outcome: 'gaps' }, '3 chunks failed'],
  ['what was not proven', { proves: false }, 'not yet proven: '],
  ['a survey that is not complete', { history: { complete: false } }, 'still being surveyed'],
  [
    'a difference in history',
    { history: { differing: [makeWindow(1, 2)] } },
    'run vm-sync backfill --from 1970',
  ],
])('%s keeps READY away, however many checks are clean', (_, options, reason) => {
  const step = cleanFor(EMPTY_STATE, 6, startMs, {
    ...options,
    ...(options.history?.differing ? { proves: false } : {}),
  });
  expect(step.state.failbackReady).toBe(false);
  expect(step.state.reasons.join()).toContain(reason);
});

describe('a destination that restarts', () => {
  const nowMs = startMs + 10 ** 6;
  const window = makeWindow(startMs - 4 * stepMs, startMs - 2 * stepMs);
  const started = { primary: 1_000, dr: 1_000 };
  const repaired = (settledMs: number): SyncState => {
    const ready = cleanFor(EMPTY_STATE, 4, startMs, { started }).state;
    const run = {
      id: 'r',
      atMs: settledMs,
      direction: directionFrom('primary'),
      windows: [window],
      samples: 20,
      bytes: 40,
      backfillId: null,
    };
    return afterRun(ready, run);
  };

  test('makes its recent repairs due again, and says so', () => {
    const back = { ...started, dr: nowMs - 30_000 };
    const step = check(repaired(nowMs - 60_000), { nowMs, started: back, proves: false });
    expect(step.events[0]).toEqual({ kind: 'repairs-reopened', site: 'dr', windows: 1 });
    expect(step.state.marks['primary-to-dr']?.unproven[0]).toEqual(window);
    expect(step.state.failbackReady).toBe(false);
    expect(step.state.recentRepairs).toEqual([]);
    const next = check(step.state, { nowMs: nowMs + 120_000, started: back });
    expect(kinds(next)).toEqual([]);
  });

  test('may take a repair with it that settled between its restart and the check that notices', () => {
    const settledMs = nowMs - 2_000;
    const back = { ...started, dr: nowMs - 20_000 };
    const step = check(repaired(settledMs), { nowMs, started: back });
    expect(step.state.marks['primary-to-dr']?.unproven).toEqual([window]);
    const again = { ...started, dr: nowMs + 1_000 };
    const killed = check(step.state, { nowMs: nowMs + 120_000, started: again, proves: false });
    expect(killed.state.marks['primary-to-dr']?.unproven[0]).toEqual(window);
  });

  test('makes repairs due again also when it was away for longer than they are remembered', () => {
    const laterMs = nowMs + 2 * REPAIR_MEMORY_MS;
    const step = check(repaired(nowMs), {
      nowMs: laterMs,
      started: { ...started, dr: laterMs - 1_000 },
      proves: false,
    });
    expect(step.events[0]).toEqual({ kind: 'repairs-reopened', site: 'dr', windows: 1 });
  });

  test.each<[string, number, Partial<Record<Site, number>>]>([
    ['the source restarted', nowMs - 60_000, { primary: 2_000, dr: 1_000 }],
    ['nobody restarted', nowMs - 60_000, started],
    ['the repair is long on disk', nowMs - REPAIR_MEMORY_MS - 60_000, { ...started, dr: 2_000 }],
    ['nothing is known of a restart', nowMs - 60_000, {}],
  ])('is nothing where %s', (_, settledMs, now) => {
    const seen = check(repaired(settledMs), { nowMs: nowMs - 30_000, started });
    const step = check(seen.state, { nowMs, started: now });
    expect(kinds(step)).toEqual([]);
    expect(step.state.failbackReady).toBe(true);
  });
});

describe('retention', () => {
  const day = 86_400_000;
  const withRetention = (...ms: (number | undefined)[]) =>
    ms.map(
      (retentionMs, at): SiteObservation => ({
        ...observed(SITES[at] as Site, undefined),
        retentionMs,
      }),
    );

  test('what it has left is beyond repair, in whole buckets and told; READY does not wait for it', () => {
    const unproven = [makeWindow(0, startMs)];
    const mark: Mark = { sinceMs: 0, throughMs: startMs, unproven, earlier: [] };
    const state = { ...EMPTY_STATE, marks: { 'primary-to-dr': mark, 'dr-to-primary': mark } };
    const nowMs = startMs + 12_345;
    const now = {
      nowMs,
      horizonMs: startMs,
      direction: directionFrom('primary'),
      queryWindowMs,
      stepMs,
    };
    const after = beforeCheck(state, { ...now, observations: withRetention(2 * day, 2 * day) });
    const edgeMs = Math.ceil((nowMs - day) / stepMs) * stepMs;
    expect(after.state.marks['primary-to-dr']?.unproven).toEqual([makeWindow(edgeMs, startMs)]);
    const lost = makeWindow(0, edgeMs);
    expect(after.state.beyondRepair).toMatchObject([
      { direction: 'primary-to-dr', window: lost, reason: 'destination-retention' },
      { direction: 'dr-to-primary', window: lost, reason: 'destination-retention' },
    ]);
    expect(kinds(after).filter((kind) => kind === 'beyond-repair')).toHaveLength(2);
    // Which is told with READY, not instead of it.
    const beyond = after.state.beyondRepair.slice(0, 1);
    const ready = cleanFor({ ...EMPTY_STATE, beyondRepair: beyond }, 3, startMs);
    expect(ready.state.beyondRepair).toEqual(beyond);
    expect(ready.events).toMatchObject([{ kind: 'failback-ready', beyondRepair: 1 }]);
    const [event] = ready.events;
    expect(event && tell(event).text).toContain('has, except 1 window that no repair reaches');
  });
});

describe('a stuck gap', () => {
  const nowMs = startMs + 10 ** 6;
  const window = makeWindow(startMs - 4 * stepMs, startMs - 2 * stepMs);
  const chunk = { selectors: ['{a="b"}'], window, series: 1, samples: 20 };
  const started = { primary: 1_000, dr: 1_000 };
  const direction = directionFrom('primary');
  const ready = cleanFor(EMPTY_STATE, 4, startMs, { started }).state;
  const tried = noteRepaired(ready.stuck, direction, [chunk], startMs);
  const { memory } = setAsideStuck(tried, direction, { chunks: [chunk] }, nowMs);
  const stuck = { ...ready, stuck: memory };

  test('keeps READY away, with the reason', () => {
    const step = check(stuck, { nowMs, started, outcome: 'gaps', damaged: [window] });
    expect(step.state.failbackReady).toBe(false);
    expect(step.state.reasons[1]).toMatch(/^stuck since .*: 20 samples in 1 chunk/);
    expect(step.state.stuck).toEqual(memory);
  });

  test('is no reason any more once it is gone', () => {
    const { state } = check(stuck, { nowMs, started });
    expect(state).toMatchObject({ failbackReady: true, stuck: { attempted: [] } });
  });

  test('is tried again when its destination restarted, not when its source did', () => {
    const restarted = (site: Site) =>
      check(stuck, { nowMs, proves: false, started: { ...started, [site]: 2_000 } }).state.stuck;
    expect(restarted('dr').attempted).toEqual([]);
    expect(restarted('primary')).toEqual(memory);
  });
});

describe('a backfill', () => {
  const started = { primary: 1_000, dr: 1_000 };
  const ready = cleanFor(EMPTY_STATE, 4, startMs, { started }).state;
  const mark = ready.marks['primary-to-dr'] as Mark;
  const { sinceMs } = mark;
  const window = makeWindow(sinceMs - 10 * stepMs, sinceMs - 5 * stepMs);
  const nowMs = startMs + 10 ** 6;
  const begin = (state: SyncState, over: Window = window, match: string[] = []) =>
    startBackfill(state, { id: 'b', window: over, match, requestedMs: nowMs }).state;
  const found = (proven: readonly Window[], damaged: readonly Window[] = []) => [
    { id: 'b', found: { proven, damaged } },
  ];

  test('blocks READY neither while it is open nor when it is done, and proves its time', () => {
    const open = check(begin(ready), { nowMs, started });
    expect(open.state).toMatchObject({ failbackReady: true });
    const done = check(open.state, { nowMs: nowMs + 1, started, backfills: found([window]) });
    expect(kinds(done)).toEqual(['backfill-complete']);
    expect(done.state.backfills).toMatchObject([{ state: 'done', unproven: [] }]);
    expect(done.state.failbackReady).toBe(true);
    const after = done.state.marks['primary-to-dr'];
    expect(after).toMatchObject({ sinceMs, earlier: [window], unproven: [] });
    expect(done.state.marks['dr-to-primary']?.earlier).toEqual([]);
  });

  test('that reaches the mark moves its beginning, proven piece by proven piece', () => {
    const wide = makeWindow(sinceMs - 4 * stepMs, sinceMs + stepMs);
    const upper = makeWindow(sinceMs - stepMs, wide.toMs);
    const some = check(begin(ready, wide), { nowMs, started, backfills: found([upper]) });
    expect(some.state.marks['primary-to-dr']).toMatchObject({ sinceMs: upper.fromMs, earlier: [] });
    expect(some.state.backfills[0]?.unproven).toEqual([makeWindow(wide.fromMs, upper.fromMs)]);
  });

  test('of some series only proves them, not the time', () => {
    const narrowed = begin(ready, window, ['{job="a"}']);
    const step = check(narrowed, { nowMs, started, backfills: found([window]) });
    expect(step.state.backfills).toMatchObject([{ state: 'done' }]);
    expect(step.state.marks['primary-to-dr']?.earlier).toEqual([]);
    const differing = { ...(ready.history['primary-to-dr'] as History), differing: [window] };
    const differs = check(narrowed, {
      nowMs,
      started,
      history: differing,
      backfills: found([window]),
    });
    expect(differs.state.history['primary-to-dr']?.differing).toEqual([window]);
    expect(differs.state.failbackReady).toBe(false);
  });

  test('that finds damage in marked time makes it due, and in history takes READY back', () => {
    const marked = makeWindow(sinceMs + stepMs, sinceMs + 2 * stepMs);
    const narrowed = begin(ready, makeWindow(sinceMs, sinceMs + 4 * stepMs), ['{job="a"}']);
    const inside = check(narrowed, { nowMs, started, backfills: found([], [marked]) });
    expect(inside.state.marks['primary-to-dr']?.unproven).toEqual([marked]);
    expect(inside.state.failbackReady).toBe(false);
    const older = check(begin(ready), { nowMs, started, backfills: found([], [window]) });
    expect(older.state.failbackReady).toBe(false);
    expect(older.state.reasons[0]).toContain('backfill b is at work on it');
    const repaired = cleanFor(older.state, 3, nowMs + 60_000, {
      started,
      backfills: found([window]),
    });
    expect(repaired.state).toMatchObject({ failbackReady: true });
  });

  test('a difference in history names the command, or the backfill that sees to it', () => {
    const history = { differing: [window] };
    const reason = (state: SyncState) => check(state, { nowMs, started, history }).state.reasons[0];
    expect(reason(ready)).toMatch(/: run vm-sync backfill --from \S+ --to \S+$/);
    const open = begin(ready);
    expect(reason(open)).toMatch(/backfill b is at work on it$/);
    const { state: paused } = changeBackfill(open, 'b', 'pause', nowMs);
    expect(reason(paused)).toMatch(/backfill b is paused, vm-sync backfill resume b$/);
    const proven = check(open, { nowMs, started, history, backfills: found([window]) });
    expect(proven.state.history['primary-to-dr']?.differing).toEqual([]);
    expect(proven.state.failbackReady).toBe(true);
  });

  test('history that differs again is no longer proven', () => {
    const done = check(begin(ready), { nowMs, started, backfills: found([window]) }).state;
    const lost = makeWindow(window.fromMs, window.fromMs + stepMs);
    const again = check(done, { nowMs: nowMs + 1, started, history: { differing: [lost] } }).state;
    expect(again.failbackReady).toBe(false);
    const rest = makeWindow(lost.toMs, window.toMs);
    expect(again.marks['primary-to-dr']?.earlier).toEqual([rest]);
  });

  test('what was repaired a moment ago is not proven yet, and its run adds to it', () => {
    const run = {
      id: 'r',
      atMs: nowMs - 1_000,
      direction: directionFrom('primary'),
      windows: [makeWindow(window.fromMs, window.fromMs + stepMs)],
      samples: 70,
      bytes: 700,
      backfillId: 'b',
    };
    const step = check(afterRun(begin(ready), run), { nowMs, started, backfills: found([window]) });
    expect(step.state.backfills).toMatchObject([
      { state: 'open', unproven: run.windows, samplesRepaired: 70, bytesCopied: 700 },
    ]);
    expect(step.state.samplesSynced).toBe(ready.samplesSynced + 70);
    const later = check(step.state, {
      nowMs: nowMs + 60_000,
      started,
      backfills: found(run.windows),
    });
    expect(later.events).toContainEqual(
      expect.objectContaining({ kind: 'backfill-complete', samples: 70 }),
    );
    // A destination that is killed within the hour may have forgotten it all the same.
    const restarted = check(later.state, {
      nowMs: nowMs + 120_000,
      started: { ...started, dr: 2_000 },
    });
    expect(kinds(restarted)).toContain('repairs-reopened');
    expect(restarted.state.backfills).toMatchObject([{ state: 'open', unproven: run.windows }]);
    const earlier = [makeWindow(window.fromMs + stepMs, window.toMs)];
    expect(restarted.state.marks['primary-to-dr']).toMatchObject({ earlier, unproven: [] });
  });

  test('waits while the other site is active', () => {
    const turned = check(begin(ready), {
      nowMs,
      started,
      source: 'dr',
      backfills: found([window]),
    });
    expect(turned.state.backfills).toMatchObject([{ state: 'open', unproven: [window] }]);
    expect(turned.state.marks['dr-to-primary']?.earlier).toEqual([]);
  });
});

describe('a site is complete', () => {
  const ready = cleanFor(EMPTY_STATE, 4, startMs).state;
  test('when READY is said of the passive one', () => {
    expect(siteIsComplete(ready, 'dr')).toBe(true);
    expect(siteIsComplete({ ...ready, failbackReady: false }, 'dr')).toBe(false);
    expect(siteIsComplete({ ...ready, activeSite: 'unknown' }, 'dr')).toBe(false);
  });

  test('when nothing is unproven in the way back, for the active one', () => {
    expect(siteIsComplete(ready, 'primary')).toBe(true);
    const marks = { ...ready.marks };
    marks['dr-to-primary'] = { ...(marks['dr-to-primary'] as Mark), unproven: [makeWindow(0, 1)] };
    expect(siteIsComplete({ ...ready, marks }, 'primary')).toBe(false);
    expect(
      siteIsComplete({ ...ready, marks: { ...marks, 'dr-to-primary': null } }, 'primary'),
    ).toBe(false);
    expect(siteIsComplete({ ...ready, failbackReady: false }, 'primary')).toBe(false);
  });

  test('never before the first check', () => {
    for (const site of SITES) expect(siteIsComplete(EMPTY_STATE, site)).toBe(false);
  });
});

type Act =
  | {
      readonly kind: 'check';
      readonly options: Omit<CheckOptions, 'nowMs'>;
      readonly laterMs: number;
    }
  | { readonly kind: 'run'; readonly from: number; readonly laterMs: number }
  | { readonly kind: 'backfill'; readonly from: number; readonly laterMs: number };

const bucket = (at: number): Window =>
  makeWindow(startMs + (at - 20) * stepMs, startMs + (at - 19) * stepMs);
const laterMs = fc.constantFrom(1_000, 20_000, 120_000, 700_000);
/** What is found in the range of the one backfill, which lies before the mark. */
const foundIn: fc.Arbitrary<readonly BackfillFound[]> = fc.constantFrom(
  [],
  ...Array.from({ length: 20 }, (_, at) => {
    const window = bucket(at - 20);
    return [
      {
        id: 'b',
        found: at % 4 === 0 ? { proven: [], damaged: [window] } : { proven: [window], damaged: [] },
      },
    ];
  }),
);
const clean: fc.Arbitrary<Omit<CheckOptions, 'nowMs'>> = fc.record({
  source: fc.constantFrom('primary', 'primary', 'primary', 'primary', 'dr'),
  outcome: fc.constant('clean' as const),
  proves: fc.constantFrom(true, true, true, true, false),
  history: fc.constantFrom({}, {}, {}, { complete: false }),
  backfills: foundIn,
  started: fc.record({ primary: fc.constantFrom(1, 2), dr: fc.constantFrom(1, 1, 1, 2) }),
});
const gaps: fc.Arbitrary<Omit<CheckOptions, 'nowMs'>> = fc.record({
  source: fc.constantFrom('primary', 'dr'),
  outcome: fc.constant('gaps' as const),
  damaged: fc.uniqueArray(fc.nat(19), { maxLength: 3 }).map((some) => some.map(bucket)),
  backfills: foundIn,
  backwardDamaged: fc.uniqueArray(fc.nat(19), { maxLength: 2 }).map((some) => some.map(bucket)),
  setAside: fc.constantFrom([], ['a chunk failed']),
});
const unknown: fc.Arbitrary<Omit<CheckOptions, 'nowMs'>> = fc.record({
  source: fc.constantFrom('primary', 'dr'),
  outcome: fc.constant('unknown' as const),
  reason: fc.constantFrom('x', 'y'),
});
const anyCheck = (options: fc.Arbitrary<Omit<CheckOptions, 'nowMs'>>): fc.Arbitrary<Act> =>
  fc.record({ kind: fc.constant('check' as const), options, laterMs });
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 8, arbitrary: anyCheck(clean) },
  { weight: 2, arbitrary: anyCheck(gaps) },
  { weight: 1, arbitrary: anyCheck(unknown) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('run' as const), from: fc.nat(19), laterMs }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('backfill' as const), from: fc.nat(19), laterMs }),
  },
);

/** What must hold after every check, whatever happened before. */
function judge(before: SyncState, options: CheckOptions, { state, events }: Step): void {
  const told = (kind: SyncEvent['kind']) => events.filter((event) => event.kind === kind).length;
  const turned = before.activeSite !== state.activeSite;
  expect(new Set(events.map((event) => JSON.stringify(event))).size).toBe(events.length);
  expect(state.reasons.length === 0).toBe(state.failbackReady);
  if (state.failbackReady) {
    expect(options.outcome).toBe('clean');
    expect(state.consecutiveClean).toBeGreaterThanOrEqual(cleanChecks);
    const key = directionKey(directionFrom(state.activeSite as Site));
    expect(state.marks[key]?.unproven).toEqual([]);
    expect(state.history[key]).toMatchObject({ complete: true, differing: [] });
  }
  if (options.outcome !== 'clean') expect(state.consecutiveClean).toBe(0);
  expect(state.consecutiveClean).toBeLessThanOrEqual(before.consecutiveClean + 1);
  if (turned && before.activeSite !== 'unknown')
    expect(state.consecutiveClean).toBeLessThanOrEqual(1);
  expect(told('direction-changed')).toBe(turned ? 1 : 0);
  expect(told('failback-ready')).toBe(
    state.failbackReady && (!before.failbackReady || turned) ? 1 : 0,
  );
  expect(told('ready-withdrawn')).toBe(before.failbackReady && !state.failbackReady ? 1 : 0);
  expect(told('check-unknown')).toBe(
    state.lastError !== null && state.lastError !== before.lastError ? 1 : 0,
  );
  const sameEpisode =
    before.episode?.direction ===
    (`${state.activeSite}-to-${otherSite(state.activeSite as Site)}` as DirectionKey);
  if (told('gap-detected')) expect(before.episode !== null && sameEpisode).toBe(false);
  if (told('sync-complete')) expect(before.episode !== null && sameEpisode).toBe(true);
  if (told('gap-detected')) expect(state.episode).not.toBeNull();
  for (const event of events) expect(tell(event).text.length).toBeGreaterThan(10);
}

test('no history makes READY wrong, or tells a change twice', () => {
  let readies = 0;
  fc.assert(
    fc.property(fc.array(act, { minLength: 5, maxLength: 40 }), (acts) => {
      let state = EMPTY_STATE;
      let nowMs = startMs;
      for (const one of acts) {
        nowMs += one.laterMs;
        if (one.kind === 'check') {
          const options = { ...one.options, nowMs };
          const step = check(state, options);
          judge(state, options, step);
          if (step.state.failbackReady) readies += 1;
          state = step.state;
        } else if (one.kind === 'run') {
          const direction = directionFrom(state.activeSite === 'dr' ? 'dr' : 'primary');
          const run = {
            id: `at ${nowMs}`,
            atMs: nowMs,
            direction,
            windows: [bucket(one.from)],
            samples: 7,
            bytes: 70,
            backfillId: null,
          };
          const after = afterRun(state, run);
          expect(after.failbackReady).toBe(state.failbackReady);
          expect(after.marks).toEqual(state.marks);
          state = after;
        } else if (state.activeSite !== 'unknown' && state.backfills.length === 0) {
          const window = bucket(one.from - 20);
          const asked = { id: 'b', window, match: [], requestedMs: nowMs };
          const after = startBackfill(state, asked).state;
          expect(after.failbackReady).toBe(state.failbackReady);
          state = after;
        }
      }
    }),
    { numRuns: 2_000 },
  );
  // Otherwise the histories would have shown nothing.
  expect(readies).toBeGreaterThan(100);
});

describe('history', () => {
  const begun = (restartedMs: number, nowMs: number, state: SyncState): History => {
    const observations = [observed('primary', 1_000), observed('dr', restartedMs)];
    const now = { nowMs, horizonMs: nowMs - stepMs, direction: directionFrom('primary') } as const;
    const step = beforeCheck(state, { ...now, observations, queryWindowMs, stepMs });
    return step.state.history['primary-to-dr'] as History;
  };
  const ready = cleanFor(EMPTY_STATE, 4, startMs).state;
  const known = { ...ready, startedMs: { primary: 1_000, dr: 2_000 } };
  const done: History = {
    begunMs: startMs,
    surveyedFromMs: 0,
    passDone: true,
    complete: true,
    differing: [],
  };
  const surveyed = { ...known, history: { 'primary-to-dr': done, 'dr-to-primary': done } };
  const nowMs = startMs + 10 * 60_000;

  test('is surveyed anew, and READY waits for it, when a database restarted', () => {
    expect(begun(2_000, nowMs, surveyed)).toEqual(done);
    expect(begun(3_000, nowMs, surveyed)).toMatchObject({
      begunMs: nowMs,
      surveyedFromMs: nowMs - stepMs - queryWindowMs,
      passDone: false,
      complete: false,
    });
  });

  test('is looked at again every hour, without taking READY back', () => {
    expect(begun(2_000, startMs + 59 * 60_000, surveyed)).toEqual(done);
    expect(begun(2_000, startMs - 60 * 60_000, surveyed)).toMatchObject({ passDone: false });
    const again = begun(2_000, startMs + 60 * 60_000, surveyed);
    expect(again).toMatchObject({ passDone: false, complete: true });
    expect(again.surveyedFromMs).toBeGreaterThan(0);
  });
});

test('after a site could not be asked READY waits until that time has settled', () => {
  const ready = cleanFor(EMPTY_STATE, 4, startMs);
  expect(ready.state.failbackReady).toBe(true);
  const downMs = startMs + 10 * stepMs;
  const down = check(ready.state, { nowMs: downMs, outcome: 'unknown' });
  expect(down.state.doubtMs).toBe(downMs + 5);
  // Many clean checks, but their horizon lies before the failure.
  const soon = cleanFor(down.state, 5, downMs + 1_000);
  expect(soon.state.failbackReady).toBe(false);
  expect(soon.state.reasons.join()).toContain('have not settled yet');
  const later = cleanFor(soon.state, 1, downMs + 3 * stepMs);
  expect(later.state.failbackReady).toBe(true);
});
