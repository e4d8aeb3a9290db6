import { isIP } from 'node:net';
import {
  type PaceLimits,
  parseDurationMs,
  parseSelectors,
  type Selector,
  type Site,
  sameAddress,
} from '@vm-sync/core';
import { parseRedisUrl } from '@vm-sync/queue';
import { z } from 'zod';
import {
  DASHBOARD_SECRETS,
  DASHBOARD_VARIABLES,
  type DashboardConfig,
  dashboardConfig,
  dashboardSecrets,
} from './config-dashboard.ts';
import { Faults, readOrFault } from './config-faults.ts';
import type { Env } from './env.ts';
import type { LogFormat } from './logger.ts';
import { NOTIFY_SECRETS, type NotifyTarget, notifyTargets } from './notify-targets.ts';

/** How to reach one VictoriaMetrics; files are already read. */
export interface VmConfig {
  readonly url: string;
  readonly readUrl?: string | undefined;
  readonly writeUrl?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly bearerToken?: string | undefined;
  /** PEM texts. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** How the active site is found: pinned, or by a DNS record. */
export type ActiveConfig =
  | { readonly by: 'pin'; readonly site: Site }
  | {
      readonly by: 'dns';
      readonly record: string;
      readonly server: string | undefined;
      readonly addressOf: Readonly<Record<Site, string>>;
      /** Whose TXT is read for a lease; undefined when none is. */
      readonly leaseRecord: string | undefined;
    };

/** Everything that the environment says, parsed and judged. */
export interface Config {
  readonly role: Site;
  readonly vm: Readonly<Record<Site, VmConfig>>;
  readonly active: ActiveConfig;
  readonly checkIntervalMs: number;
  readonly queryWindowMs: number;
  readonly queryStepMs: number;
  readonly settleMs: number;
  readonly gapThreshold: number;
  /** Labels that the gap map is grouped by: the first that tells groups apart. */
  readonly gapMapLabels: readonly string[];
  readonly failbackCleanChecks: number;
  readonly syncDirection: 'active-to-passive' | 'both';
  readonly match: readonly Selector[];
  readonly exclude: readonly Selector[];
  /** Who is sent messages; nobody when it is empty. */
  readonly notify: readonly NotifyTarget[];
  readonly redisUrl: string;
  readonly stateFile: string;
  readonly dashboard: DashboardConfig;
  readonly workerConcurrency: number;
  /** Bounds for all workers together; how much of them is used depends on the databases. */
  readonly paceLimits: PaceLimits;
  readonly logLevel: string;
  readonly logFormat: LogFormat;
}

/** Every fault of a configuration at once, one to a line: the variable, what is wrong, what was expected. */
export class ConfigError extends Error {
  override name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(
      `${faults.length} wrong or missing setting${faults.length === 1 ? '' : 's'}:\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
    );
    this.faults = faults;
  }
}

/**
 * What is not compared unless SYNC_EXCLUDE says otherwise: vm-sync's own series, and what a VictoriaMetrics writes about
 * itself (`-selfScrapeInterval` gives these labels). Nothing is excluded by the prefix `vm_`: virtual machines have
 * metrics that begin so, and READY must not be said about samples that nobody compared.
 */
export const DEFAULT_EXCLUDE = '{__name__=~"vmsync_.+"} {job="victoria-metrics",instance="self"}';

const DEFAULT_MATCH = '{__name__!=""}';

/** What adds up to more than a date can hold could be written, but not be read again. */
const DAYS_MOST = 36_500;

const seconds = (minimumMs: number) =>
  z.string().transform((text, context) => {
    const ms = parseDurationMs(text);
    const isTooLong = ms !== undefined && ms > DAYS_MOST * 86_400_000;
    if (ms !== undefined && ms >= minimumMs && !isTooLong) return ms;
    const bound = isTooLong ? `at most ${DAYS_MOST}d` : `at least ${minimumMs / 1000}s`;
    context.addIssue(
      `expected seconds or a duration such as 90s, 2m or 1h of ${bound}, got ${JSON.stringify(text)}`,
    );
    return z.NEVER;
  });

const wholeNumber = (least: number, most: number) =>
  z.string().transform((text, context) => {
    const number = Number(text);
    if (Number.isInteger(number) && number >= least && number <= most) return number;
    context.addIssue(
      `expected a whole number from ${least} to ${most}, got ${JSON.stringify(text)}`,
    );
    return z.NEVER;
  });

const BYTES = { '': 1, B: 1, kB: 1e3, MB: 1e6, GB: 1e9 } as const;

const bytes = (least: number) =>
  z.string().transform((text, context) => {
    const [, amount, unit] = /^(\d+(?:\.\d+)?) ?((?:[kMG]?B)?)$/.exec(text) ?? [];
    const number = Math.round(Number(amount) * BYTES[unit as keyof typeof BYTES]);
    if (number >= least) return number;
    context.addIssue(
      `expected bytes such as 50000000 or 50MB (kB, MB, GB), at least ${least}, got ${JSON.stringify(text)}`,
    );
    return z.NEVER;
  });

const oneOf = <const T extends readonly string[]>(...words: T) =>
  z.string().transform((text, context): T[number] => {
    if (words.includes(text)) return text;
    context.addIssue(`expected ${words.join(' or ')}, got ${JSON.stringify(text)}`);
    return z.NEVER;
  });

/** Never repeats the value: a URL may carry a login. */
const httpUrl = z.string().transform((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol)) {
    if (!/%(?![0-9a-f]{2})/i.test(url.username + url.password)) return text;
    context.addIssue('expected %25 for a percent sign in user or password');
    return z.NEVER;
  }
  context.addIssue('expected a URL such as http://victoriametrics:8428');
  return z.NEVER;
});

const selectors = z.string().transform((text, context) => {
  try {
    return parseSelectors(text);
  } catch (error) {
    context.addIssue(`not a selector: ${(error as Error).message}`);
    return z.NEVER;
  }
});

const redisUrl = z.string().transform((text, context) => {
  try {
    parseRedisUrl(text);
    return text;
  } catch (error) {
    context.addIssue((error as Error).message);
    return z.NEVER;
  }
});

const ipAddress = z.string().refine((text) => isIP(text) !== 0, 'expected an IP address');

const threshold = z.string().transform((text, context) => {
  const share = Number(text);
  if (share > 0 && share <= 1) return share;
  context.addIssue(`expected a share above 0 and up to 1, got ${JSON.stringify(text)}`);
  return z.NEVER;
});

const labelNames = z.string().transform((text, context) => {
  const names = text.split(/[\s,]+/).filter((name) => name !== '');
  if (names.length > 0 && names.every((name) => /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)))
    return names;
  context.addIssue(`expected label names such as instance device, got ${JSON.stringify(text)}`);
  return z.NEVER;
});

const dnsServer = z.string().transform((text, context) => {
  const found = /^(?:\[([^\]]+)\]|([^:]+)|([0-9a-fA-F:]+:[0-9a-fA-F:]*))(?::(\d+))?$/.exec(text);
  const host = found?.[1] ?? found?.[2] ?? found?.[3] ?? '';
  if (isIP(host) !== 0 && Number(found?.[4] ?? 53) <= 65_535) return text;
  context.addIssue(`expected an IP address as host or host:port, got ${JSON.stringify(text)}`);
  return z.NEVER;
});

const vm = (place: 'LOCAL' | 'REMOTE') =>
  ({
    [`${place}_VM_URL`]: httpUrl,
    [`${place}_VM_READ_URL`]: httpUrl.optional(),
    [`${place}_VM_WRITE_URL`]: httpUrl.optional(),
    [`${place}_VM_USERNAME`]: z.string().optional(),
    [`${place}_VM_PASSWORD`]: z.string().optional(),
    [`${place}_VM_BEARER_TOKEN`]: z.string().optional(),
    [`${place}_VM_CA_FILE`]: z.string().optional(),
    [`${place}_VM_CERT_FILE`]: z.string().optional(),
    [`${place}_VM_KEY_FILE`]: z.string().optional(),
  }) as Record<string, z.ZodType<string | undefined>>;

const Schema = z.object({
  ROLE: oneOf('primary', 'dr'),
  DNS_RECORD: z.string().optional(),
  PRIMARY_IP: ipAddress.optional(),
  DR_IP: ipAddress.optional(),
  DNS_SERVER: dnsServer.optional(),
  DNS_LEASE_RECORD: z.string().optional(),
  ACTIVE_SITE: oneOf('auto', 'primary', 'dr').prefault('auto'),
  CHECK_INTERVAL: seconds(1_000).prefault('120'),
  QUERY_WINDOW: seconds(1_000).prefault('3600'),
  QUERY_STEP: seconds(1_000).prefault('300'),
  SETTLE_SECONDS: seconds(0).prefault('180'),
  GAP_THRESHOLD: threshold.prefault('0.9'),
  GAP_MAP_LABEL: labelNames.prefault('instance device host job'),
  FAILBACK_CLEAN_CHECKS: wholeNumber(1, 1_000).prefault('3'),
  SYNC_DIRECTION: oneOf('active-to-passive', 'both').prefault('active-to-passive'),
  SYNC_MATCH: selectors.prefault(DEFAULT_MATCH),
  SYNC_EXCLUDE: selectors.prefault(DEFAULT_EXCLUDE),
  REDIS_URL: redisUrl.prefault('redis://127.0.0.1:6379'),
  STATE_FILE: z.string().prefault('data/vm-sync/vm-sync-state.json'),
  DASHBOARD_HOST: z.string().prefault('127.0.0.1'),
  DASHBOARD_PORT: wholeNumber(1, 65_535).prefault('3000'),
  ...DASHBOARD_VARIABLES,
  WORKER_CONCURRENCY: wholeNumber(1, 64).prefault('2'),
  MAX_COPIES: wholeNumber(1, 1_000).prefault('4'),
  MAX_BYTES_PER_SECOND: bytes(100_000).optional(),
  LOG_LEVEL: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent').prefault('info'),
  LOG_FORMAT: oneOf('auto', 'json', 'pretty').prefault('auto'),
});

const VmSchema = z.object({ ...vm('LOCAL'), ...vm('REMOTE') });

/** Secrets that may stand in a file, named by the variable with `_FILE` behind its name. */
const SECRETS = [
  ...['LOCAL', 'REMOTE'].flatMap((place) =>
    ['USERNAME', 'PASSWORD', 'BEARER_TOKEN'].map((what) => `${place}_VM_${what}`),
  ),
  'REDIS_URL',
  ...NOTIFY_SECRETS,
  ...DASHBOARD_SECRETS,
];

/** Reads every variable by itself, so that a wrong one hides no fault of the others; wrong ones are left out. */
function parsed(env: Env, faults: Faults): Partial<Parsed> {
  const data: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries({ ...Schema.shape, ...VmSchema.shape })) {
    const result = schema.safeParse(env[name]);
    const [issue] = result.error?.issues ?? [];
    if (issue) {
      faults.add(name, `${env[name] === undefined ? 'missing; ' : ''}${expected(name, issue)}`);
    } else data[name] = result.data;
  }
  return data;
}

const isComplete = (data: Partial<Parsed>): data is Parsed =>
  Schema.keyof().options.every((name) => name in data);

/** Judges the whole environment; throws a `ConfigError` with every fault. Reads the files that the environment names. */
export function envToConfig(given: Env): Config {
  const faults = new Faults();
  const env = withSecretFiles(given, faults);
  const data = parsed(env, faults);
  const sites = { local: vmConfig('LOCAL', env, faults), remote: vmConfig('REMOTE', env, faults) };
  judgeTogether(env, data, faults);
  const active = activeConfig(data, faults);
  const notify = notifyTargets(env, (name, sentence) => faults.add(name, sentence));
  const dashboard = dashboardConfig(data, env, faults);
  if (faults.sentences.length > 0 || !isComplete(data) || !active) {
    throw new ConfigError(faults.sentences);
  }
  const step = data.QUERY_STEP;
  return {
    role: data.ROLE,
    vm:
      data.ROLE === 'primary'
        ? { primary: sites.local, dr: sites.remote }
        : { primary: sites.remote, dr: sites.local },
    active,
    checkIntervalMs: data.CHECK_INTERVAL,
    queryWindowMs: data.QUERY_WINDOW,
    queryStepMs: step,
    settleMs: data.SETTLE_SECONDS,
    gapThreshold: data.GAP_THRESHOLD,
    gapMapLabels: data.GAP_MAP_LABEL,
    failbackCleanChecks: data.FAILBACK_CLEAN_CHECKS,
    syncDirection: data.SYNC_DIRECTION,
    match: data.SYNC_MATCH,
    exclude: data.SYNC_EXCLUDE,
    notify,
    redisUrl: data.REDIS_URL,
    stateFile: data.STATE_FILE,
    dashboard: { host: data.DASHBOARD_HOST, port: data.DASHBOARD_PORT, ...dashboard },
    workerConcurrency: data.WORKER_CONCURRENCY,
    paceLimits: {
      maxCopies: data.MAX_COPIES,
      maxBytesPerS: data.MAX_BYTES_PER_SECOND ?? null,
    },
    logLevel: data.LOG_LEVEL,
    logFormat: data.LOG_FORMAT,
  };
}

const WANTED: Record<string, string> = {
  ROLE: 'expected primary or dr',
  LOCAL_VM_URL: 'expected a URL such as http://victoriametrics:8428',
  REMOTE_VM_URL: 'expected a URL such as http://192.168.100.143:8428',
};

/** zod's own words for a missing value speak of types; people want to know what to write. */
const expected = (name: string, issue: z.core.$ZodIssue): string =>
  issue.code === 'invalid_type' ? (WANTED[name] ?? 'expected a value') : issue.message;

type Parsed = z.output<typeof Schema>;

function activeConfig(data: Partial<Parsed>, faults: Faults): ActiveConfig | undefined {
  if (data.ACTIVE_SITE === undefined) return undefined;
  if (data.ACTIVE_SITE !== 'auto') return { by: 'pin', site: data.ACTIVE_SITE };
  const { DNS_RECORD: record, PRIMARY_IP: primary, DR_IP: dr, DNS_SERVER: server } = data;
  for (const name of ['DNS_RECORD', 'PRIMARY_IP', 'DR_IP'] as const) {
    if (data[name] === undefined) {
      faults.add(name, 'missing; required unless ACTIVE_SITE is primary or dr');
    }
  }
  if (record === undefined || primary === undefined || dr === undefined) return undefined;
  if (sameAddress(primary, dr)) {
    faults.add('DR_IP', 'the same as PRIMARY_IP, so the record cannot tell the sites apart');
  }
  const lease = data.DNS_LEASE_RECORD ?? record;
  const leaseRecord = lease === 'none' ? undefined : lease;
  return { by: 'dns', record, server, addressOf: { primary, dr }, leaseRecord };
}

/** Settings that are right one by one and wrong together. */
function judgeTogether(env: Env, data: Partial<Parsed>, faults: Faults): void {
  if (env['LOCAL_VM_URL'] !== undefined && env['LOCAL_VM_URL'] === env['REMOTE_VM_URL']) {
    faults.add('REMOTE_VM_URL', 'the same as LOCAL_VM_URL; the two sites must be two databases');
  }
  const { QUERY_STEP: step, QUERY_WINDOW: window } = data;
  if (step !== undefined && step % 1_000 !== 0) faults.add('QUERY_STEP', 'expected whole seconds');
  if (step !== undefined && window !== undefined && window < step) {
    faults.add('QUERY_WINDOW', 'shorter than QUERY_STEP, so that no bucket fits into it');
  }
}

function vmConfig(place: 'LOCAL' | 'REMOTE', env: Env, faults: Faults): VmConfig {
  const get = (what: string) => env[`${place}_VM_${what}`];
  const file = (what: string) => {
    const path = get(what);
    return path === undefined ? undefined : readOrFault(`${place}_VM_${what}`, path, faults);
  };
  if (get('BEARER_TOKEN') !== undefined && get('USERNAME') !== undefined) {
    faults.add(`${place}_VM_BEARER_TOKEN`, `either a token or ${place}_VM_USERNAME, not both`);
  }
  if ((get('CERT_FILE') === undefined) !== (get('KEY_FILE') === undefined)) {
    faults.add(
      `${place}_VM_CERT_FILE`,
      `${place}_VM_CERT_FILE and ${place}_VM_KEY_FILE go together`,
    );
  }
  return {
    url: get('URL') ?? '',
    readUrl: get('READ_URL'),
    writeUrl: get('WRITE_URL'),
    username: get('USERNAME'),
    password: get('PASSWORD'),
    bearerToken: get('BEARER_TOKEN'),
    ca: file('CA_FILE'),
    cert: file('CERT_FILE'),
    key: file('KEY_FILE'),
  };
}

function withSecretFiles(env: Env, faults: Faults): Env {
  const full: Record<string, string> = { ...env };
  for (const name of SECRETS) {
    const path = env[`${name}_FILE`];
    if (path === undefined) continue;
    if (env[name] !== undefined) {
      faults.add(`${name}_FILE`, `either ${name} or ${name}_FILE, not both`);
      continue;
    }
    const secret = readOrFault(`${name}_FILE`, path, faults)?.trim();
    if (secret) full[name] = secret;
    else if (secret === '') faults.add(`${name}_FILE`, 'the file is empty');
  }
  return full;
}

/** Every secret of a configuration, for tests and for the redaction of what other programs say. */
export function secretsOf(config: Config): string[] {
  const vms = [config.vm.primary, config.vm.dr];
  const urls = [config.redisUrl, ...vms.flatMap((one) => [one.url, one.readUrl, one.writeUrl])];
  return [
    ...urls.flatMap((url) => passwordIn(url ?? '')),
    ...vms.flatMap((one) => [one.password, one.bearerToken, one.key, ...basicLogins(one)]),
    ...dashboardSecrets(config.dashboard),
    ...config.notify.flatMap(({ url, secret }) => [url, secret]),
  ].filter((secret) => secret !== undefined && secret !== '') as string[];
}

/** Logins as they are sent: a server or a proxy may repeat the header that it refuses. */
function basicLogins({ url, readUrl, writeUrl, username, password }: VmConfig): string[] {
  return [url, readUrl, writeUrl].flatMap((text) => {
    if (text === undefined || !URL.canParse(text)) return [];
    const own = new URL(text);
    const name = username ?? decoded(own.username);
    const secret = password ?? decoded(own.password);
    return secret === '' ? [] : [Buffer.from(`${name}:${secret}`).toString('base64')];
  });
}

/** The password of a URL, as it stands there and decoded; by hand, because lists of hosts are no URLs. */
function passwordIn(url: string): string[] {
  const password = /^[a-z][a-z+.-]*:\/\/[^:@/]*:([^@/]*)@/i.exec(url)?.[1] ?? '';
  return [password, decoded(password)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
