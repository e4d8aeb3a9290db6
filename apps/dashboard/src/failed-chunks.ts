import { directionKey } from '@vm-sync/core';
import { ChunkOrder, type RetryRequest } from '@vm-sync/queue';
import type { Job } from 'bullmq';
import type { Context } from './context.ts';

/** So many jobs are held at a time, and so many commands are sent to Redis at once: it answers others in between. */
const A_PAGE = 100;

/**
 * The failed chunks that a person means, the last one first, page by page; all where nothing is named. Those that stand there at
 * the beginning: what fails meanwhile is not among them.
 */
export async function* failedChunks(
  { queues }: Pick<Context, 'queues'>,
  filter: RetryRequest,
): AsyncGenerator<readonly Job[]> {
  const ids = await queues.repairs.getRanges(['failed'], 0, -1);
  for (let at = 0; at < ids.length; at += A_PAGE) {
    const page = ids.slice(at, at + A_PAGE);
    const jobs = await Promise.all(page.map((id) => queues.repairs.getJob(id)));
    // A job may vanish, or be tried again, between its listing and its reading.
    yield jobs.filter((job) => job !== undefined).filter((job) => isMeant(job, filter));
  }
}

/** How many they are, and the first of them. */
export async function countFailed(
  context: Pick<Context, 'queues'>,
  filter: RetryRequest,
  most: number,
): Promise<{ readonly total: number; readonly first: readonly Job[] }> {
  const first: Job[] = [];
  let total = 0;
  const isAll = Object.values(filter).every((value) => value === undefined);
  for await (const chunks of failedChunks(context, filter)) {
    total += chunks.length;
    first.push(...chunks.slice(0, most - first.length));
    // Nobody has to be read to be counted.
    if (isAll) return { total: await context.queues.repairs.getFailedCount(), first };
  }
  return { total, first };
}

function isMeant(job: Job, { run, direction, error }: RetryRequest): boolean {
  if (job.finishedOn === undefined) return false;
  const order = ChunkOrder.safeParse(job.data).data;
  if (run !== undefined && order?.runId !== run) return false;
  if (direction !== undefined && (!order || directionKey(order.direction) !== direction)) {
    return false;
  }
  const text = (job.failedReason ?? '').toLowerCase();
  return error === undefined || text.includes(error.toLowerCase());
}

export const NO_SUCH_CHUNKS = 'no failed chunk fits: none has failed, or what was named fits none';
