import { type SyncEvent, tell } from '@vm-sync/core';
import { NOTIFY_OPTIONS, type NotifyOrder } from '@vm-sync/queue';
import type { SchedulerContext } from './context.ts';

/** One event becomes its log line, its row on the status page, and its message, all in the same words. */
export async function emit(
  context: Pick<SchedulerContext, 'config' | 'log' | 'notifications' | 'store'>,
  event: SyncEvent,
): Promise<void> {
  const { severity, text, notify } = tell(event);
  const atMs = Date.now();
  context.log[severity]({ event: event.kind, ...idsIn(event) }, text);
  const record: NotifyOrder = { kind: event.kind, severity, text, atMs };
  await context.store.addEvent(record);
  if (notify && context.config.notify) {
    await context.notifications.add('notify', record, NOTIFY_OPTIONS);
  }
}

/** The backfill or reconcile that an event is about. */
function idsIn(event: SyncEvent): Record<string, string> {
  if (!('id' in event)) return {};
  return { [event.kind.startsWith('backfill-') ? 'backfillId' : 'reconcileId']: event.id };
}
