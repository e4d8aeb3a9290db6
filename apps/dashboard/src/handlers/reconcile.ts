import {
  askToReconcile,
  askToStopReconcile,
  ReconcileRefusedError,
  ReconcileRequest,
} from '@vm-sync/queue';
import type { Context } from '../context.ts';
import type { Answer, Handler } from '../http/serve.ts';
import { dryRunAnswer } from '../one-at-a-time.ts';

/** Asks for what only the passive site has to be recovered once, or says as a dry run what that would copy. */
export const startReconcile =
  ({ config, forecasts, store, queues }: Context): Handler =>
  ({ body, person }) =>
    refusing(async () => {
      const wish = ReconcileRequest.safeParse(body ?? {});
      if (!wish.success) {
        return { status: 400, body: { error: 'expected nothing but dryRun, as JSON or a form' } };
      }
      if (wish.data.dryRun) return await dryRunAnswer(forecasts.reconcile);
      const desk = { store, checks: queues.checks };
      const asked = await askToReconcile(desk, config.syncDirection, Date.now(), person.name);
      return { status: 202, body: asked };
    });

export const stopReconcile =
  ({ store, queues }: Context): Handler =>
  ({ person }) =>
    refusing(async () => {
      await askToStopReconcile({ store, checks: queues.checks }, person.name);
      return { status: 202, body: { change: 'cancel' } };
    });

/** A wish that cannot be fulfilled now is in conflict with how things stand. */
async function refusing(act: () => Promise<Answer>): Promise<Answer> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof ReconcileRefusedError)) throw error;
    return { status: 409, body: { error: error.message } };
  }
}
