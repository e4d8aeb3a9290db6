import { join } from 'node:path';
import { type Attempt, type Chunk, directionFrom, EMPTY_STATE, stuckId } from '@vm-sync/core';
import { chunkId, PREFIX, QUEUES, type Status } from '@vm-sync/queue';
import { createLogger, envToConfig } from '@vm-sync/runtime';
import { type RedisServer, startRedis, temporaryFolder, until } from '@vm-sync/testkit';
import { DelayedError, type Job, UnrecoverableError, Worker } from 'bullmq';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { runAcknowledge } from '../src/acknowledge.ts';
import { runCancel } from '../src/cancel-run.ts';
import { createContext, type SchedulerContext } from '../src/context.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(() => redis.flushAll());

function startContext(): SchedulerContext {
  const config = envToConfig({
    ROLE: 'primary',
    LOCAL_VM_URL: 'http://127.0.0.1:1',
    REMOTE_VM_URL: 'http://127.0.0.1:2',
    ACTIVE_SITE: 'primary',
    REDIS_URL: redis.url,
    STATE_FILE: join(temporaryFolder('wishes'), 'state.json'),
  });
  const context = createContext(config, createLogger('silent', 'scheduler', []));
  onTestFinished(() => context.close());
  return context;
}

const direction = directionFrom('primary');
const cause = { checkId: 'check-1', reason: 'operator', who: 'anna' } as const;

const chunk = (at: number): Chunk => ({
  selectors: ['up'],
  window: { fromMs: at * 60_000, toMs: (at + 1) * 60_000 },
  series: 1,
  samples: 10,
});

/** A run of three chunks. */
const startRun = ({ runs }: SchedulerContext) =>
  runs.start(
    {
      direction,
      backfillId: null,
      recovery: false,
      chunks: [chunk(1), chunk(2), chunk(3)],
      stepMs: 60_000,
      dedupMs: 0,
      cause,
    },
    1,
    Date.now(),
  );

/** A worker that does with each chunk what `act` says. */
function startWorker(act: (job: Job, token: string) => Promise<object>): Worker {
  const connection = { url: redis.url };
  const worker = new Worker(QUEUES.repairs, (job, token = '') => act(job, token), {
    connection,
    prefix: PREFIX,
  });
  worker.on('error', () => undefined);
  onTestFinished(() => worker.close());
  return worker;
}

const events = async ({ store }: SchedulerContext) =>
  (await store.listEvents(10)).map(({ text }) => text);

test('a cancelled run: what waits or failed is called to its end, and nothing new is planned before it', async () => {
  const context = startContext();
  const { repairs, runs, store } = context;
  const run = await startRun(context);
  expect(run.cause).toEqual(cause);
  let ended = 0;
  const first = startWorker(async (job, token) => {
    if (job.id === chunkId(run.id, 1)) throw new UnrecoverableError('refused');
    await job.moveToDelayed(Date.now() + 600_000, token);
    throw new DelayedError();
  });
  await until('chunks that wait', async () => (await repairs.getDelayedCount()) === 2);
  await until('a failed chunk', async () => (await repairs.getFailedCount()) === 1);
  await first.close();

  expect(await runCancel(context, { runId: run.id, who: 'anna' })).toBe(`run ${run.id} cancelled`);
  expect(await store.loadRun(run.id)).toMatchObject({ state: 'cancelled', settledMs: null });
  expect(await repairs.getJobCounts('delayed', 'failed', 'waiting')).toEqual({
    delayed: 0,
    failed: 0,
    waiting: 3,
  });
  const sentence = `Run ${run.id} (primary → dr) cancelled by anna: what it has not copied is still missing`;
  expect(await events(context)).toEqual([sentence]);
  const [check] = await context.checks.getJobs(['prioritized']);
  expect(check?.data).toEqual({ cause: 'operator', who: 'anna' });
  expect((await runs.openWork(direction, 1)).inProgress).toBe(true);

  // Twice, as after a death in the middle: told once.
  await runCancel(context, { runId: run.id, who: 'anna' });
  expect(await events(context)).toHaveLength(1);

  // One fails after all: it is called again by the next check, and does not keep the run from settling.
  startWorker(async (job) => {
    ended += 1;
    if (ended === 1) throw new UnrecoverableError(`${job.id} was being copied, and failed`);
    return { outcome: 'cancelled', mode: 'none', samples: 0, bytes: 0, tookMs: 0 };
  });
  await until('the end of all but one', async () => {
    const [completed, failed] = [await repairs.getCompletedCount(), await repairs.getFailedCount()];
    return completed === 2 && failed === 1;
  });
  const work = await runs.openWork(direction, 1);
  expect([work.inProgress, work.failed]).toEqual([false, []]);
  await until('its end', async () => (await repairs.getCompletedCount()) === 3);
});

test('a run that has ended, or never was, is not cancelled', async () => {
  const context = startContext();
  const run = await startRun(context);
  await context.store.saveRun({ ...run, state: 'settled', settledMs: 1 });
  expect(await runCancel(context, { runId: run.id, who: 'anna' })).toContain('had settled before');
  expect(await context.store.loadRun(run.id)).toMatchObject({ state: 'settled' });
  await expect(runCancel(context, { runId: 'none', who: 'anna' })).rejects.toThrow(
    /there is no run none/,
  );
  expect(await events(context)).toEqual([]);
});

test('an acknowledged gap is remembered in both places and shown at once, once; READY is left alone', async () => {
  const context = startContext();
  const { memory, store } = context;
  const gap: Attempt = {
    direction: 'primary-to-dr',
    window: chunk(1).window,
    selectors: 'ab',
    samples: 1_234,
    times: 1,
    firstMs: 1,
    lastMs: 2,
    outcome: 'done',
    stuck: true,
  };
  const state = { ...EMPTY_STATE, stuck: { attempted: [gap] }, reasons: ['stuck'] };
  await memory.save(state);
  await store.saveStatus({ ...status, state });
  const job = { timestamp: 1_795_000_000_000 } as Job;
  const order = { gaps: [stuckId(gap)], who: 'anna' };
  expect(await runAcknowledge(context, order, job)).toContain('acknowledged by anna');
  const acknowledged = { who: 'anna', atMs: job.timestamp };
  const expected = { ...state, stuck: { attempted: [{ ...gap, acknowledged }] } };
  expect(await store.loadState()).toEqual(expected);
  expect((await store.loadStatus())?.state).toEqual(expected);
  await redis.flushAll();
  expect((await memory.load()).state).toEqual(expected);
  expect(await runAcknowledge(context, { ...order, who: 'bert' }, job)).toContain('none of these');
  expect(await events(context)).toEqual([]);
});

const status: Status = {
  atMs: 1,
  role: 'primary',
  checkIntervalMs: 1,
  cleanChecksWanted: 3,
  validUntilMs: 1,
  activeReason: '-',
  outcome: 'gaps',
  tookMs: 1,
  horizonMs: null,
  sites: {},
  tallied: null,
  state: EMPTY_STATE,
};
