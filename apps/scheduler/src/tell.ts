import { noticeOf, type SyncEvent, tell } from '@vm-sync/core';
import type { SchedulerContext } from './context.ts';
import { sendNotice } from './notify.ts';

/**
 * One event becomes its log line, its row on the status page, and its message, all in the same words. A message is not
 * sent when the event may be over at the next check (it is held back), or when `isKnown`: people believe it already.
 */
export async function emit(
  context: Pick<SchedulerContext, 'config' | 'log' | 'notifications' | 'store'>,
  event: SyncEvent,
  { isKnown = false }: { readonly isKnown?: boolean } = {},
): Promise<void> {
  const notice = noticeOf(event, Date.now());
  const { kind, severity, text, todo, atMs } = notice;
  context.log[severity]({ event: kind, ...idsIn(event) }, text);
  await context.store.addEvent({ kind, severity, text, todo, atMs });
  if (tell(event).notify === true && !isKnown) await sendNotice(context, notice);
}

/** The backfill or reconcile that an event is about. */
function idsIn(event: SyncEvent): Record<string, string> {
  if (!('id' in event)) return {};
  return { [event.kind.startsWith('backfill-') ? 'backfillId' : 'reconcileId']: event.id };
}
