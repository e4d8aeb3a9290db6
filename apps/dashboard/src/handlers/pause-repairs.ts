import type { Context } from '../context.ts';
import type { Handler } from '../http/serve.ts';

/** No worker takes a further chunk; those under way are finished. Checks go on. */
export const pauseRepairs =
  ({ queues }: Context): Handler =>
  async () => {
    await queues.repairs.pause();
    return { status: 200, body: { paused: true } };
  };

export const resumeRepairs =
  ({ queues }: Context): Handler =>
  async () => {
    await queues.repairs.resume();
    return { status: 200, body: { paused: false } };
  };
