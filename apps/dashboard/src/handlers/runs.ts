import { progressOf } from '@vm-sync/core';
import { loadProgress, planOf, type RunRecord } from '@vm-sync/queue';
import type { Context } from '../context.ts';
import type { Handler } from '../http/serve.ts';

/** As many as the store keeps. */
const MOST_RUNS = 200;

/** The known runs, newest first; those that have not ended with their progress. */
export const listRuns =
  ({ store }: Context): Handler =>
  async () => {
    const [runs, unfinished] = await Promise.all([
      store.listRuns(MOST_RUNS),
      loadProgress(store, undefined, Date.now()),
    ]);
    const progress = new Map(unfinished.runs.map((one) => [one.run.id, one.progress]));
    const body = { runs: runs.map((run) => ({ ...run, progress: progress.get(run.id) ?? null })) };
    return { status: 200, body };
  };

export const showRun =
  ({ store }: Context): Handler =>
  async ({ params }) => {
    const run = await store.loadRun(params['id'] ?? '');
    if (!run) {
      const error = 'there is no such run, or it is too old to be remembered';
      return { status: 404, body: { error } };
    }
    return { status: 200, body: { ...run, progress: await progressNow(store, run) } };
  };

/** Null when the run has ended: then its record says what it copied. */
async function progressNow(store: Context['store'], run: RunRecord) {
  if (run.state !== 'open' && run.state !== 'paused') return null;
  return progressOf(planOf([run]), await store.finishedChunks(run.id), Date.now());
}
