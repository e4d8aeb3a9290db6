import { acknowledgeStuck } from '@vm-sync/core';
import type { AcknowledgeOrder } from '@vm-sync/queue';
import type { Job } from 'bullmq';
import type { SchedulerContext } from './context.ts';
import { emit } from './tell.ts';

/**
 * The `acknowledge` job: remembers that stuck gaps are known to a person. Nothing is proven by it, so READY stays withheld.
 * Safe to run twice.
 */
export async function runAcknowledge(
  context: SchedulerContext,
  { gaps: names, who }: AcknowledgeOrder,
  job: Job,
): Promise<string> {
  const { memory, store } = context;
  const { state } = await memory.load();
  const { memory: stuck, gaps } = acknowledgeStuck(state.stuck, names, {
    who,
    atMs: job.timestamp,
  });
  if (gaps.length === 0) return 'none of these gaps is stuck and open any more';
  const samples = gaps.reduce((sum, gap) => sum + gap.samples, 0);
  await emit(context, { kind: 'gap-acknowledged', gaps: gaps.length, samples, who });
  const known = { ...state, stuck };
  await memory.save(known);
  // Shown at once; what the last check saw stays what it was.
  const status = await store.loadStatus();
  if (status) await store.saveStatus({ ...status, state: { ...status.state, stuck } });
  return `${gaps.length} stuck gaps acknowledged by ${who}`;
}
