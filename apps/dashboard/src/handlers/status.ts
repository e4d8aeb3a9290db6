import {
  conflictText,
  pinAt,
  shownPace,
  shownSurplus,
  surplusSentence,
  totalConflicts,
} from '@vm-sync/core';
import { loadProgress, readiness, type Status } from '@vm-sync/queue';
import type { Context } from '../context.ts';
import type { Handler } from '../http/serve.ts';

/** The last check's status (nothing of it before the first), what may be said of READY now, and what is under way. */
export const showStatus =
  ({ config, store, paces, dutyStore }: Context): Handler =>
  async () => {
    const status = await store.loadStatus();
    const nowMs = Date.now();
    const { ready, reasons } = readiness(status, undefined, nowMs);
    const stale = status === undefined || nowMs > status.validUntilMs;
    const state = await store.loadState();
    const progress = await loadProgress(store, state, nowMs);
    const pin = pinAt(state?.pin ?? null, nowMs);
    const pace = shownPace(await paces.current(config.paceLimits));
    const duty = (await dutyStore.loadView()) ?? null;
    const beside = status && besideReady(status, config.syncDirection === 'both');
    const verdict = { readiness: { ready, reasons, stale }, ...beside };
    const body = { ...status, ...verdict, pin, pace, duty, ...progress };
    return { status: 200, body };
  };

/** What keeps no READY away by itself: what only the passive site has, and values that differ; null where there is none. */
function besideReady({ state }: Status, isBoth: boolean) {
  const surplus = shownSurplus(state);
  const conflicts = totalConflicts(state.conflicts);
  return {
    surplus: surplus ? { ...surplus, sentence: surplusSentence(state, isBoth) } : null,
    conflicts: conflicts.samples > 0 ? { ...conflicts, sentence: conflictText(conflicts) } : null,
    reconcile: state.reconcile,
  };
}
