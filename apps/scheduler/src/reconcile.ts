import {
  cancelReconcile,
  errorKind,
  errorText,
  type Step,
  type SyncState,
  startReconcile,
  VmSyncError,
} from '@vm-sync/core';
import { RECOVERS_BY_ITSELF, type ReconcileOrder } from '@vm-sync/queue';
import type { Config } from '@vm-sync/runtime';
import { type Job, UnrecoverableError } from 'bullmq';
import { cancelRuns } from './backfill.ts';
import { requestCheck } from './check.ts';
import type { SchedulerContext } from './context.ts';
import { emit } from './tell.ts';

/**
 * The `reconcile` job: puts an operator's wish into the state, and asks for the check that goes on from there. Safe to run
 * twice.
 */
export async function runReconcile(
  context: SchedulerContext,
  order: ReconcileOrder,
  job: Job,
): Promise<string> {
  const { config, memory, store } = context;
  const { state } = await memory.load();
  const step = applied(state, order, job.timestamp, config.syncDirection);
  for (const event of step.events) await emit(context, event);
  await memory.save(step.state);
  if (order.action === 'cancel' && config.syncDirection !== 'both') {
    const runs = (await store.allRuns()).filter(({ recovery, settledMs, state: of }) => {
      return recovery && settledMs === null && of !== 'superseded';
    });
    await cancelRuns(context, runs);
  }
  await requestCheck(context, 'operator', { who: order.who });
  return order.action === 'start' ? `reconcile ${order.id} started` : 'reconcile cancelled';
}

/** What cannot be done now cannot be done by trying again either. */
function applied(
  state: SyncState,
  order: ReconcileOrder,
  atMs: number,
  syncDirection: Config['syncDirection'],
): Step {
  try {
    if (order.action === 'cancel') return cancelReconcile(state, atMs);
    if (syncDirection === 'both') throw new VmSyncError('final', RECOVERS_BY_ITSELF);
    return startReconcile(state, { id: order.id, who: order.who, requestedMs: atMs });
  } catch (error) {
    if (errorKind(error) === 'final') throw new UnrecoverableError(errorText(error));
    throw error;
  }
}
