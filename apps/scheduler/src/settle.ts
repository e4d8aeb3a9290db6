import {
  afterRun,
  type Chunk,
  CONFIRM_AFTER_MS,
  doneSinceStart,
  errorText,
  learnRates,
  noteRepaired,
} from '@vm-sync/core';
import { ChunkOrder, ChunkResult, type SettleOrder } from '@vm-sync/queue';
import type { VictoriaMetrics } from '@vm-sync/victoria-metrics';
import type { Job } from 'bullmq';
import { requestCheck } from './check.ts';
import type { SchedulerContext } from './context.ts';

/**
 * The `settle-run` job, when every chunk of a run is done: makes the repair visible to cached queries, remembers what
 * was repaired, and asks for the check that proves it. Safe to run twice.
 */
export async function settleRun(
  context: SchedulerContext,
  order: SettleOrder,
  job: Job,
  signal: AbortSignal,
): Promise<string> {
  const { databases, log, memory, store } = context;
  const run = await store.loadRun(order.runId);
  if (!run) return `run ${order.runId} is not known any more; the next check plans what is missing`;
  if (run.settledMs !== null) return `run ${run.id} has been settled before`;
  const values = Object.values(await job.getChildrenValues());
  const results = values.flatMap((value) => {
    const result = ChunkResult.safeParse(value);
    return result.success ? [result.data] : [];
  });
  const samples = results.reduce((sum, result) => sum + result.samples, 0);
  const bytes = results.reduce((sum, result) => sum + result.bytes, 0);

  const advice = await showRepair(databases[run.direction.destination]);
  if (advice !== undefined) {
    log.warn({ runId: run.id }, advice);
    await job.log(advice);
  }
  signal.throwIfAborted();
  const atMs = Date.now();
  const { state } = await memory.load();
  const { direction, windows, backfillId, recovery } = run;
  const cancelled = run.state === 'cancelled';
  if (samples > 0 || !cancelled) {
    const settled = { id: run.id, atMs, direction, windows, samples, bytes, backfillId, recovery };
    const after = afterRun(state, settled);
    if (after !== state) {
      const done = await doneChunks(context, job, atMs);
      const repaired = doneSinceStart(done, after.startedMs[direction.destination]);
      await memory.save({ ...after, stuck: noteRepaired(after.stuck, direction, repaired, atMs) });
    }
  }
  await store.saveRun({
    ...run,
    state: cancelled ? 'cancelled' : 'settled',
    settledMs: atMs,
    samplesCopied: samples,
    bytesCopied: bytes,
  });
  await store.saveRates(learnRates(await store.loadRates(), results));
  await requestCheck(context, 'confirm', { delayMs: CONFIRM_AFTER_MS + 1_000 });
  const text = `run ${run.id} ${cancelled ? 'cancelled' : 'settled'}: ${samples} samples copied by ${results.length} chunks`;
  log.info({ runId: run.id, samples, bytes }, text);
  return text;
}

/** The chunks of a run that were read back as complete. */
async function doneChunks(
  { repairs }: SchedulerContext,
  job: Job,
  atMs: number,
): Promise<{ chunk: Chunk; doneMs: number }[]> {
  const { processed = {} } = await job.getDependencies();
  const ids = Object.entries(processed).flatMap(([key, value]) => {
    const result = ChunkResult.safeParse(value);
    const done = result.success && result.data.outcome !== 'cancelled';
    return done ? [key.slice(key.lastIndexOf(':') + 1)] : [];
  });
  const jobs = await Promise.all(ids.map((id) => repairs.getJob(id)));
  return jobs.flatMap((one) => {
    const order = ChunkOrder.safeParse(one?.data);
    return order.success ? [{ chunk: order.data.chunk, doneMs: one?.finishedOn ?? atMs }] : [];
  });
}

/** Makes graphs show what was repaired. That this fails is worth a word, but the samples are there all the same. */
async function showRepair(destination: VictoriaMetrics): Promise<string | undefined> {
  const consequence = 'cached graphs may show the gap until the cache expires';
  try {
    await destination.makeVisible();
    if (await destination.resetCache()) return undefined;
    return `${destination.site} (${destination.url}) does not allow /internal/resetRollupResultCache: ${consequence}`;
  } catch (error) {
    return `${errorText(error)}; ${consequence}`;
  }
}
