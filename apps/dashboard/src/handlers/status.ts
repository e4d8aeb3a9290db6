import { shownPace } from '@vm-sync/core';
import { loadProgress, readiness } from '@vm-sync/queue';
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
    const progress = await loadProgress(store, await store.loadState(), nowMs);
    const pace = shownPace(await paces.current(config.paceLimits));
    const duty = (await dutyStore.loadView()) ?? null;
    const body = { ...status, readiness: { ready, reasons, stale }, pace, duty, ...progress };
    return { status: 200, body };
  };
