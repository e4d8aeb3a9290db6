import { type CertificateRecord, EMPTY_STATE } from '@vm-sync/core';
import {
  CheckHistoryStore,
  connect,
  GapMapStore,
  KitStore,
  type RunRecord,
  type Status,
  Store,
} from '@vm-sync/queue';
import { type Config, createLogger, envToConfig } from '@vm-sync/runtime';
import { type RedisServer, startRedis } from '@vm-sync/testkit';
import { onTestFinished, vi } from 'vitest';
import { type Dashboard, startDashboard } from '../src/index.ts';

export const silent = createLogger('silent', 'dashboard', []);

const noForecast = async (): Promise<never> => {
  throw new Error('no dry run was expected');
};

/** For dashboards that are not asked for a dry run. */
export const noForecasts = { backfill: noForecast, reconcile: noForecast };

type Forecasts = Parameters<typeof startDashboard>[2];

export interface Bench {
  readonly redis: RedisServer;
  readonly dashboard: Dashboard;
  readonly store: Store;
  readonly gapMaps: GapMapStore;
  readonly kits: KitStore;
  readonly checkHistory: CheckHistoryStore;
  /** Asks the dashboard; headers and method as for `fetch`. */
  get(
    path: string,
    init?: RequestInit,
  ): Promise<{ status: number; text: string; headers: Headers }>;
}

/** A dashboard on a free port with a Redis of its own, both ended with the test. */
export async function startBench({
  login,
  settings,
  log = silent,
  forecast = noForecast,
  forecastReconcile = noForecast,
}: {
  login?: Config['dashboard']['login'];
  settings?: DashboardSettings;
  log?: typeof silent;
  forecast?: Forecasts['backfill'];
  forecastReconcile?: Forecasts['reconcile'];
} = {}): Promise<Bench> {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const forecasts = { backfill: forecast, reconcile: forecastReconcile };
  const dashboard = await startDashboard(configFor(redis.url, login, settings), log, forecasts);
  onTestFinished(() => dashboard.close());
  const client = connect(redis.url, 'brief');
  client.on('error', () => undefined);
  onTestFinished(() => client.disconnect());
  return {
    redis,
    dashboard,
    store: new Store(client, () => undefined),
    gapMaps: new GapMapStore(client),
    kits: new KitStore(client),
    checkHistory: new CheckHistoryStore(client),
    get: (path, init) => ask(`${dashboard.url}${path}`, init),
  };
}

export async function ask(
  url: string,
  init?: RequestInit,
): Promise<{ status: number; text: string; headers: Headers }> {
  const response = await fetch(url, { redirect: 'manual', ...init });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

type DashboardSettings = Omit<Config['dashboard'], 'host' | 'port' | 'login'>;

export function configFor(
  redisUrl: string,
  login?: Config['dashboard']['login'],
  settings?: DashboardSettings,
): Config {
  const config = envToConfig({
    ROLE: 'dr',
    LOCAL_VM_URL: 'http://127.0.0.1:8428',
    REMOTE_VM_URL: 'http://127.0.0.1:8429',
    ACTIVE_SITE: 'dr',
    REDIS_URL: redisUrl,
  });
  return { ...config, dashboard: { ...settings, host: '127.0.0.1', port: 0, login } };
}

/** From now on the clock stands still, until it is moved by `vi.setSystemTime` or the test ends. Timers go on. */
export function stopClock(): void {
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
}

const MINUTE_MS = 60_000;

/** A status as the scheduler writes it after a clean check: dr is active, primary has caught up. */
export function readyStatus(nowMs: number = Date.now()): Status {
  const horizonMs = Math.floor((nowMs - 3 * MINUTE_MS) / (5 * MINUTE_MS)) * 5 * MINUTE_MS;
  const mark = {
    sinceMs: horizonMs - 60 * MINUTE_MS,
    throughMs: horizonMs,
    unproven: [],
    earlier: [],
  };
  return {
    atMs: nowMs - 40_000,
    role: 'dr',
    checkIntervalMs: 2 * MINUTE_MS,
    cleanChecksWanted: 3,
    validUntilMs: nowMs + 5 * MINUTE_MS,
    activeReason: 'DNS record failover.example.com answers 192.168.100.143, the dr site',
    outcome: 'clean',
    tookMs: 1_240,
    horizonMs,
    sites: {
      primary: {
        healthy: true,
        observation: { site: 'primary', url: 'http://192.168.100.144:8428', readOnly: false },
      },
      dr: { healthy: true, observation: { site: 'dr', url: 'http://victoriametrics:8428' } },
    },
    tallied: {
      series: 1_200,
      sourceSamples: 72_000,
      destinationSamples: 72_000,
      gaps: 0,
      missing: 0,
      tolerated: 0,
      extra: 0,
    },
    state: {
      ...EMPTY_STATE,
      lastCheckMs: nowMs - 40_000,
      consecutiveClean: 4,
      failbackReady: true,
      activeSite: 'dr',
      samplesSynced: 43_210,
      marks: { 'primary-to-dr': mark, 'dr-to-primary': mark },
      reasons: [],
    },
    certificates: [inForce(nowMs)],
  };
}

/** What READY rests on. */
const inForce = (nowMs: number): CertificateRecord => ({
  id: '20261126-030000-4f2a9c',
  direction: 'dr-to-primary',
  issuedMs: nowMs - 600_000,
  renewedMs: nowMs - 40_000,
  validUntilMs: nowMs + 5 * MINUTE_MS,
  sha256: '4f2a'.repeat(16),
  ended: null,
});

/** The same with gaps on primary. */
export function gapsStatus(reasons: string[], nowMs: number = Date.now()): Status {
  const ready = readyStatus(nowMs);
  const fromMs = (ready.horizonMs as number) - 30 * MINUTE_MS;
  const mark = {
    sinceMs: fromMs - 30 * MINUTE_MS,
    throughMs: ready.horizonMs as number,
    unproven: [{ fromMs, toMs: fromMs + 15 * MINUTE_MS }],
    earlier: [],
  };
  return {
    ...ready,
    outcome: 'gaps',
    tallied: {
      series: 1_200,
      sourceSamples: 72_000,
      destinationSamples: 54_000,
      gaps: 1_200,
      missing: 18_000,
      tolerated: 12,
      extra: 0,
    },
    state: {
      ...ready.state,
      consecutiveClean: 0,
      failbackReady: false,
      gapsDetected: 1_200,
      marks: { ...ready.state.marks, 'dr-to-primary': mark },
      reasons,
    },
    certificates: [],
  };
}

/** The same when one site did not answer. */
export function unknownStatus(reason: string, nowMs: number = Date.now()): Status {
  const ready = readyStatus(nowMs);
  return {
    ...ready,
    outcome: 'unknown',
    tallied: null,
    sites: {
      ...ready.sites,
      primary: { healthy: false, url: 'http://192.168.100.144:8428', reason },
    },
    state: { ...ready.state, failbackReady: false, consecutiveClean: 0, reasons: [reason] },
    certificates: [],
  };
}

export function openRun(id: string, nowMs: number = Date.now()): RunRecord {
  return {
    id,
    direction: { source: 'dr', destination: 'primary' },
    epoch: 1,
    createdMs: nowMs - 90_000,
    backfillId: null,
    recovery: false,
    cause: null,
    state: 'open',
    chunks: 6,
    series: 1_200,
    samplesPlanned: 18_000,
    windows: [{ fromMs: nowMs - 40 * MINUTE_MS, toMs: nowMs - 10 * MINUTE_MS }],
    settledMs: null,
    samplesCopied: 0,
    bytesCopied: 0,
  };
}

export const chunkOrder = (runId: string, nowMs: number = Date.now()) => {
  const toMs = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS - 10 * MINUTE_MS;
  return {
    runId,
    direction: { source: 'dr', destination: 'primary' } as const,
    chunk: {
      selectors: ['{__name__="up"}'],
      window: { fromMs: toMs - 60 * MINUTE_MS, toMs },
      series: 200,
      samples: 3_000,
    },
    stepMs: 300_000,
    dedupMs: 60_000,
  };
};
