import { type Attempt, stuckId, VmSyncError } from '@vm-sync/core';
import type { Queue } from 'bullmq';
import { BACKFILL_OPTIONS } from './queues.ts';
import type { AcknowledgeOrder } from './schemas.ts';
import type { Store } from './store.ts';

/** A stuck gap that cannot be acknowledged, as a sentence. */
export class AcknowledgeRefusedError extends VmSyncError {
  override name = 'AcknowledgeRefusedError';

  constructor(sentence: string) {
    super('final', sentence);
  }
}

/** The stuck gaps that are remembered now. */
export const stuckGaps = async (store: Store): Promise<readonly Attempt[]> =>
  (await store.loadState())?.stuck.attempted.filter(({ stuck }) => stuck) ?? [];

/**
 * Those of the named gaps (or of all, for `all`) that nobody has acknowledged. Throws an `AcknowledgeRefusedError` when there
 * are none.
 */
export function toAcknowledge(gaps: readonly Attempt[], gap: string): readonly Attempt[] {
  const named = gaps.filter((one) => gap === 'all' || stuckId(one) === gap);
  if (named.length === 0) {
    throw new AcknowledgeRefusedError(
      gap === 'all'
        ? 'there is no stuck gap: nothing has to be acknowledged'
        : `there is no stuck gap ${JSON.stringify(gap)} (any more): it has changed, or is repaired`,
    );
  }
  const open = named.filter(({ acknowledged }) => !acknowledged);
  if (open.length > 0) return open;
  const by = named[0]?.acknowledged?.who;
  throw new AcknowledgeRefusedError(`acknowledged already, by ${by}`);
}

/** Asks the scheduler to remember that a stuck gap (by its name), or all of them, are known. Throws as `toAcknowledge`. */
export async function askToAcknowledge(
  { store, checks }: { readonly store: Store; readonly checks: Queue },
  gap: string,
  who: string,
): Promise<readonly Attempt[]> {
  const open = toAcknowledge(await stuckGaps(store), gap);
  const order: AcknowledgeOrder = { gaps: open.map(stuckId), who };
  await checks.add('acknowledge', order, BACKFILL_OPTIONS);
  return open;
}
