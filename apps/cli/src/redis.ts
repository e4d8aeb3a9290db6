import { userInfo } from 'node:os';
import { errorText } from '@vm-sync/core';
import {
  AuditStore,
  CertificateStore,
  connect,
  DutyStore,
  openQueue,
  PaceStore,
  Store,
} from '@vm-sync/queue';
import { type Config, secretsOf, withoutSecrets } from '@vm-sync/runtime';
import type { Queue } from 'bullmq';

/** What commands find in Redis. */
export interface Desk {
  readonly store: Store;
  readonly paces: PaceStore;
  readonly dutyStore: DutyStore;
  readonly certificates: CertificateStore;
  readonly checks: Queue;
  readonly repairs: Queue;
  /** Does what a person asked for, and leaves a line in the audit log, also when it is refused. */
  noted<T>(action: string, what: string, act: (who: string) => Promise<T>): Promise<T>;
}

/** Runs an action with Redis, within seconds or not at all. */
export async function withRedis<T>(config: Config, act: (desk: Desk) => Promise<T>): Promise<T> {
  const connection = connect(config.redisUrl, 'brief');
  // The error of the request itself says it better.
  connection.on('error', () => {});
  const queues: Queue[] = [];
  try {
    // Before any queue is opened: BullMQ waits without end for a Redis that is away.
    await connection.ping().catch((error: Error) => {
      throw new Error(
        `Redis cannot be reached (REDIS_URL): ${error.message}; start it, or mend REDIS_URL`,
      );
    });
    const store = new Store(connection, () => {});
    const paces = new PaceStore(connection);
    const dutyStore = new DutyStore(connection);
    const certificates = new CertificateStore(connection);
    const checks = openQueue('checks', connection);
    const repairs = openQueue('repairs', connection);
    queues.push(checks, repairs);
    for (const queue of queues) queue.on('error', () => {});
    const noted = notedIn(new AuditStore(connection), secretsOf(config));
    return await act({ store, paces, dutyStore, certificates, checks, repairs, noted });
  } finally {
    await Promise.allSettled(queues.map((queue) => queue.close()));
    connection.disconnect();
  }
}

function notedIn(audit: AuditStore, secrets: readonly string[]): Desk['noted'] {
  return async (action, what, act) => {
    const who = userName();
    // What was done is done, also when no line can be written about it.
    const note = (result: string) =>
      audit.add({ atMs: Date.now(), who, by: 'command', action, what, result }).catch(() => {});
    try {
      const done = await act(who);
      await note('done');
      return done;
    } catch (error) {
      await note(withoutSecrets(errorText(error), secrets));
      throw error;
    }
  };
}

/** A container's user may have no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? '?'}`;
  }
}
