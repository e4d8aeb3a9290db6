import type { Context } from '../context.ts';
import type { Handler } from '../http/serve.ts';

/** The last checks, newest first. */
export const listChecks =
  ({ checkHistory }: Context): Handler =>
  async () => ({ status: 200, body: { checks: await checkHistory.list() } });
