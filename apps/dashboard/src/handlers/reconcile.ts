import {
  askToReconcile,
  askToStopReconcile,
  ReconcileRefusedError,
  ReconcileRequest,
} from '@vm-sync/queue';
import type { Context } from '../context.ts';
import type { Answer, Handler } from '../http/serve.ts';
import { oneAtATime } from '../one-at-a-time.ts';

/** Asks for what only the passive site has to be recovered once, or says as a dry run what that would copy. */
export const startReconcile = (context: Context): Handler => {
  const dryRun = oneAtATime(context.forecasts.reconcile);
  return ({ body, person }) =>
    refusing(async () => {
      const { config, log, store, queues } = context;
      const wish = ReconcileRequest.safeParse(body ?? {});
      if (!wish.success) {
        return { status: 400, body: { error: 'expected nothing but dryRun, as JSON or a form' } };
      }
      if (wish.data.dryRun) return await dryRun();
      const desk = { store, checks: queues.checks };
      const asked = await askToReconcile(desk, config.syncDirection, Date.now());
      log.info({ who: person.name, reconcileId: asked.id }, 'reconcile asked for');
      return { status: 202, body: asked };
    });
};

export const stopReconcile =
  ({ log, store, queues }: Context): Handler =>
  ({ person }) =>
    refusing(async () => {
      await askToStopReconcile({ store, checks: queues.checks });
      log.info({ who: person.name }, 'end of a reconcile asked for');
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
