import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CHECK_OPTIONS, connect, openQueue, type Status, Store } from '@vm-sync/queue';
import {
  freePort,
  type RunningProcess,
  startProcess,
  startRedis,
  temporaryFolder,
  until,
} from '@vm-sync/testkit';
import { peakBytes, processorMs } from './memory.ts';

export interface VmSyncOptions {
  /** Base URLs of the active site's database and of the other one's. */
  readonly source: string;
  readonly destination: string;
  readonly queryWindowMs: number;
  readonly workers?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** What became of the check that was asked for, up to the proof that nothing is missing any more. */
export interface Repair {
  /** From the wish for a check until its last run was seen settled: detection, copying, verification. */
  readonly tookMs: number;
  /** From the wish until the first run began: detection alone. */
  readonly detectedMs: number;
  readonly runs: number;
  readonly chunks: number;
  readonly samplesCopied: number;
  readonly bytesCopied: number;
}

type Kind = 'scheduler' | 'worker' | 'dashboard';

export interface VmSync extends AsyncDisposable {
  /** Waits until the checks that come with a start have been made, whatever they found. */
  untilChecked(): Promise<Status>;
  /** Asks for a check and waits for what it found. */
  check(): Promise<Status>;
  /** Asks for a check, follows its runs until they are settled and a later check has found nothing missing. */
  repair(): Promise<Repair>;
  /** The most memory that a process of this kind has held so far; of several workers the biggest. */
  peakBytes(kind: Kind): number;
  /** The processor time of all processes of this kind so far. */
  processorMs(kind: Kind): number;
  /** Starts a dashboard beside them, once; answers with its URL. */
  startDashboard(): Promise<string>;
}

/** Long enough for what is slow; only what hangs is cut off. */
const PATIENCE_MS = 30 * 60_000;
const LOOK_EVERY_MS = 10;
/** As the image runs it: built, so that no process holds the memory of a compiler. */
const main = resolve(import.meta.dirname, '../../cli/dist/main.js');

/** Real processes as users start them, on a Redis of their own; only the checks that are asked for run. */
export async function startVmSync(options: VmSyncOptions): Promise<VmSync> {
  const ends = new AsyncDisposableStack();
  try {
    const redis = await startRedis({ appendonly: true });
    ends.defer(() => redis.kill());
    const folder = temporaryFolder('bench');
    const env = environment(options, folder, redis.url);
    const scheduler = await startRole('scheduler', 'scheduler', folder, env, ends);
    const workers = await Promise.all(
      Array.from({ length: options.workers ?? 1 }, (_, at) =>
        startRole('worker', `worker-${at + 1}`, folder, env, ends),
      ),
    );
    const processes: Record<Kind, RunningProcess[]> = {
      scheduler: [scheduler],
      worker: workers,
      dashboard: [],
    };
    const connection = connect(redis.url, 'brief');
    ends.defer(() => connection.disconnect());
    const store = new Store(connection, (message) => {
      throw new Error(message);
    });
    const checks = openQueue('checks', connection);
    ends.defer(() => checks.close());
    const ask = async (): Promise<number> => {
      const askedMs = Date.now();
      await checks.add('check-gaps', { cause: 'operator' }, CHECK_OPTIONS);
      return askedMs;
    };
    const told = <T>(wait: Promise<T>): Promise<T> => wait.catch(withLogs(folder));
    return {
      untilChecked: () => told(untilIdle(store, checks)),
      check: async () => told(statusFrom(store, await ask())),
      repair: async () => told(followRuns(store, await ask())),
      peakBytes: (kind) => Math.max(...processes[kind].map(({ pid }) => peakBytes(pid))),
      processorMs: (kind) => processes[kind].reduce((sum, { pid }) => sum + processorMs(pid), 0),
      async startDashboard() {
        const port = await freePort();
        const its = [...env, `DASHBOARD_PORT=${port}`];
        processes.dashboard.push(await startRole('dashboard', 'dashboard', folder, its, ends));
        return `http://127.0.0.1:${port}`;
      },
      [Symbol.asyncDispose]: () => ends.disposeAsync(),
    };
  } catch (error) {
    await ends.disposeAsync();
    throw error;
  }
}

function environment(options: VmSyncOptions, folder: string, redisUrl: string): string[] {
  const variables = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    ROLE: 'dr',
    ACTIVE_SITE: 'primary',
    LOCAL_VM_URL: options.destination,
    REMOTE_VM_URL: options.source,
    REDIS_URL: redisUrl,
    STATE_FILE: join(folder, 'vm-sync-state.json'),
    CHECK_INTERVAL: '1d',
    QUERY_WINDOW: `${Math.ceil(options.queryWindowMs / 1000)}s`,
    SETTLE_SECONDS: '60',
    FAILBACK_CLEAN_CHECKS: '1',
    ...options.env,
  };
  return Object.entries(variables).map(([name, value]) => `${name}=${value}`);
}

/** One process with these settings and nothing else of this environment. */
async function startRole(
  role: Kind,
  name: string,
  folder: string,
  env: readonly string[],
  ends: AsyncDisposableStack,
): Promise<RunningProcess> {
  const log = join(folder, `${name}.log`);
  const command = [process.execPath, '--max-semi-space-size=4', main, role];
  const running = await startProcess({
    name: `vm-sync ${role}`,
    command: 'sh',
    args: ['-c', 'exec env -i "$@" >"$0" 2>&1', log, ...env, ...command],
    cwd: folder, // an .env of a real site must not be read
    ready: async () => /(?:started|dashboard listens)/.test(await readFile(log, 'utf8')),
  }).catch(withLogs(folder));
  ends.defer(() => running.kill());
  return running;
}

/** What still waits would be in the middle of its work when the next check is asked for. */
function untilIdle(store: Store, checks: ReturnType<typeof openQueue>): Promise<Status> {
  return until(
    'the first check',
    async () => {
      const open = await checks.getJobCountByTypes('waiting', 'prioritized', 'active');
      return open === 0 ? store.loadStatus() : undefined;
    },
    { deadlineMs: PATIENCE_MS, everyMs: LOOK_EVERY_MS },
  );
}

/** The first check that began at this time or later. */
function statusFrom(store: Store, fromMs: number): Promise<Status> {
  return until(
    'a check',
    async () => {
      const status = await store.loadStatus();
      return status && status.atMs >= fromMs ? status : undefined;
    },
    { deadlineMs: PATIENCE_MS, everyMs: LOOK_EVERY_MS },
  );
}

/**
 * A wide range may take several runs. What ends it is a check that began after the last one was settled and found no
 * gap; the time of that check, and what vm-sync waits before it, are not counted.
 */
async function followRuns(store: Store, askedMs: number): Promise<Repair> {
  let settledSeenMs = 0;
  const giveUpAtMs = askedMs + PATIENCE_MS;
  while (Date.now() < giveUpAtMs) {
    const runs = await store.listRuns(20);
    const [newest] = runs;
    const idle = runs.every(({ state }) => state !== 'open');
    if (newest && newest.createdMs >= askedMs && idle) {
      settledSeenMs ||= Date.now();
      const status = await store.loadStatus();
      if (status && status.atMs > settledSeenMs && status.tallied?.gaps === 0) {
        return summary(store, askedMs, settledSeenMs);
      }
    } else settledSeenMs = 0;
    await sleep(LOOK_EVERY_MS);
  }
  throw new Error(`vm-sync did not prove its repair within ${PATIENCE_MS / 60_000} minutes`);
}

async function summary(store: Store, askedMs: number, settledMs: number): Promise<Repair> {
  const runs = (await store.listRuns(200)).filter(({ createdMs }) => createdMs >= askedMs);
  const sum = (of: (run: (typeof runs)[number]) => number) =>
    runs.reduce((total, run) => total + of(run), 0);
  return {
    tookMs: settledMs - askedMs,
    detectedMs: Math.min(...runs.map(({ createdMs }) => createdMs)) - askedMs,
    runs: runs.length,
    chunks: sum(({ chunks }) => chunks),
    samplesCopied: sum(({ samplesCopied }) => samplesCopied),
    bytesCopied: sum(({ bytesCopied }) => bytesCopied),
  };
}

/** Throws an error again, with the last lines that each process wrote. */
const withLogs =
  (folder: string) =>
  async (error: Error): Promise<never> => {
    const names = ['scheduler', 'worker-1'];
    const logs = await Promise.all(
      names.map(async (name) => {
        const lines = await readFile(join(folder, `${name}.log`), 'utf8').catch(() => '');
        return `${name}:\n${lines.split('\n').slice(-15).join('\n')}`;
      }),
    );
    throw new Error(`${error.message}\n${logs.join('\n')}`, { cause: error });
  };
