import { CHECK_OPTIONS, CheckOrder } from '@vm-sync/queue';
import type { Context } from '../context.ts';
import type { Handler } from '../http/serve.ts';

/** Asks for a check now; asking again before it has ended names the same job. */
export const startCheck =
  ({ queues }: Context): Handler =>
  async ({ person }) => {
    const order = CheckOrder.parse({ cause: 'operator', who: person.name });
    const job = await queues.checks.add('check-gaps', order, {
      ...CHECK_OPTIONS,
      deduplication: { id: 'operator-check' },
    });
    return { status: 202, body: { jobId: job.id } };
  };
