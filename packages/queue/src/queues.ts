import { type ConnectionOptions, type JobsOptions, Queue } from 'bullmq';

/** The hash tag keeps all keys on one node of a Redis Cluster; without it flows across queues fail there. */
export const PREFIX = '{vmsync}';

/** One table of all queues; the name of a job is also the name of the step that does it. */
export const QUEUES = {
  /** `check-gaps`, `settle-run` and every wish of a person: one at a time, in the scheduler: they own the state. */
  checks: 'checks',
  /** `repair-chunk`, in the workers. */
  repairs: 'repairs',
  /** `notify`, in the scheduler. */
  notifications: 'notifications',
} as const;

export type QueueName = keyof typeof QUEUES;

export const QUEUE_NAMES: readonly QueueName[] = ['checks', 'repairs', 'notifications'];

const DAY_S = 86_400;

/** How long finished jobs stay on the board: long enough for a weekend's story, bounded in number. */
const KEPT: JobsOptions = {
  removeOnComplete: { age: 3 * DAY_S, count: 2_000 },
  removeOnFail: { age: 14 * DAY_S, count: 5_000 },
};

export const CHECK_OPTIONS: JobsOptions = {
  // After everything without a priority: a run that is done is settled before the next check looks.
  priority: 1,
  removeOnComplete: { age: DAY_S, count: 500 },
  removeOnFail: { age: 3 * DAY_S, count: 500 },
  attempts: 1,
};

/** Backfills and pins, before every check that waits: an operator sees at once what became of the wish. */
export const BACKFILL_OPTIONS: JobsOptions = {
  ...KEPT,
  attempts: 3,
  backoff: { type: 'fixed', delay: 2_000 },
};

/** A run settles when its chunks are done, however long a person takes to retry one that failed. */
export const SETTLE_OPTIONS: JobsOptions = {
  ...KEPT,
  attempts: 1_000,
  backoff: { type: 'fixed', delay: 5_000 },
};

/**
 * Failed chunks that stand on the board: of forty runs all. One that is forgotten is planned anew by the next check, and would
 * fail again without a rest. Each takes about ten kilobytes with its log.
 */
export const FAILED_CHUNKS_KEPT = 20_000;

/** Eight tries over about ten minutes outlast a restart or a short network failure. */
export const CHUNK_OPTIONS: JobsOptions = {
  ...KEPT,
  removeOnFail: { age: 14 * DAY_S, count: FAILED_CHUNKS_KEPT },
  attempts: 8,
  backoff: { type: 'exponential', delay: 5_000, jitter: 0.5 },
  // A chunk may wait for a busy database any number of times, and tells of each.
  keepLogs: 200,
};

/** Behind all regular repairs, which have no priority of their own. */
export const RECOVERY_PRIORITY = 5;
export const BACKFILL_PRIORITY = 10;

/** The times between tries: doubling, up to the most. */
export const NOTIFY_BACKOFF = { firstMs: 2_000, mostMs: 900_000 } as const;

/** Forty tries over almost eight hours: a message outlives the outage of its receiver. */
export const NOTIFY_OPTIONS: JobsOptions = {
  ...KEPT,
  attempts: 40,
  // Not one of the queue's own: it waits for as long as a receiver asks.
  backoff: { type: 'notify' },
};

/** The names of a run's jobs: its settling, and its chunks from 1 on. */
export const settleId = (runId: string): string => `settle-${runId}`;
export const chunkId = (runId: string, number: number): string => `chunk-${runId}-${number}`;

export const openQueue = (name: QueueName, connection: ConnectionOptions): Queue =>
  new Queue(QUEUES[name], { connection, prefix: PREFIX });
