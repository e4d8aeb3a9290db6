import { connect, DutyStore, openQueue, PaceStore, PREFIX, Store, Totals } from '@vm-sync/queue';
import type { Config, Logger } from '@vm-sync/runtime';
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
  readonly duty: Duty;
  readonly memory: Memory;
  readonly twinsAtStart: TwinsAtStart;
  readonly runs: Runs;
  readonly checks: Queue;
  readonly repairs: Queue;
  readonly notifications: Queue;
  /** For the workers of this process. */
  readonly connection: ReturnType<typeof connect>;
  close(): Promise<void>;
}

export function createContext(config: Config, log: Logger): SchedulerContext {
  const connection = connect(config.redisUrl, 'endless');
  quietly(connection, log);
  const store = new Store(connection, (message) => log.error(message));
  const checks = openQueue('checks', connection);
  const repairs = openQueue('repairs', connection);
  const notifications = openQueue('notifications', connection);
  const flows = new FlowProducer({ connection, prefix: PREFIX });
  for (const part of [checks, repairs, notifications, flows]) quietly(part, log);
  const databases = openDatabases(config.vm);
  const parts = {
    config,
    log,
    databases,
    store,
    totals: new Totals(connection),
    paces: new PaceStore(connection),
    dutyStore: new DutyStore(connection),
    memory: new Memory(store, config.stateFile, log),
    twinsAtStart: new TwinsAtStart(),
    runs: new Runs(store, checks, repairs, flows),
    checks,
    repairs,
    notifications,
    connection,
    async close() {
      await Promise.all([checks.close(), repairs.close(), notifications.close(), flows.close()]);
      await Promise.all([databases.primary.close(), databases.dr.close()]);
      connection.disconnect();
    },
  };
  return { ...parts, duty: new Duty(parts) };
}

/** Listeners repeat a lost connection many times a second; one line in ten seconds is enough to know. */
const ERROR_EVERY_MS = 10_000;

/** Redis being away is an event, not a crash: clients reconnect by themselves. */
function quietly(
  emitter: { on(event: 'error', listener: (error: Error) => void): unknown },
  log: Logger,
): void {
  let toldMs = 0;
  emitter.on('error', (error) => {
    if (Date.now() - toldMs < ERROR_EVERY_MS) return;
    toldMs = Date.now();
    log.warn({ err: error.message }, 'Redis cannot be reached; trying again until it can');
  });
}
