import type { Context } from '../context.ts';
import type { Handler } from '../http/serve.ts';

/** As many as the store keeps. */
const MOST_RUNS = 200;

/** The known runs, newest first. */
export const listRuns =
  ({ store }: Context): Handler =>
  async () => ({ status: 200, body: { runs: await store.listRuns(MOST_RUNS) } });

export const showRun =
  ({ store }: Context): Handler =>
  async ({ params }) => {
    const run = await store.loadRun(params['id'] ?? '');
    return run
      ? { status: 200, body: run }
      : { status: 404, body: { error: 'there is no such run, or it is too old to be remembered' } };
  };
