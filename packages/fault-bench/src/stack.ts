import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { otherSite, SITES, type Site } from '@vm-sync/core';
import { ChunkOrder, ChunkResult, openQueue } from '@vm-sync/queue';
import {
  type DnsServer,
  diffRaw,
  type FaultProxy,
  freePort,
  importSeries,
  type Patience,
  type RawDifference,
  type RedisServer,
  type Series,
  startDns,
  startFaultProxy,
  startRedis,
  startVictoriaMetrics,
  startVmauth,
  startWebhook,
  temporaryFolder,
  until,
  type Vmauth,
  type VmOptions,
  type VmServer,
  type Webhook,
} from '@vm-sync/testkit';
import { type MustNotBeReady, type Oracle, startOracle, truthOf } from './oracle.ts';
import { type StateFile, stateReader, writeState } from './state-file.ts';
import {
  type Env,
  type ProcessName,
  type Ran,
  runVmSync,
  spawnVmSync,
  type VmSyncProcess,
} from './vm-sync-process.ts';

export type { StateFile };

export type SiteOptions = VmOptions & {
  /** A vmauth before the database, with a login, that routes only queries, exports and imports. */
  vmauth?: boolean;
  /** A fault proxy before it all. */
  proxy?: boolean;
};

export type StackOptions = {
  primary?: SiteOptions;
  dr?: SiteOptions;
  /** Where this vm-sync stands; `primary` when absent. Beside the destination it repairs at once, and else after three checks. */
  role?: Site;
  /** The active site, pinned (or, with `dns`, in the record at first); `primary` when absent. */
  active?: Site;
  /** A name server says which site is active. */
  dns?: boolean;
  webhook?: boolean;
  /** Redis keeps its data over kill() and start(). */
  appendonly?: boolean;
  /** More variables, or other values. */
  env?: Env;
};

/** One `repair-chunk` job, as it stands in the queue. */
export type ChunkJob = {
  id: string;
  state: string;
  order: ChunkOrder;
  result: ChunkResult | undefined;
  failedReason: string | undefined;
  attempts: number;
  log: string[];
};

export type SiteStack = {
  readonly vm: VmServer;
  /** Where vm-sync finds it. */
  readonly url: string;
  readonly vmauth: Vmauth | undefined;
  /** Throws when the stack was started without one. */
  readonly proxy: FaultProxy;
};

/** A vm-sync of the same two databases with its own role, Redis, state file and port. */
export type SecondVmSync = Pick<
  Stack,
  'chunks' | 'env' | 'redis' | 'run' | 'spawn' | 'state' | 'stateFile' | 'untilReady' | 'untilState'
>;

export type Stack = AsyncDisposable & {
  readonly primary: SiteStack;
  readonly dr: SiteStack;
  readonly redis: RedisServer;
  readonly dns: DnsServer;
  readonly webhook: Webhook;
  /** What the processes are given. */
  readonly env: Env;
  readonly folder: string;
  readonly stateFile: string;
  readonly dashboardUrl: string;
  readonly processes: readonly VmSyncProcess[];
  /** The other site's vm-sync; none of its processes runs yet. */
  second(env?: Env): Promise<SecondVmSync>;
  /** Starts a real process; it has not begun its work when this returns. */
  spawn(name: ProcessName, env?: Env): VmSyncProcess;
  /** Runs a command to its end. */
  run(command: string, args?: readonly string[], env?: Env): Promise<Ran>;
  state(): Promise<StateFile | undefined>;
  /** Changes what vm-sync remembers, while its processes do not run. */
  rewriteState(change: (state: StateFile['detail']) => StateFile['detail']): Promise<void>;
  /** Waits for a state that fits; fails at once on a false READY that the oracle saw. */
  untilState(
    what: string,
    fits: (state: StateFile) => boolean,
    patience?: Patience,
  ): Promise<StateFile>;
  untilReady(patience?: Patience): Promise<StateFile>;
  /**
   * Watches for a READY that is false: by the raw exports of both sites, and by `mustNotBeReady`, which says (with a
   * reason) that READY must not be said after the check whose state it is given. Seen ones fail `untilState`,
   * `untilReady` and the stack's own end. `read` is how it reads the state, for tests that damage the file.
   */
  watchReady(mustNotBeReady?: MustNotBeReady, read?: Stack['state']): Oracle;
  /** Writes samples to sites, made visible at once. */
  fill(samples: Partial<Record<Site, readonly Series[]>>): Promise<void>;
  /** Everything that both sites hold, sample by sample: A is primary, B is dr. */
  compareRaw(window?: { fromMs?: number; toMs?: number }): Promise<RawDifference>;
  /** The record names this site from now on, kept for so many seconds, and with this lease beside it. */
  activate(site: Site, more?: { ttl?: number; txt?: string }): Promise<void>;
  /** Every job of the queue `repairs`. */
  chunks(): Promise<ChunkJob[]>;
  /** The last lines of every process, for a test's own errors. */
  story(): string;
};

const record = 'monitoring.test';
export const addressOf: Readonly<Record<Site, string>> = { primary: '192.0.2.1', dr: '192.0.2.2' };

/** Two databases, a Redis and what lies between, ready for vm-sync's processes. Ended by `await using`. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const ends = new AsyncDisposableStack();
  try {
    return await build(options, ends);
  } catch (error) {
    await ends.disposeAsync();
    throw error;
  }
}

async function build(options: StackOptions, ends: AsyncDisposableStack): Promise<Stack> {
  const { role = 'primary', active = 'primary' } = options;
  const [primary, dr, redis, dns, webhook] = await Promise.all([
    startSite(options.primary ?? {}, ends),
    startSite(options.dr ?? {}, ends),
    startRedis({ appendonly: options.appendonly ?? false }).then((server) => ended(ends, server)),
    options.dns ? startDns(recordOf(active)).then((server) => ended(ends, server)) : undefined,
    options.webhook ? startWebhook().then((server) => stopped(ends, server)) : undefined,
  ]);
  const sites = { primary, dr };
  const folder = temporaryFolder('stack');
  const stateFile = join(folder, 'vm-sync-state.json');
  const port = await freePort();
  const sitesEnv = (own: Site): Env => ({
    ROLE: own,
    ...siteEnv('LOCAL', sites[own]),
    ...siteEnv('REMOTE', sites[otherSite(own)]),
  });
  const env: Env = {
    ...sitesEnv(role),
    ...(dns
      ? {
          DNS_RECORD: record,
          DNS_SERVER: dns.server,
          PRIMARY_IP: addressOf.primary,
          DR_IP: addressOf.dr,
        }
      : { ACTIVE_SITE: active }),
    ...(webhook ? { NOTIFY_WEBHOOK: webhook.url } : {}),
    CHECK_INTERVAL: '2',
    QUERY_STEP: '60',
    // After a failure of a site READY waits for this and the rest of a bucket.
    SETTLE_SECONDS: '5',
    FAILBACK_CLEAN_CHECKS: '3',
    REDIS_URL: redis.url,
    STATE_FILE: stateFile,
    DASHBOARD_PORT: String(port),
    ...options.env,
  };
  // After a site could not answer, READY waits until that moment has settled: up to a bucket and the settle time.
  const patienceMs = 150_000 + 1000 * (Number(env['SETTLE_SECONDS']) + Number(env['QUERY_STEP']));
  const processes: VmSyncProcess[] = [];
  const oracles: Oracle[] = [];
  const story = () => storyOf(processes);
  const state = stateReader(stateFile);
  const second: Stack['second'] = async (more) => {
    const own = ended(ends, await startRedis({ appendonly: options.appendonly ?? false }));
    const file = join(temporaryFolder('stack'), 'vm-sync-state.json');
    const itsEnv: Env = {
      ...env,
      ...sitesEnv(otherSite(role)),
      REDIS_URL: own.url,
      STATE_FILE: file,
      DASHBOARD_PORT: String(await freePort()),
      ...more,
    };
    const itsState = stateReader(file);
    const until = untilStateOf(itsState);
    return {
      env: itsEnv,
      redis: own,
      stateFile: file,
      spawn: spawnWith(itsEnv),
      run: runWith(itsEnv),
      state: itsState,
      untilState: until,
      untilReady: readyBy(until),
      chunks: () => chunkJobs(own.url),
    };
  };
  const spawnWith =
    (its: Env): Stack['spawn'] =>
    (name, more) => {
      const process = ends.use(spawnVmSync(name, folder, { ...its, ...more }));
      processes.push(process);
      return process;
    };
  const runWith =
    (its: Env): Stack['run'] =>
    (command, args = [], more = {}) =>
      runVmSync([command, ...args], folder, { ...its, ...more });
  const exportSite = (site: Site, toMs?: number, fromMs?: number) =>
    sites[site].vm.export({
      ...(toMs === undefined ? {} : { toMs }),
      ...(fromMs === undefined ? {} : { fromMs }),
    });
  const untilStateOf =
    (read: Stack['state']): Stack['untilState'] =>
    async (what, fits, patience) => {
      const look = async () => {
        const lie = oracles.flatMap(({ lies }) => lies)[0];
        if (lie !== undefined) return { lie };
        const seen = await read();
        if (!seen || !fits(seen)) throw new Error(briefly(seen));
        return { seen };
      };
      const found = await until(what, look, {
        deadlineMs: patienceMs,
        everyMs: 50,
        ...patience,
      }).catch((error: Error) => {
        throw new Error(`${error.message}\n${story()}`);
      });
      if (found.lie !== undefined) throw new Error(`false READY: ${found.lie}\n${story()}`);
      return found.seen;
    };
  const untilState = untilStateOf(state);
  const readyBy =
    (until: Stack['untilState']): Stack['untilReady'] =>
    (patience) =>
      until('FAILBACK READY', ({ failback_ready: ready }) => ready, patience);
  return {
    primary,
    dr,
    redis,
    get dns() {
      return orThrow(dns, 'dns');
    },
    get webhook() {
      return orThrow(webhook, 'webhook');
    },
    env,
    folder,
    stateFile,
    dashboardUrl: `http://127.0.0.1:${port}`,
    processes,
    second,
    spawn: spawnWith(env),
    run: runWith(env),
    state,
    async rewriteState(change) {
      const known = await state();
      if (!known) throw new Error('there is no state to change');
      await writeState(stateFile, change(known.detail));
      await redis.flushAll(); // the newer of two states counts, and Redis holds the other
    },
    untilState,
    untilReady: readyBy(untilState),
    watchReady(mustNotBeReady = () => undefined, read = state) {
      const grid = {
        settleMs: Number(env['SETTLE_SECONDS']) * 1000,
        stepMs: Number(env['QUERY_STEP']) * 1000,
      };
      const truth = truthOf(exportSite, grid);
      const oracle = startOracle(
        read,
        async (seen) => (await mustNotBeReady(seen)) || (await truth(seen)),
      );
      oracles.push(oracle);
      ends.use(oracle);
      ends.defer(() => oracle.assertHonest());
      return oracle;
    },
    async fill(samples) {
      await Promise.all(
        SITES.map(async (site) => {
          await importSeries(sites[site].vm.url, samples[site] ?? [], sites[site].vm);
          await sites[site].vm.flush();
        }),
      );
    },
    compareRaw: async ({ fromMs, toMs } = {}) =>
      diffRaw(await exportSite('primary', toMs, fromMs), await exportSite('dr', toMs, fromMs)),
    activate: (site, more) => orThrow(dns, 'dns').set(recordOf(site, more)),
    chunks: () => chunkJobs(redis.url),
    story,
    [Symbol.asyncDispose]: () => ends.disposeAsync(),
  };
}

async function startSite(options: SiteOptions, ends: AsyncDisposableStack): Promise<SiteStack> {
  const vm = ended(ends, await startVictoriaMetrics(options));
  const vmauth = options.vmauth
    ? ended(
        ends,
        await startVmauth({ target: vm.url, ...(options.version && { version: options.version }) }),
      )
    : undefined;
  const inner = (vmauth ?? vm).url;
  const proxy = options.proxy ? stopped(ends, await startFaultProxy({ target: inner })) : undefined;
  return {
    vm,
    vmauth,
    url: proxy?.url ?? inner,
    get proxy() {
      return orThrow(proxy, 'proxy');
    },
  };
}

function siteEnv(place: 'LOCAL' | 'REMOTE', { vm, vmauth, url }: SiteStack): Env {
  const login = vmauth?.auth ?? vm.auth;
  return {
    [`${place}_VM_URL`]: url,
    ...(login && {
      [`${place}_VM_USERNAME`]: login.username,
      [`${place}_VM_PASSWORD`]: login.password,
    }),
  };
}

const recordOf = (site: Site, more: { ttl?: number; txt?: string } = {}) => [
  { name: record, addresses: [addressOf[site]], ...more },
];

/** Ended without ceremony: nothing that it holds is wanted afterwards. */
function ended<T extends { kill(): Promise<void> }>(ends: AsyncDisposableStack, server: T): T {
  ends.defer(() => server.kill());
  return server;
}

function stopped<T extends { stop(): Promise<void> }>(ends: AsyncDisposableStack, server: T): T {
  ends.defer(() => server.stop());
  return server;
}

function orThrow<T>(part: T | undefined, name: string): T {
  if (part === undefined) throw new Error(`the stack was started without ${name}: true`);
  return part;
}

async function chunkJobs(redisUrl: string): Promise<ChunkJob[]> {
  const queue = openQueue('repairs', { url: redisUrl });
  try {
    const ids = (await queue.getJobs()).map(({ id }) => id ?? '');
    // The state first: what is read after it is at least as new.
    const states = await Promise.all(ids.map((id) => queue.getJobState(id)));
    const jobs = await Promise.all(ids.map((id) => queue.getJob(id)));
    return await Promise.all(
      jobs
        .flatMap((job, at) => (job ? [{ job, state: states[at] ?? 'unknown' }] : []))
        .map(async ({ job, state }) => ({
          id: job.id ?? '',
          state,
          order: ChunkOrder.parse(job.data),
          result: ChunkResult.safeParse(job.returnvalue).data,
          failedReason: job.failedReason,
          attempts: job.attemptsStarted,
          log: (await queue.getJobLogs(job.id ?? '')).logs,
        })),
    );
  } finally {
    await queue.close();
  }
}

function briefly(state: StateFile | undefined): string {
  if (!state) return 'there is no state file';
  const { detail: _, ...seen } = state;
  return JSON.stringify(seen);
}

function storyOf(processes: readonly VmSyncProcess[]): string {
  return processes
    .map(({ name, ended: how, lines }) => {
      const last = lines.slice(-40).map(({ level, msg, err }) => `  ${level} ${msg} ${err ?? ''}`);
      return [`vm-sync ${name}${how ? `, ended: ${how}` : ''}`, ...last].join('\n');
    })
    .join('\n');
}

/** For what must stay as it is a while; anything else waits for a condition. */
export const rest = (ms: number): Promise<void> => sleep(ms);
