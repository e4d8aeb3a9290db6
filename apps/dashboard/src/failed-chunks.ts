import { directionKey } from '@vm-sync/core';
import { ChunkOrder, type RetryRequest } from '@vm-sync/queue';
import type { Job } from 'bullmq';
import type { Context } from './context.ts';

/** As many as the queue keeps. */
const FAILED_MOST = 5_000;

/** The failed chunks that a person means, the last one first; all where nothing is named. */
export async function failedChunks(
  { queues }: Pick<Context, 'queues'>,
  filter: RetryRequest,
): Promise<Job[]> {
  const failed = await queues.repairs.getFailed(0, FAILED_MOST - 1);
  // A job may vanish between its listing and its reading.
  return failed.filter((job) => job !== undefined && isMeant(job, filter));
}

function isMeant(job: Job, { run, direction, error }: RetryRequest): boolean {
  const order = ChunkOrder.safeParse(job.data).data;
  if (run !== undefined && order?.runId !== run) return false;
  if (direction !== undefined && (!order || directionKey(order.direction) !== direction)) {
    return false;
  }
  const text = (job.failedReason ?? '').toLowerCase();
  return error === undefined || text.includes(error.toLowerCase());
}

export const NO_SUCH_CHUNKS = 'no failed chunk fits: none has failed, or what was named fits none';
