import { askToCancelRun, CancelRefusedError } from '@vm-sync/queue';
import type { Context } from '../context.ts';
import type { Handler } from '../http/serve.ts';

/** Asks the scheduler to end a run; what it has copied stays. */
export const cancelRun =
  ({ store, queues }: Context): Handler =>
  async ({ params, person }) => {
    const id = params['id'] ?? '';
    if (!(await store.loadRun(id))) {
      const error = 'there is no such run, or it is too old to be remembered';
      return { status: 404, body: { error } };
    }
    try {
      await askToCancelRun({ store, checks: queues.checks }, id, person.name);
      return { status: 202, body: { id, change: 'cancel' } };
    } catch (error) {
      if (!(error instanceof CancelRefusedError)) throw error;
      return { status: 409, body: { error: error.message } };
    }
  };
