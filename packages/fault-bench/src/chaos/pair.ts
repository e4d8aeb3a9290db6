import { otherSite, type Site } from '@vm-sync/core';
import {
  type DnsRecord,
  type FaultProxy,
  makeSeries,
  startFaultProxy,
  startTcpProxy,
  startWriter,
  type TcpProxy,
  type VmVersion,
  type Writer,
} from '@vm-sync/testkit';
import { addressOf, type SecondVmSync, type Stack, startStack } from '../stack.ts';
import { seededRandom } from './random.ts';
import { type Supervised, supervise } from './supervise.ts';

/** What a seed decides of the pair before anything breaks. */
export interface Shape {
  readonly versions: Readonly<Record<Site, VmVersion>>;
  readonly direction: 'active-to-passive' | 'both';
  /** In seconds. */
  readonly queryWindow: number;
  /** Interval of deduplication of both databases; none when absent. */
  readonly dedup: string | undefined;
}

/** The vm-sync of a site, with what it stands on and the lines on which it reaches the databases. */
export interface VmSync {
  readonly redis: SecondVmSync['redis'];
  readonly redisLine: TcpProxy;
  readonly lines: Readonly<Record<Site, FaultProxy>>;
  readonly processes: Readonly<Record<string, Supervised>>;
  readonly stateFile: string;
  readonly dashboardUrl: string;
  readonly state: Stack['state'];
  readonly run: Stack['run'];
}

/** Two sites with a vm-sync each, as they are deployed, and the collector that writes to both. */
export interface Pair extends AsyncDisposable {
  readonly shape: Shape;
  readonly stack: Stack;
  readonly a: VmSync;
  readonly b: VmSync;
  /** Target 0 is primary, 1 is dr. */
  readonly collector: Writer;
  /** What the record says when DNS is well. */
  active: Site;
}

export const STEP_MS = 10_000;
export const SETTLE_MS = 20_000;
const record = 'monitoring.test';
const versions = ['oldest', 'newest'] as const;

export function shapeOf(seed: number): Shape {
  const random = seededRandom(seed ^ 0x5eed);
  return {
    versions: { primary: random.pick(versions), dr: random.pick(versions) },
    direction: random.pick(['active-to-passive', 'both'] as const),
    queryWindow: random.pick([120, 600, 3_600] as const),
    dedup: random.pick([undefined, '1ms'] as const),
  };
}

export async function startPair(seed: number, onCrash: (text: string) => void): Promise<Pair> {
  const shape = shapeOf(seed);
  const ends = new AsyncDisposableStack();
  try {
    return await build(shape, ends, onCrash);
  } catch (error) {
    await ends.disposeAsync();
    throw error;
  }
}

async function build(
  shape: Shape,
  ends: AsyncDisposableStack,
  onCrash: (text: string) => void,
): Promise<Pair> {
  const site = (own: Site) => ({
    version: shape.versions[own],
    proxy: true,
    ...(shape.dedup && { dedup: shape.dedup }),
  });
  const stack = ends.use(
    await startStack({
      primary: site('primary'),
      dr: site('dr'),
      dns: true,
      webhook: true,
      appendonly: true,
      env: {
        CHECK_INTERVAL: '2',
        QUERY_STEP: `${STEP_MS / 1000}`,
        SETTLE_SECONDS: `${SETTLE_MS / 1000}`,
        QUERY_WINDOW: `${shape.queryWindow}`,
        GAP_THRESHOLD: '1',
        SYNC_DIRECTION: shape.direction,
      },
    }),
  );
  await fillHistory(stack);
  const line = async (own: Site): Promise<FaultProxy> => {
    const proxy = await startFaultProxy({ target: stack[own].vm.url });
    ends.defer(() => proxy.stop());
    return proxy;
  };
  const lines = { primary: await line('primary'), dr: await line('dr') };
  const second = await stack.second({
    LOCAL_VM_URL: lines.dr.url,
    REMOTE_VM_URL: lines.primary.url,
  });
  const redisLine = async (redis: { port: number }): Promise<TcpProxy> => {
    const proxy = await startTcpProxy({ port: redis.port });
    ends.defer(() => proxy.stop());
    return proxy;
  };
  const [toA, toB] = [await redisLine(stack.redis), await redisLine(second.redis)];
  const urlOf = ({ port }: TcpProxy) => ({ REDIS_URL: `redis://127.0.0.1:${port}` });
  const start = (of: Pick<Stack, 'spawn'>, via: TcpProxy) => {
    return (name: string, process: Parameters<Stack['spawn']>[0]): Supervised =>
      ends.use(supervise(name, () => of.spawn(process, urlOf(via)), onCrash));
  };
  const [startA, startB] = [start(stack, toA), start(second, toB)];
  const collector = startWriter({
    targets: [stack.primary.vm, stack.dr.vm],
    seriesCount: 20,
    intervalMs: 1_000,
    names: ['cpu_seconds_total', 'memory_bytes'],
    sendLimitMs: 4_000,
  });
  ends.defer(() => collector.stop());
  return {
    shape,
    stack,
    a: {
      redis: stack.redis,
      redisLine: toA,
      lines: { primary: stack.primary.proxy, dr: stack.dr.proxy },
      stateFile: stack.stateFile,
      dashboardUrl: stack.dashboardUrl,
      state: stack.state,
      run: stack.run,
      processes: {
        'scheduler-a': startA('scheduler-a', 'scheduler'),
        'worker-a1': startA('worker-a1', 'worker'),
        'worker-a2': startA('worker-a2', 'worker'),
        'dashboard-a': startA('dashboard-a', 'dashboard'),
      },
    },
    b: {
      redis: second.redis,
      redisLine: toB,
      lines,
      stateFile: second.stateFile,
      dashboardUrl: `http://127.0.0.1:${second.env['DASHBOARD_PORT']}`,
      state: second.state,
      run: second.run,
      processes: { 'up-b': startB('up-b', 'up') },
    },
    collector,
    active: 'primary',
    [Symbol.asyncDispose]: () => ends.disposeAsync(),
  };
}

const HISTORY_MS = 90 * 60_000;

/** An hour and a half from before the first check, of which the other site lacks a recent stretch, an old one, and some series. */
async function fillHistory({ fill }: Stack): Promise<void> {
  const toMs = Math.floor(Date.now() / STEP_MS) * STEP_MS - STEP_MS;
  const all = makeSeries({
    count: 12,
    names: ['history_total'],
    fromMs: toMs - HISTORY_MS,
    toMs,
    stepMs: STEP_MS,
    jitterMs: 700,
  });
  const lacks = (atMs: number, series: number): boolean => {
    const ageMin = (toMs - atMs) / 60_000;
    return (ageMin > 70 && ageMin < 75) || (ageMin > 1 && ageMin < 1.5) || series === 11;
  };
  const kept = all.map(({ labels, timestamps, values }, series) => {
    const indexes = timestamps.flatMap((atMs, at) => (lacks(atMs, series) ? [] : [at]));
    return {
      labels,
      timestamps: indexes.map((at) => timestamps[at] as number),
      values: indexes.map((at) => values[at] as number),
    };
  });
  await fill({ primary: all, dr: kept.filter(({ timestamps }) => timestamps.length > 0) });
}

/** The record names this site now, and the operators know it. */
export async function activate(pair: Pair, site: Site): Promise<void> {
  pair.active = site;
  await pair.stack.activate(site);
}

/** What the record may say while something is wrong with it. */
export const ODD_RECORDS: readonly (readonly DnsRecord[])[] = [
  [], // NXDOMAIN
  [{ name: record, addresses: ['203.0.113.7'] }], // nobody's
  [{ name: record, addresses: [addressOf.primary, addressOf.dr] }], // both
  [{ name: record, txt: 'no address at all' }],
];

export const passive = ({ active }: Pair): Site => otherSite(active);
