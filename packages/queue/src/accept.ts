import type { Site } from '@vm-sync/core';
import type { Queue } from 'bullmq';
import { BACKFILL_OPTIONS } from './queues.ts';
import type { AcceptOrder } from './schemas.ts';

/** Tells the scheduler that the VM at a site is the right one, whatever markers it carries; the next check marks it. */
export async function askToAccept(checks: Queue, site: Site): Promise<void> {
  await checks.add('accept', { site } satisfies AcceptOrder, BACKFILL_OPTIONS);
}
