import { QUEUES, type QueueName } from '@vm-sync/queue';

export const runHref = (runId: string): string => `/runs/${encodeURIComponent(runId)}`;

/** A job's page on the board. */
export const jobHref = (queue: QueueName, jobId: string): string =>
  `/queues/queue/${QUEUES[queue]}/${encodeURIComponent(jobId)}`;

/** An action's confirmation, with what it is about. */
export const actionHref = (name: string, fields: Readonly<Record<string, string>> = {}): string => {
  const query = new URLSearchParams(fields).toString();
  return `/actions/${name}${query === '' ? '' : `?${query}`}`;
};
