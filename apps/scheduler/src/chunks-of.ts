import { chunkId, type RunRecord } from '@vm-sync/queue';
import type { Job, Queue } from 'bullmq';

/** So many jobs are asked for at once: Redis answers others in between. */
const A_PAGE = 100;

/** The names of all jobs of the queue that are in this state: a few bytes each, whatever stands on the board. */
export const idsIn = async (
  repairs: Queue,
  state: 'failed' | 'delayed',
): Promise<ReadonlySet<string>> => new Set(await repairs.getRanges([state], 0, -1));

/** Those of a run's chunks that are among these names. */
export const idsOf = ({ id, chunks }: RunRecord, among: ReadonlySet<string>): string[] =>
  Array.from({ length: chunks }, (_, at) => chunkId(id, at + 1)).filter((one) => among.has(one));

/** The jobs of these names, page by page. */
export async function* jobsOf(repairs: Queue, ids: readonly string[]): AsyncGenerator<Job[]> {
  for (const page of pagesOf(ids)) {
    const jobs = await Promise.all(page.map((id) => repairs.getJob(id)));
    // One may vanish between its listing and its reading.
    yield jobs.filter((job) => job !== undefined);
  }
}

/** Tries them again; one that somebody else has taken up meanwhile is left to him. Answers with those that were. */
export async function retryAll(jobs: readonly Job[]): Promise<Job[]> {
  const retried: Job[] = [];
  for (const page of pagesOf(jobs)) {
    const tried = await Promise.allSettled(page.map((job) => job.retry('failed')));
    retried.push(...page.filter((_, at) => tried[at]?.status === 'fulfilled'));
  }
  return retried;
}

function* pagesOf<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += A_PAGE) yield all.slice(at, at + A_PAGE);
}
