import { join } from 'node:path';
import {
  EMPTY_STATE,
  type KnownReport,
  NOTHING_TALLIED,
  type Site,
  type Step,
  type SyncState,
} from '@vm-sync/core';
import type { Status } from '@vm-sync/queue';
import { createLogger, envToConfig } from '@vm-sync/runtime';
import { type RedisServer, startRedis, temporaryFolder } from '@vm-sync/testkit';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { type Certified, certify } from '../src/certify.ts';
import { createContext, type SchedulerContext } from '../src/context.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(() => redis.flushAll());

interface Bench {
  readonly context: SchedulerContext;
  /** What was asked of the sites. */
  readonly asked: string[];
  /** Makes the sites' counts fail from now on. */
  fail(error: Error): void;
}

/** A scheduler's parts with a real Redis, and two sites with two devices each. */
function startBench(): Bench {
  const config = envToConfig({
    ROLE: 'primary',
    LOCAL_VM_URL: 'http://127.0.0.1:1',
    REMOTE_VM_URL: 'http://127.0.0.1:2',
    ACTIVE_SITE: 'primary',
    REDIS_URL: redis.url,
    STATE_FILE: join(temporaryFolder('certify'), 'state.json'),
    // One selector, so that both sites are asked once.
    SYNC_EXCLUDE: '{__name__="nothing"}',
  });
  const context = createContext(config, createLogger('silent', 'scheduler', []));
  onTestFinished(() => context.close());
  const asked: string[] = [];
  let failure: Error | undefined;
  for (const site of ['primary', 'dr'] as const) {
    context.databases[site].labelValues = async (label) => (label === 'host' ? ['a', 'b'] : []);
    context.databases[site].deviceCounts = async ({ groups }) => {
      asked.push(site);
      if (failure) throw failure;
      const { label } = groups[0] ?? { label: '' };
      return ['a', 'b'].map((name) => ({ label, name, series: 2, samples: 10 }));
    };
  }
  return { context, asked, fail: (error) => (failure = error) };
}

const nowMs = Math.floor(Date.now() / 300_000) * 300_000;
const mark = { sinceMs: nowMs - 7_200_000, throughMs: nowMs, unproven: [], earlier: [] };

const stateAt = (atMs: number, isReady = true): SyncState => ({
  ...EMPTY_STATE,
  lastCheckMs: atMs,
  activeSite: 'primary',
  failbackReady: isReady,
  consecutiveClean: 3,
  marks: { 'primary-to-dr': mark, 'dr-to-primary': mark },
  reasons: isReady ? [] : ['dr lacks 5 samples in 1 gaps'],
});

const observed = (site: Site) => ({
  healthy: true as const,
  observation: {
    site,
    url: `http://${site}:8428`,
    startedMs: 1,
    dedupMs: 0,
    retentionMs: undefined,
    maxBackfillAgeMs: undefined,
    readOnly: false,
  },
});

const reportAt = (atMs: number): KnownReport => ({
  outcome: 'clean',
  atMs,
  tookMs: 10,
  active: {
    site: 'primary',
    reason: 'pinned',
    witnesses: [],
    mayWrite: true,
    whyNoWriting: null,
    epoch: 1,
  },
  sites: { primary: observed('primary'), dr: observed('dr') },
  direction: { source: 'primary', destination: 'dr' },
  horizonMs: nowMs,
  forward: { proven: [], damaged: [] },
  backward: { proven: [], damaged: [] },
  backfills: [],
  tallied: { ...NOTHING_TALLIED, series: 4, sourceSamples: 20, destinationSamples: 20 },
  leftOut: false,
  history: { begunMs: 1, surveyedFromMs: 0, passDone: true, complete: true, differing: [] },
  setAside: [],
});

const told: Step['events'] = [
  {
    kind: 'failback-ready',
    direction: { source: 'primary', destination: 'dr' },
    cleanChecks: 3,
    tolerated: 0,
    beyondRepair: 0,
  },
];

const statusOf = ({ step, records }: Certified, atMs: number): Status => ({
  atMs,
  role: 'primary',
  checkIntervalMs: 120_000,
  cleanChecksWanted: 3,
  validUntilMs: atMs + 360_000,
  activeReason: '-',
  outcome: 'clean',
  tookMs: 10,
  horizonMs: nowMs,
  sites: {},
  tallied: null,
  state: step.state,
  certificates: [...records],
});

/** A check with READY (or without) at that instant, and its status saved. */
async function check(
  context: SchedulerContext,
  atMs: number,
  { before = EMPTY_STATE, isReady = true }: { before?: SyncState; isReady?: boolean } = {},
): Promise<Certified> {
  const certified = await certify(context, {
    before,
    step: { state: stateAt(atMs, isReady), events: before.failbackReady ? [] : told },
    report: reportAt(atMs),
    validUntilMs: atMs + 360_000,
    signal: new AbortController().signal,
  });
  await context.store.saveStatus(statusOf(certified, atMs));
  return certified;
}

test('READY brings a certificate with counts; the next check renews it without counting again', async () => {
  const { context, asked } = startBench();
  const first = await check(context, nowMs);
  expect(first.step.events).toEqual(told);
  const id = first.records[0]?.id ?? '';
  expect(first.records).toMatchObject([{ direction: 'primary-to-dr', ended: null }]);
  const document = await context.certificates.load(id);
  expect(document).toMatchObject({
    issuedBy: 'primary',
    validUntilMs: nowMs + 360_000,
    settings: { selectors: [expect.stringContaining('vmsync_')] },
    devices: {
      window: { fromMs: mark.sinceMs, toMs: nowMs },
      table: {
        rows: [
          { label: 'host', name: 'a', source: { samples: 10 }, destination: { samples: 10 } },
          { label: 'host', name: 'b' },
        ],
      },
    },
  });
  expect(asked.sort()).toEqual(['dr', 'primary']);
  const next = await check(context, nowMs + 1_000, { before: stateAt(nowMs) });
  expect(next.records).toMatchObject([{ id, issuedMs: nowMs, renewedMs: nowMs + 1_000 }]);
  expect(asked.length).toBe(2);
  const renewed = await context.certificates.load(id);
  expect(renewed?.devices).toEqual(document?.devices);
  expect(renewed?.validUntilMs).toBe(nowMs + 361_000);
});

test('counts that fail are said to be missing, and keep no READY away', async () => {
  const { context, fail } = startBench();
  fail(new Error('dr answered 422'));
  const { step, records } = await check(context, nowMs);
  expect(step.state.failbackReady).toBe(true);
  const document = await context.certificates.load(records[0]?.id ?? '');
  expect(document?.devices).toMatchObject({ table: null, reason: 'dr answered 422' });
});

test('a check without READY withdraws it with its reasons; what is repaired since counts for the next one', async () => {
  const { context } = startBench();
  await check(context, nowMs);
  const gap = await check(context, nowMs + 1_000, { before: stateAt(nowMs), isReady: false });
  const end = { how: 'withdrawn', atMs: nowMs + 1_000, reason: 'dr lacks 5 samples in 1 gaps' };
  expect(gap.records).toMatchObject([{ ended: end }]);
  for (const [settledMs, samplesCopied] of [
    [nowMs + 500, 70],
    [nowMs + 1_500, 5],
  ] as const) {
    await context.store.saveRun({
      id: `run-${settledMs}`,
      direction: { source: 'primary', destination: 'dr' },
      epoch: 1,
      createdMs: settledMs - 10,
      backfillId: null,
      recovery: false,
      cause: null,
      state: 'settled',
      chunks: 1,
      series: 1,
      samplesPlanned: samplesCopied,
      windows: [{ fromMs: nowMs - 60_000, toMs: nowMs }],
      settledMs,
      samplesCopied,
      bytesCopied: 100,
    });
  }
  const again = await check(context, nowMs + 2_000, { before: gap.step.state });
  expect(again.records.map(({ ended }) => ended?.how ?? null)).toEqual([null, 'withdrawn']);
  const document = await context.certificates.load(again.records[0]?.id ?? '');
  expect(document?.repaired).toMatchObject({
    sinceMs: nowMs + 1_000,
    byDirection: [{ runs: 1, samples: 5 }],
  });
});

test('nothing is certified that is not proven, or cannot be kept: then READY is not said', async () => {
  const { context } = startBench();
  const open = { ...mark, unproven: [{ fromMs: nowMs - 600_000, toMs: nowMs - 300_000 }] };
  const state = { ...stateAt(nowMs), marks: { 'primary-to-dr': open, 'dr-to-primary': mark } };
  const decided = {
    before: EMPTY_STATE,
    step: { state, events: told },
    report: reportAt(nowMs),
    validUntilMs: nowMs + 360_000,
    signal: new AbortController().signal,
  };
  const refused = await certify(context, decided);
  expect(refused).toMatchObject({ records: [], step: { events: [] } });
  expect(refused.step.state).toMatchObject({
    failbackReady: false,
    reasons: [`no certificate: not all is proven up to ${new Date(nowMs).toISOString()}`],
  });
  context.certificates.keep = async () => {
    throw new Error('OOM command not allowed');
  };
  const unkept = await check(context, nowMs);
  expect(unkept.step.state).toMatchObject({
    failbackReady: false,
    reasons: ['no certificate: OOM command not allowed'],
  });
});

test('what an old Redis holds is not renewed, nor what expired meanwhile', async () => {
  const { context } = startBench();
  const { records } = await check(context, nowMs);
  // The state file knows of a later check than this Redis does.
  const other = await check(context, nowMs + 5_000, { before: stateAt(nowMs + 4_000) });
  expect(other.records.map(({ ended }) => ended?.reason ?? null)).toEqual([
    null,
    `replaced by ${other.records[0]?.id}`,
  ]);
  await context.store.saveStatus({
    ...statusOf(other, nowMs - 900_000),
    certificates: records.map((one) => ({ ...one, validUntilMs: nowMs - 1 })),
  });
  const late = await check(context, nowMs, { before: stateAt(nowMs - 900_000) });
  expect(late.records.map(({ ended }) => ended?.how ?? null)).toEqual([null, 'expired']);
  // A wiped one.
  await redis.flushAll();
  const anew = await check(context, nowMs, { before: stateAt(nowMs) });
  expect(anew.records.length).toBe(1);
  expect(anew.records[0]?.id).not.toBe(late.records[0]?.id);
});
