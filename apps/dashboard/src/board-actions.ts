import type { Person } from './http/person.ts';

/** The part of a board request that is judged. */
export interface BoardRequest {
  readonly params: Readonly<Record<string, string | undefined>>;
  readonly queues: ReadonlyMap<string, { getJob(id: string): Promise<JobLike | null | undefined> }>;
}

interface JobLike {
  getState(): Promise<string>;
  toJSON(): { readonly name: string; readonly data: unknown };
}

/** The writes that are open, by the board's own route; a route that is not listed is closed, also one of a later board. */
export const OPEN_WRITES: ReadonlySet<string> = new Set([
  'put /api/queues/pause',
  'put /api/queues/resume',
  'put /api/queues/:queueName/pause',
  'put /api/queues/:queueName/resume',
  'put /api/queues/:queueName/promote',
  'put /api/queues/:queueName/:jobId/promote',
  'put /api/queues/:queueName/retry/:queueStatus',
  'put /api/queues/:queueName/:jobId/retry',
]);

export const CLOSED =
  'closed here: vm-sync plans, removes and settles its jobs by itself; retry, promote, pause and resume are open';
const ONLY_FAILED = 'only failed jobs are retried: what succeeded must not be counted twice';
const ONLY_LOOKING = 'viewers may only look: log in as an operator to change anything';

/** Undefined when this person may do this on the board, else the sentence that refuses it. */
export async function judgeBoardAction(
  person: Person,
  method: string,
  route: string,
  request: BoardRequest,
): Promise<string | undefined> {
  if (person.role !== 'operator') return ONLY_LOOKING;
  const action = `${method} ${route}`;
  if (!OPEN_WRITES.has(action)) return CLOSED;
  if (action === 'put /api/queues/:queueName/retry/:queueStatus') {
    return request.params['queueStatus'] === 'failed' ? undefined : ONLY_FAILED;
  }
  if (action === 'put /api/queues/:queueName/:jobId/retry') return judgeRetry(request);
  return undefined;
}

async function judgeRetry({ params, queues }: BoardRequest): Promise<string | undefined> {
  const job = await queues.get(params['queueName'] ?? '')?.getJob(params['jobId'] ?? '');
  return job && (await job.getState()) === 'completed' ? ONLY_FAILED : undefined;
}
