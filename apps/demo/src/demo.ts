import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  countSamples,
  diffRaw,
  makeSeries,
  type RedisServer,
  type Series,
  type SeriesShape,
  startRedis,
  startVictoriaMetrics,
  startWriter,
  temporaryFolder,
  until,
  type VmServer,
  type VmVersion,
  vmProgramPath,
  type Writer,
} from '@vm-sync/testkit';
import { Progress } from './progress.ts';
import { startVmSync, type VmSync } from './vm-sync.ts';

const MINUTE_MS = 60_000;
const number = (amount: number): string => new Intl.NumberFormat('en-US').format(amount);

/** A hundred series as the F5 receiver writes them, a sample every 30 s. */
const SHAPE = {
  count: 100,
  stepMs: 30_000,
  names: [
    'f5_virtual_server_client_current_connections',
    'f5_virtual_server_client_data_transmitted_total',
    'f5_virtual_server_requests_total',
    'f5_pool_member_current_sessions',
    'f5_node_availability',
  ],
  labels: { job: 'bigip-01' },
};

/** Quick, where a real pair takes its time: a check every 2 s, buckets of a minute. */
const SETTINGS = {
  ROLE: 'dr',
  ACTIVE_SITE: 'primary',
  CHECK_INTERVAL: '2s',
  QUERY_STEP: '60s',
  QUERY_WINDOW: '2h',
  SETTLE_SECONDS: '15s',
  FAILBACK_CLEAN_CHECKS: '3',
};

interface Stage {
  readonly primary: VmServer;
  readonly dr: VmServer;
  readonly redis: RedisServer;
}

/** Shows an outage found, repaired and proven; answers with the exit code. Everything it starts ends with it. */
export async function runDemo({ exit }: { exit: boolean }): Promise<number> {
  const progress = new Progress();
  const logs = resolve(import.meta.dirname, '../../../.cache/demo');
  mkdirSync(logs, { recursive: true });
  const closing: (() => Promise<void>)[] = [];
  const interrupted = new Promise<'interrupted'>((told) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => told('interrupted'));
    }
  });
  let code = 1;
  try {
    const shown = show(progress, logs, closing);
    const end = await Promise.race([shown.then(() => 'shown' as const), interrupted]);
    if (end === 'interrupted') {
      shown.catch(() => {}); // what is cut short fails; nobody needs to know how
      progress.say('\ninterrupted');
      code = 130;
    } else {
      code = 0;
      if (!exit) {
        const { url } = await shown;
        progress.say(`\nThe dashboard stays up: ${url}   Bull Board: ${url}/queues`);
        progress.say('Ctrl-C ends everything and cleans up.');
        await interrupted;
        progress.say('');
      }
    }
  } catch (error) {
    progress.say(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
    progress.say(`Logs: ${logs}`);
  }
  for (const close of closing.reverse()) {
    await close().catch((error) => progress.say(`ending: ${String(error).split('\n', 1)[0]}`));
  }
  if (code === 0) progress.say('Everything that the demo started has been ended.');
  return code;
}

async function show(
  progress: Progress,
  logs: string,
  closing: (() => Promise<void>)[],
): Promise<{ url: string }> {
  progress.say('vm-sync demo: two VictoriaMetrics, an outage, and its repair\n');
  const stage = await startServers(progress, logs, closing);
  const startMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
  const history = (fromMinutes: number, toMinutes: number): Series[] =>
    makeSeries({
      ...SHAPE,
      fromMs: startMs - fromMinutes * MINUTE_MS,
      toMs: startMs - toMinutes * MINUTE_MS,
    } satisfies SeriesShape);

  const before = [...history(90, 30), ...history(15, 0)];
  for (const site of [stage.primary, stage.dr]) {
    await site.import(before);
    await site.flush();
  }
  progress.done(
    `history written to both: ${SHAPE.count} series, ${number(countSamples(before))} samples`,
  );
  const writing = startWriting(stage);
  closing.push(() => writing.writer.stop());
  const { url, vmSync } = await startSyncing(progress, stage, logs, closing);
  await waitForReady(progress, vmSync, 0);
  await outage(progress, stage, vmSync, writing, history(30, 15));
  await writing.writer.stop();
  await compareRaw(progress, stage);
  writing.writer = startWriting(stage).writer;
  return { url };
}

async function startServers(
  progress: Progress,
  logs: string,
  closing: (() => Promise<void>)[],
): Promise<Stage> {
  const version = bestVersion();
  const options = { version, retention: '90d', dedup: '1ms' };
  const keep = (name: string, server: { output(): string; stop(): Promise<void> }) =>
    closing.push(async () => {
      writeFileSync(join(logs, `${name}.log`), outputOf(server));
      await server.stop();
    });
  progress.wait('starting two VictoriaMetrics and a Redis');
  const primary = await startVictoriaMetrics(options);
  keep('primary', primary);
  const dr = await startVictoriaMetrics(options);
  keep('dr', dr);
  const redis = await startRedis({ appendonly: true });
  keep('redis', redis);
  progress.done(`primary: VictoriaMetrics on ${primary.url}`);
  progress.done(`dr:      VictoriaMetrics on ${dr.url}`);
  progress.done(`Redis on ${redis.url}`);
  return { primary, dr, redis };
}

/** A server that has been killed says nothing any more. */
function outputOf(server: { output(): string }): string {
  try {
    return `${server.output()}\n`;
  } catch {
    return '';
  }
}

function bestVersion(): VmVersion {
  try {
    vmProgramPath('newest', 'victoria-metrics');
    return 'newest';
  } catch {
    return 'oldest';
  }
}

interface Writing {
  writer: Writer;
  readonly sinceMs: number;
}

function startWriting({ primary, dr }: Stage): Writing {
  const { count: seriesCount, stepMs: intervalMs, names, labels } = SHAPE;
  const targets = [primary, dr];
  const writer = startWriter({ targets, seriesCount, intervalMs, names, labels });
  return { writer, sinceMs: Date.now() };
}

async function startSyncing(
  progress: Progress,
  { primary, dr, redis }: Stage,
  logs: string,
  closing: (() => Promise<void>)[],
): Promise<{ url: string; vmSync: VmSync }> {
  progress.wait('starting vm-sync up');
  const vmSync = await startVmSync(temporaryFolder('demo'), join(logs, 'vm-sync.log'), {
    ...SETTINGS,
    LOCAL_VM_URL: dr.url,
    REMOTE_VM_URL: primary.url,
    REDIS_URL: redis.url,
  });
  closing.push(() => vmSync.stop());
  const { url } = vmSync;
  progress.done(`vm-sync up runs at the dr site, a check every ${SETTINGS.CHECK_INTERVAL}`);
  progress.say(`\n          dashboard  ${url}\n          Bull Board ${url}/queues\n`);
  return { url, vmSync };
}

async function waitForReady(progress: Progress, vmSync: VmSync, since: number): Promise<void> {
  progress.wait('vm-sync compares both databases, until three clean checks in a row');
  const ready = await vmSync.saw('FAILBACK READY', ({ event }) => event === 'failback-ready', {
    deadlineMs: 120_000,
    since,
  });
  progress.done(ready.msg);
}

/** VictoriaMetrics forgets what it accepted within its last seconds when it is killed; older samples are on disk. */
const ON_DISK_MS = 12_000;
const OUTAGE_MS = 8_000;

async function outage(
  progress: Progress,
  { primary, dr }: Stage,
  vmSync: VmSync,
  writing: Writing,
  backlog: Series[],
): Promise<void> {
  await betweenTwoSamples(progress, writing);
  const since = await vmSync.lines();
  await dr.kill();
  const killedMs = performance.now();
  progress.outage('outage: dr is killed (SIGKILL)');
  await primary.import(backlog);
  await primary.flush();
  progress.quote(
    `meanwhile a collector delivers 15 minutes of backlog: ${number(countSamples(backlog))} samples, to primary only`,
  );
  progress.wait('the outage lasts');
  const noticed = await vmSync.saw('the outage noticed', ({ event }) => event === 'check-unknown', {
    deadlineMs: 60_000,
    since,
  });
  progress.quote(noticed.msg);
  const withdrawn = await vmSync.saw('READY withdrawn', isEvent('ready-withdrawn'), {
    deadlineMs: 10_000,
    since,
  });
  progress.quote(firstPart(withdrawn.msg));
  await sleep(Math.max(0, OUTAGE_MS - (performance.now() - killedMs)));
  await dr.start();
  progress.done('dr is back, and lacks what came meanwhile');

  const after = { since, deadlineMs: 60_000 };
  progress.wait('the next check finds the gap');
  progress.done((await vmSync.saw('the gap found', isEvent('gap-detected'), after)).msg);
  progress.wait('workers copy what is missing and read it back');
  const settled = await vmSync.saw('the run settled', ({ msg }) => / settled: /.test(msg), after);
  progress.done(settled.msg);
  progress.wait('proof: compared again when dr has had time to write to disk');
  const complete = { since, deadlineMs: 120_000 };
  progress.done((await vmSync.saw('sync complete', isEvent('sync-complete'), complete)).msg);
  await waitForReady(progress, vmSync, since);
}

const isEvent = (kind: string) => (line: { event?: string }) => line.event === kind;

/** `a: b` without what a line before has said. */
const firstPart = (text: string): string => text.split(' (', 1)[0] ?? text;

/** The live series have a sample every 30 s; the outage falls between two of them, and hits the backlog. */
async function betweenTwoSamples(progress: Progress, { writer, sinceMs }: Writing): Promise<void> {
  progress.wait('a moment between two live samples');
  await until(
    'a moment between two live samples',
    () => {
      const last = writer.written()[0]?.timestamps.at(-1) ?? sinceMs;
      const age = Date.now() - last;
      return age >= ON_DISK_MS && age + OUTAGE_MS + 3_000 < SHAPE.stepMs;
    },
    { deadlineMs: 2 * SHAPE.stepMs + 10_000 },
  );
}

/** The demo's own look, past vm-sync: every sample of both databases through their export API. */
async function compareRaw(progress: Progress, { primary, dr }: Stage): Promise<void> {
  progress.wait('comparing both databases sample by sample');
  await Promise.all([primary.flush(), dr.flush()]);
  const [a, b] = await Promise.all([primary.export(), dr.export()]);
  const found = diffRaw(a, b);
  const different = found.onlyA + found.onlyB + found.differing;
  const doubled = found.duplicatesA + found.duplicatesB;
  if (different + doubled > 0) {
    throw new Error(
      `vm-sync said READY, but the databases differ: ${found.onlyA} samples only on primary, ${found.onlyB} only on dr, ${found.differing} with different values, ${doubled} doubled; ${found.examples.join('; ')}`,
    );
  }
  const samples = number(countSamples(a.values()));
  progress.done(`raw comparison: both databases hold the same ${samples} samples`);
}
