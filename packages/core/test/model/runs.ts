import {
  type Chunk,
  type DirectedOrder,
  type Direction,
  directionKey,
  type Gap,
  meets,
  parseSelectors,
  type Window,
} from '../../src/index.ts';
import type { ModelSetAside } from './eyes.ts';

/** Runs and their chunks in small, as the queue keeps them. */

interface Job {
  readonly chunk: Chunk;
  state: 'waits' | 'failed' | 'done';
  doneMs: number;
  samples: number;
}

export interface Run extends DirectedOrder {
  readonly id: string;
  readonly backfillId: string | null;
  readonly windows: readonly Window[];
  readonly jobs: Job[];
  /** How many answers about the direction had been heard when it began. */
  readonly heardBefore: number;
}

/** What of these runs, all of which hold, is left for a check to know: of repairs, or of recoveries. */
export function openWork(runs: readonly Run[], recovery: boolean) {
  const repairing: Window[] = [];
  const inHand: Window[] = [];
  const failed: Job[] = [];
  const backfilling = new Map<string, Window[]>();
  let inProgress = false;
  for (const run of runs) {
    const isOurs = run.recovery === recovery;
    if (isOurs) repairing.push(...run.windows);
    const left = run.jobs.filter(({ state }) => state !== 'done');
    const broken = left.filter(({ state }) => state === 'failed');
    if (isOurs) failed.push(...broken);
    if (left.length > 0 && broken.length === left.length) continue;
    inHand.push(...run.windows);
    if (!isOurs) continue;
    if (run.backfillId === null) inProgress = true;
    else {
      const windows = backfilling.get(run.backfillId) ?? [];
      backfilling.set(run.backfillId, [...windows, ...run.windows]);
    }
  }
  const backfilled = [...backfilling.values()].flat();
  const setAside: ModelSetAside = {
    repairing,
    inHand,
    backfilling: new Set(backfilling.keys()),
    reasons: failed.length > 0 ? [`${failed.length} chunks failed`] : [],
    covers: (gap) =>
      failed.some(({ chunk }) => overlap(chunk.window, gap) && selects(chunk, gap)) ||
      backfilled.some((window) => overlap(window, gap)),
  };
  return { inProgress, setAside };
}

export const isOf = (run: Run, direction: Direction, epoch: number): boolean =>
  run.epoch === epoch && directionKey(run.direction) === directionKey(direction);

const overlap = (a: Window, b: Window): boolean => a.fromMs < b.toMs && b.fromMs < a.toMs;

const selects = ({ selectors }: Chunk, { labels }: Gap): boolean =>
  selectors.flatMap(parseSelectors).some((selector) => meets(selector, labels));
