import { pinAt, removePin, setPin } from '@vm-sync/core';
import type { PinOrder } from '@vm-sync/queue';
import { requestCheck } from './check.ts';
import type { SchedulerContext } from './context.ts';
import { emit } from './tell.ts';

/** The `pin` job: puts an operator's word about the direction into the state, or takes it out. Safe to run twice. */
export async function runPin(context: SchedulerContext, order: PinOrder): Promise<string> {
  const { memory } = context;
  const { state } = await memory.load();
  if (order.action === 'pin' && !pinAt(order.pin, Date.now())) {
    return 'the pin had ended before it could be set; nothing was changed';
  }
  const step = order.action === 'pin' ? setPin(state, order.pin) : removePin(state);
  for (const event of step.events) await emit(context, event);
  await memory.save(step.state);
  await requestCheck(context, 'operator');
  return describe(order, step.events.length > 0);
}

function describe(order: PinOrder, changed: boolean): string {
  if (order.action === 'unpin') return changed ? 'pin removed' : 'nothing was pinned';
  return `pinned to ${order.pin.site} until ${new Date(order.pin.untilMs).toISOString()}`;
}
