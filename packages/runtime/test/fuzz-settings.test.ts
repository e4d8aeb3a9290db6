import { parseDurationMs } from '@vm-sync/core';
import { damages, fuzz, mutate } from '@vm-sync/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Config,
  ConfigError,
  type Env,
  envToConfig,
  parseEnvFile,
  parsePasswordHash,
  secretsOf,
} from '../src/index.ts';

/** Must never be seen in a message. */
const SECRET = 'never-to-be-seen';

const HASH = '$scrypt$ln=14,r=8,p=5$c2FsdHNhbHRzYWx0$a2V5a2V5a2V5a2V5a2V5a2V5a2V5';

/** Every variable, set to something right. */
const RIGHT: Env = {
  ROLE: 'primary',
  LOCAL_VM_URL: `http://user:${SECRET}@a.example:8428/vm`,
  REMOTE_VM_URL: 'https://[::1]:8428',
  LOCAL_VM_READ_URL: 'http://read.example/select/0/prometheus',
  LOCAL_VM_WRITE_URL: 'http://write.example/insert/0/prometheus',
  REMOTE_VM_USERNAME: 'user',
  REMOTE_VM_PASSWORD: SECRET,
  DNS_RECORD: 'vm.example',
  PRIMARY_IP: '192.0.2.1',
  DR_IP: '2001:db8::2',
  DNS_SERVER: '[::1]:53',
  DNS_LEASE_RECORD: '_lease.vm.example',
  ACTIVE_SITE: 'auto',
  CHECK_INTERVAL: '120',
  QUERY_WINDOW: '1h',
  QUERY_STEP: '5m',
  SETTLE_SECONDS: '180',
  GAP_THRESHOLD: '0.9',
  GAP_MAP_LABEL: 'instance device',
  FAILBACK_CLEAN_CHECKS: '3',
  SYNC_DIRECTION: 'both',
  SYNC_MATCH: '{__name__!="",job=~"a|b"} up',
  SYNC_EXCLUDE: '{job="x"}',
  NOTIFY_WEBHOOK: `https://hooks.slack.com/services/${SECRET}`,
  NOTIFY_FORMAT: 'auto',
  NOTIFY_MIN_SEVERITY: 'warn',
  NOTIFY_SECRET: SECRET,
  NOTIFY_WEBHOOK_2: `https://x.logic.azure.com/${SECRET}`,
  NOTIFY_FORMAT_2: 'json',
  REDIS_URL: `redis-sentinel://user:${SECRET}@a:26379,[::1]:1/master/2`,
  STATE_FILE: 'data/state.json',
  DASHBOARD_HOST: '0.0.0.0',
  DASHBOARD_PORT: '3000',
  DASHBOARD_USER: 'operator',
  DASHBOARD_PASSWORD_HASH: HASH,
  DASHBOARD_VIEWER_USER: 'viewer',
  DASHBOARD_VIEWER_PASSWORD: SECRET,
  DASHBOARD_TOKEN: `token-${SECRET}`,
  DASHBOARD_VIEWER_TOKEN: `viewer-${SECRET}`,
  DASHBOARD_OPEN: 'health parity',
  DASHBOARD_TRUSTED_PROXIES: '172.16.0.0/12 loopback ::1/128',
  WORKER_CONCURRENCY: '2',
  MAX_COPIES: '4',
  MAX_BYTES_PER_SECOND: '50MB',
  LOG_LEVEL: 'info',
  LOG_FORMAT: 'json',
};

const NAMES = Object.keys(RIGHT);

const oneWrong = fc.record({
  name: fc.oneof(
    fc.constantFrom(...NAMES),
    fc.constantFrom(...NAMES.map((name) => `${name}_FILE`)),
  ),
  how: fc.oneof(
    fc.record({ damages }),
    fc.record({ text: fc.oneof(fc.string(), fc.string({ unit: 'binary' })) }),
    fc.record({
      text: fc.constantFrom(
        ...['9'.repeat(400), '1e999', '0x10', '-0', 'NaN', '0', '.5', '1e-320', '99999999999y'],
        ...['http://%zz@a', `http://u:${SECRET}%@a`, 'http://[', 'file:///', '\0', '/', '.'],
        ...[
          'redis://',
          'redis://a:b/%zz',
          `redis-cluster://:${SECRET}%zz@a:1`,
          'redis-sentinel://a',
        ],
        ...['a'.repeat(10_000), '"'.repeat(5_000), '{'.repeat(5_000), `{a="${'\\'.repeat(5_001)}`],
        ...['{a=~"("}', '{a=~"(?i)x"}', '{__proto__="x"}', '__proto__', 'constructor', 'toString'],
      ),
    }),
  ),
});

const settings = fc.record({
  absent: fc.array(fc.constantFrom(...NAMES), { maxLength: 30 }),
  wrong: fc.array(oneWrong, { maxLength: 3 }),
});
type Settings = typeof settings extends fc.Arbitrary<infer T> ? T : never;

function envOf({ absent, wrong }: Settings): Env {
  const env: Record<string, string> = { ...RIGHT };
  for (const name of absent) delete env[name];
  for (const { name, how } of wrong) {
    const right = RIGHT[name] ?? '/nonexistent';
    env[name] = 'text' in how ? how.text : mutate(Buffer.from(right), how.damages).toString();
  }
  return env;
}

/** A message may repeat what was written for a variable that is no secret; these are. */
const isSecret = ({ name }: Settings['wrong'][number]): boolean =>
  !/URL|PASSWORD|TOKEN|SECRET|WEBHOOK|USERNAME/.test(name);

test('settings of any kind are read whole, or refused with every fault by its name', () =>
  fuzz('settings', 4_000, settings, (some) => {
    const config = read(envOf(some));
    if (!('role' in config)) {
      expect(config.length).toBeGreaterThan(0);
      for (const fault of config) {
        expect(fault).toMatch(/^[A-Z0-9_]+: /);
        if (!some.wrong.some(isSecret)) expect(fault).not.toContain(SECRET);
      }
      return;
    }
    assertSound(config);
  }));

function read(env: Env): Config | readonly string[] {
  try {
    return envToConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

function assertSound(config: Config): void {
  for (const [name, value] of Object.entries(config)) {
    if (typeof value === 'number' && name.endsWith('Ms')) {
      expect(Number.isSafeInteger(value), name).toBe(true);
      expect(new Date(Date.now() + 10 * value).getTime(), name).not.toBeNaN();
    }
  }
  for (const { url, readUrl, writeUrl } of Object.values(config.vm)) {
    for (const one of [url, readUrl ?? url, writeUrl ?? url]) {
      const { username, password } = new URL(one);
      expect(decodeURIComponent(username + password)).toBeTypeOf('string');
    }
  }
  for (const secret of secretsOf(config)) expect(secret).not.toBe('');
}

test('durations of any kind are milliseconds that can be counted with, or none', () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom(...'0123456789.smhdwy -+eE') }),
    fc
      .tuple(fc.bigInt(), fc.constantFrom('ms', 's', 'm', 'h', 'd', 'w', 'y'))
      .map((two) => two.join('')),
    damages.map((some) => mutate(Buffer.from('1h30m 90.5s'), some).toString()),
  );
  return fuzz('durations', 10_000, text, (one) => {
    const ms = parseDurationMs(one);
    if (ms === undefined) return;
    expect(Number.isSafeInteger(ms) && ms >= 0).toBe(true);
    expect(parseDurationMs(`${ms}ms`)).toBe(ms);
  });
});

test('files of settings of any kind are names and texts', () => {
  const file = NAMES.map((name) => `export ${name} = "${RIGHT[name]}" # why`).join('\n');
  const lines = fc.array(
    fc.oneof(
      fc.string(),
      fc.constantFrom(
        '__proto__=x',
        'constructor=y',
        `A=${' '.repeat(5_000)}x`,
        'A="'.repeat(9_999),
      ),
    ),
  );
  const text = fc.oneof(
    damages.map((some) => mutate(Buffer.from(file), some).toString()),
    lines.map((some) => some.join('\n')),
  );
  return fuzz('files of settings', 2_000, text, (one) => {
    for (const [name, value] of Object.entries(parseEnvFile(one))) {
      expect(name).toMatch(/^[A-Za-z_]\w*$/);
      expect(value).toBeTypeOf('string');
    }
  });
});

test('hashes of passwords of any kind are ones that can be worked out, or refused', () => {
  const text = fc.oneof(
    damages.map((some) => mutate(Buffer.from(HASH), some).toString()),
    fc
      .tuple(fc.nat(99), fc.nat(99), fc.nat(99), fc.base64String(), fc.base64String())
      .map(([ln, r, p, salt, key]) => `$scrypt$ln=${ln},r=${r},p=${p}$${salt}$${key}`),
    fc.string(),
  );
  return fuzz('hashes of passwords', 5_000, text, (one) => {
    try {
      const { ln, r, p, salt, key } = parsePasswordHash(one);
      expect(128 * 2 ** ln * r).toBeLessThanOrEqual(128 * 1024 * 1024);
      expect(p).toBeLessThanOrEqual(16);
      expect(Math.min(salt.length, key.length - 8)).toBeGreaterThanOrEqual(8);
    } catch (error) {
      expect((error as Error).message).toMatch(/^(?:expected|too) /);
    }
  });
});
