import { connect, openQueue, Store } from '@vm-sync/queue';
import type { Config } from '@vm-sync/runtime';
import type { Queue } from 'bullmq';

/** Runs an action with Redis, within seconds or not at all. */
export async function withRedis<T>(
  config: Config,
  act: (parts: { store: Store; checks: Queue; repairs: Queue }) => Promise<T>,
): Promise<T> {
  const connection = connect(config.redisUrl, 'brief');
  // The error of the request itself says it better.
  connection.on('error', () => {});
  const store = new Store(connection, () => {});
  const checks = openQueue('checks', connection);
  const repairs = openQueue('repairs', connection);
  for (const queue of [checks, repairs]) queue.on('error', () => {});
  try {
    await connection.ping().catch((error: Error) => {
      throw new Error(`Redis cannot be reached (REDIS_URL): ${error.message}`);
    });
    return await act({ store, checks, repairs });
  } finally {
    await Promise.allSettled([checks.close(), repairs.close()]);
    connection.disconnect();
  }
}
