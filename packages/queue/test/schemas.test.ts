import {
  afterCheck,
  beforeCheck,
  directionFrom,
  EMPTY_STATE,
  type History,
  type Mark,
  makeWindow,
  NO_DIRECTION,
  NOTHING_TALLIED,
  noteRepaired,
  PLAN_LIMITS,
  parseSelectors,
  planGaps,
  type Selector,
  startBackfill,
} from '@vm-sync/core';
import { expect, test } from 'vitest';
import {
  BackfillOrder,
  CheckOrder,
  ChunkOrder,
  NotifyOrder,
  RunRecord,
  SettleOrder,
  SyncStateSchema,
} from '../src/index.ts';

const nowMs = 1_795_460_400_000;
const stepMs = 300_000;
const window = makeWindow(nowMs - 12 * stepMs, nowMs);

/** A state as a first check with a gap leaves it. */
function checked() {
  const direction = directionFrom('primary');
  const { state } = beforeCheck(EMPTY_STATE, {
    nowMs,
    horizonMs: nowMs,
    direction,
    observations: [
      {
        site: 'primary',
        url: 'u',
        startedMs: 1_795_460_399_000,
        dedupMs: 0,
        retentionMs: 3e9,
        maxBackfillAgeMs: undefined,
        readOnly: false,
      },
    ],
    queryWindowMs: 12 * stepMs,
    stepMs,
  });
  const after = afterCheck(
    state,
    {
      atMs: nowMs,
      tookMs: 1,
      active: {
        site: 'primary',
        reason: 'r',
        witnesses: [],
        mayWrite: true,
        whyNoWriting: null,
        epoch: 1,
      },
      sites: { primary: undefined, dr: undefined },
      outcome: 'gaps',
      direction,
      horizonMs: nowMs,
      forward: { proven: [], damaged: [window] },
      backward: { proven: [window], damaged: [] },
      backfills: [],
      tallied: { ...NOTHING_TALLIED, gaps: 2, missing: 40 },
      leftOut: true,
      history: state.history['primary-to-dr'] as History,
      setAside: ['x'],
    },
    3,
  ).state;
  const chunk = { selectors: ['{a="b"}'], window, series: 1, samples: 9 };
  const beyond = { direction: 'dr-to-primary', window, sinceMs: nowMs, samplesMissing: 5 } as const;
  return {
    ...after,
    beyondRepair: [
      { ...beyond, reason: 'source-retention' as const },
      { ...beyond, reason: 'destination-backfill-age' as const, samplesMissing: null },
    ],
    stuck: noteRepaired(after.stuck, direction, [chunk], nowMs),
    surplus: {
      ...after.surplus,
      'dr-to-primary': {
        counted: [{ windows: [window], series: 1, samples: 2, countedMs: nowMs }],
        told: true,
      },
    },
    reconcile: {
      id: 'r',
      direction: 'dr-to-primary' as const,
      requestedMs: nowMs,
      state: 'open' as const,
      windows: [window],
      samplesRecovered: 3,
      endedMs: null,
    },
    conflicts: {
      buckets: [{ window, series: 1, samples: 2, unread: 0 }],
      example: { series: '{a="b"}', atMs: nowMs, values: { primary: '1', dr: '2' } },
      told: true,
    },
    backfills: startBackfill(after, { id: 'b', window, match: ['{a="b"}'], requestedMs: 1 }).state
      .backfills,
  };
}

test('a state of the core is accepted, before and after its way through JSON', () => {
  for (const state of [EMPTY_STATE, checked()]) {
    expect(SyncStateSchema.parse(state)).toEqual(state);
    expect(SyncStateSchema.parse(JSON.parse(JSON.stringify(state)))).toEqual(state);
  }
});

test('a state that an older version wrote is read', () => {
  const { beyondRepair: _, stuck: __, backfills: ___, direction, pin, ...known } = checked();
  const { surplus: ____, reconcile: _____, conflicts: ______, ...older } = known;
  expect([direction, pin]).toEqual([NO_DIRECTION, null]);
  const { earlier, ...mark } = older.marks['primary-to-dr'] as Mark;
  expect(earlier).toEqual([]);
  const marks = { ...older.marks, 'primary-to-dr': mark };
  expect(SyncStateSchema.parse({ ...older, marks })).toEqual({
    ...older,
    beyondRepair: [],
    stuck: { attempted: [] },
    backfills: [],
    direction: NO_DIRECTION,
    pin: null,
    surplus: EMPTY_STATE.surplus,
    reconcile: null,
    conflicts: EMPTY_STATE.conflicts,
  });
});

/** Every object and list inside of a value, with a way to put something else into its place. */
function* places(
  value: unknown,
  put: (next: unknown) => unknown,
): Generator<(next: unknown) => unknown> {
  yield put;
  if (typeof value !== 'object' || value === null) return;
  for (const [name, inner] of Object.entries(value)) {
    const copy = (next: unknown) =>
      put(Array.isArray(value) ? value.with(Number(name), next) : { ...value, [name]: next });
    yield* places(inner, copy);
  }
}

test('a state with anything else in any place is refused', () => {
  const state = checked();
  let mutations = 0;
  for (const put of places(state, (next) => next)) {
    for (const wrong of [
      { is: 'no state' },
      -1,
      1.5,
      'nonsense',
      undefined,
      Number.NaN,
      true,
      [null],
    ]) {
      const mutated = put(wrong);
      const { success, data } = SyncStateSchema.safeParse(mutated);
      if (!success) mutations += 1;
      // A text may stand where a text stood, and what older versions did not know may be absent; otherwise nothing else is right.
      else if (wrong !== undefined) expect(data, JSON.stringify(mutated)).toEqual(mutated);
    }
  }
  expect(mutations).toBeGreaterThan(200);
});

test.each([
  ['a window that ends before it begins', { fromMs: 5, toMs: 5 }],
  ['a window with half a millisecond', { fromMs: 0.5, toMs: 5 }],
  ['a window before time', { fromMs: -5, toMs: 5 }],
])('%s is refused', (_, bad) => {
  const mark = { sinceMs: 0, throughMs: 10, unproven: [bad] };
  const state = { ...EMPTY_STATE, marks: { ...EMPTY_STATE.marks, 'primary-to-dr': mark } };
  expect(SyncStateSchema.safeParse(state).success).toBe(false);
});

test('the orders of a plan are accepted', () => {
  const [scope] = parseSelectors('{__name__!=""}') as [Selector];
  const gaps = [1, 2, 3].map((n) => ({
    labels: { __name__: 'm', n: String(n) },
    ...window,
    missing: 7,
    held: 0,
  }));
  const names = new Map([['m', { series: 5, samples: 70 }]]);
  const chunks = planGaps([{ scope, window, names, gaps }], stepMs, PLAN_LIMITS);
  expect(chunks.length).toBeGreaterThan(0);
  for (const chunk of chunks) {
    const order = {
      runId: 'r',
      direction: directionFrom('dr'),
      epoch: 3,
      recovery: true,
      chunk,
      stepMs,
      dedupMs: 0,
    };
    expect(ChunkOrder.parse(JSON.parse(JSON.stringify(order)))).toEqual(order);
  }
});

const chunk = { selectors: ['{a="b"}'], window, series: 1, samples: 1 };
const order = { runId: 'r', direction: directionFrom('dr'), chunk, stepMs, dedupMs: 0 };
test.each([
  ['no run', { ...order, runId: '' }],
  ['one site in both roles', { ...order, direction: { source: 'dr', destination: 'dr' } }],
  ['no selector', { ...order, chunk: { ...chunk, selectors: [] } }],
  ['an empty selector', { ...order, chunk: { ...chunk, selectors: [''] } }],
  ['no step', { ...order, stepMs: 0 }],
  ['a negative interval', { ...order, dedupMs: -1 }],
  ['no window', { ...order, chunk: { ...chunk, window: {} } }],
  ['nothing', null],
])('a chunk order with %s is refused', (_, bad) => {
  expect(ChunkOrder.safeParse(order).success).toBe(true);
  expect(ChunkOrder.safeParse(bad).success).toBe(false);
});

test('small orders', () => {
  expect(CheckOrder.safeParse({ cause: 'schedule' }).success).toBe(true);
  expect(CheckOrder.safeParse({ cause: 'chance' }).success).toBe(false);
  expect(SettleOrder.safeParse({ runId: '' }).success).toBe(false);
  expect(NotifyOrder.safeParse({ kind: 'x', severity: 'info', text: '', atMs: 1 }).success).toBe(
    false,
  );
  expect(RunRecord.safeParse({ id: 'r' }).success).toBe(false);
});

test('a message of an older version is for the first target; a new one names its own', () => {
  const old = { kind: 'gap-detected', severity: 'warn', text: 'x', atMs: 1 };
  expect(NotifyOrder.parse(old)).toEqual({ ...old, target: '1', todo: '', details: {} });
  const order = { ...old, target: '3', id: 'n1', todo: 'Nothing.', details: { gaps: 1 } };
  expect(NotifyOrder.parse(order)).toEqual(order);
  expect(NotifyOrder.safeParse({ ...order, target: '' }).success).toBe(false);
});

test('what people were told is kept as it was', () => {
  const notice = { kind: 'x', severity: 'warn', text: 't', todo: '', atMs: 1, details: { a: [1] } };
  const held = { notice, sinceMs: 2 };
  const believed = {
    ready: 'primary-to-dr',
    withdrawal: { ...held, byUnknown: true },
    site: 'unknown',
    turn: { ...held, site: 'dr' },
    failing: { what: 'dr', sinceMs: 3 },
    failure: { ...held, what: 'queries', fineSinceMs: null },
    fineSinceMs: 4,
  };
  expect(SyncStateSchema.parse({ ...EMPTY_STATE, believed }).believed).toEqual(believed);
  const { believed: _, ...older } = EMPTY_STATE;
  expect(SyncStateSchema.parse(older)).toEqual(EMPTY_STATE);
});

test('a backfill is ordered with its range, and changed by its id', () => {
  const start = { action: 'start', id: 'b', window, match: ['{a="b"}'] };
  expect(BackfillOrder.parse(start)).toEqual(start);
  for (const action of ['pause', 'resume', 'cancel']) {
    expect(BackfillOrder.safeParse({ action, id: 'b' }).success).toBe(true);
  }
  for (const bad of [
    { ...start, id: '' },
    { ...start, window: { fromMs: 2, toMs: 1 } },
    { ...start, match: [''] },
    { action: 'start', id: 'b' },
    { action: 'stop', id: 'b' },
    { action: 'pause' },
    null,
  ]) {
    expect(BackfillOrder.safeParse(bad).success).toBe(false);
  }
});

test('a run that an older version wrote belongs to no backfill', () => {
  const run = {
    id: 'r',
    direction: directionFrom('dr'),
    createdMs: 1,
    state: 'open',
    chunks: 1,
    series: 1,
    samplesPlanned: 1,
    windows: [window],
    settledMs: null,
    samplesCopied: 0,
    bytesCopied: 0,
  };
  expect(RunRecord.parse(run)).toEqual({
    ...run,
    epoch: 0,
    backfillId: null,
    recovery: false,
    cause: null,
  });
  for (const state of ['paused', 'cancelled']) {
    expect(RunRecord.safeParse({ ...run, state, backfillId: 'b' }).success).toBe(true);
  }
});
