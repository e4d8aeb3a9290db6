import { BackfillRefusedError, errorText, PinRefusedError, VmSyncError } from '@vm-sync/core';
import { NothingToConfirmError } from '../confirm/confirmation.ts';
import { ACTIONS, doneText } from '../confirm/confirmations.ts';
import type { Context } from '../context.ts';
import type { Answer, Handler } from '../http/serve.ts';
import { dryRunStatus } from '../one-at-a-time.ts';
import { loadOverview } from '../overview.ts';
import { actionsDocument } from '../page/actions-document.ts';
import { confirmDocument } from '../page/confirm-document.ts';
import { refusedDocument } from '../page/refused-document.ts';

const LINES_SHOWN = 10;

/** Everything that can be done, with how things stand. Viewers are shown no forms. */
export const actionsPage =
  (context: Context): Handler =>
  async ({ person, query }) => {
    const { audit, config, store } = context;
    const [overview, state, lines] = await Promise.all([
      loadOverview(context, Date.now()),
      store.loadState(),
      audit.list(LINES_SHOWN),
    ]);
    const body = actionsDocument({
      overview,
      state,
      lines,
      person,
      done: doneText(query),
      isBoth: config.syncDirection === 'both',
    });
    return { status: 200, body, type: 'text/html' };
  };

/** Says what an action would do, and asks. It changes nothing itself. */
export const confirmPage =
  (context: Context): Handler =>
  async ({ params, person, query }) => {
    const frame = { place: context.config.role, person };
    const page = (status: number, sentence: string): Answer => ({
      status,
      body: refusedDocument(sentence, frame),
      type: 'text/html',
    });
    const action = ACTIONS.get(params['name'] ?? '');
    if (!action) return page(404, 'there is no such action');
    if (person.role === 'viewer')
      return page(403, 'you are logged in as a viewer: actions need an operator');
    try {
      const confirmation = await action.confirm(context, query);
      return { status: 200, body: confirmDocument(confirmation, frame), type: 'text/html' };
    } catch (error) {
      const status = statusOf(error);
      if (status === undefined) throw error;
      return page(status, errorText(error));
    }
  };

/** Undefined for what nobody foresaw. */
function statusOf(error: unknown): number | undefined {
  if (error instanceof NothingToConfirmError) return error.status;
  if (error instanceof PinRefusedError) return 400;
  if (error instanceof BackfillRefusedError) return error.field === undefined ? 409 : 400;
  if (!(error instanceof VmSyncError)) return undefined;
  return error.kind === 'final' ? 409 : dryRunStatus(error);
}
