import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, Totals } from '@vm-sync/queue';
import {
  type AlertRule,
  checkRules,
  until,
  type Vmalert,
  type VmServer,
  type VmVersion,
  vmVersions,
} from '@vm-sync/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { type Bench, startBench } from './setup.ts';
import { valuesIn } from './support/exposition.ts';
import {
  addJob,
  alertBy,
  ask,
  failJob,
  illStatus,
  leaveTraces,
  login,
  monitoring,
  scrapeBy,
  wellStatus,
} from './support/monitored.ts';

const HOUR_MS = 3_600_000;

const headers = { authorization: `Basic ${btoa(`${login.user}:${login.password}`)}` };

/** As far as it is looked at here. */
interface GrafanaDashboard {
  readonly schemaVersion: number;
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string }[];
  };
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly description: string;
    readonly datasource: { readonly uid: string };
    readonly gridPos: {
      readonly x: number;
      readonly y: number;
      readonly w: number;
      readonly h: number;
    };
    readonly targets: readonly {
      readonly expr: string;
      readonly datasource: { readonly uid: string };
    }[];
  }[];
}

const readDashboard = async (): Promise<GrafanaDashboard> =>
  JSON.parse(await readFile(monitoring('grafana-dashboard.json'), 'utf8'));

/** As Grafana sends it when all of vm-sync is looked at. */
const filledIn = (expr: string): string =>
  expr.replaceAll('$instance', '.*').replaceAll('$__rate_interval', '5m');

const namesIn = (expr: string): string[] => expr.match(/\b(?:vmsync_\w+|up)\b/g) ?? [];

test('the dashboard asks for a data source, and its panels do not overlap', async () => {
  const { panels, schemaVersion, templating } = await readDashboard();
  expect(schemaVersion).toBeGreaterThanOrEqual(39);
  expect(templating.list[0]).toMatchObject({ name: 'datasource', type: 'datasource' });
  for (const { title, description, datasource, targets } of panels) {
    expect(description.length, title).toBeGreaterThan(10);
    const sources = new Set(
      [datasource, ...targets.map((one) => one.datasource)].map((one) => one.uid),
    );
    expect([...sources], title).toEqual([`$\{datasource}`]);
  }
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(Math.max(...panels.map(({ gridPos: { x, w } }) => x + w))).toBeLessThanOrEqual(24);
});

test.each(vmVersions)('vmalert (%s) finds nothing wrong with the rules', async (version) => {
  expect(await checkRules(version, monitoring('alerts.yml'))).toBe('');
});

test.each(vmVersions)(
  'scraped by VictoriaMetrics (%s), every panel and every alert finds its metrics, and none fires for nothing',
  async (version) => {
    const { bench, vm, vmalert } = await startMonitored(version);
    const known = seriesNames((await bench.get('/metrics', { headers })).text);
    for (const { title, targets } of (await readDashboard()).panels) {
      for (const { expr } of targets) await expectPanel(vm, title, expr, known);
    }
    const rules = await vmalert.rules();
    const headings = await runbookHeadings();
    for (const { query, annotations } of rules) {
      expect(namesIn(query).filter((name) => name !== 'up' && !known.has(name))).toEqual([]);
      expectRunbook(annotations, headings);
    }
    await untilQuiet(vmalert);
  },
);

test('every alert fires in its state', async () => {
  const { bench, totals, vm, vmalert } = await startMonitored('newest');
  const names = (await vmalert.rules()).map(({ name }) => name);
  const seen = new Set<string>();

  // Much is wrong, and repairs wait for a worker.
  await rememberAnHourAgo(vm, bench);
  await bench.store.saveStatus(illStatus());
  await leaveTraces(bench, { stopped: true, otherFresh: false });
  await failJob(bench, 'repairs');
  await failJob(bench, 'notifications');
  for (let at = 0; at < 4; at++) await totals.addCheck('unknown');
  await addJob(bench.redis.url, 'repairs', Date.now() - HOUR_MS);
  const ill = names.filter((name) => !LATER.includes(name));
  await untilFiring(vm, vmalert, ill, seen);

  // A person pauses, and the direction is not known any more: no worker is missed.
  expect((await bench.get('/api/pause', { method: 'POST', headers })).status).toBe(200);
  const status = wellStatus();
  await bench.store.saveStatus({ ...status, state: { ...status.state, activeSite: 'unknown' } });
  await untilFiring(vm, vmalert, ['VmSyncRepairsPaused', 'VmSyncDirectionUnknown'], seen);
  await until('no word of a missing worker', async () => {
    return !(await firing(vmalert)).includes('VmSyncNoWorker');
  });

  await bench.redis.kill();
  await untilFiring(vm, vmalert, ['VmSyncRedisDown'], seen);
  await bench.dashboard.close();
  await untilFiring(vm, vmalert, ['VmSyncScrapeMissing'], seen);
  expect(names.filter((name) => !seen.has(name))).toEqual([]);
  expect((await vmalert.rules()).filter(({ lastError }) => lastError !== '')).toEqual([]);
});

/** A vm-sync with which all is well, scraped already, and its alerts. */
async function startMonitored(version: VmVersion) {
  const bench = await startBench({ login });
  const totals = openTotals(bench);
  await bench.store.saveStatus(wellStatus());
  await leaveTraces(bench, { stopped: false, otherFresh: true });
  await totals.addCheck('clean');
  const chunk = { outcome: 'repaired', mode: 'lines', samples: 9, bytes: 800 } as const;
  await totals.addChunk({ ...chunk, tookMs: 1_400 });
  await addJob(bench.redis.url, 'checks', Date.now());
  const vm = await scrapeBy(version, bench);
  await until('a scrape', async () => {
    await vm.flush();
    return (await ask(vm, 'vmsync_ready')).length > 0;
  });
  return { bench, totals, vm, vmalert: await alertBy(version, vm.url) };
}

const LATER = [
  ...['VmSyncRepairsPaused', 'VmSyncDirectionUnknown', 'VmSyncRedisDown', 'VmSyncScrapeMissing'],
];

function openTotals({ redis }: Bench): Totals {
  const client = connect(redis.url, 'brief');
  client.on('error', () => undefined);
  onTestFinished(() => client.disconnect());
  return new Totals(client);
}

const seriesNames = (text: string): Set<string> =>
  new Set([...valuesIn(text).keys()].map((series) => series.replace(/\{.*/, '')));

async function expectPanel(
  vm: VmServer,
  title: string,
  expr: string,
  known: ReadonlySet<string>,
): Promise<void> {
  const names = namesIn(expr);
  expect(names.length, `${title}: ${expr}`).toBeGreaterThan(0);
  expect(names.filter((name) => !known.has(name))).toEqual([]);
  const found = await ask(vm, filledIn(expr));
  // A rate needs two scrapes: only that it can be asked for shows so early.
  if (!/rate|increase/.test(expr)) expect(found.length, `${title}: ${expr}`).toBeGreaterThan(0);
}

async function runbookHeadings(): Promise<string[]> {
  const text = await readFile(join(import.meta.dirname, '../../../docs/runbook.md'), 'utf8');
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}

function expectRunbook(
  { summary = '', description = '', runbook_url: url = '' }: AlertRule['annotations'],
  headings: readonly string[],
): void {
  expect(summary.length, url).toBeGreaterThan(10);
  expect(description.length, url).toBeGreaterThan(10);
  expect(url).toMatch(/^docs\/runbook\.md#/);
  expect(headings).toContain(url.replace(/^.*#/, ''));
}

const firing = async (vmalert: Vmalert): Promise<string[]> =>
  (await vmalert.rules()).filter(({ state }) => state === 'firing').map(({ name }) => name);

/** All is well, and every rule has seen it; the first evaluation may be of an instant before the first scrape. */
const untilQuiet = (vmalert: Vmalert): Promise<boolean> =>
  until('every rule to find nothing', async () => {
    const loud = (await vmalert.rules()).filter(
      ({ evaluated, state, lastError }) => !evaluated || state !== 'inactive' || lastError !== '',
    );
    if (loud.length > 0) throw new Error(JSON.stringify(loud));
    return true;
  });

async function untilFiring(
  vm: VmServer,
  vmalert: Vmalert,
  wanted: readonly string[],
  seen: Set<string>,
): Promise<void> {
  await until(`${wanted.join(', ')} to fire`, async () => {
    await vm.flush();
    for (const name of await firing(vmalert)) seen.add(name);
    const missing = wanted.filter((name) => !seen.has(name));
    if (missing.length > 0) throw new Error(`not yet: ${missing.join(', ')}`);
    return true;
  });
}

/** An hour ago there was nothing beyond repair. */
async function rememberAnHourAgo(vm: VmServer, { dashboard }: Bench): Promise<void> {
  const metric = {
    __name__: 'vmsync_beyond_repair_windows',
    job: 'vm-sync',
    instance: new URL(dashboard.url).host,
  };
  const timestamps = [64, 63, 62, 61, 60, 59].map((minutes) => Date.now() - minutes * 60_000);
  await vm.import([JSON.stringify({ metric, values: timestamps.map(() => 0), timestamps })]);
  await vm.flush();
}
