import { errorKind, errorText, formatDirection, formatWindow, VmSyncError } from '@vm-sync/core';
import { ChunkOrder, type ChunkResult, connect, PREFIX, QUEUES, Store } from '@vm-sync/queue';
import { type Config, type Logger, resolveActiveSite } from '@vm-sync/runtime';
import { repairChunk, ShortError } from '@vm-sync/steps';
import { type Databases, openDatabases, transferBetween } from '@vm-sync/victoria-metrics';
import {
  DelayedError,
  type Job,
  MetricsTime,
  UnrecoverableError,
  WaitingError,
  Worker,
} from 'bullmq';
import { Diary } from './diary.ts';
import { LockWatch } from './lock-watch.ts';

export interface Running {
  close(): Promise<void>;
}

interface WorkerContext {
  readonly config: Config;
  readonly log: Logger;
  readonly databases: Databases;
  readonly store: Store;
  readonly locks: LockWatch;
}

/** A killed worker's chunk is taken up by another within this time and the stalled interval. */
const LOCK_MS = 15_000;

/** A busy database is asked again after this long where it names no time itself. */
const BUSY_MS = 10_000;

/** So many waits for a busy database are no failed tries; then waiting itself is the failure. */
const BUSY_MOST = 100;

/** Starts a worker: it repairs chunks, WORKER_CONCURRENCY at a time. */
export async function startWorker(config: Config, log: Logger): Promise<Running> {
  const connection = connect(config.redisUrl, 'endless');
  connection.on('error', (error) => log.debug({ err: error.message }, 'Redis'));
  const databases = openDatabases(config.vm);
  const locks = new LockWatch(LOCK_MS);
  const store = new Store(connection, (message) => log.error(message));
  const context: WorkerContext = { config, log, databases, store, locks };
  const worker = new Worker(
    QUEUES.repairs,
    // Three named arguments: only then does BullMQ make the signal.
    (job: Job, token?: string, signal?: AbortSignal) =>
      work(job, token, signal ?? new AbortController().signal, context),
    {
      connection,
      prefix: PREFIX,
      concurrency: config.workerConcurrency,
      lockDuration: LOCK_MS,
      stalledInterval: 5_000,
      maxStalledCount: 1_000,
      metrics: { maxDataPoints: MetricsTime.ONE_WEEK },
    },
  );
  locks.follow(worker);
  worker.on('error', (error) => log.debug({ err: error.message }, 'worker'));
  await worker.waitUntilReady();
  log.info(`worker started, ${config.workerConcurrency} chunks at a time`);
  return {
    async close() {
      // A stopped worker hands its chunks back at once; another one finishes them.
      worker.cancelAllJobs('shutdown');
      await worker.close();
      await Promise.all([databases.primary.close(), databases.dr.close()]);
      connection.disconnect();
    },
  };
}

async function work(
  job: Job,
  token: string | undefined,
  signal: AbortSignal,
  context: WorkerContext,
): Promise<ChunkResult> {
  const parsed = ChunkOrder.safeParse(job.data);
  if (!parsed.success) {
    throw new UnrecoverableError(
      `job ${job.id} is not a chunk that can be read; remove it, the next check plans what is missing`,
    );
  }
  const order = parsed.data;
  const diary = new Diary(job, order, context.log);
  const startedMs = Date.now();
  try {
    const done = await repairChunk(order.chunk, chunkContext(job, order, diary, signal, context));
    await diary.end(`done: ${done.outcome}, ${done.samples} samples, ${done.bytes} bytes`);
    return { ...done, tookMs: Date.now() - startedMs };
  } catch (error) {
    if (signal.aborted && signal.reason === 'shutdown') {
      await diary.end('handed back: this worker is being stopped');
      await job.moveToWait(token);
      throw new WaitingError();
    }
    return await failed(job, token, order, error, diary);
  } finally {
    context.locks.forget(job.id ?? '');
  }
}

function chunkContext(
  job: Job,
  order: ChunkOrder,
  diary: Diary,
  signal: AbortSignal,
  context: WorkerContext,
): Parameters<typeof repairChunk>[1] {
  const { databases, locks } = context;
  const { direction, stepMs, dedupMs } = order;
  return {
    pair: {
      direction,
      source: databases[direction.source],
      destination: databases[direction.destination],
    },
    transfer: transferBetween(databases, direction),
    stepMs,
    dedupMs,
    attempt: job.attemptsMade + 1,
    mayHaveBegun: job.attemptsStarted > 1 || job.stalledCounter > 0,
    assertOrderHolds: () => assertOrderHolds(order, context),
    say: (text) => diary.say(text),
    onBytes: (bytes) => {
      signal.throwIfAborted();
      locks.assertHeld(job.id ?? '');
      diary.moved(bytes);
    },
    wait: (ms) => wait(ms, signal),
    signal,
  };
}

/** An order is old when its run was superseded, or when another site is active than when it was given. */
async function assertOrderHolds(
  { runId, direction }: ChunkOrder,
  { config, store }: WorkerContext,
): Promise<void> {
  const ordered = formatDirection(direction);
  const run = await store.loadRun(runId);
  if (run?.state !== 'open') {
    const why = run ? `its run ${runId} is ${run.state}` : `its run ${runId} is not known any more`;
    throw new VmSyncError(
      'final',
      `the order ${ordered} no longer holds: ${why}; nothing was written; remove this job, the next check plans what is missing`,
    );
  }
  const active = await resolveActiveSite(config.active);
  if (active.site === direction.source) return;
  if (active.site === 'unknown') {
    throw new VmSyncError(
      'retryable',
      `it is unknown which site is active (${active.reason}); nothing was written; tried again later`,
    );
  }
  throw new VmSyncError(
    'final',
    `the order ${ordered} no longer holds: ${active.reason}; nothing was written; remove this job, the next check plans the new direction`,
  );
}

async function failed(
  job: Job,
  token: string | undefined,
  order: ChunkOrder,
  error: unknown,
  diary: Diary,
): Promise<never> {
  const text = sentence(order, error);
  const kind = errorKind(error);
  await diary.end(`failed: ${text}`);
  if (kind === 'busy') {
    const waits = await diary.countBusy();
    if (waits <= BUSY_MOST) {
      const restMs = (error instanceof VmSyncError && error.retryAfterMs) || BUSY_MS;
      await job.moveToDelayed(Date.now() + restMs, token);
      throw new DelayedError();
    }
  }
  if (kind === 'final') {
    if (error instanceof ShortError) await diary.markShort();
    throw new UnrecoverableError(text);
  }
  throw new Error(text);
}

/** What happened, where, for which window, and what to do, on one line: the board shows it first. */
function sentence(order: ChunkOrder, error: unknown): string {
  const text = errorText(error).replaceAll('\n', ' ');
  if (text.startsWith('repair ')) return text;
  return `repair ${formatDirection(order.direction)}, ${formatWindow(order.chunk.window)}: ${text}`;
}

const wait = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const end = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', end);
      resolve();
    }, ms);
    signal.addEventListener('abort', end, { once: true });
  });
