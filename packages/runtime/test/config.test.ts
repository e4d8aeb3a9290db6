import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSelectors } from '@vm-sync/core';
import { temporaryFolder } from '@vm-sync/testkit';
import { describe, expect, test } from 'vitest';
import { ConfigError, type Env, envToConfig, secretsOf } from '../src/index.ts';

const least: Env = {
  ROLE: 'primary',
  LOCAL_VM_URL: 'http://a:8428',
  REMOTE_VM_URL: 'http://b:8428',
  DNS_RECORD: 'vm.example',
  PRIMARY_IP: '192.0.2.1',
  DR_IP: '192.0.2.2',
};

function faultsOf(env: Env): readonly string[] {
  try {
    envToConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

const file = (text: string): string => {
  const path = join(temporaryFolder('config'), 'file');
  writeFileSync(path, text);
  return path;
};

test('the defaults are those of the table', () => {
  const nothing = {
    readUrl: undefined,
    writeUrl: undefined,
    username: undefined,
    password: undefined,
    bearerToken: undefined,
    ca: undefined,
    cert: undefined,
    key: undefined,
  };
  expect(envToConfig(least)).toEqual({
    role: 'primary',
    vm: {
      primary: { url: 'http://a:8428', ...nothing },
      dr: { url: 'http://b:8428', ...nothing },
    },
    active: {
      by: 'dns',
      record: 'vm.example',
      server: undefined,
      addressOf: { primary: '192.0.2.1', dr: '192.0.2.2' },
      leaseRecord: 'vm.example',
    },
    checkIntervalMs: 120_000,
    queryWindowMs: 3_600_000,
    queryStepMs: 300_000,
    settleMs: 180_000,
    gapThreshold: 0.9,
    gapMapLabels: ['instance', 'device', 'host', 'job'],
    failbackCleanChecks: 3,
    syncDirection: 'active-to-passive',
    match: parseSelectors('{__name__!=""}'),
    exclude: parseSelectors('{__name__=~"vmsync_.+"} {job="victoria-metrics",instance="self"}'),
    notify: [],
    redisUrl: 'redis://127.0.0.1:6379',
    stateFile: 'data/vm-sync/vm-sync-state.json',
    dashboard: { host: '127.0.0.1', port: 3000, login: undefined },
    workerConcurrency: 2,
    paceLimits: { maxCopies: 4, maxBytesPerS: null },
    logLevel: 'info',
    logFormat: 'auto',
  });
});

test('at dr the local database is the dr one', () => {
  const { role, vm } = envToConfig({ ...least, ROLE: 'dr' });
  expect([role, vm.dr.url, vm.primary.url]).toEqual(['dr', 'http://a:8428', 'http://b:8428']);
});

test('a pinned site needs no record', () => {
  const { DNS_RECORD, PRIMARY_IP, DR_IP, ...rest } = least;
  expect(envToConfig({ ...rest, ACTIVE_SITE: 'dr' }).active).toEqual({ by: 'pin', site: 'dr' });
  expect(faultsOf(rest).map((fault) => fault.split(':', 1)[0])).toEqual([
    'DNS_RECORD',
    'PRIMARY_IP',
    'DR_IP',
  ]);
});

test('every variable is taken', () => {
  const config = envToConfig({
    ...least,
    DNS_SERVER: '[::1]:5353',
    CHECK_INTERVAL: '90',
    QUERY_WINDOW: '1h30m',
    QUERY_STEP: '60s',
    SETTLE_SECONDS: '0',
    GAP_THRESHOLD: '1',
    FAILBACK_CLEAN_CHECKS: '1',
    SYNC_DIRECTION: 'both',
    SYNC_MATCH: '{job="a"} up',
    SYNC_EXCLUDE: '{job="b"}',
    NOTIFY_WEBHOOK: 'https://hooks.slack.com/services/x',
    REDIS_URL: 'rediss://:pw@redis:6380/1',
    STATE_FILE: '/var/lib/state.json',
    DASHBOARD_HOST: '0.0.0.0',
    DASHBOARD_PORT: '8080',
    DASHBOARD_USER: 'ops',
    DASHBOARD_PASSWORD: 'dash',
    WORKER_CONCURRENCY: '4',
    MAX_COPIES: '16',
    MAX_BYTES_PER_SECOND: '50MB',
    LOG_LEVEL: 'debug',
    LOG_FORMAT: 'json',
    LOCAL_VM_READ_URL: 'http://select/1/prometheus',
    LOCAL_VM_WRITE_URL: 'http://insert/1/prometheus',
    LOCAL_VM_USERNAME: 'u',
    LOCAL_VM_PASSWORD: 'p',
    LOCAL_VM_CA_FILE: file('CA'),
    REMOTE_VM_BEARER_TOKEN: 't',
    REMOTE_VM_CERT_FILE: file('CERT'),
    REMOTE_VM_KEY_FILE: file('KEY'),
  });
  expect(config).toMatchObject({
    active: { server: '[::1]:5353' },
    checkIntervalMs: 90_000,
    queryWindowMs: 5_400_000,
    queryStepMs: 60_000,
    settleMs: 0,
    gapThreshold: 1,
    failbackCleanChecks: 1,
    syncDirection: 'both',
    match: parseSelectors('{job="a"} up'),
    exclude: parseSelectors('{job="b"}'),
    notify: [
      {
        name: '1',
        url: 'https://hooks.slack.com/services/x',
        format: 'slack',
        minSeverity: 'info',
        secret: undefined,
      },
    ],
    redisUrl: 'rediss://:pw@redis:6380/1',
    stateFile: '/var/lib/state.json',
    dashboard: { host: '0.0.0.0', port: 8080, login: { user: 'ops', password: 'dash' } },
    workerConcurrency: 4,
    paceLimits: { maxCopies: 16, maxBytesPerS: 50_000_000 },
    logLevel: 'debug',
    logFormat: 'json',
    vm: {
      primary: {
        readUrl: 'http://select/1/prometheus',
        writeUrl: 'http://insert/1/prometheus',
        username: 'u',
        password: 'p',
        ca: 'CA',
      },
      dr: { bearerToken: 't', cert: 'CERT', key: 'KEY' },
    },
  });
});

test('without anything, everything that is required is named', () => {
  expect(faultsOf({})).toEqual([
    'ROLE: missing; expected primary or dr',
    'LOCAL_VM_URL: missing; expected a URL such as http://victoriametrics:8428',
    'REMOTE_VM_URL: missing; expected a URL such as http://192.168.100.143:8428',
    'DNS_RECORD: missing; required unless ACTIVE_SITE is primary or dr',
    'PRIMARY_IP: missing; required unless ACTIVE_SITE is primary or dr',
    'DR_IP: missing; required unless ACTIVE_SITE is primary or dr',
  ]);
});

const secret = 's3cr3t';
const wrong: Env = {
  ROLE: 'secondary',
  LOCAL_VM_URL: `ftp://user:${secret}@a`,
  REMOTE_VM_URL: `${secret} no URL`,
  LOCAL_VM_READ_URL: `nonsense:${secret}`,
  REMOTE_VM_WRITE_URL: `http://u:${secret}%@b`,
  LOCAL_VM_USERNAME: 'u',
  LOCAL_VM_BEARER_TOKEN: secret,
  LOCAL_VM_CA_FILE: '/nonexistent/ca.pem',
  LOCAL_VM_CERT_FILE: '/nonexistent/cert.pem',
  REMOTE_VM_PASSWORD: secret,
  REMOTE_VM_PASSWORD_FILE: '/nonexistent/secret',
  REMOTE_VM_BEARER_TOKEN_FILE: '/nonexistent/token',
  PRIMARY_IP: 'primary.example',
  DR_IP: '192.0.2.256',
  DNS_SERVER: 'dns.example:53',
  CHECK_INTERVAL: 'often',
  QUERY_WINDOW: '-5',
  QUERY_STEP: '1.5s',
  SETTLE_SECONDS: '3 minutes',
  GAP_THRESHOLD: '90%',
  FAILBACK_CLEAN_CHECKS: '0',
  SYNC_DIRECTION: 'sideways',
  SYNC_MATCH: '{job="a"',
  SYNC_EXCLUDE: '{}',
  NOTIFY_WEBHOOK: `hooks.slack.com/${secret}`,
  NOTIFY_FORMAT: 'telegram',
  NOTIFY_MIN_SEVERITY: 'fatal',
  NOTIFY_WEBHOOK_2: `ftp://hooks.slack.com/${secret}`,
  NOTIFY_SECRET_3: secret,
  REDIS_URL: `http://:${secret}@redis`,
  DASHBOARD_HOST: '0.0.0.0',
  DASHBOARD_PORT: '70000',
  DASHBOARD_PASSWORD: secret,
  WORKER_CONCURRENCY: 'many',
  MAX_COPIES: '0',
  MAX_BYTES_PER_SECOND: '50 megabytes',
  LOG_LEVEL: 'loud',
  LOG_FORMAT: 'xml',
};

test('every fault is told at once, each variable once, and no secret is repeated', () => {
  const faults = faultsOf(wrong);
  const names = faults.map((fault) => fault.split(':', 1)[0] ?? '');
  expect(new Set(names).size).toBe(names.length);
  const innocent = ['LOCAL_VM_USERNAME', 'REMOTE_VM_PASSWORD'];
  const expected = [...Object.keys(wrong).filter((name) => !innocent.includes(name)), 'DNS_RECORD'];
  expect([...names].sort()).toEqual(expected.sort());
  for (const fault of faults) expect(fault).toMatch(/^[A-Z_\d]+: \S.{8,}/);
  const error = new ConfigError(faults);
  expect(error.message).toMatch(new RegExp(`^${faults.length} wrong or missing settings:\n`));
  expect(error.message).not.toContain(secret);
});

test.each([
  ['QUERY_STEP', '1.5s', 'QUERY_STEP: expected whole seconds'],
  ['QUERY_STEP', '2h', 'QUERY_WINDOW: shorter than QUERY_STEP'],
  [
    'CHECK_INTERVAL',
    '0',
    'CHECK_INTERVAL: expected seconds or a duration such as 90s, 2m or 1h of at least 1s, got "0"',
  ],
  [
    'CHECK_INTERVAL',
    '36501d',
    'CHECK_INTERVAL: expected seconds or a duration such as 90s, 2m or 1h of at most 36500d',
  ],
  ['CHECK_INTERVAL', '5 m', 'CHECK_INTERVAL: expected seconds or a duration'],
  ['GAP_THRESHOLD', '0', 'GAP_THRESHOLD: expected a share above 0 and up to 1, got "0"'],
  ['GAP_THRESHOLD', '1.1', 'GAP_THRESHOLD: expected a share'],
  [
    'FAILBACK_CLEAN_CHECKS',
    '2.5',
    'FAILBACK_CLEAN_CHECKS: expected a whole number from 1 to 1000, got "2.5"',
  ],
  ['DASHBOARD_PORT', '0', 'DASHBOARD_PORT: expected a whole number'],
  ['MAX_COPIES', '0', 'MAX_COPIES: expected a whole number from 1 to 1000, got "0"'],
  [
    'MAX_BYTES_PER_SECOND',
    '50mb',
    'MAX_BYTES_PER_SECOND: expected bytes such as 50000000 or 50MB (kB, MB, GB), at least 100000, got "50mb"',
  ],
  ['MAX_BYTES_PER_SECOND', '99kB', 'MAX_BYTES_PER_SECOND: expected bytes'],
  ['MAX_BYTES_PER_SECOND', '-1', 'MAX_BYTES_PER_SECOND: expected bytes'],
  ['MAX_BYTES_PER_SECOND', 'MB', 'MAX_BYTES_PER_SECOND: expected bytes'],
  [
    'DASHBOARD_HOST',
    '0.0.0.0',
    'DASHBOARD_HOST: listening beyond loopback needs DASHBOARD_USER and DASHBOARD_PASSWORD',
  ],
  ['DASHBOARD_HOST', '::', 'DASHBOARD_HOST: listening beyond loopback'],
  [
    'DASHBOARD_USER',
    'ops',
    'DASHBOARD_PASSWORD: DASHBOARD_USER and DASHBOARD_PASSWORD go together',
  ],
  [
    'DASHBOARD_PASSWORD',
    'x',
    'DASHBOARD_PASSWORD: DASHBOARD_USER and DASHBOARD_PASSWORD go together',
  ],
  ['REMOTE_VM_URL', 'http://a:8428', 'REMOTE_VM_URL: the same as LOCAL_VM_URL'],
  ['DR_IP', '192.0.2.1', 'DR_IP: the same as PRIMARY_IP'],
  [
    'DNS_SERVER',
    'dns.example',
    'DNS_SERVER: expected an IP address as host or host:port, got "dns.example"',
  ],
  ['DNS_SERVER', '192.0.2.53:99999', 'DNS_SERVER: expected an IP address'],
  ['SYNC_MATCH', '{job="a"', 'SYNC_MATCH: not a selector: expected "," or "}" at the end'],
  ['ACTIVE_SITE', 'tertiary', 'ACTIVE_SITE: expected auto or primary or dr, got "tertiary"'],
  ['LOCAL_VM_CA_FILE', '/nonexistent', 'LOCAL_VM_CA_FILE: cannot read the file: ENOENT'],
  [
    'LOCAL_VM_KEY_FILE',
    '/dev/null',
    'LOCAL_VM_CERT_FILE: LOCAL_VM_CERT_FILE and LOCAL_VM_KEY_FILE go together',
  ],
  ['NOTIFY_WEBHOOK_FILE', '/dev/null', 'NOTIFY_WEBHOOK_FILE: the file is empty'],
])('%s=%s', (name, value, fault) => {
  expect(faultsOf({ ...least, [name]: value })).toEqual([expect.stringContaining(fault)]);
});

test.each([
  ['50000000', 50_000_000],
  ['50MB', 50_000_000],
  ['50 MB', 50_000_000],
  ['0.5GB', 500_000_000],
  ['100kB', 100_000],
  ['100000B', 100_000],
])('%s in a second', (text, bytes) => {
  expect(envToConfig({ ...least, MAX_BYTES_PER_SECOND: text }).paceLimits.maxBytesPerS).toBe(bytes);
});

test('IPv6 addresses in two spellings are one', () => {
  const env = { ...least, PRIMARY_IP: '2001:db8::1', DR_IP: '2001:DB8:0::1' };
  expect(faultsOf(env)).toEqual([expect.stringContaining('DR_IP: the same as PRIMARY_IP')]);
});

test.each(['localhost', '127.0.0.1', '127.1.2.3', '::1'])('%s needs no login', (host) => {
  expect(envToConfig({ ...least, DASHBOARD_HOST: host }).dashboard.host).toBe(host);
});

test.each(['192.0.2.53', '192.0.2.53:5353', '::1', '[::1]', '[2001:db8::1]:53'])(
  '%s is a DNS server',
  (server) => {
    expect(envToConfig({ ...least, DNS_SERVER: server }).active).toMatchObject({ server });
  },
);

test.each([
  ['https://hooks.slack.com/services/T/B/x', 'auto', 'slack'],
  ['https://prod-1.westeurope.logic.azure.com:443/workflows/x', 'auto', 'teams'],
  ['https://x.environment.api.powerplatform.com/powerautomate/x', 'auto', 'teams'],
  ['https://contoso.webhook.office.com/x', 'auto', 'teams'],
  ['https://chat.example/hooks/x', 'auto', 'slack'],
  ['https://chat.example/hooks/x', 'teams', 'teams'],
  ['https://logic.azure.com.evil.example/x', 'auto', 'slack'],
])('a webhook at %s with %s is told the way of %s', (url, NOTIFY_FORMAT, format) => {
  expect(envToConfig({ ...least, NOTIFY_WEBHOOK: url, NOTIFY_FORMAT }).notify).toMatchObject([
    { url, format },
  ]);
});

test('messages may go to several targets, each in its own way', () => {
  const { notify } = envToConfig({
    ...least,
    NOTIFY_WEBHOOK_2: 'https://prod-1.westeurope.logic.azure.com/workflows/x',
    NOTIFY_WEBHOOK_4_FILE: file('https://events.example/vm-sync\n'),
    NOTIFY_FORMAT_4: 'json',
    NOTIFY_MIN_SEVERITY: 'warn',
    NOTIFY_MIN_SEVERITY_4: 'info',
    NOTIFY_SECRET: 'of all',
    NOTIFY_SECRET_4_FILE: file('of the fourth\n'),
  });
  expect(notify).toEqual([
    {
      name: '2',
      url: 'https://prod-1.westeurope.logic.azure.com/workflows/x',
      format: 'teams',
      minSeverity: 'warn',
      secret: 'of all',
    },
    {
      name: '4',
      url: 'https://events.example/vm-sync',
      format: 'json',
      minSeverity: 'info',
      secret: 'of the fourth',
    },
  ]);
});

test.each([
  ['NOTIFY_FORMAT_2', 'json', 'NOTIFY_FORMAT_2: there is no NOTIFY_WEBHOOK_2 for it'],
  ['NOTIFY_FORMAT', 'irc', 'NOTIFY_FORMAT: expected auto or slack or teams or json, got "irc"'],
  ['NOTIFY_MIN_SEVERITY_5', 'warn', 'NOTIFY_MIN_SEVERITY_5: there is no NOTIFY_WEBHOOK_5 for it'],
  ['NOTIFY_MIN_SEVERITY', 'all', 'NOTIFY_MIN_SEVERITY: expected info or warn or error, got "all"'],
])('a setting of nobody, or a wrong one, is told: %s=%s', (name, value, fault) => {
  expect(faultsOf({ ...least, [name]: value })).toEqual([fault]);
});

describe('secrets', () => {
  test('may stand in files', () => {
    const config = envToConfig({
      ...least,
      LOCAL_VM_USERNAME_FILE: file('user\n'),
      LOCAL_VM_PASSWORD_FILE: file(' pass word \n'),
      REMOTE_VM_BEARER_TOKEN_FILE: file('token\r\n'),
      REDIS_URL_FILE: file('redis://:pw@redis:6379\n'),
      NOTIFY_WEBHOOK_FILE: file('https://hooks.slack.com/x\n'),
      DASHBOARD_USER: 'ops',
      DASHBOARD_PASSWORD_FILE: file('dash\n'),
    });
    expect(config).toMatchObject({
      vm: { primary: { username: 'user', password: 'pass word' }, dr: { bearerToken: 'token' } },
      redisUrl: 'redis://:pw@redis:6379',
      notify: [{ url: 'https://hooks.slack.com/x' }],
      dashboard: { login: { user: 'ops', password: 'dash' } },
    });
  });

  test('stand in one place only', () => {
    const faults = faultsOf({
      ...least,
      LOCAL_VM_PASSWORD: 'a',
      LOCAL_VM_PASSWORD_FILE: file('b'),
    });
    expect(faults).toEqual([
      'LOCAL_VM_PASSWORD_FILE: either LOCAL_VM_PASSWORD or LOCAL_VM_PASSWORD_FILE, not both',
    ]);
  });

  test('are all known, wherever they stand', () => {
    const config = envToConfig({
      ...least,
      LOCAL_VM_URL: 'http://u:url%40pw@a:8428',
      LOCAL_VM_READ_URL: 'http://u:readpw@select',
      REMOTE_VM_WRITE_URL: 'http://u:writepw@insert',
      REMOTE_VM_USERNAME: 'u',
      REMOTE_VM_PASSWORD: 'vmpw',
      LOCAL_VM_BEARER_TOKEN: 'token',
      LOCAL_VM_CERT_FILE: file('CERT'),
      LOCAL_VM_KEY_FILE: file('KEY'),
      REDIS_URL: 'redis-sentinel://u:redispw@a:1,b:2/main',
      NOTIFY_WEBHOOK: 'https://hooks.slack.com/hook',
      NOTIFY_WEBHOOK_3: 'https://events.example/hook',
      NOTIFY_SECRET_3: 'signing',
      DASHBOARD_USER: 'ops',
      DASHBOARD_PASSWORD: 'dashpw',
    });
    const secrets = secretsOf(config);
    for (const one of [
      'url@pw',
      'url%40pw',
      'readpw',
      'writepw',
      'vmpw',
      'token',
      'KEY',
      'redispw',
      'dashpw',
      'https://hooks.slack.com/hook',
      'https://events.example/hook',
      'signing',
      Buffer.from('u:vmpw').toString('base64'),
    ]) {
      expect(secrets).toContain(one);
    }
    expect(secrets).not.toContain('');
    expect(secretsOf(envToConfig(least))).toEqual([]);
  });
});

test.each([
  [undefined, 'vm.example'],
  ['lease.example', 'lease.example'],
  ['none', undefined],
])('DNS_LEASE_RECORD=%s reads the lease of %s', (given, leaseRecord) => {
  const env = given === undefined ? least : { ...least, DNS_LEASE_RECORD: given };
  expect(envToConfig(env).active).toMatchObject({ by: 'dns', leaseRecord });
});
