import type { Site } from '@vm-sync/core';
import { readiness } from '@vm-sync/queue';
import type { Context } from '../context.ts';
import type { Handler } from '../http/serve.ts';

/** 200 only when the site is proven to hold everything that the other one has: for load balancers and scripts. */
export const parity =
  ({ store }: Context, site: Site): Handler =>
  async () => {
    const { ready, reasons } = readiness(await store.loadStatus(), site, Date.now());
    if (ready) return { status: 200, body: `${site} is proven complete\n` };
    return { status: 503, body: `${site} is not proven complete: ${reasons.join('; ')}\n` };
  };
