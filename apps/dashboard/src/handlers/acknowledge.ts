import { stuckId } from '@vm-sync/core';
import {
  AcknowledgeRefusedError,
  AcknowledgeRequest,
  askToAcknowledge,
  stuckGaps,
} from '@vm-sync/queue';
import type { Context } from '../context.ts';
import type { Handler } from '../http/serve.ts';

/** The stuck gaps with their names, for scripts that acknowledge them. */
export const listStuck =
  ({ store }: Context): Handler =>
  async () => {
    const stuck = (await stuckGaps(store)).map((gap) => ({ gap: stuckId(gap), ...gap }));
    return { status: 200, body: { stuck } };
  };

/** Asks the scheduler to remember that stuck gaps are known. */
export const acknowledge =
  ({ store, queues }: Context): Handler =>
  async ({ body, person }) => {
    const wish = AcknowledgeRequest.safeParse(body ?? {});
    if (!wish.success) {
      const error = 'expected gap: the name of a stuck gap (GET /api/stuck lists them), or all';
      return { status: 400, body: { error } };
    }
    try {
      const desk = { store, checks: queues.checks };
      const gaps = await askToAcknowledge(desk, wish.data.gap, person.name);
      return { status: 202, body: { acknowledged: gaps.map(stuckId) } };
    } catch (error) {
      if (!(error instanceof AcknowledgeRefusedError)) throw error;
      return { status: 409, body: { error: error.message } };
    }
  };
