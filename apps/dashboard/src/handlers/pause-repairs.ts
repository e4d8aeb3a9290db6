import type { Context } from '../context.ts';
import type { Handler } from '../http/serve.ts';

/** No worker takes a further chunk; those under way are finished. Checks go on. */
export const pauseRepairs =
  ({ queues, log }: Context): Handler =>
  async ({ person }) => {
    await queues.repairs.pause();
    log.info({ who: person.name }, 'repairs paused');
    return { status: 200, body: { paused: true } };
  };

export const resumeRepairs =
  ({ queues, log }: Context): Handler =>
  async ({ person }) => {
    await queues.repairs.resume();
    log.info({ who: person.name }, 'repairs resumed');
    return { status: 200, body: { paused: false } };
  };
