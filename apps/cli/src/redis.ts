import { AuditStore, connect, DutyStore, openQueue, PaceStore, Store } from '@vm-sync/queue';
import type { Config } from '@vm-sync/runtime';
import type { Queue } from 'bullmq';

/** Runs an action with Redis, within seconds or not at all. */
export async function withRedis<T>(
  config: Config,
  act: (parts: {
    store: Store;
    paces: PaceStore;
    dutyStore: DutyStore;
    audit: AuditStore;
    checks: Queue;
    repairs: Queue;
  }) => Promise<T>,
): Promise<T> {
  const connection = connect(config.redisUrl, 'brief');
  // The error of the request itself says it better.
  connection.on('error', () => {});
  const queues: Queue[] = [];
  try {
    // Before any queue is opened: BullMQ waits without end for a Redis that is away.
    await connection.ping().catch((error: Error) => {
      throw new Error(`Redis cannot be reached (REDIS_URL): ${error.message}`);
    });
    const store = new Store(connection, () => {});
    const paces = new PaceStore(connection);
    const dutyStore = new DutyStore(connection);
    const audit = new AuditStore(connection);
    const checks = openQueue('checks', connection);
    const repairs = openQueue('repairs', connection);
    queues.push(checks, repairs);
    for (const queue of queues) queue.on('error', () => {});
    return await act({ store, paces, dutyStore, audit, checks, repairs });
  } finally {
    await Promise.allSettled(queues.map((queue) => queue.close()));
    connection.disconnect();
  }
}
