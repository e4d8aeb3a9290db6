import { callChunks, endFailedChunks } from './backfill.ts';
import type { SchedulerContext } from './context.ts';

type Parts = Pick<SchedulerContext, 'store' | 'repairs'>;

/** True while chunks are being copied, or will be without a person's doing. */
export async function hasChunksUnderWay({ repairs }: Parts): Promise<boolean> {
  const active = await repairs.getActiveCount();
  if (active > 0) return true;
  if (await repairs.isPaused()) return false;
  return (await repairs.getJobCountByTypes('wait', 'prioritized', 'delayed')) > 0;
}

/**
 * Ends the open runs of a vm-sync that does not repair any more: their chunks end without a word, and what they have not
 * copied is found and repaired by the other. Otherwise this one could prove nothing of their time.
 */
export async function giveUpRuns(parts: Parts): Promise<void> {
  const { store } = parts;
  const runs = await store.unfinishedRuns();
  if (runs.length === 0) return;
  for (const run of runs) await store.saveRun({ ...run, state: 'cancelled' });
  await callChunks(parts, new Set(runs.map(({ id }) => id)));
  await endFailedChunks(parts, runs);
}
