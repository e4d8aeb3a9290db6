import type { Site } from '@vm-sync/core';
import { readiness } from '@vm-sync/queue';
import { Afresh } from '../afresh.ts';
import type { Context } from '../context.ts';
import type { Handler } from '../http/serve.ts';

/**
 * 200 only when the site is proven to hold everything that the other one has: for load balancers and scripts, which may ask very
 * often. Each is answered by a status that was read after it asked.
 */
export const parity = ({ store }: Context, site: Site): Handler => {
  const status = new Afresh(() => store.loadStatus());
  return async () => {
    const { ready, reasons } = readiness(await status.get(), site, Date.now());
    if (ready) return { status: 200, body: `${site} is proven complete\n` };
    return { status: 503, body: `${site} is not proven complete: ${reasons.join('; ')}\n` };
  };
};
