import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorKind, errorText, isSevere, type Notice, VmSyncError } from '@vm-sync/core';
import { NOTIFY_BACKOFF, NOTIFY_OPTIONS, NotifyOrder, PREFIX, QUEUES } from '@vm-sync/queue';
import { type NotifyTarget, notifyVariable, postWebhook } from '@vm-sync/runtime';
import { DelayedError, type Job, UnrecoverableError, Worker, type WorkerOptions } from 'bullmq';
import type { SchedulerContext } from './context.ts';
import { Lane } from './lane.ts';

/** One message, as a job for each target that wants to hear of it: a broken target delays no other. */
export async function sendNotice(
  { config, notifications }: Pick<SchedulerContext, 'config' | 'notifications'>,
  notice: Notice,
): Promise<void> {
  const { kind, severity, text, todo, atMs, details } = notice;
  const targets = config.notify.filter((target) => isSevere(severity, target.minSeverity));
  if (targets.length === 0) return;
  const id = newId(atMs);
  await notifications.addBulk(
    targets.map(({ name }) => ({
      name: 'notify',
      data: { kind, severity, text, todo, atMs, details, id, target: name } satisfies NotifyOrder,
      opts: { ...NOTIFY_OPTIONS, jobId: `${id}-${name}` },
    })),
  );
}

let made = 0;

/** Sorts by time, also within a millisecond. */
function newId(atMs: number): string {
  made += 1;
  const order = `${made % 1e6}`.padStart(6, '0');
  return `n${`${atMs}`.padStart(14, '0')}-${order}-${randomBytes(3).toString('hex')}`;
}

/** Delivers `notify` jobs, in the order of their time for each target, each target by itself. */
export function notificationsWorker(
  context: Pick<SchedulerContext, 'config' | 'connection' | 'log'>,
  options: Partial<WorkerOptions>,
): Worker {
  const { config, connection } = context;
  const lanes = new Map(config.notify.map(({ name }) => [name, new Lane()]));
  return new Worker(
    QUEUES.notifications,
    async (job: Job, token?: string) => {
      const parsed = NotifyOrder.safeParse(job.data);
      if (!parsed.success) throw new UnrecoverableError('not a notification; remove this job');
      const order = parsed.data;
      const target = config.notify.find(({ name }) => name === order.target);
      const lane = lanes.get(order.target);
      if (!target || !lane) {
        return `${notifyVariable('WEBHOOK', order.target)} is not set: nothing sent`;
      }
      const key = keyOf(order, job);
      const againMs = await enter(lane, key);
      if (againMs !== undefined) {
        await job.moveToDelayed(againMs, token);
        throw new DelayedError();
      }
      let retryMs: number | undefined;
      try {
        return await deliver(context, target, order, job);
      } catch (error) {
        retryMs = retryAtMs(error, job);
        throw error;
      } finally {
        lane.done(key, retryMs);
      }
    },
    {
      connection,
      prefix: PREFIX,
      // For each target one that is being sent, and some that wait for it.
      concurrency: 4 * Math.max(1, config.notify.length),
      settings: { backoffStrategy: (made, _type, error) => retryDelayMs(made, error) },
      ...options,
    },
  );
}

/** So long a message waits in its turn before it is put back, and others may have its place. */
const PATIENCE_MS = 500;

const LOOK_EVERY_MS = 25;

/** Undefined when it is this message's turn; otherwise when it is to come again. */
async function enter(lane: Lane, key: string): Promise<number | undefined> {
  const untilMs = Date.now() + PATIENCE_MS;
  for (;;) {
    const nowMs = Date.now();
    const againMs = lane.enter(key, nowMs);
    if (againMs === undefined || nowMs >= untilMs || againMs > nowMs + PATIENCE_MS) return againMs;
    await sleep(LOOK_EVERY_MS);
  }
}

async function deliver(
  { config, log }: Pick<SchedulerContext, 'config' | 'log'>,
  target: NotifyTarget,
  { id, target: _, ...notice }: NotifyOrder,
  job: Job,
): Promise<string> {
  const outgoing = { id: id ?? `job-${job.id}`, role: config.role, notice, nowMs: Date.now() };
  try {
    return `delivered: ${await postWebhook(target, outgoing)}`;
  } catch (error) {
    log.warn({ jobId: job.id }, errorText(error));
    if (errorKind(error) === 'final') throw new UnrecoverableError(errorText(error));
    throw error;
  }
}

/** Orders of older versions have ids that do not sort. */
const keyOf = ({ atMs, id }: NotifyOrder, job: Job): string =>
  `${`${atMs}`.padStart(16, '0')} ${id ?? `${job.id}`.padStart(12, '0')}`;

/** Doubles from two seconds on; a receiver that names a time is left alone until then. */
function retryDelayMs(made: number, error: Error | undefined): number {
  const { firstMs, mostMs } = NOTIFY_BACKOFF;
  const ownMs = Math.min(mostMs, firstMs * 2 ** (made - 1));
  const asked = error instanceof VmSyncError ? error.retryAfterMs : undefined;
  return Math.max(ownMs, asked ?? 0);
}

/** Undefined when it was the last try. */
function retryAtMs(error: unknown, job: Job): number | undefined {
  const made = job.attemptsMade + 1;
  if (error instanceof UnrecoverableError || made >= (job.opts.attempts ?? 1)) return undefined;
  return Date.now() + retryDelayMs(made, error instanceof Error ? error : undefined);
}
