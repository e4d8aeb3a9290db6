import {
  type Direction,
  type DutyView,
  directionFrom,
  type GapMaps,
  type Pin,
  type Progress,
  pinAt,
  type ShownPace,
  shownPace,
} from '@vm-sync/core';
import {
  type AllProgress,
  type BackfillProgress,
  ChunkOrder,
  type EventRecord,
  loadProgress,
  type PastCheck,
  QUEUE_NAMES,
  type QueueName,
  type Readiness,
  type RunRecord,
  readiness,
  SettleOrder,
  type Status,
} from '@vm-sync/queue';
import type { Job } from 'bullmq';
import type { Context } from './context.ts';

/** How many jobs a queue has, by BullMQ's state. */
export type JobCounts = Readonly<Record<QueueName, Readonly<Record<string, number>>>>;

export interface FailedChunk {
  readonly jobId: string;
  /** Undefined when the job's data cannot be read. */
  readonly order: ChunkOrder | undefined;
  readonly failedMs: number | undefined;
  readonly error: string;
  /** What to do, where the worker has left word; otherwise undefined. */
  readonly advice: string | undefined;
}

/** A run that is open or paused. */
export interface OpenRun {
  readonly run: RunRecord;
  readonly progress: Progress;
  /** Undefined when the run's settling is not waiting for chunks (any more). */
  readonly chunks: ChunkStates | undefined;
}

export interface ChunkStates {
  readonly done: number;
  readonly active: number;
  readonly waiting: number;
  /** Waiting for the next try. */
  readonly delayed: number;
  readonly failed: number;
}

/** Everything that the status page shows, read at one time. */
export interface Overview {
  readonly nowMs: number;
  readonly role: string;
  /** True for SYNC_DIRECTION=both. */
  readonly isBoth: boolean;
  readonly status: Status | undefined;
  readonly readiness: Readiness;
  readonly runs: readonly RunRecord[];
  readonly openRuns: readonly OpenRun[];
  readonly backfills: readonly BackfillProgress[];
  /** A person's word about the direction, while it lasts. */
  readonly pin: Pin | null;
  readonly repairsPaused: boolean;
  readonly pace: ShownPace;
  /** Undefined before the first heartbeat. */
  readonly duty: DutyView | undefined;
  readonly jobs: JobCounts;
  readonly failedChunks: readonly FailedChunk[];
  readonly events: readonly EventRecord[];
  /** Undefined before the first check. */
  readonly gapMaps: GapMaps | undefined;
  /** The last checks, newest first. */
  readonly checks: readonly PastCheck[];
}

const RUNS_SHOWN = 10;
const EVENTS_SHOWN = 15;
const FAILED_SHOWN = 5;

type Sources = Omit<Context, 'overview' | 'log' | 'redis' | 'forecasts'>;

export async function loadOverview(context: Sources, nowMs: number): Promise<Overview> {
  const { store, paces, dutyStore, queues, kits, config, gapMaps, checkHistory } = context;
  const [status, runs, events, jobs, repairsPaused, failedChunks, pace, duty, state] =
    await Promise.all([
      store.loadStatus(),
      store.listRuns(RUNS_SHOWN),
      store.listEvents(EVENTS_SHOWN),
      countJobs(queues),
      queues.repairs.isPaused(),
      lastFailedChunks(queues, kits),
      paces.current(config.paceLimits),
      dutyStore.loadView(),
      store.loadState(),
    ]);
  const [progress, maps, checks] = await Promise.all([
    loadProgress(store, state, nowMs),
    gapMaps.load(),
    checkHistory.list(),
  ]);
  return {
    nowMs,
    role: config.role,
    isBoth: config.syncDirection === 'both',
    status,
    readiness: readiness(status, undefined, nowMs),
    runs,
    openRuns: await openRunsOf(queues, progress.runs),
    backfills: progress.backfills,
    pin: pinAt(state?.pin ?? null, nowMs),
    repairsPaused,
    pace: shownPace(pace),
    duty,
    jobs,
    failedChunks,
    events,
    gapMaps: maps,
    checks,
  };
}

export async function countJobs(queues: Context['queues']): Promise<JobCounts> {
  const counted = QUEUE_NAMES.map(async (name) => [name, await queues[name].getJobCounts()]);
  return Object.fromEntries(await Promise.all(counted));
}

async function lastFailedChunks(
  { repairs }: Context['queues'],
  kits: Context['kits'],
): Promise<FailedChunk[]> {
  const jobs = await repairs.getJobs(['failed'], 0, FAILED_SHOWN - 1);
  // A job may vanish between its listing and its reading.
  const known = jobs.filter((job) => job !== undefined);
  return Promise.all(
    known.map(async (job) => failedChunk(job, (await kits.load(job.id ?? ''))?.advice)),
  );
}

const failedChunk = (job: Job, advice: string | undefined): FailedChunk => ({
  jobId: job.id ?? '',
  order: ChunkOrder.safeParse(job.data).data,
  failedMs: job.finishedOn,
  error: (job.failedReason ?? '').trim().split('\n', 1)[0] || 'no reason given',
  advice,
});

async function openRunsOf(
  queues: Context['queues'],
  open: AllProgress['runs'],
): Promise<OpenRun[]> {
  if (open.length === 0) return [];
  const [settling, active, delayed, failed] = await Promise.all([
    queues.checks.getJobs(['waiting-children']),
    idsOf(queues.repairs, 'active'),
    idsOf(queues.repairs, 'delayed'),
    idsOf(queues.repairs, 'failed'),
  ]);
  return Promise.all(
    open.map(async ({ run, progress }) => {
      const job = settling.find(
        (one) => one && SettleOrder.safeParse(one.data).data?.runId === run.id,
      );
      return {
        run,
        progress,
        chunks: job && (await chunkStates(job, { active, delayed, failed })),
      };
    }),
  );
}

type RepairQueue = Context['queues']['repairs'];

const idsOf = async (queue: RepairQueue, state: 'active' | 'delayed' | 'failed') =>
  new Set(await queue.getRanges([state], 0, -1));

/** A run's chunks are the children that its settling waits for. */
async function chunkStates(
  settling: Job,
  ids: Readonly<Record<'active' | 'delayed' | 'failed', ReadonlySet<string>>>,
): Promise<ChunkStates> {
  const { processed = {}, unprocessed = [] } = await settling.getDependencies();
  const left = unprocessed.map((key) => key.slice(key.lastIndexOf(':') + 1));
  const among = (set: ReadonlySet<string>) => left.filter((id) => set.has(id)).length;
  const [active, delayed, failed] = [among(ids.active), among(ids.delayed), among(ids.failed)];
  return {
    done: Object.keys(processed).length,
    active,
    delayed,
    failed,
    waiting: left.length - active - delayed - failed,
  };
}

/** The direction that the last check worked in; undefined when the active site is unknown. */
export function directionOf(status: Status): Direction | undefined {
  const { activeSite } = status.state;
  return activeSite === 'unknown' ? undefined : directionFrom(activeSite);
}
