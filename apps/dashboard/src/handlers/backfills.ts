import { type BackfillChange, BackfillRefusedError, readBackfillWish } from '@vm-sync/core';
import { askForBackfill, askToChange, BackfillRequest, loadProgress } from '@vm-sync/queue';
import type { Context } from '../context.ts';
import type { Answer, Handler } from '../http/serve.ts';
import { dryRunAnswer } from '../one-at-a-time.ts';

/** The backfills that are remembered, the last one first, and how far they are. */
export const listBackfills =
  ({ store }: Context): Handler =>
  async () => {
    const { backfills } = await loadProgress(store, await store.loadState(), Date.now());
    return { status: 200, body: { backfills } };
  };

/** Asks for a backfill, or says as a dry run what it would copy. */
export const startBackfill =
  ({ config, dutyStore, forecasts, store, queues }: Context): Handler =>
  ({ body, person }) =>
    refusing(async () => {
      const wish = BackfillRequest.safeParse(body ?? {});
      if (!wish.success) {
        return refusal(
          400,
          'expected from, to, and if need be match and dryRun, as JSON or a form',
        );
      }
      const grid = { nowMs: Date.now(), settleMs: config.settleMs, stepMs: config.queryStepMs };
      const range = readBackfillWish(wish.data, grid);
      if (wish.data.dryRun) return await dryRunAnswer(() => forecasts.backfill(range));
      const desk = { store, checks: queues.checks, dutyStore };
      return { status: 202, body: await askForBackfill(desk, range, grid, person.name) };
    });

export const changeBackfill =
  ({ store, queues }: Context, change: BackfillChange): Handler =>
  ({ params, person }) =>
    refusing(async () => {
      const id = params['id'] ?? '';
      const state = await store.loadState();
      if (!state?.backfills.some((one) => one.id === id)) {
        return refusal(404, 'there is no such backfill, or it ended too long ago to be remembered');
      }
      await askToChange({ store, checks: queues.checks }, id, change, person.name);
      return { status: 202, body: { id, change } };
    });

const refusal = (status: number, error: string): Answer => ({ status, body: { error } });

/** A wish that makes no sense is a bad request; one that cannot be fulfilled now is in conflict with how things stand. */
async function refusing(act: () => Promise<Answer>): Promise<Answer> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof BackfillRefusedError)) throw error;
    return refusal(error.field === undefined ? 409 : 400, error.message);
  }
}
