import { type Config, createLogger, type Logger, secretsOf } from '@vm-sync/runtime';
import { startScheduler } from '@vm-sync/scheduler';
import { startWorker } from '@vm-sync/worker';
import { forecastBackfill } from '../forecast-backfill.ts';
import { forecastReconcile } from '../forecast-reconcile.ts';
import { EXIT, type ExitCode } from '../output.ts';

const PROCESSES = {
  scheduler: startScheduler,
  worker: startWorker,
  dashboard: async (config: Config, log: Logger) => {
    // Loaded by those who show it only: it costs a worker 30 MB (measured).
    const { startDashboard } = await import('@vm-sync/dashboard');
    return startDashboard(config, log, {
      backfill: (range) => forecastBackfill(config, range),
      reconcile: () => forecastReconcile(config),
    });
  },
};

type ProcessName = keyof typeof PROCESSES;

/** A process that has not ended by then is ended: its jobs are safe to run again. */
const PATIENCE_MS = 25_000;

/** Runs processes until a signal comes, then ends them in good order. */
export const serve =
  (names: readonly ProcessName[]) =>
  async (config: Config): Promise<ExitCode> => {
    const logOf = (name: string) =>
      createLogger(config.logLevel, name, secretsOf(config), config.logFormat);
    const stopped = new Promise<string>((resolve) => {
      process.once('SIGTERM', () => resolve('SIGTERM'));
      process.once('SIGINT', () => resolve('SIGINT'));
    });
    const running: { close(): Promise<void> }[] = [];
    const start = async () => {
      for (const name of names) running.push(await PROCESSES[name](config, logOf(name)));
    };
    const signal = await Promise.race([start().then(() => stopped), stopped]);
    logOf(names.join('+')).info({ signal }, `${signal}: stopping`);
    setTimeout(() => process.exit(EXIT.fine), PATIENCE_MS).unref();
    await Promise.all(running.map((one) => one.close()));
    // A start that was cut short may still hold a connection that keeps the process alive.
    setTimeout(() => process.exit(EXIT.fine), 1_000).unref();
    return EXIT.fine;
  };
