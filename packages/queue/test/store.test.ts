import { directionFrom, EMPTY_STATE, makeWindow, type SyncState } from '@vm-sync/core';
import { type RedisServer, startRedis } from '@vm-sync/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { connect, type EventRecord, type RunRecord, type Status, Store } from '../src/index.ts';

let server: RedisServer;
let raw: Redis;
let client: ReturnType<typeof connect>;
let damaged: string[];
let store: Store;
beforeAll(async () => {
  server = await startRedis();
  raw = new Redis(server.url);
  client = connect(server.url, 'brief');
});
afterAll(async () => {
  raw.disconnect();
  client.disconnect();
  await server.stop();
});
beforeEach(async () => {
  await server.flushAll();
  damaged = [];
  store = new Store(client, (message) => damaged.push(message));
});

const window = makeWindow(300_000, 600_000);
const full: SyncState = {
  lastCheckMs: 1_795_460_400_000,
  lastSyncMs: 1_795_460_400_000,
  consecutiveClean: 2,
  failbackReady: false,
  activeSite: 'dr',
  direction: {
    site: 'dr',
    epoch: 2,
    sinceMs: 5,
    firstEqualMs: 5,
    lastEqualMs: 9,
    ttlMs: 30_000,
    confirmed: true,
    whyNoWriting: null,
  },
  pin: { site: 'dr', untilMs: 99, atMs: 3 },
  gapsDetected: 3,
  samplesSynced: 123_456_789,
  lastError: 'dr: "503"\n',
  marks: {
    'primary-to-dr': { sinceMs: 0, throughMs: 900_000, unproven: [window], earlier: [] },
    'dr-to-primary': null,
  },
  history: {
    'primary-to-dr': {
      begunMs: 5,
      surveyedFromMs: 0,
      passDone: true,
      complete: true,
      differing: [window],
    },
    'dr-to-primary': null,
  },
  recentRepairs: [{ direction: 'primary-to-dr', window, settledMs: 5 }],
  countedRuns: ['run-1'],
  identity: {
    pair: 'p',
    markedMs: 4,
    seen: { primary: { firstMs: 1, lastMs: 2 }, dr: null },
    series: { primary: 7, dr: null },
    accepted: ['dr'],
    refusal: 'a stranger',
  },
  backfills: [
    {
      id: 'b',
      direction: 'primary-to-dr',
      window,
      match: ['{a="b"}'],
      requestedMs: 3,
      state: 'paused',
      unproven: [window],
      samplesRepaired: 7,
      bytesCopied: 70,
      endedMs: null,
    },
  ],
  surplus: EMPTY_STATE.surplus,
  reconcile: null,
  conflicts: EMPTY_STATE.conflicts,
  believed: { ...EMPTY_STATE.believed, ready: 'primary-to-dr', site: 'primary' },
  beyondRepair: [
    {
      direction: 'primary-to-dr',
      window,
      reason: 'source-retention',
      sinceMs: 8,
      samplesMissing: null,
    },
  ],
  stuck: { attempted: [] },
  twinsTold: [{ key: 'dedup', severity: 'fault', seenMs: 1 }],
  startedMs: { primary: 1, dr: null },
  doubtMs: 7,
  episode: { sinceMs: 1, direction: 'primary-to-dr', samplesRepaired: 7 },
  reasons: ['näme'],
};

const status: Status = {
  atMs: 1_795_460_400_000,
  role: 'primary',
  checkIntervalMs: 120_000,
  cleanChecksWanted: 3,
  validUntilMs: 1_795_460_800_000,
  activeReason: 'DNS',
  outcome: 'gaps',
  tookMs: 12.5,
  horizonMs: null,
  sites: {
    primary: {
      healthy: true,
      observation: {
        site: 'primary',
        url: 'http://a',
        startedMs: 1,
        dedupMs: 0,
        retentionMs: 5,
        maxBackfillAgeMs: 4,
        readOnly: false,
      },
    },
    dr: { healthy: false, url: 'http://b', reason: 'refused' },
  },
  tallied: {
    series: 1,
    sourceSamples: 2,
    destinationSamples: 3,
    gaps: 4,
    missing: 5,
    tolerated: 6,
    extra: 7,
  },
  state: full,
};

const run = (at: number): RunRecord => ({
  id: `run-${at}`,
  direction: directionFrom('primary'),
  epoch: 1,
  createdMs: at,
  backfillId: null,
  recovery: false,
  cause: null,
  state: 'settled',
  chunks: 1,
  series: 2,
  samplesPlanned: 3,
  windows: [window],
  settledMs: null,
  samplesCopied: 0,
  bytesCopied: 0,
});

const event = (at: number): EventRecord => ({
  atMs: at,
  kind: 'check-unknown',
  severity: 'warn',
  text: `${at}`,
});

test('what is told once is noted once', async () => {
  expect(await store.noteOnce('long-repair run-1')).toBe(true);
  expect(await store.noteOnce('long-repair run-1')).toBe(false);
  expect(await store.noteOnce('long-repair run-2')).toBe(true);
});

test('an empty Redis remembers nothing', async () => {
  expect(await store.loadState()).toBeUndefined();
  expect(await store.loadStatus()).toBeUndefined();
  expect(await store.loadRun('run-1')).toBeUndefined();
  expect(await store.listRuns(5)).toEqual([]);
  expect(await store.listEvents(5)).toEqual([]);
  expect(damaged).toEqual([]);
});

test.each([EMPTY_STATE, full])('a state comes back as it was', async (state) => {
  await store.saveState(state);
  expect(await store.loadState()).toEqual(state);
});

test('a status comes back as it was', async () => {
  await store.saveStatus(status);
  expect(await store.loadStatus()).toEqual(status);
});

test('what a site does not say is absent', async () => {
  const silent = {
    site: 'dr',
    url: 'http://b',
    startedMs: undefined,
    dedupMs: undefined,
    retentionMs: undefined,
    maxBackfillAgeMs: undefined,
    readOnly: undefined,
  } as const;
  await store.saveStatus({
    ...status,
    sites: { primary: undefined, dr: { healthy: true, observation: silent } },
  });
  expect((await store.loadStatus())?.sites).toEqual({
    dr: { healthy: true, observation: { site: 'dr', url: 'http://b' } },
  });
});

test('runs come newest first, the last saved version of each, and only so many are kept', async () => {
  for (let at = 1; at <= 205; at++) await store.saveRun(run(at));
  const settled: RunRecord = { ...run(100), settledMs: 9, samplesCopied: 3 };
  await store.saveRun(settled);
  expect(await store.loadRun('run-100')).toEqual(settled);
  expect((await store.listRuns(3)).map(({ id }) => id)).toEqual(['run-205', 'run-204', 'run-203']);
  expect(await store.listRuns(1_000)).toHaveLength(200);
  expect(await store.loadRun('run-5')).toBeUndefined();
  expect(await store.loadRun('run-6')).toEqual(run(6));
});

test('a run that is open or paused is kept, however many come after it', async () => {
  await store.saveRun({ ...run(1), state: 'open' });
  await store.saveRun({ ...run(2), state: 'paused', backfillId: 'b' });
  for (let at = 3; at <= 210; at++) await store.saveRun(run(at));
  // A cancelled one may still be copying until it is settled.
  await store.saveRun({ ...run(210), state: 'cancelled' });
  expect((await store.unsettledRuns()).map(({ id }) => id)).toEqual(['run-210', 'run-2', 'run-1']);
  await store.saveRun({ ...run(210), state: 'cancelled', settledMs: 9 });
  expect((await store.unsettledRuns()).map(({ id }) => id)).toEqual(['run-2', 'run-1']);
  expect((await store.runsOf('b')).map(({ id }) => id)).toEqual(['run-2']);
  expect(await store.runsOf('other')).toEqual([]);
  expect(await store.loadRun('run-3')).toBeUndefined();
  // Ended at last, it goes with the next one.
  await store.saveRun({ ...run(1), state: 'cancelled' });
  expect(await store.loadRun('run-1')).toBeUndefined();
});

test('a chunk counts once however often it is done, and goes with its run', async () => {
  const chunk = { atMs: 5, planned: 3, samples: 4, bytes: 5 };
  expect(await store.countChunk('run-1', 'chunk-1', chunk)).toBe(true);
  expect(await store.countChunk('run-1', 'chunk-1', { ...chunk, atMs: 6 })).toBe(false);
  await store.countChunk('run-1', 'chunk-2', chunk);
  await store.countChunk('run-2', 'chunk-1', chunk);
  const counted = await store.finishedChunks('run-1');
  expect(counted.sort((a, b) => b.atMs - a.atMs)).toEqual([{ ...chunk, atMs: 6 }, chunk]);
  expect(await raw.ttl('{vmsync}:finished:run-1')).toBeGreaterThan(3_600);
  for (let at = 1; at <= 201; at++) await store.saveRun(run(at));
  expect(await store.finishedChunks('run-1')).toEqual([]);
  expect(await store.finishedChunks('run-2')).toEqual([chunk]);
  await raw.hset('{vmsync}:finished:run-2', 'chunk-9', 'nonsense');
  expect(await store.finishedChunks('run-2')).toEqual([chunk]);
  expect(damaged).toEqual(['a chunk of run run-2 in Redis cannot be read and is set aside']);
});

test('events come newest first, and only so many are kept', async () => {
  for (let at = 1; at <= 510; at++) await store.addEvent(event(at));
  expect(await store.listEvents(2)).toEqual([event(510), event(509)]);
  expect(await store.listEvents(1_000)).toHaveLength(500);
});

test.each([
  'not JSON',
  '{}',
  'null',
  '[]',
  JSON.stringify({ ...full, consecutiveClean: -1 }),
  JSON.stringify({ ...full, marks: { 'primary-to-dr': { sinceMs: 0 }, 'dr-to-primary': null } }),
])('a damaged state and status are set aside with a message: %s', async (text) => {
  await raw.set('{vmsync}:state', text);
  await raw.set('{vmsync}:status', text);
  expect(await store.loadState()).toBeUndefined();
  expect(await store.loadStatus()).toBeUndefined();
  expect(damaged).toEqual([
    '{vmsync}:state in Redis cannot be read and is set aside',
    '{vmsync}:status in Redis cannot be read and is set aside',
  ]);
  expect(await raw.get('{vmsync}:state:damaged')).toBe(text);
  // Told once: what is set aside is not read again.
  expect(await store.loadState()).toBeUndefined();
  expect(damaged).toHaveLength(2);
  await store.saveState(full);
  expect(await store.loadState()).toEqual(full);
});

test('damaged runs and events are set aside with a message, once, and the others are read', async () => {
  for (const at of [1, 2, 3]) await store.saveRun(run(at));
  await raw.hset('{vmsync}:runs', 'run-2', '{"id":"run-2"}');
  for (const at of [1, 2]) await store.addEvent(event(at));
  await raw.lpush('{vmsync}:events', 'no event');
  await store.addEvent(event(3));
  for (let round = 0; round < 2; round++) {
    expect((await store.listRuns(10)).map(({ id }) => id)).toEqual(['run-3', 'run-1']);
    expect(await store.loadRun('run-2')).toBeUndefined();
    expect((await store.listEvents(10)).map(({ atMs }) => atMs)).toEqual([3, 2, 1]);
  }
  expect(damaged).toEqual([
    'run run-2 in Redis cannot be read and is set aside',
    'an event in Redis cannot be read and is set aside',
  ]);
  expect(await raw.hget('{vmsync}:runs:damaged', 'run-2')).toBe('{"id":"run-2"}');
  expect(await raw.lrange('{vmsync}:events:damaged', 0, -1)).toEqual(['no event']);
});
