import type { BackfillForecast, BackfillRange, ReconcileForecast } from '@vm-sync/core';
import {
  AuditStore,
  CertificateStore,
  CHECK_OPTIONS,
  CheckHistoryStore,
  connect,
  DutyStore,
  GapMapStore,
  KitStore,
  PaceStore,
  PREFIX,
  QUEUE_NAMES,
  QUEUES,
  type QueueName,
  Store,
  Totals,
} from '@vm-sync/queue';
import { type Config, type Logger, secretsOf, watchRedis, withoutSecrets } from '@vm-sync/runtime';
import { Queue } from 'bullmq';
import { oncePer } from './once-per.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { loadOverview, type Overview } from './overview.ts';
import { Shared } from './shared.ts';

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
  readonly totals: Totals;
  readonly paces: PaceStore;
  readonly dutyStore: DutyStore;
  readonly audit: AuditStore;
  readonly certificates: CertificateStore;
  readonly gapMaps: GapMapStore;
  readonly checkHistory: CheckHistoryStore;
  /** What the status page shows; for a second the same for all open pages. */
  readonly overview: Shared<Overview>;
  readonly kits: KitStore;
  readonly queues: Readonly<Record<QueueName, Queue>>;
  readonly forecasts: Forecasts;
}

const LOG_EVERY_MS = 60_000;
const SHARED_MS = 1_000;

export function openContext(config: Config, log: Logger, asked: Forecasts): Context {
  const forecasts = {
    backfill: oneAtATime(asked.backfill),
    reconcile: oneAtATime(asked.reconcile),
  };
  const redis = connect(config.redisUrl, 'brief');
  const secrets = secretsOf(config);
  const complain = oncePer(LOG_EVERY_MS, (message: string) =>
    log.warn(withoutSecrets(message, secrets)),
  );
  const watch = watchRedis(redis, log);
  const store = new Store(redis, complain);
  const queues = Object.fromEntries(
    QUEUE_NAMES.map((name) => [name, openQueue(name, redis, watch)]),
  ) as Record<QueueName, Queue>;
  const totals = new Totals(redis);
  const paces = new PaceStore(redis);
  const dutyStore = new DutyStore(redis);
  const audit = new AuditStore(redis);
  const certificates = new CertificateStore(redis);
  const gapMaps = new GapMapStore(redis);
  const checkHistory = new CheckHistoryStore(redis);
  const kits = new KitStore(redis);
  const stores = {
    store,
    totals,
    paces,
    dutyStore,
    audit,
    kits,
    certificates,
    gapMaps,
    checkHistory,
  };
  const overview = new Shared(SHARED_MS, () => loadOverview(parts, Date.now()));
  const parts = { config, queues, ...stores };
  return { ...parts, log, redis, overview, forecasts };
}

/**
 * A queue that can be opened while Redis is away. BullMQ otherwise waits for the connection without end and, when its
 * first INFO fails, answers every later call with that one failure.
 */
function openQueue(
  name: QueueName,
  connection: Context['redis'],
  watch: ReturnType<typeof watchRedis>,
): Queue {
  const queue = new Queue(QUEUES[name], {
    connection,
    prefix: PREFIX,
    skipVersionCheck: true,
    skipWaitingForReady: true,
    skipMetasUpdate: true,
    ...(name === 'checks' ? { defaultJobOptions: CHECK_OPTIONS } : {}),
  });
  watch(queue);
  return queue;
}

export async function closeContext({ queues, redis }: Context): Promise<void> {
  await Promise.allSettled(Object.values(queues).map((queue) => queue.close()));
  await redis.quit().catch(() => undefined);
  redis.disconnect();
}
