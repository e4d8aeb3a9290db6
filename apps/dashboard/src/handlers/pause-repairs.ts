import type { Context } from '../context.ts';
import type { Handler } from '../http/serve.ts';
import { operator } from '../operator.ts';

/** No worker takes a further chunk; those under way are finished. Checks go on. */
export const pauseRepairs =
  ({ config, queues, log }: Context): Handler =>
  async () => {
    await queues.repairs.pause();
    log.info({ who: operator(config) }, 'repairs paused');
    return { status: 200, body: { paused: true } };
  };

export const resumeRepairs =
  ({ config, queues, log }: Context): Handler =>
  async () => {
    await queues.repairs.resume();
    log.info({ who: operator(config) }, 'repairs resumed');
    return { status: 200, body: { paused: false } };
  };
