import { join } from 'node:path';
import { directionFrom, type Notice, noticeOf, type SyncEvent } from '@vm-sync/core';
import { NOTIFY_OPTIONS } from '@vm-sync/queue';
import { createLogger, envToConfig } from '@vm-sync/runtime';
import {
  type RedisServer,
  startRedis,
  startWebhook,
  temporaryFolder,
  until,
  type Webhook,
} from '@vm-sync/testkit';
import type { Job, Worker } from 'bullmq';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { createContext, type SchedulerContext } from '../src/context.ts';
import { notificationsWorker, sendNotice } from '../src/notify.ts';
import { emit } from '../src/tell.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(() => redis.flushAll());

interface Bench {
  readonly context: SchedulerContext;
  /** Targets 1, 2, and so on. */
  readonly webhooks: readonly Webhook[];
  start(): Worker;
}

/** A scheduler's parts with a real Redis, and real receivers of the given formats. */
async function startBench(formats: readonly string[], env = {}): Promise<Bench> {
  const webhooks = await Promise.all(formats.map(() => startWebhook()));
  const targets = webhooks.flatMap(({ url }, at): [string, string][] => {
    const behind = at === 0 ? '' : `_${at + 1}`;
    return [
      [`NOTIFY_WEBHOOK${behind}`, `${url}/hook?sig=s3cret`],
      [`NOTIFY_FORMAT${behind}`, formats[at] as string],
    ];
  });
  const config = envToConfig({
    ROLE: 'primary',
    LOCAL_VM_URL: 'http://127.0.0.1:1',
    REMOTE_VM_URL: 'http://127.0.0.1:2',
    ACTIVE_SITE: 'primary',
    REDIS_URL: redis.url,
    STATE_FILE: join(temporaryFolder('notify'), 'state.json'),
    ...Object.fromEntries(targets),
    ...env,
  });
  const context = createContext(config, createLogger('silent', 'scheduler', []));
  const workers: Worker[] = [];
  onTestFinished(async () => {
    await Promise.all(workers.map((worker) => worker.close()));
    await context.close();
    await Promise.all(webhooks.map((webhook) => webhook.stop()));
  });
  const start = () => {
    const worker = notificationsWorker(context, {});
    workers.push(worker);
    return worker;
  };
  return { context, webhooks, start };
}

const emptied = (sinceMs: number): SyncEvent => ({ kind: 'site-emptied', site: 'dr', sinceMs });

const noticeAt = (atMs: number): Notice => noticeOf(emptied(atMs), atMs);

const told = ({ messages }: Webhook): string[] =>
  messages.map(({ json }) => (json as { text: string }).text);

const textOf = (atMs: number) => expect.stringContaining(new Date(atMs).toISOString());

/** The jobs of a target, in the order of their time. */
async function jobsOf({ notifications }: SchedulerContext, target: string): Promise<Job[]> {
  const jobs: Job[] = await notifications.getJobs();
  return jobs
    .filter(({ data }) => data.target === target)
    .sort((a, b) => ((a.id ?? '') < (b.id ?? '') ? -1 : 1));
}

test('each target has a job of its own, which says nothing of its address', async () => {
  const { context } = await startBench(['slack', 'teams', 'json'], {
    NOTIFY_MIN_SEVERITY: 'warn',
    NOTIFY_MIN_SEVERITY_2: 'error',
    NOTIFY_SECRET: 's3cret-for-signing',
  });
  await emit(context, emptied(0));
  await emit(context, { kind: 'sites-reached', tookMs: 1 });
  const jobs: Job[] = await context.notifications.getJobs();
  expect(jobs.map(({ data }) => data.target).sort()).toEqual(['1', '3']);
  expect(new Set(jobs.map(({ data }) => data.id)).size).toBe(1);
  expect(jobs[0]?.data).toMatchObject({
    kind: 'site-emptied',
    todo: expect.stringMatching(/^Nothing when dr has a new disk/),
    details: { site: 'dr', sinceMs: 0 },
  });
  expect(JSON.stringify(jobs.map((job) => job.asJSON()))).not.toMatch(/s3cret|127\.0\.0\.1/);
  // The row has the same words, of what nobody is sent as well.
  const rows = await context.store.listEvents(10);
  expect(rows.map(({ kind }) => kind)).toEqual(['sites-reached', 'site-emptied']);
  expect(rows[1]).toMatchObject({ text: jobs[0]?.data.text, todo: jobs[0]?.data.todo });
});

test('what may be over soon, and what people know already, is logged only', async () => {
  const { context } = await startBench(['slack']);
  await emit(context, { kind: 'ready-withdrawn', reason: 'because' });
  const direction = directionFrom('dr');
  const ready = { direction, cleanChecks: 3, tolerated: 0, beyondRepair: 0 };
  await emit(context, { kind: 'failback-ready', ...ready }, { isKnown: true });
  expect(await context.notifications.getJobs()).toEqual([]);
  expect(await context.store.listEvents(10)).toHaveLength(2);
});

test('a message is tried again until it is taken, and those behind it wait, each once', async () => {
  const { context, webhooks, start } = await startBench(['slack']);
  const [webhook] = webhooks as [Webhook];
  webhook.setStatus(500);
  const nowMs = Date.now();
  await sendNotice(context, noticeAt(nowMs));
  start();
  await until('a first try', () => webhook.messages.length > 0);
  // They come while the first waits for its second try.
  await sendNotice(context, noticeAt(nowMs + 1));
  await sendNotice(context, noticeAt(nowMs + 2));
  await until('both to wait', async () =>
    (await jobsOf(context, '1')).every((job) => (job.delay ?? 0) > 0),
  );
  webhook.setStatus(200);
  await until('all three', () => webhook.messages.length >= 4);
  expect(told(webhook)).toEqual([nowMs, nowMs, nowMs + 1, nowMs + 2].map(textOf));
  await until(
    'the end of all',
    async () => (await context.notifications.getCompletedCount()) === 3,
  );
  const jobs = await jobsOf(context, '1');
  expect(jobs.map(({ attemptsMade }) => attemptsMade)).toEqual([2, 1, 1]);
  expect(webhook.messages).toHaveLength(4);
});

test('a dead target delays no other, and many messages keep their order', async () => {
  const { context, webhooks, start } = await startBench(['slack', 'json']);
  const [dead, alive] = webhooks as [Webhook, Webhook];
  dead.setStatus(503);
  start();
  const times = Array.from({ length: 30 }, (_, at) => Date.now() + at);
  for (const atMs of times) await sendNotice(context, noticeAt(atMs));
  await until('all messages', () => alive.messages.length >= times.length);
  expect(told(alive)).toEqual(times.map(textOf));
  // Only the oldest is tried there.
  expect(new Set(told(dead)).size).toBe(1);
});

test('a receiver that asks for patience gets it', async () => {
  const { context, webhooks, start } = await startBench(['slack']);
  const [webhook] = webhooks as [Webhook];
  webhook.setStatus(429, { 'retry-after': '120' });
  await sendNotice(context, noticeAt(Date.now()));
  start();
  const delayed = await until('a delay', async () => {
    const [job] = await context.notifications.getDelayed();
    return job;
  });
  expect(delayed.delay).toBe(120_000);
  expect(webhook.messages).toHaveLength(1);
});

test('what a receiver refuses is not tried again, and the next message is sent', async () => {
  const { context, webhooks, start } = await startBench(['slack']);
  const [webhook] = webhooks as [Webhook];
  webhook.setStatus(404);
  await sendNotice(context, noticeAt(1));
  start();
  const failed: Job = await until('the failure', async () => {
    const [job] = await context.notifications.getFailed();
    return job;
  });
  expect(failed.failedReason).toMatch(
    /^notification not delivered: 127\.0\.0\.1:\d+ \(NOTIFY_WEBHOOK\) answered 404; check the URL and NOTIFY_FORMAT$/,
  );
  expect(JSON.stringify(failed.asJSON())).not.toContain('s3cret');
  webhook.setStatus(200);
  await sendNotice(context, noticeAt(2));
  await until('the next', () => webhook.messages.length === 2);
});

test('orders of older versions are delivered to the first target, marked as late', async () => {
  const { context, webhooks, start } = await startBench(['slack', 'slack']);
  const [first, second] = webhooks as [Webhook, Webhook];
  const old = { kind: 'gap-detected', severity: 'warn', text: '⚠️ VM-Sync: old', atMs: 1_000 };
  await context.notifications.add('notify', old, {
    attempts: 12,
    backoff: { type: 'exponential', delay: 2_000, jitter: 0.5 },
  });
  await context.notifications.add('notify', { nonsense: true }, NOTIFY_OPTIONS);
  await context.notifications.add('notify', { ...old, target: '4' }, NOTIFY_OPTIONS);
  start();
  await until('the end of all', async () => {
    const { completed = 0, failed = 0 } = await context.notifications.getJobCounts();
    return completed + failed === 3;
  });
  expect(told(first)).toEqual([
    expect.stringMatching(/^⚠️ VM-Sync: old \(delayed by .*: this happened at 1970-01-01T00:00:01/),
  ]);
  expect(second.messages).toEqual([]);
  const [failed] = await context.notifications.getFailed();
  expect(failed?.failedReason).toBe('not a notification; remove this job');
  const values = (await context.notifications.getCompleted()).map(({ returnvalue }) => returnvalue);
  expect(values.sort()).toEqual(['NOTIFY_WEBHOOK_4 is not set: nothing sent', 'delivered: 200']);
});
