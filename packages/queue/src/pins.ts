import type { Pin } from '@vm-sync/core';
import type { Queue } from 'bullmq';
import { BACKFILL_OPTIONS } from './queues.ts';
import type { PinOrder } from './schemas.ts';

/** Asks the scheduler to pin the direction. It is put before every check that waits. */
export async function askForPin(checks: Queue, pin: Pin): Promise<void> {
  await checks.add('pin', { action: 'pin', pin } satisfies PinOrder, BACKFILL_OPTIONS);
}

/** Asks the scheduler to end a pin, if there is one. */
export async function askForUnpin(checks: Queue): Promise<void> {
  await checks.add('pin', { action: 'unpin' } satisfies PinOrder, BACKFILL_OPTIONS);
}
