import type { BackfillForecast, BackfillRange, ReconcileForecast } from '@vm-sync/core';
import {
  AuditStore,
  CHECK_OPTIONS,
  connect,
  DutyStore,
  PaceStore,
  PREFIX,
  QUEUE_NAMES,
  QUEUES,
  type QueueName,
  Store,
} from '@vm-sync/queue';
import { type Config, type Logger, secretsOf, withoutSecrets } from '@vm-sync/runtime';
import { Queue } from 'bullmq';
import { oncePer } from './once-per.ts';
import { oneAtATime } from './one-at-a-time.ts';

/** What would be copied; each rejects with a `VmSyncError` that says why it cannot be told. */
export interface Forecasts {
  readonly backfill: (range: BackfillRange) => Promise<BackfillForecast>;
  readonly reconcile: () => Promise<ReconcileForecast>;
}

/** What the handlers share. */
export interface Context {
  readonly config: Config;
  readonly log: Logger;
  readonly redis: ReturnType<typeof connect>;
  readonly store: Store;
  readonly paces: PaceStore;
  readonly dutyStore: DutyStore;
  readonly audit: AuditStore;
  readonly queues: Readonly<Record<QueueName, Queue>>;
  readonly forecasts: Forecasts;
}

const LOG_EVERY_MS = 60_000;

export function openContext(config: Config, log: Logger, asked: Forecasts): Context {
  const forecasts = {
    backfill: oneAtATime(asked.backfill),
    reconcile: oneAtATime(asked.reconcile),
  };
  const redis = connect(config.redisUrl, 'brief');
  const secrets = secretsOf(config);
  const complain = oncePer(LOG_EVERY_MS, (message: string) =>
    log.warn(`Redis: ${withoutSecrets(message, secrets)}`),
  );
  redis.on('error', (error: NodeJS.ErrnoException) => complain(error.message || `${error.code}`));
  const store = new Store(redis, complain);
  const queues = Object.fromEntries(
    QUEUE_NAMES.map((name) => [name, openQueue(name, redis, complain)]),
  ) as Record<QueueName, Queue>;
  const paces = new PaceStore(redis);
  const dutyStore = new DutyStore(redis);
  const audit = new AuditStore(redis);
  return { config, log, redis, store, paces, dutyStore, audit, queues, forecasts };
}

/**
 * A queue that can be opened while Redis is away. BullMQ otherwise waits for the connection without end and, when its
 * first INFO fails, answers every later call with that one failure.
 */
function openQueue(
  name: QueueName,
  connection: Context['redis'],
  complain: (message: string) => void,
): Queue {
  const queue = new Queue(QUEUES[name], {
    connection,
    prefix: PREFIX,
    skipVersionCheck: true,
    skipWaitingForReady: true,
    skipMetasUpdate: true,
    ...(name === 'checks' ? { defaultJobOptions: CHECK_OPTIONS } : {}),
  });
  queue.on('error', (error) => complain(error.message));
  return queue;
}

export async function closeContext({ queues, redis }: Context): Promise<void> {
  await Promise.allSettled(Object.values(queues).map((queue) => queue.close()));
  await redis.quit().catch(() => undefined);
  redis.disconnect();
}
