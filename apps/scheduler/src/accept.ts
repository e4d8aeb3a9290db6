import { acceptSite } from '@vm-sync/core';
import type { AcceptOrder } from '@vm-sync/queue';
import { requestCheck } from './check.ts';
import type { SchedulerContext } from './context.ts';

/**
 * The `accept` job: a person says that the VM at a site is the right one. The next check marks it, unless both URLs lead
 * to one server. Safe to run twice.
 */
export async function runAccept(context: SchedulerContext, { site }: AcceptOrder): Promise<string> {
  const { memory, log } = context;
  const { state } = await memory.load();
  await memory.save({ ...state, identity: acceptSite(state.identity, site) });
  await requestCheck(context, 'operator');
  const text = `${site}'s VM is accepted: the next check marks it`;
  log.info({ site }, text);
  return text;
}
