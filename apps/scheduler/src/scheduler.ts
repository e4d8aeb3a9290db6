import { errorText, formatDuration } from '@vm-sync/core';
import {
  AcceptOrder,
  AcknowledgeOrder,
  BackfillOrder,
  CancelRunOrder,
  CHECK_OPTIONS,
  CheckOrder,
  LockWatch,
  PinOrder,
  PREFIX,
  QUEUES,
  ReconcileOrder,
  SettleOrder,
  setForeignAside,
} from '@vm-sync/queue';
import type { Config, Logger } from '@vm-sync/runtime';
import { type Job, MetricsTime, UnrecoverableError, WaitingError, Worker } from 'bullmq';
import { runAccept } from './accept.ts';
import { runAcknowledge } from './acknowledge.ts';
import { runBackfill } from './backfill.ts';
import { runCancel } from './cancel-run.ts';
import { requestCheck, runCheck } from './check.ts';
import { createContext, type SchedulerContext } from './context.ts';
import { Governor } from './govern.ts';
import { LongRepairs } from './long-repairs.ts';
import { notificationsWorker } from './notify.ts';
import { runPin } from './pin.ts';
import { runReconcile } from './reconcile.ts';
import { settleRun } from './settle.ts';

export interface Running {
  close(): Promise<void>;
}

/** A wiped Redis forgets its schedules; asserting them again and again brings them back, and is harmless otherwise. */
const REASSERT_MS = 15_000;

/** How many jobs have been finished, for `/metrics` and the board. */
const COUNTED = { metrics: { maxDataPoints: MetricsTime.ONE_WEEK } };

/** A killed process' job is taken up by another after about 20 s; crashes never use up a job's tries. */
const LOCK: { lockDuration: number; stalledInterval: number; maxStalledCount: number } = {
  lockDuration: 20_000,
  stalledInterval: 5_000,
  maxStalledCount: 1_000,
};

/** Starts the scheduler: it checks at once, then every CHECK_INTERVAL, settles runs and delivers messages. */
export async function startScheduler(config: Config, log: Logger): Promise<Running> {
  const context = createContext(config, log);
  const mendRedis = () => setForeignAside(context.connection, (message) => log.error(message));
  await mendRedis();
  const workers = [checksWorker(context), notificationsWorker(context, { ...LOCK, ...COUNTED })];
  for (const worker of workers) context.watch(worker);
  await assertSchedule(context);
  await requestCheck(context, 'start');
  const governor = new Governor(context);
  void governor.run();
  const longRepairs = new LongRepairs(context);
  longRepairs.start();
  void context.duty.run();
  const timer = setInterval(() => {
    mendRedis()
      .then(() => assertSchedule(context))
      .catch((error) =>
        log.warn(
          { err: error },
          'the schedule of checks could not be asserted; tried again in 15 s',
        ),
      );
  }, REASSERT_MS);
  const every = formatDuration(config.checkIntervalMs);
  log.info({ role: config.role }, `scheduler started, a check every ${every}`);
  return {
    async close() {
      clearInterval(timer);
      governor.close();
      longRepairs.close();
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

/** What a job logs carries its id: a check's is `checkId`, because its lines may also name a chunk's job. */
function checksWorker(of: SchedulerContext): Worker {
  const locks = new LockWatch(LOCK.lockDuration);
  const worker = new Worker(
    QUEUES.checks,
    async (job: Job, token?: string, signal?: AbortSignal) => {
      const aborted = signal ?? new AbortController().signal;
      const log = of.log.child(job.name === 'check-gaps' ? { checkId: job.id } : { jobId: job.id });
      const context = { ...of, log };
      try {
        if (job.name === 'settle-run')
          return await settleRun(context, orderOf(job, SettleOrder), job, aborted);
        if (job.name === 'backfill') {
          return await runBackfill(context, orderOf(job, BackfillOrder), job);
        }
        if (job.name === 'pin') return await runPin(context, orderOf(job, PinOrder));
        if (job.name === 'reconcile') {
          return await runReconcile(context, orderOf(job, ReconcileOrder), job);
        }
        if (job.name === 'accept') return await runAccept(context, orderOf(job, AcceptOrder));
        if (job.name === 'cancel-run') {
          return await runCancel(context, orderOf(job, CancelRunOrder));
        }
        if (job.name === 'acknowledge') {
          return await runAcknowledge(context, orderOf(job, AcknowledgeOrder), job);
        }
        if (job.name === 'check-gaps') {
          return await runCheck(context, orderOf(job, CheckOrder), job, aborted);
        }
      } catch (error) {
        if (aborted.reason === 'shutdown') {
          await job.moveToWait(token);
          throw new WaitingError();
        }
        log.error({ err: error }, `${job.name} failed: ${errorText(error)}`);
        throw error;
      } finally {
        locks.forget(job.id ?? '');
      }
      throw new UnrecoverableError(`no job of this name is known: ${job.name}; remove it`);
    },
    { connection: of.connection, prefix: PREFIX, concurrency: 1, ...LOCK, ...COUNTED },
  );
  locks.follow(worker);
  return worker;
}

/** What a job carries. Tried again it would say the same: a job of another program, or a damaged one, fails for good. */
function orderOf<T>(job: Job, schema: { safeParse(data: unknown): { data?: T } }): T {
  const { data } = schema.safeParse(job.data);
  if (data !== undefined) return data;
  throw new UnrecoverableError(`job ${job.id} is no order that can be read; remove it`);
}
