import { errorKind, errorText } from '@vm-sync/core';
import {
  AcceptOrder,
  AcknowledgeOrder,
  BackfillOrder,
  CancelRunOrder,
  CHECK_OPTIONS,
  CheckOrder,
  NotifyOrder,
  PinOrder,
  PREFIX,
  QUEUES,
  ReconcileOrder,
  SettleOrder,
} from '@vm-sync/queue';
import { type Config, type Logger, postWebhook } from '@vm-sync/runtime';
import { type Job, UnrecoverableError, WaitingError, Worker } from 'bullmq';
import { runAccept } from './accept.ts';
import { runAcknowledge } from './acknowledge.ts';
import { runBackfill } from './backfill.ts';
import { runCancel } from './cancel-run.ts';
import { requestCheck, runCheck } from './check.ts';
import { createContext, type SchedulerContext } from './context.ts';
import { Governor } from './govern.ts';
import { runPin } from './pin.ts';
import { runReconcile } from './reconcile.ts';
import { settleRun } from './settle.ts';

export interface Running {
  close(): Promise<void>;
}

/** A wiped Redis forgets its schedules; asserting them again and again brings them back, and is harmless otherwise. */
const REASSERT_MS = 15_000;

/** A killed process' job is taken up by another after about 20 s; crashes never use up a job's tries. */
const LOCK: { lockDuration: number; stalledInterval: number; maxStalledCount: number } = {
  lockDuration: 20_000,
  stalledInterval: 5_000,
  maxStalledCount: 1_000,
};

/** Starts the scheduler: it checks at once, then every CHECK_INTERVAL, settles runs and delivers messages. */
export async function startScheduler(config: Config, log: Logger): Promise<Running> {
  const context = createContext(config, log);
  const workers = [checksWorker(context), notificationsWorker(context)];
  for (const worker of workers) {
    worker.on('error', (error) => log.debug({ err: error.message }, 'worker'));
    worker.on('lockRenewalFailed', (ids) => {
      for (const id of ids) worker.cancelJob(id, 'lock lost');
    });
  }
  await assertSchedule(context);
  await requestCheck(context, 'start');
  const governor = new Governor(context);
  void governor.run();
  void context.duty.run();
  const timer = setInterval(() => {
    assertSchedule(context).catch((error) => log.warn({ err: errorText(error) }, 'schedule'));
  }, REASSERT_MS);
  log.info({ role: config.role }, `scheduler started, a check every ${config.checkIntervalMs} ms`);
  return {
    async close() {
      clearInterval(timer);
      governor.close();
      context.duty.close();
      for (const worker of workers) worker.cancelAllJobs('shutdown');
      await Promise.all(workers.map((worker) => worker.close()));
      await context.close();
    },
  };
}

async function assertSchedule({ checks, config }: SchedulerContext): Promise<void> {
  // One at a time: checks and settlings move marks.
  await checks.setGlobalConcurrency(1);
  await checks.upsertJobScheduler(
    'check-gaps',
    { every: config.checkIntervalMs },
    {
      name: 'check-gaps',
      data: { cause: 'schedule' } satisfies CheckOrder,
      opts: CHECK_OPTIONS,
    },
  );
}

function checksWorker(context: SchedulerContext): Worker {
  return new Worker(
    QUEUES.checks,
    async (job: Job, token?: string, signal?: AbortSignal) => {
      const aborted = signal ?? new AbortController().signal;
      try {
        if (job.name === 'settle-run')
          return await settleRun(context, SettleOrder.parse(job.data), job);
        if (job.name === 'backfill') {
          return await runBackfill(context, BackfillOrder.parse(job.data), job);
        }
        if (job.name === 'pin') return await runPin(context, PinOrder.parse(job.data));
        if (job.name === 'reconcile') {
          return await runReconcile(context, ReconcileOrder.parse(job.data), job);
        }
        if (job.name === 'accept') return await runAccept(context, AcceptOrder.parse(job.data));
        if (job.name === 'cancel-run') {
          return await runCancel(context, CancelRunOrder.parse(job.data));
        }
        if (job.name === 'acknowledge') {
          return await runAcknowledge(context, AcknowledgeOrder.parse(job.data), job);
        }
        if (job.name === 'check-gaps') {
          return await runCheck(context, CheckOrder.parse(job.data), job, aborted);
        }
      } catch (error) {
        if (aborted.reason === 'shutdown') {
          await job.moveToWait(token);
          throw new WaitingError();
        }
        context.log.error({ jobId: job.id, err: errorText(error) }, `${job.name} failed`);
        throw error;
      }
      throw new UnrecoverableError(`no job of this name is known: ${job.name}; remove it`);
    },
    { connection: context.connection, prefix: PREFIX, concurrency: 1, ...LOCK },
  );
}

function notificationsWorker({ config, connection, log }: SchedulerContext): Worker {
  return new Worker(
    QUEUES.notifications,
    async (job: Job) => {
      const order = NotifyOrder.safeParse(job.data);
      if (!order.success) throw new UnrecoverableError('not a notification; remove this job');
      if (!config.notify) return 'NOTIFY_WEBHOOK is not set: nothing sent';
      try {
        await postWebhook(config.notify, order.data.text);
        return 'delivered';
      } catch (error) {
        log.warn({ jobId: job.id }, errorText(error));
        if (errorKind(error) === 'final') throw new UnrecoverableError(errorText(error));
        throw error;
      }
    },
    { connection, prefix: PREFIX, concurrency: 1, ...LOCK },
  );
}
