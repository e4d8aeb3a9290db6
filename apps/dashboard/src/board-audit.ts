import type { BoardRequest } from './board-actions.ts';
import { jobTitle } from './job-title.ts';

/** Longer texts in an audit line are cut: addresses are given by whoever asks. */
const TEXT_MOST = 200;

/** The word for a write: the last one of its route that is no parameter, `retry`, `update-data`. */
export const actionOf = (route: string): string =>
  route
    .split('/')
    .filter((part) => part !== '' && !part.startsWith(':'))
    .at(-1) ?? 'write';

/** What a write is about, for people: `repairs: dr → primary · bigip-07 · 13:00–14:00 (chunk-…)`. */
export async function subjectOf({ params, queues }: BoardRequest, nowMs: number): Promise<string> {
  const { queueName, jobId, queueStatus, schedulerId } = params;
  if (queueName === undefined) return 'all queues';
  const job = jobId === undefined ? undefined : await queues.get(queueName)?.getJob(jobId);
  const title = job ? jobTitle(job.toJSON(), nowMs) : undefined;
  const about =
    jobId === undefined ? (schedulerId ?? (queueStatus && `all ${queueStatus} jobs`)) : jobId;
  const detail = title === undefined ? about : `${title} (${jobId})`;
  return shortened(detail === undefined ? queueName : `${queueName}: ${detail}`);
}

/** How many jobs a retry of all has put back; undefined where the answer does not say so. */
export function retriedCount(body: unknown): number | undefined {
  if (typeof body !== 'object' || body === null || !('retried' in body)) return undefined;
  return typeof body.retried === 'number' ? body.retried : undefined;
}

/** `done`, or what the board answered instead. */
export function resultOf(status: number, body: unknown): string {
  if (status < 400) return 'done';
  const key = errorKeyOf(body);
  return shortened(`failed: ${key ?? `the board answered ${status}`}`);
}

/** The board names its errors by keys such as `ERRORS.JOB_NOT_FOUND`, or repeats the words of an error. */
function errorKeyOf(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null || !('error' in body)) return undefined;
  const { error } = body;
  if (typeof error === 'string') return error;
  const isNamed = typeof error === 'object' && error !== null && 'key' in error;
  if (!isNamed || typeof error.key !== 'string') return undefined;
  return error.key
    .replace(/^ERRORS\./, '')
    .replaceAll('_', ' ')
    .toLowerCase();
}

export function shortened(text: string): string {
  const clean = text.replaceAll(/\p{C}+/gu, ' ');
  return clean.length > TEXT_MOST ? `${clean.slice(0, TEXT_MOST - 1)}…` : clean;
}
