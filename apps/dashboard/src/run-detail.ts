import {
  directionKey,
  type FinishedChunk,
  intersect,
  mergeWindows,
  type Progress,
  progressOf,
  type SyncState,
  type Window,
} from '@vm-sync/core';
import {
  type AuditLine,
  ChunkOrder,
  chunkId,
  type EventRecord,
  planOf,
  type RunRecord,
} from '@vm-sync/queue';
import type { Job } from 'bullmq';
import type { Context } from './context.ts';

export const CHUNK_STATES = ['failed', 'active', 'delayed', 'waiting', 'done'] as const;
export type ChunkState = (typeof CHUNK_STATES)[number];

/** A chunk as its job stands on the board; what is undefined is not known (any more). */
export interface ShownChunk {
  readonly jobId: string;
  readonly order: ChunkOrder | undefined;
  readonly finished: FinishedChunk | undefined;
  readonly failedMs: number | undefined;
  /** Of the last try that failed. */
  readonly error: string | undefined;
  readonly tries: number;
}

export interface ChunkList {
  readonly total: number;
  /** The first ones, or of those that are done the last. */
  readonly shown: readonly ShownChunk[];
}

/** Everything that a run's page shows, read at one time. */
export interface RunDetail {
  readonly nowMs: number;
  readonly run: RunRecord;
  readonly progress: Progress;
  readonly chunks: Readonly<Record<ChunkState, ChunkList>>;
  /** In the order in which they were finished. */
  readonly finished: readonly FinishedChunk[];
  /** Of the run's time, what no check has proven yet; undefined when that is not known. */
  readonly unproven: readonly Window[] | undefined;
  /** What was told, and what persons did, while it lasted; newest first. */
  readonly events: readonly EventRecord[];
  readonly lines: readonly AuditLine[];
}

const EVENTS_READ = 500;
const LINES_READ = 200;

/** Undefined when there is no such run (any more). */
export async function loadRunDetail(
  context: Context,
  id: string,
  nowMs: number,
): Promise<RunDetail | undefined> {
  const { audit, queues, store } = context;
  const run = await store.loadRun(id);
  if (!run) return undefined;
  const [byJob, state, events, lines] = await Promise.all([
    store.finishedByJob(id),
    store.loadState(),
    store.listEvents(EVENTS_READ),
    audit.list(LINES_READ),
  ]);
  const finished = [...byJob.values()].sort((a, b) => a.atMs - b.atMs);
  const untilMs = run.settledMs ?? nowMs;
  const during = ({ atMs }: { readonly atMs: number }) => atMs >= run.createdMs && atMs <= untilMs;
  return {
    nowMs,
    run,
    progress: progressOf(planOf([run]), finished, nowMs),
    chunks: await chunkLists(queues.repairs, run, byJob),
    finished,
    unproven: unprovenOf(run, state),
    events: events.filter(during),
    lines: lines.filter(during),
  };
}

function unprovenOf(
  { direction, backfillId, windows }: RunRecord,
  state: SyncState | undefined,
): readonly Window[] | undefined {
  const open =
    backfillId === null
      ? state?.marks[directionKey(direction)]?.unproven
      : state?.backfills.find(({ id }) => id === backfillId)?.unproven;
  return (
    open &&
    mergeWindows(windows.flatMap((window) => open.flatMap((one) => intersect(window, one) ?? [])))
  );
}

const SHOWN = 10;

type RepairQueue = Context['queues']['repairs'];

const JOB_STATES = {
  failed: ['failed'],
  active: ['active'],
  delayed: ['delayed'],
  waiting: ['waiting', 'prioritized'],
  done: ['completed'],
} as const;

/** The run's chunks by state: what the queue has forgotten and nobody counted is in none. */
async function chunkLists(
  queue: RepairQueue,
  run: RunRecord,
  finished: ReadonlyMap<string, FinishedChunk>,
): Promise<RunDetail['chunks']> {
  const own = Array.from({ length: run.chunks }, (_, at) => chunkId(run.id, at + 1));
  const lists = await Promise.all(
    CHUNK_STATES.map(async (state) => {
      const ids = new Set(await queue.getRanges([...JOB_STATES[state]], 0, -1));
      const mine = own.filter((id) => ids.has(id) || (state === 'done' && finished.has(id)));
      const atMs = (id: string) => finished.get(id)?.atMs ?? 0;
      if (state === 'done') mine.sort((a, b) => atMs(b) - atMs(a));
      const shown = mine
        .slice(0, SHOWN)
        .map(async (id) => shownChunk(id, await queue.getJob(id), finished.get(id)));
      return [state, { total: mine.length, shown: await Promise.all(shown) }] as const;
    }),
  );
  return Object.fromEntries(lists) as unknown as RunDetail['chunks'];
}

const shownChunk = (
  jobId: string,
  job: Job | undefined,
  finished: FinishedChunk | undefined,
): ShownChunk => ({
  jobId,
  order: ChunkOrder.safeParse(job?.data).data,
  finished,
  failedMs: job?.finishedOn,
  error: (job?.failedReason ?? '').trim().split('\n', 1)[0] || undefined,
  tries: job?.attemptsStarted ?? 0,
});
