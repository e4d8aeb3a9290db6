import { readiness } from '@vm-sync/queue';
import type { Context } from '../context.ts';
import type { Handler } from '../http/serve.ts';

/** The last check's status (nothing of it before the first), and what may be said of READY now. */
export const showStatus =
  ({ store }: Context): Handler =>
  async () => {
    const status = await store.loadStatus();
    const nowMs = Date.now();
    const { ready, reasons } = readiness(status, undefined, nowMs);
    const stale = status === undefined || nowMs > status.validUntilMs;
    return { status: 200, body: { ...status, readiness: { ready, reasons, stale } } };
  };
