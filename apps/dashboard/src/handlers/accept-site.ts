import { AcceptRequest, askToAccept } from '@vm-sync/queue';
import type { Context } from '../context.ts';
import type { Handler } from '../http/serve.ts';

/** A person confirms that the VM at a site is the right one, whatever markers it carries; the next check marks it. */
export const acceptSite =
  ({ queues }: Context): Handler =>
  async ({ body }) => {
    const wish = AcceptRequest.safeParse(body ?? {});
    if (!wish.success) {
      return { status: 400, body: { error: 'expected site: primary or dr, as JSON or a form' } };
    }
    await askToAccept(queues.checks, wish.data.site);
    return { status: 202, body: wish.data };
  };
