import {
  type Backfill,
  type BackfillShare,
  backfillShare,
  directionFrom,
  directionKey,
  directionOf,
  type FinishedChunk,
  formatDirection,
  isUnfinished,
  type PlannedWork,
  type Progress,
  progressOf,
  type SyncState,
  subtractWindows,
  type Window,
} from '@vm-sync/core';
import type { RunRecord } from './schemas.ts';
import { isUnfinishedRun, type Store } from './store.ts';

/** A run that is open or paused, and how far it is. */
export interface RunProgress {
  readonly run: RunRecord;
  readonly progress: Progress;
}

/** A backfill, and how far it is. */
export interface BackfillProgress {
  readonly backfill: Backfill;
  readonly share: BackfillShare;
  /** What is planned of it now; null while nothing is. */
  readonly progress: Progress | null;
  /** Why nothing happens, as a sentence; null when something does, or when it has ended. */
  readonly waits: string | null;
}

export interface AllProgress {
  /** Newest first. */
  readonly runs: readonly RunProgress[];
  /** The last one asked for first. */
  readonly backfills: readonly BackfillProgress[];
}

/** How far everything is, by what workers have finished and checks have proven until now. */
export async function loadProgress(
  store: Store,
  state: SyncState | undefined,
  nowMs: number,
): Promise<AllProgress> {
  const known = await store.allRuns();
  const counted = await Promise.all(
    known
      .filter(isUnfinishedRun)
      .map(async (run) => ({ run, finished: await store.finishedChunks(run.id) })),
  );
  const runs = counted.map(({ run, finished }) => ({
    run,
    progress: progressOf(planOf([run]), finished, nowMs),
  }));
  const backfills: BackfillProgress[] = [];
  for (const backfill of state?.backfills.toReversed() ?? []) {
    const open = counted.filter(({ run }) => run.backfillId === backfill.id);
    const own = isUnfinished(backfill) ? known.filter((run) => run.backfillId === backfill.id) : [];
    const settled = await settledRuns(store, own, nowMs);
    backfills.push(backfillProgress(backfill, state as SyncState, { open, settled }, nowMs));
  }
  return { runs, backfills };
}

interface CountedRun {
  readonly run: RunRecord;
  readonly finished: readonly FinishedChunk[];
}

const RATE_MS = 60_000;

/** The settled runs of a backfill; their chunks where they tell of the last minute: waves go on at one rate. */
async function settledRuns(
  store: Store,
  runs: readonly RunRecord[],
  nowMs: number,
): Promise<CountedRun[]> {
  const settled = runs.filter((run) => run.state === 'settled');
  return Promise.all(
    settled.map(async (run) => {
      const isRecent = (run.settledMs ?? 0) > nowMs - RATE_MS;
      return { run, finished: isRecent ? await store.finishedChunks(run.id) : [] };
    }),
  );
}

function backfillProgress(
  backfill: Backfill,
  state: SyncState,
  runs: { readonly open: readonly CountedRun[]; readonly settled: readonly CountedRun[] },
  nowMs: number,
): BackfillProgress {
  const { open, settled } = runs;
  const stuck = state.stuck.attempted.filter((one) => {
    return one.stuck && one.direction === backfill.direction;
  });
  // What a repair did not change is not repaired.
  const repaired = subtractWindows(
    windowsOf(settled),
    stuck.map(({ window }) => window),
  );
  const finished = open.flatMap((one) => one.finished);
  const recent = settled.filter((one) => one.finished.length > 0);
  const rated = [...recent.flatMap((one) => one.finished), ...finished];
  const beganMs = Math.min(...[...open, ...recent].map(({ run }) => run.createdMs));
  const plan = { ...planOf(open.map(({ run }) => run)), beganMs };
  return {
    backfill,
    share: backfillShare(backfill, repaired, windowsOf(open)),
    progress: open.length === 0 ? null : progressOf(plan, finished, nowMs, rated),
    waits: whyWaiting(backfill, state),
  };
}

const windowsOf = (runs: readonly CountedRun[]): Window[] => runs.flatMap(({ run }) => run.windows);

/** What runs have planned together. */
export const planOf = (runs: readonly RunRecord[]): PlannedWork => ({
  beganMs: Math.min(...runs.map(({ createdMs }) => createdMs)),
  chunks: runs.reduce((sum, run) => sum + run.chunks, 0),
  samplesPlanned: runs.reduce((sum, run) => sum + run.samplesPlanned, 0),
});

function whyWaiting({ state, direction, id }: Backfill, { activeSite }: SyncState): string | null {
  if (state === 'paused') return `paused: vm-sync backfill resume ${id}`;
  if (state !== 'open') return null;
  if (activeSite === 'unknown') return 'waits until the active site is known';
  const active = directionFrom(activeSite);
  if (directionKey(active) === direction) return null;
  return `waits until ${directionOf(direction).source} is the active site: now ${formatDirection(active)} is repaired`;
}
