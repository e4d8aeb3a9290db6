import { CHECK_OPTIONS, CheckOrder } from '@vm-sync/queue';
import type { Context } from '../context.ts';
import type { Handler } from '../http/serve.ts';

/** Asks for a check now; asking again before it has ended names the same job. */
export const startCheck =
  ({ queues, log }: Context): Handler =>
  async ({ person }) => {
    const order = CheckOrder.parse({ cause: 'operator' });
    const job = await queues.checks.add('check-gaps', order, {
      ...CHECK_OPTIONS,
      deduplication: { id: 'operator-check' },
    });
    log.info({ who: person.name, checkId: job.id }, 'check asked for');
    return { status: 202, body: { jobId: job.id } };
  };
