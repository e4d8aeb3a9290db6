import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lostPace } from '@vm-sync/core';
import { connect, openQueue, PREFIX, QUEUES, type QueueName, type Status } from '@vm-sync/queue';
import {
  startVictoriaMetrics,
  startVmalert,
  temporaryFolder,
  type Vmalert,
  type VmServer,
  type VmVersion,
} from '@vm-sync/testkit';
import { UnrecoverableError, Worker } from 'bullmq';
import { onTestFinished } from 'vitest';
import { type Bench, gapsStatus, readyStatus } from '../setup.ts';

export const monitoring = (file: string): string =>
  join(import.meta.dirname, '../../../../monitoring', file);

const HOUR_MS = 3_600_000;

export const login = { user: 'admin', password: 'a secret' };

/** A VictoriaMetrics that logs in and scrapes a dashboard every second, as `docs/guides/scraping.md` has it. */
export async function scrapeBy(version: VmVersion, { dashboard }: Bench): Promise<VmServer> {
  const config = join(temporaryFolder('scrape'), 'scrape.json');
  const target = new URL(dashboard.url).host;
  const job = {
    job_name: 'vm-sync',
    basic_auth: { username: login.user, password: login.password },
    static_configs: [{ targets: [target] }],
  };
  // JSON is YAML too.
  await writeFile(
    config,
    JSON.stringify({ global: { scrape_interval: '1s' }, scrape_configs: [job] }),
  );
  const flags = [`-promscrape.config=${config}`, '-search.latencyOffset=1ms'];
  const vm = await startVictoriaMetrics({ version, flags });
  onTestFinished(() => vm.stop());
  return vm;
}

/** The alert rules as they are, but evaluated every second and without patience. */
export async function alertBy(version: VmVersion, target: string): Promise<Vmalert> {
  const text = await readFile(monitoring('alerts.yml'), 'utf8');
  const rules = join(temporaryFolder('rules'), 'alerts.yml');
  const hasty = text.replace(/interval: \w+/, 'interval: 1s').replaceAll(/\n +for: \w+/g, '');
  await writeFile(rules, hasty);
  const vmalert = await startVmalert({ version, target, rules });
  onTestFinished(() => vmalert.stop());
  return vmalert;
}

/** What an instant query finds now; throws what the database says against it. */
export async function ask(vm: VmServer, query: string): Promise<Record<string, string>[]> {
  const url = `${vm.url}/api/v1/query?nocache=1&query=${encodeURIComponent(query)}`;
  const answer = await fetch(url);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${query}: ${text}`);
  const { data } = JSON.parse(text) as { data: { result: { metric: Record<string, string> }[] } };
  return data.result.map(({ metric }) => metric);
}

const twin = (severity: 'fault' | 'advice') => ({
  severity,
  key: severity,
  subject: 'both sites' as const,
  text: 'they differ',
  keepsReadyAway: false,
});

/** A status in which all is well, and everything is known that can be. */
export function wellStatus(): Status {
  const status = readyStatus();
  const observed = (site: 'primary' | 'dr') => ({
    healthy: true as const,
    observation: { site, url: 'http://vm', clock: { offsetMs: 20, uncertaintyMs: 5 } },
  });
  return {
    ...status,
    sites: { primary: observed('primary'), dr: observed('dr') },
    twins: [twin('advice')],
    active: {
      ...{ site: 'dr', reason: 'pinned', witnesses: [], epoch: 1 },
      ...{ mayWrite: true, whyNoWriting: null },
    },
  };
}

/** A status in which much is wrong at once. */
export function illStatus(): Status {
  const status = gapsStatus(['much is wrong']);
  const nowMs = Date.now();
  const window = { fromMs: nowMs - 3 * HOUR_MS, toMs: nowMs - 2 * HOUR_MS };
  const direction = 'dr-to-primary';
  return {
    ...status,
    atMs: nowMs - HOUR_MS,
    validUntilMs: nowMs - HOUR_MS / 2,
    sites: { ...status.sites, primary: { healthy: false, url: 'http://vm', reason: 'down' } },
    twins: [twin('fault')],
    state: {
      ...status.state,
      lastCheckMs: nowMs - HOUR_MS,
      marks: {
        ...status.state.marks,
        [direction]: { ...window, sinceMs: 0, throughMs: nowMs, unproven: [window], earlier: [] },
      },
      beyondRepair: [
        {
          ...{ direction, window, reason: 'destination-retention' },
          ...{ sinceMs: nowMs, samplesMissing: 5 },
        },
      ],
      stuck: {
        attempted: [
          {
            ...{ direction, window, selectors: 'up', samples: 7, times: 2, stuck: true },
            ...{ firstMs: nowMs, lastMs: nowMs, outcome: 'done' },
          },
        ],
      },
      surplus: {
        ...status.state.surplus,
        'primary-to-dr': {
          counted: [{ windows: [window], series: 1, samples: 9, countedMs: nowMs }],
          told: true,
        },
      },
    },
  };
}

/** What the scheduler leaves in Redis beside the status. */
export async function leaveTraces(
  { redis }: Bench,
  traces: { readonly stopped: boolean; readonly otherFresh: boolean },
): Promise<void> {
  const client = connect(redis.url, 'brief');
  const pace = lostPace({ maxCopies: 4, maxBytesPerS: null });
  await client.set('{vmsync}:pace', JSON.stringify({ ...pace, stopped: traces.stopped }));
  const nowMs = Date.now();
  const other = { seenMs: nowMs, onDuty: false, fresh: traces.otherFresh };
  const duty = { atMs: nowMs, role: 'dr', stance: 'duty', unable: null, other };
  await client.set('{vmsync}:duty-view', JSON.stringify(duty));
  client.disconnect();
}

/** A job that has failed, as one whose tries are over. */
export async function failJob({ redis }: Bench, name: QueueName): Promise<void> {
  const connection = { url: redis.url };
  const worker = new Worker(
    QUEUES[name],
    async () => {
      throw new UnrecoverableError('on purpose');
    },
    { connection, prefix: PREFIX, metrics: { maxDataPoints: 10 } },
  );
  const failed = new Promise((resolve) => worker.once('failed', resolve));
  await addJob(redis.url, name, Date.now());
  await failed;
  await worker.close();
}

/** A job that waits, since that instant. */
export async function addJob(url: string, name: QueueName, timestamp: number): Promise<void> {
  const queue = openQueue(name, { url });
  await queue.add('job', {}, { timestamp });
  await queue.close();
}
