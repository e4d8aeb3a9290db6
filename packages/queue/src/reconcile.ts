import { NOTHING_UNDER_WAY, VmSyncError, whyNoReconcile } from '@vm-sync/core';
import type { Queue } from 'bullmq';
import { newOrderId } from './backfills.ts';
import { BACKFILL_OPTIONS } from './queues.ts';
import type { ReconcileOrder } from './schemas.ts';
import type { Store } from './store.ts';

/** Where wishes are looked up and put. */
interface Desk {
  readonly store: Store;
  readonly checks: Queue;
}

/** A wish to reconcile that cannot be fulfilled now, as a sentence. */
export class ReconcileRefusedError extends VmSyncError {
  override name = 'ReconcileRefusedError';

  constructor(sentence: string) {
    super('final', sentence);
  }
}

/** With SYNC_DIRECTION=both there is nothing to ask for. */
export const RECOVERS_BY_ITSELF =
  'with SYNC_DIRECTION=both what only the passive site has is recovered by itself';

/**
 * Asks the scheduler to recover once what only the passive site has. Throws a `ReconcileRefusedError`, and asks for
 * nothing, when by what is known now there is nothing to do, or it is being done.
 */
export async function askToReconcile(
  { store, checks }: Desk,
  syncDirection: 'active-to-passive' | 'both',
  nowMs: number,
  who?: string,
): Promise<{ readonly id: string }> {
  if (syncDirection === 'both') throw new ReconcileRefusedError(RECOVERS_BY_ITSELF);
  const state = await store.loadState();
  const refusal = whyNoReconcile(
    state ?? {
      activeSite: 'unknown',
      marks: { 'primary-to-dr': null, 'dr-to-primary': null },
      reconcile: null,
    },
  );
  if (refusal !== undefined) throw new ReconcileRefusedError(refusal);
  const id = newOrderId(nowMs);
  const order: ReconcileOrder = { action: 'start', id, who };
  await checks.add('reconcile', order, { ...BACKFILL_OPTIONS, jobId: `reconcile-${id}` });
  return { id };
}

/** Asks the scheduler to stop. Throws a `ReconcileRefusedError` when nothing is under way. */
export async function askToStopReconcile({ store, checks }: Desk, who?: string): Promise<void> {
  const state = await store.loadState();
  if (state?.reconcile?.state !== 'open') throw new ReconcileRefusedError(NOTHING_UNDER_WAY);
  const order: ReconcileOrder = { action: 'cancel', who };
  await checks.add('reconcile', order, BACKFILL_OPTIONS);
}
