import { cancelRuns } from './backfill.ts';
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
  const runs = (await parts.store.unsettledRuns()).filter(({ state }) => state !== 'cancelled');
  if (runs.length > 0) await cancelRuns(parts, runs);
}
