import type { DutyView, Pin, ShownPace } from '@vm-sync/core';
import { CHUNK_OUTCOMES, QUEUE_NAMES, type QueueName, type TotalsView } from '@vm-sync/queue';
import type { Context } from '../context.ts';
import { countJobs, type JobCounts } from '../overview.ts';
import { type Exposition, type HistogramSample, oneOf, type Sample } from './exposition.ts';

type PerQueue<T> = Readonly<Record<QueueName, T>>;

/** The queues, and what holds repairs back. */
export interface Work {
  readonly jobs: JobCounts;
  /** When the oldest job that waits was due; undefined where none waits. */
  readonly oldestDueMs: PerQueue<number | undefined>;
  /** Jobs that have ended, as BullMQ counts them. */
  readonly ended: PerQueue<{ readonly completed: number; readonly failed: number }>;
  readonly repairsPaused: boolean;
  readonly pace: ShownPace;
  /** Undefined before the first heartbeat. */
  readonly duty: DutyView | undefined;
  readonly pin: Pin | null;
}

export async function loadQueues(
  queues: Context['queues'],
): Promise<Pick<Work, 'jobs' | 'oldestDueMs' | 'ended' | 'repairsPaused'>> {
  const [jobs, oldestDueMs, ended, repairsPaused] = await Promise.all([
    countJobs(queues),
    perQueue(async (name) => await oldestDueMsOf(queues[name])),
    perQueue(async (name) => await endedOf(queues[name])),
    queues.repairs.isPaused(),
  ]);
  return { jobs, oldestDueMs, ended, repairsPaused };
}

async function perQueue<T>(of: (name: QueueName) => Promise<T>): Promise<PerQueue<T>> {
  const values = QUEUE_NAMES.map(async (name) => [name, await of(name)] as const);
  return Object.fromEntries(await Promise.all(values)) as Record<QueueName, T>;
}

/** Of the jobs that would be taken next, without a priority and with one, the older. */
async function oldestDueMsOf(queue: Context['queues'][QueueName]): Promise<number | undefined> {
  const jobs = await queue.getJobs(['waiting', 'prioritized'], 0, 0, true);
  const dueMs = jobs.map(({ timestamp, opts }) => timestamp + (opts.delay ?? 0));
  return dueMs.length === 0 ? undefined : Math.min(...dueMs);
}

async function endedOf(queue: Context['queues'][QueueName]) {
  const [completed, failed] = await Promise.all([
    queue.getMetrics('completed', 0, 0),
    queue.getMetrics('failed', 0, 0),
  ]);
  return { completed: completed.meta.count, failed: failed.meta.count };
}

export function addWork(out: Exposition, work: Work, nowMs: number): void {
  const { jobs, oldestDueMs, ended } = work;
  out.gauge(
    'jobs',
    'Jobs by queue and state.',
    Object.entries(jobs).flatMap(([queue, states]) =>
      Object.entries(states).map(([state, count]): Sample => [{ queue, state }, count]),
    ),
  );
  out.gauge(
    'oldest_waiting_job_age_seconds',
    'How long ago the oldest job that waits was due; without a sample where none waits.',
    QUEUE_NAMES.flatMap((queue): Sample[] => {
      const dueMs = oldestDueMs[queue];
      return dueMs === undefined ? [] : [[{ queue }, Math.max(0, nowMs - dueMs) / 1e3]];
    }),
  );
  out.counter(
    'finished_jobs_total',
    'Jobs that have ended, by result; failed ones when all their tries have.',
    QUEUE_NAMES.flatMap((queue) =>
      (['completed', 'failed'] as const).map((result): Sample => {
        return [{ queue, result }, ended[queue][result]];
      }),
    ),
  );
  addHolds(out, work);
}

function addHolds(out: Exposition, { repairsPaused, pace, duty, pin }: Work): void {
  out.gauge('repairs_paused', 'Whether a person has paused repairs.', [[{}, repairsPaused]]);
  out.gauge('repairs_stopped', 'Whether repairs are stopped because a database cannot take any.', [
    [{}, pace.stopped],
  ]);
  out.gauge('copies_allowed', 'Chunks that may be copied at a time.', [[{}, pace.copies]]);
  if (pin) {
    out.gauge('pin_end_timestamp_seconds', 'Until when a person has pinned the active site.', [
      [{ site: pin.site }, pin.untilMs / 1e3],
    ]);
  }
  if (!duty) return;
  out.gauge(
    'duty',
    'What this vm-sync does, 1 for what it does: watch, duty (repair), or leave (end its run).',
    oneOf('stance', ['watch', 'duty', 'leave'], duty.stance),
  );
  if (!duty.other) return;
  out.gauge('other_up', 'Whether new heartbeats of the other vm-sync are seen.', [
    [{}, duty.other.fresh],
  ]);
}

export function addChunks(out: Exposition, { durations, bytes }: TotalsView): void {
  out.histogram(
    'chunk_duration_seconds',
    'How long the last try of a chunk that is done took, by what came of it.',
    CHUNK_OUTCOMES.map((outcome): HistogramSample => {
      const { within, chunks, sumMs } = durations[outcome];
      return {
        labels: { outcome },
        within: within.map((one) => ({ bound: one.boundMs / 1e3, count: one.chunks })),
        count: chunks,
        sum: sumMs / 1e3,
      };
    }),
  );
  out.counter('repaired_bytes_total', 'Bytes that chunks which are done sent to a destination.', [
    [{}, bytes],
  ]);
}
