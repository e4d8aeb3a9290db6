import { EMPTY_STATE, type Pace } from '@vm-sync/core';
import { damages, fuzz, mutate, mutateValue, startRedis, valueDamages } from '@vm-sync/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { z } from 'zod';
import {
  AcceptOrder,
  AcknowledgeOrder,
  AcknowledgeRequest,
  AuditLine,
  BackfillOrder,
  BackfillRequest,
  CancelRunOrder,
  CheckOrder,
  ChunkOrder,
  ChunkResult,
  connect,
  DutyViewSchema,
  EventRecord,
  FinishedChunkSchema,
  LoginRequest,
  NotifyOrder,
  PaceStore,
  PastCheck,
  PinOrder,
  PinRequest,
  parseRedisUrl,
  ReconcileOrder,
  RepairKitSchema,
  RetryRequest,
  RunRecord,
  SettleOrder,
  Status,
  Store,
  setForeignAside,
} from '../src/index.ts';

const atMs = 1_795_460_400_000;
const window = { fromMs: atMs - 3_600_000, toMs: atMs };
const direction = { source: 'primary', destination: 'dr' };
const chunk = { selectors: ['{a="b"}'], window, series: 1, samples: 2, counted: true, about: 'x' };
const status = {
  atMs,
  role: 'dr',
  checkIntervalMs: 1,
  cleanChecksWanted: 3,
  validUntilMs: atMs,
  activeReason: 'x',
  active: {
    ...{ site: 'dr', reason: 'x', mayWrite: true, whyNoWriting: null, epoch: 1 },
    witnesses: [{ name: 'lease', says: null, text: 'x' }],
  },
  outcome: 'gaps',
  tookMs: 1,
  horizonMs: atMs,
  sites: {
    primary: {
      healthy: true,
      observation: { site: 'primary', url: 'u', startedMs: atMs, dedupMs: 1 },
    },
    dr: { healthy: false, url: 'u', reason: 'r' },
  },
  twins: [{ severity: 'fault', key: 'k', subject: 'dr', text: 't', keepsReadyAway: true }],
  tallied: {
    ...{
      series: 1,
      sourceSamples: 2,
      destinationSamples: 1,
      gaps: 1,
      missing: 1,
      tolerated: 0,
      extra: 0,
    },
  },
  state: { ...EMPTY_STATE, lastCheckMs: atMs },
  certificates: [
    {
      ...{
        id: 'c',
        direction: 'dr-to-primary',
        issuedMs: atMs,
        renewedMs: atMs,
        validUntilMs: atMs,
      },
      ...{ sha256: 'x', ended: { how: 'expired', atMs, reason: 'r' } },
    },
  ],
};

/** Everything that comes out of a queue, of Redis or of a request, by what reads it. */
const RECORDS: Readonly<Record<string, readonly [z.ZodType, ...unknown[]]>> = {
  'check-gaps': [CheckOrder, { cause: 'schedule', who: 'anna' }],
  'settle-run': [SettleOrder, { runId: 'r' }],
  backfill: [
    BackfillOrder,
    { action: 'start', id: 'b', window, match: ['x'] },
    { action: 'pause', id: 'b' },
  ],
  reconcile: [ReconcileOrder, { action: 'start', id: 'x' }, { action: 'cancel' }],
  pin: [PinOrder, { action: 'pin', pin: { site: 'dr', untilMs: atMs, atMs } }, { action: 'unpin' }],
  accept: [AcceptOrder, { site: 'dr' }],
  'cancel-run': [CancelRunOrder, { runId: 'r', who: 'anna' }],
  acknowledge: [AcknowledgeOrder, { gaps: ['g'], who: 'anna' }],
  'repair-chunk': [
    ChunkOrder,
    { runId: 'r', direction, epoch: 1, recovery: false, chunk, stepMs: 300_000, dedupMs: 0 },
  ],
  'result of a chunk': [
    ChunkResult,
    { outcome: 'repaired', mode: 'lines', samples: 1, bytes: 2, tookMs: 3 },
  ],
  notify: [
    NotifyOrder,
    {
      kind: 'k',
      severity: 'info',
      text: 't',
      atMs,
      target: '1',
      id: 'n',
      todo: '',
      details: { a: [1] },
    },
  ],
  status: [Status, status],
  run: [
    RunRecord,
    {
      ...{
        id: 'r',
        direction,
        epoch: 1,
        createdMs: atMs,
        backfillId: null,
        recovery: false,
        state: 'open',
      },
      ...{
        cause: { checkId: '1', reason: 'start', who: null },
        chunks: 1,
        series: 1,
        samplesPlanned: 1,
      },
      ...{ windows: [window], settledMs: null, samplesCopied: 0, bytesCopied: 0 },
    },
  ],
  'finished chunk': [FinishedChunkSchema, { atMs, planned: 1, samples: 1, bytes: 1 }],
  event: [EventRecord, { atMs, kind: 'k', severity: 'warn', text: 't', todo: '' }],
  'audit line': [
    AuditLine,
    { atMs, who: 'a', by: 'page', action: 'pause', what: '', result: 'done' },
  ],
  'check history': [PastCheck, { atMs, outcome: 'clean', samples: 1, missing: null, tookMs: 1 }],
  'who is on duty': [
    DutyViewSchema,
    {
      atMs,
      role: 'dr',
      stance: 'duty',
      unable: null,
      other: { seenMs: atMs, onDuty: true, fresh: true },
    },
  ],
  'repair kit': [
    RepairKitSchema,
    {
      ...{
        failedMs: atMs,
        direction,
        cause: 'c',
        advice: 'a',
        flags: [{ site: 'dr', name: 'f' }],
        notes: [],
      },
      counts: { source: { samples: 1, why: null }, destination: { samples: null, why: 'w' } },
      commands: [{ what: 'w', line: 'l' }],
    },
  ],
  'request of a backfill': [BackfillRequest, { from: '2h', to: '1h', match: ['x'], dryRun: 'on' }],
  'request of a pin': [PinRequest, { site: 'dr', for: '1h' }],
  'request of a retry': [RetryRequest, { run: ' r ', direction: '', error: 'e' }],
  'request to acknowledge': [AcknowledgeRequest, { gap: 'all' }],
  login: [LoginRequest, { user: 'u', password: 'p', next: '/' }],
};

const input = (values: readonly unknown[]) =>
  fc.oneof(
    fc
      .tuple(fc.constantFrom(...values), valueDamages)
      .map(([value, some]) => JSON.stringify(mutateValue(value, some))),
    fc
      .tuple(fc.constantFrom(...values), damages)
      .map(([value, some]) => mutate(Buffer.from(JSON.stringify(value)), some).toString()),
    fc.json(),
  );

test.each(Object.entries(RECORDS))(
  '%s of any kind is read as what can be written and read again, or not at all',
  async (name, [schema, ...values]) => {
    for (const value of values) expect(schema.safeParse(value).error).toBeUndefined();
    await fuzz(`records: ${name}`, 400, input(values), (text) => {
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        return;
      }
      const read = schema.safeParse(value);
      if (!read.success) return;
      const written = JSON.stringify(read.data);
      const again = schema.safeParse(JSON.parse(written));
      expect(again.success && JSON.stringify(again.data)).toBe(written);
      for (const [at, number] of instantsIn(read.data)) {
        expect(new Date(number).getTime(), at).not.toBeNaN();
      }
    });
  },
);

/** Every number that is shown as a time. */
function instantsIn(value: unknown, at = ''): [string, number][] {
  if (typeof value === 'number')
    return /(?:At|at|from|to|[sdt])Ms$/.test(at) &&
      !/tookMs|stepMs|dedupMs|IntervalMs|offsetMs/.test(at)
      ? [[at, value]]
      : [];
  if (typeof value !== 'object' || value === null || /details/.test(at)) return [];
  return Object.entries(value).flatMap(([name, one]) => instantsIn(one, `${at}.${name}`));
}

test('URLs of Redis of any kind are ones that can be connected to, or refused without their password', () => {
  const right = [
    'redis://u:s3cret@[::1]:6379/1',
    'redis-sentinel://u:s3cret@a:1,b/m/2',
    'redis-cluster://a:1,[::1]:2',
  ];
  const text = fc.oneof(
    fc
      .tuple(fc.constantFrom(...right), damages)
      .map(([url, some]) => mutate(Buffer.from(url), some).toString()),
    fc.constantFrom(
      'redis://:%zz@a',
      'rediss://a/%zz',
      'redis://a:b@c:d',
      'redis://',
      'redis-cluster://:s3cret@',
    ),
    fc.string(),
  );
  return fuzz('URLs of Redis', 1_500, text, (url) => {
    try {
      parseRedisUrl(url);
    } catch (error) {
      expect((error as Error).message).toMatch(/^expected /);
      expect((error as Error).message).not.toContain('s3cret');
      return;
    }
    const client = connect(url, 'brief');
    client.on('error', () => undefined);
    client.disconnect();
  });
});

describe('in a real Redis', () => {
  let server: Awaited<ReturnType<typeof startRedis>>;
  let redis: ReturnType<typeof connect>;
  beforeAll(async () => {
    server = await startRedis();
    redis = connect(server.url, 'endless');
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  const pace: Pace = {
    copies: 1,
    bytesPerS: null,
    stopped: false,
    reason: null,
    restTicks: 0,
    memory: {},
  };

  test('a state of any kind is read, or set aside with a sentence, once', async () => {
    const told: string[] = [];
    const store = new Store(redis, (message) => told.push(message));
    await fuzz('records: state in Redis', 300, input([status.state, EMPTY_STATE]), async (text) => {
      await redis.set('{vmsync}:state', text);
      told.length = 0;
      const state = await store.loadState();
      expect(told).toHaveLength(state === undefined ? 1 : 0);
      if (state === undefined) expect(await redis.exists('{vmsync}:state')).toBe(0);
      else {
        await store.saveState(state);
        expect(JSON.stringify(await store.loadState())).toBe(JSON.stringify(state));
      }
      // There is no minus before a zero in what is written.
      expect(JSON.stringify(await store.loadState())).toBe(JSON.stringify(state));
    });
  });

  test('a pace of any kind is one that can be gone by, or the slow one', async () => {
    const paces = new PaceStore(redis);
    const limits = { maxCopies: 4, maxBytesPerS: null };
    await fuzz('records: pace', 300, fc.tuple(input([pace]), fc.string()), async ([text, paid]) => {
      await redis.set('{vmsync}:pace', text);
      await redis.set('{vmsync}:pace-governed', '1');
      await redis.set('{vmsync}:bytes-paid-until', paid);
      await redis.hset('{vmsync}:busy-answers', { primary: paid, dr: '2', x: '' });
      const { copies, bytesPerS } = await paces.current(limits);
      expect(Number.isSafeInteger(copies) && copies >= 1).toBe(true);
      expect(bytesPerS === null || bytesPerS >= 1).toBe(true);
      const busy = await paces.takeBusy();
      expect(Number.isFinite(busy.primary + busy.dr)).toBe(true);
      expect(await paces.bookBytes(1, 1e9)).toBeLessThanOrEqual(86_400_000);
    });
  });

  test.each(['nan', 'inf', '1e300', '-1e300', 'x', '', '0x10'])(
    'bytes that are paid until %j keep nobody waiting',
    async (paid) => {
      await redis.set('{vmsync}:bytes-paid-until', paid);
      expect(await new PaceStore(redis).bookBytes(1, 1e9)).toBeLessThanOrEqual(1_000);
    },
  );

  test('of a kind that is none of ours is set aside once, and the rest is left alone', async () => {
    await redis.flushall();
    const told: string[] = [];
    const mend = () => setForeignAside(redis, (message) => told.push(message));
    await redis.set('{vmsync}:runs', 'foreign');
    await redis.lpush('{vmsync}:state', 'foreign');
    await redis.set('{vmsync}:checks:id', 'x1');
    await redis.set('{vmsync}:repairs:id', '12');
    await redis.hset('{vmsync}:checks:7', { name: 'check-gaps', data: '{"cau', opts: '{}' });
    await redis.hset('{vmsync}:checks:8', {
      name: 'check-gaps',
      data: '{"cause":"start"}',
      opts: '{}',
    });
    await redis.rpush('{vmsync}:checks:wait', '7', '8', 'nobody');
    await mend();
    expect(told).toEqual([
      expect.stringMatching(
        /^\{vmsync\}:state in Redis is not what vm-sync keeps there, and is set aside/,
      ),
      expect.stringMatching(/^\{vmsync\}:runs in Redis/),
      expect.stringMatching(/^\{vmsync\}:checks:id in Redis/),
      expect.stringMatching(
        /^the job \{vmsync\}:checks:7 in Redis cannot be read; it is made to fail/,
      ),
    ]);
    expect(await redis.get('{vmsync}:runs:damaged')).toBe('foreign');
    expect(await redis.get('{vmsync}:repairs:id')).toBe('12');
    expect(await redis.lrange('{vmsync}:checks:wait', 0, -1)).toEqual(['7', '8']);
    expect(await redis.hget('{vmsync}:checks:7', 'data')).toBe('{"damaged":"{\\"cau"}');
    expect(await redis.hget('{vmsync}:checks:8', 'data')).toBe('{"cause":"start"}');
    await mend();
    expect(told).toHaveLength(4);
  });
});
