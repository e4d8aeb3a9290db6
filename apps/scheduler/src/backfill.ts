import {
  type BackfillChange,
  changeBackfill,
  errorKind,
  errorText,
  forgetWithin,
  formatWindow,
  type Step,
  type SyncState,
  startBackfill,
} from '@vm-sync/core';
import type { BackfillOrder, RunRecord } from '@vm-sync/queue';
import { type Job, UnrecoverableError } from 'bullmq';
import { requestCheck } from './check.ts';
import { idsIn, idsOf, jobsOf, retryAll } from './chunks-of.ts';
import type { SchedulerContext } from './context.ts';
import { emit } from './tell.ts';

/**
 * The `backfill` job: puts an operator's wish into the state, and into the runs that are under way for it, and asks for
 * the check that goes on from there. Safe to run twice.
 */
export async function runBackfill(
  context: SchedulerContext,
  order: BackfillOrder,
  job: Job,
): Promise<string> {
  const { memory } = context;
  const { state } = await memory.load();
  const step = applied(state, order, job.timestamp);
  for (const event of step.events) await emit(context, event);
  await memory.save(step.state);
  if (order.action !== 'start') await changeRuns(context, order.id, order.action);
  await requestCheck(context, 'operator', { who: order.who });
  return describe(order);
}

/** What cannot be done now cannot be done by trying again either. */
function applied(state: SyncState, order: BackfillOrder, atMs: number): Step {
  try {
    if (order.action !== 'start') return changeBackfill(state, order.id, order.action, atMs);
    const { id, window, match, who } = order;
    const step = startBackfill(state, { id, window, match, who, requestedMs: atMs });
    const key = step.state.backfills.find((one) => one.id === id)?.direction;
    // A person asks for it: what was set aside there is tried again.
    const stuck = key ? forgetWithin(state.stuck, key, window) : state.stuck;
    return { ...step, state: { ...step.state, stuck } };
  } catch (error) {
    if (errorKind(error) === 'final') throw new UnrecoverableError(errorText(error));
    throw error;
  }
}

const STATES = { pause: 'paused', resume: 'open', cancel: 'cancelled' } as const;

/** Chunks read the state of their run when they execute; those that wait for a time are called at once. */
async function changeRuns(
  context: SchedulerContext,
  backfillId: string,
  change: BackfillChange,
): Promise<void> {
  // Also those that were cancelled before, by a job that died in the middle of this.
  const runs = (await context.store.runsOf(backfillId)).filter(
    ({ state, settledMs }) => settledMs === null && state !== 'superseded',
  );
  for (const run of runs) await context.store.saveRun({ ...run, state: STATES[change] });
  if (change !== 'pause') await callChunks(context, runs);
  // A failed chunk would keep its run from settling for ever.
  if (change === 'cancel') await endFailedChunks(context, runs);
}

type Parts = Pick<SchedulerContext, 'store' | 'repairs'>;

/** Cancels runs whatever they are of: their chunks end as soon as they look, and the runs settle. */
export async function cancelRuns(context: Parts, runs: readonly RunRecord[]): Promise<void> {
  for (const run of runs) await context.store.saveRun({ ...run, state: 'cancelled' });
  await callChunks(context, runs);
  await endFailedChunks(context, runs);
}

/** Chunks that wait for a time are called at once. */
async function callChunks({ repairs }: Parts, runs: readonly RunRecord[]) {
  const delayed = await idsIn(repairs, 'delayed');
  const ofRuns = runs.flatMap((run) => idsOf(run, delayed));
  for await (const chunks of jobsOf(repairs, ofRuns)) {
    // One may have begun by itself between its listing and its call.
    await Promise.allSettled(chunks.map((chunk) => chunk.promote()));
  }
}

/** Failed chunks of runs that have ended end too. */
async function endFailedChunks({ repairs }: Parts, runs: readonly RunRecord[]) {
  const failed = await idsIn(repairs, 'failed');
  const ofRuns = runs.flatMap((run) => idsOf(run, failed));
  for await (const chunks of jobsOf(repairs, ofRuns)) await retryAll(chunks);
}

function describe(order: BackfillOrder): string {
  if (order.action !== 'start') return `backfill ${order.id}: ${order.action}`;
  const what = [formatWindow(order.window), ...order.match].join(' ');
  return `backfill ${order.id} started: ${what}`;
}
