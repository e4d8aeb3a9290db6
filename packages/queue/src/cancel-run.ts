import { VmSyncError } from '@vm-sync/core';
import type { Queue } from 'bullmq';
import { BACKFILL_OPTIONS } from './queues.ts';
import type { CancelRunOrder, RunRecord } from './schemas.ts';
import { isUnfinishedRun, type Store } from './store.ts';

/** A wish to cancel a run that cannot be fulfilled, as a sentence. */
export class CancelRefusedError extends VmSyncError {
  override name = 'CancelRefusedError';

  constructor(sentence: string) {
    super('final', sentence);
  }
}

/** Why a run cannot be cancelled, as a sentence; undefined when it can. */
export function whyNotCancellable(run: RunRecord | undefined, id: string): string | undefined {
  if (!run) return `there is no run ${id}, or it is too old to be remembered`;
  if (isUnfinishedRun(run)) return undefined;
  return `run ${id} is ${run.state} already: there is nothing left to cancel`;
}

/**
 * Asks the scheduler to cancel a run. Throws a `CancelRefusedError`, and asks for nothing, when there is none of this id or
 * when it has ended.
 */
export async function askToCancelRun(
  { store, checks }: { readonly store: Store; readonly checks: Queue },
  runId: string,
  who: string,
): Promise<void> {
  const refusal = whyNotCancellable(await store.loadRun(runId), runId);
  if (refusal !== undefined) throw new CancelRefusedError(refusal);
  await checks.add('cancel-run', { runId, who } satisfies CancelRunOrder, BACKFILL_OPTIONS);
}
