import { join } from 'node:path';
import { EMPTY_STATE, type SiteLoad } from '@vm-sync/core';
import type { RunRecord, Status } from '@vm-sync/queue';
import { createLogger, envToConfig } from '@vm-sync/runtime';
import { type RedisServer, startRedis, temporaryFolder, until } from '@vm-sync/testkit';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { createContext, type SchedulerContext } from '../src/context.ts';
import { Governor } from '../src/govern.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(() => redis.flushAll());

const calm: SiteLoad = {
  latencyMs: 5,
  inserts: { used: 0, capacity: 4 },
  selects: { used: 0, capacity: 4 },
  waits: 0,
  pendingRows: 0,
  rows: 0,
  slowRows: 0,
  freeBytes: 80e9,
  keptFreeBytes: 10e6,
  readOnly: false,
};

interface Bench {
  readonly context: SchedulerContext;
  /** What the sites answer from now on. */
  readonly sees: { primary: SiteLoad | Error; dr: SiteLoad | Error };
  /** How often a site was looked at. */
  readonly looks: { primary: number; dr: number };
}

/** A scheduler's parts with a real Redis, and two sites that answer as they are told. */
function startBench(env: Record<string, string> = {}): Bench {
  const config = envToConfig({
    ROLE: 'primary',
    LOCAL_VM_URL: 'http://127.0.0.1:1',
    REMOTE_VM_URL: 'http://127.0.0.1:2',
    ACTIVE_SITE: 'primary',
    REDIS_URL: redis.url,
    STATE_FILE: join(temporaryFolder('govern'), 'state.json'),
    NOTIFY_WEBHOOK: 'http://127.0.0.1:3/hook',
    ...env,
  });
  const context = createContext(config, createLogger('silent', 'scheduler', []));
  onTestFinished(() => context.close());
  const sees: Bench['sees'] = { primary: calm, dr: calm };
  const looks = { primary: 0, dr: 0 };
  for (const site of ['primary', 'dr'] as const) {
    context.databases[site].load = async () => {
      looks[site] += 1;
      const seen = sees[site];
      if (seen instanceof Error) throw seen;
      return seen;
    };
  }
  return { context, sees, looks };
}

const status: Status = {
  atMs: 1,
  role: 'primary',
  checkIntervalMs: 1,
  cleanChecksWanted: 3,
  validUntilMs: 1,
  activeReason: '-',
  outcome: 'clean',
  tookMs: 1,
  horizonMs: null,
  sites: {},
  tallied: null,
  state: { ...EMPTY_STATE, activeSite: 'primary' },
};

async function ticks(governor: Governor, count: number) {
  let pace = await governor.tick();
  for (let at = 1; at < count; at++) pace = await governor.tick();
  return pace;
}

const kinds = async ({ store }: SchedulerContext) =>
  (await store.listEvents(10)).map(({ kind }) => kind);

test('before anything is known it is slow, and asks nobody', async () => {
  const { context, looks } = startBench();
  const pace = await new Governor(context).tick();
  expect(pace).toMatchObject({ copies: 1, stopped: false });
  expect(await context.repairs.getGlobalConcurrency()).toBe(1);
  expect(await context.paces.load()).toEqual({ pace, governed: true });
  expect(looks).toEqual({ primary: 0, dr: 0 });
});

test('calm databases lead to full speed, then they are left in peace until there is work', async () => {
  const { context, looks } = startBench({ MAX_COPIES: '3', MAX_BYTES_PER_SECOND: '50MB' });
  await context.store.saveStatus(status);
  const governor = new Governor(context);
  expect(await ticks(governor, 2)).toMatchObject({ copies: 3, reason: null, bytesPerS: 50e6 });
  expect(await context.repairs.getGlobalConcurrency()).toBe(3);
  await ticks(governor, 5);
  expect(looks).toEqual({ primary: 2, dr: 2 });
  await context.repairs.add('repair-chunk', {}, { delay: 60_000 });
  await ticks(governor, 2);
  expect(looks).toEqual({ primary: 4, dr: 4 });
});

test('a wiped Redis is given its limits again at once', async () => {
  const { context } = startBench();
  await context.store.saveStatus(status);
  const governor = new Governor(context);
  await ticks(governor, 4);
  await redis.flushAll();
  expect(await context.repairs.getGlobalConcurrency()).toBeNull();
  await governor.tick();
  expect(await context.repairs.getGlobalConcurrency()).toBe(4);
  expect(await context.paces.load()).toMatchObject({ governed: true, pace: { copies: 4 } });
});

test('busy answers of the workers slow it down, and are counted once', async () => {
  const { context } = startBench();
  await context.store.saveStatus(status);
  const governor = new Governor(context);
  await ticks(governor, 4);
  await context.repairs.add('repair-chunk', {}, { delay: 60_000 });
  for (let at = 0; at < 3; at++) await context.paces.countBusy('dr');
  const slow = await governor.tick();
  expect(slow.copies).toBe(2);
  expect(slow.reason).toBe('dr asked for patience (429 or 503) 3 times: 2 of 4 copies at a time');
  expect((await governor.tick()).copies).toBe(2);
  expect(await ticks(governor, 4)).toMatchObject({ copies: 4, reason: null });
});

test('a site that does not answer means one copy, with its own words', async () => {
  const { context, sees } = startBench();
  await context.store.saveStatus(status);
  const governor = new Governor(context);
  await ticks(governor, 4);
  await context.repairs.add('repair-chunk', {}, { delay: 60_000 });
  sees.primary = new Error('primary refuses connections');
  expect(await governor.tick()).toMatchObject({
    copies: 1,
    reason: 'primary gave no reading (primary refuses connections): 1 of 4 copies at a time',
  });
});

test('the destination is that of the open run; a stop and its end are told once, also over a restart', async () => {
  const { context, sees } = startBench();
  const run: RunRecord = {
    id: 'run-1',
    direction: { source: 'dr', destination: 'primary' },
    epoch: 1,
    createdMs: 1,
    state: 'open',
    backfillId: null,
    recovery: false,
    cause: null,
    chunks: 1,
    series: 1,
    samplesPlanned: 1,
    windows: [],
    settledMs: null,
    samplesCopied: 0,
    bytesCopied: 0,
  };
  await context.store.saveStatus(status);
  await context.store.saveRun(run);
  sees.dr = { ...calm, readOnly: true };
  expect((await new Governor(context).tick()).stopped).toBe(false);
  sees.primary = { ...calm, readOnly: true };
  const governor = new Governor(context);
  expect(await ticks(governor, 3)).toMatchObject({ copies: 1, stopped: true });
  expect(await ticks(new Governor(context), 2)).toMatchObject({ stopped: true });
  expect(await kinds(context)).toEqual(['repairs-stopped']);
  const messages = await context.notifications.getJobs();
  expect(messages.map(({ data }) => data.text)).toEqual([
    '🛑 VM-Sync: Repairs stopped: primary is read-only, its disk is full (-storage.minFreeDiskSpaceBytes): free disk space there, or give it a larger disk; repairs then go on by themselves',
  ]);
  sees.primary = calm;
  expect(await ticks(new Governor(context), 1)).toMatchObject({ copies: 1, stopped: false });
  expect(await kinds(context)).toEqual(['repairs-go-on', 'repairs-stopped']);
  expect(await context.notifications.getJobs()).toHaveLength(1);
});

test('what its own end cut off changes nothing', async () => {
  const { context, sees } = startBench();
  await context.store.saveStatus(status);
  const governor = new Governor(context);
  const calmPace = await ticks(governor, 4);
  await context.repairs.add('repair-chunk', {}, { delay: 60_000 });
  const { promise: asked, resolve: wasAsked } = Promise.withResolvers<void>();
  context.databases.dr.load = (signal) => {
    wasAsked();
    return new Promise((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason));
    });
  };
  sees.primary = calm;
  const running = governor.run();
  await asked;
  governor.close();
  await running;
  expect((await context.paces.load())?.pace).toEqual(calmPace);
});

test('it governs by itself until it is closed', async () => {
  const { context } = startBench();
  const governor = new Governor(context);
  const running = governor.run();
  await until('a pace', () => context.paces.load());
  governor.close();
  await running;
});
