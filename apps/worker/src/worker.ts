import { setTimeout as wait } from 'node:timers/promises';
import {
  errorKind,
  errorText,
  formatDirection,
  formatFinding,
  formatWindow,
  judgePin,
  judgeRemembered,
  judgeTestimony,
  type OrderJudgement,
  type RepairKit,
  VmSyncError,
} from '@vm-sync/core';
import {
  type ChunkOrder,
  type ChunkResult,
  connect,
  DutyStore,
  KitStore,
  PaceStore,
  PREFIX,
  QUEUES,
  Store,
  Totals,
} from '@vm-sync/queue';
import {
  type Config,
  hearWitnesses,
  type Logger,
  secretsOf,
  watchRedis,
  withoutSecrets,
} from '@vm-sync/runtime';
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
import { DUTY_REST_MS, DutyWatch } from './duty-watch.ts';
import { LockWatch } from './lock-watch.ts';
import { readOrder } from './read-order.ts';
import { isLastTry, leaveRepairKit } from './repair-kit.ts';
import { Throttle } from './throttle.ts';

export interface Running {
  close(): Promise<void>;
}

interface WorkerContext {
  readonly config: Config;
  readonly log: Logger;
  readonly databases: Databases;
  readonly store: Store;
  readonly totals: Totals;
  readonly paces: PaceStore;
  readonly throttle: Throttle;
  readonly duty: DutyWatch;
  readonly locks: LockWatch;
  readonly kits: KitStore;
  /** Takes secrets out of a text. */
  readonly clean: (text: string) => string;
}

/** A killed worker's chunk is taken up by another within this time and the stalled interval. */
const LOCK_MS = 15_000;

/** A busy database is asked again after this long where it names no time itself. */
const BUSY_MS = 10_000;

/** A chunk looks again this often whether repairs that are stopped go on, or the direction suffices for writing. */
const STOPPED_MS = 15_000;

/** After a look of its own that found no direction a chunk looks again: a name server may only have been restarted. */
const UNSURE_MS = 5_000;

/** A chunk of a paused run looks again so often; resuming calls it at once. */
const PAUSED_MS = 60_000;

/** A chunk that has nothing to do any more because its run was cancelled. */
const CANCELLED: Omit<ChunkResult, 'tookMs'> = {
  outcome: 'cancelled',
  mode: 'none',
  samples: 0,
  bytes: 0,
};

/** Starts a worker: it repairs chunks, WORKER_CONCURRENCY at a time. */
export async function startWorker(config: Config, log: Logger): Promise<Running> {
  const connection = connect(config.redisUrl, 'endless');
  const watch = watchRedis(connection, log);
  const databases = openDatabases(config.vm);
  const locks = new LockWatch(LOCK_MS);
  const store = new Store(connection, (message) => log.error(message));
  const paces = new PaceStore(connection);
  const throttle = await Throttle.start(paces, config.paceLimits, log);
  const duty = new DutyWatch(new DutyStore(connection), log);
  await duty.look();
  const totals = new Totals(connection);
  const kits = new KitStore(connection);
  const secrets = secretsOf(config);
  const clean = (text: string) => withoutSecrets(text, secrets);
  const shared = { config, log, databases, store, totals, paces };
  const context: WorkerContext = { ...shared, throttle, duty, locks, kits, clean };
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
  watch(worker);
  await worker.waitUntilReady();
  log.info(`worker started, ${config.workerConcurrency} chunks at a time`);
  return {
    async close() {
      // A stopped worker hands its chunks back at once; another one finishes them.
      worker.cancelAllJobs('shutdown');
      await worker.close();
      throttle.close();
      duty.close();
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
  const order = readOrder(job.data);
  if (!order) {
    throw new UnrecoverableError(
      `job ${job.id} is not a chunk that can be read; leave it, the next check plans what is missing`,
    );
  }
  if (context.throttle.stopped) {
    // Without a word in its log, or a day's stop would fill it.
    return await waitQuietly(job, token, STOPPED_MS, context);
  }
  const run = await context.store.loadRun(order.runId);
  if (run?.state === 'paused') return await waitQuietly(job, token, PAUSED_MS, context);
  const known = run?.state === 'open' ? await context.store.loadState() : undefined;
  if (run?.state === 'open' && judgeRemembered(order, known).kind === 'waits') {
    return await waitQuietly(job, token, known ? STOPPED_MS : UNSURE_MS, context);
  }
  if (run?.state === 'open' && !context.duty.held) {
    await context.duty.look();
    if (!context.duty.held) return await waitQuietly(job, token, DUTY_REST_MS, context);
  }
  const diary = new Diary(job, order, context.log, context.clean);
  const startedMs = Date.now();
  try {
    const done = await repairChunk(order.chunk, chunkContext(job, order, diary, signal, context));
    await diary.done(`done: ${done.outcome}, ${done.samples} samples, ${done.bytes} bytes`);
    const result = { ...done, tookMs: Date.now() - startedMs };
    await count(job, order, result, context);
    return result;
  } catch (error) {
    if (error instanceof RunEndedError) {
      await diary.end('cancelled with its run');
      return { ...CANCELLED, tookMs: Date.now() - startedMs };
    }
    if (error instanceof RunPausedError) {
      await diary.end('waits: its backfill is paused');
      await job.moveToDelayed(Date.now() + PAUSED_MS, token);
      throw new DelayedError();
    }
    if (error instanceof OrderWaitsError) {
      await diary.end(`waits: ${error.message}`);
      await job.moveToDelayed(Date.now() + UNSURE_MS, token);
      throw new DelayedError();
    }
    if (signal.aborted && signal.reason === 'shutdown') {
      await diary.end('handed back: this worker is being stopped');
      await job.moveToWait(token);
      throw new WaitingError();
    }
    return await failed(job, token, order, error, diary, signal, context);
  } finally {
    context.locks.forget(job.id ?? '');
  }
}

async function waitQuietly(
  job: Job,
  token: string | undefined,
  restMs: number,
  { locks }: WorkerContext,
): Promise<never> {
  locks.forget(job.id ?? '');
  await job.moveToDelayed(Date.now() + restMs, token);
  throw new DelayedError();
}

/** For the eyes of people only: that it cannot be counted does not undo what was done. */
async function count(
  job: Job,
  { runId, chunk }: ChunkOrder,
  result: ChunkResult,
  { store, totals, kits, log }: WorkerContext,
): Promise<void> {
  try {
    const { samples, bytes } = result;
    const finished = { atMs: Date.now(), planned: chunk.samples, samples, bytes };
    if (await store.countChunk(runId, job.id ?? '', finished)) await totals.addChunk(result);
    if (job.attemptsStarted > 1) await kits.drop(job.id ?? '');
  } catch (error) {
    log.warn({ runId, jobId: job.id, err: error }, 'a chunk that is done was not counted');
  }
}

function chunkContext(
  job: Job,
  order: ChunkOrder,
  diary: Diary,
  signal: AbortSignal,
  context: WorkerContext,
): Parameters<typeof repairChunk>[1] {
  const { databases, duty, locks, throttle } = context;
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
    timeouts: diary.timeouts(),
    onBytes: async (bytes, samples) => {
      await throttle.take(bytes, signal);
      signal.throwIfAborted();
      locks.assertHeld(job.id ?? '');
      duty.assertHeld();
      diary.moved(bytes, samples);
    },
    wait: (ms) => wait(ms, undefined, { signal }),
    signal,
  };
}

/** The run of a chunk was cancelled: there is nothing left to do, and nothing to mend. */
class RunEndedError extends Error {
  override name = 'RunEndedError';
}

/** The backfill of a chunk is paused: it waits, and waiting is no failed try. */
class RunPausedError extends Error {
  override name = 'RunPausedError';
}

/** The direction does not suffice for writing now: waiting for it is no failed try. */
class OrderWaitsError extends Error {
  override name = 'OrderWaitsError';
}

/** Another site than the order's source is active: the order holds no more. */
class TurnedError extends VmSyncError {
  override name = 'TurnedError';
}

/**
 * An order is old when the direction has turned since it was given, also when it has turned back, or when its run was
 * superseded. What is remembered of the direction may be as old as the last check, so the witnesses are heard again. It
 * waits while another vm-sync is on duty, or none.
 */
async function assertOrderHolds(
  order: ChunkOrder,
  { config, duty, store }: WorkerContext,
): Promise<void> {
  const { runId } = order;
  const [run, known] = await Promise.all([store.loadRun(runId), store.loadState()]);
  if (run?.state === 'cancelled') throw new RunEndedError();
  if (run?.state === 'paused') throw new RunPausedError();
  assertGood(order, judgeRemembered(order, known));
  if (run?.state !== 'open') {
    const why = run ? `its run ${runId} is ${run.state}` : `its run ${runId} is not known any more`;
    throw new VmSyncError('final', expiredText(order, why));
  }
  assertGood(
    order,
    judgePin(order, known?.pin ?? null, Date.now()) ??
      judgeTestimony(order, await hearWitnesses(config.active)),
  );
  await duty.look();
  duty.assertHeld();
}

function assertGood(order: ChunkOrder, judged: OrderJudgement): void {
  if (judged.kind === 'waits') throw new OrderWaitsError(judged.why);
  if (judged.kind === 'turned') throw new TurnedError('final', expiredText(order, judged.why));
  if (judged.kind === 'expired') throw new VmSyncError('final', expiredText(order, judged.why));
}

const expiredText = ({ direction }: ChunkOrder, why: string): string =>
  `the order ${formatDirection(direction)} no longer holds: ${why}; nothing was written; leave this job, the next check plans what is missing`;

async function failed(
  job: Job,
  token: string | undefined,
  order: ChunkOrder,
  error: unknown,
  diary: Diary,
  signal: AbortSignal,
  context: WorkerContext,
): Promise<never> {
  const { paces, clean } = context;
  const text = clean(sentence(order, error));
  const kind = errorKind(error);
  if (error instanceof VmSyncError && kind === 'busy') {
    // Being asked for patience is no failed try, however often.
    await diary.end(`waits: ${text}`);
    if (error.site) await paces.countBusy(error.site);
    await job.moveToDelayed(Date.now() + (error.retryAfterMs ?? BUSY_MS), token);
    throw new DelayedError();
  }
  // Whoever lost the job to another worker leaves it alone.
  const isLost = signal.aborted && signal.reason !== 'shutdown';
  const isForGood = !isLost && (kind === 'final' || isLastTry(job));
  await diary.end(`failed: ${text}`, isForGood ? 'error' : 'warn');
  if (error instanceof VmSyncError && error.timedOut) await diary.countTimeout();
  await diary.markTurned(error instanceof TurnedError);
  const kit = isForGood ? await leaveRepairKit(job, order, error, diary, context) : undefined;
  if (error instanceof ShortError && kind === 'final') await diary.markShort();
  await diary.written();
  throw failure(text, kind === 'final', kit);
}

/** The board shows an error's stack: the lines of this program there would help nobody who looks at it. */
function failure(text: string, isFinal: boolean, kit: RepairKit | undefined): Error {
  const error = isFinal ? new UnrecoverableError(text) : new Error(text);
  error.stack = [
    text,
    ...(kit
      ? ['', ...formatFinding(kit), "commands to look at it by hand: in this job's log"]
      : []),
  ].join('\n');
  return error;
}

/** What happened, where, for which window, and what to do, on one line: the board shows it first. */
function sentence(order: ChunkOrder, error: unknown): string {
  const text = errorText(error).replaceAll('\n', ' ');
  if (text.startsWith('repair ')) return text;
  return `repair ${formatDirection(order.direction)}, ${formatWindow(order.chunk.window)}: ${text}`;
}
