import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { directionFrom, noticeOf } from '@vm-sync/core';
import { type LineFault, lineFaultsAt } from '@vm-sync/fault-bench';
import { RunRecord } from '@vm-sync/queue';
import { createLogger, envToConfig, type NotifyTarget } from '@vm-sync/runtime';
import {
  createContext,
  notificationsWorker,
  type SchedulerContext,
  sendNotice,
  settleRun,
} from '@vm-sync/scheduler';
import {
  type FaultProxy,
  noDifference,
  startFaultProxy,
  startRedis,
  startWebhook,
  temporaryFolder,
  until,
  type Webhook,
} from '@vm-sync/testkit';
import type { Job } from 'bullmq';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isSlowness, lineFault, strike } from './support/line-faults.ts';
import { hole, LineCell, type LinePair, startLinePair } from './support/line-pair.ts';
import { full } from './support/selection.ts';

const ends = new AsyncDisposableStack();
let redisUrl: string;
beforeAll(async () => {
  const redis = await startRedis();
  ends.defer(() => redis.kill());
  redisUrl = redis.url;
});
afterAll(() => ends.disposeAsync());

/** A scheduler's parts, with a Redis that the tests of this file share. */
function contextWith(notify: readonly NotifyTarget[]): SchedulerContext {
  const config = envToConfig({
    ROLE: 'primary',
    LOCAL_VM_URL: 'http://127.0.0.1:1',
    REMOTE_VM_URL: 'http://127.0.0.1:2',
    ACTIVE_SITE: 'primary',
    REDIS_URL: redisUrl,
    STATE_FILE: join(temporaryFolder('line'), 'state.json'),
  });
  return createContext({ ...config, notify: [...notify] }, createLogger('silent', 'scheduler', []));
}

describe('settle', () => {
  let pair: LinePair;
  let context: SchedulerContext;
  beforeAll(async () => {
    pair = await startLinePair(['oldest', 'newest']);
    for (const vm of [pair.primary, pair.dr]) ends.defer(() => vm.kill());
    context = contextWith([]);
    ends.defer(() => context.close());
  });

  for (const fault of lineFaultsAt('settle')) {
    test(`${fault}: the repair is remembered and checked, and people are told what may look old`, async () => {
      await using cell = await LineCell.start(pair, `settle, ${fault}`, hole);
      const { run, result } = await repaired(cell, fault);
      await context.store.saveRun(run);
      const met = strike(cell.destination, fault, { path: /\/internal\// }, 'answer');
      const settled = await settle({ ...context, databases: cell.databases }, run, result);
      expect(met()).toBe(true);
      expect(settled.text).toMatch(/^run .* settled: 40 samples copied by 1 chunks$/);
      if (isSlowness(fault)) expect(settled.log).toEqual([]);
      else {
        expect(settled.log).toEqual([
          expect.stringMatching(
            /^VM control error: dr \(http:.*; cached graphs may show the gap until the cache expires$/,
          ),
        ]);
      }
      await assertRemembered(context, run);
      cell.setFaults(null);
      expect((await cell.check()).report.outcome).toBe('clean');
      expect(await cell.difference()).toEqual(noDifference);
    });
  }
});

/** One chunk that has been repaired, and its run. */
async function repaired(cell: LineCell, fault: LineFault) {
  const { plans } = await cell.check();
  const [plan] = plans;
  const [chunk, ...others] = plan?.chunks ?? [];
  if (!plan || !chunk || others.length > 0) throw new Error('expected one chunk');
  const result = { ...(await cell.repair(chunk, plan, 1)), tookMs: 1 };
  const run = RunRecord.parse({
    id: `run-${fault.replaceAll(/\W+/g, '-')}`,
    direction: plan.direction,
    createdMs: Date.now(),
    state: 'open',
    chunks: 1,
    series: chunk.series,
    samplesPlanned: chunk.samples,
    windows: [chunk.window],
    settledMs: null,
    samplesCopied: 0,
    bytesCopied: 0,
  });
  return { run, result };
}

async function settle(context: SchedulerContext, run: RunRecord, result: object) {
  const log: string[] = [];
  const job = {
    getChildrenValues: async () => ({ chunk: result }),
    getDependencies: async () => ({}),
    log: async (line: string) => log.push(line),
  } as unknown as Job;
  return { text: await settleRun(context, { runId: run.id }, job, AbortSignal.any([])), log };
}

/** Nothing is proven by that a run has settled: it is to be checked, and until then nothing of it counts as proven. */
async function assertRemembered(context: SchedulerContext, run: RunRecord): Promise<void> {
  expect(await context.store.loadRun(run.id)).toMatchObject({ state: 'settled' });
  const { state } = await context.memory.load();
  expect(state.failbackReady).toBe(false);
  expect(state.countedRuns).toContain(run.id);
  expect(state.recentRepairs.at(-1)).toMatchObject({ window: run.windows[0] });
  const waiting = await context.checks.getDelayed();
  expect(waiting.map(({ data }) => data.cause)).toContain('confirm');
}

describe('notify', () => {
  const secret = 's3cret-for-signing';
  /** A receiver that never answers is waited for ten seconds. */
  const slow: readonly LineFault[] = [
    'black hole',
    'half-open: answer never comes, the server has acted',
  ];
  const faults = lineFaultsAt('notify').filter((fault) => full || !slow.includes(fault));
  const lines = new Map<LineFault, { webhook: Webhook; proxy: FaultProxy; target: NotifyTarget }>();
  let context: SchedulerContext;
  beforeAll(async () => {
    for (const [at, fault] of faults.entries()) {
      const webhook = await startWebhook();
      ends.defer(() => webhook.stop());
      const proxy = await startFaultProxy({ target: webhook.url });
      ends.defer(() => proxy.stop());
      proxy.setFault({ ...lineFault(fault, {}, 'upload'), first: 1 });
      const [name, url] = [`${at + 1}`, proxy.url];
      const target: NotifyTarget = { name, url, format: 'json', minSeverity: 'info', secret };
      lines.set(fault, { webhook, proxy, target });
    }
    context = contextWith([...lines.values()].map(({ target }) => target));
    ends.defer(() => context.close());
    const worker = notificationsWorker(context, {});
    ends.defer(() => worker.close());
    const event = { kind: 'site-emptied', site: directionFrom('primary').destination, sinceMs: 0 };
    await sendNotice(context, noticeOf(event as Parameters<typeof noticeOf>[0], Date.now()));
  });

  for (const fault of faults) {
    test(`${fault}: the message comes, and by its id and signature once and whole`, async () => {
      const line = lines.get(fault);
      if (!line) throw new Error('not started');
      const job: Job = await until(
        'its delivery',
        async () =>
          (await context.notifications.getCompleted()).find(
            ({ data }) => data.target === line.target.name,
          ),
        { deadlineMs: 60_000 },
      );
      const { messages } = line.webhook;
      expect(new Set(messages.map(({ headers }) => headers['x-vm-sync-id'])).size).toBe(1);
      const whole = messages.filter(({ headers, body }) => {
        const signed = `${headers['x-vm-sync-timestamp']}.${body}`;
        const digest = createHmac('sha256', secret).update(signed).digest('hex');
        return headers['x-vm-sync-signature'] === `sha256=${digest}`;
      });
      const damaged = damagedSilently.includes(fault);
      // A receiver that says 200 to half a message has it; by the signature it can know better.
      expect(whole).toHaveLength(damaged ? 0 : fault.endsWith('the server has acted') ? 2 : 1);
      expect(job.attemptsMade).toBe(damaged || isSlowness(fault) ? 1 : 2);
    });
  }

  const damagedSilently: readonly LineFault[] = [
    'cut off in the middle as if complete',
    'truncated at the end of a line as if complete',
    'corrupted body',
  ];
});
