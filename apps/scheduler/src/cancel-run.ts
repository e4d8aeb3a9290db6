import type { CancelRunOrder } from '@vm-sync/queue';
import { UnrecoverableError } from 'bullmq';
import { cancelRuns } from './backfill.ts';
import { requestCheck } from './check.ts';
import type { SchedulerContext } from './context.ts';
import { emit } from './tell.ts';

/**
 * The `cancel-run` job: ends a run whose chunks a person does not want (now). Chunks that wait end as soon as they look, the
 * run settles, and the next check plans what is still missing. Safe to run twice.
 */
export async function runCancel(
  context: SchedulerContext,
  { runId, who }: CancelRunOrder,
): Promise<string> {
  const run = await context.store.loadRun(runId);
  if (!run) throw new UnrecoverableError(`there is no run ${runId}, or it is too old`);
  if (run.state === 'settled' || run.state === 'superseded') {
    return `run ${runId} had ${run.state === 'settled' ? 'settled' : 'been superseded'} before it could be cancelled`;
  }
  if (run.state !== 'cancelled') {
    await emit(context, { kind: 'run-cancelled', id: runId, direction: run.direction, who });
  }
  // Also one that was cancelled before, by a job that died in the middle of this.
  await cancelRuns(context, [run]);
  await requestCheck(context, 'operator', { who });
  return `run ${runId} cancelled`;
}
