import {
  CertificateStore,
  connect,
  DutyStore,
  openQueue,
  PaceStore,
  PREFIX,
  Store,
  Totals,
} from '@vm-sync/queue';
import { type Config, type Logger, watchRedis } from '@vm-sync/runtime';
import { type Databases, openDatabases } from '@vm-sync/victoria-metrics';
import { FlowProducer, type Queue } from 'bullmq';
import { Duty } from './duty.ts';
import { Memory } from './memory.ts';
import { Runs } from './runs.ts';
import { TwinsAtStart } from './twins-at-start.ts';

/** The parts of a scheduler, joined. */
export interface SchedulerContext {
  readonly config: Config;
  readonly log: Logger;
  readonly databases: Databases;
  readonly store: Store;
  readonly totals: Totals;
  readonly paces: PaceStore;
  readonly dutyStore: DutyStore;
  readonly certificates: CertificateStore;
  readonly duty: Duty;
  readonly memory: Memory;
  readonly twinsAtStart: TwinsAtStart;
  readonly runs: Runs;
  readonly checks: Queue;
  readonly repairs: Queue;
  readonly notifications: Queue;
  /** For the workers of this process. */
  readonly connection: ReturnType<typeof connect>;
  /** Listens to a part that may notice that Redis is away. */
  readonly watch: ReturnType<typeof watchRedis>;
  close(): Promise<void>;
}

export function createContext(config: Config, log: Logger): SchedulerContext {
  const connection = connect(config.redisUrl, 'endless');
  const watch = watchRedis(connection, log);
  const store = new Store(connection, (message) => log.error(message));
  const checks = openQueue('checks', connection);
  const repairs = openQueue('repairs', connection);
  const notifications = openQueue('notifications', connection);
  const flows = new FlowProducer({ connection, prefix: PREFIX });
  for (const part of [checks, repairs, notifications, flows]) watch(part);
  const databases = openDatabases(config.vm);
  const parts = {
    config,
    log,
    databases,
    store,
    totals: new Totals(connection),
    paces: new PaceStore(connection),
    dutyStore: new DutyStore(connection),
    certificates: new CertificateStore(connection),
    memory: new Memory(store, config.stateFile, log),
    twinsAtStart: new TwinsAtStart(),
    runs: new Runs(store, checks, repairs, flows),
    checks,
    repairs,
    notifications,
    connection,
    watch,
    async close() {
      await Promise.all([checks.close(), repairs.close(), notifications.close(), flows.close()]);
      await Promise.all([databases.primary.close(), databases.dr.close()]);
      connection.disconnect();
    },
  };
  return { ...parts, duty: new Duty(parts) };
}
